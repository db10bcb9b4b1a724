//! TLS toward viewers: rustls on aws-lc-rs, TLS 1.2 and 1.3, session tickets, no early data.
//!
//! HTTP/2 is offered when the distribution's `HttpVersion` allows it. The distribution is the one that
//! the server name stands for; without a server name, or with one that stands for none, HTTP/2 is offered
//! when every distribution allows it.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::{Acceptor, ResolvesServerCert};
use rustls::{HandshakeKind, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use warmfront::{Handshake, TlsInfo};
use warmfront_core::Stack;
use warmfront_core::distribution::HttpVersion;

/// Takes TLS connections.
#[derive(Debug)]
pub(crate) struct Tls {
    with_http2: Arc<ServerConfig>,
    http1_only: Arc<ServerConfig>,
    serving: Arc<ArcSwap<Stack>>,
}

impl Tls {
    /// With `certificates`, for the distributions of `serving`.
    pub(crate) fn new(
        provider: Arc<CryptoProvider>,
        certificates: Arc<dyn ResolvesServerCert>,
        serving: Arc<ArcSwap<Stack>>,
    ) -> Result<Self, rustls::Error> {
        let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        let config = |protocols: &[&[u8]]| -> Result<Arc<ServerConfig>, rustls::Error> {
            let mut config = ServerConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
                .with_no_client_auth()
                .with_cert_resolver(certificates.clone());
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            config.ticketer = ticketer.clone();
            Ok(Arc::new(config))
        };
        Ok(Self {
            with_http2: config(&[b"h2", b"http/1.1"])?,
            http1_only: config(&[b"http/1.1"])?,
            serving,
        })
    }

    /// Shakes hands. Dropping the future closes the connection.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(TlsStream<TcpStream>, TlsInfo)> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let name = start.client_hello().server_name().map(str::to_owned);
        let http2 = offers_http2(&self.serving.load(), name.as_deref());
        let config = if http2 { &self.with_http2 } else { &self.http1_only };
        let stream = start.into_stream(config.clone()).await?;
        let connection = stream.get_ref().1;
        let info = TlsInfo {
            protocol: connection.protocol_version().map_or("-", protocol_name).to_owned(),
            cipher: connection
                .negotiated_cipher_suite()
                .map_or_else(|| "-".to_owned(), |suite| cipher_name(suite.suite())),
            sni: name,
            handshake: match connection.handshake_kind() {
                Some(HandshakeKind::Resumed) => Handshake::Resumed,
                _ => Handshake::Full,
            },
        };
        Ok((stream, info))
    }
}

fn offers_http2(stack: &Stack, name: Option<&str>) -> bool {
    let allows =
        |version: HttpVersion| matches!(version, HttpVersion::Http2 | HttpVersion::Http2And3);
    match name.and_then(|name| stack.distribution_for(name)) {
        Some(distribution) => allows(distribution.http_version),
        None => stack.distributions.iter().all(|distribution| allows(distribution.http_version)),
    }
}

fn protocol_name(version: rustls::ProtocolVersion) -> &'static str {
    match version {
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => "-",
    }
}

/// CloudFront's logs name TLS 1.3 suites as the registry does and older ones as OpenSSL does.
fn cipher_name(suite: rustls::CipherSuite) -> String {
    use rustls::CipherSuite as Suite;
    let name = match suite {
        Suite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        Suite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        other => return format!("{other:?}"),
    };
    name.to_owned()
}
