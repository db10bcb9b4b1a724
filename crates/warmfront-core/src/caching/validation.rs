//! Asking the origin whether a stored response still holds, and answering a viewer who asks us.
//!
//! (RFC 9110 §13, RFC 9111 §4.3.)

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::compression::head::{varies_by_encoding, vary_by_encoding, weaken_etag};
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
/// Where the edge has compressed the stored body, the origin speaks of its own bytes: a weak ETag does not
/// become strong, and what is encoded still varies by Accept-Encoding.
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
    if stored.get(header::ETAG).is_some_and(|etag| etag.as_bytes().starts_with(b"W/")) {
        weaken_etag(&mut updated);
    }
    if stored.contains_key(header::CONTENT_ENCODING) && varies_by_encoding(stored) {
        vary_by_encoding(&mut updated);
    }
    updated
}

const DESCRIBES_BODY: [HeaderName; 8] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        headers
    }

    const EARLY: &str = "Sun, 06 Nov 1994 08:00:00 GMT";
    const MIDDLE: &str = "Sun, 06 Nov 1994 08:30:00 GMT";
    const LATE: &str = "Sun, 06 Nov 1994 09:00:00 GMT";

    #[track_caller]
    fn check(request: &[&str], stored: &[&str], expected: Precondition) {
        let (asked, kept) = (headers(request), headers(stored));
        for method in [Method::GET, Method::HEAD] {
            let answer = evaluate(&asked, &method, StatusCode::OK, &kept);
            assert_eq!(answer, expected, "{method} {request:?} of {stored:?}");
        }
    }

    #[test]
    fn if_none_match_compares_weakly_and_over_lists() {
        use Precondition::{NotModified, Proceed};
        let stored = &["ETag: \"a\""];
        check(&[], stored, Proceed);
        check(&["If-None-Match: \"a\""], stored, NotModified);
        check(&["If-None-Match: \"b\""], stored, Proceed);
        check(&["If-None-Match: \"A\""], stored, Proceed);
        check(&["If-None-Match: W/\"a\""], stored, NotModified);
        check(&["If-None-Match: \"a\""], &["ETag: W/\"a\""], NotModified);
        check(&["If-None-Match: \"x\", W/\"y\" ,\"a\""], stored, NotModified);
        check(&["If-None-Match: \"x\"", "If-None-Match: \"a\""], stored, NotModified);
        check(&["If-None-Match: ,,\"a\",,"], stored, NotModified);
        check(&["If-None-Match: \"x,\"a\",y\""], stored, Proceed);
        check(&["If-None-Match: \"a,b\""], &["ETag: \"a,b\""], NotModified);
        check(&["If-None-Match: \"b\""], &["ETag: \"a,b\""], Proceed);
        check(&["If-None-Match: \"a\\\", \"b\""], &["ETag: \"b\""], NotModified);
        check(&["If-None-Match: a"], &["ETag: a"], NotModified);
        check(&["If-None-Match: a"], stored, Proceed);
        check(&["If-None-Match:"], stored, Proceed);
        check(&["If-None-Match: \"a\""], &[], Proceed);
        check(&["If-None-Match: *"], &[], NotModified);
    }

    #[test]
    fn if_modified_since_compares_with_last_modified_or_else_date() {
        use Precondition::{NotModified, Proceed};
        let since = |date: &str| format!("If-Modified-Since: {date}");
        let modified = &*format!("Last-Modified: {MIDDLE}");
        check(&[&since(EARLY)], &[modified], Proceed);
        check(&[&since(MIDDLE)], &[modified], NotModified);
        check(&[&since(LATE)], &[modified], NotModified);
        check(&[&since("sunday, 06-nov-94 08:30:00 gmt")], &[modified], NotModified);
        check(&[&since("yesterday")], &[modified], Proceed);
        check(&[&since(LATE), &since(LATE)], &[modified], Proceed);
        check(&[&since(MIDDLE)], &[&format!("Date: {MIDDLE}")], NotModified);
        check(&[&since(EARLY)], &[&format!("Date: {MIDDLE}")], Proceed);
        check(&[&since(LATE)], &[modified, &format!("Date: {LATE}")], NotModified);
        check(&[&since(LATE)], &[], Proceed);
    }

    #[test]
    fn if_none_match_silences_if_modified_since() {
        let stored = &["ETag: \"a\"", &*format!("Last-Modified: {MIDDLE}")];
        let since = &*format!("If-Modified-Since: {LATE}");
        check(&["If-None-Match: \"b\"", since], stored, Precondition::Proceed);
        let since = &*format!("If-Modified-Since: {EARLY}");
        check(&["If-None-Match: \"a\"", since], stored, Precondition::NotModified);
    }

    #[test]
    fn if_match_compares_strongly_and_comes_first() {
        use Precondition::{Failed, NotModified, Proceed};
        let stored = &["ETag: \"a\"", &*format!("Last-Modified: {MIDDLE}")];
        check(&["If-Match: \"a\""], stored, Proceed);
        check(&["If-Match: \"x\", \"a\""], stored, Proceed);
        check(&["If-Match: *"], stored, Proceed);
        check(&["If-Match: \"b\""], stored, Failed);
        check(&["If-Match: W/\"a\""], stored, Failed);
        check(&["If-Match: W/\"a\""], &["ETag: W/\"a\""], Failed);
        check(&["If-Match: \"b\"", "If-None-Match: \"a\""], stored, Failed);
        check(&["If-Match: \"a\"", "If-None-Match: \"a\""], stored, NotModified);
        let until = |date: &str| format!("If-Unmodified-Since: {date}");
        check(&["If-Match: \"a\"", &until(EARLY)], stored, Proceed);
        check(&[&until(EARLY)], stored, Failed);
        check(&[&until(MIDDLE)], stored, Proceed);
        check(&[&until("never")], stored, Proceed);
        check(&[&until(EARLY)], &["ETag: \"a\""], Proceed);
        check(&[&until(EARLY), "If-None-Match: \"a\""], stored, Failed);
    }

    #[test]
    fn conditions_are_for_successful_answers_to_get_and_head() {
        let (asked, kept) = (headers(&["If-None-Match: \"a\""]), headers(&["ETag: \"a\""]));
        for (method, status) in [(Method::GET, 404), (Method::GET, 301), (Method::OPTIONS, 200)] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(evaluate(&asked, &method, status, &kept), Precondition::Proceed);
        }
    }

    #[test]
    fn the_origin_is_asked_with_its_own_validators() {
        let asked = |stored: &[&str]| -> Vec<String> {
            conditional_headers(&headers(stored))
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect()
        };
        assert_eq!(asked(&["ETag: W/\"a\""]), ["if-none-match: W/\"a\""]);
        assert_eq!(
            asked(&["Last-Modified: yesterday", "ETag: \"a\""]),
            ["if-none-match: \"a\"", "if-modified-since: yesterday"]
        );
        assert_eq!(asked(&["Content-Type: text/plain"]), [""; 0]);
    }

    #[test]
    fn a_304_replaces_fields_but_never_those_that_describe_the_body() {
        let stored = headers(&[
            "Cache-Control: max-age=1",
            "Content-Length: 10",
            "Content-Encoding: gzip",
            "Content-Type: text/plain",
            "X-Twice: 1",
            "X-Twice: 2",
            "X-Kept: yes",
        ]);
        let not_modified = headers(&[
            "Cache-Control: max-age=2",
            "Content-Length: 0",
            "Content-Encoding: br",
            "Content-Type: text/html",
            "Content-Range: bytes 0-1/2",
            "X-Twice: 3",
            "X-New: 1",
            "X-New: 2",
        ]);
        let expected = headers(&[
            "Cache-Control: max-age=2",
            "Content-Length: 10",
            "Content-Encoding: gzip",
            "Content-Type: text/html",
            "X-Twice: 3",
            "X-Kept: yes",
            "X-New: 1",
            "X-New: 2",
        ]);
        assert_eq!(update_stored(&stored, &not_modified), expected);
    }

    #[test]
    fn a_304_leaves_what_the_edge_compressed_compressed() {
        let check = |stored: &[&str], not_modified: &[&str], expected: &[&str]| {
            let updated = update_stored(&headers(stored), &headers(not_modified));
            assert_eq!(updated, headers(expected), "{stored:?} {not_modified:?}");
        };
        let compressed = ["ETag: W/\"a\"", "Content-Encoding: br", "Vary: Accept-Encoding"];
        check(&compressed, &["ETag: \"a\"", "Repr-Digest: x", "Content-Length: 9"], &compressed);
        check(
            &compressed,
            &["ETag: W/\"a\"", "Vary: accept-encoding"],
            &["ETag: W/\"a\"", "Content-Encoding: br", "Vary: accept-encoding"],
        );
        check(
            &compressed,
            &["Vary: Origin"],
            &["ETag: W/\"a\"", "Content-Encoding: br", "Vary: Origin", "Vary: Accept-Encoding"],
        );
        check(&["Vary: Accept-Encoding"], &["Vary: Origin"], &["Vary: Origin"]);
        check(&["ETag: \"a\""], &["ETag: \"a\""], &["ETag: \"a\""]);
    }

    #[test]
    fn a_304_confirms_only_the_response_it_names() {
        let check = |stored: &[&str], answer: &[&str], expected: bool| {
            let confirmed = confirms(&headers(stored), &headers(answer));
            assert_eq!(confirmed, expected, "{stored:?} {answer:?}");
        };
        check(&["ETag: \"a\""], &["ETag: \"a\""], true);
        check(&["ETag: \"a\""], &["ETag: W/\"a\""], true);
        check(&["ETag: \"a\""], &[], true);
        check(&[], &[], true);
        check(&["ETag: \"a\""], &["ETag: \"b\""], false);
        check(&[], &["ETag: \"b\""], false);
        check(&[], &["ETag: W/\"b\""], true);
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_a_condition_is_decided(
            lines in prop::collection::vec(
                (
                    prop::sample::select(vec![
                        "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
                        "etag", "last-modified", "date",
                    ]),
                    prop::collection::vec(any::<u8>(), 0..40),
                ),
                0..8,
            ),
        ) {
            let mut both = HeaderMap::new();
            for (name, bytes) in &lines {
                if let Ok(value) = HeaderValue::from_bytes(bytes) {
                    both.append(*name, value);
                }
            }
            evaluate(&both, &Method::GET, StatusCode::OK, &both);
            update_stored(&both, &both);
        }
    }
}
