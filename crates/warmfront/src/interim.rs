//! Interim responses (1xx) on their way from an origin to the viewer who waits for the final one
//! (RFC 9110 §15.2).
//!
//! A listener that can send them gives each request an [`Interim`] with its [`Viewer`](crate::Viewer).
//! Whether they go along is a switch of the behavior's rules. They are never stored: what the cache
//! answers has none, and of those who wait for one fetch only the viewer who led gets them.

use std::fmt;
use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response, StatusCode};
use warmfront_core::http::framing::check_response;
use warmfront_core::http::hop_by_hop;

/// Writes interim responses to one connection.
pub trait InterimWriter: fmt::Debug + Send + Sync + 'static {
    /// Sends one to the viewer, if the request of this number still waits for its answer. May drop it.
    fn write(&self, request: u64, status: StatusCode, headers: &HeaderMap);
}

/// The way of interim responses to the viewer of one request. It may outlive the request.
#[derive(Debug, Clone)]
pub struct Interim {
    writer: Arc<dyn InterimWriter>,
    request: u64,
}

impl Interim {
    /// For the request that `writer` knows by this number.
    pub fn new(writer: Arc<dyn InterimWriter>, request: u64) -> Self {
        Self { writer, request }
    }

    /// Passes on what an origin sent: 102 and 103. The others are about the origin's own connection, or
    /// nobody knows what they are about.
    pub(crate) fn pass(&self, status: StatusCode, headers: &HeaderMap) {
        if !matches!(status, StatusCode::PROCESSING | StatusCode::EARLY_HINTS) {
            return;
        }
        let (mut head, ()) = Response::new(()).into_parts();
        head.headers.clone_from(headers);
        // What would be refused in a final response reaches nobody in an interim one.
        if check_response(&head).is_ok() {
            hop_by_hop::strip(&mut head.headers);
            head.headers.remove(CONTENT_LENGTH);
            self.writer.write(self.request, status, &head.headers);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use http::HeaderValue;

    use super::*;

    #[derive(Debug, Default)]
    struct Written(Mutex<Vec<String>>);

    impl InterimWriter for Written {
        fn write(&self, request: u64, status: StatusCode, headers: &HeaderMap) {
            let names: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
            self.0.lock().unwrap().push(format!("{request} {} {names:?}", status.as_u16()));
        }
    }

    #[track_caller]
    fn check(status: u16, fields: &[(&'static str, &'static str)], expected: &[&str]) {
        let written = Arc::new(Written::default());
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let interim = Interim::new(written.clone(), 7);
        interim.pass(StatusCode::from_u16(status).unwrap(), &headers);
        assert_eq!(*written.0.lock().unwrap(), expected, "{status} {fields:?}");
    }

    #[test]
    fn only_102_and_103_go_along_without_fields_of_the_connection() {
        check(103, &[("link", "</a>"), ("x-a", "1")], &["7 103 [\"link\", \"x-a\"]"]);
        check(102, &[], &["7 102 []"]);
        check(
            103,
            &[("connection", "x-a"), ("x-a", "1"), ("keep-alive", "5"), ("link", "</a>")],
            &["7 103 [\"link\"]"],
        );
        check(103, &[("content-length", "5"), ("link", "</a>")], &["7 103 [\"link\"]"]);
        for status in [100, 101, 104, 199] {
            check(status, &[("link", "</a>")], &[]);
        }
    }

    #[test]
    fn what_would_be_refused_in_a_final_response_is_dropped() {
        check(103, &[("content-length", "5"), ("content-length", "6")], &[]);
        check(103, &[("transfer-encoding", "chunked"), ("content-length", "6")], &[]);
    }
}
