//! Asking the origin whether a stored response still holds, and answering a viewer who asks us.
//!
//! (RFC 9110 §13, RFC 9111 §4.3.)

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::http::date;

/// The conditions that ask the origin about a stored response: If-None-Match with its ETag,
/// If-Modified-Since with its Last-Modified, each as the origin wrote it. Empty when it has neither:
/// then the object is fetched again.
pub fn conditional_headers(
    stored: &HeaderMap,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    let condition = |name: HeaderName, validator| Some((name, stored.get(validator)?.clone()));
    [
        condition(header::IF_NONE_MATCH, header::ETAG),
        condition(header::IF_MODIFIED_SINCE, header::LAST_MODIFIED),
    ]
    .into_iter()
    .flatten()
}

/// Whether a 304 speaks of the stored response: its ETag, if it has one, is the stored one.
///
/// RFC 9111 §4.3.4: a 304 with another strong validator is about another response. Then the
/// stored one is not refreshed, and the object is fetched without conditions.
pub fn confirms(stored: &HeaderMap, not_modified: &HeaderMap) -> bool {
    match (stored.get(header::ETAG), not_modified.get(header::ETAG)) {
        (Some(stored), Some(confirmed)) => {
            opaque(stored.as_bytes()) == opaque(confirmed.as_bytes())
        }
        (None, Some(confirmed)) => confirmed.as_bytes().starts_with(b"W/"),
        (_, None) => true,
    }
}

/// The head of the stored response after a 304 (RFC 9111 §3.2): every field of the 304 replaces the
/// stored field of that name, except those that describe the stored body.
///
/// Strip hop-by-hop fields from the 304 before, and call `stored_head` on the result as after any
/// fetch; `storable` in between sees the Age of the 304.
pub fn update_stored(stored: &HeaderMap, not_modified: &HeaderMap) -> HeaderMap {
    let mut updated = stored.clone();
    for name in not_modified.keys().filter(|name| !DESCRIBES_BODY.contains(name)) {
        updated.remove(name);
        for value in not_modified.get_all(name) {
            updated.append(name, value.clone());
        }
    }
    updated
}

const DESCRIBES_BODY: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
    header::TRANSFER_ENCODING,
];

/// What a viewer's conditions say about a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precondition {
    /// Send the response.
    Proceed,
    /// Send 304.
    NotModified,
    /// Send 412.
    Failed,
}

/// Holds the viewer's conditions against a stored response, in the order of RFC 9110 §13.2.2.
/// If-Range is `http::range`'s.
pub fn evaluate(
    request: &HeaderMap,
    method: &Method,
    status: StatusCode,
    stored: &HeaderMap,
) -> Precondition {
    // RFC 9110 §13.2.1: conditions are for successful answers to methods that select something.
    if !matches!(*method, Method::GET | Method::HEAD) || !status.is_success() {
        return Precondition::Proceed;
    }
    if request.contains_key(header::IF_MATCH) {
        if !lists_etag(request, header::IF_MATCH, stored, Comparison::Strong) {
            return Precondition::Failed;
        }
    } else if let (Some(limit), Some(modified)) =
        (the_date(request, header::IF_UNMODIFIED_SINCE), the_date(stored, header::LAST_MODIFIED))
        && modified > limit
    {
        return Precondition::Failed;
    }

    let unmodified = if request.contains_key(header::IF_NONE_MATCH) {
        lists_etag(request, header::IF_NONE_MATCH, stored, Comparison::Weak)
    } else if let Some(since) = the_date(request, header::IF_MODIFIED_SINCE) {
        // RFC 9111 §4.3.2: without Last-Modified, Date is compared.
        the_date(stored, header::LAST_MODIFIED)
            .or_else(|| the_date(stored, header::DATE))
            .is_some_and(|modified| modified <= since)
    } else {
        false
    };
    if unmodified { Precondition::NotModified } else { Precondition::Proceed }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether the condition `name` of the request lists the stored ETag, or is `*`.
fn lists_etag(
    request: &HeaderMap,
    name: HeaderName,
    stored: &HeaderMap,
    comparison: Comparison,
) -> bool {
    let etag = stored.get(header::ETAG).map(HeaderValue::as_bytes);
    request.get_all(name).iter().any(|line| {
        let mut rest = line.as_bytes();
        while let Some(listed) = next_etag(&mut rest) {
            if listed == b"*" {
                return true;
            }
            let equal = etag.is_some_and(|etag| match comparison {
                Comparison::Strong => !etag.starts_with(b"W/") && etag == listed,
                Comparison::Weak => opaque(etag) == opaque(listed),
            });
            if equal {
                return true;
            }
        }
        false
    })
}

/// The next member of a list of entity tags. Commas inside the quotes belong to the tag, and a
/// backslash is an ordinary character there (RFC 9110 §8.8.3).
fn next_etag<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let mut quoted = false;
    let end = rest.iter().position(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    let (member, remaining) = match end {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (*rest, &[][..]),
    };
    *rest = remaining;
    Some(member.trim_ascii())
}

/// An entity tag without its weakness (RFC 9110 §8.8.3.2: weak comparison).
fn opaque(etag: &[u8]) -> &[u8] {
    etag.strip_prefix(b"W/").unwrap_or(etag)
}

/// The date in the one field `name`; conditions that are no date are ignored.
fn the_date(headers: &HeaderMap, name: HeaderName) -> Option<std::time::SystemTime> {
    let mut fields = headers.get_all(name).iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => date::parse(field),
        _ => None,
    }
}
