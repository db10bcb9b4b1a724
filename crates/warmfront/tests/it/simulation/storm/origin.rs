//! The origin of a storm. Every response carries its own number, `x-response`, which a cache hands on with what it
//! stores: so whatever a viewer gets tells which response it comes from, and the log here what that one was.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::Frame;
use warmfront::{
    Body, BodyError, Clock as _, OriginError, OriginRequest, OriginResponse, VirtualClock,
};

use super::objects::{Label, Library, etag_of, is_always_shared, length_of};
use crate::simulation::origin::{Dice, turns};
use crate::world::answer;

/// What happened at the origin, in order. A step is a moment in the order of all events of a storm.
#[derive(Debug, Default)]
pub(super) struct Log {
    step: u64,
    pub(super) versions: std::collections::HashMap<String, u64>,
    pub(super) library: Library,
    pub(super) asked: Vec<Asked>,
    pub(super) responses: Vec<Response>,
    /// While it is shut, bodies stop where they are.
    pub(super) gate: Gate,
    /// Two requests for one key waited for their head at once: which.
    pub(super) twice: Option<String>,
    /// In this round something makes requests for one object stand side by side: keys changed with the
    /// configuration, what is on its way was purged, or an error is for nobody but who asked.
    pub(super) is_parted: bool,
}

/// A request that reached the origin.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) began: u64,
    pub(super) at: Duration,
    /// It asks for the whole object, under no condition of a viewer.
    pub(super) is_plain: bool,
    /// Its head has come, or never will.
    pub(super) is_answered: bool,
    /// When it failed: no response, an error, or a body that broke.
    pub(super) failed: Option<(u64, Duration)>,
}

/// A response, as it left the origin.
#[derive(Debug, Clone)]
pub(super) struct Response {
    pub(super) label: Label,
    /// The request it answers.
    pub(super) request: usize,
    /// When its request arrived.
    pub(super) began: u64,
    pub(super) began_at: Duration,
    pub(super) head_at: Duration,
    pub(super) promise: Promise,
    /// The id of the request it is for alone.
    pub(super) only_for: Option<String>,
    /// Octets that were taken of its body.
    pub(super) pulled: usize,
    pub(super) is_stalled: bool,
    /// It is a part of the object; viewers may have other parts from elsewhere.
    pub(super) is_part: bool,
    /// Its body is over, as its receiver has seen.
    pub(super) ended: Option<u64>,
}

/// How long a copy may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) fresh: Duration,
    pub(super) stale_while_revalidate: Duration,
    pub(super) stale_if_error: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) is_shut: bool,
    waiting: Vec<Waker>,
}

/// A failed judgment ends the test, not the tasks that it interrupts.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// The next moment.
    pub(super) fn step(&mut self) -> u64 {
        self.step += 1;
        self.step
    }

    pub(super) fn version_of(&mut self, path: &str) -> u64 {
        *self.versions.entry(path.to_owned()).or_insert(1)
    }

    pub(super) fn open_gate(&mut self) {
        self.gate.is_shut = false;
        for waker in self.gate.waiting.drain(..) {
            waker.wake();
        }
    }

    /// Whether something failed for `path` between two moments, or within `memory` before the first.
    pub(super) fn failed_between(
        &self,
        path: &str,
        steps: std::ops::RangeInclusive<u64>,
        since: Duration,
    ) -> bool {
        self.asked.iter().filter(|asked| asked.path == path).any(|asked| {
            asked.failed.is_some_and(|(step, at)| {
                steps.contains(&step) || at >= since && step < *steps.end()
            })
        })
    }

    fn begin(&mut self, path: &str, is_plain: bool, may_overlap: bool, now: Duration) -> usize {
        let waits = |asked: &Asked| asked.path == path && asked.is_plain && !asked.is_answered;
        let may_overlap = may_overlap || self.is_parted;
        if is_plain && !may_overlap && self.asked.iter().any(waits) {
            self.twice = Some(path.to_owned());
        }
        let began = self.step();
        let path = path.to_owned();
        self.asked.push(Asked { path, began, at: now, is_plain, is_answered: false, failed: None });
        self.asked.len() - 1
    }
}

/// Marks a request as answered when its answer is there, or when nobody waits for it any more.
struct UnderWay<'a>(&'a Mutex<Log>, usize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        locked(self.0).asked[self.1].is_answered = true;
    }
}

/// What the origin knows beside the log.
#[derive(Clone)]
pub(super) struct Origin {
    pub(super) log: Arc<Mutex<Log>>,
    pub(super) dice: Arc<Mutex<Dice>>,
    pub(super) clock: VirtualClock,
    /// Answers depend on Accept-Language.
    pub(super) speaks_languages: bool,
    /// Errors are stored for a while, and so shared.
    pub(super) shares_errors: bool,
    /// Longer objects are not stored, and each viewer fetches them.
    pub(super) largest: usize,
}

impl Origin {
    pub(super) async fn answer(
        self,
        request: OriginRequest,
    ) -> Result<OriginResponse, OriginError> {
        let path = request.head.uri.path().to_owned();
        let fields = &request.head.headers;
        let is_plain = request.head.method == Method::GET
            && field(fields, "range").is_none()
            && field(fields, "x-personal").is_none()
            && field(fields, "if-none-match").is_none();
        let number = {
            let mut log = locked(&self.log);
            let length = length_of(&path, log.version_of(&path));
            // Variants have keys of their own.
            let may_overlap =
                self.speaks_languages || !is_always_shared(&path) || length > self.largest;
            log.begin(&path, is_plain, may_overlap, self.clock.monotonic())
        };
        let under_way = UnderWay(&self.log, number);
        let (rests, fails) = {
            let mut dice = locked(&self.dice);
            (dice.roll(8), dice.roll(12))
        };
        turns(rests).await;
        drop(under_way);
        let mut log = locked(&self.log);
        let failed = (log.step(), self.clock.monotonic());
        match fails {
            0 => {
                log.asked[number].failed = Some(failed);
                Err(OriginError::Closed { origin: "app".into(), source: None })
            }
            1 => {
                log.is_parted |= !self.shares_errors;
                log.asked[number].failed = Some(failed);
                answer(503, &[], Body::full("busy"))
            }
            _ => self.respond(request, number, &mut log),
        }
    }

    fn respond(
        &self,
        request: OriginRequest,
        number: usize,
        log: &mut Log,
    ) -> Result<OriginResponse, OriginError> {
        let mut dice = locked(&self.dice);
        let path = request.head.uri.path().to_owned();
        let fields = &request.head.headers;
        let version = log.version_of(&path);
        let (promise, control) = promise(&mut dice);
        let is_private = path == "/private" && dice.roll(2) == 0;
        let only_for = is_private.then(|| request.request_id.clone());
        let language = if self.speaks_languages { field(fields, "accept-language") } else { None };
        let language = language.unwrap_or_default();
        let made_for = only_for.as_deref().unwrap_or(language).to_owned();
        let label = Label { path: path.clone(), version, made_for };
        let body = log.library.body(&label);
        let mut headers = vec![
            ("cache-control", if is_private { "private".to_owned() } else { control }),
            ("x-response", log.responses.len().to_string()),
            ("x-tag", "t".to_owned() + &path),
        ];
        if self.speaks_languages {
            headers.push(("vary", "accept-language".to_owned()));
        }
        let etag = etag_of(&path, version, language);
        headers.extend(etag.clone().map(|etag| ("etag", etag)));
        log.responses.push(Response {
            label,
            request: number,
            began: log.asked[number].began,
            began_at: log.asked[number].at,
            head_at: self.clock.monotonic(),
            promise,
            only_for,
            pulled: 0,
            is_stalled: false,
            is_part: false,
            ended: None,
        });
        let response = log.responses.len() - 1;
        if etag.is_some() && field(fields, "if-none-match") == etag.as_deref() {
            log.responses[response].ended = Some(log.step);
            // What it confirms was for everybody, whoever the new head is for.
            log.responses[response].label.made_for = language.to_owned();
            return answer(304, &headers, Body::empty());
        }
        if request.head.method == Method::HEAD {
            headers.push(("content-length", body.len().to_string()));
            log.responses[response].ended = Some(log.step);
            return answer(200, &headers, Body::empty());
        }
        let may_be_part =
            field(fields, "if-range").is_none_or(|asked| Some(asked) == etag.as_deref());
        let range = field(fields, "range").and_then(|range| range_of(range, body.len()));
        let part = range.filter(|_| may_be_part && dice.roll(8) > 0);
        log.responses[response].is_part = part.is_some();
        let (status, body) = match part {
            Some((first, last)) => {
                headers.push(("content-range", format!("bytes {first}-{last}/{}", body.len())));
                (206, body.slice(first..=last))
            }
            None => (200, body),
        };
        let length = (dice.roll(3) > 0).then_some(body.len() as u64);
        let breaks_at = (dice.roll(8) == 0).then(|| dice.roll(body.len() as u64 + 1) as usize);
        let stalls_at = (dice.roll(2) == 0).then(|| dice.roll(body.len() as u64 + 1) as usize);
        // In at most some forty pieces.
        let piece = 1 + body.len() / 40 + dice.roll(20_000) as usize;
        let stream = Stream {
            log: self.log.clone(),
            rest: body,
            length,
            breaks_at,
            stalls_at,
            piece,
            response,
            rested: false,
            clock: self.clock.clone(),
        };
        answer(status, &headers, Body::stream(stream))
    }
}

fn promise(dice: &mut Dice) -> (Promise, String) {
    let (age, more) = (5 + dice.roll(40), 1 + dice.roll(20));
    let mut promise = Promise {
        fresh: Duration::from_secs(age),
        stale_while_revalidate: Duration::ZERO,
        // Without a directive that says otherwise, for as long as the cache likes.
        stale_if_error: Duration::MAX,
    };
    let control = match dice.roll(4) {
        0 => {
            promise.stale_while_revalidate = Duration::from_secs(more);
            format!("max-age={age}, stale-while-revalidate={more}")
        }
        1 => {
            promise.stale_if_error = Duration::from_secs(more);
            format!("max-age={age}, stale-if-error={more}")
        }
        2 => {
            promise.stale_if_error = Duration::ZERO;
            format!("max-age={age}, must-revalidate")
        }
        _ => format!("max-age={age}"),
    };
    (promise, control)
}

pub(super) fn field<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `bytes=first-last`, cut to what there is.
pub(super) fn range_of(text: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first: usize = first.parse().ok()?;
    let last = last.parse().unwrap_or(usize::MAX).min(length.checked_sub(1)?);
    (first <= last).then_some((first, last))
}

/// A body that is slow, may stop at a gate, and may break.
struct Stream {
    log: Arc<Mutex<Log>>,
    rest: Bytes,
    length: Option<u64>,
    breaks_at: Option<usize>,
    stalls_at: Option<usize>,
    piece: usize,
    response: usize,
    rested: bool,
    clock: VirtualClock,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut log = locked(&self.log);
        let step = log.step();
        let response = &mut log.responses[self.response];
        response.is_stalled = false;
        response.ended.get_or_insert(step);
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.rested = !self.rested;
        if self.rested {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let shared = self.log.clone();
        let mut log = locked(&shared);
        let response = self.response;
        let pulled = log.responses[response].pulled;
        let stalls = self.stalls_at.is_some_and(|at| at <= pulled) && log.gate.is_shut;
        log.responses[response].is_stalled = stalls;
        if stalls {
            log.gate.waiting.push(cx.waker().clone());
            // Woken by the gate, it does not rest once more.
            self.rested = true;
            return Poll::Pending;
        }
        if self.breaks_at.is_some_and(|at| at <= pulled) {
            let now = self.clock.monotonic();
            let step = log.step();
            let request = log.responses[response].request;
            log.asked[request].failed = Some((step, now));
            log.responses[response].ended = Some(step);
            return Poll::Ready(Some(Err(BodyError::Cut("cut by the origin".into()))));
        }
        if self.rest.is_empty() {
            let step = log.step();
            log.responses[response].ended = Some(step);
            return Poll::Ready(None);
        }
        let stops = [self.breaks_at, self.stalls_at.filter(|_| log.gate.is_shut)];
        let until =
            stops.into_iter().flatten().map(|at| at - pulled.min(at)).filter(|left| *left > 0);
        let size = until.fold(self.piece, usize::min).min(self.rest.len());
        log.responses[response].pulled += size;
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(size)))))
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.length.map_or_else(Default::default, http_body::SizeHint::with_exact)
    }
}
