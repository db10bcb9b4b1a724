//! Which requests ask to leave HTTP, and which answers really do (RFC 9110 §7.8, RFC 6455 §4).
//!
//! A tunnel begins only with a 101 that was asked for and names what was asked for (reliability.md §2,
//! class 8); every other answer is an ordinary response. CloudFront knows one such protocol, over
//! HTTP/1.1 only (CloudFront guide: use WebSockets with distributions).

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header, response};

use crate::request_view::RequestView;

/// What a connection may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 6455.
    WebSocket,
}

impl Protocol {
    /// Its name in Upgrade.
    pub fn token(self) -> &'static str {
        match self {
            Protocol::WebSocket => "websocket",
        }
    }
}

/// What this request wants its connection to become: Upgrade lists `websocket` and Connection lists
/// `upgrade`, on a GET over HTTP/1.1. Anything else Upgrade may say is not heard.
pub fn asked(request: &RequestView<'_>) -> Option<Protocol> {
    let protocol = Protocol::WebSocket;
    let asks = request.version == Version::HTTP_11
        && *request.method == Method::GET
        && lists(request.headers, &header::UPGRADE, protocol.token())
        && lists(request.headers, &header::CONNECTION, "upgrade");
    asks.then_some(protocol)
}

/// Writes into `headers` that the connection shall become, or becomes, `protocol`: for the request that
/// the origin gets and for the 101 that the viewer gets.
pub fn announce(headers: &mut HeaderMap, protocol: Protocol) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static(protocol.token()));
}

/// What a request of ours asks for: the other side of [`announce`].
pub fn announced(headers: &HeaderMap) -> Option<Protocol> {
    let value = headers.get(header::UPGRADE)?;
    let protocol = Protocol::WebSocket;
    value.as_bytes().eq_ignore_ascii_case(protocol.token().as_bytes()).then_some(protocol)
}

/// Whether a 101 switches to `protocol`. The text completes "the origin's response …".
pub fn check_switch(head: &response::Parts, protocol: Protocol) -> Result<(), &'static str> {
    let mut named = members(&head.headers, &header::UPGRADE);
    let is_named = named.next().is_some_and(|name| is_same(name, protocol.token()));
    if !is_named || named.next().is_some() {
        return Err("switches to another protocol (101) than the one that was asked for");
    }
    if !lists(&head.headers, &header::CONNECTION, "upgrade") {
        return Err("switches protocols (101) without \"Connection: upgrade\"");
    }
    Ok(())
}

/// Why the origin will not take the handshake, if what the policies leave of it is not enough.
/// The text completes "the viewer asked for a WebSocket, and …".
pub fn missing(sent: &HeaderMap, viewer: &HeaderMap) -> Option<&'static str> {
    if !viewer.contains_key(header::SEC_WEBSOCKET_KEY) {
        return Some("sent no Sec-WebSocket-Key");
    }
    [header::SEC_WEBSOCKET_KEY, header::SEC_WEBSOCKET_VERSION]
        .iter()
        .any(|name| viewer.contains_key(name) && !sent.contains_key(name))
        .then_some(
            "the policies of its behavior keep Sec-WebSocket-Key or Sec-WebSocket-Version from the \
             origin, which can then only refuse; the origin request policy must be AllViewer, or list \
             Sec-WebSocket-Key, -Version, -Protocol, -Accept and -Extensions",
        )
}

fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    members(headers, name).any(|member| is_same(member, token))
}

fn members<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

fn is_same(member: &[u8], token: &str) -> bool {
    member.eq_ignore_ascii_case(token.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::origin::Scheme;

    #[track_caller]
    fn asks(method: Method, version: Version, fields: &[&str], expected: bool) {
        let headers = fixture::headers(fields);
        let request = RequestView {
            method: &method,
            scheme: Scheme::Http,
            version,
            host: "a",
            path: "/",
            query: None,
            headers: &headers,
            place: None,
        };
        assert_eq!(asked(&request).is_some(), expected, "{method} {version:?} {fields:?}");
    }

    #[test]
    fn a_websocket_is_a_get_over_http_1_1_that_says_so_twice() {
        let both = ["upgrade: websocket", "connection: upgrade"];
        asks(Method::GET, Version::HTTP_11, &both, true);
        asks(Method::POST, Version::HTTP_11, &both, false);
        asks(Method::HEAD, Version::HTTP_11, &both, false);
        asks(Method::GET, Version::HTTP_10, &both, false);
        asks(Method::GET, Version::HTTP_2, &both, false);
        asks(Method::GET, Version::HTTP_11, &both[..1], false);
        asks(Method::GET, Version::HTTP_11, &both[1..], false);
        let odd = ["upgrade: h2c, WebSocket", "connection: keep-alive", "connection: ,Upgrade"];
        asks(Method::GET, Version::HTTP_11, &odd, true);
        let other = ["upgrade: h2c", "connection: upgrade"];
        asks(Method::GET, Version::HTTP_11, &other, false);
        let near = ["upgrade: websocket/13, xwebsocket", "connection: upgrade"];
        asks(Method::GET, Version::HTTP_11, &near, false);
    }

    #[track_caller]
    fn switches(fields: &[&str], expected: bool) {
        let (mut head, ()) = response::Response::new(()).into_parts();
        head.headers = fixture::headers(fields);
        let switch = check_switch(&head, Protocol::WebSocket);
        assert_eq!(switch.is_ok(), expected, "{fields:?}: {switch:?}");
    }

    #[test]
    fn a_101_switches_only_to_what_was_asked_for() {
        switches(&["upgrade: WebSocket", "connection: Upgrade"], true);
        switches(&["upgrade: websocket", "connection: keep-alive, upgrade"], true);
        switches(&["upgrade: h2c", "connection: upgrade"], false);
        switches(&["upgrade: websocket, h2c", "connection: upgrade"], false);
        switches(&["upgrade: websocket"], false);
        switches(&["connection: upgrade"], false);
    }

    #[test]
    fn what_is_announced_is_what_was_asked_for() {
        let mut headers = HeaderMap::new();
        assert_eq!(announced(&headers), None);
        announce(&mut headers, Protocol::WebSocket);
        assert_eq!(announced(&headers), Some(Protocol::WebSocket));
        headers.insert(header::UPGRADE, HeaderValue::from_static("h2c"));
        assert_eq!(announced(&headers), None);
    }

    #[test]
    fn a_handshake_that_cannot_succeed_is_told() {
        let viewer = fixture::headers(&["sec-websocket-key: x", "sec-websocket-version: 13"]);
        let check = |sent: &[&str], viewer: &HeaderMap, expected: bool| {
            assert_eq!(missing(&fixture::headers(sent), viewer).is_some(), expected, "{sent:?}");
        };
        check(&["sec-websocket-key: x", "sec-websocket-version: 13"], &viewer, false);
        check(&["sec-websocket-key: x"], &viewer, true);
        check(&["sec-websocket-version: 13"], &viewer, true);
        check(&[], &HeaderMap::new(), true);
    }
}
