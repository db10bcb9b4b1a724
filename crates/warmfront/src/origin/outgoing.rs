//! The request as it goes onto the wire: HTTP/1.1, framed from its body, streamed from the viewer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body::{Body as _, Frame, SizeHint};
use warmfront_core::http::{fields, trailers};

use super::link::{Fact, Link};
use super::pool::Host;
use crate::body::{Body, BodyError};

/// A request's head that can be sent again.
#[derive(Debug, Clone)]
pub(super) struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

/// The request for hyper, and a copy of its head when it may be repeated.
///
/// Only requests without a body whose method is safe are repeatable (RFC 9110 §9.2.2 would allow more;
/// CloudFront guide: others are not retried).
pub(super) fn prepare(
    mut head: http::request::Parts,
    body: Body,
) -> (Request<Outgoing>, Option<Head>) {
    let outgoing = if body.is_end_stream() { Outgoing::Empty } else { Outgoing::streamed(body) };
    // Framing follows from the body, never from what somebody said about it.
    // Nor does anybody here wait for a 100, so nobody may ask for one.
    fields::remove_where(&mut head.headers, |name| {
        matches!(*name, TRANSFER_ENCODING | CONTENT_LENGTH | EXPECT)
    });
    match &outgoing {
        // RFC 9110 §8.6: a method that expects content says when there is none.
        Outgoing::Empty if [Method::POST, Method::PUT, Method::PATCH].contains(&head.method) => {
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        // hyper drops the body of a GET unless it is told how the body is framed.
        Outgoing::Streamed(upload) if upload.body.size_hint().exact().is_none() => {
            head.headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        _ => {}
    }
    // CloudFront guide, "HTTP request headers and CloudFront behavior": Connection becomes Keep-Alive.
    // A request for another protocol brings its own.
    head.headers.entry(CONNECTION).or_insert(HeaderValue::from_static("Keep-Alive"));
    let head = Head { method: head.method, uri: origin_form(head.uri), headers: head.headers };
    let repeatable = matches!(outgoing, Outgoing::Empty)
        && [Method::GET, Method::HEAD, Method::OPTIONS].contains(&head.method);
    let copy = repeatable.then(|| head.clone());
    (head.into_request(outgoing), copy)
}

impl Head {
    pub(super) fn into_request(self, body: Outgoing) -> Request<Outgoing> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }

    /// CloudFront guide: GET and HEAD are tried again after a read time-out, OPTIONS is not.
    pub(super) fn survives_read_timeouts(&self) -> bool {
        self.method != Method::OPTIONS
    }
}

/// An absolute URI would make the origin believe that it is a proxy.
fn origin_form(uri: Uri) -> Uri {
    if uri.authority().is_none() && uri.scheme().is_none() {
        return uri;
    }
    match uri.path_and_query() {
        Some(target) => Uri::from(target.clone()),
        None => Uri::from_static("/"),
    }
}

/// A request body for hyper.
#[derive(Debug)]
pub(super) enum Outgoing {
    Empty,
    Streamed(Box<Upload>),
}

/// A viewer's body on its way. It keeps the read time-out in step: waiting for the viewer is not the
/// origin's fault, not taking the next piece is.
#[derive(Debug)]
pub(super) struct Upload {
    body: Body,
    meter: Option<Meter>,
}

#[derive(Debug)]
struct Meter {
    link: Arc<Link>,
    host: Arc<Host>,
    read_timeout: Duration,
    completion: Option<Duration>,
}

impl Outgoing {
    fn streamed(body: Body) -> Self {
        Outgoing::Streamed(Box::new(Upload { body, meter: None }))
    }

    /// Ties the body to the connection that it is about to use.
    pub(super) fn travels_over(
        &mut self,
        link: &Arc<Link>,
        host: &Arc<Host>,
        read_timeout: Duration,
        completion: Option<Duration>,
    ) {
        if let Outgoing::Streamed(upload) = self {
            let (link, host) = (link.clone(), host.clone());
            upload.meter = Some(Meter { link, host, read_timeout, completion });
        }
    }
}

impl Meter {
    fn origin_must_move(&self) {
        self.limit(Some(self.host.clock().monotonic() + self.read_timeout));
    }

    fn viewer_must_move(&self) {
        self.limit(None);
    }

    fn limit(&self, deadline: Option<Duration>) {
        if !self.link.is(Fact::Answered) {
            self.link.must_happen_by(sooner(deadline, self.completion));
        }
    }
}

/// The nearer of two deadlines.
pub(super) fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Outgoing::Streamed(upload) = &mut *self else { return Poll::Ready(None) };
        let mut polled = Pin::new(&mut upload.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(fields) = frame.trailers_mut()
        {
            trailers::clean(fields);
        }
        if let Some(meter) = &upload.meter {
            match &polled {
                Poll::Pending => meter.viewer_must_move(),
                Poll::Ready(Some(Err(_))) => meter.link.set(Fact::ViewerFailed),
                Poll::Ready(frame) => {
                    let trailers = frame
                        .as_ref()
                        .is_some_and(|f| f.as_ref().is_ok_and(|frame| frame.is_trailers()));
                    if frame.is_none() || trailers || upload.body.is_end_stream() {
                        meter.link.clear(Fact::Uploading);
                    }
                    meter.origin_must_move();
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Outgoing::Empty => true,
            Outgoing::Streamed(upload) => upload.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Outgoing::Empty => SizeHint::with_exact(0),
            Outgoing::Streamed(upload) => upload.body.size_hint(),
        }
    }
}
