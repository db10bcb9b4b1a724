//! One request on its way to an origin, or to the two of a group: how the policies shape it, who is asked,
//! and what is taken off the response. What a response means for the cache is `fetch`'s story.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use warmfront_core::caching::freshness::may_answer_for_failing_origin;
use warmfront_core::caching::{CacheTags, ResponseFacts, Storable, storable};
use warmfront_core::compression::wanted;
use warmfront_core::http::storable_head::passed_head;
use warmfront_core::origin::{Attempted, Failover, OriginKind, Scheme};
use warmfront_core::policy::origin_request::{EdgeFacts, Failing, Forwarded, origin_request};
use warmfront_core::request_view::RequestView;
use warmfront_core::{Behavior, Distribution, Origin};

use crate::asked::Asked;
use crate::body::Body;
use crate::cache::{Source, StoredResponse};
use crate::compressing::{self, Wanted};
use crate::edge::Shared;
use crate::exchange::Scope;
use crate::interim::Interim;
use crate::origin::{Connector, OriginError, OriginRequest, OriginResponse, Timing};
use crate::request::Viewer;
use crate::request_id::RequestId;

const VIEWER_TLS: HeaderName = HeaderName::from_static("cloudfront-viewer-tls");

/// Everything a request to an origin, or to the two of a group, needs to know of its exchange.
pub(crate) struct Origination {
    pub(crate) shared: Arc<Shared>,
    pub(crate) distribution: Arc<Distribution>,
    pub(crate) behavior: Arc<Behavior>,
    pub(crate) id: RequestId,
    /// What the exchange is to know of the origin.
    pub(crate) asked: Arc<Asked>,
    connector: Arc<dyn Connector>,
    viewer: SocketAddr,
    /// Where interim responses go, if they go anywhere.
    interim: Option<Interim>,
    /// How the viewer would have the response compressed.
    compress: Wanted,
    /// The only origin, or the primary one of a group.
    pub(crate) primary: Asking,
    /// Asked after a failure of `primary` that the group lists; only where the method allows that.
    secondary: Option<Box<Asking>>,
}

/// One origin, and the head of the request that it gets: each of a group gets one made for it alone.
pub(crate) struct Asking {
    pub(crate) origin: Arc<Origin>,
    pub(crate) source: Source,
    pub(crate) headers: HeaderMap,
    /// HTTP/2 where only that will do.
    pub(crate) version: Version,
    scheme: Scheme,
    method: Method,
    target: String,
}

/// What came of asking.
pub(crate) struct Answered<'a> {
    /// Who answered, or was asked last.
    pub(crate) by: &'a Asking,
    /// The headers it was asked with.
    pub(crate) headers: HeaderMap,
    pub(crate) result: Result<OriginResponse, OriginError>,
    /// How long it took until the head of the response was there.
    pub(crate) delay: Duration,
}

/// A viewer's request that is about to go to an origin.
pub(crate) struct Originated<'a> {
    pub(crate) connector: &'a Arc<dyn Connector>,
    pub(crate) scope: Scope<'a>,
    pub(crate) distribution: &'a Arc<Distribution>,
    pub(crate) behavior: &'a Arc<Behavior>,
    pub(crate) viewer: &'a Viewer,
    pub(crate) view: &'a RequestView<'a>,
    /// Set when the request fetches an error page: what failed.
    pub(crate) failing: Option<Failing<'a>>,
    /// Whether there is a body, which could be sent only once.
    pub(crate) has_body: bool,
}

impl Originated<'_> {
    /// The requests that the origins get: policies decide what of the viewer's goes along.
    pub(crate) fn prepare(&self, asked: Arc<Asked>) -> Origination {
        let behavior = self.behavior;
        let group = behavior.failover.as_ref().filter(|_| {
            !self.has_body && Failover::covers(self.view.method, behavior.caches_options)
        });
        Origination {
            shared: self.scope.shared().clone(),
            distribution: self.distribution.clone(),
            behavior: behavior.clone(),
            id: *self.scope.id(),
            asked,
            connector: self.connector.clone(),
            viewer: self.viewer.address,
            interim: self.viewer.interim.clone().filter(|_| behavior.rules.passes_interim),
            compress: wanted(behavior, self.view.method, self.view.version, self.view.headers),
            primary: self.asking(behavior.origin, Source::Primary),
            secondary: group.map(|group| Box::new(self.asking(group.origin, Source::Secondary))),
        }
    }

    fn asking(&self, origin: usize, source: Source) -> Asking {
        let origin = &self.distribution.origins[origin];
        let (behavior, viewer) = (self.behavior, self.viewer);
        // Only a policy that names the header needs its text.
        let names_tls = behavior.cache_policy.headers.contains(&VIEWER_TLS)
            || behavior.origin_request_policy.headers.listed().contains(&VIEWER_TLS);
        let tls = viewer.tls.as_ref().filter(|_| names_tls).map(|tls| tls.viewer_header());
        let facts = EdgeFacts {
            viewer: viewer.address,
            request_id: self.scope.id().as_str(),
            via: self.scope.shared().identity.via_for(self.view.version),
            tls: tls.as_deref(),
            failing: self.failing,
        };
        let Forwarded { target, headers } =
            origin_request(self.distribution, self.behavior, origin, self.view, &facts);
        Asking {
            origin: origin.clone(),
            source,
            headers,
            scheme: origin.scheme_for(self.viewer.scheme),
            version: Version::HTTP_11,
            method: self.view.method.clone(),
            target,
        }
    }
}

impl Origination {
    /// Carries the request for one viewer; nothing is stored. An error is noted.
    pub(crate) async fn pass(&self, body: Body) -> Answered<'_> {
        let answered = self.ask(body, |asking| asking.headers.clone()).await;
        if let Err(error) = &answered.result {
            self.note(error);
        }
        answered
    }

    /// Asks the primary origin, each time anew, and after a failure that its group lists the secondary
    /// one (CloudFront guide: origin failover). `headers` says what each is asked with.
    pub(crate) async fn ask(
        &self,
        body: Body,
        headers: impl Fn(&Asking) -> HeaderMap,
    ) -> Answered<'_> {
        self.asked.turned_to(&self.primary.origin, None);
        let first = self.ask_one(&self.primary, headers(&self.primary), body).await;
        let (Some(secondary), Some(group)) = (&self.secondary, &self.behavior.failover) else {
            return first;
        };
        let Some(status) = group.after(first.attempted()) else { return first };
        if let Err(error) = &first.result {
            self.note(error);
        }
        // Nothing of the failed response goes any further, and its connection is given up.
        drop(first);
        self.asked.turned_to(&secondary.origin, Some(status));
        self.ask_one(secondary, headers(secondary), Body::empty()).await
    }

    /// Asks the origin that `source` names, and no other.
    pub(crate) async fn ask_only(
        &self,
        source: Source,
        headers: impl FnOnce(&Asking) -> HeaderMap,
    ) -> Answered<'_> {
        let asking = self.asking(source);
        self.asked.turned_to(&asking.origin, None);
        self.ask_one(asking, headers(asking), Body::empty()).await
    }

    /// One request to one origin. Functions on origin events run here, once for each origin that is
    /// asked.
    async fn ask_one<'a>(
        &'a self,
        asking: &'a Asking,
        headers: HeaderMap,
        body: Body,
    ) -> Answered<'a> {
        let clock = &self.shared.clock;
        let asked = clock.monotonic();
        let result = match self.request(asking, headers.clone(), body) {
            Ok(request) => self.connector.send(&asking.origin, asking.scheme, request).await,
            Err(error) => Err(error),
        };
        let result = result.and_then(|response| {
            let unasked = asking.unasked_not_modified(is_personal(&headers), response.head.status);
            unasked.map_or_else(|| Ok(self.cleaned(asking, response)), Err)
        });
        let delay = clock.monotonic().saturating_sub(asked);
        Answered { by: asking, headers, result, delay }
    }

    fn request(
        &self,
        asking: &Asking,
        headers: HeaderMap,
        body: Body,
    ) -> Result<OriginRequest, OriginError> {
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.uri =
            http::Uri::try_from(asking.target.as_str()).map_err(|_| OriginError::Unavailable {
                origin: asking.origin.id.clone(),
                reason: "the path is no URI".to_owned(),
            })?;
        head.method = asking.method.clone();
        head.version = asking.version;
        head.headers = headers;
        if let Some(interim) = &self.interim {
            head.extensions.insert(interim.clone());
        }
        let request_id = self.id.as_str().to_owned();
        Ok(OriginRequest { head, body, viewer: self.viewer, request_id })
    }

    /// What the object needs that is stored: a HEAD brings no body.
    pub(crate) fn get_the_body(&mut self) {
        for asking in self.askings_mut() {
            if asking.method == Method::HEAD {
                asking.method = Method::GET;
            }
        }
    }

    /// The request of the origin that `source` names.
    pub(crate) fn asking(&self, source: Source) -> &Asking {
        match &self.secondary {
            Some(secondary) if source == Source::Secondary => secondary,
            _ => &self.primary,
        }
    }

    /// The response as viewers get it: compressed, if they and the behavior would have it so.
    pub(crate) fn compressed(&self, response: OriginResponse) -> OriginResponse {
        let Shared { compressors, clock, .. } = &*self.shared;
        let (wanted, method) = (self.compress, &self.primary.method);
        let tell = |decided| self.asked.decided(decided);
        compressing::compressed(compressors, clock, wanted, method, response, tell)
    }

    /// The requests of all origins that may be asked.
    pub(crate) fn askings_mut(&mut self) -> impl Iterator<Item = &mut Asking> {
        std::iter::once(&mut self.primary).chain(self.secondary.as_deref_mut())
    }

    /// Takes off what no viewer may see of an origin's response, and notes how long it took.
    fn cleaned(&self, asking: &Asking, mut response: OriginResponse) -> OriginResponse {
        if let Some(timing) = response.head.extensions.remove::<Timing>() {
            self.asked.answered(timing);
        }
        passed_head(&mut response.head.headers, &self.behavior, asking.is_s3());
        response
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

    /// How long an error of the origin is kept at least, and the origin left alone after one.
    pub(crate) fn error_caching_min_ttl(&self, status: u16) -> Duration {
        self.distribution.error_caching_min_ttl(self.behavior.rules, status)
    }

    /// The cache tags in the headers of a response; `None` where they say nothing of any.
    pub(crate) fn tags(&self, headers: &HeaderMap, asking: &Asking) -> Option<CacheTags> {
        let name = self.distribution.cache_tag_header.as_ref()?;
        let is_s3 = asking.is_s3();
        CacheTags::are_in(headers, name, is_s3).then(|| CacheTags::of(headers, name, is_s3))
    }

    /// What the cache makes of a response to a request with the headers `request`.
    pub(crate) fn storable(
        &self,
        asking: &Asking,
        request: &HeaderMap,
        status: StatusCode,
        headers: &HeaderMap,
        delay: Duration,
    ) -> Storable {
        let facts = ResponseFacts::of(
            &self.distribution,
            &self.behavior,
            &asking.origin,
            request,
            status,
            headers,
            delay,
        );
        storable(&facts, self.shared.clock.wall())
    }
}

impl Asking {
    pub(crate) fn is_s3(&self) -> bool {
        self.origin.kind == OriginKind::S3
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
}

impl Answered<'_> {
    fn attempted(&self) -> Attempted {
        match &self.result {
            Ok(response) => Attempted::Answered(response.head.status.as_u16()),
            Err(error) => error.attempted(),
        }
    }
}

/// Asks for a part, or sets a condition: the answer may be for this one viewer.
const PERSONAL: [HeaderName; 6] =
    [RANGE, IF_RANGE, IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_MATCH, IF_UNMODIFIED_SINCE];

/// Whether a request asks for a part.
pub(crate) fn asks_for_part(headers: &HeaderMap) -> bool {
    headers.contains_key(RANGE)
}

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
