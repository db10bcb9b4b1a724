//! What a signature is made of: three or four query parameters, or as many cookies.

use std::borrow::Cow;

use crate::http::{cookie, query};
use crate::request_view::RequestView;

/// Where a signature was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// In the query.
    Url,
    /// In `CloudFront-…` cookies.
    Cookies,
}

/// What the viewer brought, not yet looked at.
pub(super) struct Tokens<'a> {
    pub(super) carrier: Carrier,
    pub(super) key_id: Option<Cow<'a, str>>,
    pub(super) signature: Option<Cow<'a, str>>,
    pub(super) hash: Option<Cow<'a, str>>,
    pub(super) terms: Terms<'a>,
}

/// Under which conditions.
pub(super) enum Terms<'a> {
    None,
    /// The canned policy, with this date.
    Expires(Cow<'a, str>),
    /// A policy of the signer's own.
    Policy(Cow<'a, str>),
}

/// The names in a query; each cookie has `CloudFront-` before it.
const NAMES: [&str; 5] = ["Key-Pair-Id", "Signature", "Hash-Algorithm", "Policy", "Expires"];
const COOKIE: &str = "CloudFront-";

/// Whether CloudFront keeps a query parameter of this name for itself.
pub fn is_reserved(name: &str) -> bool {
    NAMES.contains(&name)
}

/// `query` without the parameters of a signature, `None` when nothing else was in it; borrowed when there
/// were none.
pub fn without_signature(query: &str) -> Option<Cow<'_, str>> {
    if !query::parameters(query).any(|parameter| is_reserved(query::name(parameter))) {
        return Some(Cow::Borrowed(query));
    }
    let own = query.split('&').filter(|parameter| !is_reserved(query::name(parameter)));
    let own: Vec<&str> = own.collect();
    (!own.is_empty()).then(|| Cow::Owned(own.join("&")))
}

impl<'a> Tokens<'a> {
    /// From the URL when it has a signature or names a key (CloudFront guide: a signed URL decides alone),
    /// from cookies otherwise. `None`: there is nothing of a signature.
    pub(super) fn of(request: &RequestView<'a>) -> Option<Self> {
        let in_url = request.query.map(|query| {
            Self::collect(Carrier::Url, |name| {
                let mut values = query::parameters(query).filter_map(|parameter| {
                    let (own, value) = parameter.split_once('=')?;
                    (own == name).then_some(Cow::Borrowed(value))
                });
                values.next()
            })
        });
        if let Some(tokens) = in_url.filter(Tokens::are_there) {
            return Some(tokens);
        }
        let in_cookies = Self::collect(Carrier::Cookies, |name| {
            let found = cookie::cookies(request.headers).find(|cookie| {
                let own = cookie.name.strip_prefix(COOKIE.as_bytes());
                own == Some(name.as_bytes())
            })?;
            // Cookie values may stand in quotes (RFC 6265 §4.1.1).
            let text = std::str::from_utf8(found.value).ok()?;
            let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Some(Cow::Borrowed(bare.unwrap_or(text)))
        });
        Some(in_cookies).filter(Tokens::are_there)
    }

    fn collect(carrier: Carrier, find: impl Fn(&str) -> Option<Cow<'a, str>>) -> Self {
        let [key_id, signature, hash, policy, expires] = NAMES.map(&find);
        let terms = match (policy, expires) {
            (Some(policy), _) => Terms::Policy(policy),
            (None, Some(expires)) => Terms::Expires(expires),
            (None, None) => Terms::None,
        };
        Self { carrier, key_id, signature, hash, terms }
    }

    fn are_there(&self) -> bool {
        self.key_id.is_some() || self.signature.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_of_a_signature_are_taken_out_of_a_query() {
        for (query, own) in [
            ("a=1&b=2", Some("a=1&b=2")),
            ("", Some("")),
            ("Expires=1&Signature=x&Key-Pair-Id=K", None),
            ("a=1&Expires=1&Signature=x&b&Key-Pair-Id=K", Some("a=1&b")),
            ("Policy&a=%31&Hash-Algorithm=SHA256&Policy=2", Some("a=%31")),
            ("expires=1&signature=2", Some("expires=1&signature=2")),
            ("Expires=1&", Some("")),
        ] {
            assert_eq!(without_signature(query).as_deref(), own, "{query}");
        }
    }
}
