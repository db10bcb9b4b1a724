//! What the runner needs of an edge under test: open it, send a request, turn its clock.
//!
//! Two targets exist: the engine in this process and the program over sockets. Anything else that
//! answers HTTP and takes a configuration can be put behind the same two traits.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::script::Source;

/// A future behind a pointer.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// Any error.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A reply's body, as it streams in.
pub type ReplyBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;
/// A reply.
pub type Reply = http::Response<ReplyBody>;

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Via {
    /// http or https.
    pub scheme: Scheme,
    /// HTTP/1.0, 1.1 or 2.
    pub version: http::Version,
    /// The number in `viewer 1:`. Every request of every viewer comes over a connection of its own,
    /// from a loopback address.
    pub viewer: u32,
}

/// The scheme of a viewer's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// Builds the edge for a case.
pub trait Opener: Send + Sync {
    /// Opens `source` with the case's `options`, each origin in `origins` reached at its address
    /// (as `--origin NAME=http://ADDRESS` says it), and a virtual clock.
    fn open<'a>(
        &'a self,
        source: &'a Source,
        options: &'a [String],
        origins: &'a [(String, SocketAddr)],
    ) -> BoxFuture<'a, Result<Arc<dyn Target>, OpenError>>;
}

/// One opened distribution under test.
pub trait Target: Send + Sync {
    /// Sends one request. HTTP/1 requests carry the path in their URI and a `Host`; HTTP/2 requests an
    /// absolute URI and none, as they come off a server. Dropping the future, or the body, is the
    /// viewer going away.
    fn send(
        &self,
        request: http::Request<CaseBody>,
        via: Via,
    ) -> BoxFuture<'static, Result<Reply, SendError>>;

    /// Turns the clock on.
    fn advance(&self, by: Duration) -> BoxFuture<'_, Result<(), BoxError>>;

    /// The date on the target's clock.
    fn now(&self) -> SystemTime;

    /// Purges, and tells how many stored responses that meant.
    fn purge<'a>(&'a self, purge: &'a Purge) -> BoxFuture<'a, Result<u64, BoxError>>;

    /// Gives the target a chance to go on with what it can do without the clock. The runner calls
    /// this until nothing happens any more; one call need not finish the work.
    fn settle(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        })
    }
}

/// What a case wants purged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purge {
    /// A name of the distribution; needed only where there are several.
    pub distribution: Option<String>,
    /// `/path`, `/path*`, `#tag`
    pub items: Vec<String>,
    /// What is stored becomes stale instead of gone.
    pub soft: bool,
    /// Nothing is purged, only counted.
    pub dry_run: bool,
}

/// Why a distribution could not be opened; the text is shown as it is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(pub String);

/// No reply came.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SendError(pub String);

/// A viewer's body: in memory, its length told or not.
#[derive(Debug, Default)]
pub struct CaseBody {
    rest: Bytes,
    chunked: bool,
}

impl CaseBody {
    /// A body whose length is known; empty means none.
    pub fn sized(bytes: Bytes) -> Self {
        Self { rest: bytes, chunked: false }
    }

    /// A body whose length is not told: chunked on HTTP/1.1.
    pub fn chunked(bytes: Bytes) -> Self {
        Self { rest: bytes, chunked: true }
    }

    /// What is not yet read.
    pub fn remaining(&self) -> &Bytes {
        &self.rest
    }
}

impl http_body::Body for CaseBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let rest = std::mem::take(&mut self.rest);
        Poll::Ready((!rest.is_empty()).then(|| Ok(Frame::data(rest))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && !self.chunked
    }

    fn size_hint(&self) -> SizeHint {
        if self.chunked {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.rest.len() as u64)
        }
    }
}
