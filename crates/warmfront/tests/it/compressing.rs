//! Compression as viewers meet it, where a case cannot look: across a change of configuration, and under load.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http_body::{Frame, SizeHint};
use warmfront::{Body, BodyError, Edge, ViewerRequest};
use warmfront_core::distribution::{Distribution, Stack};

use crate::world::{ScriptedOrigin, answer, edge_of, get, read, stack};

fn compressing(compress: bool) -> Arc<Stack> {
    let mut stack = Arc::unwrap_or_clone(stack((0, 60, 3600)));
    let mut distribution = Distribution::clone(&stack.distributions[0]);
    let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
    behavior.compress = compress;
    behavior.cache_policy.gzip = true;
    stack.distributions = vec![Arc::new(distribution)];
    Arc::new(stack)
}

/// A body that does not begin before its gate is open.
struct Held(Arc<AtomicBool>, Option<Bytes>);

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if !self.0.load(Ordering::Relaxed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.1.take().map(|text| Ok(Frame::data(text))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.1.as_ref().map_or(0, |text| text.len() as u64))
    }
}

fn edge(compress: bool, gate: bool) -> (Edge, Arc<AtomicBool>) {
    let opened = Arc::new(AtomicBool::new(gate));
    let gate = opened.clone();
    let origin = ScriptedOrigin(Box::new(move |_| {
        let body = Body::stream(Held(gate.clone(), Some(vec![b'x'; 5_000].into())));
        let answered = answer(200, &[("content-type", "text/plain".to_owned())], body);
        Box::pin(async move { answered })
    }));
    (edge_of(compressing(compress), 64 << 20, origin).0, opened)
}

fn accepting_gzip(path: &str) -> ViewerRequest {
    let mut request = get(path);
    request.head.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    request
}

async fn is_compressed(edge: &Edge, path: &str) -> bool {
    let reply = read(edge.call(accepting_gzip(path)).await).await;
    assert!(reply.whole);
    let is_compressed = reply.headers.contains_key(CONTENT_ENCODING);
    assert_eq!(is_compressed, reply.body.len() < 5_000);
    is_compressed
}

#[tokio::test]
async fn what_was_stored_before_compress_changed_keeps_being_served_as_it_is() {
    let (edge, _) = edge(false, true);
    assert!(!is_compressed(&edge, "/before").await);
    edge.swap(compressing(true));
    assert!(!is_compressed(&edge, "/before").await, "stored until it expires");
    assert!(is_compressed(&edge, "/after").await);
    edge.swap(compressing(false));
    assert!(is_compressed(&edge, "/after").await);
}

/// CloudFront compresses on a best effort: "if a server is busy, the object goes out uncompressed".
#[tokio::test]
async fn more_at_once_than_the_edge_allows_itself_pass_as_they_are() {
    let (edge, gate) = edge(true, false);
    let mut begun = Vec::new();
    for n in 0..64 {
        begun.push(edge.call(accepting_gzip(&format!("/{n}"))).await);
    }
    assert!(begun.iter().all(|reply| reply.headers().contains_key(CONTENT_ENCODING)));
    let too_many = edge.call(accepting_gzip("/one-too-many")).await;
    assert!(!too_many.headers().contains_key(CONTENT_ENCODING));
    gate.store(true, Ordering::Relaxed);
    assert_eq!(read(too_many).await.body.len(), 5_000);
    for reply in begun {
        assert!(read(reply).await.whole);
    }
    assert!(is_compressed(&edge, "/afterwards").await);
}
