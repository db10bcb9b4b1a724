//! Which requests are gRPC calls (CloudFront guide: use gRPC with distributions).

use ::http::{Method, Version, header};

use crate::request_view::RequestView;

/// Whether this is a call, if the behavior lets calls through: a POST over HTTP/2 whose Content-Type is
/// `application/grpc`, with or without `+proto` and the like. gRPC-Web is ordinary HTTP.
pub fn is_call(request: &RequestView<'_>) -> bool {
    *request.method == Method::POST
        && request.version == Version::HTTP_2
        && request.headers.get(header::CONTENT_TYPE).is_some_and(|kind| is_grpc(kind.as_bytes()))
}

fn is_grpc(kind: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    kind.get(..GRPC.len()).is_some_and(|start| start.eq_ignore_ascii_case(GRPC))
        && matches!(kind.get(GRPC.len()), None | Some(b'+' | b';' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use crate::origin::Scheme;

    #[track_caller]
    fn check(method: Method, version: Version, kind: &str, expected: bool) {
        let headers = fixture::headers(&[&format!("content-type: {kind}")]);
        let request = RequestView {
            method: &method,
            scheme: Scheme::Https,
            version,
            host: "a",
            path: "/",
            query: None,
            headers: &headers,
            place: None,
        };
        assert_eq!(is_call(&request), expected, "{method} {version:?} {kind}");
    }

    #[test]
    fn a_call_is_a_post_over_http_2_with_grpcs_content_type() {
        check(Method::POST, Version::HTTP_2, "application/grpc", true);
        check(Method::POST, Version::HTTP_2, "Application/gRPC+proto", true);
        check(Method::POST, Version::HTTP_2, "application/grpc;charset=utf-8", true);
        check(Method::POST, Version::HTTP_2, "application/grpc-web", false);
        check(Method::POST, Version::HTTP_2, "application/json", false);
        check(Method::POST, Version::HTTP_11, "application/grpc", false);
        check(Method::GET, Version::HTTP_2, "application/grpc", false);
    }
}
