//! What counts as the body of a request.

use bytes::Bytes;
use http::{Method, Version};
use warmfront::Body;

use crate::world::{Pieces, ScriptedOrigin, answer, edge, read, request};

/// A request whose body is not known to be empty before it ends; `pieces` are its DATA frames.
async fn status(method: Method, version: Version, pieces: &[&'static str]) -> u16 {
    let origin = ScriptedOrigin(Box::new(|_| {
        Box::pin(async { answer(200, &[("cache-control", "max-age=60".into())], Body::full("hi")) })
    }));
    let (edge, _clock) = edge((0, 0, 3600), 1 << 20, origin);
    let mut request = request(method, "/a");
    request.head.version = version;
    let pieces = pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect();
    request.body = Body::stream(Pieces { pieces, length: None, breaks: false, rested: false });
    read(edge.call(request).await).await.status.as_u16()
}

#[tokio::test]
async fn an_empty_data_frame_is_no_body_and_a_byte_is_one() {
    for (method, version, pieces, expected) in [
        (Method::GET, Version::HTTP_2, &[][..], 200),
        (Method::GET, Version::HTTP_2, &[""], 200),
        (Method::HEAD, Version::HTTP_2, &["", ""], 200),
        (Method::GET, Version::HTTP_2, &["x"], 403),
        (Method::GET, Version::HTTP_2, &["", "x"], 403),
        // Chunked: the head announced a body.
        (Method::GET, Version::HTTP_11, &[], 403),
        (Method::POST, Version::HTTP_2, &["x"], 200),
    ] {
        let context = format!("{method} {version:?} {pieces:?}");
        assert_eq!(status(method, version, pieces).await, expected, "{context}");
    }
}
