//! HTTP/1.1 and HTTP/2 toward viewers, over hyper.
//!
//! hyper frames; the rules about what a request may look like are the engine's. So that their answers
//! (414, 494) are ours and not hyper's, hyper reads somewhat beyond their limits. What hyper refuses by
//! itself (bytes that are no HTTP, a head over 64 KiB or 192 fields) gets its bare 400, 414 or 431
//! with `Connection: close`, no page and no access log line; the counter of refused connections moves.
//!
//! Head and body leave in one write, over TCP and TLS alike: hyper asks the wire, and both can.
//!
//! Interim responses go out beside hyper (`interims`), to HTTP/1.1 only: HTTP/2 viewers get none.
//!
//! A half-closed HTTP/1.1 viewer counts as gone, so that its origin request is cancelled.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt as _;
use warmfront::{Body, BodyError, Handover, Handshake, IdleLimit, TlsInfo, Viewer, ViewerRequest};

use super::Answers;
use super::guard::{Guarded, Wire};
use super::interims::Interims;
use super::patience::Order;
use super::pulse::{InFlight, Pulse, Waiting};
use crate::observe::Counters;

/// CloudFront's limit of a head is 32 KiB and the engine's of fields 128: these lie beyond both.
const HEAD_BYTES: usize = 64 << 10;
const HEAD_FIELDS: usize = 192;
/// Read and write buffer of an HTTP/1.1 connection, at most.
const BUFFER_BYTES: usize = 128 << 10;

const KEEP_ALIVE: HeaderValue = HeaderValue::from_static("keep-alive");

const STREAMS: u32 = 100;
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Streams that we reset, and streams reset before we took them up: beyond, the connection ends
/// (CVE-2025-8671, CVE-2023-44487).
const RESETS: usize = 20;
/// How long the end of a connection may take that hyper gave away without a tunnel.
const GOODBYE: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_secs(20);

/// Which protocol a connection speaks: decided by ALPN, or HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1 and 1.0.
    Http1,
    /// HTTP/2.
    Http2,
}

/// What all connections of a worker share. Requests clone its `Arc` and nothing that other workers
/// clone, too, so no count of references travels between cores.
#[derive(Debug)]
pub(crate) struct Serving<A> {
    /// Who answers.
    pub(crate) answers: A,
    /// What is counted.
    pub(crate) counters: Arc<Counters>,
    /// How long a request's body may pause.
    pub(crate) body_idle: Duration,
}

/// Serves one connection until it ends or becomes a tunnel. `place` is what it holds as long as it is
/// open. A tunnel takes it along, and leaves the pulse's limits behind: the engine has one for tunnels.
pub(crate) async fn serve<T: Wire, A: Answers>(
    wire: T,
    protocol: Protocol,
    viewer: Viewer,
    serving: Arc<Serving<A>>,
    pulse: Arc<Pulse>,
    place: impl std::fmt::Debug + Send + 'static,
) {
    let interims = (protocol == Protocol::Http1).then(Arc::<Interims>::default);
    let io = TokioIo::new(Guarded::new(wire, pulse.clone(), interims.clone(), Box::new(place)));
    let service = {
        let (pulse, serving) = (pulse.clone(), serving.clone());
        let followers = Followers::of(&viewer);
        service_fn(move |request| {
            let viewer = followers.viewer(&viewer);
            let (serving, pulse, interims) = (serving.clone(), pulse.clone(), interims.clone());
            let exchange = Exchange { serving, viewer, pulse, interims };
            exchange.run(request)
        })
    };
    match protocol {
        Protocol::Http1 => {
            let connection = http1::Builder::new()
                .max_headers(HEAD_FIELDS)
                .max_header_size(HEAD_BYTES)
                .max_buf_size(BUFFER_BYTES)
                .title_case_headers(true)
                .header_read_timeout(None)
                .timer(TokioTimer::new())
                .serve_connection(io, service)
                .with_upgrades();
            let mut connection = std::pin::pin!(connection);
            let closing = http1::UpgradeableConnection::graceful_shutdown;
            let end = drive(connection.as_mut(), closing, &pulse).await;
            if end.is_some_and(|end| end.is_err_and(|error| error.is_parse())) {
                serving.counters.refused_by_framing();
            }
        }
        Protocol::Http2 => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_header_list_size(HEAD_BYTES as u32)
                .max_send_buf_size(BUFFER_BYTES)
                .max_local_error_reset_streams(RESETS)
                .max_pending_accept_reset_streams(RESETS)
                .keep_alive_interval(PING_EVERY)
                .keep_alive_timeout(PING_EVERY)
                .serve_connection(io, service);
            let mut connection = std::pin::pin!(connection);
            drive(connection.as_mut(), http2::Connection::graceful_shutdown, &pulse).await;
        }
    }
}

/// The viewer of the requests behind the first: their TLS session was there before.
struct Followers {
    tls: Option<Arc<TlsInfo>>,
    first_is_served: AtomicBool,
}

impl Followers {
    fn of(viewer: &Viewer) -> Self {
        let reused = |tls: &Arc<TlsInfo>| {
            Arc::new(TlsInfo { handshake: Handshake::Reused, ..TlsInfo::clone(tls) })
        };
        Self { tls: viewer.tls.as_ref().map(reused), first_is_served: AtomicBool::new(false) }
    }

    /// The next request's.
    fn viewer(&self, first: &Viewer) -> Viewer {
        if self.tls.is_some() && self.first_is_served.swap(true, Relaxed) {
            return Viewer { tls: self.tls.clone(), ..first.clone() };
        }
        first.clone()
    }
}

/// Polls a connection and obeys its pulse. `None`: it was broken off.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    close: impl Fn(Pin<&mut C>),
    pulse: &Pulse,
) -> Option<C::Output> {
    let mut closing = false;
    std::future::poll_fn(move |cx| {
        match pulse.order(cx.waker()) {
            Order::Serve => {}
            Order::Close if closing => {}
            Order::Close => {
                closing = true;
                close(connection.as_mut());
            }
            Order::Break => return Poll::Ready(None),
        }
        connection.as_mut().poll(cx).map(Some)
    })
    .await
}

/// One request on its way through the engine.
struct Exchange<A> {
    serving: Arc<Serving<A>>,
    viewer: Viewer,
    pulse: Arc<Pulse>,
    interims: Option<Arc<Interims>>,
}

impl<A: Answers> Exchange<A> {
    #[expect(clippy::manual_async_fn, reason = "a block does not move what it captures once more")]
    fn run(
        self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Delivered<A>>, Infallible>> {
        async move {
            let in_flight = self.pulse.request_begins();
            self.serving.counters.request_begins();
            let (mut head, incoming) = request.into_parts();
            let handover = head.extensions.remove::<OnUpgrade>().map(handover);
            if let Some(handover) = &handover {
                head.extensions.insert(handover.clone());
            }
            let version = head.version;
            let has_body = !http_body::Body::is_end_stream(&incoming);
            let broke_off = has_body.then(|| Arc::new(AtomicBool::new(false)));
            let body = match &broke_off {
                Some(broke_off) => {
                    let idle_limit = (version == Version::HTTP_2).then(IdleLimit::default);
                    if let Some(idle_limit) = &idle_limit {
                        head.extensions.insert(idle_limit.clone());
                    }
                    Body::stream(Impatient {
                        incoming,
                        limit: self.serving.body_idle,
                        may_be_lifted: idle_limit,
                        broke_off: broke_off.clone(),
                        alarm: None,
                    })
                }
                None => Body::empty(),
            };
            // With a body hyper may have reasons of its own to close, and says so itself.
            let keeps_alive =
                version == Version::HTTP_11 && !has_body && !asks_to_close(&head.headers);
            // HTTP/1.0 has no interim responses (RFC 9110 §15.2).
            let interims = self.interims.filter(|_| version == Version::HTTP_11);
            let interim = interims.as_ref().map(Interims::request_begins);
            let viewer = Viewer { interim, ..self.viewer };
            let request = ViewerRequest { head, body, viewer };
            let answer = {
                let answering = pin!(self.serving.answers.answer(request));
                unless_it_panics(answering, interims.as_deref()).await
            };
            if let Some(interims) = &interims {
                interims.answer_begins();
            }
            let mut reply = answer.unwrap_or_else(|| {
                self.serving.counters.panicked();
                internal_error()
            });
            if version == Version::HTTP_2 {
                // Connection-specific fields make an HTTP/2 message malformed (RFC 9113 §8.2.2).
                reply.headers_mut().remove(header::CONNECTION);
            } else {
                // hyper writes the viewer's own version; an origin's 1.0 must not end ours early.
                *reply.version_mut() = Version::HTTP_11;
                if broke_off.is_some_and(|broke_off| broke_off.load(Relaxed)) {
                    // Nobody knows where the next request would begin.
                    reply
                        .headers_mut()
                        .insert(header::CONNECTION, HeaderValue::from_static("close"));
                } else if keeps_alive
                    && !self.pulse.is_closing()
                    && !reply.headers().contains_key(header::CONNECTION)
                {
                    reply.headers_mut().insert(header::CONNECTION, KEEP_ALIVE);
                }
            }
            if let Some(handover) = handover {
                if reply.status() == StatusCode::SWITCHING_PROTOCOLS {
                    self.pulse.becomes_tunnel();
                } else {
                    // Ends with the connection, or with its next request of this kind.
                    tokio::spawn(say_goodbye(handover));
                }
            }
            let waiting = self.pulse.reply_begins();
            Ok(reply.map(|body| Delivered {
                body,
                waiting,
                serving: self.serving,
                close_delimited: version < Version::HTTP_11,
                _in_flight: in_flight,
            }))
        }
    }
}

fn handover(upgrade: OnUpgrade) -> Handover {
    Handover::new(async { upgrade.await.map(TokioIo::new).map_err(std::io::Error::other) })
}

/// After a request with Upgrade hyper gives the connection away when it ends, also when the answer was
/// no 101, and leaves the end to us.
async fn say_goodbye(connection: Handover) {
    if let Ok(mut connection) = connection.open().await {
        let _ = tokio::time::timeout(GOODBYE, connection.shutdown()).await;
    }
}

/// `None` when it panics: a bug met by one request must not take the others of its thread along. While it
/// lasts, the connection is polled for interim responses, too.
async fn unless_it_panics<T>(
    mut answering: Pin<&mut impl Future<Output = T>>,
    interims: Option<&Interims>,
) -> Option<T> {
    std::future::poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(cx)));
        let polled = polled.map_or(Poll::Ready(None), |polled| polled.map(Some));
        if polled.is_pending()
            && let Some(interims) = interims
        {
            interims.wake_for_next(cx.waker());
        }
        polled
    })
    .await
}

fn asks_to_close(headers: &http::HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

/// What a viewer gets when the program itself failed.
fn internal_error() -> Response<Body> {
    let mut reply = Response::new(Body::full(
        "<html><head><title>ERROR: The request could not be satisfied</title></head>\
         <body><h1>500 ERROR</h1><p>The edge failed while it answered this request. \
         Its error output says more.</p></body></html>\n",
    ));
    *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert("x-cache", HeaderValue::from_static("Error from cloudfront"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// A reply's body on its way out: tells the pulse whether the viewer keeps up.
struct Delivered<A> {
    body: Body,
    waiting: Waiting,
    serving: Arc<Serving<A>>,
    close_delimited: bool,
    _in_flight: InFlight,
}

impl<A> http_body::Body for Delivered<A> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.waiting.for_viewer(false);
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut this.body).poll_frame(cx)));
        let frame = ready!(polled.unwrap_or_else(|_| {
            this.serving.counters.panicked();
            Poll::Ready(Some(Err(BodyError::Cut("the edge failed while it sent the body".into()))))
        }));
        match &frame {
            Some(Ok(_)) => this.waiting.for_viewer(true),
            // An HTTP/1.0 body ends with the connection: only a reset tells that this one is cut.
            Some(Err(_)) if this.close_delimited => this.waiting.pulse().end_with_reset(),
            Some(Err(_)) | None => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request body whose sender may pause only so long.
struct Impatient {
    incoming: Incoming,
    limit: Duration,
    may_be_lifted: Option<IdleLimit>,
    /// Told when the body ends before its end.
    broke_off: Arc<AtomicBool>,
    /// Runs while we wait for bytes.
    alarm: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl http_body::Body for Impatient {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.incoming).poll_frame(cx) {
            this.alarm = None;
            if matches!(frame, Some(Err(_))) {
                this.broke_off.store(true, Relaxed);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::Broken)));
        }
        if this.may_be_lifted.as_ref().is_some_and(IdleLimit::is_lifted) {
            return Poll::Pending;
        }
        let limit = this.limit;
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        ready!(alarm.as_mut().poll(cx));
        this.broke_off.store(true, Relaxed);
        let message =
            format!("the viewer sent nothing of its request body for {} s", limit.as_secs());
        Poll::Ready(Some(Err(BodyError::Cut(message.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
