//! What becomes of a response's head when the edge encodes its body.
//!
//! Whoever compresses makes another representation (RFC 9110 §8.8.1): a strong validator would claim that
//! its bytes are the origin's, and digests would be of other bytes.

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Coding;

/// Makes `headers` those of the encoded body, whose length is not known yet.
pub fn compressed_head(headers: &mut HeaderMap, coding: Coding) {
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    for name in OF_THE_ORIGINS_BYTES {
        headers.remove(name);
    }
    weaken_etag(headers);
    vary_by_encoding(headers);
}

/// Says that another Accept-Encoding may get another response, unless that is said already.
pub fn vary_by_encoding(headers: &mut HeaderMap) {
    if !varies_by_encoding(headers) {
        headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

/// Whether Vary names Accept-Encoding, or everything.
pub fn varies_by_encoding(headers: &HeaderMap) -> bool {
    let name = header::ACCEPT_ENCODING.as_str().as_bytes();
    headers.get_all(header::VARY).iter().any(|line| {
        let mut members = line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        members.any(|member| member == b"*" || member.eq_ignore_ascii_case(name))
    })
}

/// CloudFront guide, ETag header conversion: a strong ETag becomes weak, a weak one stays, and what is
/// neither is removed.
pub fn weaken_etag(headers: &mut HeaderMap) {
    let mut fields = headers.get_all(header::ETAG).iter();
    let weak = match (fields.next().map(HeaderValue::as_bytes), fields.next()) {
        (None, _) => return,
        (Some([b'W', b'/', b'"', ..]), None) => return,
        (Some(strong @ [b'"', ..]), None) => {
            HeaderValue::from_bytes(&[b"W/", strong].concat()).ok()
        }
        _ => None,
    };
    match weak {
        Some(weak) => drop(headers.insert(header::ETAG, weak)),
        None => drop(headers.remove(header::ETAG)),
    }
}

const OF_THE_ORIGINS_BYTES: [HeaderName; 5] = [
    header::CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    // RFC 9530 §2 and §3: both are of the encoded bytes. `Digest` is their predecessor.
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[track_caller]
    fn check(before: &[&str], after: &[&str]) {
        let mut headers = fixture::headers(before);
        compressed_head(&mut headers, Coding::Brotli);
        let mut expected = fixture::headers(after);
        expected.insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        assert_eq!(headers, expected, "{before:?}");
    }

    const VARY: &str = "vary: Accept-Encoding";

    #[test]
    fn a_strong_etag_becomes_weak_a_weak_one_stays_and_an_invalid_one_goes() {
        check(&["etag: \"a\""], &["etag: W/\"a\"", VARY]);
        check(&["etag: \"\""], &["etag: W/\"\"", VARY]);
        check(&["etag: W/\"a\""], &["etag: W/\"a\"", VARY]);
        for invalid in ["a", "w/\"a\"", "W/a", "", "'a'"] {
            check(&[&format!("etag: {invalid}")], &[VARY]);
        }
        check(&["etag: \"a\"", "etag: \"b\""], &[VARY]);
    }

    #[test]
    fn what_speaks_of_the_origins_bytes_is_removed() {
        check(
            &[
                "content-length: 1000",
                "content-md5: x",
                "content-digest: x",
                "repr-digest: x",
                "digest: x",
                "last-modified: x",
                "accept-ranges: bytes",
            ],
            &["last-modified: x", "accept-ranges: bytes", VARY],
        );
    }

    #[test]
    fn accept_encoding_is_added_to_vary_unless_it_is_there() {
        check(&[], &[VARY]);
        check(&["vary: Origin"], &["vary: Origin", VARY]);
        check(&["vary: Origin , ACCEPT-encoding"], &["vary: Origin , ACCEPT-encoding"]);
        check(&["vary: Origin", "vary: *"], &["vary: Origin", "vary: *"]);
    }
}
