//! From a miss to an answer: what an origin's response means for the cache and for everybody who waits.
//!
//! A [`Fetch`] runs in a task of its own, so that it does not end with the viewer who led. It publishes
//! one [`Outcome`] and fills the storage while the body streams.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AGE, CONTENT_LENGTH, DATE};
use http::{HeaderMap, Method, StatusCode};
use http_body::Body as _;
use tokio::sync::oneshot;
use warmfront_core::caching::validation::{conditional_headers, confirms, update_stored};
use warmfront_core::caching::vary::viewer_vary;
use warmfront_core::caching::{Lifetime, Storable};
use warmfront_core::http::date;
use warmfront_core::http::storable_head::stored_head;
use warmfront_core::policy::forwards_cookies;

use crate::body::Body;
use crate::cache::{
    Failure, FillHead, Outcome, Permit, StoredHead, StoredMeta, StoredResponse, pump,
};
use crate::origin::{OriginError, OriginRequest, OriginResponse};
use crate::origination::{Origination, Prepared, is_personal, unconditional};

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
    pub(crate) async fn run(self, request: Prepared) {
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
            if self.confirmed(&sent, &response.head.headers) {
                return;
            }
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

    /// 304: the stored body lives on under the newer head (RFC 9111 §4.3.4). `false` when the 304
    /// speaks of another response than the stored one, so that the object must be fetched whole.
    fn confirmed(&self, request: &HeaderMap, not_modified: &HeaderMap) -> bool {
        let Some(stale) = &self.stale else { return false };
        let stored = stale.meta.head.headers();
        if !confirms(&stored, not_modified) {
            return false;
        }
        self.origination.asked.confirmed();
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
        origination.shared.cache.storage.replace(&self.permit.key, Some(stale), kept);
        self.permit.fill.publish(Outcome::Stored(refreshed));
        true
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
        if !is_ours
            && let Storable::For(lifetime) = self.origination.storable(&nothing, status, &nothing)
        {
            let shared = &self.origination.shared;
            let now = shared.clock.monotonic();
            let memory = StoredResponse::failed(failure, lifetime, now);
            shared.cache.storage.replace(&self.permit.key, self.stale.as_ref(), Arc::new(memory));
        }
        self.permit.fill.publish(Outcome::Failed(Arc::new(error)));
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
        self.origination.asked.confirmed();
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
            Storable::No(reason) => {
                response.head.extensions.insert(reason);
                return self.hand_to_leader(response);
            }
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
}

/// Whether there is no response to revalidate: nothing at all, or the memory of a failure.
pub(crate) fn nothing_stored(stale: &Option<Arc<StoredResponse>>) -> bool {
    stale.as_ref().is_none_or(|stale| stale.failure.is_some())
}
