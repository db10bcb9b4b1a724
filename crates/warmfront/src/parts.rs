//! A part of an object, from the origin: for a viewer who asks for a range of what nobody has, and for a hole in
//! what is stored.
//!
//! Ranges grow to whole fragments on their way to the origin, so that what comes can be stored and put together
//! with the rest. What a 206 means for the storage is `fetch::part`'s story.

use std::future::poll_fn;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONTENT_RANGE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderValue, Method, StatusCode};
use warmfront_core::caching::Storable;
use warmfront_core::http::part::{Part, SoleRange, strong_etag};

use crate::cache::{
    Cache, Content, FillHead, Found, Generation, Join, Mend, Outcome, Patch, Permit, StoredMeta,
    Stores, Unmended, pump,
};
use crate::origin::{BoxFuture, OriginResponse};
use crate::origination::{Origination, unconditional};

/// Fragments that one request for a hole asks for at most.
const RUN: u64 = 16;
/// A fill that comes to what is needed within so many fragments is waited for; what is further ahead is asked of
/// the origin by itself.
pub(crate) const NEAR: u64 = 4;
/// Fragments that are fetched for a hole ahead of the viewer who reads it.
const AHEAD: u64 = 1;

/// The range of a viewer, while nobody knows the object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// As the viewer asks.
    pub(crate) own: SoleRange,
    /// With its fragments whole.
    pub(crate) aligned: SoleRange,
}

impl Wanted {
    /// What a request asks for, if it asks for one range and sets no condition that another viewer's answer
    /// would not be right for.
    pub(crate) fn of(request: &http::request::Parts, fragment_size: u64) -> Option<Self> {
        let conditions = [IF_MATCH, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_UNMODIFIED_SINCE];
        if request.method != Method::GET
            || conditions.iter().any(|name| request.headers.contains_key(name))
        {
            return None;
        }
        let own = SoleRange::asked(&request.headers)?;
        Some(Self { own, aligned: own.aligned(fragment_size) })
    }

    /// What tells this part from others of the object: its fragments, and the version that it must be of.
    pub(crate) fn name(&self, request: &http::request::Parts) -> Vec<u8> {
        let mut name = self.aligned.value().as_bytes().to_vec();
        for version in request.headers.get_all(IF_RANGE) {
            name.push(0);
            name.extend_from_slice(version.as_bytes());
        }
        name
    }
}

/// Mends holes in the fragments of one version, as long as the origin has that.
pub(crate) struct Mender {
    pub(crate) origination: Origination,
    pub(crate) key: Vec<u8>,
    pub(crate) meta: StoredMeta,
    pub(crate) generation: Generation,
    pub(crate) length: u64,
    etag: HeaderValue,
}

impl Mender {
    /// `None` where the version has no name that the origin could confirm.
    pub(crate) fn of_version(
        key: &[u8],
        meta: &StoredMeta,
        generation: Generation,
        length: u64,
        origination: impl FnOnce() -> Origination,
    ) -> Option<Arc<dyn Mend>> {
        if meta.status != StatusCode::OK || meta.source().is_error_page() {
            return None;
        }
        let etag = strong_etag(&meta.head.headers())?.clone();
        let (key, meta, origination) = (key.to_vec(), meta.refreshed(), origination());
        Some(Arc::new(Self { origination, key, meta, generation, length, etag }))
    }

    fn cache(&self) -> &Cache {
        &self.origination.shared.cache
    }

    /// The fragments from the one at `range.start` on that the storage lacks, as far as `range` needs them and
    /// one request asks for.
    fn run(&self, range: &Range<u64>) -> Range<u64> {
        let storage = &self.cache().storage;
        let size = storage.fragment_size();
        let from = range.start / size * size;
        let most = range.end.min(self.length).min(from + RUN * size);
        let mut to = from + size;
        while to < most && !storage.holds(self.generation.fragment_at(to, size)) {
            to += size;
        }
        from..to.min(self.length)
    }

    async fn fetch(self: Arc<Self>, permit: Permit, run: Range<u64>) {
        let fill = permit.fill.clone();
        let asked = self.origination.ask_only(self.meta.source(), |asking| {
            let mut headers = unconditional(&asking.headers);
            let range = SoleRange::From { first: run.start, last: Some(run.end - 1) };
            headers.insert(RANGE, range.value());
            headers.insert(IF_RANGE, self.etag.clone());
            headers
        });
        let answered = tokio::select! {
            biased;
            answered = asked => answered,
            () = poll_fn(|cx| fill.poll_deserted(cx)) => return,
        };
        let response = match answered.result {
            Ok(response) => response,
            Err(error) => {
                self.origination.note(&error);
                return fill.publish(Outcome::Failed(Arc::new(error)));
            }
        };
        if response.head.status.is_server_error() {
            // It says nothing of the version, and nobody waits for what is not that.
            return fill.publish(Outcome::Abandoned);
        }
        let delay = answered.delay;
        let Some(part) = self.brought(&response, &run, delay) else {
            self.forget();
            return fill.publish(Outcome::NotShared);
        };
        let size = self.cache().storage.fragment_size();
        fill.keep_pace(AHEAD * size);
        let head = Arc::new(FillHead {
            meta: self.meta.clone(),
            length: Some(self.length),
            part: Some(part.range),
            generation: self.generation,
            for_leader: None,
            selected: None,
            judged: false,
        });
        let _announced = self.cache().under_way.announce(self.generation, &fill);
        fill.publish(Outcome::Streaming(head.clone()));
        let clock = self.origination.shared.clock.clone();
        pump(permit, response.body, head, Stores::Fragments, self.cache(), clock).await;
    }

    /// What a response brings of `run`. Only octets of the very version count, and only if this response,
    /// too, may be shared: one that is for a single viewer might differ under the same ETag.
    fn brought(
        &self,
        response: &OriginResponse,
        run: &Range<u64>,
        delay: Duration,
    ) -> Option<Part> {
        let headers = &response.head.headers;
        let part = fitting(response).or_else(|| self.whole(response))?;
        let asking = self.origination.asking(self.meta.source());
        let request = unconditional(&asking.headers);
        let mut as_whole = headers.clone();
        as_whole.remove(CONTENT_RANGE);
        let storable =
            self.origination.storable(asking, &request, StatusCode::OK, &as_whole, delay);
        if let Storable::No(_) = storable {
            return None;
        }
        let is_same = strong_etag(headers) == Some(&self.etag) && part.length == self.length;
        let is_run = part.range.start == run.start && part.range.end <= run.end;
        (is_same && (is_run || part.range == (0..self.length))).then_some(part)
    }

    /// An origin may send the whole where a part would do; what is needed comes with it.
    fn whole(&self, response: &OriginResponse) -> Option<Part> {
        use http_body::Body as _;

        let promised = response.body.size_hint().exact();
        let is_whole = response.head.status == StatusCode::OK
            && promised.is_none_or(|length| length == self.length);
        is_whole.then_some(Part { range: 0..self.length, length: self.length })
    }

    /// The origin has another version: this one can no longer be completed.
    fn forget(&self) {
        let storage = &self.cache().storage;
        if let Found::Here(stored) = storage.lookup(&self.key)
            && matches!(stored.content, Content::Fragments { generation, .. } if generation == self.generation)
        {
            storage.remove(&self.key, Some(&stored));
        }
    }
}

impl Mend for Mender {
    fn mend(self: Arc<Self>, range: Range<u64>) -> BoxFuture<'static, Result<Patch, Unmended>> {
        Box::pin(async move {
            let near = NEAR * self.cache().storage.fragment_size();
            let under_way = &self.cache().under_way;
            if let Some(ticket) = under_way.join(self.generation, range.start, near) {
                ticket.go_to(range.start);
                return Ok(Patch { ticket, is_new: false });
            }
            let run = self.run(&range);
            let mut name = self.generation.0.to_be_bytes().to_vec();
            name.extend_from_slice(&run.start.to_be_bytes());
            let ticket = match self.cache().parts.join_part(&self.key, &name) {
                // It has had the octets, and neither it nor the storage has them any more.
                Join::Wait(ticket) if ticket.has_lost(range.start) => {
                    let (permit, ticket) = self.cache().parts.alone(&self.key);
                    tokio::spawn(self.clone().fetch(permit, run));
                    ticket
                }
                // Its origin is asked for the same at this moment.
                Join::Wait(ticket) => ticket,
                Join::Lead(permit, ticket) => {
                    tokio::spawn(self.clone().fetch(permit, run));
                    ticket
                }
                // Its filler is just giving up.
                Join::TooLate => {
                    let (permit, ticket) = self.cache().parts.alone(&self.key);
                    tokio::spawn(self.clone().fetch(permit, run));
                    ticket
                }
            };
            ticket.go_to(range.start);
            match ticket.outcome().await {
                Outcome::Streaming(_) => Ok(Patch { ticket, is_new: true }),
                Outcome::Failed(_) | Outcome::Abandoned => Err(Unmended::OriginFails),
                _ => Err(Unmended::OtherVersion),
            }
        })
    }
}

/// What a 206 brings, if it says so clearly: one part, whose place and length fit to each other.
pub(crate) fn fitting(response: &OriginResponse) -> Option<Part> {
    use http_body::Body as _;

    if response.head.status != StatusCode::PARTIAL_CONTENT {
        return None;
    }
    let part = Part::brought(&response.head.headers)?;
    let promised = response.body.size_hint().exact();
    promised.is_none_or(|length| length == part.range.end - part.range.start).then_some(part)
}
