//! Workers with short limits and a few lines of answers, over real sockets. Every wait is for an event.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use warmfront::{Body, BodyError, Reply, Viewer, ViewerRequest};
use warmfront_core::origin::Scheme;

use super::http::{Protocol, Serving, serve};
use super::patience::Limits;
use super::pulse::Pulses;
use super::workers::{Common, Sockets, Workers};
use super::{Answers, tcp};
use crate::observe::Counters;

/// What a request may ask these answers for, by its path.
#[derive(Clone)]
struct Script {
    /// Told when a body is dropped.
    dropped: mpsc::Sender<()>,
    /// Told when `/slow` was asked, which answers when `gate` opens.
    asked: mpsc::Sender<()>,
    gate: Arc<tokio::sync::Notify>,
}

impl Answers for Script {
    async fn answer(&self, request: ViewerRequest) -> Reply {
        match request.head.uri.path() {
            "/panic" => panic!("asked to"),
            "/endless" => Response::new(Body::stream(Endless(Some(self.dropped.clone())))),
            "/cut" => Response::new(Body::stream(Cut(3))),
            "/panicking-body" => Response::new(Body::stream(Cut(0))),
            "/slow" => {
                let _ = self.asked.send(());
                self.gate.notified().await;
                Response::new(Body::full("slow"))
            }
            "/close" => {
                let mut reply = Response::new(Body::full("bye"));
                reply.headers_mut().insert("connection", "close".parse().unwrap());
                reply
            }
            _ => match request.body.collect().await {
                Ok(body) => Response::new(Body::full(body.to_bytes())),
                Err(error) => {
                    let mut reply = Response::new(Body::full(error.to_string()));
                    *reply.status_mut() = http::StatusCode::BAD_REQUEST;
                    reply
                }
            },
        }
    }
}

/// Gives bytes for as long as somebody takes them.
struct Endless(Option<mpsc::Sender<()>>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 1 << 16])))))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        if let Some(dropped) = self.0.take() {
            let _ = dropped.send(());
        }
    }
}

/// Gives some bytes, one poll apart, and breaks off; with none to give it panics.
struct Cut(u8);

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0 = self.0.checked_sub(1).expect("a bug");
        // Pending in between lets what came before be sent.
        match self.0 {
            0 => Poll::Ready(Some(Err(BodyError::Cut("cut".into())))),
            1 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"part"))))),
        }
    }
}

struct Edge {
    address: SocketAddr,
    workers: Workers,
    counters: Arc<Counters>,
    dropped: mpsc::Receiver<()>,
    asked: mpsc::Receiver<()>,
    gate: Arc<tokio::sync::Notify>,
}

const PATIENCE: Duration = Duration::from_secs(20);

/// Everything is patient except for what `limits` changes.
fn edge(limits: impl FnOnce(&mut Limits)) -> Edge {
    let mut patient = Limits::default();
    limits(&mut patient);
    let port = tcp::open("http", "127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = port.address;
    let counters = Arc::new(Counters::default());
    let common = Common {
        tls: None,
        places: Arc::new(Semaphore::new(8)),
        limits: patient,
        drain: PATIENCE,
        counters: counters.clone(),
    };
    let (drops, dropped) = mpsc::channel();
    let (asks, asked) = mpsc::channel();
    let gate = Arc::new(tokio::sync::Notify::new());
    let script = Script { dropped: drops, asked: asks, gate: gate.clone() };
    let sockets =
        port.sockets.into_iter().map(|http| Sockets { http: Some(http), https: None }).collect();
    let workers = Workers::start(&common, sockets, move || script.clone()).unwrap();
    Edge { address, workers, counters, dropped, asked, gate }
}

impl Edge {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn send(&self, request: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    }

    /// Sends and reads to the end of the connection.
    fn talk(&self, request: &str) -> String {
        to_end(&mut self.send(request))
    }
}

fn to_end(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    String::from_utf8(reply).unwrap()
}

const SHORT: Duration = Duration::from_millis(50);

#[test]
fn half_a_head_is_closed_when_its_time_is_over() {
    let edge = edge(|limits| limits.head = SHORT);
    assert_eq!(edge.talk("GET / HTTP/1.1\r\nHost: a"), "");
}

#[test]
fn an_idle_connection_is_closed_when_its_time_is_over() {
    let edge = edge(|limits| limits.keep_alive = SHORT);
    assert_eq!(edge.talk(""), "");
    let reply = edge.talk("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"), "{reply}");
}

#[test]
fn a_request_body_that_pauses_too_long_is_given_up() {
    let edge = edge(|limits| limits.body_idle = SHORT);
    let reply = edge.talk("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    assert!(reply.starts_with("HTTP/1.1 400 ") && reply.contains("sent nothing"), "{reply}");
}

#[test]
fn a_viewer_that_takes_nothing_is_broken_off() {
    let edge = edge(|limits| limits.write_stall = SHORT);
    let stream = edge.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
    edge.dropped.recv_timeout(PATIENCE).unwrap();
    drop(stream);
}

#[test]
fn an_http_2_viewer_that_opens_no_window_is_broken_off() {
    let (drops, dropped) = mpsc::channel();
    let script = Script { dropped: drops, asked: mpsc::channel().0, gate: Arc::default() };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut viewer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, address) = listener.accept().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::TcpStream::from_std(stream).unwrap();
            let limits = Limits { write_stall: SHORT, ..Limits::default() };
            let pulses = Pulses::new(limits, Arc::new(Semaphore::new(1)));
            let pulse = pulses.register(true);
            let viewer = Viewer {
                address,
                scheme: Scheme::Http,
                local_ip: None,
                local_port: 0,
                tls: None,
                interim: None,
            };
            let serving =
                Serving { answers: script, counters: Arc::default(), body_idle: PATIENCE };
            tokio::select! {
                () = serve(stream, Protocol::Http2, viewer, Arc::new(serving), pulse, ()) => {}
                () = pulses.sweep_forever() => {}
            }
        });
    });
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
    };
    viewer.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
    // SETTINGS: INITIAL_WINDOW_SIZE is nothing. HEADERS: GET, http, a path, a host; the stream ends.
    viewer.write_all(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])).unwrap();
    viewer.write_all(&frame(1, 5, 1, b"\x82\x86\x04\x08/endless\x01\x01a")).unwrap();
    dropped.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_panic_costs_one_request_only() {
    let edge = edge(|_| {});
    let mut other = edge.send("GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    edge.asked.recv_timeout(PATIENCE).unwrap();
    let reply = edge.talk("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 500 ") && reply.contains("Connection: close"), "{reply}");
    edge.talk("GET /panicking-body HTTP/1.1\r\nHost: a\r\n\r\n");
    edge.gate.notify_one();
    assert!(to_end(&mut other).ends_with("slow"));
    assert!(edge.counters.prometheus(&[]).contains("warmfront_panics_total 2"));
}

#[test]
fn a_cut_body_never_looks_complete() {
    let edge = edge(|_| {});
    let reply = edge.talk("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        reply.contains("Transfer-Encoding: chunked") && reply.ends_with("\r\npart\r\n"),
        "{reply}"
    );
    // Here only a reset can tell.
    let mut old = edge.send("GET /cut HTTP/1.0\r\nHost: a\r\n\r\n");
    let error = old.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_reply_that_closes_is_not_overtaken_by_a_reset() {
    let edge = edge(|limits| limits.linger = PATIENCE);
    let mut stream = edge.send("POST /close HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    let reply = to_end(&mut stream);
    assert!(reply.contains("Connection: close\r\n") && reply.ends_with("bye"), "{reply}");
    // A viewer in the middle of its upload goes on for a while. A closed socket would answer with a
    // reset, and then nothing more could be sent.
    for _ in 0..200 {
        stream.write_all(&[b'x'; 1_000]).unwrap();
        std::thread::yield_now();
    }
    assert_eq!(stream.take_error().unwrap().map(|error| error.kind()), None);
}

#[test]
fn at_the_limit_connections_wait_their_turn() {
    let edge = edge(|limits| limits.crowded_keep_alive = PATIENCE);
    let request = "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut held: Vec<_> = (0..8).map(|_| edge.send(request)).collect();
    for _ in &held {
        edge.asked.recv_timeout(PATIENCE).unwrap();
    }
    let mut ninth = edge.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    // Requests and replies on a held connection: the thread had every chance to take the ninth.
    edge.gate.notify_waiters();
    for _ in 0..3 {
        let mut reply = Vec::new();
        while !reply.ends_with(b"slow") && !reply.ends_with(b"xyz") {
            let mut byte = [0];
            held[0].read_exact(&mut byte).unwrap();
            reply.push(byte[0]);
        }
        let echo = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz";
        held[0].write_all(echo).unwrap();
    }
    let metrics = edge.counters.prometheus(&[]);
    assert!(metrics.contains("\nwarmfront_connections_total 8\n"), "{metrics}");
    drop(held);
    assert!(to_end(&mut ninth).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn idle_connections_make_room_when_every_place_is_taken() {
    let edge = edge(|_| {});
    let mut idle: Vec<_> = (0..8).map(|_| edge.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    for stream in &mut idle {
        stream.read_exact(&mut [0; 12]).unwrap();
    }
    // Patience is shorter than the keep-alive time of the eight.
    let reply = edge.talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
}

#[test]
fn a_drain_finishes_what_is_in_flight_and_takes_nothing_new() {
    let edge = edge(|_| {});
    let mut idle = edge.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    let mut busy = edge.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    edge.asked.recv_timeout(PATIENCE).unwrap();
    let mut workers = edge.workers;
    let drained = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(workers.drain());
    });
    // The idle connection ends, and from then on nobody listens.
    to_end(&mut idle);
    while let Ok(stream) = TcpStream::connect(edge.address) {
        drop(stream);
    }
    assert!(!drained.is_finished());
    edge.gate.notify_one();
    let reply = to_end(&mut busy).to_ascii_lowercase();
    assert!(reply.contains("connection: close") && reply.ends_with("slow"), "{reply}");
    drained.join().unwrap();
}

#[test]
fn http_2_needs_tls_and_its_preface_is_refused_in_clear_text() {
    let edge = edge(|_| {});
    let reply = edge.talk("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 400"), "{reply}");
}
