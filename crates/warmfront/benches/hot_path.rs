//! What a request costs inside the engine, without sockets: a hit as a whole, and its parts; a fill.
//!
//! ```text
//! cargo bench -p warmfront --bench hot_path             nanoseconds of each
//! bench/micro                                           instructions and allocations of each, with valgrind
//! cargo bench -p warmfront --bench hot_path -- hit 1000 only this, so often: what valgrind runs
//! ```
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for one's own eyes")]
#![allow(missing_docs, dead_code, reason = "the tests' world has more than is needed here")]

#[path = "../tests/it/world.rs"]
mod world;

use std::hint::black_box;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, Version};
use http_body_util::BodyExt as _;
use warmfront::cache::StoredHead;
use warmfront::{Body, Edge, ViewerRequest};
use warmfront_core::RequestView;
use warmfront_core::caching::freshness::{Freshness, freshness};
use warmfront_core::caching::{Lifetime, TtlRule, TtlSource};
use warmfront_core::origin::Scheme;
use warmfront_core::policy::cache_key::write_cache_key;

use world::{ScriptedOrigin, answer, edge, get, stack};

/// What a browser sends, and an origin answers.
const REQUEST: [(&str, &str); 8] = [
    ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("cookie", "session=0123456789abcdef; theme=dark"),
    ("sec-fetch-mode", "navigate"),
    ("upgrade-insecure-requests", "1"),
    ("cache-control", "max-age=0"),
];
const RESPONSE: [(&str, &str); 8] = [
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "public, max-age=3600"),
    ("etag", "\"686897696a7c876b7e\""),
    ("last-modified", "Tue, 24 Nov 2026 09:49:37 GMT"),
    ("date", "Wed, 25 Nov 2026 08:00:00 GMT"),
    ("server", "nginx"),
    ("accept-ranges", "bytes"),
    ("x-request-id", "7b1f6a4e-3c0d-4d8e-9a51-0f2e6c1b7d90"),
];

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let only = words.next();
    let times = words.next().map(|times| times.parse::<u32>().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let parts = [
        ("request", 500_000),
        ("hit", 500_000),
        ("key", 2_000_000),
        ("freshness", 20_000_000),
        ("head", 2_000_000),
        ("fill", 50_000),
    ];
    for (name, usual) in parts {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let times = times.unwrap_or(usual);
        let took = match name {
            "request" => requests(times),
            "hit" => runtime.block_on(hits(times)),
            "key" => keys(times),
            "freshness" => freshnesses(times),
            "head" => heads(times),
            _ => runtime.block_on(fills(times)),
        };
        println!("{name:>10} {:>8} ns", took.as_nanos() / u128::from(times.max(1)));
    }
}

fn small_edge(memory: u64) -> Edge {
    let origin = ScriptedOrigin(Box::new(|_| {
        let headers = RESPONSE.map(|(name, value)| (name, value.to_owned()));
        let answered = answer(200, &headers, Body::full(vec![b'x'; 1024]));
        Box::pin(async move { answered })
    }));
    edge((0, 60, 3600), memory, origin).0
}

fn request(path: &str) -> ViewerRequest {
    let mut request = get(path);
    for (name, value) in REQUEST {
        request.head.headers.insert(name, HeaderValue::from_static(value));
    }
    request
}

async fn ask(edge: &Edge, request: ViewerRequest) {
    let mut body = edge.call(request).await.into_body();
    while let Some(frame) = body.frame().await {
        black_box(frame.unwrap());
    }
}

/// The viewer's request alone: what of the others is not the engine's.
fn requests(times: u32) -> Duration {
    let begun = Instant::now();
    let requests: Vec<ViewerRequest> = (0..times).map(|_| request("/a?b=1")).collect();
    drop(black_box(requests));
    begun.elapsed()
}

/// Stored responses that are found, by a request that is made beforehand.
async fn hits(times: u32) -> Duration {
    let edge = small_edge(64 << 20);
    ask(&edge, request("/a?b=1")).await;
    ask(&edge, request("/a?b=1")).await;
    let requests: Vec<ViewerRequest> = (0..times).map(|_| request("/a?b=1")).collect();
    let begun = Instant::now();
    for request in requests {
        ask(&edge, request).await;
    }
    begun.elapsed()
}

/// Objects that are fetched, stored and sent on.
async fn fills(times: u32) -> Duration {
    let edge = small_edge(16 << 20);
    let requests: Vec<ViewerRequest> = (0..times).map(|n| request(&format!("/{n}"))).collect();
    let begun = Instant::now();
    for request in requests {
        ask(&edge, request).await;
    }
    begun.elapsed()
}

fn keys(times: u32) -> Duration {
    let stack = stack((0, 60, 3600));
    let distribution = &stack.distributions[0];
    let head = request("/a?b=1").head;
    let view = RequestView {
        method: &Method::GET,
        scheme: Scheme::Http,
        version: Version::HTTP_11,
        host: "d1234567890abc.cloudfront.net",
        path: "/assets/application-0123456789.css",
        query: Some("b=1&c=2"),
        headers: &head.headers,
        place: None,
    };
    let mut key = Vec::with_capacity(256);
    let begun = Instant::now();
    for _ in 0..times {
        key.clear();
        write_cache_key(&mut key, distribution, &distribution.behaviors[0], black_box(&view));
        black_box(&key);
    }
    begun.elapsed()
}

fn freshnesses(times: u32) -> Duration {
    let lifetime = Lifetime {
        fresh_for: Duration::from_secs(60),
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        initial_age: Duration::ZERO,
        rule: TtlRule { source: TtlSource::DefaultTtl(Duration::from_secs(60)), limit: None },
    };
    let begun = Instant::now();
    for _ in 0..times {
        let fresh = freshness(black_box(&lifetime), black_box(Duration::from_secs(9)));
        assert_eq!(fresh, Freshness::Fresh);
    }
    begun.elapsed()
}

/// The head of a stored response made into the head of a reply.
fn heads(times: u32) -> Duration {
    let headers: HeaderMap = RESPONSE
        .into_iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
        .collect();
    let head = StoredHead::new(&headers);
    let begun = Instant::now();
    for _ in 0..times {
        black_box(black_box(&head).headers());
    }
    begun.elapsed()
}
