//! The walk of a request. This is the only file that knows the order:
//!
//! framing, distribution (or the one in staging), behavior, country, admission, signature, then a tunnel,
//! a gRPC call, or cache key, lookup and fetch; at the end the error page, the headers policy, the reply.
//!
//! Each line calls one room and matches on its answer. What happens behind a miss is `fetch`'s story.

mod passing;
mod redirect;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use warmfront_core::admission::{Admission, Refusal, admit};
use warmfront_core::caching::NotStored;
use warmfront_core::caching::freshness::{Freshness, freshness};
use warmfront_core::http::framing::check_request;
use warmfront_core::http::grpc;
use warmfront_core::http::upgrade;
use warmfront_core::policy::cache_key::{is_cacheable_method, write_cache_key};
use warmfront_core::policy::cookies_forbid_sharing;
use warmfront_core::policy::origin_request::Failing;
use warmfront_core::policy::presented::{Presented, present};
use warmfront_core::request_view::RequestView;
use warmfront_core::{Behavior, Distribution};

use crate::asked::Asked;
use crate::body::Body;
use crate::cache::{
    CacheKey, Content, Generation, Join, Outcome, Place, Present, Reading, StoredResponse,
};
use crate::deployment::{Deployed, deployed};
use crate::edge::{Edge, Shared};
use crate::error_pages::{self, Pages};
use crate::exchange::{Exchange, Scope};
use crate::explaining::Kept;
use crate::fetch::{Fetch, Judged, Variant, nothing_stored};
use crate::lookup::{Verdict, verdict};
use crate::origination::{self, Originated, Origination};
use crate::request::{Reply, Viewer, ViewerRequest};
use crate::respond::{self, Answer, result};
use crate::tunnel::Handover;

use redirect::https_location;

#[expect(clippy::manual_async_fn, reason = "a block does not move what it captures once more")]
pub(crate) fn serve(
    edge: &Edge,
    mut request: ViewerRequest,
) -> impl Future<Output = Reply> + Send + '_ {
    async move {
        let mut exchange = Exchange::begin(&edge.shared, &mut request);
        let answer = walk(edge, &mut exchange, &mut request).await;
        exchange.finish(answer)
    }
}

async fn walk(edge: &Edge, exchange: &mut Exchange, request: &mut ViewerRequest) -> Answer {
    let ViewerRequest { head, body, viewer } = request;
    let handover = Handover::take_from(&mut head.extensions);
    let head = &*head;
    let refuse = |refusal: Refusal, exchange: &Exchange| {
        respond::refused(&refusal, &head.method, exchange.id())
    };

    let target = match check_request(head) {
        Ok(target) => target,
        Err(refusal) => return refuse(refusal, exchange),
    };
    let Some(distribution) = exchange.stack.distribution_for(target.host).cloned() else {
        return refuse(Refusal::UnknownHost, exchange);
    };
    let (distribution, headers) = match distribution.continuous_deployment.clone() {
        None => (distribution, None),
        Some(deployment) => {
            let Deployed { distribution, headers } =
                deployed(exchange, distribution, &deployment, &head.headers);
            (distribution, headers)
        }
    };
    exchange.found(&distribution);

    let path = distribution.effective_path(target.path);
    let behavior = distribution.behavior_for(&path);
    let path = behavior.path_seen(path);
    exchange.matched(behavior);
    let place = exchange.place(&distribution, behavior, viewer, &head.headers);
    let exchange = &*exchange;
    let access = &exchange.shared().access;
    let view = RequestView {
        method: &head.method,
        scheme: viewer.scheme,
        version: head.version,
        host: target.host,
        path: &path,
        query: target.query,
        headers: headers.as_deref().unwrap_or(&head.headers),
        place: place.as_deref(),
    };
    let distribution = &distribution;
    let scope = exchange.scope();
    let mut route =
        Route { edge, exchange: scope, distribution, behavior, viewer, head, view, failing: None };
    if !access.admits(distribution, place.as_deref()) {
        return Box::pin(route.refused(Refusal::CountryBlocked)).await;
    }
    let has_body = !body.is_end_stream() && !Box::pin(ends_without_data(&view, body)).await;
    match admit(distribution, behavior, &view, has_body) {
        Admission::Pass => {}
        Admission::RedirectToHttps { status } => {
            return match https_location(&view, target.path, exchange.shared().https_port) {
                Some(location) => respond::redirected_to_https(status, location, &head.method),
                None => refuse(Refusal::BadRequest, exchange),
            };
        }
        Admission::Refuse(refusal) => return refuse(refusal, exchange),
    }
    let own_query;
    if let Some(keys) = distribution.trusted_keys_for(behavior, &path) {
        match access.without_signature(keys, &view, target.path, exchange, viewer) {
            Ok(query) => own_query = query,
            Err(refusal) => return Box::pin(route.refused(refusal)).await,
        }
        route.view.query = own_query.as_deref();
    }

    // A connection that nobody can hand over stays HTTP, and nothing asks the origin for more.
    let tunnel = match handover {
        Some(viewer)
            if target.has_upgrade && distribution.origins[behavior.origin].may_leave_http() =>
        {
            upgrade::asked(&route.view).map(|asked| (asked, viewer))
        }
        _ => None,
    };
    let is_call = behavior.grpc && grpc::is_call(&route.view);
    let mut answer = match tunnel {
        Some((protocol, viewer)) => Box::pin(route.answer_by_tunnel(protocol, viewer)).await,
        None if is_call => Box::pin(route.answer_call(std::mem::take(body))).await,
        None => route.answer(body).await,
    };
    if distribution.error_page(answer.reply.status().as_u16(), route.view.path).is_some() {
        answer = Box::pin(error_pages::replaced(&route, answer)).await;
    }
    if let Some(policy) = &behavior.response_headers_policy {
        respond::apply_policy(policy, exchange, head, &mut answer);
    }
    // A viewer-response function will see what the policy has added.
    answer
}

/// Over HTTP/2 a GET may end with an empty DATA frame after its head: that is no body (CloudFront refuses
/// a GET for the bytes it brings). HTTP/1.1 announces a body in the head, which says it all.
async fn ends_without_data(view: &RequestView<'_>, body: &mut Body) -> bool {
    let may_be_empty = view.version == Version::HTTP_2
        && matches!(*view.method, Method::GET | Method::HEAD)
        && body.size_hint().exact().is_none();
    if !may_be_empty {
        return false;
    }
    while let Some(frame) = body.frame().await {
        if !frame.is_ok_and(|frame| frame.data_ref().is_some_and(Bytes::is_empty)) {
            return false;
        }
    }
    *body = Body::empty();
    true
}

/// A request that was let in, and where it goes.
pub(crate) struct Route<'a> {
    pub(crate) edge: &'a Edge,
    pub(crate) exchange: Scope<'a>,
    pub(crate) distribution: &'a Arc<Distribution>,
    pub(crate) behavior: &'a Arc<Behavior>,
    pub(crate) viewer: &'a Viewer,
    pub(crate) head: &'a http::request::Parts,
    pub(crate) view: RequestView<'a>,
    /// Set when the request fetches an error page: what failed.
    pub(crate) failing: Option<Failing<'a>>,
}

/// What the cache has for a request.
enum Lookup {
    Answer(Answer),
    /// Nothing, or a response that must be confirmed first.
    Origin(Option<Arc<StoredResponse>>),
}

impl Route<'_> {
    /// From the cache, or from an origin.
    pub(crate) async fn answer(&self, body: &mut Body) -> Answer {
        let cacheable = is_cacheable_method(self.behavior, &self.head.method)
            && !self.behavior.cache_policy.ttl.disable_caching()
            && body.is_end_stream();
        // The ways to an origin are boxed, so that a hit does not move the room that they need.
        if !cacheable {
            return Box::pin(self.answer_from_origin(std::mem::take(body))).await;
        }
        let mut place = Place::primary(self.key());
        // A hit in memory needs no second look at the clock.
        match self.lookup(&mut place, self.exchange.started()).await {
            Lookup::Answer(answer) => answer,
            Lookup::Origin(stale) => Box::pin(self.answer_by_fetch(&mut place, stale)).await,
        }
    }

    /// The edge says no, in its own words or with the distribution's error page.
    async fn refused(&self, refusal: Refusal) -> Answer {
        let answer = respond::refused(&refusal, &self.head.method, self.exchange.id());
        error_pages::replaced(self, answer).await
    }

    fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(256);
        write_cache_key(&mut key, self.distribution, self.behavior, &self.view);
        key
    }

    /// A request whose answer is not stored, or `stale`, but may become a stored response.
    async fn answer_by_fetch(
        &self,
        place: &mut Place,
        mut stale: Option<Arc<StoredResponse>>,
    ) -> Answer {
        let cache = &self.exchange.shared().cache;
        let mut now = self.exchange.started();
        loop {
            if self.head.method == Method::HEAD {
                return self.head_from_origin(stale).await;
            }
            // What the viewer asks for itself alone, and what CloudFront never collapses, nobody waits for.
            // Nor does the fetch of a page wait for anybody: that one may be waiting for a page itself.
            let alone = self.failing.is_some()
                || cookies_forbid_sharing(self.behavior)
                || (nothing_stored(&stale) && self.asks_for_itself(place));
            let join = if alone { Join::TooLate } else { cache.fills.join(place.key()) };
            let (ticket, private) = match join {
                Join::Wait(ticket) => match ticket.outcome().await {
                    outcome if outcome.is_over(self.exchange.shared().clock.monotonic()) => {
                        cache.fills.retire(place.key(), &ticket);
                        // Time has passed, and somebody else may have filled it.
                        now = self.exchange.shared().clock.monotonic();
                        stale = match self.lookup(place, now).await {
                            Lookup::Answer(answer) => return answer,
                            Lookup::Origin(stale) => stale,
                        };
                        continue;
                    }
                    // Now it is known what Vary names: each variant has a fill of its own.
                    outcome if !self.is_selected_by(&outcome, place) => {
                        now = self.exchange.shared().clock.monotonic();
                        stale = match self.lookup(place, now).await {
                            Lookup::Answer(answer) => return answer,
                            Lookup::Origin(stale) => stale,
                        };
                        continue;
                    }
                    outcome if outcome.is_for_everyone() => {
                        return self.answer_outcome(outcome, ticket, false);
                    }
                    _ => self.start_fetch(place, cache.fills.alone(place.key()), stale),
                },
                Join::Lead(permit, ticket) => {
                    // Between the lookup and the permit another fill may have finished.
                    match self.lookup(place, now).await {
                        Lookup::Answer(answer) => return answer,
                        // It has told what Vary names. Whoever waits already looks again, too.
                        Lookup::Origin(found) if permit.key.as_bytes() != place.key() => {
                            stale = found;
                            continue;
                        }
                        Lookup::Origin(stale) => self.start_fetch(place, (permit, ticket), stale),
                    }
                }
                Join::TooLate => self.start_fetch(place, cache.fills.alone(place.key()), stale),
            };
            return match ticket.outcome().await {
                // The fetch ended without an answer, which only a defect in it can cause.
                Outcome::Abandoned => self.failed(500, "Error"),
                Outcome::NotShared => match private.await {
                    Ok(mut response) => {
                        if let Some(reason) = response.head.extensions.get::<NotStored>() {
                            self.exchange.kept(|| Kept::No(*reason));
                        }
                        let is_judged = response.head.extensions.remove::<Judged>().is_some();
                        let answer = respond::relayed(self.behavior, response);
                        if is_judged {
                            answer
                        } else {
                            respond::under_conditions(self.head, answer)
                        }
                    }
                    Err(_) => self.failed(500, "Error"),
                },
                outcome => self.answer_outcome(outcome, ticket, true),
            };
        }
    }

    /// Whether the origin's answer to this request may be for this viewer alone: a part, or what becomes of
    /// the viewer's conditions. Conditions can be held against a response that is on its way already.
    fn asks_for_itself(&self, place: &Place) -> bool {
        let headers = &self.head.headers;
        origination::asks_for_part(headers)
            || (self.behavior.rules.forwards_conditions
                && origination::is_personal(headers)
                && !self.exchange.shared().cache.fills.is_filling(place.key()))
    }

    /// What becomes of the request, given what is stored.
    fn judge(&self, place: &Place, stored: Option<Arc<StoredResponse>>, now: Duration) -> Lookup {
        let Some(stored) = stored else { return Lookup::Origin(None) };
        // What has made room for others is fetched anew.
        if let Some(reading) = self.reading(&stored)
            && reading.first_hole(&(0..stored.length)).is_some()
        {
            return Lookup::Origin(None);
        }
        let standing = self.exchange.shared().cache.standing(place.key(), &stored);
        let verdict = verdict(Some((&stored, standing)), now, self.failing.is_some());
        match verdict {
            Verdict::Fresh | Verdict::SparesOrigin => {}
            Verdict::StaleWhileRevalidate | Verdict::PurgedSoftly(_) => {
                self.refresh_behind(place, &stored);
            }
            Verdict::Expired | Verdict::MustRevalidate(_) => return Lookup::Origin(Some(stored)),
            Verdict::NothingStored | Verdict::OtherVariants | Verdict::Purged(_) => {
                return Lookup::Origin(None);
            }
            // The page cannot be had, and what is there in its place is not meant here.
            Verdict::PageHasPage(status) => {
                return Lookup::Answer(self.failed(status.as_u16(), "OriginCommError"));
            }
        }
        let result = match verdict {
            // CloudFront says so of what is served while the origin is in trouble.
            Verdict::SparesOrigin => result::REFRESH_HIT,
            _ => result::HIT,
        };
        self.exchange.kept(|| Kept::For(stored.meta.lifetime));
        let reading = self.reading(&stored);
        let answer =
            respond::from_stored(self.exchange.id(), self.head, &stored, reading, result, now);
        Lookup::Answer(answer)
    }

    /// Looks up what is stored for this request, turns `place` to it, and judges it.
    async fn lookup(&self, place: &mut Place, now: Duration) -> Lookup {
        let Shared { cache, clock, .. } = &**self.exchange.shared();
        let present = |name: &HeaderName, value: &mut Vec<u8>| self.present(name, value);
        let present: Option<Present<'_>> =
            if self.behavior.rules.vary_selects { Some(&present) } else { None };
        let (stored, now) = cache.locate(place, present, now, &**clock).await;
        self.judge(place, stored, now)
    }

    /// Whether the outcome of a fetch for another request may answer this one, as far as Vary tells.
    fn is_selected_by(&self, outcome: &Outcome, place: &Place) -> bool {
        match outcome {
            Outcome::Streaming(head) => head.selected.as_ref().is_none_or(|selected| {
                selected.is_for(place.clone(), &|name, value| self.present(name, value))
            }),
            Outcome::Moved(_) => false,
            _ => true,
        }
    }

    /// Appends the value of a field that Vary names and says whether the origin gets it.
    fn present(&self, name: &HeaderName, value: &mut Vec<u8>) -> bool {
        let origin = &self.distribution.origins[self.behavior.origin];
        present(self.behavior, origin, &self.view, name, value)
    }

    fn answer_outcome(&self, outcome: Outcome, ticket: crate::cache::Ticket, led: bool) -> Answer {
        let now = self.exchange.shared().clock.monotonic();
        match outcome {
            Outcome::Streaming(head) => {
                self.exchange.kept(|| Kept::For(head.meta.lifetime));
                let reading = self.reading_of(head.generation);
                respond::from_fill(self.head, &head, reading, ticket, led, now)
            }
            Outcome::Stored(stored) | Outcome::Moved(stored) => {
                self.exchange.kept(|| Kept::For(stored.meta.lifetime));
                let result = if led { result::REFRESH_HIT } else { result::HIT };
                let reading = self.reading(&stored);
                respond::from_stored(self.exchange.id(), self.head, &stored, reading, result, now)
            }
            Outcome::Failed(error) => self.failed(error.status(), error.detailed_result()),
            Outcome::NotShared | Outcome::Abandoned => self.failed(500, "Error"),
        }
    }

    /// How the body of `stored` is read; `None` where it lies with its head.
    fn reading(&self, stored: &StoredResponse) -> Option<Reading> {
        match stored.content {
            Content::Whole(_) => None,
            Content::Fragments(generation) => Some(self.reading_of(generation)),
        }
    }

    fn reading_of(&self, generation: Generation) -> Reading {
        let storage = self.exchange.shared().cache.storage.clone();
        Reading { storage, generation, mend: None }
    }

    pub(crate) fn failed(&self, status: u16, detailed_result: &'static str) -> Answer {
        respond::failed(status, detailed_result, &self.head.method, self.exchange.id())
    }

    /// A HEAD that the cache cannot answer: forwarded as HEAD, and nothing is stored.
    async fn head_from_origin(&self, stale: Option<Arc<StoredResponse>>) -> Answer {
        let origination = self.origination(self.exchange.asks().clone(), false);
        let sent = origination.pass(Body::empty()).await.result;
        let failing = match &sent {
            Ok(response) => response.head.status.is_server_error(),
            Err(_) => true,
        };
        if let Some(stale) = stale.filter(|stale| failing && origination.may_answer(stale)) {
            let now = self.exchange.shared().clock.monotonic();
            return respond::from_stored(
                self.exchange.id(),
                self.head,
                &stale,
                None,
                result::REFRESH_HIT,
                now,
            );
        }
        match sent {
            Ok(response) => respond::relayed(self.behavior, origination.compressed(response)),
            Err(error) => self.failed(error.status(), error.detailed_result()),
        }
    }

    /// A request that is never answered from the cache.
    async fn answer_from_origin(&self, body: Body) -> Answer {
        let has_body = !body.is_end_stream();
        let origination = self.origination(self.exchange.asks().clone(), has_body);
        match origination.pass(body).await.result {
            Ok(response) => respond::relayed(self.behavior, response),
            Err(error) => self.failed(error.status(), error.detailed_result()),
        }
    }

    /// Fetches in a task of its own, so that the fill does not end with the viewer who led.
    fn start_fetch(
        &self,
        place: &Place,
        (permit, ticket): (crate::cache::Permit, crate::cache::Ticket),
        stale: Option<Arc<StoredResponse>>,
    ) -> (crate::cache::Ticket, tokio::sync::oneshot::Receiver<crate::OriginResponse>) {
        let lead = (permit, ticket);
        let asked = self.exchange.asks().clone();
        let (fetch, ticket, private) = self.fetch_telling(place, lead, stale, asked);
        tokio::spawn(fetch.run());
        (ticket, private)
    }

    /// A fetch that is still to run; what is learned of the origin goes to `asked`.
    fn fetch_telling(
        &self,
        place: &Place,
        (permit, ticket): (crate::cache::Permit, crate::cache::Ticket),
        stale: Option<Arc<StoredResponse>>,
        asked: Arc<Asked>,
    ) -> (Fetch, crate::cache::Ticket, tokio::sync::oneshot::Receiver<crate::OriginResponse>) {
        // The answer is as young as the permit, so it must not confirm what was purged before that.
        let stale = self.exchange.shared().cache.unpurged(permit.key.as_bytes(), stale);
        let (leader, private) = tokio::sync::oneshot::channel();
        let origination = self.origination(asked, false);
        let (pages, within_page) = (Pages::for_everyone(self), self.failing.is_some());
        let variant = self.behavior.rules.vary_selects.then(|| {
            let origin = &self.distribution.origins[self.behavior.origin];
            Box::new(Variant {
                primary: CacheKey::new(place.primary_key()),
                presented: Presented::of(self.behavior, origin, &self.view),
            })
        });
        let fetch = Fetch {
            origination,
            stale,
            permit,
            variant,
            leader,
            pages,
            within_page,
            judged: false,
        };
        (fetch, ticket, private)
    }

    /// stale-while-revalidate (RFC 5861 §3): this viewer has its answer, one request refreshes.
    fn refresh_behind(&self, place: &Place, stale: &Arc<StoredResponse>) {
        let fills = &self.exchange.shared().cache.fills;
        if fills.is_filling(place.key()) {
            return;
        }
        if let Join::Lead(permit, ticket) = fills.join(place.key()) {
            // This viewer's answer did not wait for the origin, so nothing of it is told with it.
            let (lead, stale) = ((permit, ticket), Some(stale.clone()));
            let (fetch, ticket, _) = self.fetch_telling(place, lead, stale, Arc::default());
            tokio::spawn(fetch.refresh());
            // Nobody waits for the answer; the ticket keeps the fill alive until it has ended.
            tokio::spawn(async move { ticket.ended().await });
        }
    }

    fn origination(&self, asked: Arc<Asked>, has_body: bool) -> Origination {
        let originated = Originated {
            connector: &self.edge.connector,
            scope: self.exchange,
            distribution: self.distribution,
            behavior: self.behavior,
            viewer: self.viewer,
            view: &self.view,
            failing: self.failing,
            has_body,
        };
        originated.prepare(asked)
    }
}

impl Outcome {
    /// Whether those who waited may have it too. A response without freshness belongs to the viewer
    /// who led (CloudFront guide: simultaneous requests for the same object).
    fn is_for_everyone(&self) -> bool {
        match self {
            Outcome::Streaming(head) => !head.meta.lifetime.fresh_for.is_zero(),
            Outcome::Stored(stored) => {
                !stored.meta.lifetime.fresh_for.is_zero() || stored.spare_origin_until.is_some()
            }
            Outcome::Failed(_) => true,
            Outcome::NotShared | Outcome::Moved(_) | Outcome::Abandoned => false,
        }
    }
}

impl Outcome {
    /// Whether whoever waited must look again: there is no response, or it has aged while its body came.
    fn is_over(&self, now: Duration) -> bool {
        match self {
            Outcome::Abandoned => true,
            Outcome::Streaming(head) => {
                let lifetime = &head.meta.lifetime;
                let is_fresh = freshness(lifetime, head.meta.resident(now)) == Freshness::Fresh;
                !is_fresh && !lifetime.fresh_for.is_zero()
            }
            _ => false,
        }
    }
}
