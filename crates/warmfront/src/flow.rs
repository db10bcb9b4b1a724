//! The walk of a request. This is the only file that knows the order:
//!
//! framing, distribution (or the one in staging), behavior, country, admission, signature, then a tunnel,
//! a gRPC call, or cache key, lookup and fetch; at the end the error page, the headers policy, the reply.
//!
//! Each line calls one room and matches on its answer. What happens behind a miss is `fetch`'s story.

mod changing;
mod head;
mod passing;
mod ranged;
mod redirect;
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::oneshot::Receiver;
use warmfront_core::admission::{Admission, Refusal, admit};
use warmfront_core::caching::NotStored;
use warmfront_core::http::framing::check_request;
use warmfront_core::http::grpc;
use warmfront_core::http::upgrade;
use warmfront_core::policy::cache_key::{is_cacheable_method, write_cache_key};
use warmfront_core::policy::origin_request::Failing;
use warmfront_core::policy::presented::Presented;
use warmfront_core::request_view::RequestView;
use warmfront_core::{Behavior, Distribution};

use crate::asked::Asked;
use crate::body::Body;
use crate::cache::{CacheKey, Join, Outcome, Permit, Place, Present, StoredResponse, Ticket};
use crate::deployment::{Deployed, deployed};
use crate::edge::{Edge, Shared};
use crate::error_pages::{self, Pages};
use crate::exchange::{Exchange, Scope};
use crate::explaining::Kept;
use crate::fetch::{Fetch, Judged, Variant, nothing_stored};
use crate::lookup::{Verdict, nothing_at, verdict};
use crate::origin::OriginResponse;
use crate::origination::{self, Originated, Origination};
use crate::parts::Wanted;
use crate::reasons::{Alone, Came};
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
    /// A response that lacks some of what the request wants, which can be had of its origin by name.
    Mend(Arc<StoredResponse>),
    /// Nothing, or a response that must be confirmed first.
    Origin(Option<Arc<StoredResponse>>),
}

impl Route<'_> {
    /// From the cache, or from an origin.
    pub(crate) async fn answer(&self, body: &mut Body) -> Answer {
        let uncacheable = if !is_cacheable_method(self.behavior, &self.head.method) {
            Some(Alone::Method)
        } else if self.behavior.cache_policy.ttl.disable_caching() {
            Some(Alone::CachingDisabled)
        } else {
            (!body.is_end_stream()).then_some(Alone::HasBody)
        };
        // The ways to an origin are boxed, so that a hit does not move the room that they need.
        if let Some(reason) = uncacheable {
            self.exchange.told.came(Came::Alone(reason));
            return Box::pin(self.answer_from_origin(std::mem::take(body))).await;
        }
        let mut place = Place::primary(self.key());
        // A hit in memory needs no second look at the clock.
        match self.lookup(&mut place, self.exchange.started()).await {
            Lookup::Answer(answer) => answer,
            Lookup::Mend(stored) => Box::pin(self.answer_by_mending(&mut place, stored)).await,
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
        let told = self.exchange.told;
        let mut now = self.exchange.started();
        loop {
            if self.head.method == Method::HEAD {
                return self.head_from_origin(place, stale).await;
            }
            let is_cold = nothing_stored(&stale);
            let part = self.part_wanted(&stale);
            let alone = self.goes_alone(place, is_cold && part.is_none());
            let join = match &part {
                _ if alone.is_some() => Join::TooLate,
                Some(part) => self.join_for_part(place, part),
                // Several ranges can be had of a fill under way, and lead to none.
                None if is_cold && origination::asks_for_part(&self.head.headers) => {
                    cache.fills.join_if_filling(place.key()).map_or(Join::TooLate, Join::Wait)
                }
                None => cache.fills.join(place.key()),
            };
            let (ticket, private) = match join {
                Join::Wait(ticket) => match ticket.outcome().await {
                    outcome if outcome.is_over(self.exchange.shared().clock.monotonic()) => {
                        self.retire(place, part.as_ref(), &ticket);
                        drop(ticket);
                        // Time has passed, and somebody else may have filled it.
                        now = self.exchange.shared().clock.monotonic();
                        stale = match self.lookup(place, now).await {
                            Lookup::Answer(answer) => return answer,
                            Lookup::Mend(stored) => return self.mend_boxed(place, stored).await,
                            Lookup::Origin(stale) => stale,
                        };
                        continue;
                    }
                    // Now it is known what Vary names: each variant has a fill of its own.
                    outcome if !self.is_selected_by(&outcome, place) => {
                        drop(ticket);
                        now = self.exchange.shared().clock.monotonic();
                        stale = match self.lookup(place, now).await {
                            Lookup::Answer(answer) => return answer,
                            Lookup::Mend(stored) => return self.mend_boxed(place, stored).await,
                            Lookup::Origin(stale) => stale,
                        };
                        continue;
                    }
                    outcome if outcome.is_for_everyone() => {
                        match self.answer_joined(outcome, place, ticket).await {
                            Some(answer) => return answer,
                            // What it wants of the response is far from where that has come to.
                            None => {
                                self.start_fetch(place, cache.fills.alone(place.key()), stale, None)
                            }
                        }
                    }
                    _ => {
                        told.came(Came::Alone(Alone::NotShared));
                        self.start_fetch(place, cache.fills.alone(place.key()), stale, part)
                    }
                },
                Join::Lead(permit, ticket) => {
                    // Between the lookup and the permit another fill may have finished.
                    match self.lookup(place, now).await {
                        Lookup::Answer(answer) => return answer,
                        Lookup::Mend(stored) => {
                            // Nobody must wait for it, least of all this request, which may join anew.
                            drop((permit, ticket));
                            return self.mend_boxed(place, stored).await;
                        }
                        // It has told what Vary names. Whoever waits already looks again, too.
                        Lookup::Origin(found) if permit.key.as_bytes() != place.key() => {
                            stale = found;
                            continue;
                        }
                        Lookup::Origin(stale) => {
                            self.start_fetch(place, (permit, ticket), stale, part)
                        }
                    }
                }
                Join::TooLate => {
                    told.came(Came::Alone(alone.unwrap_or(Alone::TooLate)));
                    self.start_fetch(place, cache.fills.alone(place.key()), stale, part)
                }
            };
            return self.answer_led(place, part.as_ref(), ticket, private).await;
        }
    }

    /// What the fetch that this request has led brings: a response for everyone, or one for it alone.
    async fn answer_led(
        &self,
        place: &Place,
        part: Option<&Wanted>,
        ticket: Ticket,
        private: Receiver<OriginResponse>,
    ) -> Answer {
        let told = self.exchange.told;
        match ticket.outcome().await {
            // The fetch ended without an answer, which only a defect in it can cause.
            Outcome::Abandoned => self.failed(500, "Error"),
            Outcome::NotShared => match private.await {
                Ok(mut response) => {
                    if let Some(reason) = response.head.extensions.get::<NotStored>() {
                        self.exchange.kept(|| Kept::No(*reason));
                        told.not_stored(*reason);
                    }
                    told.came(Came::Fetched);
                    let is_judged = response.head.extensions.remove::<Judged>().is_some();
                    let answer = respond::relayed(self.behavior, response);
                    if is_judged { answer } else { respond::under_conditions(self.head, answer) }
                }
                Err(_) => self.failed(500, "Error"),
            },
            outcome => self.answer_outcome_led(outcome, place, part, ticket),
        }
    }

    /// What becomes of the request, given what is stored.
    fn judge(&self, place: &Place, stored: Option<Arc<StoredResponse>>, now: Duration) -> Lookup {
        let told = self.exchange.told;
        told.settled(now.saturating_sub(self.exchange.started()));
        let Some(stored) = stored else {
            told.found(nothing_at(place));
            return Lookup::Origin(None);
        };
        let standing = self.exchange.shared().cache.standing(place.key(), &stored);
        let reading = self.reading(place, &stored, Arc::default());
        let has_hole = reading.as_ref().is_some_and(|it| self.first_hole(&stored, it).is_some());
        let can_mend = reading.as_ref().is_some_and(|reading| reading.mend.is_some());
        let verdict = match verdict(Some((&stored, standing)), now, self.failing.is_some()) {
            // Not even the origin's word makes it whole again.
            _ if has_hole && !can_mend => Verdict::Incomplete,
            verdict => verdict,
        };
        told.found(match verdict {
            Verdict::Fresh if has_hole => Verdict::Incomplete,
            verdict => verdict,
        });
        match verdict {
            Verdict::Fresh | Verdict::SparesOrigin => {}
            Verdict::StaleWhileRevalidate | Verdict::PurgedSoftly(_) => {
                self.refresh_behind(place, &stored);
            }
            Verdict::Expired | Verdict::MustRevalidate(_) => return Lookup::Origin(Some(stored)),
            Verdict::NothingStored
            | Verdict::OtherVariants
            | Verdict::Incomplete
            | Verdict::Purged(_) => return Lookup::Origin(None),
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
        self.exchange.kept(|| Kept::For(*stored.meta.lifetime));
        if has_hole {
            return Lookup::Mend(stored);
        }
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

    pub(crate) fn failed(&self, status: u16, detailed_result: &'static str) -> Answer {
        respond::failed(status, detailed_result, &self.head.method, self.exchange.id())
    }

    /// Fetches in a task of its own, so that the fill does not end with the viewer who led.
    fn start_fetch(
        &self,
        place: &Place,
        (permit, ticket): (Permit, Ticket),
        stale: Option<Arc<StoredResponse>>,
        part: Option<Wanted>,
    ) -> (Ticket, Receiver<OriginResponse>) {
        let lead = (permit, ticket);
        let asked = self.exchange.asks().clone();
        let (mut fetch, ticket, private) = self.fetch_telling(place, lead, stale, asked);
        fetch.part = part;
        tokio::spawn(fetch.run());
        (ticket, private)
    }

    /// A fetch that is still to run; what is learned of the origin goes to `asked`.
    fn fetch_telling(
        &self,
        place: &Place,
        (permit, ticket): (Permit, Ticket),
        stale: Option<Arc<StoredResponse>>,
        asked: Arc<Asked>,
    ) -> (Fetch, Ticket, Receiver<OriginResponse>) {
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
            part: None,
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
