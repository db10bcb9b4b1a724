//! The cache key taken apart, for people: each input that tells this request from others, by name.
//!
//! It asks the same questions as [`super::cache_key`], which writes them one behind the other; a property
//! test holds that equal parts and equal keys mean the same.

use super::Selection;
use super::cache_key::{each_keyed_value, keyed_cookies};
use crate::http::{encoding, query};
use crate::request_view::RequestView;
use crate::{Behavior, Distribution};
use ::http::Method;

/// One input of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPart {
    /// What kind of input it is.
    pub kind: KeyKind,
    /// The name of a header or cookie; empty for the others.
    pub name: String,
    /// The value. Octets that are no text are replaced.
    pub value: String,
}

/// What kind of input a part of the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// The distribution: none shares with another.
    Distribution,
    /// The raw path.
    Path,
    /// OPTIONS is kept apart from GET and HEAD.
    Options,
    /// The whole query string, as sent.
    QueryString,
    /// A query parameter that the policy names.
    QueryParameter,
    /// Accept-Encoding, normalized.
    AcceptEncoding,
    /// A header that the policy names.
    Header,
    /// A cookie that the policy names.
    Cookie,
}

impl KeyKind {
    /// A word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyKind::Distribution => "distribution",
            KeyKind::Path => "path",
            KeyKind::Options => "method",
            KeyKind::QueryString => "query string",
            KeyKind::QueryParameter => "query parameter",
            KeyKind::AcceptEncoding => "accept-encoding",
            KeyKind::Header => "header",
            KeyKind::Cookie => "cookie",
        }
    }
}

/// All inputs of the key of `request`, in its order. What the request does not have is no input.
pub fn key_parts(
    distribution: &Distribution,
    behavior: &Behavior,
    request: &RequestView<'_>,
) -> Vec<KeyPart> {
    let policy = &behavior.cache_policy;
    let mut parts = Vec::new();
    let mut add = |kind, name: &[u8], value: &[u8]| {
        let text = |octets| String::from_utf8_lossy(octets).into_owned();
        parts.push(KeyPart { kind, name: text(name), value: text(value) });
    };
    add(KeyKind::Distribution, b"", distribution.id.as_bytes());
    add(KeyKind::Path, b"", request.path.as_bytes());
    if *request.method == Method::OPTIONS {
        add(KeyKind::Options, b"", b"OPTIONS");
    }
    let text = request.query.unwrap_or_default();
    match &policy.query_strings {
        Selection::All if text.is_empty() => {}
        Selection::All => add(KeyKind::QueryString, b"", text.as_bytes()),
        chosen => {
            for parameter in query::selected(text, chosen) {
                let name = query::name(parameter);
                add(KeyKind::QueryParameter, name.as_bytes(), parameter.as_bytes());
            }
        }
    }
    let accepted = encoding::normalized(behavior, request.version, request.headers);
    let accepted = accepted.map_or("", encoding::Accepted::in_key);
    if !accepted.is_empty() {
        add(KeyKind::AcceptEncoding, b"", accepted.as_bytes());
    }
    for name in &policy.headers {
        each_keyed_value(policy, name, request, |value| {
            add(KeyKind::Header, name.as_str().as_bytes(), value);
        });
    }
    for cookie in keyed_cookies(policy, request) {
        add(KeyKind::Cookie, cookie.name, cookie.value);
    }
    parts
}
