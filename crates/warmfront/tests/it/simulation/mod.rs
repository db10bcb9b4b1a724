//! Seeded simulation of the cache: a crowd of viewers, an origin that changes, fails, breaks off and
//! stalls, a clock that jumps. Viewers ask with GET and HEAD, for parts and under conditions; answers may
//! be shared, kept while they are revalidated, or be for one viewer alone. What must hold (DESIGN, cache
//! invariants):
//!
//! 1. at most one origin request at a time for a key whose answers may be shared;
//! 2. a whole reply is exactly one version the origin once served, never two mixed, never cut;
//! 3. a reply labeled Hit is fresh, or the origin was failing, or a refresh is under way, and its Age is true;
//! 4. every viewer gets an answer;
//! 5. what is for one viewer reaches no other;
//! 6. a failure of a primary origin reaches nobody while there is a spare one.
//!
//! `WARMFRONT_SEEDS=10000` runs more seeds; a failure prints its seed, and `WARMFRONT_SEED` runs that one.

mod origin;
mod storm;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use warmfront::{AccessRecord, Body, Edge, Observer, ViewerRequest, VirtualClock};

use crate::world::{
    Read, ScriptedOrigin, answer, edge, edge_watched, get, group, read, request, stack,
};
pub(crate) use origin::turns;
use origin::*;

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

/// Remembers when it was settled what answers each request.
#[derive(Debug, Default)]
struct Settlements(Mutex<HashMap<String, SystemTime>>);

impl Observer for Settlements {
    fn request_done(&self, record: &AccessRecord) {
        if let Some(after) = record.cache.settled {
            let id = record.request_id.as_str().to_owned();
            self.0.lock().unwrap().insert(id, record.received + after);
        }
    }

    fn note(&self, _: &str, _: &str) {}
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
    settlements: Arc<Settlements>,
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
                if is_down(&request, &dice) {
                    return Box::pin(async { answer(503, &[], Body::full(OF_THE_PRIMARY)) });
                }
                Box::pin(origin(request, truth, dice, move || {
                    warmfront::Clock::monotonic(clock.get().expect("set before the first request"))
                }))
            }))
        };
        // Half of the worlds have a spare origin, which knows the same objects.
        let stack = if seed.is_multiple_of(2) { stack((0, 0, 3600)) } else { group((0, 0, 3600)) };
        let has_spare = stack.distributions[0].origins.len() > 1;
        dice.lock().unwrap().has_spare = has_spare;
        let settlements = Arc::new(Settlements::default());
        let (edge, clock) = edge_watched(stack, MEMORY, script, settlements.clone());
        clock_cell.set(clock.clone()).expect("set once");
        Self { seed, edge, clock, truth, dice, settlements }
    }

    fn roll(&self, sides: u64) -> u64 {
        self.dice.lock().unwrap().roll(sides)
    }

    fn ask(&self) -> Asked {
        let path = format!("/{}", self.roll(PATHS as u64));
        let current = *self.truth.lock().unwrap().version.get(&path).unwrap_or(&1);
        // Within the first fragment, or anywhere.
        let first = match self.roll(2) {
            0 => self.roll(200),
            _ => self.roll(25_000),
        };
        let (method, header) = match self.roll(10) {
            0 => (Method::HEAD, None),
            1 | 3 => {
                (Method::GET, Some(("range", format!("bytes={first}-{}", first + self.roll(9000)))))
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
            assert_ne!(reply.body, OF_THE_PRIMARY.as_bytes(), "no failover: {context}");
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
            let id = own_id.expect(&context);
            self.judge_age((path, version), id, age, waited, &context);
        }
    }

    fn judge_age(
        &self,
        (path, version): (&str, u64),
        id: &str,
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
        let settled = self.settled(id, context);
        let until =
            if failing { served.until.max(served.until_when_failing) } else { served.until };
        // That the clock jumps between the settlement and the delivery makes an answer no staler. What came
        // for this very request answers it in any case.
        let is_news = served.last >= waited.start;
        assert!(
            settled <= until || is_news,
            "a stale reply, {served:?}, {waited:?}, settled at {settled:?}: {context}"
        );
    }

    /// When it was settled what answers the request `id`.
    fn settled(&self, id: &str, context: &str) -> Duration {
        let moment = self.settlements.0.lock().unwrap().remove(id).expect(context);
        let since = warmfront::Clock::wall(&self.clock).duration_since(moment);
        self.now() - since.unwrap_or_default()
    }
}

#[test]
fn the_cache_keeps_its_promises_whatever_origins_and_viewers_do() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for seed in seeds(60) {
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
    for seed in seeds(40) {
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

/// As many as `WARMFRONT_SEEDS` says, or only the one that `WARMFRONT_SEED` names.
fn seeds(default: u64) -> Range<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    match number("WARMFRONT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WARMFRONT_SEEDS").unwrap_or(default),
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
                        let _under_way = UnderWay::begin(&truth, &path);
                        for _ in 0..5 {
                            tokio::task::yield_now().await;
                        }
                        answer(200, &[("cache-control", "max-age=5".into())], Body::full("hello"))
                    })
                }))
            };
            let (edge, clock) = edge((0, 0, 3600), MEMORY, script);
            let mut dice = Dice::at(seed);
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
