//! What an event is made of, and what both payload formats have in common.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde_json::Value;
use warmfront_core::api::{Api, Match, Route};
use warmfront_core::http::date;

/// What an event is made of.
pub(super) struct Event<'a> {
    pub(super) api: &'a Api,
    pub(super) found: &'a Match<'a>,
    pub(super) account: &'a str,
    pub(super) viewer: IpAddr,
    pub(super) request_id: &'a str,
    pub(super) now: SystemTime,
    pub(super) head: &'a http::request::Parts,
    pub(super) body: &'a [u8],
}

impl Event<'_> {
    /// The API's id, or the function URL's: the first label of its host name.
    pub(super) fn api_id(&self) -> &str {
        self.api.domain_name.split('.').next().unwrap_or_default()
    }

    /// The body as the event has it, and whether that is base64; `None` when there is no body.
    pub(super) fn body(&self, as_text: bool) -> Option<(Value, bool)> {
        if self.body.is_empty() {
            return None;
        }
        Some(match std::str::from_utf8(self.body).ok().filter(|_| as_text) {
            Some(text) => (text.into(), false),
            None => (BASE64_STANDARD.encode(self.body).into(), true),
        })
    }

    /// Whether an HTTP API or a function URL hands this body over as text.
    pub(super) fn is_text(&self) -> bool {
        is_text(self.head.headers.get(CONTENT_TYPE))
    }

    pub(super) fn epoch_milliseconds(&self) -> u64 {
        let since_epoch = self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }
}

/// The pairs of a query string, decoded, in their order.
pub(super) fn query_pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decoded(name, true).into_owned(), percent_decoded(value, true).into_owned())
    })
}

/// `GET /pets/{id}`, `ANY /pets`, `$default`.
pub(super) fn route_key(route: &Route) -> String {
    match &route.method {
        _ if route.path == "$default" => route.path.clone(),
        Some(method) => format!("{method} {}", route.path),
        None => format!("ANY {}", route.path),
    }
}

/// Whether a body of this type arrives as text.
///
/// AWS does not document the list. Measured on real HTTP APIs by others (ministackorg/ministack#766, and
/// many a form post): only these four, so forms and `…+json` arrive in base64, and so does what has no type.
pub(super) fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(Ok(content_type)) = content_type.map(HeaderValue::to_str) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(
            essence.as_str(),
            "application/json" | "application/javascript" | "application/xml"
        )
}

/// A value as text: UTF-8 where it is, ISO-8859-1 otherwise (RFC 9110 §5.5).
pub(super) fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().copied().map(char::from).collect()),
    }
}

/// What is no escape stays; what is no UTF-8 is replaced. `plus_is_space` is for query strings.
pub(super) fn percent_decoded(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (*first, behind) {
            (b'+', _) if plus_is_space => octets.push(b' '),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => {
                    octets.push((high << 4 | low) as u8);
                    rest = after;
                }
                _ => octets.push(b'%'),
            },
            (byte, _) => octets.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&octets).into_owned())
}

/// `12/Mar/2020:19:03:58 +0000`
pub(super) fn common_log_time(now: SystemTime) -> String {
    let date = date::text(now);
    // Thu, 12 Mar 2020 19:03:58 GMT
    let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default();
    format!("{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_escape_stays() {
        for (text, in_path, in_query) in [
            ("plain", "plain", "plain"),
            ("a+b%20c", "a+b c", "a b c"),
            ("%", "%", "%"),
            ("%4", "%4", "%4"),
            ("%zz%41", "%zzA", "%zzA"),
            ("%ff", "\u{fffd}", "\u{fffd}"),
            ("ä%41", "äA", "äA"),
        ] {
            assert_eq!(percent_decoded(text, false), in_path, "{text}");
            assert_eq!(percent_decoded(text, true), in_query, "{text}");
        }
    }
}
