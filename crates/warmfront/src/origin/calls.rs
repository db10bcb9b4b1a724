//! One call over HTTP/2: request and response stream at once, and trailers tell how it ended.
//!
//! CloudFront speaks HTTP/2 to origins for gRPC only, over TLS. A node given with `--origin http://…` is
//! spoken to in clear, with prior knowledge (RFC 9113 §3.3), so that a server under development needs no
//! certificate. Calls are not signed: nothing that CloudFront signs for speaks gRPC. A connection that fails uses up one attempt, as in `attempts`; nothing that was sent is
//! sent again.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TE, TRANSFER_ENCODING};
use http::uri::{Authority, Scheme as UriScheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use warmfront_core::Origin;
use warmfront_core::http::framing::check_response;
use warmfront_core::http::{fields, hop_by_hop, trailers};
use warmfront_core::origin::{Scheme, Target};

use super::attempts::{Http, certificate_name, invalid, is_https, place, too_slow};
use super::connect::Place;
use super::outgoing::sooner;
use super::pool::Opening;
use super::response::innermost;
use super::shared::{Full, Slot};
use super::{LastByte, OriginError, OriginRequest, OriginResponse, Timing};
use crate::body::{Body, BodyError};
use crate::clock::{Clock, Sleep};

/// Sends one call, and resolves with the head of its response.
pub(super) async fn send(
    http: &Http,
    origin: &Origin,
    scheme: Scheme,
    request: OriginRequest,
) -> Result<OriginResponse, OriginError> {
    if scheme == Scheme::Http && matches!(origin.target, Target::Dns) {
        return Err(OriginError::Connect {
            origin: origin.id.clone(),
            address: origin.domain_name.clone(),
            source: std::io::Error::other(
                "gRPC needs https all the way, and OriginProtocolPolicy leads to http; only a node \
                 given with --origin is spoken to in clear (HTTP/2 with prior knowledge)",
            ),
        });
    }
    let clock = &http.dialer.clock;
    let name = match is_https(origin, scheme) {
        true => certificate_name(origin, &request.head.headers),
        false => String::new(),
    };
    let limits = Limits {
        origin: origin.id.clone(),
        read_timeout: origin.read_timeout,
        completion: origin.response_completion_timeout.map(|limit| clock.monotonic() + limit),
        whole: origin.response_completion_timeout.unwrap_or_default(),
    };
    let activity = Arc::new(Activity::default());
    let OriginRequest { head, body, .. } = request;
    let mut body = Some(Sending { body, activity: activity.clone(), clock: clock.clone() });
    let turn = http.turns.next(origin);
    let mut attempt = 0;
    loop {
        let more = attempt + 1 < usize::from(origin.connection_attempts.max(1));
        let place = Place { http2: true, ..place(origin, scheme, turn + attempt) };
        let (slot, Opening { dns, connect }) = match slot(http, origin, place, &name, &limits).await
        {
            Ok(slot) => slot,
            Err(OriginError::Connect { .. } | OriginError::ConnectTimeout { .. }) if more => {
                attempt += 1;
                continue;
            }
            Err(_) if http.is_over(limits.completion) => return Err(too_slow(origin)),
            Err(error) => return Err(error),
        };
        let body_now = body.take().expect("it is put back when it was not sent");
        let message = message(origin, place.scheme, &head, body_now)?;
        activity.moved(&**clock);
        let sent = clock.monotonic();
        match answer(&slot, message, &activity, &limits, &**clock).await {
            Ok(response) => {
                let first_byte = clock.monotonic().saturating_sub(sent);
                let last_byte = LastByte::default();
                let timing = Timing { dns, connect, first_byte, last_byte };
                let receiving = |incoming| Receiving {
                    incoming,
                    slot: Some(slot),
                    activity,
                    limits,
                    sent,
                    last_byte: timing.last_byte.clone(),
                    clock: clock.clone(),
                    timer: None,
                };
                let mut response = receive(origin, response, receiving)?;
                if response.body.is_end_stream() {
                    timing.last_byte.set(first_byte);
                }
                response.head.extensions.insert(timing);
                return Ok(response);
            }
            // The connection had ended, or the origin had stopped taking requests.
            Err(Failure::NotSent(unsent)) if more => {
                body = Some(unsent.into_body());
                attempt += 1;
            }
            Err(Failure::NotSent(_)) => {
                return Err(OriginError::Closed { origin: origin.id.clone(), source: None });
            }
            Err(Failure::Final(error)) => return Err(error),
        }
    }
}

/// Until when something must move.
#[derive(Debug)]
struct Limits {
    origin: String,
    /// Longest time in which neither side sends anything, while somebody waits for the origin.
    read_timeout: Duration,
    /// When the call must be over, on the monotonic clock.
    completion: Option<Duration>,
    /// How long it may take, for the message.
    whole: Duration,
}

/// What both directions of a call tell each other.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// When a frame of either direction last moved, in nanoseconds of the monotonic clock.
    last: AtomicU64,
    viewer_failed: AtomicBool,
}

impl Activity {
    fn moved(&self, clock: &dyn Clock) {
        let now = u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX);
        self.last.store(now, Relaxed);
    }

    fn deadline(&self, limits: &Limits) -> Duration {
        let still = Duration::from_nanos(self.last.load(Relaxed)) + limits.read_timeout;
        sooner(Some(still), limits.completion).unwrap_or(still)
    }
}

enum Failure {
    NotSent(Box<Request<Sending>>),
    Final(OriginError),
}

/// A place on a connection that is open, or on a new one and how long that took to open.
async fn slot(
    http: &Http,
    origin: &Origin,
    place: Place<'_>,
    name: &str,
    limits: &Limits,
) -> Result<(Slot, Opening), OriginError> {
    let crowded = |reason: &str| OriginError::Unavailable {
        origin: origin.id.clone(),
        reason: reason.to_owned(),
    };
    let clock = &http.dialer.clock;
    let name = if place.scheme == Scheme::Https { name } else { "" };
    let key = (place.scheme == Scheme::Https, place.host.to_owned(), place.port, name.to_owned());
    let shared = http
        .shared
        .place(key)
        .ok_or_else(|| crowded("connections for gRPC lead to too many other places already"))?;
    let remaining = limits.completion.map(|at| at.saturating_sub(clock.monotonic()));
    let limit = origin.connection_timeout.min(remaining.unwrap_or(Duration::MAX));
    let got = async {
        if let Ok(slot) = shared.slot() {
            return Ok((slot, Opening::default()));
        }
        let _opening = shared.opening.lock().await;
        match shared.slot() {
            Ok(slot) => return Ok((slot, Opening::default())),
            Err(Full::OpenAnother) => {}
            Err(Full::NoMore) => return Err(crowded("too many gRPC calls are under way")),
        }
        let (stream, opening) = http.dialer.open(origin, place, name, limit).await?;
        let added = shared.add(stream, clock.clone(), origin.keepalive_timeout).await;
        let slot = added.map_err(|error| OriginError::Closed {
            origin: origin.id.clone(),
            source: Some(error.into()),
        })?;
        Ok((slot, opening))
    };
    // Who waits for another's attempt waits no longer than for its own.
    match select(std::pin::pin!(got), clock.sleep(limit)).await {
        Either::Left((got, _)) => got,
        Either::Right(_) => Err(OriginError::ConnectTimeout {
            origin: origin.id.clone(),
            address: format!("{}:{}", place.host, place.port),
            seconds: limit.as_secs(),
        }),
    }
}

/// The request for hyper: HTTP/2 has the host in its URI, and says that trailers are understood.
fn message(
    origin: &Origin,
    scheme: Scheme,
    head: &http::request::Parts,
    body: Sending,
) -> Result<Request<Sending>, OriginError> {
    let mut headers = head.headers.clone();
    let host = headers.remove(HOST);
    fields::remove_where(&mut headers, |name| {
        matches!(*name, TRANSFER_ENCODING | CONTENT_LENGTH | EXPECT)
    });
    headers.insert(TE, HeaderValue::from_static("trailers"));
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(match scheme {
        Scheme::Http => UriScheme::HTTP,
        Scheme::Https => UriScheme::HTTPS,
    });
    let authority = host.as_ref().map(HeaderValue::as_bytes).unwrap_or_default();
    uri.authority = Authority::try_from(authority).ok();
    uri.path_and_query = head.uri.path_and_query().cloned();
    let unsendable = |_| OriginError::Unavailable {
        origin: origin.id.clone(),
        reason: "host and path are no URI".to_owned(),
    };
    let mut request = Request::new(body);
    *request.uri_mut() = Uri::from_parts(uri).map_err(unsendable)?;
    *request.method_mut() = head.method.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Waits for the head of the response, as long as something moves.
async fn answer(
    slot: &Slot,
    message: Request<Sending>,
    activity: &Activity,
    limits: &Limits,
    clock: &dyn Clock,
) -> Result<Response<Incoming>, Failure> {
    let mut sender = slot.sender();
    let mut sending = std::pin::pin!(sender.try_send_request(message));
    loop {
        let wait = activity.deadline(limits).saturating_sub(clock.monotonic());
        let sent = match select(sending.as_mut(), clock.sleep(wait)).await {
            Either::Left((sent, _)) => sent,
            Either::Right(_) if activity.deadline(limits) > clock.monotonic() => continue,
            Either::Right(_) => return Err(Failure::Final(limits.passed(clock))),
        };
        return sent.map_err(|mut failed| match failed.take_message() {
            Some(unsent) => Failure::NotSent(Box::new(unsent)),
            None if activity.viewer_failed.load(Relaxed) => Failure::Final(OriginError::ViewerBody),
            None => Failure::Final(OriginError::Closed {
                origin: limits.origin.clone(),
                source: Some(failed.into_error().into()),
            }),
        });
    }
}

impl Limits {
    /// The error of a deadline that has passed.
    fn passed(&self, clock: &dyn Clock) -> OriginError {
        let origin = self.origin.clone();
        match self.completion {
            Some(at) if clock.monotonic() >= at => {
                OriginError::CompletionTimeout { origin, seconds: self.whole.as_secs() }
            }
            _ => OriginError::ReadTimeout { origin, seconds: self.read_timeout.as_secs() },
        }
    }
}

fn receive(
    origin: &Origin,
    response: Response<Incoming>,
    receiving: impl FnOnce(Incoming) -> Receiving,
) -> Result<OriginResponse, OriginError> {
    let (mut head, incoming) = response.into_parts();
    check_response(&head).map_err(|reason| invalid(origin, reason.to_owned()))?;
    hop_by_hop::strip(&mut head.headers);
    head.version = Version::HTTP_11;
    // A response of a head only, as an immediate error is, has its grpc-status there.
    let body = match incoming.is_end_stream() {
        true => Body::empty(),
        false => Body::stream(receiving(incoming)),
    };
    Ok(OriginResponse { head, body })
}

/// A viewer's body on its way to the origin.
#[derive(Debug)]
pub(super) struct Sending {
    body: Body,
    activity: Arc<Activity>,
    clock: Arc<dyn Clock>,
}

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut polled = Pin::new(&mut this.body).poll_frame(cx);
        match &mut polled {
            Poll::Pending => {}
            Poll::Ready(Some(Err(_))) => this.activity.viewer_failed.store(true, Relaxed),
            Poll::Ready(frame) => {
                this.activity.moved(&*this.clock);
                if let Some(Ok(frame)) = frame
                    && let Some(fields) = frame.trailers_mut()
                {
                    trailers::clean(fields);
                }
            }
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

/// The origin's body on its way to the viewer. Dropping it resets the stream.
struct Receiving {
    incoming: Incoming,
    slot: Option<Slot>,
    activity: Arc<Activity>,
    limits: Limits,
    /// When the request was, on the monotonic clock.
    sent: Duration,
    last_byte: LastByte,
    clock: Arc<dyn Clock>,
    /// Runs while we wait for the origin.
    timer: Option<Sleep>,
}

impl Receiving {
    fn cut(&mut self, reason: String) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.slot = None;
        Poll::Ready(Some(Err(BodyError::Cut(reason.into()))))
    }

    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            if let Some(timer) = &mut self.timer {
                std::task::ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            let (now, deadline) = (self.clock.monotonic(), self.activity.deadline(&self.limits));
            if now >= deadline {
                let reason =
                    format!("{} in the middle of its body", self.limits.passed(&*self.clock));
                return self.cut(reason);
            }
            self.timer = Some(self.clock.sleep(deadline - now));
        }
    }
}

impl http_body::Body for Receiving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let origin = &this.limits.origin;
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Pending => this.wait(cx),
            Poll::Ready(Some(Ok(mut frame))) => {
                this.activity.moved(&*this.clock);
                this.timer = None;
                if let Some(fields) = frame.trailers_mut() {
                    trailers::clean(fields);
                    this.last_byte.set(this.clock.monotonic().saturating_sub(this.sent));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                let reason = match this.activity.viewer_failed.load(Relaxed) {
                    true => "the viewer broke its request body off".to_owned(),
                    false => format!("origin {origin} broke its body off: {}", innermost(&error)),
                };
                this.cut(reason)
            }
            // hyper takes a reset with CANCEL for an end, too.
            Poll::Ready(None) if !this.incoming.is_end_stream() => {
                let reason = format!("origin {origin} cancelled its response");
                this.cut(reason)
            }
            Poll::Ready(None) => {
                this.last_byte.set(this.clock.monotonic().saturating_sub(this.sent));
                this.slot = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
