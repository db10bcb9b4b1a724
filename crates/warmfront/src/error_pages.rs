//! Custom error responses: the page that a viewer gets in place of an error (CloudFront guide: generating
//! custom error responses).
//!
//! Which error has a page is the distribution's knowledge. A page is an object like any other: its path
//! is matched against the behaviors, and it comes from the cache or from its own origin. Fetching one
//! never waits for the fetch of another object, and an error of a page has no page, so there is no circle.

use std::sync::{Arc, OnceLock};

use http::header::{ACCEPT_ENCODING, AGE, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};
use warmfront_core::access::place::Place;
use warmfront_core::distribution::ErrorPage;
use warmfront_core::http::{cookie, encoding, grpc};
use warmfront_core::policy::origin_request::Failing;
use warmfront_core::request_view::RequestView;
use warmfront_core::{Behavior, Distribution};

use crate::body::Body;
use crate::cache::Failure;
use crate::edge::Edge;
use crate::exchange::Scope;
use crate::flow::Route;
use crate::origin::{BoxFuture, OriginResponse};
use crate::origination::unconditional;
use crate::reasons::Told;
use crate::request::Viewer;
use crate::request_id::RequestId;
use crate::respond::{self, Answer, ErrorPageMark, Made};

/// How the pages for one request are fetched. It owns what it needs: the viewer may have gone.
pub(crate) struct Pages {
    edge: Edge,
    distribution: Arc<Distribution>,
    viewer: Viewer,
    id: RequestId,
    /// The request for a page: GET, with what of the viewer's request may go along.
    head: http::request::Parts,
    host: String,
    /// Where the viewer is, if that may count.
    place: Option<Place>,
    /// What failed, as the viewer asked for it.
    path: String,
    query: Option<String>,
}

impl Pages {
    /// Pages for the viewer of `route` alone: they may depend on everything that it sent but its
    /// conditions and ranges, which were about the object.
    pub(crate) fn for_viewer(route: &Route<'_>) -> Self {
        let mut headers = unconditional(route.view.headers);
        for name in [CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        Self { place: route.view.place.cloned(), ..Self::with(route, headers) }
    }

    /// Pages that are stored under the key of the object that failed, for everyone who asks for it; so
    /// they may depend only on what that key has. `None` where the distribution has no pages.
    pub(crate) fn for_everyone(route: &Route<'_>) -> Option<Box<Self>> {
        let mut responses = route.distribution.error_responses.iter();
        responses.any(|response| response.page.is_some()).then(|| {
            let headers = keyed(route.behavior, &route.view);
            Box::new(Self::with(route, headers))
        })
    }

    fn with(route: &Route<'_>, headers: HeaderMap) -> Self {
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.method = Method::GET;
        head.version = route.view.version;
        head.headers = headers;
        Self {
            edge: route.edge.clone(),
            distribution: route.distribution.clone(),
            viewer: route.viewer.clone(),
            id: *route.exchange.id(),
            head,
            host: route.view.host.to_owned(),
            place: None,
            path: route.view.path.to_owned(),
            query: route.view.query.map(str::to_owned),
        }
    }

    /// The page for an error of this status, if there is one.
    pub(crate) fn page_for(&self, status: StatusCode) -> Option<&ErrorPage> {
        self.distribution.error_page(status.as_u16(), &self.path)
    }

    /// Fetches a page: the response that takes the error's place. A page whose origin answers with
    /// anything but success leaves that answer to the viewer (CloudFront guide: if the origin cannot
    /// serve the page); `Err` when it gives none.
    pub(crate) fn fetch<'a>(
        &'a self,
        page: &'a ErrorPage,
    ) -> BoxFuture<'a, Result<OriginResponse, Failure>> {
        Box::pin(async move {
            let Answer { reply, made, detailed_result, .. } = self.answer(page).await;
            if made == Made::WithoutOrigin {
                return Err(Failure { status: reply.status().as_u16(), detailed_result });
            }
            let (mut head, body) = reply.into_parts();
            if head.status.is_success() {
                head.status = StatusCode::from_u16(page.status).unwrap_or(head.status);
            }
            // It is new in this place, however long the page has been in the cache.
            head.headers.remove(AGE);
            head.extensions.insert(ErrorPageMark);
            Ok(OriginResponse { head, body })
        })
    }

    async fn answer(&self, page: &ErrorPage) -> Answer {
        let (path, query) = match page.path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (page.path.as_str(), None),
        };
        let behavior = self.distribution.behavior_for(path);
        let path = &*behavior.path_seen(path.into());
        let asked = OnceLock::new();
        let shared = &self.edge.shared;
        let started = shared.clock.monotonic();
        let told = Told::default();
        let scope =
            Scope { shared, id: &self.id, started, asked: &asked, told: &told, explaining: None };
        let view = RequestView {
            method: &self.head.method,
            scheme: self.viewer.scheme,
            version: self.head.version,
            host: &self.host,
            path,
            query,
            headers: &self.head.headers,
            place: self.place.as_ref(),
        };
        let route = Route {
            edge: &self.edge,
            exchange: scope,
            distribution: &self.distribution,
            behavior,
            viewer: &self.viewer,
            head: &self.head,
            view,
            failing: Some(Failing { path: &self.path, query: self.query.as_deref() }),
        };
        route.answer(&mut Body::empty()).await
    }
}

/// What the cache key of a request has of its headers.
fn keyed(behavior: &Behavior, view: &RequestView<'_>) -> HeaderMap {
    let policy = &behavior.cache_policy;
    let mut headers = HeaderMap::new();
    for (name, value) in view.headers {
        if policy.headers.contains(name) {
            headers.append(name, value.clone());
        }
    }
    if encoding::is_normalized(policy) {
        let accepted = encoding::normalized(behavior, view.version, view.headers);
        if let Some(value) = accepted.and_then(encoding::Accepted::for_origin) {
            headers.insert(ACCEPT_ENCODING, value);
        }
    }
    let cookies = cookie::sorted(view.headers, |name| policy.cookies.contains(name));
    if let Some(cookies) = cookie::field(&cookies) {
        headers.insert(COOKIE, cookies);
    }
    headers
}

/// What the viewer gets in place of `answer`, if the distribution has a page for an error of its status.
///
/// The one way for an error that is not stored, the edge's own refusals among them. What was stored with
/// its page in place, and what no page may replace, is given back as it is.
pub(crate) async fn replaced(route: &Route<'_>, answer: Answer) -> Answer {
    let status = answer.reply.status();
    let Some(page) = route.distribution.error_page(status.as_u16(), route.view.path) else {
        return answer;
    };
    if answer.made == Made::Finally
        || !route.distribution.enabled
        || (route.behavior.grpc && grpc::is_call(&route.view))
    {
        return answer;
    }
    let detailed_result = answer.detailed_result;
    // The error's own body goes nowhere, and its connection is given up.
    drop(answer);
    let is_head = route.head.method == Method::HEAD;
    match Pages::for_viewer(route).fetch(page).await {
        Ok(mut response) => {
            if is_head {
                response.body = Body::empty();
            }
            Answer { detailed_result, ..respond::relayed(route.behavior, response) }
        }
        Err(failure) => route.failed(failure.status, failure.detailed_result),
    }
}
