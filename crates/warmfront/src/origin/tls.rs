//! TLS toward origins: rustls on aws-lc-rs, the system's trusted roots, always verified.
//!
//! CloudFront guide: the certificate must be valid for the origin's domain name, or for the Host that
//! is forwarded. There is no way to switch the check off; a private CA is added with its PEM file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom we believe. Clones share the loaded roots, so give every worker a clone.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    extra: Vec<CertificateDer<'static>>,
    config: OnceCell<Configs>,
}

/// One for each protocol that may be agreed on.
#[derive(Debug)]
struct Configs {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// A file of roots that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct RootsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a handshake failed.
#[derive(Debug)]
pub(super) enum HandshakeError {
    /// The connection broke; another attempt may succeed.
    Broken(io::Error),
    /// We do not accept the origin, or it does not accept us; told for people.
    Refused(String),
}

impl Trust {
    /// The system's roots, as `rustls-native-certs` finds them: `SSL_CERT_FILE` and `SSL_CERT_DIR`
    /// replace them. They are read when the first https origin is contacted.
    pub fn system() -> Self {
        Self::default()
    }

    /// The system's roots and the certificates in a PEM file.
    pub fn system_and(path: &Path) -> Result<Self, RootsError> {
        let fail = |reason: String| RootsError { path: path.to_owned(), reason };
        let extra = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| fail(error.to_string()))?;
        if extra.is_empty() {
            return Err(fail("holds no PEM certificate".to_owned()));
        }
        let mut usable = RootCertStore::empty();
        for certificate in &extra {
            usable
                .add(certificate.clone())
                .map_err(|error| fail(format!("holds a certificate no one can read: {error}")))?;
        }
        Ok(Self { shared: Arc::new(Shared { extra, config: OnceCell::new() }) })
    }

    /// Makes `stream` a TLS session with a server whose certificate is valid for `name`. With `http2`
    /// the server must agree to speak HTTP/2.
    pub(super) async fn handshake(
        &self,
        stream: TcpStream,
        name: &str,
        http2: bool,
    ) -> Result<TlsStream<TcpStream>, HandshakeError> {
        let configs = self.configs().await.map_err(HandshakeError::Refused)?;
        let config = if http2 { configs.http2.clone() } else { configs.http1.clone() };
        let server_name = ServerName::try_from(name.to_owned()).map_err(|_| {
            HandshakeError::Refused("this is no name that a certificate could be for".to_owned())
        })?;
        let session =
            TlsConnector::from(config).connect(server_name, stream).await.map_err(explain)?;
        if http2 && session.get_ref().1.alpn_protocol() != Some(H2) {
            return Err(HandshakeError::Refused(NO_HTTP2.to_owned()));
        }
        Ok(session)
    }

    async fn configs(&self) -> Result<&Configs, String> {
        let shared = &self.shared;
        shared
            .config
            .get_or_try_init(|| {
                let extra = shared.extra.clone();
                async {
                    let loading = tokio::task::spawn_blocking(move || load(&extra));
                    loading.await.map_err(|error| error.to_string())?
                }
            })
            .await
    }
}

const H2: &[u8] = b"h2";
const NO_HTTP2: &str = "the origin does not offer HTTP/2 (ALPN h2), which gRPC needs";

fn load(extra: &[CertificateDer<'static>]) -> Result<Configs, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    roots.add_parsable_certificates(extra.iter().cloned());
    if roots.is_empty() {
        let mut reason = "no trusted root certificate was found on this machine; install \
                          ca-certificates or point SSL_CERT_FILE at a PEM file"
            .to_owned();
        if let Some(error) = found.errors.first() {
            reason.push_str(&format!(" ({error})"));
        }
        return Err(reason);
    }
    // One provider, named explicitly: rustls would panic if features of two met in one program.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| error.to_string())?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_webpki_verifier(verifier)
        .with_no_client_auth();
    // CloudFront guide: HTTP/1.1 is what origins are spoken to in, but for gRPC.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut http2 = config.clone();
    http2.alpn_protocols = vec![H2.to_vec()];
    Ok(Configs { http1: Arc::new(config), http2: Arc::new(http2) })
}

fn explain(error: io::Error) -> HandshakeError {
    use rustls::Error;
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return HandshakeError::Broken(error);
    };
    HandshakeError::Refused(match cause {
        Error::InvalidCertificate(problem) => certificate_problem(problem),
        Error::InvalidMessage(_) => "the origin does not speak TLS on this port".to_owned(),
        Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol) => {
            "the origin offers no protocol that it was asked for (ALPN): gRPC needs h2, everything \
             else http/1.1"
                .to_owned()
        }
        Error::AlertReceived(alert) => format!(
            "the origin refused the handshake ({alert:?}); it must offer TLS 1.2 or 1.3 with an \
             ECDHE cipher, and must not ask for a client certificate"
        ),
        Error::PeerIncompatible(_) => {
            "the origin offers neither TLS 1.2 with an ECDHE cipher nor TLS 1.3".to_owned()
        }
        other => other.to_string(),
    })
}

fn certificate_problem(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the origin's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the origin's certificate is not valid yet; is the clock right?".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the origin's certificate comes from an unknown CA, or its chain is incomplete; a \
             private CA can be added with SSL_CERT_FILE"
                .to_owned()
        }
        CertificateError::NotValidForName => {
            "the origin's certificate is for another name".to_owned()
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().take(5).map(String::as_str).collect();
            format!("the origin's certificate is for another name: {}", names.join(", "))
        }
        other => format!("the origin's certificate is not acceptable: {other}"),
    }
}
