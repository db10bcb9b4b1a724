//! Connections that leave HTTP: once the origin has said 101, bytes pass both ways until one side ends.
//!
//! Whoever owns a connection puts a [`Handover`] into the extensions of what it passes on: a listener
//! into the request's head, a [`Connector`](crate::Connector) into the response's. A request or response
//! of hyper carries one of hyper's own, which is taken as well. Whether a request may ask for a tunnel,
//! and whether an answer is one, is decided before.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select, try_join};
use http::Extensions;
use hyper_util::rt::TokioIo;
use tokio::io::{
    AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, copy_bidirectional_with_sizes,
};
use warmfront_core::origin::Scheme;

use crate::clock::Clock;
use crate::observe::Delivery;

/// CloudFront guide, quotas: a WebSocket connection whose origin sends nothing for so long is closed.
pub const IDLE_LIMIT: Duration = Duration::from_secs(600);

/// Held for each direction, at most; who reads slowly makes the other side wait.
const BUFFER: usize = 16 << 10;

/// A connection that its owner gives away once the 101 is written or read.
///
/// Clones are the same connection, and one of them gets it; `http::Extensions` asks for `Clone`.
#[derive(Clone)]
pub struct Handover(Arc<Mutex<Option<Opening>>>);

type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send>>;

/// A byte stream in both directions.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Handover {
    /// `opening` resolves with the byte stream, whose first bytes are those behind the 101 (origin) or
    /// behind the request (viewer). Dropped unresolved, it must close the connection.
    pub fn new<T>(opening: impl Future<Output = io::Result<T>> + Send + 'static) -> Self
    where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let opening: Opening =
            Box::pin(opening.map(|opened| opened.map(|io| Box::new(io) as Box<dyn Io>)));
        Self(Arc::new(Mutex::new(Some(opening))))
    }

    /// The one that travels with a head. Costs nothing when there is none.
    pub(crate) fn take_from(extensions: &mut Extensions) -> Option<Self> {
        if extensions.is_empty() {
            return None;
        }
        extensions.remove::<Handover>().or_else(|| {
            let upgrade = extensions.remove::<hyper::upgrade::OnUpgrade>()?;
            Some(Self::new(
                upgrade.map(|upgraded| upgraded.map(TokioIo::new).map_err(io::Error::other)),
            ))
        })
    }

    /// Waits until the connection has done with HTTP, and takes it. An error when it ended before, or a
    /// clone has taken it.
    pub async fn open(self) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
        let opening = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match opening {
            Some(opening) => opening.await,
            None => Err(io::Error::other("the connection was given away before")),
        }
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handover")
    }
}

/// A tunnel that begins when the viewer's connection is handed over. It rides in the reply's extensions
/// from where the origin's 101 is read to where the reply leaves the engine.
#[derive(Debug, Clone)]
pub(crate) struct Tunnel {
    pub(crate) viewer: Handover,
    pub(crate) origin: Handover,
    /// The origin's id, for messages.
    pub(crate) origin_id: String,
}

impl Tunnel {
    /// Carries bytes until both sides have ended, one breaks, or the origin keeps silent for
    /// [`IDLE_LIMIT`]; then reports the request. Dropping the future closes both connections, and
    /// reports, too.
    pub(crate) async fn run(self, mut delivery: Box<Delivery>) {
        let clock = delivery.shared.clock.clone();
        let meter = Arc::new(Meter::new(&*clock));
        if delivery.record.detail.is_some() {
            delivery.request_bytes = Some(meter.to_origin.clone());
        }
        delivery.failure = Some("the edge ended before the tunnel did".to_owned());
        let mut closing = Closing { delivery, meter: meter.clone() };
        let carrying = std::pin::pin!(carry(self.viewer, self.origin, &meter, &clock));
        let end = match select(carrying, std::pin::pin!(silence(&meter, &*clock))).await {
            Either::Left((end, _)) => end.map_err(|error| format!("the tunnel broke: {error}")),
            Either::Right(_) => Err(format!(
                "origin {} sent nothing through the tunnel for {} s",
                self.origin_id,
                IDLE_LIMIT.as_secs()
            )),
        };
        closing.delivery.complete = end.is_ok();
        closing.delivery.failure = end.err();
    }
}

async fn carry(
    viewer: Handover,
    origin: Handover,
    meter: &Arc<Meter>,
    clock: &Arc<dyn Clock>,
) -> io::Result<()> {
    let (viewer, origin) = try_join(viewer.open(), origin.open()).await?;
    let mut viewer = Ending(viewer);
    let origin = Metered { io: origin, meter: meter.clone(), clock: clock.clone() };
    let mut origin = Ending(origin);
    // An end of one side's bytes is passed on, and the other direction goes on.
    copy_bidirectional_with_sizes(&mut viewer.0, &mut origin.0, BUFFER, BUFFER).await?;
    Ok(())
}

/// Resolves when the origin has sent nothing for [`IDLE_LIMIT`].
async fn silence(meter: &Meter, clock: &dyn Clock) {
    loop {
        let heard = Duration::from_nanos(meter.heard.load(Relaxed));
        let silent = clock.monotonic().saturating_sub(heard);
        if silent >= IDLE_LIMIT {
            return;
        }
        clock.sleep(IDLE_LIMIT - silent).await;
    }
}

/// What passed through a tunnel.
#[derive(Debug)]
struct Meter {
    from_origin: AtomicU64,
    to_origin: Arc<AtomicU64>,
    /// When the origin last sent something, in nanoseconds of the monotonic clock.
    heard: AtomicU64,
}

impl Meter {
    fn new(clock: &dyn Clock) -> Self {
        Self {
            from_origin: AtomicU64::new(0),
            to_origin: Arc::default(),
            heard: AtomicU64::new(nanos(clock)),
        }
    }
}

fn nanos(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
}

/// Reports the request when the tunnel is over, whatever ended it.
struct Closing {
    delivery: Box<Delivery>,
    meter: Arc<Meter>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.delivery.bytes = self.meter.from_origin.load(Relaxed);
    }
}

/// A stream that says goodbye when it is dropped, as far as that goes without waiting: under TLS the
/// peer could otherwise not tell an end from a cut.
struct Ending<T: AsyncWrite + Unpin>(T);

impl<T: AsyncWrite + Unpin> Drop for Ending<T> {
    fn drop(&mut self) {
        let _ = self.0.shutdown().now_or_never();
    }
}

/// The origin's side, counted.
struct Metered<T> {
    io: T,
    meter: Arc<Meter>,
    clock: Arc<dyn Clock>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Metered<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        if read > 0 {
            self.meter.from_origin.fetch_add(read as u64, Relaxed);
            self.meter.heard.store(nanos(&*self.clock), Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Metered<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes))?;
        self.meter.to_origin.fetch_add(written as u64, Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// `cs-protocol` of CloudFront's logs.
pub(crate) fn log_name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Http => "ws",
        Scheme::Https => "wss",
    }
}
