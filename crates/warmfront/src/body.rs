//! One body type for requests and replies: nothing, bytes in memory, or a stream.
//!
//! A stream that fails yields a [`BodyError`]; whoever writes it to a connection must then break the
//! stream (close without the last chunk, RST_STREAM), so that a cut answer never looks complete.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::observe::Delivery;

/// A request or response body.
pub struct Body {
    kind: Kind,
    delivery: Option<Box<Delivery>>,
}

enum Kind {
    Empty,
    Full(Bytes),
    Incoming(hyper::body::Incoming),
    Boxed(Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyError> + Send>>),
}

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The other side broke off or broke the protocol.
    #[error("the peer broke the body off")]
    Broken(#[source] hyper::Error),
    /// The origin closed early, sent too much, or stopped sending.
    #[error("{0}")]
    Cut(std::borrow::Cow<'static, str>),
    /// From an embedding application's own body.
    #[error("the application's body failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Body {
    /// No body.
    pub fn empty() -> Self {
        Self { kind: Kind::Empty, delivery: None }
    }

    /// Bytes in memory.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let kind = if bytes.is_empty() { Kind::Empty } else { Kind::Full(bytes) };
        Self { kind, delivery: None }
    }

    /// Any other stream.
    pub fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = BodyError> + Send + 'static,
    {
        Self { kind: Kind::Boxed(Box::pin(body)), delivery: None }
    }

    /// Reports to `delivery` what was handed out, once the body is done or dropped.
    pub(crate) fn reporting_to(mut self, delivery: Box<Delivery>) -> Self {
        self.delivery = Some(delivery);
        self
    }
}

impl Drop for Body {
    /// Whoever writes a body drops it once it has said its end or its length is used up, without asking
    /// once more: that is a whole body, too.
    fn drop(&mut self) {
        let is_over = http_body::Body::is_end_stream(self)
            || http_body::Body::size_hint(self).exact() == Some(0);
        if let Some(delivery) = &mut self.delivery
            && delivery.failure.is_none()
        {
            delivery.complete |= is_over;
        }
    }
}

impl From<hyper::body::Incoming> for Body {
    fn from(incoming: hyper::body::Incoming) -> Self {
        Self { kind: Kind::Incoming(incoming), delivery: None }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Empty => "Body::Empty",
            Kind::Full(_) => "Body::Full",
            Kind::Incoming(_) => "Body::Incoming",
            Kind::Boxed(_) => "Body::Stream",
        })
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.kind {
            Kind::Empty => None,
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.kind = Kind::Empty;
                Some(Ok(Frame::data(bytes)))
            }
            Kind::Incoming(incoming) => match Pin::new(incoming).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame.map(|frame| frame.map_err(BodyError::Broken)),
            },
            Kind::Boxed(body) => match body.as_mut().poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            },
        };
        if let Some(delivery) = &mut self.delivery {
            match &frame {
                Some(Ok(frame)) => {
                    delivery.bytes += frame.data_ref().map_or(0, |data| data.len() as u64)
                }
                Some(Err(error)) => delivery.failure = Some(error.to_string()),
                None => delivery.complete = true,
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Incoming(incoming) => incoming.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Incoming(incoming) => incoming.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}
