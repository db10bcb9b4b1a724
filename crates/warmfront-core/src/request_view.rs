//! What the viewer asked, as every decision sees it.
//!
//! [`crate::http::framing::check_request`] has looked at the request before one of these is made.

use ::http::{HeaderMap, Method, Version};

use crate::access::place::Place;
use crate::origin::Scheme;

/// A checked request: the input of every decision. It borrows; copying it costs nothing.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// The method as sent.
    pub method: &'a Method,
    /// How the viewer came.
    pub scheme: Scheme,
    /// The protocol the viewer spoke.
    pub version: Version,
    /// The host as sent, with its port. It stands for the Host field, which an absolute URI or
    /// `:authority` overrules, so nobody reads Host from `headers`.
    pub host: &'a str,
    /// The raw path, with the default root object put in; it begins with `/`.
    pub path: &'a str,
    /// Without the `?`; `Some("")` for a bare `?`.
    pub query: Option<&'a str>,
    /// The header fields as sent.
    pub headers: &'a HeaderMap,
    /// Where the viewer is, when somebody knows and something asks
    /// ([`crate::policy::generated::needs_place`]).
    pub place: Option<&'a Place>,
}
