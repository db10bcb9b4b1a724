//! The admin port: `/healthz`, `/readyz`, `/metrics`, `/purge`, and the clock of tests.
//!
//! It runs on the main thread, beside the workers, and has file descriptors in reserve, so it answers
//! while they are busy. A browser that was lured to a name that resolves to this machine (DNS rebinding)
//! is refused by its Host.

mod purge;

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use warmfront::{Clock as _, VirtualClock};

use crate::listener::tcp::accept;
use crate::observe::{Counters, Gauge};
pub(crate) use purge::Purger;

/// Connections of the admin port at a time.
pub(crate) const CONNECTIONS: usize = 64;
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// What the admin port tells.
pub(crate) struct Admin {
    /// For `/metrics`.
    pub(crate) counters: Arc<Counters>,
    /// Numbers that others hold, read for `/metrics`.
    pub(crate) gauges: Box<dyn Fn() -> Vec<Gauge> + Send + Sync>,
    /// For `/readyz`: why not yet, or no longer.
    pub(crate) not_ready: Box<dyn Fn() -> Option<&'static str> + Send + Sync>,
    /// For `/purge`.
    pub(crate) purger: Purger,
    /// With `--virtual-clock`: what `/clock/advance` turns.
    pub(crate) clock: Option<VirtualClock>,
    /// Where the port is; its address is accepted as Host beside the loopback names.
    pub(crate) address: SocketAddr,
}

impl Admin {
    /// Serves until `stop` resolves.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        stop: impl Future<Output = ()>,
    ) {
        let counters = self.counters.clone();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let trouble = |error: &std::io::Error| counters.accept_failed(error);
        accept(
            listener,
            places,
            stop,
            |accepted| {
                let admin = self.clone();
                // Ends with its connection; an idle one is closed by hyper's own limit below.
                tokio::spawn(async move {
                    let service = service_fn(|request: Request<hyper::body::Incoming>| {
                        let admin = admin.clone();
                        async move { Ok::<_, Infallible>(admin.reply(request).await) }
                    });
                    let served = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD_LIMIT)
                        .serve_connection(TokioIo::new(accepted.stream), service)
                        .await;
                    drop((served, accepted.place));
                });
            },
            trouble,
        )
        .await;
    }

    async fn reply(&self, request: Request<hyper::body::Incoming>) -> Response<Full<Bytes>> {
        let (uri, headers) = (request.uri(), request.headers());
        if uri.path() == purge::PATH && is_ours(uri, headers, self.address) {
            return purge::answer(request, self.address, self.purger.clone()).await;
        }
        self.answer(request.method(), uri, headers)
    }

    fn answer(
        &self,
        method: &Method,
        uri: &http::Uri,
        headers: &HeaderMap,
    ) -> Response<Full<Bytes>> {
        if !is_ours(uri, headers, self.address) {
            return text(
                StatusCode::FORBIDDEN,
                "the Host of this request is not the admin port's: use its address, or localhost\n",
            );
        }
        let reads = [Method::GET, Method::HEAD].contains(method);
        match uri.path() {
            "/healthz" if reads => text(StatusCode::OK, "ok\n"),
            "/readyz" if reads => match (self.not_ready)() {
                None => text(StatusCode::OK, "ready\n"),
                Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{reason}\n")),
            },
            "/metrics" if reads => {
                let mut reply = text(StatusCode::OK, &self.counters.prometheus(&(self.gauges)()));
                let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
                reply.headers_mut().insert(CONTENT_TYPE, format);
                reply
            }
            "/clock/advance" if self.clock.is_some() => self.advance(method, uri.query()),
            "/healthz" | "/readyz" | "/metrics" => not_allowed("GET, HEAD"),
            _ => text(StatusCode::NOT_FOUND, "here are /healthz, /readyz, /metrics and /purge\n"),
        }
    }

    /// For tests only: turns the engine's clock, and tells how many requests have come.
    fn advance(&self, method: &Method, query: Option<&str>) -> Response<Full<Bytes>> {
        if method != Method::POST {
            return not_allowed("POST");
        }
        let milliseconds =
            query.and_then(|query| query.strip_prefix("ms=")).and_then(|ms| ms.parse().ok());
        match (milliseconds, &self.clock) {
            (Some(milliseconds), Some(clock)) => {
                clock.advance(Duration::from_millis(milliseconds));
                // The new date, in milliseconds since 1970.
                let now = clock.wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let mut reply = text(StatusCode::OK, &now.as_millis().to_string());
                reply.headers_mut().insert("requests-begun", self.counters.begun().into());
                reply
            }
            _ => text(StatusCode::BAD_REQUEST, "write POST /clock/advance?ms=N\n"),
        }
    }
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("address", &self.address).finish_non_exhaustive()
    }
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut reply = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, "this method does nothing here\n");
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    reply
}

/// Whether the request names this machine: `localhost`, a loopback address, or the address that the
/// port is bound to. A name that only resolves to it may be an attacker's.
fn is_ours(uri: &http::Uri, headers: &HeaderMap, bound: SocketAddr) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let named = match (uri.authority(), hosts.next(), hosts.next()) {
        (Some(authority), _, None) => authority.as_str(),
        (None, Some(host), None) => match host.to_str() {
            Ok(host) => host,
            Err(_) => return false,
        },
        _ => return false,
    };
    is_this_machine(named, bound)
}

/// Whether a host, with or without a port, is this machine.
fn is_this_machine(host: &str, bound: SocketAddr) -> bool {
    let name = without_port(host);
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        // Bound to every address, the port is reached by any of them; an address is never an
        // attacker's name.
        Ok(address) => {
            address.is_loopback() || bound.ip().is_unspecified() || address == bound.ip()
        }
        Err(_) => false,
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admin(not_ready: Option<&'static str>, clock: Option<VirtualClock>) -> Admin {
        Admin {
            counters: Arc::new(Counters::default()),
            gauges: Box::new(Vec::new),
            not_ready: Box::new(move || not_ready),
            purger: Arc::new(|_| panic!("nobody purges here")),
            clock,
            address: "127.0.0.1:9900".parse().unwrap(),
        }
    }

    #[track_caller]
    fn check(admin: &Admin, method: Method, target: &str, host: &str, status: u16) {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, host.parse().unwrap());
        }
        let reply = admin.answer(&method, &target.parse().unwrap(), &headers);
        assert_eq!(reply.status().as_u16(), status, "{method} {target} Host: {host}");
    }

    #[test]
    fn ready_means_ready() {
        let ready = admin(None, None);
        let busy = admin(Some("starting"), None);
        for (target, status) in [("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/", 404)]
        {
            check(&ready, Method::GET, target, "localhost:9900", status);
        }
        check(&busy, Method::GET, "/readyz", "localhost:9900", 503);
        check(&busy, Method::GET, "/healthz", "localhost:9900", 200);
        check(&ready, Method::POST, "/metrics", "localhost", 405);
        check(&ready, Method::HEAD, "/readyz", "localhost", 200);
    }

    #[test]
    fn a_rebound_name_is_refused() {
        let admin = admin(None, None);
        let rows = [
            ("localhost", 200),
            ("LOCALHOST:9900", 200),
            ("127.0.0.1:9900", 200),
            ("127.9.9.9", 200),
            ("[::1]:9900", 200),
            ("[::1]", 200),
            ("", 403),
            ("evil.example:9900", 403),
            ("localhost.evil.example", 403),
            ("127.0.0.1.nip.io:9900", 403),
            ("192.0.2.1", 403),
            ("localhost:9900:1", 403),
        ];
        for (host, status) in rows {
            check(&admin, Method::GET, "/healthz", host, status);
        }
        check(&admin, Method::GET, "http://evil.example/healthz", "localhost", 403);
    }

    #[test]
    fn the_clock_turns_only_where_there_is_one() {
        let clock = VirtualClock::starting_at(SystemTime::UNIX_EPOCH);
        let with = admin(None, Some(clock.clone()));
        check(&with, Method::POST, "/clock/advance?ms=1500", "localhost", 200);
        assert_eq!(clock.monotonic(), Duration::from_millis(1500));
        check(&with, Method::GET, "/clock/advance?ms=1500", "localhost", 405);
        check(&with, Method::POST, "/clock/advance?ms=-1", "localhost", 400);
        check(&with, Method::POST, "/clock/advance", "localhost", 400);
        check(&admin(None, None), Method::POST, "/clock/advance?ms=1", "localhost", 404);
        assert_eq!(clock.monotonic(), Duration::from_millis(1500));
    }
}
