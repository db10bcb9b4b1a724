//! What a handler answered, as a response: payload format 2.0, full or inferred.
//!
//! An answer that cannot be a response is refused with the sentence its author needs.

use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use warmfront_core::http::date;

use crate::body::Body;
use crate::origin::OriginResponse;

/// API Gateway's own id of the request, on every response.
const APIGW_REQUESTID: HeaderName = HeaderName::from_static("apigw-requestid");

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

/// A response of the API itself: `{"message":"Not Found"}`.
pub(super) fn message(
    status: StatusCode,
    message: &str,
    request: &http::request::Parts,
    request_id: &str,
    now: SystemTime,
) -> OriginResponse {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = serde_json::json!({ "message": message }).to_string();
    finish(status, headers, body.into(), request, request_id, now)
}

/// Reads the JSON that a handler returned; the error says what is wrong with it.
pub(super) fn read(
    result: Bytes,
    request: &http::request::Parts,
    request_id: &str,
    now: SystemTime,
) -> Result<OriginResponse, String> {
    let value: Value = serde_json::from_slice(&result)
        .map_err(|error| format!("the handler's answer is not JSON: {error}"))?;
    let (status, headers, body) = match value {
        Value::Object(fields) if fields.contains_key("statusCode") => full(fields)?,
        // Without a status everything is the body (API Gateway guide: payload format 2.0).
        Value::String(text) => inferred(text.into()),
        _ => inferred(result),
    };
    Ok(finish(status, headers, body, request, request_id, now))
}

fn inferred(body: Bytes) -> (StatusCode, HeaderMap, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (StatusCode::OK, headers, body)
}

fn full(mut fields: Map<String, Value>) -> Result<(StatusCode, HeaderMap, Bytes), String> {
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
    match fields.get("cookies") {
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
        Some(Value::Bool(true)) => BASE64_STANDARD
            .decode(body)
            .map_err(|error| format!("the answer's body is not base64: {error}"))?
            .into(),
        Some(_) => return Err("the answer's isBase64Encoded must be true or false".into()),
    };
    Ok((status, headers, body))
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

/// Adds what API Gateway adds, and the length; a response to HEAD, a 204 and a 304 have no body.
fn finish(
    status: StatusCode,
    mut headers: HeaderMap,
    body: Bytes,
    request: &http::request::Parts,
    request_id: &str,
    now: SystemTime,
) -> OriginResponse {
    let bodiless = status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if !bodiless {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain;charset=utf-8"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(APIGW_REQUESTID, id);
    }
    headers.entry(DATE).or_insert_with(|| date::header_value(now));
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    let (head, ()) = response.into_parts();
    let without = bodiless || request.method == Method::HEAD;
    OriginResponse { head, body: if without { Body::empty() } else { Body::full(body) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;

    fn answer(method: Method, json: &str) -> Result<OriginResponse, String> {
        let request = http::Request::builder().method(method).body(()).unwrap().into_parts().0;
        read(Bytes::copy_from_slice(json.as_bytes()), &request, "id-1", SystemTime::UNIX_EPOCH)
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
}
