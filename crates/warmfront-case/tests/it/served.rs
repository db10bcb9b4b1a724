//! The same fake edge behind real sockets, for the target that drives the started program.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use warmfront_case::socket::{Connect, Io, SocketTarget};
use warmfront_case::{BoxFuture, OpenError, Opener, Purge, Scheme, Source, Target};

use crate::fake::{self, FakeEdge};

/// Serves a fake edge on three ports: http, "https" (in the clear, the scheme is told) and admin.
pub(crate) struct ServedOpener;

impl Opener for ServedOpener {
    fn open<'a>(
        &'a self,
        source: &'a Source,
        options: &'a [String],
        origins: &'a [(String, SocketAddr)],
    ) -> BoxFuture<'a, Result<Arc<dyn Target>, OpenError>> {
        Box::pin(async move {
            let edge = fake::open(source, options, origins)?;
            let mut servers = JoinSet::new();
            let http = serve(&mut servers, edge.clone(), Scheme::Http).await;
            let https = serve(&mut servers, edge.clone(), Scheme::Https).await;
            let admin = admin(&mut servers, edge).await;
            let connect: Connect = Arc::new(move |via, _name| {
                let address = if via.scheme == Scheme::Https { https } else { http };
                Box::pin(
                    async move { Ok(Box::new(TcpStream::connect(address).await?) as Box<dyn Io>) },
                )
            });
            let target = SocketTarget::new(connect, admin, servers).await;
            target
                .map(|target| Arc::new(target) as Arc<dyn Target>)
                .map_err(|error| OpenError(error.to_string()))
        })
    }
}

async fn serve(servers: &mut JoinSet<()>, edge: Arc<FakeEdge>, scheme: Scheme) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    servers.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let edge = edge.clone();
            let service = service_fn(move |request: http::Request<Incoming>| {
                let edge = edge.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    Ok::<_, hyper::Error>(edge.call(parts, body, scheme).await)
                }
            });
            connections.spawn(async move {
                let mut first = [0; 3];
                let read = stream.peek(&mut first).await;
                let io = TokioIo::new(stream);
                // The preface of HTTP/2 begins with PRI.
                if read.is_ok() && &first == b"PRI" {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(io, service).await;
                } else {
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server.serve_connection(io, service).await;
                }
            });
        }
    });
    address
}

async fn admin(servers: &mut JoinSet<()>, edge: Arc<FakeEdge>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    servers.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let edge = edge.clone();
            let service = service_fn(move |request: http::Request<Incoming>| {
                let edge = edge.clone();
                async move {
                    if request.uri().path() == "/purge" {
                        let order = request.into_body().collect().await.unwrap().to_bytes();
                        let order: serde_json::Value = serde_json::from_slice(&order).unwrap();
                        let items = order["items"].as_array().unwrap().iter();
                        let purge = Purge {
                            items: items.map(|item| item.as_str().unwrap().to_owned()).collect(),
                            dry_run: order["dryRun"].as_bool().unwrap(),
                            ..Purge::default()
                        };
                        let receipt =
                            format!(r#"{{"total":{{"objects":{}}}}}"#, edge.purge(&purge));
                        return Ok(http::Response::new(Full::new(bytes::Bytes::from(receipt))));
                    }
                    let by = request.uri().query().and_then(|q| q.strip_prefix("ms=")).unwrap();
                    edge.advance(Duration::from_millis(by.parse().unwrap()));
                    let now = edge.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                    let body = Full::new(bytes::Bytes::from(now.as_millis().to_string()));
                    Ok::<_, Infallible>(http::Response::new(body))
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        }
    });
    address
}
