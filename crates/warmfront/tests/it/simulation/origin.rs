//! The origin of the simulation, and the truth about what it served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use warmfront::{Body, OriginError, OriginRequest, OriginResponse};

use crate::world::{Pieces, answer};

pub(super) const PATHS: usize = 3;
pub(super) const MEMORY: u64 = 1 << 20;
pub(super) const ERROR_CACHING: Duration = Duration::from_secs(10);

/// Small and reproducible (xorshift64*).
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: u64,
    /// Whether the primary origin may be down, because another one is asked then.
    pub(super) has_spare: bool,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self::at(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn at(state: u64) -> Self {
        Self { state, has_spare: false }
    }

    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

/// What the origin did, for judging replies afterwards.
#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) version: HashMap<String, u64>,
    pub(super) served: HashMap<(String, u64), Served>,
    pub(super) under_way: HashMap<String, usize>,
    pub(super) most_at_once: usize,
    pub(super) failed_at: HashMap<String, Duration>,
}

/// When a version was first and last served or confirmed, and until when a copy may answer: without
/// asking the origin, and while the origin fails.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) first: Duration,
    pub(super) last: Duration,
    pub(super) until: Duration,
    pub(super) until_when_failing: Duration,
}

/// Every byte tells the path, the version and, where it is for one viewer, the request it belongs to.
pub(super) fn body_of(path: &str, version: u64, whose: &str, length: usize) -> Vec<u8> {
    let label = format!("{path} v{version}{whose};").into_bytes();
    let mut body = label.repeat(length / label.len() + 1);
    body.truncate(length);
    body
}

pub(super) fn length_of(path: &str, version: u64) -> usize {
    let mut dice =
        Dice::at(version.wrapping_mul(97) + path.len() as u64 + path.as_bytes()[1] as u64);
    match dice.roll(4) {
        0 => 0,
        1 => 1 + dice.roll(100) as usize,
        2 => 1000 + dice.roll(20_000) as usize,
        // Larger than a sixteenth of the memory: passed on, not stored, but for parts of it.
        _ => (MEMORY / 16) as usize + dice.roll(100_000) as usize,
    }
}

pub(super) struct UnderWay(pub(super) Arc<Mutex<Truth>>, String);

impl UnderWay {
    pub(super) fn begin(truth: &Arc<Mutex<Truth>>, path: &str) -> Self {
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
pub(crate) async fn turns(number: u64) {
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

/// What a primary origin says that is down.
pub(super) const OF_THE_PRIMARY: &str = "the primary is down";

/// Whether the request goes to a primary origin that is down, so that the spare one is asked.
pub(super) fn is_down(request: &OriginRequest, dice: &Mutex<Dice>) -> bool {
    let mut dice = dice.lock().unwrap();
    dice.has_spare && request.head.headers["host"] == "app.example.test" && dice.roll(3) == 0
}

pub(super) async fn origin(
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
    let is_same = asked("if-range").is_none_or(|asked| asked == etag);
    if let Some(mut range) = asked("range").and_then(range_of).filter(|range| range.0 < bytes.len())
        && is_same
        && dice.roll(4) > 0
    {
        status = 206;
        range.1 = range.1.min(bytes.len() - 1);
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
pub(super) struct Promise {
    pub(super) is_private: bool,
    pub(super) control: String,
    pub(super) unasked: Duration,
    pub(super) when_failing: Duration,
}

impl Promise {
    pub(super) fn roll(dice: &mut Dice) -> Self {
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

pub(super) fn etag_of(path: &str, version: u64) -> String {
    format!("\"{path}-{version}\"")
}

/// `bytes=first-last`, as `ask` writes it, or `bytes first-last/length`.
pub(super) fn range_of(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes")?[1..].split_once('-')?;
    let last = last.split('/').next()?;
    Some((first.parse().ok()?, last.parse().ok()?))
}
