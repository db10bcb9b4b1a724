//! The event of a request: payload format 2.0 (API Gateway guide: Lambda proxy integrations for HTTP APIs).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use serde_json::{Map, Value, json};
use warmfront_core::function::{HttpApi, Route};
use warmfront_core::http::date;

/// What an event is made of.
pub(super) struct Event<'a> {
    pub(super) api: &'a HttpApi,
    pub(super) route: &'a Route,
    pub(super) path_parameters: &'a [(String, String)],
    pub(super) account: &'a str,
    pub(super) viewer: IpAddr,
    pub(super) request_id: &'a str,
    pub(super) now: SystemTime,
    pub(super) head: &'a http::request::Parts,
    pub(super) body: &'a [u8],
}

impl Event<'_> {
    /// The event as JSON. Absent things are absent, not null, as API Gateway has it.
    pub(super) fn to_json(&self) -> String {
        let route_key = route_key(self.route);
        // HTTP APIs decode the path and leave the query string alone.
        let path = percent_decoded(self.head.uri.path(), false);
        let query = self.head.uri.query().unwrap_or_default();
        let domain = &self.api.domain_name;
        let prefix = domain.split('.').next().unwrap_or_default();
        let user_agent = self.head.headers.get(USER_AGENT).map(text).unwrap_or_default();
        let since_epoch = self.now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": self.headers(),
            "requestContext": {
                "accountId": self.account,
                "apiId": prefix,
                "domainName": domain,
                "domainPrefix": prefix,
                "http": {
                    "method": self.head.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.viewer.to_string(),
                    "userAgent": user_agent,
                },
                "requestId": self.request_id,
                "routeKey": route_key,
                "stage": "$default",
                "time": common_log_time(self.now),
                "timeEpoch": u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
            },
            "isBase64Encoded": false,
        });
        let cookies = cookies(&self.head.headers);
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        let parameters = query_parameters(query);
        if !parameters.is_empty() {
            event["queryStringParameters"] = parameters.into();
        }
        if !self.path_parameters.is_empty() {
            let parameters = self.path_parameters.iter();
            event["pathParameters"] =
                parameters.map(|(name, value)| (name.clone(), json!(value))).collect();
        }
        if !self.body.is_empty() {
            let as_text = is_text(self.head.headers.get(CONTENT_TYPE));
            match std::str::from_utf8(self.body).ok().filter(|_| as_text) {
                Some(text) => event["body"] = text.into(),
                None => {
                    event["body"] = BASE64_STANDARD.encode(self.body).into();
                    event["isBase64Encoded"] = true.into();
                }
            }
        }
        event.to_string()
    }

    /// Lower-case names, values of one name joined with commas, cookies apart, and what API Gateway adds.
    fn headers(&self) -> Map<String, Value> {
        let mut headers = Map::new();
        for name in self.head.headers.keys().filter(|name| *name != COOKIE) {
            let values: Vec<_> = self.head.headers.get_all(name).iter().map(text).collect();
            headers.insert(name.as_str().to_owned(), values.join(",").into());
        }
        let mut add = |name: &str, value: String| {
            headers.entry(name).or_insert_with(|| value.into());
        };
        add("x-forwarded-for", self.viewer.to_string());
        // An API is https only, on the one port.
        add("x-forwarded-proto", "https".to_owned());
        add("x-forwarded-port", "443".to_owned());
        if !self.body.is_empty() {
            add(CONTENT_LENGTH.as_str(), self.body.len().to_string());
        }
        headers
    }
}

/// `GET /pets/{id}`, `ANY /pets`, `$default`.
pub(super) fn route_key(route: &Route) -> String {
    match &route.method {
        _ if route.path == "$default" => route.path.clone(),
        Some(method) => format!("{method} {}", route.path),
        None => format!("ANY {}", route.path),
    }
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter().map(text).collect::<Vec<_>>();
    let parts = lines.iter().flat_map(|line| line.split(';'));
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn query_parameters(query: &str) -> Map<String, Value> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decoded(value, true);
        parameters
            .entry(percent_decoded(name, true).into_owned())
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    parameters.into_iter().map(|(name, value)| (name, value.into())).collect()
}

/// Whether a body of this type arrives as text.
///
/// AWS does not document the list. Measured on real HTTP APIs by others (ministackorg/ministack#766, and
/// many a form post): only these four, so forms and `…+json` arrive in base64, and so does what has no type.
fn is_text(content_type: Option<&HeaderValue>) -> bool {
    let Some(Ok(content_type)) = content_type.map(HeaderValue::to_str) else { return false };
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(
            essence.as_str(),
            "application/json" | "application/javascript" | "application/xml"
        )
}

/// A value as text: UTF-8 where it is, ISO-8859-1 otherwise (RFC 9110 §5.5).
fn text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().copied().map(char::from).collect()),
    }
}

/// What is no escape stays; what is no UTF-8 is replaced. `plus_is_space` is for query strings.
fn percent_decoded(text: &str, plus_is_space: bool) -> Cow<'_, str> {
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
fn common_log_time(now: SystemTime) -> String {
    let date = date::text(now);
    // Thu, 12 Mar 2020 19:03:58 GMT
    let part = |range: std::ops::Range<usize>| date.get(range).unwrap_or_default();
    format!("{}/{}/{}:{} +0000", part(5..7), part(8..11), part(12..16), part(17..25))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use warmfront_core::function::{Code, Function, Runtime};

    fn event(request: http::request::Builder, body: &[u8]) -> Value {
        let function = Function {
            logical_id: "Hello".into(),
            name: "hello".into(),
            runtime: Runtime::Node("nodejs20.x".into()),
            handler: "index.handler".into(),
            code: Code::Inline(String::new()),
            environment: Vec::new(),
            timeout: Duration::from_secs(3),
            memory_mib: 128,
            concurrency: None,
        };
        let function = Arc::new(function);
        let route = Route { method: None, path: "/{proxy+}".into(), function };
        let domain_name = "api1.execute-api.us-east-1.amazonaws.com".to_owned();
        let api = HttpApi { logical_id: "Api".into(), domain_name, routes: vec![] };
        let head = request.body(()).unwrap().into_parts().0;
        let event = Event {
            api: &api,
            route: &route,
            path_parameters: &[("proxy".into(), "a b".into())],
            account: "000000000000",
            viewer: "192.0.2.7".parse().unwrap(),
            request_id: "id-1",
            now: UNIX_EPOCH + Duration::from_millis(1_583_348_638_390),
            head: &head,
            body,
        };
        serde_json::from_str(&event.to_json()).unwrap()
    }

    #[test]
    fn an_event_looks_like_api_gateways() {
        let request = http::Request::get("/a%20b?x=1&x=2&y=%C3%A4+b&z&=")
            .header("Host", "api1.execute-api.us-east-1.amazonaws.com")
            .header("User-Agent", "curl/8")
            .header("Cookie", "a=1; b=2")
            .header("Cookie", "c=3")
            .header("X-Two", "one")
            .header("X-Two", "two")
            .header("X-Latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        assert_eq!(
            event(request, b""),
            json!({
                "version": "2.0",
                "routeKey": "ANY /{proxy+}",
                "rawPath": "/a b",
                "rawQueryString": "x=1&x=2&y=%C3%A4+b&z&=",
                "cookies": ["a=1", "b=2", "c=3"],
                "headers": {
                    "host": "api1.execute-api.us-east-1.amazonaws.com",
                    "user-agent": "curl/8",
                    "x-two": "one,two",
                    "x-latin": "café",
                    "x-forwarded-for": "192.0.2.7",
                    "x-forwarded-proto": "https",
                    "x-forwarded-port": "443",
                },
                "queryStringParameters": { "x": "1,2", "y": "ä b", "z": "", "": "" },
                "pathParameters": { "proxy": "a b" },
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "api1",
                    "domainName": "api1.execute-api.us-east-1.amazonaws.com",
                    "domainPrefix": "api1",
                    "http": {
                        "method": "GET",
                        "path": "/a b",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "192.0.2.7",
                        "userAgent": "curl/8",
                    },
                    "requestId": "id-1",
                    "routeKey": "ANY /{proxy+}",
                    "stage": "$default",
                    "time": "04/Mar/2020:19:03:58 +0000",
                    "timeEpoch": 1_583_348_638_390_u64,
                },
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn a_body_is_text_or_base64_by_its_type() {
        for (content_type, body, expected) in [
            ("application/json", &b"{}"[..], ("{}", false)),
            ("Application/JSON; charset=utf-8", b"{}", ("{}", false)),
            ("text/csv", b"a,b", ("a,b", false)),
            ("application/xml", b"<a/>", ("<a/>", false)),
            ("application/javascript", b"1", ("1", false)),
            ("text/plain", b"\xff\x00", ("/wA=", true)),
            ("application/x-www-form-urlencoded", b"a=b", ("YT1i", true)),
            ("application/vnd.api+json", b"{}", ("e30=", true)),
            ("image/png", b"\x89P", ("iVA=", true)),
            ("", b"?", ("Pw==", true)),
        ] {
            let mut request = http::Request::post("/");
            if !content_type.is_empty() {
                request = request.header("Content-Type", content_type);
            }
            let event = event(request, body);
            let got = (event["body"].as_str().unwrap(), event["isBase64Encoded"] == true);
            assert_eq!(got, expected, "{content_type}");
            assert_eq!(event["headers"]["content-length"], body.len().to_string());
        }
    }

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
