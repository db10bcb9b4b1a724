//! `multipart/byteranges` (RFC 9110 §14.6) out of a stored response; the parts share its bytes.

use std::ops::Range;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::body::Body;
use crate::cache::{StoredBody, StoredResponse};
use crate::request::Reply;

/// Several ranges, already checked against the length and against each other.
pub(super) fn parts(
    stored: &StoredResponse,
    mut headers: HeaderMap,
    ranges: Vec<Range<u64>>,
) -> Reply {
    let boundary = format!("{:032x}", fastrand::u128(..));
    let content_type = headers.get(CONTENT_TYPE).cloned();
    let mut pieces: Vec<Bytes> = Vec::new();
    for range in ranges {
        let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
        if let Some(content_type) = &content_type {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(content_type.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"Content-Range: ");
        head.extend_from_slice(content_range(&range, stored.length).as_bytes());
        head.extend_from_slice(b"\r\n\r\n");
        pieces.push(head.into());
        pieces.extend(StoredBody::part(stored, range).into_pieces());
    }
    pieces.push(format!("\r\n--{boundary}--\r\n").into());

    let body = StoredBody::of(pieces);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.left()));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"))
            .expect("hexadecimal digits are visible ASCII"),
    );
    let mut reply = Reply::new(Body::stream(body));
    *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
    *reply.headers_mut() = headers;
    reply
}

/// `bytes first-last/length`.
pub(super) fn content_range(range: &Range<u64>, length: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1)))
        .expect("digits are visible ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests_support::stored;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn each_part_says_what_it_is_and_the_length_is_exact() {
        let response = stored(&["hello ", "world"]);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let reply = parts(&response, headers, vec![0..2, 4..8]);
        let promised: usize = reply.headers()[CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
        let content_type = reply.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        let boundary = content_type.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let body = reply.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body.len(), promised);
        let expected = format!(
            "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/11\r\n\r\nhe\
             \r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 4-7/11\r\n\r\no wo\
             \r\n--{boundary}--\r\n"
        );
        assert_eq!(body, expected);
    }
}
