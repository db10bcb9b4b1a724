//! What came back: which responses we pass on, and the body that gives its connection back.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Response, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use warmfront_core::http::framing::check_response;
use warmfront_core::http::upgrade::{self, Protocol};
use warmfront_core::http::{hop_by_hop, trailers};

use super::OriginResponse;
use super::link::Fact;
use super::outgoing::sooner;
use super::pool::{Lease, Opening};
use super::timing::{LastByte, Timing};
use crate::body::{Body, BodyError};
use crate::tunnel::Handover;

/// Response fields beyond this many make the response invalid.
pub(super) const MAX_FIELDS: usize = 256;
/// A response head longer than this many octets is invalid, and so are trailers.
pub(super) const MAX_HEAD: usize = 32 * 1024;

/// The time limits that a body is under, and when its time began.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Longest wait for the next octet, counted only while somebody waits.
    pub(super) read_timeout: Duration,
    /// When the whole exchange must be over, on the monotonic clock.
    pub(super) completion: Option<Duration>,
    /// How long the connection is kept afterwards.
    pub(super) keepalive: Duration,
    /// When the request was sent, on the monotonic clock.
    pub(super) sent: Duration,
}

/// The response to pass on, or why there is none (reliability.md §1, rules 9-12). `asked` is what the
/// request wanted its connection to become.
pub(super) fn receive(
    response: Response<Incoming>,
    lease: Lease,
    limits: BodyLimits,
    asked: Option<Protocol>,
) -> Result<OriginResponse, String> {
    let (mut head, incoming) = response.into_parts();
    let first_byte = lease.host().clock().monotonic().saturating_sub(limits.sent);
    let Opening { dns, connect } = lease.opening;
    let timing = Timing { dns, connect, first_byte, last_byte: LastByte::default() };
    head.extensions.insert(timing.clone());
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let Some(protocol) = asked else {
            return Err("it switched protocols (101) without being asked".to_owned());
        };
        return switch(head, lease, protocol);
    }
    check_response(&head).map_err(str::to_owned)?;
    hop_by_hop::strip(&mut head.headers);
    // Whatever the origin speaks, a body that breaks off must be seen to break off.
    head.version = Version::HTTP_11;
    // HEAD, 204, 304 and an empty body end with the head.
    let body = if incoming.is_end_stream() {
        timing.last_byte.set(first_byte);
        lease.release(limits.keepalive);
        Body::empty()
    } else {
        lease.link().set(Fact::Answered);
        lease.link().must_happen_by(limits.completion);
        let last_byte = timing.last_byte;
        Body::stream(OriginBody {
            incoming,
            lease: Some(lease),
            limits,
            last_byte,
            is_waiting: false,
        })
    };
    Ok(OriginResponse { head, body })
}

/// A 101 that was asked for: the connection leaves the pool for good and goes to the tunnel, with the
/// bytes that came behind the head.
fn switch(
    mut head: http::response::Parts,
    lease: Lease,
    protocol: Protocol,
) -> Result<OriginResponse, String> {
    upgrade::check_switch(&head, protocol).map_err(str::to_owned)?;
    // A 101 has no body, whatever it says (RFC 9112 §6.3).
    for name in [CONTENT_LENGTH, TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    head.status = StatusCode::OK;
    let checked = check_response(&head).map_err(str::to_owned);
    head.status = StatusCode::SWITCHING_PROTOCOLS;
    checked?;
    hop_by_hop::strip(&mut head.headers);
    let Some(upgrade) = head.extensions.remove::<hyper::upgrade::OnUpgrade>() else {
        return Err("it switched protocols (101) on a connection that cannot".to_owned());
    };
    let handover = Handover::new(async move {
        let upgraded = upgrade.await.map_err(std::io::Error::other);
        // Until here a dropped lease would have closed the connection.
        drop(lease);
        upgraded.map(TokioIo::new)
    });
    head.extensions.insert(handover);
    head.version = Version::HTTP_11;
    Ok(OriginResponse { head, body: Body::empty() })
}

/// A response body. At its end the connection goes back to the pool; dropped before, it closes it.
#[derive(Debug)]
struct OriginBody {
    incoming: Incoming,
    lease: Option<Lease>,
    limits: BodyLimits,
    last_byte: LastByte,
    is_waiting: bool,
}

impl OriginBody {
    fn wait(&mut self) {
        let Some(lease) = &self.lease else { return };
        if !self.is_waiting {
            self.is_waiting = true;
            let now = lease.host().clock().monotonic();
            let deadline = sooner(Some(now + self.limits.read_timeout), self.limits.completion);
            lease.link().must_happen_by(deadline);
        }
    }

    fn go_on(&mut self) {
        if self.is_waiting {
            self.is_waiting = false;
            if let Some(lease) = &self.lease {
                lease.link().must_happen_by(self.limits.completion);
            }
        }
    }

    fn finish(&mut self) {
        if let Some(lease) = self.lease.take() {
            let now = lease.host().clock().monotonic();
            self.last_byte.set(now.saturating_sub(self.limits.sent));
            lease.release(self.limits.keepalive);
        }
    }

    fn fail(&mut self, error: hyper::Error) -> BodyError {
        let Some(lease) = self.lease.take() else { return BodyError::Broken(error) };
        let name = lease.host().name();
        let reason = if !lease.link().is(Fact::Expired) {
            format!("origin {name} broke its body off: {}", innermost(&error))
        } else if self.limits.completion.is_some_and(|at| lease.host().clock().monotonic() >= at) {
            format!("origin {name} did not finish within ResponseCompletionTimeout")
        } else {
            let seconds = self.limits.read_timeout.as_secs();
            format!("origin {name} sent nothing for {seconds} s in the middle of its body")
        };
        BodyError::Cut(reason.into())
    }
}

/// The message of the cause that no other cause is behind.
pub(super) fn innermost(error: &hyper::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl http_body::Body for OriginBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = &mut *self;
        match Pin::new(&mut body.incoming).poll_frame(cx) {
            Poll::Pending => {
                body.wait();
                Poll::Pending
            }
            Poll::Ready(Some(Ok(mut frame))) => {
                body.go_on();
                if let Some(fields) = frame.trailers_mut() {
                    trailers::clean(fields);
                }
                if frame.is_trailers() || body.incoming.is_end_stream() {
                    body.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(body.fail(error)))),
            Poll::Ready(None) => {
                body.finish();
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
