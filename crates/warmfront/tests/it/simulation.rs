//! Seeded simulation of the cache: a crowd of viewers, an origin that changes, fails, breaks off and
//! stalls, a clock that jumps. What must hold (DESIGN, cache invariants):
//!
//! 1. at most one origin request at a time for a key whose answers may be shared;
//! 2. a whole reply is exactly one version the origin once served, never two mixed, never cut;
//! 3. a reply labeled Hit is fresh, or the origin was failing, or a refresh is under way;
//! 4. every viewer gets an answer.
//!
//! `WARMFRONT_SEEDS=10000` runs more seeds; a failure prints its seed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use warmfront::{Body, OriginError, OriginRequest, OriginResponse};

use crate::world::{Pieces, Read, ScriptedOrigin, answer, edge, get, read};

const PATHS: usize = 3;
const MEMORY: u64 = 1 << 20;

/// Small and reproducible (xorshift64*).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

/// What the origin did, for judging replies afterwards.
#[derive(Debug, Default)]
struct Truth {
    version: HashMap<String, u64>,
    /// When a version was last served or confirmed, and for how long that makes it fresh.
    confirmed: HashMap<(String, u64), (Duration, Duration)>,
    under_way: HashMap<String, usize>,
    most_at_once: usize,
    failed_at: HashMap<String, Duration>,
}

/// Every byte tells the path and version it belongs to.
fn body_of(path: &str, version: u64, length: usize) -> Vec<u8> {
    let label = format!("{path} v{version};").into_bytes();
    let mut body = label.repeat(length / label.len() + 1);
    body.truncate(length);
    body
}

fn length_of(path: &str, version: u64) -> usize {
    let mut dice = Dice(version.wrapping_mul(97) + path.len() as u64 + path.as_bytes()[1] as u64);
    match dice.roll(4) {
        0 => 0,
        1 => 1 + dice.roll(100) as usize,
        2 => 1000 + dice.roll(20_000) as usize,
        // Larger than a sixteenth of the memory: passed on, not stored.
        _ => (MEMORY / 16) as usize + dice.roll(100_000) as usize,
    }
}

struct UnderWay(Arc<Mutex<Truth>>, String);

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.lock().unwrap().under_way.get_mut(&self.1).unwrap() -= 1;
    }
}

async fn origin(
    request: OriginRequest,
    truth: Arc<Mutex<Truth>>,
    dice: Arc<Mutex<Dice>>,
    now: impl Fn() -> Duration,
) -> Result<OriginResponse, OriginError> {
    let path = request.head.uri.path().to_owned();
    {
        let mut truth = truth.lock().unwrap();
        let now_at_once = truth.under_way.entry(path.clone()).or_default();
        *now_at_once += 1;
        let now_at_once = *now_at_once;
        truth.most_at_once = truth.most_at_once.max(now_at_once);
    }
    let _under_way = UnderWay(truth.clone(), path.clone());
    let rests = dice.lock().unwrap().roll(6);
    for _ in 0..rests {
        tokio::task::yield_now().await;
    }
    let mut dice = dice.lock().unwrap();
    let mut truth = truth.lock().unwrap();
    let version = *truth.version.entry(path.clone()).or_insert(1);
    let etag = format!("\"{path}-{version}\"");
    let max_age = Duration::from_secs(1 + dice.roll(30));
    let fails = dice.roll(10);
    if fails < 2 {
        truth.failed_at.insert(path.clone(), now());
    }
    if fails == 0 {
        return Err(OriginError::Closed { origin: "app".into(), source: None });
    }
    if fails == 1 {
        return answer(503, &[], Body::full("busy"));
    }
    truth.confirmed.insert((path.clone(), version), (now(), max_age));
    let headers = [
        ("etag", etag.clone()),
        ("cache-control", format!("max-age={}", max_age.as_secs())),
        ("x-version", version.to_string()),
    ];
    let asked = request.head.headers.get("if-none-match");
    if asked.is_some_and(|asked| asked.as_bytes() == etag.as_bytes()) {
        return answer(304, &headers, Body::empty());
    }
    let bytes = body_of(&path, version, length_of(&path, version));
    let breaks = dice.roll(8) == 0;
    let kept = if breaks { dice.roll(bytes.len() as u64 + 1) as usize } else { bytes.len() };
    let length = (breaks || dice.roll(2) == 0).then_some(bytes.len() as u64);
    let mut rest = Bytes::from(bytes).slice(..kept);
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let size = 1 + dice.roll(rest.len() as u64) as usize;
        pieces.push(rest.split_to(size));
    }
    answer(200, &headers, Body::stream(Pieces { pieces, length, breaks, rested: false }))
}

fn judge(seed: u64, path: &str, reply: &Read, truth: &Truth, now: Duration) {
    let context = format!("seed {seed}, {path}: {} {}", reply.status, reply.x_cache());
    if reply.status.is_server_error() {
        return;
    }
    let version: u64 = reply.headers["x-version"].to_str().unwrap().parse().unwrap();
    let expected = body_of(path, version, length_of(path, version));
    if reply.whole {
        assert!(reply.body == expected, "{context}: a whole reply is not version {version}");
    } else {
        assert!(expected.starts_with(&reply.body), "{context}: a cut reply mixes versions");
    }
    if reply.x_cache() == "Hit" {
        let (at, fresh_for) = truth.confirmed[&(path.to_owned(), version)];
        // An origin that failed is left alone for ErrorCachingMinTTL, and the old copy answers.
        let failing =
            truth.failed_at.get(path).is_some_and(|at| now - *at <= Duration::from_secs(10));
        assert!(
            failing || now - at <= fresh_for,
            "{context}: a stale reply says Hit; confirmed at {at:?} for {fresh_for:?}, now {now:?}, \
             {:?}",
            reply.headers
        );
    }
}

async fn simulate(seed: u64) {
    let truth = Arc::new(Mutex::new(Truth::default()));
    let dice = Arc::new(Mutex::new(Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)));
    let clock_cell: Arc<std::sync::OnceLock<warmfront::VirtualClock>> = Default::default();
    let script = {
        let (truth, dice, clock) = (truth.clone(), dice.clone(), clock_cell.clone());
        ScriptedOrigin(Box::new(move |request| {
            let (truth, dice, clock) = (truth.clone(), dice.clone(), clock.clone());
            Box::pin(origin(request, truth, dice, move || {
                warmfront::Clock::monotonic(clock.get().expect("set before the first request"))
            }))
        }))
    };
    let (edge, clock) = edge((0, 0, 3600), MEMORY, script);
    clock_cell.set(clock.clone()).expect("set once");

    let now = || warmfront::Clock::monotonic(&clock);
    for _ in 0..40 {
        let crowd = dice.lock().unwrap().roll(6);
        let mut viewers = Vec::new();
        for _ in 0..crowd {
            let path = format!("/{}", dice.lock().unwrap().roll(PATHS as u64));
            let leaves = dice.lock().unwrap().roll(8) == 0;
            let edge = edge.clone();
            let request = get(&path);
            let viewer = tokio::spawn(async move { read(edge.call(request).await).await });
            viewers.push((path, leaves, viewer));
        }
        let rests = dice.lock().unwrap().roll(10);
        for _ in 0..rests {
            tokio::task::yield_now().await;
        }
        for (path, leaves, viewer) in viewers {
            if leaves {
                viewer.abort();
                continue;
            }
            let reply = tokio::time::timeout(Duration::from_secs(20), viewer)
                .await
                .unwrap_or_else(|_| panic!("seed {seed}: a viewer of {path} waits for ever"))
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            judge(seed, &path, &reply, &truth.lock().unwrap(), now());
        }
        // Let fills that nobody waits for come to their end before the world changes.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        let mut dice = dice.lock().unwrap();
        if dice.roll(3) == 0 {
            let path = format!("/{}", dice.roll(PATHS as u64));
            *truth.lock().unwrap().version.entry(path).or_insert(1) += 1;
        }
        clock.advance(Duration::from_secs(dice.roll(20)));
    }
    let usage = edge.cache_usage();
    assert!(usage.bytes <= usage.limit, "seed {seed}: {usage:?}");
}

#[test]
fn the_cache_keeps_its_promises_whatever_origins_and_viewers_do() {
    let seeds = std::env::var("WARMFRONT_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(150);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for seed in 0..seeds {
        runtime.block_on(simulate(seed));
    }
}

/// Invariant 1, where every answer may be shared: however the viewers come and go, one fetch at a time.
#[test]
fn a_crowd_on_one_key_is_one_origin_request_at_a_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for seed in 1..200u64 {
        runtime.block_on(async {
            let truth = Arc::new(Mutex::new(Truth::default()));
            let script = {
                let truth = truth.clone();
                ScriptedOrigin(Box::new(move |request| {
                    let truth = truth.clone();
                    Box::pin(async move {
                        let path = request.head.uri.path().to_owned();
                        {
                            let mut truth = truth.lock().unwrap();
                            let at_once = truth.under_way.entry(path.clone()).or_default();
                            *at_once += 1;
                            let at_once = *at_once;
                            truth.most_at_once = truth.most_at_once.max(at_once);
                        }
                        let _under_way = UnderWay(truth, path);
                        for _ in 0..5 {
                            tokio::task::yield_now().await;
                        }
                        answer(200, &[("cache-control", "max-age=5".into())], Body::full("hello"))
                    })
                }))
            };
            let (edge, clock) = edge((0, 0, 3600), MEMORY, script);
            let mut dice = Dice(seed);
            for _ in 0..20 {
                let viewers: Vec<_> = (0..dice.roll(30))
                    .map(|_| {
                        let edge = edge.clone();
                        let leaves = dice.roll(3) == 0;
                        (
                            leaves,
                            tokio::spawn(async move { read(edge.call(get("/a")).await).await }),
                        )
                    })
                    .collect();
                for _ in 0..dice.roll(4) {
                    tokio::task::yield_now().await;
                }
                for (leaves, viewer) in viewers {
                    if leaves {
                        viewer.abort();
                    } else {
                        assert_eq!(viewer.await.unwrap().body, b"hello");
                    }
                }
                clock.advance(Duration::from_secs(dice.roll(8)));
            }
            assert!(truth.lock().unwrap().most_at_once <= 1, "seed {seed}");
        });
    }
}
