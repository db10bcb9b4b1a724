//! The way to an origin: a request goes in, the head of its response comes out, the body streams.
//!
//! [`Connector`] is the seam; [`Origins`] is the real one and chooses by
//! [`Target`](warmfront_core::origin::Target). What is sent and
//! what may be stored is decided elsewhere: this room only carries, within the origin's time limits.

mod attempts;
mod calls;
mod connect;
mod connector;
mod content_type;
mod directory;
mod file_body;
mod link;
mod outgoing;
mod pool;
mod response;
mod shared;
mod signer;
#[cfg(feature = "sigv4")]
pub mod sigv4;
#[cfg(test)]
mod tests;
mod timing;
#[cfg(feature = "tls")]
mod tls;
mod wire;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use warmfront_core::Origin;
use warmfront_core::origin::{Attempted, Scheme};

use crate::body::Body;

pub use connector::{LocalApis, Origins, OriginsOptions};
pub use pool::PoolLimits;
pub use signer::{OriginSigner, Signable};
pub use timing::{LastByte, Timing};
#[cfg(feature = "tls")]
pub use tls::{RootsError, Trust};

/// A boxed future, as the seams return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A request on its way to an origin: path and query in `head.uri` (`OriginPath` included), Host and
/// everything else in the headers. Framing headers are never set: they follow from the body. The version
/// is what the origin is spoken to in: HTTP/1.1, or HTTP/2 for a call that streams both ways. An
/// [`Interim`](crate::Interim) in the head's extensions takes the interim responses to the viewer.
#[derive(Debug)]
pub struct OriginRequest {
    /// Method, URI and headers.
    pub head: http::request::Parts,
    /// The body, streamed.
    pub body: Body,
    /// The viewer's address, for local functions.
    pub viewer: std::net::SocketAddr,
    /// The id of the exchange (`X-Amz-Cf-Id`), for logs of local functions.
    pub request_id: String,
}

/// What an origin answered. The body yields an error when it breaks off.
#[derive(Debug)]
pub struct OriginResponse {
    /// Status, version and headers, checked by the framing rules.
    pub head: http::response::Parts,
    /// The body, streamed, under the origin's read time-out.
    pub body: Body,
}

/// Carries requests to origins.
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// Sends one request, with all the attempts that the origin allows, and resolves with the
    /// response's head. Dropping the future or the body gives the connection up.
    fn send<'a>(
        &'a self,
        origin: &'a Origin,
        scheme: Scheme,
        request: OriginRequest,
    ) -> BoxFuture<'a, Result<OriginResponse, OriginError>>;
}

/// Why an origin gave no response. Each kind has its status and its name in CloudFront's logs.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in each message")]
pub enum OriginError {
    /// The name does not resolve.
    #[error("origin {origin}: {name} does not resolve")]
    Dns {
        origin: String,
        name: String,
        #[source]
        source: Option<std::io::Error>,
    },
    /// Nobody accepts the connection.
    #[error("origin {origin}: no connection to {address}")]
    Connect {
        origin: String,
        address: String,
        #[source]
        source: std::io::Error,
    },
    /// The connection was not accepted in time.
    #[error("origin {origin}: no connection to {address} within {seconds} s")]
    ConnectTimeout { origin: String, address: String, seconds: u64 },
    /// The TLS handshake or the certificate failed.
    #[error("origin {origin}: TLS with {name} failed: {reason}")]
    Tls { origin: String, name: String, reason: String },
    /// No byte came within the read time-out.
    #[error("origin {origin} sent nothing for {seconds} s")]
    ReadTimeout { origin: String, seconds: u64 },
    /// The whole exchange took longer than `ResponseCompletionTimeout`.
    #[error("origin {origin} did not finish within {seconds} s")]
    CompletionTimeout { origin: String, seconds: u64 },
    /// The connection broke before a response came.
    #[error("origin {origin} closed the connection without a response")]
    Closed {
        origin: String,
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The response is not one we pass on.
    #[error("origin {origin} sent an invalid response: {reason}")]
    InvalidResponse { origin: String, reason: String },
    /// The viewer broke its request body off.
    #[error("the viewer broke its request body off")]
    ViewerBody,
    /// A local function failed.
    #[error("function {function}: {reason}")]
    Function { function: String, reason: String, timed_out: bool },
    /// A route of a local API leads to what is not run here.
    #[error("API {origin}, {reason}")]
    NotRun { origin: String, reason: String },
    /// The edge itself cannot carry the request.
    #[error("origin {origin}: {reason}")]
    Unavailable { origin: String, reason: String },
}

impl OriginError {
    /// The status that the viewer gets (CloudFront guide: 502 and 504).
    pub fn status(&self) -> u16 {
        match self {
            OriginError::ConnectTimeout { .. }
            | OriginError::ReadTimeout { .. }
            | OriginError::CompletionTimeout { .. }
            | OriginError::Function { timed_out: true, .. } => 504,
            OriginError::ViewerBody => 400,
            OriginError::Unavailable { .. } => 503,
            _ => 502,
        }
    }

    /// What it means for an origin group.
    pub fn attempted(&self) -> Attempted {
        match self {
            OriginError::Dns { .. } | OriginError::Connect { .. } => Attempted::NotConnected,
            OriginError::ConnectTimeout { .. } => Attempted::ConnectTimedOut,
            OriginError::ReadTimeout { .. }
            | OriginError::CompletionTimeout { .. }
            | OriginError::Function { timed_out: true, .. } => Attempted::TimedOut,
            OriginError::Tls { .. }
            | OriginError::Closed { .. }
            | OriginError::InvalidResponse { .. }
            | OriginError::NotRun { .. }
            | OriginError::Function { .. } => Attempted::Broken,
            OriginError::ViewerBody | OriginError::Unavailable { .. } => Attempted::NotItsFault,
        }
    }

    /// The name in `x-edge-detailed-result-type`.
    pub fn detailed_result(&self) -> &'static str {
        match self {
            OriginError::Dns { .. } => "OriginDnsError",
            OriginError::Connect { .. }
            | OriginError::ConnectTimeout { .. }
            | OriginError::Tls { .. } => "OriginConnectError",
            OriginError::ReadTimeout { .. } | OriginError::CompletionTimeout { .. } => {
                "OriginReadError"
            }
            OriginError::Closed { .. } => "OriginCommError",
            OriginError::InvalidResponse { .. } => "OriginInvalidResponseError",
            OriginError::ViewerBody => "ClientCommError",
            OriginError::Function { .. } | OriginError::NotRun { .. } => "OriginError",
            OriginError::Unavailable { .. } => "Error",
        }
    }
}
