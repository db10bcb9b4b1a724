//! A fake edge: one origin called `app`, a cache by path that knows max-age, one fetch per path at a
//! time, 30 virtual seconds of patience. Just enough of CloudFront to show every word of the language.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::watch;
use warmfront_case::{
    BoxError, BoxFuture, CaseBody, OpenError, Opener, Purge, Reply, ReplyBody, Scheme, SendError,
    Source, Target, Via,
};

const READ_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) struct FakeEdge {
    origins: Vec<(String, SocketAddr)>,
    clock: watch::Sender<SystemTime>,
    cache: Mutex<HashMap<String, Stored>>,
    fetching: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// How often anything was purged: what was asked for before is not stored.
    purges: Mutex<u64>,
}

#[derive(Clone)]
struct Stored {
    head: HeaderMap,
    body: Bytes,
    at: SystemTime,
    fresh_for: Duration,
}

/// Opens a [`FakeEdge`], unless the distribution says it must not.
pub(crate) struct FakeOpener;

impl Opener for FakeOpener {
    fn open<'a>(
        &'a self,
        source: &'a Source,
        options: &'a [String],
        origins: &'a [(String, SocketAddr)],
    ) -> BoxFuture<'a, Result<Arc<dyn Target>, OpenError>> {
        Box::pin(async move {
            open(source, options, origins).map(|edge| Arc::new(Fake(edge)) as Arc<dyn Target>)
        })
    }
}

pub(crate) fn open(
    source: &Source,
    options: &[String],
    origins: &[(String, SocketAddr)],
) -> Result<Arc<FakeEdge>, OpenError> {
    if let Source::Inline { text, line } = source
        && text.contains("Broken")
    {
        return Err(OpenError(format!("line {line}: broken")));
    }
    if options.iter().any(|option| option == "--unknown") {
        return Err(OpenError("no option is called --unknown".to_owned()));
    }
    let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    Ok(Arc::new(FakeEdge {
        origins: origins.to_vec(),
        clock: watch::Sender::new(epoch),
        cache: Mutex::default(),
        fetching: Mutex::default(),
        purges: Mutex::default(),
    }))
}

struct Fake(Arc<FakeEdge>);

impl Target for Fake {
    fn send(
        &self,
        request: http::Request<CaseBody>,
        via: Via,
    ) -> BoxFuture<'static, Result<Reply, SendError>> {
        let edge = self.0.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.remaining().clone();
            Ok(edge.call(parts, body, via.scheme).await)
        })
    }

    fn advance(&self, by: Duration) -> BoxFuture<'_, Result<(), BoxError>> {
        self.0.advance(by);
        Box::pin(async { Ok(()) })
    }

    fn now(&self) -> SystemTime {
        self.0.now()
    }

    fn purge<'a>(&'a self, purge: &'a Purge) -> BoxFuture<'a, Result<u64, BoxError>> {
        let purged = self.0.purge(purge);
        Box::pin(async move { Ok(purged) })
    }
}

impl FakeEdge {
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.send_modify(|now| *now += by);
    }

    pub(crate) fn now(&self) -> SystemTime {
        *self.clock.borrow()
    }

    /// Paths only: the fake knows no tags, and what it calls soft is gone.
    pub(crate) fn purge(&self, purge: &Purge) -> u64 {
        let mut cache = self.cache.lock().unwrap();
        let before = cache.len();
        let mut kept = cache.clone();
        kept.retain(|path, _| {
            !purge.items.iter().any(|item| match item.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == item,
            })
        });
        let purged = (before - kept.len()) as u64;
        if !purge.dry_run {
            *self.purges.lock().unwrap() += 1;
            *cache = kept;
        }
        purged
    }

    pub(crate) async fn call(
        self: Arc<Self>,
        request: http::request::Parts,
        body: Bytes,
        scheme: Scheme,
    ) -> Reply {
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        if request.method == Method::DELETE {
            return made_here(403, "not allowed");
        }
        if let Some(hit) = self.hit(&path) {
            return hit;
        }
        let lock = self.fetching.lock().unwrap().entry(path.clone()).or_default().clone();
        let alone = lock.lock().await;
        let before = *self.purges.lock().unwrap();
        if let Some(hit) = self.hit(&path) {
            return hit;
        }
        let mut now = self.clock.subscribe();
        let deadline = self.now() + READ_TIMEOUT;
        let answer = tokio::select! {
            answer = self.fetch(&request, &path, body, scheme) => answer,
            _ = now.wait_for(|now| *now >= deadline) => return made_here(504, "too slow"),
        };
        let Ok((mut head, body)) = answer.map(Response::into_parts) else {
            return made_here(502, "no answer");
        };
        head.headers.insert("x-cache", HeaderValue::from_static("Miss from cloudfront"));
        let control = head.headers.get(header::CACHE_CONTROL).and_then(|v| v.to_str().ok());
        let max_age = control.and_then(|v| v.strip_prefix("max-age=")?.parse().ok());
        let Some(max_age) = max_age else {
            drop(alone);
            return Response::from_parts(head, body);
        };
        match body.collect().await {
            Ok(body) => {
                let stored = Stored {
                    head: head.headers.clone(),
                    body: body.to_bytes(),
                    at: self.now(),
                    fresh_for: Duration::from_secs(max_age),
                };
                let body = Box::pin(full(stored.body.clone())) as ReplyBody;
                let mut cache = self.cache.lock().unwrap();
                if *self.purges.lock().unwrap() == before {
                    cache.insert(path, stored);
                }
                drop(cache);
                Response::from_parts(head, body)
            }
            Err(error) => Response::from_parts(head, Box::pin(Broken(Some(error)))),
        }
    }

    fn hit(&self, path: &str) -> Option<Reply> {
        let Stored { head, body, at, fresh_for } = self.cache.lock().unwrap().get(path)?.clone();
        let age = self.now().duration_since(at).unwrap();
        if age >= fresh_for {
            return None;
        }
        let mut reply = Response::new(Box::pin(full(body)) as ReplyBody);
        *reply.headers_mut() = head;
        reply.headers_mut().insert("x-cache", HeaderValue::from_static("Hit from cloudfront"));
        reply.headers_mut().insert(header::AGE, age.as_secs().into());
        Some(reply)
    }

    async fn fetch(
        &self,
        request: &http::request::Parts,
        path: &str,
        body: Bytes,
        scheme: Scheme,
    ) -> Result<Reply, BoxError> {
        let (_, address) = self.origins.iter().find(|(name, _)| name == "app").ok_or("no app")?;
        let stream = TcpStream::connect(address).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut asked = http::Request::new(full(body));
        *asked.method_mut() = request.method.clone();
        *asked.uri_mut() = path.parse()?;
        *asked.headers_mut() = request.headers.clone();
        let headers = asked.headers_mut();
        headers.remove(header::COOKIE);
        headers.remove(header::TRANSFER_ENCODING);
        headers.insert(header::HOST, HeaderValue::from_static("app.example.test"));
        let proto = if scheme == Scheme::Https { "https" } else { "http" };
        headers.insert("cloudfront-forwarded-proto", HeaderValue::from_static(proto));
        let answer = sender.send_request(asked).await?;
        Ok(answer.map(|body| Box::pin(body.map_err(BoxError::from)) as ReplyBody))
    }
}

fn full(bytes: Bytes) -> impl Body<Data = Bytes, Error = BoxError> + Send {
    Full::new(bytes).map_err(|never| match never {})
}

fn made_here(status: u16, text: &'static str) -> Reply {
    let mut reply = Response::new(Box::pin(full(Bytes::from_static(text.as_bytes()))) as ReplyBody);
    *reply.status_mut() = StatusCode::from_u16(status).unwrap();
    reply.headers_mut().insert("x-cache", HeaderValue::from_static("Error from cloudfront"));
    reply
}

struct Broken(Option<BoxError>);

impl Body for Broken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.0.take().map(Err))
    }
}
