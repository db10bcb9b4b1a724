//! Calls over HTTP/2 to an https origin: what must be agreed on, and what time does to them.

use std::cell::Cell;
use std::io::Write as _;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::super::Trust;
use super::*;

/// A CA in a PEM file, and servers for `origin.example` that it vouches for.
struct Authority {
    pem: tempfile::NamedTempFile,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let mut pem = tempfile::NamedTempFile::new().unwrap();
        pem.write_all(params.self_signed(&key).unwrap().pem().as_bytes()).unwrap();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let params = CertificateParams::new(vec!["origin.example".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateDer::from(params.signed_by(&key, &self.issuer).unwrap());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    fn origins(&self, clock: &VirtualClock) -> Origins {
        let mut options = OriginsOptions::new(Arc::new(clock.clone()));
        options.trust = Trust::system_and(self.pem.path()).unwrap();
        Origins::new(options)
    }
}

fn call(target: &str) -> OriginRequest {
    let mut request = request("POST", target, Body::full("question"));
    request.head.version = http::Version::HTTP_2;
    request
}

fn secure(script: &Script) -> Origin {
    origin(Target::Nodes(vec![Node { scheme: Scheme::Https, ..script.node() }]))
}

/// A call to `/silent` has arrived.
static SILENT: tokio::sync::Notify = tokio::sync::Notify::const_new();

/// Serves `connections` of `script`, one after the other, and counts in `ended`: `/silent` is never
/// answered.
async fn serve(script: &Script, acceptor: &TlsAcceptor, connections: usize, ended: &Cell<usize>) {
    for _ in 0..connections {
        let session = acceptor.accept(script.accept().await.stream).await.unwrap();
        let service = service_fn(async |request: http::Request<hyper::body::Incoming>| {
            assert_eq!(request.headers()["te"], "trailers");
            assert_eq!(
                request.uri().to_string(),
                format!("https://origin.example{}", request.uri().path())
            );
            if request.uri().path() == "/silent" {
                SILENT.notify_one();
                std::future::pending::<()>().await;
            }
            let question = request.into_body().collect().await.unwrap().to_bytes();
            Ok::<_, std::convert::Infallible>(http::Response::new(http_body_util::Full::new(
                question,
            )))
        });
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(session), service);
        let _ = connection.await;
        ended.set(ended.get() + 1);
    }
}

#[tokio::test]
async fn calls_share_a_connection_until_it_was_idle_for_the_keep_alive_time_out() {
    let (authority, clock, script) = (Authority::new(), clock(), Script::new().await);
    let (acceptor, origins, site) =
        (authority.acceptor(&["h2"]), authority.origins(&clock), secure(&script));
    let ended = Cell::new(0);
    let asking = async {
        for round in 0..2 {
            for _ in 0..3 {
                let response = origins.send(&site, Scheme::Https, call("/a")).await.unwrap();
                assert_eq!(body_of(response).await.unwrap(), "question", "round {round}");
            }
            // All three went over one connection, which ends when it has been idle for long enough.
            assert_eq!(ended.get(), round);
            while ended.get() == round {
                tokio::task::yield_now().await;
                clock.advance(site.keepalive_timeout / 10);
            }
        }
    };
    tokio::join!(asking, serve(&script, &acceptor, 2, &ended));
}

#[tokio::test]
async fn a_call_that_is_not_answered_is_a_504_after_the_read_time_out() {
    let (authority, clock, script) = (Authority::new(), clock(), Script::new().await);
    let (acceptor, origins, site) =
        (authority.acceptor(&["h2"]), authority.origins(&clock), secure(&script));
    let ended = Cell::new(0);
    let turning = async {
        // Not before the call has arrived: the connection takes real time.
        SILENT.notified().await;
        loop {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(1));
        }
    };
    tokio::select! {
        answer = origins.send(&site, Scheme::Https, call("/silent")) => {
            let error = answer.unwrap_err();
            assert!(matches!(error.status(), 504), "{error}");
        }
        () = serve(&script, &acceptor, 1, &ended) => panic!("the connection goes on"),
        () = turning => {}
    }
}

#[tokio::test]
async fn an_https_origin_without_http_2_takes_no_calls() {
    let (authority, clock, script) = (Authority::new(), clock(), Script::new().await);
    for protocols in [&["http/1.1"][..], &[]] {
        let (acceptor, origins) = (authority.acceptor(protocols), authority.origins(&clock));
        let site = secure(&script);
        let play = async {
            let _ = acceptor.accept(script.accept().await.stream).await;
        };
        let (answer, ()) = tokio::join!(origins.send(&site, Scheme::Https, call("/a")), play);
        let error = answer.unwrap_err();
        assert_eq!((error.status(), error.detailed_result()), (502, "OriginConnectError"));
        assert!(error.to_string().contains("h2"), "{error}");
    }
}

#[tokio::test]
async fn dns_leads_to_no_call_in_clear() {
    let origins = origins(&clock());
    let error = origins.send(&origin(Target::Dns), Scheme::Http, call("/a")).await.unwrap_err();
    assert_eq!(error.status(), 502);
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("https all the way"));
}
