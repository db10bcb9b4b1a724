//! gRPC through the program: HTTP/2 over TLS from the viewer, HTTP/2 in clear to a node.
//!
//! The framing of gRPC messages is nobody's business on the way, so bodies here are plain text.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::mpsc;

use super::harness::{PASS_THROUGH, PATIENCE, Program, source};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Stream = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BoxError> + Send>>;

/// A body that is written piece by piece.
fn channel() -> (mpsc::Sender<Frame<Bytes>>, Stream) {
    let (sender, mut receiver) = mpsc::channel::<Frame<Bytes>>(1);
    let frames = stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|next| next.map(Ok)));
    (sender, Box::pin(StreamBody::new(frames)))
}

/// The same, but what is dropped without more breaks off.
fn breaking_channel() -> (mpsc::Sender<Frame<Bytes>>, Stream) {
    let (sender, mut receiver) = mpsc::channel::<Frame<Bytes>>(1);
    let frames = stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|next| Some(next.ok_or_else(|| BoxError::from("cut"))))
    });
    (sender, Box::pin(StreamBody::new(frames)))
}

fn text(text: &str) -> Frame<Bytes> {
    Frame::data(Bytes::copy_from_slice(text.as_bytes()))
}

/// A server that speaks nothing but HTTP/2 in clear.
struct Origin {
    address: SocketAddr,
    heads: Mutex<Vec<http::request::Parts>>,
    connections: AtomicUsize,
    /// Bytes of `/flood` that were asked for.
    flooded: AtomicUsize,
    /// Bodies that broke off, or that nobody wanted to the end.
    broken: AtomicUsize,
    breaks: tokio::sync::Notify,
}

impl Origin {
    async fn start() -> Arc<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            heads: Mutex::default(),
            connections: AtomicUsize::new(0),
            flooded: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            breaks: tokio::sync::Notify::new(),
        });
        let shared = origin.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                shared.connections.fetch_add(1, Relaxed);
                let shared = shared.clone();
                let service = hyper::service::service_fn(move |request| {
                    let reply = shared.clone().answer(request);
                    async move { Ok::<_, std::convert::Infallible>(reply) }
                });
                let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service);
                tokio::spawn(serving);
            }
        });
        origin
    }

    fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Stream> {
        let (head, body) = request.into_parts();
        let target = head.uri.path().to_owned();
        self.heads.lock().unwrap().push(head);
        let (sender, reply) = if target == "/cut" { breaking_channel() } else { channel() };
        tokio::spawn(self.clone().play(target.clone(), body, sender));
        let reply: Stream = match target.as_str() {
            "/flood" => Box::pin(Flood(self)),
            "/not-found" => Box::pin(http_body_util::Empty::new().map_err(|never| match never {})),
            _ => reply,
        };
        let mut response = Response::new(reply);
        let headers = response.headers_mut();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        if target == "/not-found" {
            headers.insert("grpc-status", "5".parse().unwrap());
        }
        response
    }

    async fn play(
        self: Arc<Self>,
        target: String,
        mut body: Incoming,
        reply: mpsc::Sender<Frame<Bytes>>,
    ) {
        if target == "/stall" {
            let _ = reply.send(text("one")).await;
            reply.closed().await;
            return;
        }
        if target == "/cut" {
            let _ = reply.send(text("some")).await;
            let _ = body.frame().await;
            return;
        }
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) if target == "/echo" && frame.is_data() => {
                    let _ = reply.send(frame).await;
                }
                Ok(_) => {}
                Err(_) => {
                    self.broke();
                    return;
                }
            }
        }
        let mut trailers = HeaderMap::new();
        for (name, value) in
            [("grpc-status", "0"), ("x-note", "fine"), ("set-cookie", "a=b"), ("x-cache", "Hit")]
        {
            trailers.insert(name, value.parse().unwrap());
        }
        let _ = reply.send(Frame::trailers(trailers)).await;
    }
}

impl Origin {
    async fn await_breaks(&self, times: usize) {
        within(async {
            while self.broken.load(Relaxed) < times {
                self.breaks.notified().await;
            }
        })
        .await;
    }

    fn broke(&self) {
        self.broken.fetch_add(1, Relaxed);
        self.breaks.notify_one();
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        if self.0.flooded.load(Relaxed) < FLOOD {
            self.0.broke();
        }
    }
}

/// 64 MiB for whoever reads them.
struct Flood(Arc<Origin>);

const FLOOD: usize = 64 << 20;
const PIECE: usize = 16 << 10;

impl http_body::Body for Flood {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let sent = self.0.flooded.fetch_add(PIECE, Relaxed);
        Poll::Ready((sent < FLOOD).then(|| Ok(Frame::data(Bytes::from_static(&[7; PIECE])))))
    }
}

const GRPC: &str = "ViewerProtocolPolicy: allow-all\n          GrpcConfig: { Enabled: true }";

struct World {
    program: Program,
    origin: Arc<Origin>,
    viewer: SendRequest<Stream>,
    _directory: tempfile::TempDir,
}

async fn world(arguments: &[&str]) -> World {
    let origin = Origin::start().await;
    let template = PASS_THROUGH.replace("ViewerProtocolPolicy: allow-all", GRPC);
    let (directory, template) = source(&template);
    let flag = format!("site=http://{}", origin.address);
    let all: Vec<&str> = ["--origin", &flag].into_iter().chain(arguments.iter().copied()).collect();
    let program = Program::start(&template, &all).unwrap();
    let viewer = viewer(&program).await;
    World { program, origin, viewer, _directory: directory }
}

async fn viewer(program: &Program) -> SendRequest<Stream> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let pem = program.state.join("ca.pem");
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(program.https).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn call(target: &str, body: Stream) -> Request<Stream> {
    Request::post(format!("https://localhost{target}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .header("grpc-timeout", "1S")
        .body(body)
        .unwrap()
}

impl World {
    async fn open(&mut self, target: &str) -> (mpsc::Sender<Frame<Bytes>>, Response<Incoming>) {
        let (sender, body) = channel();
        (sender, within(self.viewer.send_request(call(target, body))).await.unwrap())
    }

    fn advance(&self, seconds: u64) {
        let target = format!("/clock/advance?ms={}", seconds * 1000);
        assert!(self.program.admin("POST", &target).starts_with("HTTP/1.1 200 "));
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

async fn next(body: &mut Incoming) -> Bytes {
    within(body.frame()).await.unwrap().unwrap().into_data().expect("data")
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

#[test]
fn a_call_streams_both_ways_at_once_and_ends_with_its_trailers() {
    run(async {
        let mut world = world(&["--access-log", "json"]).await;
        let (sender, response) = world.open("/echo").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["x-cache"], "Miss from cloudfront");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        let mut body = response.into_body();
        // Each answer comes before the next question is asked.
        for question in ["one", "two", "three"] {
            sender.send(text(question)).await.unwrap();
            assert_eq!(next(&mut body).await, question);
        }
        drop(sender);
        let trailers = within(body.frame()).await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(trailers["x-note"], "fine");
        assert_eq!(trailers.len(), 2, "what only a head may say is gone: {trailers:?}");
        assert!(within(body.frame()).await.is_none());

        let heads = world.origin.heads.lock().unwrap();
        let head = &heads[0];
        assert_eq!(head.version, Version::HTTP_2);
        assert_eq!(head.uri.authority().unwrap().as_str(), "localhost", "AllViewer forwards Host");
        for (name, value) in [
            ("te", "trailers"),
            ("content-type", "application/grpc+proto"),
            ("grpc-timeout", "1S"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            assert_eq!(head.headers[name], value);
        }
        drop(heads);
        assert!(world.program.stdout.wait_for("\n"));
        let line: serde_json::Value =
            serde_json::from_str(world.program.stdout.text().trim()).unwrap();
        assert_eq!(
            (&line["status"], &line["result"], &line["body_bytes"], &line["complete"]),
            (&200.into(), &"Miss".into(), &11.into(), &true.into()),
            "{line}"
        );
    });
}

#[test]
fn a_mebibyte_each_way_arrives_whole_and_many_calls_share_a_connection() {
    run(async {
        let mut world = world(&[]).await;
        let mut calls = Vec::new();
        for _ in 0..60 {
            calls.push(world.open("/echo").await);
        }
        assert_eq!(world.origin.connections.load(Relaxed), 1);
        let (sender, response) = calls.pop().unwrap();
        let sending = tokio::spawn(async move {
            for piece in 0..256_usize {
                sender.send(Frame::data(Bytes::from(vec![piece as u8; 4096]))).await.unwrap();
            }
        });
        let collected = within(response.into_body().collect()).await.unwrap();
        sending.await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        let bytes = collected.to_bytes();
        assert_eq!(bytes.len(), 1 << 20);
        assert!(bytes.chunks(4096).enumerate().all(|(at, piece)| piece == [at as u8; 4096]));
        for (sender, response) in calls {
            drop(sender);
            let collected = within(response.into_body().collect()).await.unwrap();
            assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        }
    });
}

#[test]
fn an_error_of_the_server_keeps_its_form() {
    run(async {
        let mut world = world(&[]).await;
        let (_sender, response) = world.open("/not-found").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["grpc-status"], "5");
        let (sender, response) = world.open("/cut").await;
        let mut body = response.into_body();
        assert_eq!(next(&mut body).await, "some");
        sender.send(text("go on")).await.unwrap();
        let cut = within(body.collect()).await;
        assert!(cut.is_err(), "a call that broke off must not look complete");
    });
}

#[test]
fn whoever_moves_nothing_for_the_read_time_out_ends_the_call() {
    run(async {
        let mut world = world(&["--virtual-clock"]).await;
        // As long as one side moves, the other may be silent.
        let (sender, response) = world.open("/echo").await;
        let mut body = response.into_body();
        for _ in 0..4 {
            world.advance(20);
            sender.send(text("x")).await.unwrap();
            assert_eq!(next(&mut body).await, "x");
        }
        world.advance(30);
        let end = within(body.collect()).await;
        assert!(end.is_err(), "30 s without anything");

        let (_sender, response) = world.open("/stall").await;
        let mut body = response.into_body();
        assert_eq!(next(&mut body).await, "one");
        world.advance(30);
        assert!(within(body.collect()).await.is_err());
    });
}

#[test]
fn a_viewer_that_leaves_is_missed_by_the_origin() {
    run(async {
        let mut world = world(&[]).await;
        // In the middle of its request: the origin's reading ends with an error.
        let (sender, body) = breaking_channel();
        let response = within(world.viewer.send_request(call("/echo", body))).await.unwrap();
        sender.send(text("x")).await.unwrap();
        let mut body = response.into_body();
        assert_eq!(next(&mut body).await, "x");
        drop(sender);
        world.origin.await_breaks(1).await;
        // In the middle of the reply: the origin's writing ends.
        let (sender, response) = world.open("/flood").await;
        drop(sender);
        let mut body = response.into_body();
        next(&mut body).await;
        drop(body);
        world.origin.await_breaks(2).await;
    });
}

#[test]
fn a_viewer_that_reads_nothing_stops_the_origin_and_nobody_else() {
    run(async {
        let mut world = world(&[]).await;
        let (_sender, response) = world.open("/flood").await;
        for _ in 0..50 {
            let (sender, response) = world.open("/echo").await;
            drop(sender);
            within(response.into_body().collect()).await.unwrap();
        }
        let flooded = world.origin.flooded.load(Relaxed);
        assert!(flooded < 4 << 20, "{flooded} bytes for a viewer that read none");
        let bytes = within(response.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(bytes.len(), 64 << 20);
    });
}

#[test]
fn what_is_no_call_goes_the_ordinary_way() {
    run(async {
        let mut world = world(&[]).await;
        let (_, body) = channel();
        let mut request = call("/echo", body);
        request.headers_mut().insert("content-type", "application/grpc-web".parse().unwrap());
        // This origin understands no HTTP/1.1.
        let response = within(world.viewer.send_request(request)).await.unwrap();
        assert_eq!(response.status(), 502);
        assert_eq!(world.origin.heads.lock().unwrap().len(), 0);

        let ordinary = super::origin::Origin::start();
        let (_directory, template) = source(PASS_THROUGH);
        let program = Program::start(&template, &["--origin", &ordinary.flag()]).unwrap();
        let (sender, body) = channel();
        drop(sender);
        let mut viewer = viewer(&program).await;
        let response = within(viewer.send_request(call("/plain", body))).await.unwrap();
        assert_eq!(response.status(), 200, "without GrpcConfig it is a POST like any other");
        assert!(ordinary.seen("/plain")[0].head.contains("content-type: application/grpc+proto"));
    });
}
