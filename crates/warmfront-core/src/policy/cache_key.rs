//! Which stored response answers a request: the cache key (CloudFront guide: understand the cache key).
//!
//! Distribution (with its epoch), path, and what the cache policy names. Scheme, Host and method are no part of
//! it, except that OPTIONS is kept apart; where the rules want the whole URL, scheme, Host and every part of the
//! query that the origin gets are. Nothing here decides what is forwarded; but what is in the key always is
//! (`origin_request`).

mod address;

use ::http::{HeaderName, Method, header};

use super::generated::Generated;
use super::{CachePolicy, Selection};
use crate::http::reference::without_default_port;
use crate::http::{cookie, encoding, hop_by_hop, query};
use crate::request_view::RequestView;
use crate::{Behavior, Distribution};

pub use address::{KeyAddress, address_of};

/// Appends the key of `request` to `key`.
///
/// Each part is preceded by its length, so that no two inputs meet. Allocates only for cookies
/// (they are sorted), and when `key` has no room.
pub fn write_cache_key(
    key: &mut Vec<u8>,
    distribution: &Distribution,
    behavior: &Behavior,
    request: &RequestView<'_>,
) {
    let policy = &behavior.cache_policy;
    write_address(key, distribution, behavior, request);
    let accepted = encoding::normalized(behavior, request.version, request.headers);
    part(key, accepted.map_or("", encoding::Accepted::in_key).as_bytes());
    for name in &policy.headers {
        write_header(key, policy, name, request);
    }
    key.push(END);
    write_cookies(key, policy, request);
    key.push(END);
}

/// Appends the beginning of the key of `request`, which all variants of one object have in common.
pub fn write_address(
    key: &mut Vec<u8>,
    distribution: &Distribution,
    behavior: &Behavior,
    request: &RequestView<'_>,
) {
    part(key, distribution.id.as_bytes());
    length(key, distribution.cache_epoch as usize);
    part(key, request.path.as_bytes());
    let is_whole = behavior.rules.whole_url_in_key;
    key.push(u8::from(*request.method == Method::OPTIONS) | if is_whole { WHOLE_URL } else { 0 });
    write_query(key, behavior, request.query.unwrap_or_default());
    if is_whole {
        part(key, request.scheme.as_str().as_bytes());
        let host = keyed_host(request);
        length(key, host.len());
        key.extend(host.bytes().map(|octet| octet.to_ascii_lowercase()));
    }
}

/// The host that is part of the key where the whole URL is; its letter case does not count.
pub(super) fn keyed_host<'a>(request: &RequestView<'a>) -> &'a str {
    without_default_port(request.scheme, request.host)
}

/// Whether a response to this method may be stored, and a stored one may answer it.
pub fn is_cacheable_method(behavior: &Behavior, method: &Method) -> bool {
    match *method {
        Method::GET | Method::HEAD => true,
        Method::OPTIONS => behavior.caches_options,
        _ => false,
    }
}

/// Whether any cookie may reach the origin.
pub fn forwards_cookies(behavior: &Behavior) -> bool {
    !behavior.cache_policy.cookies.is_empty() || !behavior.origin_request_policy.cookies.is_empty()
}

/// Whether cookies that reach the origin keep requests from being collapsed, and stored responses from
/// being revalidated (CloudFront guide: caching content based on cookies).
pub fn cookies_forbid_sharing(behavior: &Behavior) -> bool {
    behavior.rules.cookies_forbid_sharing && forwards_cookies(behavior)
}

/// Whether Set-Cookie reaches viewers, and is kept with the object.
pub fn keeps_set_cookie(behavior: &Behavior) -> bool {
    behavior.rules.keeps_response_headers || forwards_cookies(behavior)
}

/// A following item, or none.
const ITEM: u8 = 1;
const END: u8 = 0;

/// Beside the mark of OPTIONS: scheme and host follow the query.
const WHOLE_URL: u8 = 2;

/// The length in groups of seven bits, then the octets.
fn part(key: &mut Vec<u8>, octets: &[u8]) {
    length(key, octets.len());
    key.extend_from_slice(octets);
}

fn length(key: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        key.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    key.push(length as u8);
}

fn write_query(key: &mut Vec<u8>, behavior: &Behavior, text: &str) {
    if keys_whole_query(behavior) {
        // As it is forwarded: raw, empty parameters and all.
        return part(key, text.as_bytes());
    }
    // Parameters have no `&` inside and are not empty, so joining them loses nothing.
    let joined = keyed_parameters(behavior, text).map(|parameter| parameter.len() + 1);
    length(key, joined.sum::<usize>().saturating_sub(1));
    for (index, parameter) in keyed_parameters(behavior, text).enumerate() {
        if index > 0 {
            key.push(b'&');
        }
        key.extend_from_slice(parameter.as_bytes());
    }
}

/// Whether the query is part of the key as it stands.
pub(super) fn keys_whole_query(behavior: &Behavior) -> bool {
    behavior.cache_policy.query_strings == Selection::All
        || (behavior.rules.whole_url_in_key
            && behavior.origin_request_policy.query_strings == Selection::All)
}

/// The parameters of a query that are part of the key, where not the whole query is. Where the rules want the
/// whole URL, what the origin gets of it: it may have made a difference.
pub(super) fn keyed_parameters<'a>(
    behavior: &Behavior,
    text: &'a str,
) -> impl Iterator<Item = &'a str> {
    let policy = &behavior.cache_policy.query_strings;
    let other = match behavior.rules.whole_url_in_key {
        true => &behavior.origin_request_policy.query_strings,
        false => &Selection::None,
    };
    // Most policies name nothing; then the query is not even taken apart.
    let text = if policy.is_empty() && other.is_empty() { "" } else { text };
    query::parameters(text).filter(|parameter| policy.forwards_with(other, query::name(parameter)))
}

fn write_cookies(key: &mut Vec<u8>, policy: &CachePolicy, request: &RequestView<'_>) {
    for cookie in keyed_cookies(policy, request) {
        key.push(ITEM);
        part(key, cookie.name);
        part(key, cookie.value);
    }
}

/// The cookies that are part of the key, in its order.
pub(super) fn keyed_cookies<'a>(
    policy: &CachePolicy,
    request: &RequestView<'a>,
) -> Vec<cookie::Cookie<'a>> {
    if policy.cookies.is_empty() || hop_by_hop::is_listed(request.headers, &header::COOKIE) {
        return Vec::new();
    }
    cookie::selected(request.headers, &policy.cookies)
}

fn write_header(
    key: &mut Vec<u8>,
    policy: &CachePolicy,
    name: &HeaderName,
    request: &RequestView<'_>,
) {
    each_keyed_value(policy, name, request, |value| {
        key.push(ITEM);
        part(key, name.as_str().as_bytes());
        part(key, value);
    });
}

/// Gives `take` each value of the listed header `name` that is part of the key.
pub(super) fn each_keyed_value(
    policy: &CachePolicy,
    name: &HeaderName,
    request: &RequestView<'_>,
    mut take: impl FnMut(&[u8]),
) {
    if *name == header::ACCEPT_ENCODING && encoding::is_normalized(policy) {
        return;
    }
    if *name == header::HOST {
        return take(request.host.as_bytes());
    }
    if let Some(generated) = Generated::named(name) {
        if let Some(value) = generated.value(request, None) {
            take(value.as_bytes());
        }
        return;
    }
    // What does not travel on must not make a difference either: a response fetched without the
    // field would answer those who send it.
    if hop_by_hop::is_hop_by_hop(request.headers, name) {
        return;
    }
    for value in request.headers.get_all(name) {
        take(value.as_bytes());
    }
}

#[cfg(test)]
mod tests;
