//! The started program as a target: requests over sockets, the clock through its admin port.
//!
//! How to start the program and how to trust its certificate is the caller's: a [`Connect`] gives a
//! connection that speaks bytes, so this crate needs no TLS. The program must have been started with a
//! virtual clock; `POST /clock/advance?ms=N` turns it and answers with its date, as milliseconds since
//! 1970 in decimal digits. A header `Requests-Begun`, if there is one, says how many requests have reached the
//! program so far: so it is known that those which were sent are there, and not still on their way.

use std::any::Any;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::target::{
    BoxError, BoxFuture, CaseBody, Purge, Reply, ReplyBody, Scheme, SendError, Target, Via,
};

/// A connection.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Opens a connection for a request: plain for http; for https with a TLS handshake that offers `h2` by
/// ALPN when the version is HTTP/2 and `http/1.1` otherwise, and the server name given.
pub type Connect = Arc<
    dyn Fn(Via, String) -> BoxFuture<'static, std::io::Result<Box<dyn Io>>> + Send + Sync + 'static,
>;

/// Turns of the clock by nothing that a settling waits for requests that are on their way.
const LONGEST_WAY: usize = 100;

/// The requests that were sent.
#[derive(Debug, Default)]
struct Sends {
    all: AtomicU64,
    /// Those without an answer.
    outstanding: AtomicU64,
    /// Those that the program never saw: it could not read them, or their viewer left.
    lost: AtomicU64,
}

impl Sends {
    fn begin(self: &Arc<Self>) -> Sending {
        self.all.fetch_add(1, Ordering::Relaxed);
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Sending(self.clone())
    }

    /// Whether all have reached a program that has seen `begun`.
    fn are_there(&self, begun: u64) -> bool {
        let missing = self.all.load(Ordering::Relaxed).saturating_sub(begun);
        if self.outstanding.load(Ordering::Relaxed) == 0 {
            self.lost.store(missing, Ordering::Relaxed);
        }
        missing <= self.lost.load(Ordering::Relaxed)
    }
}

/// A request without an answer.
struct Sending(Arc<Sends>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The program, reached over sockets.
pub struct SocketTarget {
    connect: Connect,
    admin: SocketAddr,
    /// The program's date, in milliseconds since 1970.
    now: AtomicU64,
    sends: Arc<Sends>,
    /// Ends the program when the case is over.
    _kept: Mutex<Box<dyn Any + Send>>,
}

impl std::fmt::Debug for SocketTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SocketTarget").field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl SocketTarget {
    /// A target for a program that is ready and whose admin port is `admin`. `kept` is dropped with the
    /// target: put the child process there.
    pub async fn new(
        connect: Connect,
        admin: SocketAddr,
        kept: impl Any + Send,
    ) -> Result<Self, BoxError> {
        let kept = Mutex::new(Box::new(kept) as Box<dyn Any + Send>);
        let (now, sends) = Default::default();
        let target = Self { connect, admin, now, sends, _kept: kept };
        target.turn(Duration::ZERO).await?;
        Ok(target)
    }

    /// Turns the clock; returned is how many requests have reached the program, if it tells.
    async fn turn(&self, by: Duration) -> Result<Option<u64>, BoxError> {
        let stream = TcpStream::connect(self.admin).await?;
        let request = http::Request::post(format!("/clock/advance?ms={}", by.as_millis()))
            .header(http::header::HOST, self.admin.to_string())
            .body(CaseBody::default())?;
        let via = Via { scheme: Scheme::Http, version: http::Version::HTTP_11, viewer: 0 };
        let reply = exchange(Box::new(stream), request, via).await?;
        let status = reply.status();
        let begun = reply.headers().get("requests-begun").and_then(|begun| begun.to_str().ok());
        let begun = begun.and_then(|begun| begun.parse().ok());
        let body = reply.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body);
        if status != http::StatusCode::OK {
            return Err(format!(
                "POST /clock/advance on the admin port answers {status}: {}; was the program started \
                 with a virtual clock?",
                text.trim()
            )
            .into());
        }
        let now = text.trim().parse().map_err(|_| {
            format!("/clock/advance answers {:?}, not the date in milliseconds", text.trim())
        })?;
        self.now.store(now, Ordering::Relaxed);
        Ok(begun)
    }
}

impl Target for SocketTarget {
    fn send(
        &self,
        request: http::Request<CaseBody>,
        via: Via,
    ) -> BoxFuture<'static, Result<Reply, SendError>> {
        let (connect, sending) = (self.connect.clone(), self.sends.begin());
        Box::pin(async move {
            let _sending = sending;
            let name = server_name(&request);
            let failed = |error: BoxError| SendError(error.to_string());
            let io = connect(via, name).await.map_err(|error| failed(error.into()))?;
            exchange(io, request, via).await.map_err(failed)
        })
    }

    fn advance(&self, by: Duration) -> BoxFuture<'_, Result<(), BoxError>> {
        Box::pin(async move { self.turn(by).await.map(drop) })
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.now.load(Ordering::Relaxed))
    }

    fn purge<'a>(&'a self, purge: &'a Purge) -> BoxFuture<'a, Result<u64, BoxError>> {
        Box::pin(async move {
            let order = serde_json::json!({
                "distribution": purge.distribution,
                "items": purge.items,
                "soft": purge.soft,
                "dryRun": purge.dry_run,
            });
            let stream = TcpStream::connect(self.admin).await?;
            let request = http::Request::post("/purge")
                .header(http::header::HOST, self.admin.to_string())
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(CaseBody::sized(order.to_string().into()))?;
            let via = Via { scheme: Scheme::Http, version: http::Version::HTTP_11, viewer: 0 };
            let reply = exchange(Box::new(stream), request, via).await?;
            let status = reply.status();
            let body = reply.into_body().collect().await?.to_bytes();
            let receipt: serde_json::Value = serde_json::from_slice(&body)?;
            match (status, receipt["total"]["objects"].as_u64()) {
                (http::StatusCode::OK, Some(objects)) => Ok(objects),
                _ => Err(format!("/purge answers {status}: {receipt}").into()),
            }
        })
    }

    /// A round trip to the program: it was scheduled and answered, so what was ready before has had
    /// its turn. Several, while requests are on their way to it.
    fn settle(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            for _ in 0..LONGEST_WAY {
                match self.turn(Duration::ZERO).await {
                    Ok(Some(begun)) if !self.sends.are_there(begun) => {}
                    // A program that is gone shows in the step that follows.
                    _ => break,
                }
            }
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        })
    }
}

/// The host without its port, for the TLS server name.
fn server_name(request: &http::Request<CaseBody>) -> String {
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let host = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = authority.or(host).unwrap_or("localhost");
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name.to_owned(),
        _ => host.to_owned(),
    }
}

/// One request on a connection of its own.
async fn exchange(
    io: Box<dyn Io>,
    request: http::Request<CaseBody>,
    via: Via,
) -> Result<Reply, BoxError> {
    let io = TokioIo::new(io);
    let (reply, connection) = if via.version == http::Version::HTTP_2 {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
        let connection = Connection(tokio::spawn(async move {
            // Its errors reach the request and the body.
            let _ = connection.await;
        }));
        (sender.send_request(request).await?, connection)
    } else {
        let (mut sender, connection) =
            hyper::client::conn::http1::Builder::new().max_headers(256).handshake(io).await?;
        let connection = Connection(tokio::spawn(async move {
            let _ = connection.await;
        }));
        (sender.send_request(request).await?, connection)
    };
    Ok(reply.map(|body| Box::pin(Streamed { body, _connection: connection }) as ReplyBody))
}

/// Ends the connection with the request: a viewer that leaves closes its socket.
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Streamed {
    body: Incoming,
    _connection: Connection,
}

impl Body for Streamed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
    }
}
