//! What the engine tells about its work. How that looks as a log line or a metric is the program's choice.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use warmfront_core::origin::Scheme;

/// Hears what happened. Called on the request's own task: be quick, never block.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// A request is over: its reply was delivered, or broke off.
    fn request_done(&self, record: &AccessRecord);

    /// Something a person should read, such as a failing origin.
    fn note(&self, request_id: &str, message: &str);
}

/// Hears nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Observer for Silent {
    fn request_done(&self, _: &AccessRecord) {}
    fn note(&self, _: &str, _: &str) {}
}

/// One request, from its first byte to the last of its reply: what an access log line tells.
#[derive(Debug, Clone)]
pub struct AccessRecord {
    /// `X-Amz-Cf-Id`.
    pub request_id: String,
    /// When the request arrived.
    pub received: SystemTime,
    /// The viewer's address.
    pub viewer: IpAddr,
    /// The viewer's port.
    pub viewer_port: u16,
    /// How it came.
    pub scheme: Scheme,
    /// The protocol version.
    pub version: http::Version,
    /// The method.
    pub method: http::Method,
    /// The Host as sent.
    pub host: String,
    /// Path and query as sent.
    pub target: String,
    /// The distribution's id, once one was found.
    pub distribution: Option<String>,
    /// The status sent.
    pub status: u16,
    /// `X-Cache` without ` from cloudfront`: Hit, RefreshHit, Miss, Error, Redirect …
    pub result: &'static str,
    /// Why it ended so: `OriginConnectError`, `InvalidRequestMethod`, …; equal to `result` when there is nothing to add.
    pub detailed_result: &'static str,
    /// Body bytes handed to the connection.
    pub body_bytes: u64,
    /// From the request's head to the first byte of the reply.
    pub time_to_first_byte: Duration,
    /// From the request's head to the end of the reply.
    pub time_taken: Duration,
    /// Whether the whole body was handed over.
    pub complete: bool,
    /// Why the body broke off.
    pub failure: Option<String>,
    /// Referer, for the log.
    pub referer: Option<String>,
    /// User-Agent, for the log.
    pub user_agent: Option<String>,
}

/// Rides on a reply's body and reports when the body is done or dropped.
pub(crate) struct Delivery {
    pub(crate) record: AccessRecord,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) clock: Arc<dyn crate::Clock>,
    pub(crate) started: Duration,
    pub(crate) bytes: u64,
    pub(crate) complete: bool,
    pub(crate) failure: Option<String>,
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.record.body_bytes = self.bytes;
        self.record.time_taken = self.clock.monotonic().saturating_sub(self.started);
        self.record.complete = self.complete;
        self.record.failure = self.failure.take();
        self.observer.request_done(&self.record);
    }
}
