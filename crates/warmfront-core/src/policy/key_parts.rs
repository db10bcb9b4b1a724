//! The cache key taken apart, for people: each input that tells this request from others, by name.
//!
//! It asks the same questions as [`super::cache_key`], which writes them one behind the other; a property
//! test holds that equal parts and equal keys mean the same.

use super::cache_key::{
    each_keyed_value, keyed_cookies, keyed_host, keyed_parameters, keys_whole_query,
};
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
    /// The path.
    Path,
    /// The scheme, where the whole URL is in the key.
    Scheme,
    /// The viewer's Host, where the whole URL is in the key.
    Host,
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
            KeyKind::Scheme => "scheme",
            KeyKind::Host => "host",
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
    if !keys_whole_query(behavior) {
        for parameter in keyed_parameters(behavior, text) {
            let name = query::name(parameter);
            add(KeyKind::QueryParameter, name.as_bytes(), parameter.as_bytes());
        }
    } else if !text.is_empty() {
        add(KeyKind::QueryString, b"", text.as_bytes());
    }
    if behavior.rules.whole_url_in_key {
        add(KeyKind::Scheme, b"", request.scheme.as_str().as_bytes());
        add(KeyKind::Host, b"", keyed_host(request).to_ascii_lowercase().as_bytes());
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
