//! One request on its way to an origin: how the policies shape it, and what is taken off the response.
//!
//! [`pass`] carries it for one viewer. What a response means for the cache is `fetch`'s story.

use std::sync::Arc;

use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderName, StatusCode};
use warmfront_core::caching::freshness::may_answer_for_failing_origin;
use warmfront_core::caching::{ResponseFacts, Storable, storable};
use warmfront_core::http::storable_head::passed_head;
use warmfront_core::origin::{OriginKind, Scheme};
use warmfront_core::policy::forwards_cookies;
use warmfront_core::policy::origin_request::{EdgeFacts, Forwarded, origin_request};
use warmfront_core::request_view::RequestView;
use warmfront_core::{Behavior, Distribution, Origin};

use crate::asked::Asked;
use crate::body::Body;
use crate::cache::StoredResponse;
use crate::edge::Shared;
use crate::exchange::Exchange;
use crate::origin::{Connector, OriginError, OriginRequest, OriginResponse, Timing};
use crate::request::Viewer;
use crate::request_id::RequestId;

const VIEWER_TLS: HeaderName = HeaderName::from_static("cloudfront-viewer-tls");

/// Everything a request to an origin needs to know of its exchange.
pub(crate) struct Origination {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) distribution: Arc<Distribution>,
    pub(crate) behavior: Arc<Behavior>,
    pub(crate) origin: Arc<Origin>,
    pub(crate) scheme: Scheme,
    pub(crate) id: RequestId,
    /// What the exchange is to know of the origin.
    pub(crate) asked: Arc<Asked>,
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
    // Only a policy that names the header needs its text.
    let names_tls = behavior.cache_policy.headers.contains(&VIEWER_TLS)
        || behavior.origin_request_policy.headers.listed().contains(&VIEWER_TLS);
    let tls = viewer.tls.as_ref().filter(|_| names_tls).map(|tls| tls.viewer_header());
    let facts = EdgeFacts {
        viewer: viewer.address,
        request_id: exchange.id().as_str(),
        via: exchange.shared().identity.via_for(view.version),
        tls: tls.as_deref(),
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
    /// Takes off what no viewer may see of an origin's response, and notes how long it took.
    pub(crate) fn cleaned(&self, mut response: OriginResponse) -> OriginResponse {
        if let Some(timing) = response.head.extensions.remove::<Timing>() {
            self.asked.answered(timing);
        }
        passed_head(&mut response.head.headers, forwards_cookies(&self.behavior), self.is_s3());
        response
    }

    /// A 304 that nobody asked for names a copy that nobody has (reliability.md §2, class 19).
    pub(crate) fn unasked_not_modified(
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

    pub(crate) fn is_s3(&self) -> bool {
        self.origin.kind == OriginKind::S3
    }

    /// Whether `stale` may stand in for an origin that fails now.
    pub(crate) fn may_answer(&self, stale: &StoredResponse) -> bool {
        let resident = stale.resident(self.shared.clock.monotonic());
        may_answer_for_failing_origin(&stale.meta.lifetime, resident)
    }

    pub(crate) fn note(&self, error: &OriginError) {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        self.shared.observer.note(self.id.as_str(), &text);
    }

    pub(crate) fn storable(
        &self,
        request: &HeaderMap,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Storable {
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

/// Asks for a part, or sets a condition: the answer may be for this one viewer.
const PERSONAL: [HeaderName; 6] =
    [RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE];

/// Whether a request asks for a part or sets a condition.
pub(crate) fn is_personal(headers: &HeaderMap) -> bool {
    PERSONAL.iter().any(|name| headers.contains_key(name))
}

/// `headers` without what asks for a part or sets a condition.
pub(crate) fn unconditional(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in &PERSONAL {
        headers.remove(name);
    }
    headers
}
