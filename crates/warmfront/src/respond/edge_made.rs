//! Replies that the edge makes itself: refusals, the redirect to https, and the page for a failed origin.

use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, LOCATION, SERVER};
use http::{HeaderValue, Method, StatusCode};
use warmfront_core::admission::Refusal;
use warmfront_core::error_page::{access_denied, error_page, redirect_page};

use super::{Answer, Made, result};
use crate::body::Body;
use crate::request::Reply;
use crate::request_id::RequestId;

/// The edge refuses the request (CloudFront guide: HTTP status codes of CloudFront itself).
pub(crate) fn refused(refusal: &Refusal, method: &Method, id: &RequestId) -> Answer {
    let status = refusal.status();
    let mut reply = match refusal {
        Refusal::Signature(denied) => content(status, "text/xml", access_denied(*denied), method),
        _ => page(status, refusal.reason(), method, id),
    };
    if *refusal == Refusal::MethodRefused {
        // RFC 9110 §15.5.6. Any other may pass, so these are only the usual ones.
        let usual = "GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE";
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static(usual));
    }
    if refusal.closes_connection() {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let made = if refusal.may_have_page() { Made::Replaceable } else { Made::Finally };
    Answer { reply, result: result::ERROR, detailed_result: refusal.detailed_result(), made }
}

/// The origin gave no response.
pub(crate) fn failed(
    status: u16,
    detailed_result: &'static str,
    method: &Method,
    id: &RequestId,
) -> Answer {
    let reason = match status {
        // AWS has no such page: there, API Gateway answers for a function that fails.
        _ if detailed_result == FUNCTION_FAILED => {
            "The function behind this address failed. The edge's error output says why, with the same request id."
        }
        504 => "We can't connect to the server for this app or website at this time.",
        503 => "The edge cannot carry this request at this time.",
        400 => "Bad request.",
        401..=499 => "Neither this address nor the page for its error could be served.",
        _ => "CloudFront wasn't able to connect to the origin.",
    };
    // CloudFront guide: that the edge itself has no room never becomes a custom error page.
    let made = match detailed_result {
        "Error" => Made::Finally,
        _ => Made::WithoutOrigin,
    };
    let reply = page(status, reason, method, id);
    Answer { reply, result: result::ERROR, detailed_result, made }
}

/// The viewer takes only what is stored, and nothing that is answers it (RFC 9111 §5.2.1.7). No custom error
/// page, which the origin might have to be asked for.
pub(crate) fn only_if_cached(method: &Method, id: &RequestId) -> Answer {
    let reason = "The request takes only what is stored (only-if-cached), and nothing that is stored answers it.";
    let reply = page(504, reason, method, id);
    Answer { reply, result: result::ERROR, detailed_result: "Error", made: Made::Finally }
}

/// http became https. `location` is the viewer's URL with the other scheme.
pub(crate) fn redirected_to_https(status: u16, location: HeaderValue, method: &Method) -> Answer {
    let mut reply = html(status, redirect_page(status).to_owned(), method);
    reply.headers_mut().insert(LOCATION, location);
    let result = result::REDIRECT;
    Answer { reply, result, detailed_result: result, made: Made::Finally }
}

/// What [`OriginError::Function`](crate::OriginError) is called in the log.
const FUNCTION_FAILED: &str = "OriginError";

fn page(status: u16, reason: &str, method: &Method, id: &RequestId) -> Reply {
    html(status, error_page(status, reason, id.as_str()), method)
}

fn html(status: u16, page: String, method: &Method) -> Reply {
    content(status, "text/html", page, method)
}

fn content(status: u16, kind: &'static str, page: String, method: &Method) -> Reply {
    let length = page.len();
    let mut reply =
        Reply::new(if method == Method::HEAD { Body::empty() } else { Body::full(page) });
    *reply.status_mut() =
        StatusCode::from_u16(status).expect("the edge's own statuses are three digits");
    let headers = reply.headers_mut();
    headers.insert(SERVER, HeaderValue::from_static("CloudFront"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(length));
    reply
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::OriginError;

    #[tokio::test]
    async fn the_page_says_whether_the_function_or_the_connection_failed() {
        let function = |timed_out| OriginError::Function {
            function: "hello".to_owned(),
            reason: "boom".to_owned(),
            timed_out,
        };
        let closed = OriginError::Closed { origin: "site".to_owned(), source: None };
        let rows = [
            (
                function(false),
                502,
                "The function behind this address failed. The edge's error output",
            ),
            (
                function(true),
                504,
                "The function behind this address failed. The edge's error output",
            ),
            (closed, 502, "wasn't able to connect to the origin"),
        ];
        for (error, status, text) in rows {
            let id = RequestId::random();
            let answer = failed(error.status(), error.detailed_result(), &Method::GET, &id);
            assert_eq!(answer.reply.status(), status);
            let page = answer.reply.into_body().collect().await.unwrap().to_bytes();
            let page = String::from_utf8(page.to_vec()).unwrap();
            assert!(page.contains(text) && page.contains(id.as_str()), "{error}: {page}");
            assert!(!page.contains("boom"), "{page}");
        }
    }
}
