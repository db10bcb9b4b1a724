//! One request under way: its id, its time, the configuration it started with, and what is told at the end.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::header::{HOST, REFERER, SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Body as _;
use warmfront_core::access::place::Place;
use warmfront_core::{Behavior, Distribution, Stack};

use crate::asked::Asked;
use crate::edge::Shared;
use crate::explaining::{Explaining, Kept};
use crate::observe::{AccessRecord, Delivery, Detail, counted};
use crate::reasons::{CacheRecord, Told};
use crate::request::{Reply, Viewer, ViewerRequest};
use crate::request_id::RequestId;
use crate::respond::{Answer, Carried};
use crate::tunnel::{self, Tunnel};

/// What every stage of a request may ask.
pub(crate) struct Exchange {
    /// The configuration of this request: a reload in between does not touch it.
    pub(crate) stack: Arc<Stack>,
    /// Keeps the viewer's session; boxed, since next to no request has one.
    set_cookie: Option<Box<HeaderValue>>,
    /// The viewer wants to know what was decided.
    explaining: Option<Box<Explaining>>,
    /// Reports the request when it is dropped, so also one whose viewer left before the reply.
    delivery: Box<Delivery>,
}

/// What the stages behind the walk may ask of an exchange; a page that is fetched after an error has
/// one without an exchange of its own.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) id: &'a RequestId,
    pub(crate) started: Duration,
    pub(crate) asked: &'a OnceLock<Arc<Asked>>,
    /// What the cache has to do with it.
    pub(crate) told: &'a Told,
    /// Set when the viewer wants to know what was decided.
    pub(crate) explaining: Option<&'a Explaining>,
}

impl<'a> Scope<'a> {
    pub(crate) fn id(&self) -> &'a RequestId {
        self.id
    }

    pub(crate) fn shared(&self) -> &'a Arc<Shared> {
        self.shared
    }

    /// An origin is about to be asked for this request: where what is learned of it is kept.
    pub(crate) fn asks(&self) -> &'a Arc<Asked> {
        self.asked.get_or_init(Arc::default)
    }

    /// What became of the response in the cache.
    pub(crate) fn kept(&self, kept: impl FnOnce() -> Kept) {
        if let Some(explaining) = self.explaining {
            explaining.kept(kept());
        }
    }

    /// When the request came, on the monotonic clock.
    pub(crate) fn started(&self) -> Duration {
        self.started
    }
}

impl Exchange {
    /// What later stages need to know.
    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope {
            shared: &self.delivery.shared,
            id: &self.delivery.record.request_id,
            started: self.delivery.started,
            asked: &self.delivery.asked,
            told: &self.delivery.told,
            explaining: self.explaining.as_deref(),
        }
    }

    /// A request arrives. Its body is counted when that is told.
    pub(crate) fn begin(shared: &Arc<Shared>, request: &mut ViewerRequest) -> Self {
        let mut request_bytes = None;
        let detail = shared.wants_detail.then(|| {
            (request.body, request_bytes) = counted(std::mem::take(&mut request.body));
            Detail::of(request)
        });
        let explaining = if shared.explain {
            let has_body = !request.body.is_end_stream();
            let places_can_be_known = shared.access.geography.is_some();
            Explaining::asked(&mut request.head, &request.viewer, has_body, places_can_be_known)
        } else {
            None
        };
        let head = &request.head;
        // One pass, the first line of each counts: cheaper than three look-ups.
        let (mut host, mut referer, mut user_agent) = (None, None, None);
        for (name, value) in &head.headers {
            let told = match *name {
                HOST => &mut host,
                REFERER => &mut referer,
                USER_AGENT => &mut user_agent,
                _ => continue,
            };
            told.get_or_insert_with(|| value.clone());
        }
        let record = AccessRecord {
            request_id: RequestId::random(),
            received: shared.clock.wall(),
            viewer: request.viewer.address,
            scheme: request.viewer.scheme,
            tls: request.viewer.tls.clone(),
            version: head.version,
            method: head.method.clone(),
            uri: head.uri.clone(),
            host,
            referer,
            user_agent,
            distribution: None,
            status: 0,
            result: "Error",
            detailed_result: "ClientHungUpRequest",
            cache: CacheRecord::default(),
            body_bytes: 0,
            time_to_first_byte: Duration::ZERO,
            time_taken: Duration::ZERO,
            complete: false,
            failure: None,
            detail,
        };
        let started = shared.clock.monotonic();
        let mut delivery = Box::new(Delivery::new(record, shared.clone(), started));
        delivery.request_bytes = request_bytes;
        Self { stack: shared.stack.load_full(), set_cookie: None, explaining, delivery }
    }

    pub(crate) fn id(&self) -> &RequestId {
        &self.delivery.record.request_id
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.delivery.shared
    }

    /// What was learned of the origin; `None` when none was asked.
    pub(crate) fn asked(&self) -> Option<&Asked> {
        self.delivery.asked.get().map(|asked| &**asked)
    }

    /// When the request came, on the monotonic clock.
    pub(crate) fn started(&self) -> Duration {
        self.delivery.started
    }

    /// When the request came, as the wall shows it.
    pub(crate) fn received(&self) -> SystemTime {
        self.delivery.record.received
    }

    /// A cookie that the reply sets, whatever it turns out to be.
    pub(crate) fn set_cookie(&mut self, cookie: Option<HeaderValue>) {
        self.set_cookie = cookie.map(Box::new);
    }

    /// The distribution that answers, for the log.
    pub(crate) fn found(&mut self, distribution: &Arc<Distribution>) {
        self.delivery.record.distribution = Some(distribution.clone());
    }

    /// The distribution that may have another one answer in its place, for the log.
    pub(crate) fn came_to(&mut self, primary: &Arc<Distribution>) {
        if let Some(detail) = &mut self.delivery.record.detail {
            detail.primary = Some(primary.clone());
        }
    }

    /// Where the viewer is, when the distribution, the behavior or the log asks.
    pub(crate) fn place(
        &mut self,
        distribution: &Distribution,
        behavior: &Behavior,
        viewer: &Viewer,
        headers: &HeaderMap,
    ) -> Option<Arc<Place>> {
        let shared = self.shared();
        let is_told = shared.wants_detail;
        let place = shared.access.place(distribution, behavior, viewer, headers, is_told)?;
        if let Some(detail) = &mut self.delivery.record.detail {
            (detail.country, detail.asn) = (place.country, place.asn);
        }
        if let Some(explaining) = &mut self.explaining {
            explaining.is_at(&place);
        }
        Some(place)
    }

    /// The behavior that its path matched, for the log.
    pub(crate) fn matched(&mut self, behavior: &Arc<Behavior>) {
        if let Some(detail) = &mut self.delivery.record.detail {
            detail.behavior = Some(behavior.clone());
        }
    }

    /// Adds the headers that every reply carries, and reports the request once its body is delivered.
    pub(crate) fn finish(mut self, answer: Answer) -> Reply {
        let Answer { mut reply, result, detailed_result, .. } = answer;
        let now = self.received();
        crate::respond::sign(reply.headers_mut(), self.shared(), self.id(), result, now);
        if let (Some(explaining), Some(distribution)) =
            (self.explaining.take(), &self.delivery.record.distribution)
        {
            let check = self.delivery.shared.access.signatures.as_deref();
            let cache = self.delivery.cache();
            explaining.tell(distribution, check, now, &cache, reply.headers_mut());
        }
        if let Some(cookie) = self.set_cookie.take() {
            reply.headers_mut().append(SET_COOKIE, *cookie);
        }
        if let Some(detail) = &mut self.delivery.record.detail {
            detail.answered(&reply);
            detail.tunnel = reply.extensions_mut().remove::<Carried>().map(|carried| carried.0);
        }
        self.delivery.answered(reply.status().as_u16(), result, detailed_result);
        if reply.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(tunnel) = reply.extensions_mut().remove::<Tunnel>()
        {
            if let Some(detail) = &mut self.delivery.record.detail {
                detail.tunnel = Some(tunnel::log_name(self.delivery.record.scheme));
            }
            // Ends with its connections: at the latest when the listener drops the viewer's, or the
            // origin has been silent for too long.
            tokio::spawn(tunnel.run(self.delivery));
            return reply;
        }
        reply.map(|body| body.reporting_to(self.delivery))
    }
}
