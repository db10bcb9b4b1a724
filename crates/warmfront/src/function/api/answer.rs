//! What a handler answered, as a response: payload format 2.0, full or inferred, or 1.0.
//!
//! An answer that cannot be a response is refused with the sentence its author needs.

use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, DATE, ORIGIN, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use warmfront_core::api::{Api, ApiKind, Fixed, Payload};
use warmfront_core::http::date;

use super::payload_v1::is_binary;

use crate::body::Body;
use crate::origin::OriginResponse;

/// The ids of the request that each kind of API puts on every response.
const APIGW_REQUESTID: HeaderName = HeaderName::from_static("apigw-requestid");
const AMZN_REQUESTID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const AMZ_APIGW_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
const AMZN_ERRORTYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What a response must not say: it follows from the body and the connection (RFC 9110 §7.6.1).
const FRAMING: [&str; 9] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What an answer belongs to.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) api: &'a Api,
    pub(super) request: &'a http::request::Parts,
    pub(super) request_id: &'a str,
    pub(super) now: SystemTime,
}

/// A response of the API itself: `{"message":"Not Found"}`. `kind` is what REST APIs name it.
pub(super) fn message(
    status: StatusCode,
    message: &str,
    kind: &'static str,
    asked: Asked<'_>,
) -> OriginResponse {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if asked.api.kind != ApiKind::Http {
        headers.insert(AMZN_ERRORTYPE, HeaderValue::from_static(kind));
    }
    let body = serde_json::json!({ "message": message }).to_string();
    finish(status, headers, body.into(), asked)
}

/// The answer of a `MOCK` integration.
pub(super) fn fixed(fixed: &Fixed, asked: Asked<'_>) -> OriginResponse {
    let mut headers = HeaderMap::new();
    for (name, value) in &fixed.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok();
        if let Some((name, value)) = name.zip(HeaderValue::from_str(value).ok()) {
            headers.append(name, value);
        }
    }
    let status = StatusCode::from_u16(fixed.status).unwrap_or(StatusCode::OK);
    finish(status, headers, fixed.body.clone().into(), asked)
}

/// The answer to a preflight, where the API has CORS settings.
pub(super) fn preflight(origin: &str, asked: Asked<'_>) -> Option<OriginResponse> {
    let cors = asked.api.cors.as_ref()?;
    let mut headers = HeaderMap::new();
    for (name, value) in cors.preflight(origin) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    let is_url = asked.api.kind == ApiKind::Url;
    let status = if is_url { StatusCode::OK } else { StatusCode::NO_CONTENT };
    Some(finish(status, headers, Bytes::new(), asked))
}

/// Reads the JSON that a handler returned; the error says what is wrong with it.
pub(super) fn read(
    result: Bytes,
    payload: Payload,
    asked: Asked<'_>,
) -> Result<OriginResponse, String> {
    let value: Value = serde_json::from_slice(&result)
        .map_err(|error| format!("the handler's answer is not JSON: {error}"))?;
    let (status, mut headers, body) = match (value, payload) {
        (Value::Object(fields), _) if fields.contains_key("statusCode") => {
            full(fields, payload, asked)?
        }
        (_, Payload::V1) => {
            return Err("the answer has no statusCode: payload format 1.0 needs one".to_owned());
        }
        // Without a status everything is the body (API Gateway guide: payload format 2.0).
        (Value::String(text), _) => inferred(text.into()),
        _ => inferred(result),
    };
    apply_cors(&mut headers, asked);
    Ok(finish(status, headers, body, asked))
}

/// The API's own settings stand in place of whatever the function says about CORS.
fn apply_cors(headers: &mut HeaderMap, asked: Asked<'_>) {
    let Some(cors) = &asked.api.cors else { return };
    let theirs: Vec<HeaderName> = headers.keys().cloned().collect();
    for name in theirs.iter().filter(|name| name.as_str().starts_with("access-control-")) {
        headers.remove(name);
    }
    let origin = asked.request.headers.get(ORIGIN).and_then(|origin| origin.to_str().ok());
    for (name, value) in origin.map(|origin| cors.headers(origin)).unwrap_or_default() {
        // What names the origin must not be given to another one by a cache.
        if name == "access-control-allow-origin" && value != "*" {
            headers.append(VARY, HeaderValue::from_static("Origin"));
        }
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

fn inferred(body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (StatusCode::OK, headers, body)
}

fn full(
    mut fields: Map<String, Value>,
    payload: Payload,
    asked: Asked<'_>,
) -> Result<(StatusCode, HeaderMap, Bytes), String> {
    let status = status(&fields["statusCode"])?;
    let mut headers = HeaderMap::new();
    match fields.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Object(given)) => {
            for (name, value) in given {
                add_header(&mut headers, name, value)?;
            }
        }
        Some(_) => return Err("the answer's headers must be an object of names and values".into()),
    }
    if payload == Payload::V1 {
        add_lists(&mut headers, fields.get("multiValueHeaders"))?;
    }
    // Only format 2.0 has them.
    match fields.get("cookies").filter(|_| payload == Payload::V2) {
        None | Some(Value::Null) => {}
        Some(Value::Array(cookies)) => {
            for cookie in cookies {
                let cookie = cookie.as_str().and_then(|text| HeaderValue::from_str(text).ok());
                let cookie =
                    cookie.ok_or("the answer's cookies must be strings of visible ASCII")?;
                headers.append(SET_COOKIE, cookie);
            }
        }
        Some(_) => return Err("the answer's cookies must be an array of strings".into()),
    }
    let body = match fields.remove("body") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => {
            return Err(format!(
                "the answer's body is {}: it must be a string, use JSON.stringify",
                kind(&other)
            ));
        }
    };
    let body = match fields.get("isBase64Encoded") {
        None | Some(Value::Null | Value::Bool(false)) => Bytes::from(body),
        // A REST API decodes only what its binary media types name.
        Some(Value::Bool(true)) if !decodes(&headers, asked) => Bytes::from(body),
        Some(Value::Bool(true)) => BASE64_STANDARD
            .decode(body)
            .map_err(|error| format!("the answer's body is not base64: {error}"))?
            .into(),
        Some(_) => return Err("the answer's isBase64Encoded must be true or false".into()),
    };
    Ok((status, headers, body))
}

/// `multiValueHeaders` come first, then what only `headers` say (API Gateway guide: both are merged into one
/// list, and a pair of name and value that is in both appears once).
fn add_lists(headers: &mut HeaderMap, lists: Option<&Value>) -> Result<(), String> {
    let lists = match lists {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(lists)) => lists,
        Some(_) => return Err("the answer's multiValueHeaders must be an object of lists".into()),
    };
    let single = std::mem::take(headers);
    for (name, values) in lists {
        let Some(values) = values.as_array() else {
            let what = kind(values);
            return Err(format!(
                "the answer's multiValueHeaders.{name} is {what}: it must be a list"
            ));
        };
        for value in values {
            add_header(headers, name, value)?;
        }
    }
    for (name, value) in &single {
        // A response has one Content-Type.
        let is_said = if *name == CONTENT_TYPE {
            headers.contains_key(name)
        } else {
            headers.get_all(name).iter().any(|said| said == value)
        };
        if !is_said {
            headers.append(name, value.clone());
        }
    }
    Ok(())
}

fn decodes(headers: &HeaderMap, asked: Asked<'_>) -> bool {
    let wanted = asked.request.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let own = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let types = wanted.into_iter().chain(own);
    asked.api.kind != ApiKind::Rest || is_binary(&asked.api.binary_media_types, types)
}

fn status(value: &Value) -> Result<StatusCode, String> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number
        .filter(|number| (200..=599).contains(number))
        .and_then(|number| StatusCode::from_u16(number as u16).ok())
        .ok_or_else(|| {
            let shown: String = value.to_string().chars().take(60).collect();
            format!("the answer's statusCode is {shown}: it must be a number from 200 to 599")
        })
}

fn add_header(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} among the answer's headers is not a header name"))?;
    let value = match value {
        Value::String(text) => HeaderValue::from_bytes(text.as_bytes()),
        Value::Number(number) => HeaderValue::from_str(&number.to_string()),
        Value::Bool(value) => Ok(HeaderValue::from_static(if *value { "true" } else { "false" })),
        Value::Null => return Ok(()),
        other => {
            let what = kind(other);
            return Err(format!("the answer's header {name} is {what}: it must be a string"));
        }
    };
    let value = value.map_err(|_| {
        format!("the answer's header {name} has a character that no header may have")
    })?;
    if !FRAMING.contains(&header.as_str()) {
        headers.append(header, value);
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Adds what the API adds, and the length; a response to HEAD, a 204 and a 304 have no body.
fn finish(
    status: StatusCode,
    mut headers: HeaderMap,
    body: Bytes,
    asked: Asked<'_>,
) -> OriginResponse {
    let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if !bodiless {
        let usual = match asked.api.kind {
            ApiKind::Http => "text/plain;charset=utf-8",
            ApiKind::Rest | ApiKind::Url => "application/json",
        };
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(usual));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if let Ok(id) = HeaderValue::from_str(asked.request_id) {
        match asked.api.kind {
            ApiKind::Http => drop(headers.insert(APIGW_REQUESTID, id)),
            ApiKind::Url => drop(headers.insert(AMZN_REQUESTID, id)),
            ApiKind::Rest => {
                headers.insert(AMZN_REQUESTID, id.clone());
                headers.insert(AMZ_APIGW_ID, id);
            }
        }
    }
    headers.entry(DATE).or_insert_with(|| date::header_value(asked.now));
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let (head, ()) = response.into_parts();
    let without = bodiless || asked.request.method == Method::HEAD;
    OriginResponse { head, body: if without { Body::empty() } else { Body::full(body) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;

    fn api(kind: ApiKind, binary: &[&str]) -> Api {
        Api {
            logical_id: "Api".into(),
            domain_name: "api1.execute-api.us-east-1.amazonaws.com".into(),
            kind,
            stages: vec![],
            binary_media_types: binary.iter().map(|it| (*it).to_owned()).collect(),
            cors: None,
            routes: vec![],
        }
    }

    fn answer_of(
        api: &Api,
        request: http::request::Builder,
        payload: Payload,
        json: &str,
    ) -> Result<OriginResponse, String> {
        let request = request.body(()).unwrap().into_parts().0;
        let now = SystemTime::UNIX_EPOCH;
        let asked = Asked { api, request: &request, request_id: "id-1", now };
        read(Bytes::copy_from_slice(json.as_bytes()), payload, asked)
    }

    fn answer(method: Method, json: &str) -> Result<OriginResponse, String> {
        let request = http::Request::builder().method(method);
        answer_of(&api(ApiKind::Http, &[]), request, Payload::V2, json)
    }

    /// `expected`: the status, the headers but for date and id, and the length of the body.
    #[track_caller]
    fn check(method: Method, json: &str, expected: (u16, &[(&str, &str)], u64)) {
        let response = answer(method, json).unwrap();
        let headers = &response.head.headers;
        assert_eq!(headers["apigw-requestid"], "id-1");
        let mut rest: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .filter(|(name, _)| !["apigw-requestid", "date"].contains(name))
            .collect();
        rest.sort_unstable();
        let length = response.body.size_hint().exact().unwrap();
        let got = (response.head.status.as_u16(), &rest[..], length);
        assert_eq!(got, expected, "{json}");
    }

    const JSON: (&str, &str) = ("content-type", "application/json");
    const TEXT: (&str, &str) = ("content-type", "text/plain;charset=utf-8");

    #[test]
    fn an_answer_without_a_status_is_the_body() {
        check(Method::GET, r#""hello""#, (200, &[("content-length", "5"), JSON], 5));
        check(Method::GET, r#"{"a":1}"#, (200, &[("content-length", "7"), JSON], 7));
        check(Method::GET, "[1]", (200, &[("content-length", "3"), JSON], 3));
        check(Method::GET, "null", (200, &[("content-length", "4"), JSON], 4));
    }

    #[test]
    fn a_full_answer_becomes_its_response() {
        check(Method::GET, r#"{"statusCode":200}"#, (200, &[("content-length", "0"), TEXT], 0));
        check(
            Method::GET,
            r#"{"statusCode":"201","headers":{"X-A":"b","X-N":7,"X-T":true,"X-0":null},"body":"ä"}"#,
            (201, &[("content-length", "2"), TEXT, ("x-a", "b"), ("x-n", "7"), ("x-t", "true")], 2),
        );
        check(
            Method::GET,
            r#"{"statusCode":200,"headers":{"Content-Type":"image/png","Set-Cookie":"a=1"},
                "cookies":["b=2; Path=/","c=3"],"body":"iVA=","isBase64Encoded":true}"#,
            (
                200,
                &[
                    ("content-length", "2"),
                    ("content-type", "image/png"),
                    ("set-cookie", "a=1"),
                    ("set-cookie", "b=2; Path=/"),
                    ("set-cookie", "c=3"),
                ],
                2,
            ),
        );
    }

    #[test]
    fn framing_follows_from_the_body_whatever_the_handler_says() {
        let said = r#"{"statusCode":200,"body":"abc","headers":
            {"Content-Length":"99","Transfer-Encoding":"chunked","Connection":"close"}}"#;
        check(Method::GET, said, (200, &[("content-length", "3"), TEXT], 3));
        check(Method::HEAD, said, (200, &[("content-length", "3"), TEXT], 0));
        check(Method::GET, r#"{"statusCode":204,"body":"abc"}"#, (204, &[], 0));
        check(Method::GET, r#"{"statusCode":304}"#, (304, &[], 0));
    }

    #[test]
    fn an_answer_that_is_no_response_says_why() {
        for (json, expected) in [
            (r#"{"statusCode":"no"}"#, "statusCode is \"no\": it must be a number from 200 to 599"),
            (r#"{"statusCode":100}"#, "statusCode is 100"),
            (r#"{"statusCode":null}"#, "statusCode is null"),
            (r#"{"statusCode":200,"body":{"a":1}}"#, "body is an object: it must be a string"),
            (r#"{"statusCode":200,"headers":[]}"#, "headers must be an object"),
            (r#"{"statusCode":200,"headers":{"a b":"c"}}"#, "\"a b\" among the answer's headers"),
            (r#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#, "header a has a character"),
            (r#"{"statusCode":200,"headers":{"a":["b"]}}"#, "header a is an array"),
            (r#"{"statusCode":200,"cookies":"a=1"}"#, "cookies must be an array"),
            (r#"{"statusCode":200,"cookies":["a\n"]}"#, "cookies must be strings"),
            (r#"{"statusCode":200,"body":"?","isBase64Encoded":true}"#, "body is not base64"),
            (r#"{"statusCode":200,"isBase64Encoded":"yes"}"#, "isBase64Encoded must be"),
            ("{", "is not JSON"),
        ] {
            let said = answer(Method::GET, json).unwrap_err();
            assert!(said.contains(expected), "{json}: {said}");
        }
    }

    #[tokio::test]
    async fn format_1_0_needs_a_status_and_knows_lists_of_headers() {
        use http_body_util::BodyExt as _;
        let rest = api(ApiKind::Rest, &["image/*"]);
        let get = || http::Request::get("/");
        let json = r#"{"statusCode":200,"headers":{"X-A":"4","X-B":"2","Set-Cookie":"c=3"},
            "cookies":["no=1"],"multiValueHeaders":{"x-a":["3","4"],"Set-Cookie":["a=1","b=2"]},
            "body":"iVA=","isBase64Encoded":true}"#;
        let said = answer_of(&rest, get(), Payload::V1, json).unwrap();
        let lines = |name: &str| -> Vec<_> { said.head.headers.get_all(name).iter().collect() };
        assert_eq!(lines("x-a"), ["3", "4"]);
        assert_eq!(lines("x-b"), ["2"]);
        assert_eq!(lines("set-cookie"), ["a=1", "b=2", "c=3"]);
        assert_eq!(lines("content-type"), ["application/json"]);
        assert_eq!(lines("x-amzn-requestid"), ["id-1"]);
        assert_eq!(said.body.collect().await.unwrap().to_bytes(), "iVA=");

        let wanted = get().header("Accept", "image/png");
        let said = answer_of(&rest, wanted, Payload::V1, json).unwrap();
        assert_eq!(said.body.collect().await.unwrap().to_bytes(), &b"\x89P"[..]);

        for (json, expected) in [
            (r#"{"body":"x"}"#, "no statusCode"),
            ("\"x\"", "no statusCode"),
            (
                r#"{"statusCode":200,"multiValueHeaders":{"a":"b"}}"#,
                "multiValueHeaders.a is a string",
            ),
        ] {
            let said = answer_of(&rest, get(), Payload::V1, json).unwrap_err();
            assert!(said.contains(expected), "{json}: {said}");
        }
    }

    #[test]
    fn cors_settings_replace_what_the_function_says() {
        let mut http = api(ApiKind::Http, &[]);
        http.cors = Some(warmfront_core::api::cors::Cors {
            allow_origins: vec!["https://a.example".into()],
            ..Default::default()
        });
        let json = r#"{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*","access-control-max-age":"5"}}"#;
        for (origin, expected) in
            [("https://a.example", Some("https://a.example")), ("https://b.example", None)]
        {
            let request = http::Request::get("/").header("Origin", origin);
            let said = answer_of(&http, request, Payload::V2, json).unwrap().head.headers;
            let got = said.get("access-control-allow-origin").map(|it| it.to_str().unwrap());
            assert_eq!(got, expected);
            assert_eq!(said.get("vary").is_some(), expected.is_some());
            assert!(!said.contains_key("access-control-max-age"));
        }
    }
}
