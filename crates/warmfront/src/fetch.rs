//! From a miss to an answer: what an origin's response means for the cache and for everybody who waits.
//!
//! A [`Fetch`] runs in a task of its own, so that it does not end with the viewer who led. It publishes
//! one [`Outcome`] and fills the storage while the body streams.

mod heads;
mod part;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use http::header::{DATE, RANGE};
use http::{HeaderMap, HeaderName, StatusCode};
use http_body::Body as _;
use tokio::sync::oneshot;
use warmfront_core::caching::validation::{conditional_headers, confirms, update_stored};
use warmfront_core::caching::variants::{language_of, selecting_fields};
use warmfront_core::caching::vary::viewer_vary;
use warmfront_core::caching::{Lifetime, NotStored, Storable};
use warmfront_core::distribution::ErrorPage;
use warmfront_core::http::date;
use warmfront_core::http::storable_head::stored_head;
use warmfront_core::policy::cookies_forbid_sharing;
use warmfront_core::policy::presented::{Presented, is_comparable, is_keyed};

use crate::body::Body;
use crate::cache::{
    CacheKey, Checked, Failure, FillHead, Generation, Outcome, Permit, Rare, Selected, Source,
    StoredHead, StoredMeta, StoredResponse, Stores, TooLarge, pump,
};
use crate::error_pages::Pages;
use crate::origin::{OriginError, OriginResponse};
use crate::origination::{
    Answered, Asking, Origination, asks_for_part, is_personal, unconditional,
};
use crate::parts::Wanted;

/// One fetch for everybody who waits for a key.
pub(crate) struct Fetch {
    pub(crate) origination: Origination,
    /// What is stored and no longer fresh.
    pub(crate) stale: Option<Arc<StoredResponse>>,
    pub(crate) permit: Permit,
    /// Where Vary selects among responses: what the request brings, and its primary key.
    pub(crate) variant: Option<Box<Variant>>,
    /// Takes the response if it turns out to be for the leading viewer alone.
    pub(crate) leader: oneshot::Sender<OriginResponse>,
    /// How an error page is fetched; `None` where the distribution has none.
    pub(crate) pages: Option<Box<Pages>>,
    /// This fetch is for an error page itself: an error of it is not replaced once more.
    pub(crate) within_page: bool,
    /// The conditions of the viewer who led went to the origin, and it has answered.
    pub(crate) judged: bool,
    /// The viewer wants a part, and nothing is stored.
    pub(crate) part: Option<Wanted>,
}

/// Among a response's extensions: it is what the origin answered to the viewer's conditions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged;

/// What tells the response to a request from the others of its URI.
pub(crate) struct Variant {
    pub(crate) primary: CacheKey,
    pub(crate) presented: Presented,
}

/// What came of asking, on its own.
struct Heard {
    source: Source,
    headers: HeaderMap,
    result: Result<OriginResponse, OriginError>,
    delay: Duration,
    /// It was asked whether what is stored is still right.
    revalidates: bool,
}

impl Heard {
    fn status(&self) -> Option<StatusCode> {
        self.result.as_ref().ok().map(|response| response.head.status)
    }
}

impl Fetch {
    /// Asks the origin, publishes what became of it, and fills the storage.
    ///
    /// Ends early, and gives the origin's connection up, when every viewer has gone and the object is
    /// not worth finishing.
    pub(crate) async fn run(mut self) {
        // A HEAD within stale-while-revalidate: what is stored needs the body.
        self.origination.get_the_body();
        let Some(mut answered) = self.ask(|fetch, asking| fetch.conditional(asking)).await else {
            return;
        };
        if answered.revalidates && answered.status() == Some(StatusCode::NOT_MODIFIED) {
            let Heard { source, headers, result, delay, .. } = answered;
            let not_modified = result.map(|response| response.head.headers).unwrap_or_default();
            if self.confirmed(source, &headers, &not_modified, delay).await {
                return;
            }
            match self.ask(|_, asking| unconditional(&asking.headers)).await {
                Some(whole) => answered = whole,
                None => return,
            }
        }
        let Heard { source, headers, result, delay, .. } = answered;
        self.judged = nothing_stored(&self.stale) && is_personal(&headers);
        match result {
            Err(error) => self.failed(source, error).await,
            Ok(response) => {
                let status = response.head.status;
                if status.is_server_error() && self.answer_with_stale(status.as_u16()) {
                    return;
                }
                match self.part.filter(|_| nothing_stored(&self.stale)) {
                    Some(part) => self.keep_part(part, source, &headers, delay, response).await,
                    None => self.keep(source, &headers, delay, response).await,
                }
            }
        }
    }

    /// The same behind the back of a viewer who has a stale answer, unless another fetch has stored a newer
    /// response between the lookup and the permit.
    pub(crate) async fn refresh(self) {
        let storage = &self.origination.shared.cache.storage;
        let stored = storage.lookup(self.permit.key.as_bytes()).read().await;
        let is_as_it_was = match (&stored, &self.stale) {
            (Some(stored), Some(stale)) => {
                stored.meta.stored_at == stale.meta.stored_at
                    && stored.spare_origin_until() == stale.spare_origin_until()
            }
            _ => true,
        };
        if is_as_it_was {
            self.run().await;
        }
    }

    /// Asks the origin, or the origins of a group; `None` when every viewer has gone meanwhile.
    async fn ask(&self, headers: impl Fn(&Self, &Asking) -> HeaderMap) -> Option<Heard> {
        let asked = self.origination.ask(Body::empty(), |asking| headers(self, asking));
        let fill = &self.permit.fill;
        let Answered { by, headers, result, delay } = tokio::select! {
            biased;
            answered = asked => answered,
            () = poll_fn(|cx| fill.poll_deserted(cx)) => return None,
        };
        let revalidates = self.may_revalidate(by) && is_personal(&headers);
        Some(Heard { source: by.source, headers, result, delay, revalidates })
    }

    /// The headers that ask only for what has changed since `stale` was stored, if something is
    /// stored.
    fn conditional(&self, asking: &Asking) -> HeaderMap {
        let Some(stale) = self.stale.as_ref().filter(|_| !nothing_stored(&self.stale)) else {
            let forwards = self.origination.behavior.rules.forwards_conditions
                || asks_for_part(&asking.headers);
            let mut headers = match forwards {
                true => asking.headers.clone(),
                false => unconditional(&asking.headers),
            };
            if let Some(part) = &self.part
                && headers.contains_key(RANGE)
            {
                headers.insert(RANGE, part.aligned.value());
            }
            return headers;
        };
        let mut headers = unconditional(&asking.headers);
        if self.may_revalidate(asking) {
            for (name, value) in conditional_headers(&stale.meta.head.headers()) {
                headers.insert(name, value);
            }
        }
        headers
    }

    /// Whether this origin may say that `stale` is still right. CloudFront asks for everything when
    /// cookies are forwarded (CloudFront guide: caching content based on cookies). Of a group, only the
    /// origin that the validators came from knows what they stand for: elsewhere the same date or ETag
    /// may belong to other bytes.
    fn may_revalidate(&self, asking: &Asking) -> bool {
        let stale = self.stale.as_ref().filter(|_| !nothing_stored(&self.stale));
        !cookies_forbid_sharing(&self.origination.behavior)
            && stale.is_some_and(|stale| stale.meta.source() == asking.source)
    }

    /// 304: the stored body lives on under the newer head (RFC 9111 §4.3.4). `false` when the 304
    /// speaks of another response than the stored one, so that the object must be fetched whole.
    async fn confirmed(
        &mut self,
        source: Source,
        request: &HeaderMap,
        not_modified: &HeaderMap,
        delay: Duration,
    ) -> bool {
        let Some(stale) = self.stale.clone() else { return false };
        let asking = self.origination.asking(source);
        let stored = stale.meta.head.headers();
        if !confirms(&stored, not_modified) {
            return false;
        }
        self.origination.asked.confirmed();
        let is_s3 = asking.is_s3();
        let mut headers = update_stored(&stored, not_modified);
        if self.origination.behavior.rules.corrects_age && !not_modified.contains_key(DATE) {
            // RFC 9110 §6.6.1. By the Date of the stored response, this one would be as old as that.
            headers.insert(DATE, date::header_value(self.origination.shared.clock.wall()));
        }
        let status = stale.meta.status;
        let mut storable = self.origination.storable(asking, request, status, &headers, delay);
        let before = self.permit.key.clone();
        if let Storable::For(_) = storable
            && let Err(reason) = self.settle(&headers).await
        {
            storable = Storable::No(reason);
        }
        let origination = &self.origination;
        let lifetime = match storable {
            Storable::For(lifetime) => lifetime,
            // The newer head forbids storing; it is good for this one answer.
            Storable::No(_) => Lifetime {
                fresh_for: Duration::ZERO,
                stale_while_revalidate: Duration::ZERO,
                stale_if_error: Duration::ZERO,
                ..*stale.meta.lifetime
            },
        };
        // What is stored keeps its tags, whichever header the distribution reads them from by now.
        let tags = self
            .tags(not_modified, origination.asking(source))
            .unwrap_or_else(|| stale.meta.tags().clone());
        viewer_vary(&origination.behavior, &mut headers);
        stored_head(&mut headers, &origination.behavior, is_s3);
        let meta = StoredMeta {
            status,
            head: StoredHead::new(&headers),
            lifetime: lifetime.into(),
            stored_at: origination.shared.clock.monotonic().into(),
            epoch: self.permit.epoch,
            checked: Checked::default(),
            rare: Rare::new(source, tags),
        };
        let refreshed = Arc::new(stale.refreshed(meta));
        let kept = match storable {
            Storable::For(_) => refreshed.clone(),
            // Under its old head, since the fields of the new one are for this viewer alone.
            Storable::No(_) => Arc::new(
                stale.refreshed(StoredMeta { lifetime: lifetime.into(), ..stale.meta.clone() }),
            ),
        };
        let storage = &origination.shared.cache.storage;
        if self.permit.key == before {
            storage.replace(&before, Some(&stale), kept);
            self.permit.fill.publish(Outcome::Stored(refreshed));
        } else {
            // Under its old key it is as stale as before.
            let there = storage.lookup(self.permit.key.as_bytes()).read().await;
            storage.replace(&self.permit.key, there.as_ref(), kept);
            self.permit.fill.publish(Outcome::Moved(refreshed));
        }
        true
    }

    /// The origin gave no response: the stale copy answers, or the error is remembered.
    async fn failed(self, source: Source, error: OriginError) {
        self.origination.note(&error);
        if self.answer_with_stale(error.status()) {
            return;
        }
        let failure = Failure { status: error.status(), detailed_result: error.detailed_result() };
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let nothing = HeaderMap::new();
        let asking = self.origination.asking(source);
        // That the edge itself had no room is over sooner than an error of the origin.
        let is_ours = matches!(error, OriginError::Unavailable { .. });
        if !is_ours
            && let Storable::For(lifetime) =
                self.origination.storable(asking, &nothing, status, &nothing, Duration::ZERO)
        {
            match self.page_for(status) {
                None => self.remember(failure, lifetime, source),
                Some(_) if self.within_page => {}
                Some(page) => {
                    let page = page.clone();
                    return self.answer_with_page(&page, status, lifetime).await;
                }
            }
        }
        self.permit.fill.publish(Outcome::Failed(Arc::new(error)));
    }

    /// Keeps in mind that there is no response; whoever comes within `lifetime` gets a page of the edge.
    fn remember(&self, failure: Failure, lifetime: Lifetime, source: Source) {
        self.store_memory(Arc::new(self.memory(failure, lifetime, source)));
    }

    fn memory(&self, failure: Failure, lifetime: Lifetime, source: Source) -> StoredResponse {
        let now = self.origination.shared.clock.monotonic();
        let mut memory = StoredResponse::failed(source, failure, lifetime, now);
        memory.meta.epoch = self.permit.epoch;
        memory
    }

    fn store_memory(&self, memory: Arc<StoredResponse>) {
        let storage = &self.origination.shared.cache.storage;
        storage.replace(&self.permit.key, self.stale.as_ref(), memory);
    }

    fn page_for(&self, status: StatusCode) -> Option<&ErrorPage> {
        self.pages.as_ref()?.page_for(status)
    }

    /// The custom error page, or what became of fetching it, answers in place of an error and is stored
    /// for as long as the error would have been (CloudFront guide: how CloudFront caches error pages).
    async fn answer_with_page(mut self, page: &ErrorPage, status: StatusCode, lifetime: Lifetime) {
        let Some(pages) = self.pages.take() else { return };
        let fill = self.permit.fill.clone();
        let fetched = tokio::select! {
            biased;
            fetched = pages.fetch(page) => fetched,
            () = poll_fn(|cx| fill.poll_deserted(cx)) => return,
        };
        match fetched {
            Ok(response) => self.store(response, lifetime, Source::ErrorPage(status)).await,
            Err(failure) => {
                let memory = Arc::new(self.memory(failure, lifetime, Source::ErrorPage(status)));
                self.store_memory(memory.clone());
                self.permit.fill.publish(Outcome::Stored(memory));
            }
        }
    }

    /// CloudFront guide: an expired copy is served while the origin fails, and the origin is tried
    /// again every ErrorCachingMinTTL.
    fn answer_with_stale(&self, status: u16) -> bool {
        let Some(stale) = self.stale.as_ref().filter(|stale| self.origination.may_answer(stale))
        else {
            return false;
        };
        let shared = &self.origination.shared;
        let pause = self.origination.error_caching_min_ttl(status);
        let until = shared.clock.monotonic().saturating_add(pause).min(stale.may_answer_until());
        let copy = Arc::new(stale.sparing_origin_until(until));
        shared.cache.storage.replace(&self.permit.key, Some(stale), copy.clone());
        self.origination.asked.confirmed();
        self.permit.fill.publish(Outcome::Stored(copy));
        true
    }

    /// A response that came of another request than a fetch's own, such as a POST.
    pub(crate) async fn keep_answer(
        self,
        source: Source,
        request: HeaderMap,
        delay: Duration,
        response: OriginResponse,
    ) {
        self.keep(source, &request, delay, response).await;
    }

    /// A response to look at: it is stored while it streams, or it goes to the leading viewer alone. An
    /// error that is stored may have a page in its place.
    async fn keep(
        self,
        source: Source,
        request: &HeaderMap,
        delay: Duration,
        mut response: OriginResponse,
    ) {
        let head = &response.head;
        // What a viewer's own condition or range brought about (412, 416, 206, 304) is for that viewer.
        if nothing_stored(&self.stale) && head.status != StatusCode::OK && is_personal(request) {
            return self.hand_to_leader(response);
        }
        let asking = self.origination.asking(source);
        let (status, headers) = (head.status, &head.headers);
        let lifetime = match self.origination.storable(asking, request, status, headers, delay) {
            Storable::For(lifetime) => lifetime,
            Storable::No(reason) => {
                response.head.extensions.insert(reason);
                return self.hand_to_leader(response);
            }
        };
        match self.page_for(head.status) {
            None => self.store(response, lifetime, source).await,
            // Whoever asks for it as an object gets another page in its place.
            Some(_) if self.within_page => self.hand_to_leader(response),
            Some(page) => {
                let (page, status) = (page.clone(), head.status);
                // The error's own body goes nowhere, and its connection is given up.
                drop(response);
                self.answer_with_page(&page, status, lifetime).await;
            }
        }
    }

    /// Notes by which fields a response with these headers was selected, and moves the permit to its key.
    /// Only what is the origin's own response varies: a page in an error's place is for whoever waits.
    async fn settle(&mut self, headers: &HeaderMap) -> Result<Option<Selected>, NotStored> {
        let Some(Variant { primary, presented }) = self.variant.as_deref() else { return Ok(None) };
        let shared = &self.origination.shared;
        let behavior = &self.origination.behavior;
        let mut fields = selecting_fields(headers)
            .filter(|fields| fields.iter().all(|name| is_comparable(behavior, name)))
            .ok_or(NotStored::VaryUnmatchable)?;
        fields.retain(|name| !is_keyed(behavior, name));
        let language = language_of(headers);
        let present = |name: &HeaderName, value: &mut Vec<u8>| presented.present(name, value);
        let (permit, now) = (&mut self.permit, shared.clock.monotonic());
        let settled =
            shared.cache.settle(permit, primary, &fields, language.as_deref(), &present, now);
        Ok(settled.await)
    }

    /// Stores the response while it streams; one that the storage does not take streams all the same.
    async fn store(mut self, mut response: OriginResponse, lifetime: Lifetime, source: Source) {
        // A page was compressed, or not, where it comes from: its own path's behavior says.
        if !source.is_error_page() {
            response = self.origination.compressed(response);
        }
        let selected = match source.is_error_page() {
            true => None,
            false => match self.settle(&response.head.headers).await {
                Ok(selected) => selected,
                Err(reason) => {
                    response.head.extensions.insert(reason);
                    return self.hand_to_leader(response);
                }
            },
        };
        let length = response.body.size_hint().exact();
        let (meta, for_leader) = self.stored_head(&mut response, lifetime, source);
        let shared = self.origination.shared.clone();
        let stores = match length.map_or(Ok(()), |length| shared.cache.storage.admits(length)) {
            Ok(()) => Stores::Object,
            Err(TooLarge) => Stores::Nothing,
        };
        let generation = Generation::random();
        let judged = self.judged;
        let part = None;
        let head = FillHead { meta, length, part, generation, for_leader, selected, judged };
        self.stream(head, response.body, stores).await;
    }

    /// Publishes `head`, and fills with what comes.
    async fn stream(mut self, head: FillHead, body: Body, stores: Stores) {
        let head = Arc::new(head);
        let shared = self.origination.shared.clone();
        let _announced = head
            .part
            .is_some()
            .then(|| shared.cache.under_way.announce(head.generation, &self.permit.fill));
        self.permit.fill.publish(Outcome::Streaming(head.clone()));
        if head.meta.lifetime.fresh_for.is_zero() {
            self.permit.close();
        }
        pump(self.permit, body, head, stores, &shared.cache, shared.clock.clone()).await;
    }

    fn hand_to_leader(self, mut response: OriginResponse) {
        if self.judged {
            response.head.extensions.insert(Judged);
        }
        // If the viewer has gone, the response is dropped and its connection given up.
        let _ = self.leader.send(self.origination.compressed(response));
        self.permit.fill.publish(Outcome::NotShared);
    }
}

/// Whether there is no response to revalidate: nothing at all, the memory of a failure, or a page in an
/// error's place, whose validators belong to another object.
pub(crate) fn nothing_stored(stale: &Option<Arc<StoredResponse>>) -> bool {
    stale
        .as_ref()
        .is_none_or(|stale| stale.failure().is_some() || stale.meta.source().is_error_page())
}
