//! The walk of a request. This is the only file that knows the order:
//!
//! framing, distribution (or the one in staging), behavior, country, admission, signature, then a tunnel,
//! a gRPC call, or cache key, lookup and fetch; at the end the error page, the headers policy, the reply.
//!
//! Each line calls one room and matches on its answer. What happens behind a miss is `fetch`'s story.

mod changing;
mod head;
mod leading;
mod look;
mod passing;
mod ranged;
mod redirect;
mod sharing;
mod wishes;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Version};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use warmfront_core::admission::{Admission, Refusal, admit};
use warmfront_core::http::framing::check_request;
use warmfront_core::http::grpc;
use warmfront_core::http::upgrade;
use warmfront_core::policy::cache_key::{is_cacheable_method, write_cache_key};
use warmfront_core::policy::origin_request::Failing;
use warmfront_core::request_view::RequestView;
use warmfront_core::{Behavior, Distribution};

use crate::body::Body;
use crate::cache::{Join, Place, StoredResponse};
use crate::deployment::{Deployed, deployed};
use crate::edge::Edge;
use crate::error_pages;
use crate::exchange::{Exchange, Scope};
use crate::fetch::nothing_stored;
use crate::origination;
use crate::reasons::{Alone, Came};
use crate::request::{Reply, Viewer, ViewerRequest};
use crate::respond::{self, Answer};
use crate::tunnel::Handover;

use look::Lookup;
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
            if self.forbids_asking() {
                return self.only_if_cached();
            }
            self.exchange.told.came(Came::Alone(reason));
            return Box::pin(self.answer_from_origin(std::mem::take(body))).await;
        }
        let mut place = self.place();
        // A hit in memory needs no second look at the clock.
        match self.lookup(&mut place, self.exchange.started()).await {
            Lookup::Answer(answer) => answer,
            _ if self.forbids_asking() => self.only_if_cached(),
            _ if self.forbids_storing() => Box::pin(self.answer_unstored()).await,
            Lookup::Mend(stored) => Box::pin(self.answer_by_mending(&mut place, stored)).await,
            Lookup::Origin(stale) => Box::pin(self.answer_by_fetch(&mut place, stale)).await,
        }
    }

    /// The edge says no, in its own words or with the distribution's error page.
    async fn refused(&self, refusal: Refusal) -> Answer {
        let answer = respond::refused(&refusal, &self.head.method, self.exchange.id());
        error_pages::replaced(self, answer).await
    }

    /// Where its answer would lie by its primary key.
    fn place(&self) -> Place {
        Place::primary(|key| write_cache_key(key, self.distribution, self.behavior, &self.view))
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
            let alone = self.goes_alone(place, is_cold && (part.is_none() || self.insists()));
            let join = match &part {
                _ if alone.is_some() => Join::TooLate,
                Some(part) => self.join_for_part(place, part),
                // Several ranges can be had of a fill under way, and lead to none.
                None if is_cold && origination::asks_for_part(&self.head.headers) => {
                    cache.fills.join_if_filling(place.key()).map_or(Join::TooLate, Join::Wait)
                }
                // The origin was asked for it before this viewer wanted to know.
                None if self.insists() => cache.fills.lead(place.key()),
                None => cache.fills.join(place.key()),
            };
            let (ticket, private) = match join {
                Join::Wait(ticket) => {
                    let outcome = ticket.outcome().await;
                    now = self.exchange.shared().clock.monotonic();
                    let is_over = outcome.is_over(now);
                    if is_over {
                        self.retire(place, part.as_ref(), &ticket);
                    }
                    // Time has passed, and somebody else may have filled it; or now it is known what Vary names,
                    // and each variant has a fill of its own.
                    if is_over || !self.is_selected_by(&outcome, place) {
                        drop(ticket);
                        stale = match self.lookup(place, now).await {
                            Lookup::Answer(answer) => return answer,
                            Lookup::Mend(stored) => return self.mend_boxed(place, stored).await,
                            Lookup::Origin(stale) => stale,
                        };
                        continue;
                    }
                    if outcome.is_for_everyone() {
                        if let Some(answer) = self.answer_joined(outcome, place, ticket).await {
                            return answer;
                        }
                        // What it wants of the response is far from where that has come to.
                        self.start_fetch(place, cache.fills.alone(place.key()), stale, None)
                    } else {
                        told.came(Came::Alone(Alone::NotShared));
                        self.start_fetch(place, cache.fills.alone(place.key()), stale, part)
                    }
                }
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

    pub(crate) fn failed(&self, status: u16, detailed_result: &'static str) -> Answer {
        respond::failed(status, detailed_result, &self.head.method, self.exchange.id())
    }
}
