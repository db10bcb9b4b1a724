//! What only access logs in CloudFront's own formats tell of a request.
//!
//! It is gathered when the [`Observer`](super::Observer) asks for it, so a program without such a log
//! copies nothing. How the fields are written is the program's work.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use warmfront_core::access::geo::Country;
use warmfront_core::{Behavior, Distribution, Origin};

use super::AccessRecord;
use crate::body::{Body, BodyError};
use crate::request::{Reply, ViewerRequest};

/// See [`AccessRecord::detail`]. What a stage never learned is `None` or zero.
#[derive(Debug, Clone, Default)]
pub struct Detail {
    /// The address that the viewer connected to.
    pub local_ip: Option<IpAddr>,
    /// The request's headers as sent: the viewer's own bytes.
    pub headers: HeaderMap,
    /// Bytes of the request's body that were taken from the viewer.
    pub request_body_bytes: u64,
    /// The behavior that the path matched.
    pub behavior: Option<Arc<Behavior>>,
    /// With continuous deployment, the distribution that the viewer came to; it or its staging
    /// distribution answered.
    pub primary: Option<Arc<Distribution>>,
    /// Bytes of the reply's status line and headers, written as HTTP/1.1 would; a connection may add
    /// `Connection` and `Transfer-Encoding`, and HTTP/2 needs fewer.
    pub reply_head_bytes: u64,
    /// Content-Type of the reply.
    pub content_type: Option<HeaderValue>,
    /// Content-Length of the reply.
    pub content_length: Option<HeaderValue>,
    /// Content-Range of the reply.
    pub content_range: Option<HeaderValue>,
    /// `ws`, `wss` or `grpcs`, where the connection became one.
    pub tunnel: Option<&'static str>,
    /// Where the viewer is.
    pub country: Option<Country>,
    /// The autonomous system of the viewer's address.
    pub asn: Option<u32>,
    /// From the origin request to the first byte of the origin's response.
    pub origin_first_byte: Option<Duration>,
    /// From the origin request to the last byte of the origin's response.
    pub origin_last_byte: Option<Duration>,
    /// The origin that was asked last for this request; `None` when the cache answered.
    pub origin: Option<Arc<Origin>>,
    /// The status of another origin that led to it.
    pub failed_over: Option<u16>,
}

impl Detail {
    /// What the request alone tells.
    pub(crate) fn of(request: &ViewerRequest) -> Box<Self> {
        Box::new(Self {
            local_ip: request.viewer.local_ip,
            headers: request.head.headers.clone(),
            ..Self::default()
        })
    }

    /// What the reply's head tells.
    pub(crate) fn answered(&mut self, reply: &Reply) {
        let headers = reply.headers();
        // `HTTP/1.1 200 OK`, its line break, and the empty line.
        let reason = reply.status().canonical_reason().unwrap_or_default().len();
        self.reply_head_bytes = (13 + reason + 4) as u64 + field_bytes(headers);
        self.content_type = headers.get(CONTENT_TYPE).cloned();
        self.content_length = headers.get(CONTENT_LENGTH).cloned();
        self.content_range = headers.get(CONTENT_RANGE).cloned();
    }
}

impl AccessRecord {
    /// Bytes of the request's head, written as HTTP/1.1 would; zero without [`AccessRecord::detail`].
    pub fn request_head_bytes(&self) -> u64 {
        let Some(detail) = &self.detail else { return 0 };
        let target = self.uri.path_and_query().map_or(1, |target| target.as_str().len());
        // `GET /target HTTP/1.1`, its line break, and the empty line.
        let line = self.method.as_str().len() + 1 + target + 9 + 4;
        // HTTP/2 carries the host beside the headers.
        let host = match (self.uri.authority(), &self.host) {
            (Some(authority), None) => "host: \r\n".len() + authority.as_str().len(),
            _ => 0,
        };
        (line + host) as u64 + field_bytes(&detail.headers)
    }

    /// The result and the detailed result once the last byte is out: a reply that broke off is an error,
    /// whatever it was when it began (CloudFront guide: `x-edge-result-type` and
    /// `x-edge-response-result-type`).
    pub fn final_result(&self) -> (&'static str, &'static str) {
        match (&self.failure, self.complete) {
            _ if self.result == "Error" => (self.result, self.detailed_result),
            (Some(_), _) => ("Error", "OriginCommError"),
            (None, false) => ("Error", "ClientCommError"),
            (None, true) => (self.result, self.detailed_result),
        }
    }
}

/// `Name: value` and a line break for each.
fn field_bytes(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len() + 4) as u64).sum()
}

/// Counts what is taken from a request's body.
pub(crate) fn counted(body: Body) -> (Body, Option<Arc<AtomicU64>>) {
    if http_body::Body::is_end_stream(&body) {
        return (body, None);
    }
    let taken = Arc::new(AtomicU64::new(0));
    (Body::stream(Counted { body, taken: taken.clone() }), Some(taken))
}

struct Counted {
    body: Body,
    taken: Arc<AtomicU64>,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.taken.fetch_add(data.len() as u64, Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
