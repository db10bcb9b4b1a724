//! From a miss to an answer: the request to the origin, and what its response means for the cache.
//!
//! [`pass`] carries one request for one viewer. [`Fetch`] does the same for everybody who waits for a
//! key: it runs in a task of its own, publishes one [`Outcome`], and fills the storage while it streams.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{
    AGE, CONTENT_LENGTH, DATE, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use http_body::Body as _;
use tokio::sync::oneshot;
use warmfront_core::caching::freshness::may_answer_for_failing_origin;
use warmfront_core::caching::validation::{conditional_headers, confirms, update_stored};
use warmfront_core::caching::vary::viewer_vary;
use warmfront_core::caching::{Lifetime, ResponseFacts, Storable, storable};
use warmfront_core::http::date;
use warmfront_core::http::storable_head::{passed_head, stored_head};
use warmfront_core::origin::{OriginKind, Scheme};
use warmfront_core::policy::forwards_cookies;
use warmfront_core::policy::origin_request::{EdgeFacts, Forwarded, origin_request};
use warmfront_core::request_view::RequestView;
use warmfront_core::{Behavior, Distribution, Origin};

use crate::body::Body;
use crate::cache::{
    Failure, Fill, FillHead, Outcome, Permit, StoredHead, StoredMeta, StoredResponse, Writer,
};
use crate::clock::Clock;
use crate::edge::Shared;
use crate::exchange::Exchange;
use crate::origin::{Connector, OriginError, OriginRequest, OriginResponse};
use crate::request::Viewer;
use crate::request_id::RequestId;

/// Pieces of a body that is being stored are gathered in buffers of this size.
const PIECE: usize = 64 << 10;

/// How long one viewer may read nothing and hold up a response that streams to several without being stored.
const LONGEST_STALL: Duration = Duration::from_secs(30);

/// Everything a request to an origin needs to know of its exchange.
pub(crate) struct Origination {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) distribution: Arc<Distribution>,
    pub(crate) behavior: Arc<Behavior>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) scheme: Scheme,
    pub(crate) id: RequestId,
}

/// A request as the policies shape it, or why it cannot be sent.
pub(crate) type Prepared = Result<OriginRequest, OriginError>;

/// The request that the origin gets: policies decide what of the viewer's goes along.
pub(crate) fn prepare(
    exchange: &Exchange,
    distribution: &Distribution,
    behavior: &Behavior,
    viewer: &Viewer,
    view: &RequestView<'_>,
    body: Body,
) -> Prepared {
    let origin = &distribution.origins[behavior.origin];
    let facts = EdgeFacts {
        viewer: viewer.address,
        request_id: exchange.id().as_str(),
        via: exchange.shared().identity.via_for(view.version),
    };
    let Forwarded { target, headers } =
        origin_request(distribution, behavior, origin, view, &facts);
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.uri = http::Uri::try_from(target).map_err(|_| OriginError::Unavailable {
        origin: origin.id.clone(),
        reason: "the path is no URI".to_owned(),
    })?;
    head.method = view.method.clone();
    head.headers = headers;
    let request_id = exchange.id().as_str().to_owned();
    Ok(OriginRequest { head, body, viewer: viewer.address, request_id })
}

/// Carries `request` for one viewer; nothing is stored.
pub(crate) async fn pass(
    origination: &Origination,
    request: Prepared,
) -> Result<OriginResponse, OriginError> {
    let sent = match request {
        Ok(request) => {
            let is_conditional = is_personal(&request.head.headers);
            let sent =
                origination.connector.send(&origination.origin, origination.scheme, request).await;
            sent.and_then(|response| {
                let status = response.head.status;
                let unasked = origination.unasked_not_modified(is_conditional, status);
                unasked.map_or(Ok(response), Err)
            })
        }
        Err(error) => Err(error),
    };
    match sent {
        Ok(response) => Ok(origination.cleaned(response)),
        Err(error) => {
            origination.note(&error);
            Err(error)
        }
    }
}

impl Origination {
    /// Takes off what no viewer may see of an origin's response.
    fn cleaned(&self, mut response: OriginResponse) -> OriginResponse {
        passed_head(&mut response.head.headers, forwards_cookies(&self.behavior), self.is_s3());
        response
    }

    /// A 304 that nobody asked for names a copy that nobody has (reliability.md §2, class 19).
    fn unasked_not_modified(
        &self,
        request_is_conditional: bool,
        status: StatusCode,
    ) -> Option<OriginError> {
        let unasked = status == StatusCode::NOT_MODIFIED && !request_is_conditional;
        unasked.then(|| OriginError::InvalidResponse {
            origin: self.origin.id.clone(),
            reason: "it answered 304 to a request without a condition".to_owned(),
        })
    }

    fn is_s3(&self) -> bool {
        self.origin.kind == OriginKind::S3
    }

    /// Whether `stale` may stand in for an origin that fails now.
    pub(crate) fn may_answer(&self, stale: &StoredResponse) -> bool {
        let resident = stale.resident(self.shared.clock.monotonic());
        may_answer_for_failing_origin(&stale.meta.lifetime, resident)
    }

    fn note(&self, error: &OriginError) {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.shared.observer.note(self.id.as_str(), &text);
    }

    fn storable(&self, request: &HeaderMap, status: StatusCode, headers: &HeaderMap) -> Storable {
        let policy = &self.behavior.cache_policy;
        let keyed = policy.headers.contains(&http::header::AUTHORIZATION);
        let facts = ResponseFacts {
            status,
            headers,
            ttl: &policy.ttl,
            error_caching_min_ttl: self.distribution.error_caching_min_ttl(status.as_u16()),
            forwards_cookies: forwards_cookies(&self.behavior),
            rules: self.distribution.rules,
            asked_for_range: request.contains_key(http::header::RANGE),
            authorization_unkeyed: !keyed && request.contains_key(http::header::AUTHORIZATION),
            s3: self.is_s3(),
        };
        storable(&facts, self.shared.clock.wall())
    }
}

/// One fetch for everybody who waits for a key.
pub(crate) struct Fetch {
    pub(crate) origination: Origination,
    /// What is stored and no longer fresh.
    pub(crate) stale: Option<Arc<StoredResponse>>,
    pub(crate) permit: Permit,
    /// Takes the response if it turns out to be for the leading viewer alone.
    pub(crate) leader: oneshot::Sender<OriginResponse>,
}

impl Fetch {
    /// Asks the origin, publishes what became of it, and fills the storage.
    ///
    /// Ends early, and gives the origin's connection up, when every viewer has gone and the object is
    /// not worth finishing.
    pub(crate) async fn run(mut self, request: Prepared) {
        let (mut head, viewer) = match request {
            Ok(request) => (request.head, request.viewer),
            Err(error) => return self.failed(error),
        };
        if head.method == Method::HEAD {
            // A HEAD within stale-while-revalidate: what is stored needs the body.
            head.method = Method::GET;
        }
        let asked = std::mem::take(&mut head.headers);
        let (mut sent, revalidating) = self.conditional(&asked);
        let mut response = match self.send(&head, viewer, sent.clone()).await {
            None => return,
            Some(Ok(response)) => response,
            Some(Err(error)) => return self.failed(error),
        };
        if revalidating && response.head.status == StatusCode::NOT_MODIFIED {
            let Err(again) = self.confirmed(&sent, &response.head.headers) else { return };
            self = again;
            sent = unconditional(&asked);
            response = match self.send(&head, viewer, sent.clone()).await {
                None => return,
                Some(Ok(response)) => response,
                Some(Err(error)) => return self.failed(error),
            };
        }
        let status = response.head.status;
        if let Some(error) = self.origination.unasked_not_modified(is_personal(&sent), status) {
            return self.failed(error);
        }
        if status.is_server_error() && self.answer_with_stale(status.as_u16()) {
            return;
        }
        self.keep(&sent, response).await;
    }

    /// One request to the origin; `None` when every viewer has gone meanwhile.
    async fn send(
        &self,
        head: &http::request::Parts,
        viewer: SocketAddr,
        headers: HeaderMap,
    ) -> Option<Result<OriginResponse, OriginError>> {
        let mut head = head.clone();
        head.headers = headers;
        let request_id = self.origination.id.as_str().to_owned();
        let request = OriginRequest { head, body: Body::empty(), viewer, request_id };
        let origination = &self.origination;
        let fill = &self.permit.fill;
        tokio::select! {
            biased;
            sent = origination.connector.send(&origination.origin, origination.scheme, request) => {
                Some(sent.map(|response| origination.cleaned(response)))
            }
            () = poll_fn(|cx| fill.poll_deserted(cx)) => None,
        }
    }

    /// The headers that ask only for what has changed since `stale` was stored, if something is
    /// stored. CloudFront asks for everything when cookies are forwarded (CloudFront guide: caching
    /// content based on cookies).
    fn conditional(&self, asked: &HeaderMap) -> (HeaderMap, bool) {
        let Some(stale) = self.stale.as_ref().filter(|_| !nothing_stored(&self.stale)) else {
            return (asked.clone(), false);
        };
        let mut headers = unconditional(asked);
        let mut any = false;
        if !forwards_cookies(&self.origination.behavior) {
            for (name, value) in conditional_headers(&stale.meta.head.headers()) {
                headers.insert(name, value);
                any = true;
            }
        }
        (headers, any)
    }

    /// 304: the stored body lives on under the newer head (RFC 9111 §4.3.4). `Err` when the 304 speaks
    /// of another response than the stored one.
    fn confirmed(self, request: &HeaderMap, not_modified: &HeaderMap) -> Result<(), Self> {
        let Some(stale) = self.stale.clone() else { return Err(self) };
        let stored = stale.meta.head.headers();
        if !confirms(&stored, not_modified) {
            return Err(self);
        }
        let origination = &self.origination;
        let mut headers = update_stored(&stored, not_modified);
        let status = stale.meta.status;
        let storable = origination.storable(request, status, &headers);
        let lifetime = match storable {
            Storable::For(lifetime) => lifetime,
            // The newer head forbids storing; it is good for this one answer.
            Storable::No(_) => Lifetime {
                fresh_for: Duration::ZERO,
                stale_while_revalidate: Duration::ZERO,
                stale_if_error: Duration::ZERO,
                ..stale.meta.lifetime
            },
        };
        viewer_vary(&origination.behavior, &mut headers);
        stored_head(&mut headers, forwards_cookies(&origination.behavior), origination.is_s3());
        let meta = StoredMeta {
            status,
            head: StoredHead::new(&headers),
            lifetime,
            stored_at: origination.shared.clock.monotonic(),
        };
        let refreshed = Arc::new(stale.refreshed(meta));
        let kept = match storable {
            Storable::For(_) => refreshed.clone(),
            // Under its old head, since the fields of the new one are for this viewer alone.
            Storable::No(_) => {
                Arc::new(stale.refreshed(StoredMeta { lifetime, ..stale.meta.clone() }))
            }
        };
        origination.shared.cache.storage.replace(&self.permit.key, Some(&stale), kept);
        self.publish(Outcome::Stored(refreshed));
        Ok(())
    }

    /// The origin gave no response: the stale copy answers, or the error is remembered.
    fn failed(self, error: OriginError) {
        self.origination.note(&error);
        if self.answer_with_stale(error.status()) {
            return;
        }
        let failure = Failure { status: error.status(), detailed_result: error.detailed_result() };
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let nothing = HeaderMap::new();
        // That the edge itself had no room is over sooner than an error of the origin.
        let is_ours = matches!(error, OriginError::Unavailable { .. });
        if !is_ours && let Storable::For(lifetime) = self.origination.storable(&nothing, status, &nothing) {
            let shared = &self.origination.shared;
            let now = shared.clock.monotonic();
            let memory = StoredResponse::failed(failure, lifetime, now);
            shared.cache.storage.replace(&self.permit.key, self.stale.as_ref(), Arc::new(memory));
        }
        self.publish(Outcome::Failed(Arc::new(error)));
    }

    /// CloudFront guide: an expired copy is served while the origin fails, and the origin is tried
    /// again every ErrorCachingMinTTL.
    fn answer_with_stale(&self, status: u16) -> bool {
        let Some(stale) = self.stale.as_ref().filter(|stale| self.origination.may_answer(stale))
        else {
            return false;
        };
        let shared = &self.origination.shared;
        let pause = self.origination.distribution.error_caching_min_ttl(status);
        let until = shared.clock.monotonic().saturating_add(pause).min(stale.may_answer_until());
        let copy = Arc::new(stale.sparing_origin_until(until));
        shared.cache.storage.replace(&self.permit.key, Some(stale), copy.clone());
        self.permit.fill.publish(Outcome::Stored(copy));
        true
    }

    /// A response to look at: it is stored while it streams, or it goes to the leading viewer alone.
    async fn keep(mut self, request: &HeaderMap, mut response: OriginResponse) {
        let head = &response.head;
        // What a viewer's own condition or range brought about (412, 416, 206, 304) is for that viewer.
        if nothing_stored(&self.stale) && head.status != StatusCode::OK && is_personal(request) {
            return self.hand_to_leader(response);
        }
        let lifetime = match self.origination.storable(request, head.status, &head.headers) {
            Storable::For(lifetime) => lifetime,
            Storable::No(_) => return self.hand_to_leader(response),
        };
        let length = response.body.size_hint().exact();
        let storage = &self.origination.shared.cache.storage;
        let Ok(writer) = storage.begin(&self.permit.key, length) else {
            return self.hand_to_leader(response);
        };
        let shared = &self.origination.shared;
        let headers = &mut response.head.headers;
        viewer_vary(&self.origination.behavior, headers);
        headers.remove(CONTENT_LENGTH);
        headers.entry(DATE).or_insert_with(|| date::header_value(shared.clock.wall()));
        let for_leader = headers.clone();
        let forwards_cookies = forwards_cookies(&self.origination.behavior);
        stored_head(headers, forwards_cookies, self.origination.is_s3());
        let leader_gets_more =
            for_leader.len() > headers.len() + usize::from(for_leader.contains_key(AGE));
        let meta = StoredMeta {
            status: response.head.status,
            head: StoredHead::new(headers),
            lifetime,
            stored_at: shared.clock.monotonic(),
        };
        let shared_answer = !meta.lifetime.fresh_for.is_zero();
        let fill_head = FillHead {
            meta: meta.clone(),
            length,
            for_leader: leader_gets_more.then(|| StoredHead::new(&for_leader)),
        };
        self.permit.fill.publish(Outcome::Streaming(Arc::new(fill_head)));
        if !shared_answer {
            self.permit.close();
        }
        let clock = self.origination.shared.clock.clone();
        pump(self.permit, response.body, length, writer, meta, clock).await;
    }

    fn hand_to_leader(self, response: OriginResponse) {
        // If the viewer has gone, the response is dropped and its connection given up.
        let _ = self.leader.send(response);
        self.permit.fill.publish(Outcome::NotShared);
    }

    fn publish(self, outcome: Outcome) {
        self.permit.fill.publish(outcome);
    }
}

/// Asks for a part, or sets a condition: the answer may be for this one viewer.
const PERSONAL: [HeaderName; 6] =
    [RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE];

/// Whether there is no response to revalidate: nothing at all, or the memory of a failure.
pub(crate) fn nothing_stored(stale: &Option<Arc<StoredResponse>>) -> bool {
    stale.as_ref().is_none_or(|stale| stale.failure.is_some())
}

/// Whether a request asks for a part or sets a condition.
pub(crate) fn is_personal(headers: &HeaderMap) -> bool {
    PERSONAL.iter().any(|name| headers.contains_key(name))
}

fn unconditional(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in &PERSONAL {
        headers.remove(name);
    }
    headers
}

/// Moves the body from the origin to the viewers and into the storage, until it ends or nobody wants it.
async fn pump(
    mut permit: Permit,
    mut body: Body,
    length: Option<u64>,
    writer: Box<dyn Writer>,
    meta: StoredMeta,
    clock: Arc<dyn Clock>,
) {
    let fill = permit.fill.clone();
    let mut writer = Some(writer);
    let mut gather = Gather::new(length);
    let end = loop {
        let frame = tokio::select! {
            biased;
            frame = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)) => frame,
            () = poll_fn(|cx| fill.poll_deserted(cx)) => {
                break Err(Arc::from("every viewer has gone"));
            }
        };
        match frame {
            None if gather.is_short() => break Err(Arc::from("the body is shorter than promised")),
            None => break Ok(()),
            Some(Err(error)) => break Err(Arc::from(error.to_string())),
            Some(Ok(frame)) => {
                // Trailers are not stored: nothing in a cached answer may depend on them.
                let Ok(data) = frame.into_data() else { continue };
                for piece in gather.pieces(data) {
                    if writer.as_mut().is_some_and(|writer| writer.append(piece.clone()).is_err()) {
                        writer = None;
                        permit.close();
                        fill.stop_keeping();
                    }
                    fill.push(piece);
                }
                if !fill.has_room() {
                    room(&fill, &*clock).await;
                }
            }
        }
    };
    if end.is_ok()
        && let Some(writer) = writer
        && !permit.is_retired()
    {
        // First stored, then closed: whoever comes in between finds one or the other.
        writer.commit(meta);
    }
    permit.close();
    fill.end(end);
}

/// Waits until the slowest viewer has caught up, however slow, as long as it reads at all.
async fn room(fill: &Fill, clock: &dyn Clock) {
    loop {
        let before = fill.slowest();
        tokio::select! {
            biased;
            () = fill.room() => return,
            () = clock.sleep(LONGEST_STALL) => {
                if fill.slowest() == before {
                    fill.cut_slowest();
                }
            }
        }
    }
}

/// Copies data out of the connection's read buffer into buffers of its own, without gaps.
struct Gather {
    buffer: BytesMut,
    left: Option<u64>,
}

impl Gather {
    fn new(length: Option<u64>) -> Self {
        Self { buffer: BytesMut::new(), left: length }
    }

    fn is_short(&self) -> bool {
        self.left.is_some_and(|left| left > 0)
    }

    fn pieces(&mut self, mut data: Bytes) -> Vec<Bytes> {
        let mut pieces = Vec::with_capacity(1);
        while !data.is_empty() {
            if self.buffer.capacity() == 0 {
                // Without a known length each buffer is as long as its piece: a small object must not
                // keep a large buffer.
                let left = self.left.map_or(0, |left| left.min(PIECE as u64) as usize);
                self.buffer = BytesMut::with_capacity(left.max(data.len().min(PIECE)));
            }
            let part = data.split_to(data.len().min(self.buffer.capacity()));
            self.buffer.extend_from_slice(&part);
            let piece = self.buffer.split().freeze();
            self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
            pieces.push(piece);
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_piece_of_unknown_length_keeps_no_large_buffer() {
        for (length, data) in [(None, 100), (Some(100), 100), (None, PIECE + 100)] {
            let mut gather = Gather::new(length);
            let pieces = gather.pieces(Bytes::from(vec![b'x'; data]));
            drop(gather);
            assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), data);
            for piece in pieces {
                let used = piece.len();
                let buffer = piece.try_into_mut().expect("nobody else has it");
                assert!(buffer.capacity() < used + 64, "{} bytes for {used}", buffer.capacity());
            }
        }
    }
}
