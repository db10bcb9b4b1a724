//! What the answer to a HEAD says about the stored answer to a GET (RFC 9111 §4.3.5).

use ::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, LAST_MODIFIED, VARY};
use ::http::{HeaderMap, HeaderValue, StatusCode};

use super::CacheRules;

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadSays {
    /// Nothing.
    Nothing,
    /// The stored response is what a GET would bring, and its head is this one
    /// ([`update_stored`](super::update_stored)).
    Confirmed,
    /// A GET would bring another one.
    Outdated,
}

/// Holds the answer to a HEAD against the stored response that it could have been answered from, whose body has
/// `length` octets. Of another encoding, its length says nothing.
pub fn head_says(
    rules: CacheRules,
    stored: (StatusCode, &HeaderMap),
    length: u64,
    status: StatusCode,
    answer: &HeaderMap,
) -> HeadSays {
    let (stored_status, stored) = stored;
    if !rules.head_updates || status != StatusCode::OK || stored_status != StatusCode::OK {
        return HeadSays::Nothing;
    }
    let is_other = |name| {
        answer.get(&name).is_some_and(|received| stored.get(name).map(text) != Some(text(received)))
    };
    let says_length =
        answer.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let is_of_other_length = answer.get(CONTENT_ENCODING) == stored.get(CONTENT_ENCODING)
        && says_length.is_some_and(|said: u64| said != length);
    // Another Vary selects by other fields, so it is another response.
    let varies_otherwise =
        answer.contains_key(VARY) && !answer.get_all(VARY).iter().eq(stored.get_all(VARY).iter());
    if varies_otherwise || is_other(ETAG) || is_other(LAST_MODIFIED) || is_of_other_length {
        HeadSays::Outdated
    } else {
        HeadSays::Confirmed
    }
}

/// A validator without its weakness: the edge itself weakens the ETag of what it compresses.
fn text(value: &HeaderValue) -> &[u8] {
    value.as_bytes().strip_prefix(b"W/").unwrap_or(value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::HeadSays::{Confirmed, Nothing, Outdated};
    use super::*;
    use crate::fixture;

    #[track_caller]
    fn check(stored: &[&str], answer: &[&str], expected: HeadSays) {
        let (stored, answer) = (fixture::headers(stored), fixture::headers(answer));
        let says = |rules, of: u16, status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            let of = (StatusCode::from_u16(of).unwrap(), &stored);
            head_says(rules, of, 10, status, &answer)
        };
        assert_eq!(says(CacheRules::RFC9111, 200, 200), expected, "{stored:?} {answer:?}");
        for (rules, of, status) in [
            (CacheRules::CLOUDFRONT, 200, 200),
            (CacheRules::RFC9111, 200, 404),
            (CacheRules::RFC9111, 200, 304),
            (CacheRules::RFC9111, 404, 200),
        ] {
            assert_eq!(says(rules, of, status), Nothing);
        }
    }

    #[test]
    fn validators_and_length_that_are_sent_must_be_those_that_are_stored() {
        let stored = &["etag: \"a\"", "last-modified: yesterday"];
        check(
            stored,
            &["etag: \"a\"", "last-modified: yesterday", "content-length: 10"],
            Confirmed,
        );
        check(stored, &["etag: W/\"a\""], Confirmed);
        check(stored, &["x-new: 1"], Confirmed);
        check(stored, &["etag: \"b\""], Outdated);
        check(stored, &["last-modified: today"], Outdated);
        check(stored, &["content-length: 11"], Outdated);
        check(&[], &["etag: \"a\""], Outdated);
        check(&[], &["content-length: nonsense"], Confirmed);
    }

    #[test]
    fn what_is_encoded_or_varies_otherwise_is_told_apart() {
        let stored = &["vary: accept"];
        check(stored, &["content-length: 11", "content-encoding: br"], Confirmed);
        check(stored, &["vary: accept"], Confirmed);
        check(stored, &["vary: accept-language"], Outdated);
        check(&[], &["vary: accept"], Outdated);
    }
}
