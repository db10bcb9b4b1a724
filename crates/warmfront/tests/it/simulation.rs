//! Seeded simulation of the cache: a crowd of viewers, an origin that changes, fails, breaks off and
//! stalls, a clock that jumps. Viewers ask with GET and HEAD, for parts and under conditions; answers may
//! be shared, kept while they are revalidated, or be for one viewer alone. What must hold (DESIGN, cache
//! invariants):
//!
//! 1. at most one origin request at a time for a key whose answers may be shared;
//! 2. a whole reply is exactly one version the origin once served, never two mixed, never cut;
//! 3. a reply labeled Hit is fresh, or the origin was failing, or a refresh is under way, and its Age is true;
//! 4. every viewer gets an answer;
//! 5. what is for one viewer reaches no other.
//!
//! `WARMFRONT_SEEDS=10000` runs more seeds; a failure prints its seed.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use warmfront::{
    Body, Edge, OriginError, OriginRequest, OriginResponse, ViewerRequest, VirtualClock,
};

use crate::world::{Pieces, Read, ScriptedOrigin, answer, edge, get, read, request};

const PATHS: usize = 3;
const MEMORY: u64 = 1 << 20;
const ERROR_CACHING: Duration = Duration::from_secs(10);

/// Small and reproducible (xorshift64*).
#[derive(Debug, Clone)]
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

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
    served: HashMap<(String, u64), Served>,
    under_way: HashMap<String, usize>,
    most_at_once: usize,
    failed_at: HashMap<String, Duration>,
}

/// When a version was first and last served or confirmed, and until when a copy may answer: without
/// asking the origin, and while the origin fails.
#[derive(Debug)]
struct Served {
    first: Duration,
    last: Duration,
    until: Duration,
    until_when_failing: Duration,
}

/// Every byte tells the path, the version and, where it is for one viewer, the request it belongs to.
fn body_of(path: &str, version: u64, whose: &str, length: usize) -> Vec<u8> {
    let label = format!("{path} v{version}{whose};").into_bytes();
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

impl UnderWay {
    fn begin(truth: &Arc<Mutex<Truth>>, path: &str) -> Self {
        let mut known = truth.lock().unwrap();
        let at_once = known.under_way.entry(path.to_owned()).or_default();
        *at_once += 1;
        known.most_at_once = known.most_at_once.max(known.under_way[path]);
        Self(truth.clone(), path.to_owned())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        *self.0.lock().unwrap().under_way.get_mut(&self.1).unwrap() -= 1;
    }
}

/// Lets the other tasks run, each about once a turn; tokio's own `yield_now` waits until all are idle.
async fn turns(number: u64) {
    let mut left = number;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

async fn origin(
    request: OriginRequest,
    truth: Arc<Mutex<Truth>>,
    dice: Arc<Mutex<Dice>>,
    now: impl Fn() -> Duration,
) -> Result<OriginResponse, OriginError> {
    let path = request.head.uri.path().to_owned();
    let _under_way = UnderWay::begin(&truth, &path);
    let rests = dice.lock().unwrap().roll(6);
    turns(rests).await;
    let mut dice = dice.lock().unwrap();
    let mut truth = truth.lock().unwrap();
    let version = *truth.version.entry(path.clone()).or_insert(1);
    let etag = etag_of(&path, version);
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

    let Promise { is_private, control, unasked, when_failing } = Promise::roll(&mut dice);
    let now = now();
    let known = truth.served.entry((path.clone(), version));
    let served =
        known.or_insert(Served { first: now, last: now, until: now, until_when_failing: now });
    served.last = now;
    served.until = served.until.max(now + unasked);
    served.until_when_failing = served.until_when_failing.max(now + when_failing);
    let mut headers = vec![
        ("etag", etag.clone()),
        ("cache-control", control),
        ("vary", "accept-encoding, accept-language".to_owned()),
        ("x-version", version.to_string()),
    ];
    let asked = |name: &str| request.head.headers.get(name).and_then(|value| value.to_str().ok());
    if asked("if-none-match").is_some_and(|asked| asked == etag) {
        if is_private {
            headers.push(("x-confirmed-for", request.request_id));
        }
        return answer(304, &headers, Body::empty());
    }
    let mut whose = String::new();
    if is_private {
        whose = format!(" for {}", request.request_id);
        headers.push(("x-for", request.request_id.clone()));
    }
    let mut bytes = Bytes::from(body_of(&path, version, &whose, length_of(&path, version)));
    if request.head.method == Method::HEAD {
        headers.push(("content-length", bytes.len().to_string()));
        return answer(200, &headers, Body::empty());
    }
    let mut status = 200;
    if let Some(range) = asked("range").and_then(range_of).filter(|range| range.1 < bytes.len())
        && dice.roll(4) > 0
    {
        status = 206;
        headers.push(("content-range", format!("bytes {}-{}/{}", range.0, range.1, bytes.len())));
        bytes = bytes.slice(range.0..=range.1);
    }
    let breaks = dice.roll(8) == 0;
    let kept = if breaks { dice.roll(bytes.len() as u64 + 1) as usize } else { bytes.len() };
    let length = (breaks || dice.roll(2) == 0).then_some(bytes.len() as u64);
    let mut rest = bytes.slice(..kept);
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let size = 1 + dice.roll(rest.len() as u64) as usize;
        pieces.push(rest.split_to(size));
    }
    answer(status, &headers, Body::stream(Pieces { pieces, length, breaks, rested: false }))
}

/// What the origin says of an answer, and how long a copy may then answer.
struct Promise {
    is_private: bool,
    control: String,
    unasked: Duration,
    when_failing: Duration,
}

impl Promise {
    fn roll(dice: &mut Dice) -> Self {
        let (age, more) = (1 + dice.roll(30), 1 + dice.roll(10));
        let (is_private, control, unasked, when_failing) = match dice.roll(8) {
            0 => (true, "no-store".to_owned(), 0, 0),
            1 => (true, format!("private, max-age={age}"), 0, 0),
            2 | 3 => {
                let control = format!("max-age={age}, stale-while-revalidate={more}");
                (false, control, age + more, age + 3600)
            }
            4 => (false, format!("max-age={age}, stale-if-error={more}"), age, age + more),
            _ => (false, format!("max-age={age}"), age, age + 3600),
        };
        let (unasked, when_failing) =
            (Duration::from_secs(unasked), Duration::from_secs(when_failing));
        Self { is_private, control, unasked, when_failing }
    }
}

fn etag_of(path: &str, version: u64) -> String {
    format!("\"{path}-{version}\"")
}

/// `bytes=first-last`, as `ask` writes it, or `bytes first-last/length`.
fn range_of(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes")?[1..].split_once('-')?;
    let last = last.split('/').next()?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// What a viewer asks.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    method: Method,
    header: Option<(&'static str, String)>,
}

impl Asked {
    fn request(&self) -> ViewerRequest {
        let mut request = request(self.method.clone(), &self.path);
        if let Some((name, value)) = &self.header {
            request.head.headers.insert(*name, value.parse().unwrap());
        }
        request
    }
}

/// When the clock may be turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jumps {
    /// Also while requests are under way.
    Always,
    /// Only while nothing is under way.
    Between,
}

/// One seed's world. Its viewers may live on several threads.
#[derive(Clone)]
struct Simulation {
    seed: u64,
    edge: Edge,
    clock: VirtualClock,
    truth: Arc<Mutex<Truth>>,
    dice: Arc<Mutex<Dice>>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let truth = Arc::new(Mutex::new(Truth::default()));
        let dice = Arc::new(Mutex::new(Dice::new(seed)));
        let clock_cell: Arc<std::sync::OnceLock<VirtualClock>> = Default::default();
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
        Self { seed, edge, clock, truth, dice }
    }

    fn roll(&self, sides: u64) -> u64 {
        self.dice.lock().unwrap().roll(sides)
    }

    fn ask(&self) -> Asked {
        let path = format!("/{}", self.roll(PATHS as u64));
        let current = *self.truth.lock().unwrap().version.get(&path).unwrap_or(&1);
        let first = self.roll(200);
        let (method, header) = match self.roll(10) {
            0 => (Method::HEAD, None),
            1 => {
                (Method::GET, Some(("range", format!("bytes={first}-{}", first + self.roll(200)))))
            }
            2 => {
                let version = current - self.roll(2).min(current - 1);
                (Method::GET, Some(("if-none-match", etag_of(&path, version))))
            }
            _ => (Method::GET, None),
        };
        Asked { path, method, header }
    }

    /// A crowd asks, some leave; whoever stays is judged.
    async fn crowd(&self, clock: Jumps) {
        let mut viewers = Vec::new();
        for _ in 0..self.roll(6) {
            let asked = self.ask();
            let leaves = self.roll(8) == 0;
            let (simulation, request) = (self.clone(), asked.request());
            let comes_after = self.roll(20);
            let viewer = tokio::spawn(async move {
                turns(comes_after).await;
                let began = simulation.now();
                let reply = simulation.edge.call(request).await;
                (began..simulation.now(), read(reply).await)
            });
            viewers.push((asked, leaves, viewer));
        }
        if clock == Jumps::Always {
            let (simulation, after) = (self.clone(), self.roll(40));
            tokio::spawn(async move {
                turns(after).await;
                simulation.clock.advance(Duration::from_secs(simulation.roll(20)));
            });
        }
        self.rest(self.roll(10)).await;
        for (asked, leaves, viewer) in viewers {
            if leaves {
                viewer.abort();
                continue;
            }
            let (seed, path) = (self.seed, &asked.path);
            let (waited, reply) = tokio::time::timeout(Duration::from_secs(20), viewer)
                .await
                .unwrap_or_else(|_| panic!("seed {seed}: a viewer of {path} waits for ever"))
                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            self.judge(&asked, &reply, waited);
        }
    }

    fn now(&self) -> Duration {
        warmfront::Clock::monotonic(&self.clock)
    }

    async fn rest(&self, turns: u64) {
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }

    /// The origin may have news; time goes on.
    fn turn(&self) {
        if self.roll(3) == 0 {
            let path = format!("/{}", self.roll(PATHS as u64));
            *self.truth.lock().unwrap().version.entry(path).or_insert(1) += 1;
        }
        self.clock.advance(Duration::from_secs(self.roll(20)));
        let usage = self.edge.cache_usage();
        assert!(usage.bytes <= usage.limit, "seed {}: {usage:?}", self.seed);
    }

    /// `waited` is from the request to the head of its reply.
    fn judge(&self, asked: &Asked, reply: &Read, waited: Range<Duration>) {
        let context = format!("seed {}, {asked:?}: {reply:?}", self.seed);
        if reply.status.is_server_error() {
            return;
        }
        let field = |name: &str| reply.headers.get(name).map(|value| value.to_str().unwrap());
        let own_id = field("x-amz-cf-id");
        for name in ["x-for", "x-confirmed-for"] {
            assert!(
                field(name).is_none_or(|id| Some(id) == own_id),
                "for another viewer: {context}"
            );
        }
        assert!(field("vary").is_none_or(|vary| vary == "accept-encoding"), "vary: {context}");

        let path = &asked.path;
        if reply.status == StatusCode::RANGE_NOT_SATISFIABLE {
            assert!(asked.header.as_ref().is_some_and(|(name, _)| *name == "range"), "{context}");
            return;
        }
        let version: u64 = field("x-version").unwrap().parse().unwrap();
        let whose = field("x-for").map_or(String::new(), |id| format!(" for {id}"));
        let length = length_of(path, version);
        let mut expected = body_of(path, version, &whose, length);
        if reply.status == StatusCode::NOT_MODIFIED {
            let (name, etag) = asked.header.clone().expect(&context);
            assert_eq!((name, Some(&*etag)), ("if-none-match", field("etag")), "{context}");
            expected.clear();
        } else if reply.status == StatusCode::PARTIAL_CONTENT {
            let (first, last) = range_of(field("content-range").unwrap()).unwrap();
            let (name, range) = asked.header.clone().expect(&context);
            assert_eq!(name, "range", "{context}");
            let wanted = range_of(&range).unwrap();
            assert_eq!((first, last), (wanted.0, wanted.1.min(length - 1)), "{context}");
            expected = expected[first..=last].to_vec();
        } else {
            assert_eq!(reply.status, StatusCode::OK, "{context}");
            let promised =
                field("content-length").map(|promised| promised.parse::<usize>().unwrap());
            assert!(promised.is_none_or(|promised| promised == length), "length: {context}");
            if asked.method == Method::HEAD {
                expected.clear();
            }
        }
        if reply.whole {
            assert!(reply.body == expected, "a whole reply is not version {version}: {context}");
        } else {
            assert!(expected.starts_with(&reply.body), "a cut reply mixes versions: {context}");
        }
        if reply.x_cache() != "Miss" && field("x-confirmed-for").is_none() {
            let age = field("age").expect(&context).parse().unwrap();
            self.judge_age(path, version, age, waited, &context);
        }
    }

    fn judge_age(
        &self,
        path: &str,
        version: u64,
        age: u64,
        waited: Range<Duration>,
        context: &str,
    ) {
        let truth = self.truth.lock().unwrap();
        let served = &truth.served[&(path.to_owned(), version)];
        let now = waited.end;
        let since = |then: Duration| now.saturating_sub(then).as_secs();
        let possible = since(served.last)..=since(served.first);
        assert!(possible.contains(&age), "Age, {served:?}, now {now:?}: {context}");
        // An origin that failed is left alone for ErrorCachingMinTTL, and the old copy answers.
        let failed = truth.failed_at.get(path);
        let failing = failed
            .is_some_and(|at| *at >= waited.start || now.saturating_sub(*at) <= ERROR_CACHING);
        let until =
            if failing { served.until.max(served.until_when_failing) } else { served.until };
        // What came for this very request answers it, however long its last step took.
        let is_news = served.last >= waited.start;
        assert!(now <= until || is_news, "a stale reply, {served:?}, {waited:?}: {context}");
    }
}

#[test]
fn the_cache_keeps_its_promises_whatever_origins_and_viewers_do() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for seed in 0..seeds(60) {
        runtime.block_on(async {
            let simulation = Simulation::new(seed);
            for _ in 0..40 {
                simulation.crowd(Jumps::Always).await;
                // Let fills that nobody waits for come to their end before the world changes.
                simulation.rest(100).await;
                simulation.turn();
            }
        });
    }
}

/// As the program runs: workers with a runtime each share one edge. Now and then one ends in the middle.
#[test]
fn the_cache_keeps_its_promises_across_threads() {
    const WORKERS: usize = 3;
    for seed in 0..seeds(40) {
        let simulation = Simulation::new(seed);
        let barrier = Arc::new(tokio::sync::Barrier::new(WORKERS));
        std::thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (simulation, barrier) = (simulation.clone(), barrier.clone());
                scope.spawn(move || {
                    // A failed assertion must not leave the other workers at the barrier.
                    let work = std::panic::AssertUnwindSafe(|| work(&simulation, &barrier));
                    if let Err(panic) = std::panic::catch_unwind(work) {
                        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                        eprintln!("seed {seed}, worker {worker}: {text}");
                        std::process::abort();
                    }
                });
            }
        });
    }
}

fn work(simulation: &Simulation, everyone: &tokio::sync::Barrier) {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut own = runtime();
    for _ in 0..20 {
        if simulation.roll(8) == 0 {
            own.block_on(async {
                for _ in 0..3 {
                    let (edge, request) = (simulation.edge.clone(), simulation.ask().request());
                    tokio::spawn(async move { read(edge.call(request).await).await });
                }
                simulation.rest(simulation.roll(12)).await;
            });
            // Ends every task where it stands, fills for viewers of other workers among them.
            own = runtime();
        }
        own.block_on(async {
            simulation.crowd(Jumps::Between).await;
            everyone.wait().await;
            simulation.rest(200).await;
            if everyone.wait().await.is_leader() {
                simulation.turn();
            }
            everyone.wait().await;
        });
    }
}

fn seeds(default: u64) -> u64 {
    std::env::var("WARMFRONT_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
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
                        let _under_way = UnderWay::begin(&truth, &path);
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
