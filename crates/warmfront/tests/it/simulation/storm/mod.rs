//! A storm: everything at once on a cache that is too small. Viewers ask for wholes and parts, under conditions, and
//! leave; the origin changes its mind, fails, stalls in mid-body and breaks off; the clock jumps; objects are purged; the
//! configuration is loaded anew. Each response of the origin has a number that a reply repeats, so the judges (`judge`) know
//! exactly what a viewer got, and compare it with what that response was.
//!
//! `WARMFRONT_SEEDS` and `WARMFRONT_SEED` work here as in the rest of the simulation.

#[cfg(feature = "disk")]
mod crash;
mod judge;
mod objects;
mod origin;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use warmfront::edge::EdgeOptions;
use warmfront::{AccessRecord, Clock as _, Connector, Edge, Observer, Purge, VirtualClock};
use warmfront_core::caching::{CacheRules, Invalidation};
use warmfront_core::distribution::Stack;
use warmfront_core::policy::HeaderSelection;

use super::origin::{Dice, turns};
use super::seeds;
use crate::world::{ScriptedOrigin, epoch, request, stack};
use objects::{FILLER, PATHS};
use origin::{Log, Origin, locked};

const LANGUAGES: [&str; 2] = ["de", "fr"];
/// Whether the engine keeps several variants of an object.
const VARIANTS: bool = true;
const ROUNDS: u64 = 8;

/// One seed's world.
#[derive(Clone)]
struct Storm {
    seed: u64,
    rules: CacheRules,
    speaks_languages: bool,
    fragment: u64,
    edge: Arc<Mutex<Edge>>,
    origin: Arc<dyn Connector>,
    stack: Arc<Mutex<Arc<Stack>>>,
    /// Where its disk is, if it has one.
    #[cfg(feature = "disk")]
    disk: Option<Arc<crash::Disk>>,
    clock: VirtualClock,
    log: Arc<Mutex<Log>>,
    dice: Arc<Mutex<Dice>>,
    delivered: Arc<Delivered>,
    /// Invalidations, and until when each was done.
    forgotten: Arc<Mutex<Vec<Forgotten>>>,
    /// Replies that are being read, by viewer.
    reading: Arc<Mutex<HashMap<u64, Reading>>>,
}

/// From `called` on, nothing may be answered with what was asked for before; `done` is when whoever asked knows.
#[derive(Debug, Clone)]
struct Forgotten {
    /// The paths it means; all of them if empty.
    paths: Vec<&'static str>,
    called: u64,
    done: u64,
    /// What is older may answer while the origin is asked.
    is_soft: bool,
}

/// How far a viewer is.
#[derive(Debug, Clone)]
struct Reading {
    response: usize,
    octets: usize,
    is_whole: bool,
}

/// What a viewer asks.
#[derive(Debug, Clone)]
struct Question {
    path: String,
    method: Method,
    fields: Vec<(&'static str, String)>,
}

/// What it got, and when.
struct Reply {
    question: Question,
    asked: u64,
    asked_at: Duration,
    head: u64,
    head_at: Duration,
    read: u64,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    whole: bool,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { question, asked, asked_at, head, head_at, read, status, headers, body, whole } =
            self;
        let body = String::from_utf8_lossy(&body[..body.len().min(60)]);
        writeln!(
            f,
            "{question:?}, steps {asked} {head} {read}, from {asked_at:?} to {head_at:?}: {status}"
        )?;
        writeln!(f, "{headers:?}\n{} octets, whole: {whole}: {body:?}", self.body.len())
    }
}

impl Question {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }
}

/// What the observer was told of each request, by its id.
#[derive(Debug, Default)]
struct Delivered(Mutex<HashMap<String, (u64, bool)>>);

impl Observer for Delivered {
    fn request_done(&self, record: &AccessRecord) {
        let told = (record.body_bytes, record.complete);
        locked(&self.0).insert(record.request_id.to_string(), told);
    }
    fn note(&self, _: &str, _: &str) {}
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed.wrapping_add(77));
        let rules = if dice.roll(2) == 0 { CacheRules::CLOUDFRONT } else { CacheRules::RFC9111 };
        let memory = [64 << 10, 512 << 10, 1 << 20, 4 << 20][dice.roll(4) as usize];
        let fragment = [1 << 12, 1 << 14, 1 << 16][dice.roll(3) as usize];
        let speaks_languages = VARIANTS && rules.vary_selects && dice.roll(2) == 0;
        let clock = VirtualClock::starting_at(epoch());
        let origin = Origin {
            log: Arc::default(),
            dice: Arc::new(Mutex::new(dice)),
            clock: clock.clone(),
            speaks_languages,
            shares_errors: rules.has_error_caching_min_ttl,
            largest: memory as usize / 16,
        };
        let (log, dice) = (origin.log.clone(), origin.dice.clone());
        let script =
            ScriptedOrigin(Box::new(move |request| Box::pin(origin.clone().answer(request))));
        let delivered = Arc::new(Delivered::default());
        let stack = configured(rules, 0);
        let mut options = EdgeOptions::new(stack.clone(), Arc::new(script));
        options.clock = Arc::new(clock.clone());
        options.cache.memory = memory;
        options.cache.fragment = fragment;
        options.observer = delivered.clone();
        let (forgotten, reading) = Default::default();
        Self {
            seed,
            rules,
            speaks_languages,
            fragment,
            origin: options.connector.clone(),
            edge: Arc::new(Mutex::new(Edge::new(options))),
            stack: Arc::new(Mutex::new(stack)),
            #[cfg(feature = "disk")]
            disk: None,
            clock,
            log,
            dice,
            delivered,
            forgotten,
            reading,
        }
    }

    fn edge(&self) -> Edge {
        locked(&self.edge).clone()
    }

    fn roll(&self, sides: u64) -> u64 {
        locked(&self.dice).roll(sides)
    }

    fn step(&self) -> u64 {
        locked(&self.log).step()
    }

    fn question(&self) -> Question {
        let path = PATHS[self.roll(PATHS.len() as u64) as usize];
        let mut fields = Vec::new();
        let mut method = Method::GET;
        let language = LANGUAGES[self.roll(LANGUAGES.len() as u64) as usize];
        let made_for = if self.speaks_languages { language } else { "" };
        if self.rules.vary_selects {
            fields.push(("accept-language", language.to_owned()));
        }
        let version = locked(&self.log).version_of(path);
        let length = objects::length_of(path, version) as u64;
        match self.roll(12) {
            0 => method = Method::HEAD,
            1..=3 => {
                let first = self.roll(length.max(1));
                let last = first + self.roll(length.max(1));
                fields.push(("range", format!("bytes={first}-{last}")));
                if self.roll(3) == 0 {
                    let version = version - self.roll(2).min(version - 1);
                    let etag = objects::etag_of(path, version, made_for);
                    fields.extend(etag.map(|etag| ("if-range", etag)));
                }
            }
            4 => {
                let version = version - self.roll(2).min(version - 1);
                let etag = objects::etag_of(path, version, made_for);
                fields.extend(etag.map(|etag| ("if-none-match", etag)));
            }
            _ => {}
        }
        Question { path: path.to_owned(), method, fields }
    }

    /// Asks, reads to the end, and says how far it is all the while.
    async fn view(&self, viewer: u64, question: Question) -> Reply {
        let mut asks = request(question.method.clone(), &question.path);
        for (name, value) in &question.fields {
            asks.head.headers.insert(*name, value.parse().unwrap());
        }
        let (asked, asked_at) = (self.step(), self.clock.monotonic());
        let (head, mut body) = self.edge().call(asks).await.into_parts();
        let (head_step, head_at) = (self.step(), self.clock.monotonic());
        let response =
            origin::field(&head.headers, "x-response").and_then(|number| number.parse().ok());
        let is_whole = head.status == StatusCode::OK && question.method == Method::GET;
        let mut bytes = Vec::new();
        // A viewer who leaves reads no more.
        let _leaves = Leaves(self, viewer);
        let whole = loop {
            if let Some(response) = response {
                let reading = Reading { response, octets: bytes.len(), is_whole };
                locked(&self.reading).insert(viewer, reading);
            }
            match body.frame().await {
                None => break true,
                Some(Err(_)) => break false,
                Some(Ok(frame)) => {
                    bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
            }
        };
        drop(body);
        Reply {
            question,
            asked,
            asked_at,
            head: head_step,
            head_at,
            read: self.step(),
            status: head.status,
            headers: head.headers,
            body: bytes,
            whole,
        }
    }

    /// One of the things that happen to a cache.
    fn event(&self) {
        match self.roll(7) {
            4 | 5 => self.purge(),
            #[cfg(feature = "disk")]
            6 => self.crash(),
            0 => {
                let path = PATHS[self.roll(PATHS.len() as u64) as usize];
                *locked(&self.log).versions.entry(path.to_owned()).or_insert(1) += 1;
            }
            1 => self.load_configuration(),
            2 | 3 => self.clock.advance(Duration::from_secs(self.roll(25))),
            _ => {}
        }
    }

    /// A reload after which nothing that was stored may answer.
    fn load_configuration(&self) {
        let mut forgotten = locked(&self.forgotten);
        let called = self.step();
        locked(&self.log).is_parted = true;
        let stack = configured(self.rules, forgotten.len() as u32 + 1);
        *locked(&self.stack) = stack.clone();
        self.edge().swap(stack);
        forgotten.push(Forgotten { paths: vec![], called, done: self.step(), is_soft: false });
    }

    /// An invalidation of what lies at one path, under one prefix, or has one tag.
    fn purge(&self) {
        let path = PATHS[self.roll(PATHS.len() as u64) as usize];
        let (item, paths) = match self.roll(4) {
            0 => (Invalidation::Tag(format!("t{path}")), vec![path]),
            1 => (Invalidation::Prefix("/dir/".to_owned()), vec!["/dir/a", "/dir/b"]),
            2 if self.roll(3) == 0 => (Invalidation::Prefix("/".to_owned()), vec![]),
            _ => (Invalidation::Path(path.to_owned()), vec![path]),
        };
        let is_soft = self.roll(3) == 0;
        let distribution = "E1234567890ABC".to_owned();
        let purge = Purge { distribution, items: vec![item], soft: is_soft, dry_run: false };
        let called = self.step();
        locked(&self.log).is_parted = true;
        self.edge().purge(&purge).unwrap();
        locked(&self.forgotten).push(Forgotten { paths, called, done: self.step(), is_soft });
    }

    async fn round(&self, round: u64) {
        if self.roll(6) == 0 {
            // While no body stalls: takes the place of whatever is not asked for again.
            for number in 0..24 {
                let size = self.edge().cache_usage().limit / 20;
                let path = format!("{FILLER}{size}/{}", round * 100 + number);
                let question = Question { path, method: Method::GET, fields: vec![] };
                let reply = self.view(round * 100 + 50 + number, question).await;
                self.judge(&reply);
            }
        }
        {
            let shut = self.roll(2) == 0;
            let mut log = locked(&self.log);
            (log.gate.is_shut, log.is_parted) = (shut, false);
        }
        let viewers: Vec<_> = (0..2 + self.roll(5))
            .map(|number| {
                let (storm, question, comes) = (self.clone(), self.question(), self.roll(30));
                let leaves_after = (self.roll(8) == 0).then(|| self.roll(60));
                tokio::spawn(async move {
                    turns(comes).await;
                    let view = storm.view(round * 100 + number, question);
                    match leaves_after {
                        None => Some(view.await),
                        Some(after) => tokio::select! {
                            reply = view => Some(reply),
                            () = turns(after) => None,
                        },
                    }
                })
            })
            .collect();
        for _ in 0..self.roll(3) {
            let (storm, after) = (self.clone(), self.roll(60));
            tokio::spawn(async move {
                turns(after).await;
                storm.event();
            });
        }
        turns(150).await;
        self.judge_what_came();
        locked(&self.log).open_gate();
        for viewer in viewers {
            let reply = tokio::time::timeout(Duration::from_secs(20), viewer)
                .await
                .unwrap_or_else(|_| panic!("seed {}: a viewer waits for ever", self.seed))
                .unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
            if let Some(reply) = reply {
                self.judge(&reply);
            }
        }
        // Let fills that nobody waits for come to their end.
        turns(100).await;
        self.event();
        self.judge_limits();
    }
}

struct Leaves<'a>(&'a Storm, u64);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        locked(&self.0.reading).remove(&self.1);
    }
}

/// One distribution under `rules`; nothing stored under another `epoch` is found.
fn configured(rules: CacheRules, epoch: u32) -> Arc<Stack> {
    let mut stack = Arc::unwrap_or_clone(stack((0, 0, 3600)));
    let distribution = Arc::make_mut(&mut stack.distributions[0]);
    distribution.cache_epoch = epoch;
    distribution.cache_tag_header = Some(http::HeaderName::from_static("x-tag"));
    let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
    behavior.rules = rules;
    if rules.vary_selects {
        behavior.origin_request_policy.headers = HeaderSelection::AllViewer;
    }
    Arc::new(stack)
}

fn storms(shard: u64) {
    const SHARDS: u64 = 4;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for seed in seeds(500).filter(|seed| seed % SHARDS == shard) {
        runtime.block_on(async {
            let storm = Storm::new(seed);
            for round in 0..ROUNDS {
                storm.round(round).await;
            }
        });
    }
}

// In four parts, since tests run beside each other.
#[test]
fn the_cache_keeps_its_promises_in_a_storm_1_of_4() {
    storms(0);
}

#[test]
fn the_cache_keeps_its_promises_in_a_storm_2_of_4() {
    storms(1);
}

#[test]
fn the_cache_keeps_its_promises_in_a_storm_3_of_4() {
    storms(2);
}

#[test]
fn the_cache_keeps_its_promises_in_a_storm_4_of_4() {
    storms(3);
}
