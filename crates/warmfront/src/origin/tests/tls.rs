//! https origins with certificates of a CA made for the test.

use std::io::Write as _;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::super::{RootsError, Timing, Trust};
use super::*;

/// A CA that we trust, in a PEM file, and one that nobody knows.
struct Authorities {
    pem: tempfile::NamedTempFile,
    trusted: Issuer<'static, KeyPair>,
    unknown: Issuer<'static, KeyPair>,
}

fn authority(name: &str) -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    (pem, Issuer::new(params, key))
}

fn authorities() -> Authorities {
    let ((pem, trusted), (_, unknown)) = (authority("Trusted"), authority("Unknown"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(pem.as_bytes()).unwrap();
    Authorities { pem: file, trusted, unknown }
}

fn acceptor(issuer: &Issuer<'static, KeyPair>, name: &str, last_year: i32) -> TlsAcceptor {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateDer::from(params.signed_by(&key, issuer).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Asks an https origin for `host` and gives the body or the reason, and the name in its SNI.
async fn exchange(
    authorities: &Authorities,
    acceptor: TlsAcceptor,
    host: &str,
    wire: &str,
) -> (Result<Result<String, String>, OriginError>, Option<String>) {
    let clock = clock();
    let mut options = OriginsOptions::new(Arc::new(clock));
    options.trust = Trust::system_and(authorities.pem.path()).unwrap();
    let origins = Origins::new(options);
    let script = Script::new().await;
    let site = origin(Target::Nodes(vec![Node { scheme: Scheme::Https, ..script.node() }]));
    let play = async {
        let peer = script.accept().await;
        let mut session = acceptor.accept(peer.stream).await.ok()?;
        let sni = session.get_ref().1.server_name().map(str::to_owned);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(session.read_u8().await.ok()?);
        }
        session.write_all(wire.as_bytes()).await.ok()?;
        session.flush().await.ok()?;
        // The socket closes without a close_notify.
        sni
    };
    let mut request = request("GET", "/", Body::empty());
    request.head.headers.insert("host", host.parse().unwrap());
    let asking = async {
        let response = origins.send(&site, Scheme::Http, request).await?;
        Ok(body_of(response).await)
    };
    tokio::join!(asking, play)
}

#[tokio::test]
async fn a_certificate_for_the_forwarded_host_is_accepted() {
    let authorities = authorities();
    let acceptor = acceptor(&authorities.trusted, "shop.example", 2090);
    let (answer, sni) = exchange(&authorities, acceptor, "shop.example:8443", &ok("secure")).await;
    assert_eq!(answer.unwrap().unwrap(), "secure");
    assert_eq!(sni.as_deref(), Some("shop.example"));
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused_with_the_reason() {
    let authorities = authorities();
    let check = async |issuer, name, last_year, words: &str| {
        let acceptor = acceptor(issuer, name, last_year);
        let (answer, _) = exchange(&authorities, acceptor, "shop.example", &ok("no")).await;
        let error = answer.expect_err(words);
        assert_eq!((error.status(), error.detailed_result()), (502, "OriginConnectError"));
        let OriginError::Tls { name, reason, .. } = error else { panic!("{words}: {error}") };
        assert_eq!(name, "shop.example");
        assert!(reason.contains(words), "{reason}, expected {words}");
    };
    check(&authorities.trusted, "shop.example", 2001, "expired").await;
    check(&authorities.trusted, "other.example", 2090, "another name").await;
    check(&authorities.unknown, "shop.example", 2090, "unknown CA").await;
}

#[tokio::test]
async fn a_clear_text_server_on_a_tls_port_is_called_that() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let site = origin(Target::Nodes(vec![Node { scheme: Scheme::Https, ..script.node() }]));
    let play = async {
        let mut peer = script.accept().await;
        peer.read(1).await;
        peer.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.rest().await;
    };
    let (answer, ()) = tokio::join!(send(&origins, &site, "GET"), play);
    let error = answer.unwrap_err();
    assert!(matches!(&error, OriginError::Tls { reason, .. } if reason.contains("not speak TLS")));
}

#[tokio::test]
async fn a_session_that_ends_without_goodbye_is_a_cut_body() {
    let authorities = authorities();
    let acceptor = acceptor(&authorities.trusted, "shop.example", 2090);
    let wire = "HTTP/1.1 200 OK\r\n\r\nto the end";
    let (answer, _) = exchange(&authorities, acceptor, "shop.example", wire).await;
    answer.unwrap().expect_err("anyone could have cut it");
}

#[test]
fn a_file_of_roots_must_hold_roots() {
    let check = |content: &str, words: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let RootsError { path, reason } = Trust::system_and(file.path()).unwrap_err();
        assert_eq!(path, file.path());
        assert!(reason.contains(words), "{reason}");
    };
    check("nothing", "no PEM certificate");
    check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no one can read");
    Trust::system_and(std::path::Path::new("/no/such/file")).unwrap_err();
}

#[tokio::test]
async fn an_opened_connection_tells_how_long_its_handshake_took_and_a_reused_one_does_not() {
    let (authorities, clock) = (authorities(), clock());
    let mut options = OriginsOptions::new(Arc::new(clock.clone()));
    options.trust = Trust::system_and(authorities.pem.path()).unwrap();
    let origins = Origins::new(options);
    let script = Script::new().await;
    let site = origin(Target::Nodes(vec![Node { scheme: Scheme::Https, ..script.node() }]));
    let acceptor = acceptor(&authorities.trusted, "origin.example", 2900);
    let play = async {
        let peer = script.accept().await;
        clock.advance(Duration::from_secs(3));
        let mut session = acceptor.accept(peer.stream).await.unwrap();
        for _ in 0..2 {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(session.read_u8().await.unwrap());
            }
            session.write_all(ok("one").as_bytes()).await.unwrap();
            session.flush().await.unwrap();
        }
        session
    };
    let asking = async {
        let mut told = Vec::new();
        for _ in 0..2 {
            let response = send(&origins, &site, "GET").await.unwrap();
            let timing = response.head.extensions.get::<Timing>().unwrap();
            told.push((timing.dns, timing.connect, timing.first_byte));
            body_of(response).await.unwrap();
        }
        told
    };
    let (_, told) = tokio::join!(play, asking);
    let none = Duration::ZERO;
    assert_eq!(told, [(none, Duration::from_secs(3), none), (none, none, none)]);
}
