//! `POST /purge`: an order as JSON, answered with its receipt.
//!
//! A page of the web that a browser of this machine shows may send requests here, too. It cannot send JSON
//! without asking first, and nobody answers it; what a browser says of itself is looked at all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, ORIGIN};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};

use crate::purge::{Code, Order, Receipt, Refused};

/// Where orders go.
pub(super) const PATH: &str = "/purge";
/// The longest order.
const LONGEST: usize = 1 << 20;
/// How long an order may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Carries orders out. It waits for a disk, so it is called where waiting does no harm.
pub(crate) type Purger = Arc<dyn Fn(&Order) -> Result<Receipt, Refused> + Send + Sync>;

/// Answers a request whose Host was found to be ours.
pub(super) async fn answer<B>(
    request: Request<B>,
    bound: SocketAddr,
    purger: Purger,
) -> Response<Full<Bytes>>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if request.method() != Method::POST {
        let message = "POST an order here: {\"items\": [\"/a\", \"/b/*\", \"#tag\"]}";
        let mut reply =
            refusal(StatusCode::METHOD_NOT_ALLOWED, &Refused::new(Code::InvalidArgument, message));
        reply.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return reply;
    }
    match order(request, bound).await {
        Err((status, refused)) => refusal(status, &refused),
        Ok(order) => {
            // It ends also if whoever asked has gone.
            let done = tokio::task::spawn_blocking(move || purger(&order)).await;
            match done {
                Ok(Ok(receipt)) => json(StatusCode::OK, &receipt),
                Ok(Err(refused)) => refusal(status(refused.code), &refused),
                Err(_) => {
                    let message = "the purge ended early, which is a defect; purge again";
                    let refused = Refused::new(Code::InternalError, message);
                    refusal(status(refused.code), &refused)
                }
            }
        }
    }
}

async fn order<B>(request: Request<B>, bound: SocketAddr) -> Result<Order, (StatusCode, Refused)>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let bad =
        |message: String| (StatusCode::BAD_REQUEST, Refused::new(Code::InvalidArgument, message));
    if comes_from_a_page(request.headers(), bound) {
        let message = "a page of another site may not purge";
        return Err((StatusCode::FORBIDDEN, Refused::new(Code::AccessDenied, message)));
    }
    if !is_json(request.headers()) {
        let message = "an order is Content-Type: application/json";
        let refused = Refused::new(Code::InvalidArgument, message);
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, refused));
    }
    let body = Limited::new(request.into_body(), LONGEST).collect();
    let body = match tokio::time::timeout(PATIENCE, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let message = "an order is at most 1 MiB long: split it";
            let refused = Refused::new(Code::BatchTooLarge, message);
            return Err((StatusCode::PAYLOAD_TOO_LARGE, refused));
        }
        Ok(Err(error)) => return Err(bad(format!("the order broke off: {error}"))),
        Err(_) => return Err(bad("the order did not come within 10 s".to_owned())),
    };
    serde_json::from_slice(&body).map_err(|error| {
        bad(format!(
            "this is no order: {error}. Write {{\"items\": [\"/a\", \"/b/*\", \"#tag\"]}}, and where needed \
             \"distribution\", \"soft\", \"dryRun\""
        ))
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else { return false };
    let kind = only.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// What browsers add to requests that a page makes: where they come from.
fn comes_from_a_page(headers: &HeaderMap, bound: SocketAddr) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let site = headers.get("sec-fetch-site").map(text);
    let is_foreign = site.is_some_and(|site| site != "none" && site != "same-origin");
    let mut origins = headers.get_all(ORIGIN).iter().map(text);
    is_foreign
        || origins.any(|origin| {
            let host = origin.strip_prefix("http://");
            host.is_none_or(|host| !super::is_this_machine(host, bound))
        })
}

fn status(code: Code) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn refusal(status: StatusCode, refused: &Refused) -> Response<Full<Bytes>> {
    json(status, refused)
}

fn json(status: StatusCode, value: &impl serde::Serialize) -> Response<Full<Bytes>> {
    let mut body = serde_json::to_string(value).expect("texts and numbers have a form in JSON");
    body.push('\n');
    let mut reply = super::text(status, &body);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purge::{Count, Served};

    /// A purger that counts each item as one object.
    fn purger() -> Purger {
        Arc::new(|order: &Order| {
            if order.distribution.is_some() {
                return Err(Refused::new(Code::NoSuchDistribution, "there is none"));
            }
            let (text, count) =
                (|text: &str| text.to_owned(), Count { objects: 1, bytes: 10, ..Count::default() });
            Ok(Receipt {
                id: Some(text("I1")),
                epoch: Some(1),
                distribution: Served {
                    id: text("E1"),
                    logical_id: text("Edge"),
                    domain_name: text("d"),
                },
                soft: order.soft,
                dry_run: order.dry_run,
                items: Vec::new(),
                total: Count { objects: order.items.len() as u64, ..count },
            })
        })
    }

    async fn ask(method: Method, fields: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(PATH);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
        let reply = answer(request, "127.0.0.1:9900".parse().unwrap(), purger()).await;
        let status = reply.status().as_u16();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    const JSON: (&str, &str) = ("content-type", "application/json");

    #[tokio::test]
    async fn an_order_is_answered_with_its_receipt() {
        let order = r##"{"items":["/a","#b"],"soft":true}"##;
        for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
            let (status, body) = ask(Method::POST, &[("content-type", kind)], order).await;
            assert_eq!(status, 200, "{body}");
            let receipt: Receipt = serde_json::from_str(&body).unwrap();
            assert!(receipt.soft && receipt.total.objects == 2);
        }
    }

    #[tokio::test]
    async fn what_is_no_order_is_refused() {
        let order = r#"{"items":["/a"]}"#;
        let long = format!(r#"{{"items":["/{}"]}}"#, "a".repeat(LONGEST));
        let nobody = r#"{"items":["/a"],"distribution":"E9"}"#;
        type Fields = &'static [(&'static str, &'static str)];
        let rows: [(Method, Fields, &str, u16); 8] = [
            (Method::GET, &[JSON], order, 405),
            (Method::POST, &[], order, 415),
            (Method::POST, &[("content-type", "text/plain")], order, 415),
            (Method::POST, &[JSON, ("content-type", "text/plain")], order, 415),
            (Method::POST, &[JSON], "{}", 400),
            (Method::POST, &[JSON], "", 400),
            (Method::POST, &[JSON], &long, 413),
            (Method::POST, &[JSON], nobody, 404),
        ];
        for (method, fields, body, expected) in rows {
            let (status, text) = ask(method.clone(), fields, body).await;
            assert_eq!(status, expected, "{method} {fields:?} {body:.40}: {text}");
            let refused: Refused = serde_json::from_str(&text).unwrap();
            assert!(!refused.message.is_empty());
        }
    }

    #[tokio::test]
    async fn no_page_of_another_site_may_purge() {
        let order = r#"{"items":["/*"]}"#;
        for (name, value, expected) in [
            ("origin", "https://evil.example", 403),
            ("origin", "null", 403),
            ("origin", "http://localhost.evil.example", 403),
            ("origin", "http://localhost:9900", 200),
            ("origin", "http://127.0.0.1:9900", 200),
            ("sec-fetch-site", "cross-site", 403),
            ("sec-fetch-site", "same-site", 403),
            ("sec-fetch-site", "same-origin", 200),
        ] {
            let (status, text) = ask(Method::POST, &[JSON, (name, value)], order).await;
            assert_eq!(status, expected, "{name}: {value}: {text}");
        }
    }
}
