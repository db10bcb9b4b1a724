//! Fields that may come behind a body, and those that may only come before it.
//!
//! Whoever reads a message has decided about it when its trailers come. A field that frames, routes,
//! authorizes or caches is not believed there (RFC 9110 §6.5.1), and some reader behind us that merges
//! trailers into the head would believe it all the same.

use ::http::{HeaderMap, HeaderName, header};

use super::{fields, hop_by_hop};

/// Takes off what no trailer may say. What Connection of the head named is not known here.
pub fn clean(trailers: &mut HeaderMap) {
    fields::remove_where(trailers, |name| {
        hop_by_hop::is_fixed(name)
            || FORBIDDEN.contains(name)
            || OURS.iter().any(|prefix| name.as_str().starts_with(prefix))
    });
}

/// Framing, routing, conditions, authentication, and how the body is to be read or kept.
const FORBIDDEN: [HeaderName; 32] = [
    header::AGE,
    header::AUTHORIZATION,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::DATE,
    header::EXPECT,
    header::EXPIRES,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::LOCATION,
    header::MAX_FORWARDS,
    header::PRAGMA,
    header::RANGE,
    header::RETRY_AFTER,
    header::SET_COOKIE,
    header::STRICT_TRANSPORT_SECURITY,
    header::TRAILER,
    header::VARY,
    header::VIA,
    header::WARNING,
    header::WWW_AUTHENTICATE,
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-cache"),
];

/// What the edge says of itself, or of the viewer.
const OURS: [&str; 4] = ["x-amz-cf-", "x-edge-", "x-forwarded-", "cloudfront-"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn trailers_carry_results_and_nothing_that_decides() {
        let mut trailers = fixture::headers(&[
            "grpc-status: 0",
            "grpc-message: fine",
            "x-checksum: 1",
            "etag: \"a\"",
            "content-length: 3",
            "transfer-encoding: chunked",
            "connection: x-checksum",
            "host: elsewhere",
            "set-cookie: a=b",
            "cache-control: max-age=9",
            "x-cache: Hit from cloudfront",
            "x-amz-cf-id: forged",
            "x-forwarded-for: 192.0.2.1",
            "proxy-authorization: x",
        ]);
        clean(&mut trailers);
        let kept = ["grpc-status: 0", "grpc-message: fine", "x-checksum: 1", "etag: \"a\""];
        assert_eq!(trailers, fixture::headers(&kept));
    }
}
