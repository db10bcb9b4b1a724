//! Origins in these tests are raw sockets that follow a script; time is a clock that the test turns.

#[cfg(feature = "tls")]
mod calls;
mod directory;
mod framing;
mod limits;
mod pooling;
mod signing;
mod timing;
#[cfg(feature = "tls")]
mod tls;
mod uploads;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use warmfront_core::Origin;
use warmfront_core::origin::{Node, OriginKind, OriginProtocolPolicy, Scheme, Target};

use super::{Connector as _, OriginError, OriginRequest, OriginResponse, Origins, OriginsOptions};
use crate::body::Body;
use crate::clock::VirtualClock;

/// A listener on loopback, played by hand.
struct Script {
    listener: TcpListener,
}

/// One connection of a [`Script`].
struct Peer {
    stream: TcpStream,
}

impl Script {
    async fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    fn node(&self) -> Node {
        let port = self.listener.local_addr().unwrap().port();
        Node { scheme: Scheme::Http, host: "127.0.0.1".to_owned(), port }
    }

    async fn accept(&self) -> Peer {
        Peer { stream: self.listener.accept().await.unwrap().0 }
    }

    /// Accepts, reads one head and answers it.
    async fn serve(&self, wire: impl AsRef<[u8]>) -> Peer {
        let mut peer = self.accept().await;
        peer.head().await;
        peer.send(wire).await;
        peer
    }
}

impl Peer {
    /// Reads up to the end of a request's head.
    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.expect("the request's head comes whole"));
        }
        String::from_utf8(head).unwrap()
    }

    async fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).await.expect("the request's body comes whole");
        bytes
    }

    async fn send(&mut self, wire: impl AsRef<[u8]>) {
        self.stream.write_all(wire.as_ref()).await.unwrap();
    }

    /// Everything that still comes until the other side closes or resets.
    async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes).await;
        bytes
    }

    fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

fn clock() -> VirtualClock {
    VirtualClock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
}

fn origins(clock: &VirtualClock) -> Origins {
    Origins::new(OriginsOptions::new(Arc::new(clock.clone())))
}

/// CloudFront's default limits.
fn origin(target: Target) -> Origin {
    Origin {
        id: "site".to_owned(),
        domain_name: "origin.example".to_owned(),
        path: String::new(),
        custom_headers: Vec::new(),
        kind: OriginKind::Custom {
            http_port: 80,
            https_port: 443,
            protocol_policy: OriginProtocolPolicy::HttpOnly,
        },
        connection_attempts: 3,
        connection_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(5),
        response_completion_timeout: None,
        target,
        access_control: None,
        hides_missing: false,
    }
}

fn request(method: &str, target: &str, body: Body) -> OriginRequest {
    let head = http::Request::builder()
        .method(method)
        .uri(target)
        .header("Host", "origin.example")
        .body(())
        .unwrap();
    OriginRequest {
        head: head.into_parts().0,
        body,
        viewer: "192.0.2.1:4711".parse().unwrap(),
        request_id: "test".to_owned(),
    }
}

async fn send(
    origins: &Origins,
    origin: &Origin,
    method: &str,
) -> Result<OriginResponse, OriginError> {
    origins.send(origin, Scheme::Http, request(method, "/a?b", Body::empty())).await
}

/// The whole body, or why it broke.
async fn body_of(response: OriginResponse) -> Result<String, String> {
    let bytes = response.body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok(String::from_utf8(bytes.to_vec()).unwrap())
}

/// Sends a GET and reads the answer, which must be whole.
async fn get(origins: &Origins, origin: &Origin) -> String {
    body_of(send(origins, origin, "GET").await.unwrap()).await.unwrap()
}

/// `200` with a Content-Length.
fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}
