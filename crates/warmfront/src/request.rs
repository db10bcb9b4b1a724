//! What a viewer brings and what it gets.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use warmfront_core::origin::Scheme;

use crate::body::Body;
use crate::interim::Interim;

/// One request of a viewer, as the listener hands it over.
///
/// `head.uri` is what came on the wire: a path and query (or an absolute URI), never normalized.
#[derive(Debug)]
pub struct ViewerRequest {
    /// Method, URI, version and headers.
    pub head: http::request::Parts,
    /// The request's body, streamed.
    pub body: Body,
    /// Who is asking, and over what.
    pub viewer: Viewer,
}

/// In the extensions of a request's head: the listener's limit on pauses of the request's body, which
/// whoever answers may lift. A gRPC call may be silent as long as the origin is not.
#[derive(Debug, Clone, Default)]
pub struct IdleLimit(Arc<AtomicBool>);

impl IdleLimit {
    /// From now on pauses are somebody else's to limit.
    pub fn lift(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether [`lift`](Self::lift) was called.
    pub fn is_lifted(&self) -> bool {
        self.0.load(Relaxed)
    }
}

/// The connection a request came over.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The peer's address and port.
    pub address: SocketAddr,
    /// https when it came over TLS.
    pub scheme: Scheme,
    /// The address the viewer connected to, where it is known.
    pub local_ip: Option<IpAddr>,
    /// The port the viewer connected to.
    pub local_port: u16,
    /// Facts of the TLS session.
    pub tls: Option<Arc<TlsInfo>>,
    /// Where interim responses go; `None` where the listener or the version has no way to send them.
    pub interim: Option<Interim>,
}

/// What a TLS session agreed on, in the spelling of CloudFront's logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3`.
    pub protocol: String,
    /// `TLS_AES_128_GCM_SHA256`.
    pub cipher: String,
    /// The server name the viewer asked for.
    pub sni: Option<String>,
    /// How the session began.
    pub handshake: Handshake,
}

/// How the TLS session of a request began, for `CloudFront-Viewer-TLS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// With a full handshake, for this request.
    Full,
    /// With a ticket of an earlier one, for this request.
    Resumed,
    /// It was there before: this is not its first request.
    Reused,
}

impl TlsInfo {
    /// `CloudFront-Viewer-TLS`: protocol, cipher and kind of handshake.
    pub fn viewer_header(&self) -> String {
        let handshake = match self.handshake {
            Handshake::Full => "fullHandshake",
            Handshake::Resumed => "sessionResumed",
            Handshake::Reused => "connectionReused",
        };
        format!("{}:{}:{handshake}", self.protocol, self.cipher)
    }
}

/// What goes back to the viewer. A body that ends with an error must end the stream visibly.
pub type Reply = http::Response<Body>;
