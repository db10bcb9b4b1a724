//! The seam for signing: who may add to a request just before it is sent, each attempt anew.

use std::fmt;
use std::time::SystemTime;

use http::{HeaderMap, Method, Uri};
use warmfront_core::origin::OriginAccessControl;

/// The parts of a request that a signature is about.
#[derive(Debug)]
pub struct Signable<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query, as they are sent.
    pub uri: &'a Uri,
    /// All fields, Host included; the signature is added here.
    pub headers: &'a mut HeaderMap,
    /// Whether a body follows.
    pub has_body: bool,
}

/// Signs requests to origins behind an access control. Whether one is signed has been decided
/// ([`Origin::signing`](warmfront_core::Origin::signing)).
pub trait OriginSigner: fmt::Debug + Send + Sync {
    /// Signs a request that is sent at `now`. Called once for each attempt, so on a request that an earlier
    /// attempt may have signed. Without a key the request stays as it is.
    fn sign(&self, control: &OriginAccessControl, request: Signable<'_>, now: SystemTime);
}
