//! What the engine tells about its work. How that looks as a log line or a metric is the program's choice.

mod detail;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use warmfront_core::Distribution;
use warmfront_core::origin::Scheme;

use crate::asked::Asked;
use crate::edge::Shared;
use crate::reasons::{CacheRecord, Told};
use crate::request::TlsInfo;
use crate::request_id::RequestId;

pub use detail::Detail;
pub(crate) use detail::counted;

/// Hears what happened. Called on the request's own task: be quick, never block.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// A request is over: its reply was delivered, or broke off.
    fn request_done(&self, record: &AccessRecord);

    /// Something a person should read, such as a failing origin.
    fn note(&self, request_id: &str, message: &str);

    /// Whether [`AccessRecord::detail`] is wanted. Asked once, when the edge is made.
    fn wants_detail(&self) -> bool {
        false
    }
}

/// Hears nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn request_done(&self, _: &AccessRecord) {}
    fn note(&self, _: &str, _: &str) {}
}

/// One request, from its first byte to the last of its reply: what an access log line tells.
///
/// The header values are the viewer's own bytes: whoever prints them must escape them.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// `X-Amz-Cf-Id`.
    pub request_id: RequestId,
    /// When the request arrived.
    pub received: SystemTime,
    /// The viewer's address and port.
    pub viewer: SocketAddr,
    /// How it came.
    pub scheme: Scheme,
    /// What its TLS session agreed on.
    pub tls: Option<Arc<TlsInfo>>,
    /// The protocol version.
    pub version: http::Version,
    /// The method.
    pub method: http::Method,
    /// The target as sent: path and query, or an absolute URI.
    pub uri: http::Uri,
    /// The Host field as sent; HTTP/2 carries it in `uri`.
    pub host: Option<HeaderValue>,
    /// Referer as sent.
    pub referer: Option<HeaderValue>,
    /// User-Agent as sent.
    pub user_agent: Option<HeaderValue>,
    /// The distribution that answered, once one was found.
    pub distribution: Option<Arc<Distribution>>,
    /// The status sent; 0 when the viewer left before there was one.
    pub status: u16,
    /// `X-Cache` without ` from cloudfront`: Hit, RefreshHit, Miss, Error, Redirect …
    pub result: &'static str,
    /// Why it ended so: `OriginConnectError`, `InvalidRequestMethod`, …; equal to `result` when there is nothing to add.
    pub detailed_result: &'static str,
    /// What the cache had to do with it, and why.
    pub cache: CacheRecord,
    /// Body bytes handed to the connection.
    pub body_bytes: u64,
    /// From the request's head to the head of the reply.
    pub time_to_first_byte: Duration,
    /// From the request's head to the end of the reply.
    pub time_taken: Duration,
    /// Whether the whole body was handed over.
    pub complete: bool,
    /// Why the body broke off.
    pub failure: Option<String>,
    /// What only CloudFront's own log formats tell; `None` unless the [`Observer`] wants it.
    pub detail: Option<Box<Detail>>,
}

/// Rides on a reply's body and reports when the body is done or dropped.
pub(crate) struct Delivery {
    pub(crate) record: AccessRecord,
    pub(crate) shared: Arc<Shared>,
    pub(crate) started: Duration,
    pub(crate) bytes: u64,
    pub(crate) complete: bool,
    pub(crate) failure: Option<String>,
    /// Counts the request's body, when it has one and its length is told.
    pub(crate) request_bytes: Option<Arc<AtomicU64>>,
    /// What is known of the origin, once one is asked.
    pub(crate) asked: OnceLock<Arc<Asked>>,
    /// What the cache had to do with the request.
    pub(crate) told: Told,
}

impl Delivery {
    pub(crate) fn new(record: AccessRecord, shared: Arc<Shared>, started: Duration) -> Self {
        Self {
            record,
            shared,
            started,
            bytes: 0,
            complete: false,
            failure: None,
            request_bytes: None,
            asked: OnceLock::new(),
            told: Told::default(),
        }
    }

    /// The head of the reply is ready.
    pub(crate) fn answered(
        &mut self,
        status: u16,
        result: &'static str,
        detailed_result: &'static str,
    ) {
        self.record.status = status;
        self.record.result = result;
        self.record.detailed_result = detailed_result;
        self.record.time_to_first_byte = self.elapsed();
    }

    /// What the cache had to do with the request, as far as it is known.
    pub(crate) fn cache(&self) -> CacheRecord {
        let compression = self.asked.get().and_then(|asked| asked.compression());
        CacheRecord { compression, ..self.told.record() }
    }

    fn elapsed(&self) -> Duration {
        self.shared.clock.monotonic().saturating_sub(self.started)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.record.body_bytes = self.bytes;
        self.record.cache = self.cache();
        self.record.time_taken = self.elapsed();
        self.record.complete = self.complete;
        self.record.failure = self.failure.take();
        if let (Some(detail), Some(taken)) = (&mut self.record.detail, &self.request_bytes) {
            detail.request_body_bytes = taken.load(Relaxed);
        }
        if let (Some(detail), Some(asked)) = (&mut self.record.detail, self.asked.get()) {
            if let Some((origin, failed_over)) = asked.origin() {
                (detail.origin, detail.failed_over) = (Some(origin), failed_over);
            }
            if let Some(timing) = asked.timing() {
                detail.origin_first_byte = Some(timing.first_byte);
                detail.origin_last_byte = timing.last_byte.get();
            }
        }
        self.shared.observer.request_done(&self.record);
    }
}
