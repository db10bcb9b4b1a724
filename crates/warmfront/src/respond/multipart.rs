//! `multipart/byteranges` (RFC 9110 §14.6) out of a stored response, or of one that is being filled.

use std::collections::VecDeque;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};

use crate::body::{Body, BodyError};
use crate::cache::{Reading, StoredResponse, body_of};
use crate::request::Reply;

/// Several ranges, already checked against the length and against each other.
pub(super) fn parts(
    stored: &StoredResponse,
    reading: Option<&Reading>,
    headers: HeaderMap,
    ranges: Vec<Range<u64>>,
) -> Reply {
    let body = |range| body_of(stored, range, reading);
    written(headers, stored.length(), ranges, body)
}

/// The same, of whatever object; `body` gives the octets of a range.
pub(super) fn written(
    mut headers: HeaderMap,
    length: u64,
    ranges: Vec<Range<u64>>,
    body: impl Fn(Range<u64>) -> Body,
) -> Reply {
    let boundary = format!("{:032x}", fastrand::u128(..));
    let content_type = headers.get(CONTENT_TYPE).cloned();
    let mut sections = VecDeque::new();
    let mut left = 0;
    for range in ranges {
        let mut head = format!("\r\n--{boundary}\r\n").into_bytes();
        if let Some(content_type) = &content_type {
            head.extend_from_slice(b"Content-Type: ");
            head.extend_from_slice(content_type.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"Content-Range: ");
        head.extend_from_slice(content_range(&range, length).as_bytes());
        head.extend_from_slice(b"\r\n\r\n");
        left += head.len() as u64 + (range.end - range.start);
        sections.push_back(Body::full(head));
        sections.push_back(body(range));
    }
    let end = format!("\r\n--{boundary}--\r\n");
    left += end.len() as u64;
    sections.push_back(Body::full(end));

    headers.insert(CONTENT_LENGTH, HeaderValue::from(left));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"))
            .expect("hexadecimal digits are visible ASCII"),
    );
    let mut reply = Reply::new(Body::stream(Sections { sections, left }));
    *reply.status_mut() = StatusCode::PARTIAL_CONTENT;
    *reply.headers_mut() = headers;
    reply
}

/// Bodies one after the other; each is dropped once it has been read.
#[derive(Debug)]
struct Sections {
    sections: VecDeque<Body>,
    left: u64,
}

impl http_body::Body for Sections {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while let Some(section) = self.sections.front_mut() {
            match ready!(Pin::new(section).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    self.left -=
                        frame.data_ref().map_or(0, |data| data.len() as u64).min(self.left);
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => {
                    self.sections.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.sections.pop_front();
                }
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
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
        let response = stored("hello world");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        let reply = parts(&response, None, headers, vec![0..2, 4..8]);
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
