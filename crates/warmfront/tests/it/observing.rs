//! What an observer hears of a request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use warmfront::access::Fixed;
use warmfront::edge::EdgeOptions;
use warmfront::origin::{LastByte, Timing};
use warmfront::{AccessRecord, Body, Edge, Observer};
use warmfront_core::access::geo::Country;

use crate::world::{Pieces, ScriptedOrigin, answer, group, read, request, stack};

#[derive(Debug)]
struct Recorder {
    heard: Mutex<Vec<AccessRecord>>,
    wants_detail: bool,
}

impl Observer for Recorder {
    fn request_done(&self, record: &AccessRecord) {
        self.heard.lock().unwrap().push(record.clone());
    }
    fn note(&self, _: &str, _: &str) {}
    fn wants_detail(&self) -> bool {
        self.wants_detail
    }
}

fn pieces(pieces: &[&'static str], breaks: bool) -> Body {
    let pieces = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
    Body::stream(Pieces { pieces, length: None, breaks, rested: false })
}

/// An edge whose origin takes the whole request and answers with ten bytes; `/broken` breaks off
/// after five, and `/never` does not answer.
fn world(wants_detail: bool) -> (Edge, Arc<Recorder>) {
    let origin = ScriptedOrigin(Box::new(|request| {
        Box::pin(async move {
            let path = request.head.uri.path().to_owned();
            let _ = http_body_util::BodyExt::collect(request.body).await;
            match path.as_str() {
                "/never" => std::future::pending().await,
                "/broken" => answer(200, &[], pieces(&["01234"], true)),
                _ => {
                    let headers = [
                        ("cache-control", "max-age=60".into()),
                        ("content-type", "text/plain".into()),
                    ];
                    answer(200, &headers, Body::full("0123456789"))
                }
            }
        })
    }));
    let recorder = Arc::new(Recorder { heard: Mutex::default(), wants_detail });
    let mut options = EdgeOptions::new(stack((0, 0, 3600)), Arc::new(origin));
    options.observer = recorder.clone();
    options.access.geography =
        Country::parse("DE").map(|country| Arc::new(Fixed::country(country)) as _);
    (Edge::new(options), recorder)
}

impl Recorder {
    fn last(&self) -> AccessRecord {
        self.heard.lock().unwrap().last().unwrap().clone()
    }
}

#[tokio::test]
async fn without_a_log_that_asks_nothing_is_copied() {
    let (edge, heard) = world(false);
    read(edge.call(request(Method::GET, "/a")).await).await;
    let record = heard.last();
    assert!(record.detail.is_none());
    assert_eq!((record.status, record.request_head_bytes()), (200, 0));
}

#[tokio::test]
async fn sizes_are_those_of_http_1() {
    let (edge, heard) = world(true);
    let mut post = request(Method::POST, "/a?b=c");
    post.head.headers.insert("x-long", HeaderValue::from_static("12345"));
    post.body = pieces(&["abc", "de"], false);
    let reply = edge.call(post).await;
    let reply_head: usize =
        reply.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    read(reply).await;
    let record = heard.last();
    let detail = record.detail.as_ref().unwrap();
    let sent =
        "POST /a?b=c HTTP/1.1\r\nhost: d1234567890abc.cloudfront.net\r\nx-long: 12345\r\n\r\n";
    assert_eq!(record.request_head_bytes(), sent.len() as u64);
    assert_eq!(detail.request_body_bytes, 5);
    assert_eq!(detail.reply_head_bytes, ("HTTP/1.1 200 OK\r\n\r\n".len() + reply_head) as u64);
    assert_eq!(record.body_bytes, 10);
    assert_eq!(detail.content_type.as_ref().unwrap(), "text/plain");
    assert!(detail.behavior.is_some());
    assert_eq!(detail.country, Country::parse("de"), "nothing but the log asked for it");
}

#[tokio::test]
async fn a_range_and_a_head_say_what_they_sent() {
    let (edge, heard) = world(true);
    read(edge.call(request(Method::GET, "/a")).await).await;
    let asked = heard.last().detail.unwrap().origin.unwrap();
    assert_eq!(asked.domain_name, "app.example.test");
    let mut part = request(Method::GET, "/a");
    part.head.headers.insert("range", HeaderValue::from_static("bytes=2-4"));
    assert_eq!(read(edge.call(part).await).await.body, b"234");
    let record = heard.last();
    let detail = record.detail.as_ref().unwrap();
    assert_eq!(detail.content_range.as_ref().unwrap(), "bytes 2-4/10");
    assert_eq!(detail.content_length.as_ref().unwrap(), "3");
    assert_eq!(record.final_result(), ("Hit", "Hit"));
    assert!(detail.origin.is_none(), "the cache answered");
    read(edge.call(request(Method::HEAD, "/a")).await).await;
    let record = heard.last();
    assert_eq!(record.body_bytes, 0);
    assert_eq!(record.detail.as_ref().unwrap().content_length.as_ref().unwrap(), "10");
    assert_eq!(record.final_result(), ("Hit", "Hit"));
}

#[tokio::test]
async fn the_final_result_tells_who_broke_off() {
    let (edge, heard) = world(true);
    assert!(!read(edge.call(request(Method::GET, "/broken")).await).await.whole);
    let record = heard.last();
    assert_eq!((record.status, record.result), (200, "Miss"));
    assert_eq!(record.final_result(), ("Error", "OriginCommError"));
    // A viewer that leaves with the head in its hands.
    drop(edge.call(request(Method::GET, "/a")).await);
    let record = heard.last();
    assert_eq!((record.result, record.final_result()), ("Miss", ("Error", "ClientCommError")));
    // One that does not wait for it.
    let mut call = Box::pin(edge.call(request(Method::GET, "/never")));
    assert!(polled_once(&mut call).await.is_none());
    drop(call);
    let record = heard.last();
    assert_eq!(record.status, 0);
    assert_eq!(record.final_result(), ("Error", "ClientHungUpRequest"));
    assert_eq!(
        record.detail.as_ref().unwrap().headers.len(),
        1,
        "its headers are told all the same"
    );
}

#[tokio::test]
async fn the_times_of_an_origin_are_told_with_the_request_that_asked_it() {
    let (first_byte, last_byte) = (Duration::from_millis(7), LastByte::default());
    last_byte.set(Duration::from_millis(9));
    let told = Timing { first_byte, last_byte, ..Timing::default() };
    let origin = ScriptedOrigin(Box::new(move |_| {
        let told = told.clone();
        Box::pin(async move {
            let headers = [("cache-control", "max-age=60".into())];
            let mut response = answer(200, &headers, Body::full("0123456789"))?;
            response.head.extensions.insert(told);
            Ok(response)
        })
    }));
    let recorder = Arc::new(Recorder { heard: Mutex::default(), wants_detail: true });
    let mut options = EdgeOptions::new(stack((0, 0, 3600)), Arc::new(origin));
    options.observer = recorder.clone();
    let edge = Edge::new(options);
    for (method, expected) in [
        (Method::GET, (Some(7), Some(9))),
        (Method::GET, (None, None)),
        (Method::POST, (Some(7), Some(9))),
    ] {
        read(edge.call(request(method, "/a")).await).await;
        let detail = recorder.last().detail.unwrap();
        let millis = |time: Option<Duration>| time.map(|time| time.as_millis());
        let found = (millis(detail.origin_first_byte), millis(detail.origin_last_byte));
        assert_eq!(found, expected);
    }
}

async fn polled_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn the_log_learns_which_origin_was_asked_last_and_why() {
    let origin = ScriptedOrigin(Box::new(|request| {
        Box::pin(async move {
            let is_primary = request.head.headers["host"] == "app.example.test";
            let fails = is_primary && request.head.uri.path() != "/well";
            answer(if fails { 503 } else { 200 }, &[], Body::full("x"))
        })
    }));
    let recorder = Arc::new(Recorder { heard: Mutex::default(), wants_detail: true });
    let mut options = EdgeOptions::new(group((0, 60, 60)), Arc::new(origin));
    options.observer = recorder.clone();
    let edge = Edge::new(options);
    for (method, path, asked) in [
        (Method::GET, "/a", Some(("spare", Some(503)))),
        (Method::GET, "/a", None),
        (Method::HEAD, "/b", Some(("spare", Some(503)))),
        (Method::POST, "/c", Some(("app", None))),
        (Method::GET, "/well", Some(("app", None))),
    ] {
        read(edge.call(request(method.clone(), path)).await).await;
        let record = recorder.heard.lock().unwrap().pop().unwrap();
        let detail = record.detail.unwrap();
        let origin = detail.origin.as_ref().map(|origin| (origin.id.as_str(), detail.failed_over));
        assert_eq!(origin, asked, "{method} {path}");
    }
}
