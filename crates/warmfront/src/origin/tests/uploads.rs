//! Request bodies on their way to an origin.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

use super::*;
use crate::body::BodyError;

/// A body that a test feeds.
struct Fed {
    pieces: mpsc::UnboundedReceiver<Result<Bytes, BodyError>>,
    length: Option<u64>,
    taken: Arc<AtomicUsize>,
}

fn fed(length: Option<u64>) -> (mpsc::UnboundedSender<Result<Bytes, BodyError>>, Body) {
    let (sender, pieces) = mpsc::unbounded_channel();
    (sender, Body::stream(Fed { pieces, length, taken: Arc::default() }))
}

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = self.pieces.poll_recv(cx);
        if let Poll::Ready(Some(Ok(piece))) = &polled {
            self.taken.fetch_add(piece.len(), Ordering::Relaxed);
        }
        polled.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

async fn post(
    origins: &Origins,
    origin: &Origin,
    body: Body,
) -> Result<OriginResponse, OriginError> {
    origins.send(origin, Scheme::Http, request("POST", "/up", body)).await
}

#[tokio::test]
async fn the_body_decides_the_framing() {
    let check = async |method: &str, length: Option<Option<u64>>, expected: &[&str]| {
        let (script, origins) = (Script::new().await, origins(&clock()));
        let origin = origin(Target::Nodes(vec![script.node()]));
        let body = length.map_or_else(Body::empty, |length| {
            let (sender, body) = fed(length);
            sender.send(Ok(Bytes::from_static(b"abc"))).unwrap();
            body
        });
        let mut request = request(method, "/up", body);
        for (name, lie) in [("content-length", "99"), ("transfer-encoding", "gzip")] {
            request.head.headers.insert(name, lie.parse().unwrap());
        }
        request.head.headers.insert("expect", "100-continue".parse().unwrap());
        let play = async {
            let mut peer = script.accept().await;
            let head = peer.head().await.to_lowercase();
            peer.send(ok("")).await;
            (head, peer)
        };
        let (answer, (head, _peer)) =
            tokio::join!(origins.send(&origin, Scheme::Http, request), play);
        answer.unwrap();
        let framing: Vec<_> = head
            .lines()
            .filter(|line| {
                ["content-", "transfer-", "expect"].iter().any(|it| line.starts_with(it))
            })
            .collect();
        assert_eq!(framing, expected, "{method} {length:?}");
        assert!(head.starts_with(&format!("{} /up http/1.1\r\n", method.to_lowercase())), "{head}");
    };
    check("GET", None, &[]).await;
    check("DELETE", None, &[]).await;
    check("POST", None, &["content-length: 0"]).await;
    check("POST", Some(Some(3)), &["content-length: 3"]).await;
    check("POST", Some(None), &["transfer-encoding: chunked"]).await;
    check("GET", Some(Some(3)), &["content-length: 3"]).await;
    check("GET", Some(None), &["transfer-encoding: chunked"]).await;
}

#[tokio::test]
async fn an_absolute_uri_is_sent_in_origin_form() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let request = request("GET", "http://elsewhere.example//a/../b?c", Body::empty());
    let play = async {
        let mut peer = script.accept().await;
        let head = peer.head().await;
        peer.send(ok("")).await;
        head
    };
    let (answer, head) = tokio::join!(origins.send(&origin, Scheme::Http, request), play);
    answer.unwrap();
    assert!(head.starts_with("GET //a/../b?c HTTP/1.1\r\n"), "{head}");
}

#[tokio::test]
async fn an_upload_waits_for_an_origin_that_does_not_read() {
    const PIECE: usize = 64 * 1024;
    const PIECES: usize = 1024;
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let (sender, pieces) = mpsc::unbounded_channel();
    for _ in 0..PIECES {
        sender.send(Ok(Bytes::from_static(&[7; PIECE]))).unwrap();
    }
    drop(sender);
    let taken = Arc::new(AtomicUsize::new(0));
    let length = Some((PIECE * PIECES) as u64);
    let body = Body::stream(Fed { pieces, length, taken: taken.clone() });
    let play = async {
        let mut peer = script.accept().await;
        peer.head().await;
        let (mut last, mut quiet) = (0, 0);
        while quiet < 1000 {
            tokio::task::yield_now().await;
            let now = taken.load(Ordering::Relaxed);
            quiet = if now == last { quiet + 1 } else { 0 };
            last = now;
        }
        assert!(last < PIECE * PIECES / 2, "{last} bytes were taken and nobody read them");
        let received = peer.read(PIECE * PIECES).await;
        assert!(received.iter().all(|&byte| byte == 7));
        peer.send(ok("thanks")).await;
        peer
    };
    let (answer, _peer) = tokio::join!(post(&origins, &origin, body), play);
    assert_eq!(body_of(answer.unwrap()).await.unwrap(), "thanks");
}

#[tokio::test]
async fn a_viewer_that_breaks_off_breaks_the_origin_request() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    for length in [None, Some(100)] {
        let (sender, body) = fed(length);
        let play = async {
            let mut peer = script.accept().await;
            peer.head().await;
            sender.send(Ok(Bytes::from_static(b"abc"))).unwrap();
            peer.read(3).await;
            sender.send(Err(BodyError::Cut("gone".into()))).unwrap();
            peer.rest().await
        };
        let (answer, rest) = tokio::join!(post(&origins, &origin, body), play);
        assert!(matches!(answer, Err(OriginError::ViewerBody)), "{answer:?}");
        assert!(!rest.ends_with(b"0\r\n\r\n"), "a cut upload must not look complete");
    }
}

#[tokio::test]
async fn waiting_for_the_viewer_is_not_the_origins_time() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let (sender, body) = fed(Some(6));
    let play = async {
        let mut peer = script.accept().await;
        peer.head().await;
        sender.send(Ok(Bytes::from_static(b"abc"))).unwrap();
        peer.read(3).await;
        clock.advance(Duration::from_secs(300));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        sender.send(Ok(Bytes::from_static(b"def"))).unwrap();
        drop(sender);
        peer.read(3).await;
        // From here on it is the origin that is waited for.
        clock.advance(Duration::from_secs(30));
        peer
    };
    let (answer, _peer) = tokio::join!(post(&origins, &origin, body), play);
    assert!(matches!(answer, Err(OriginError::ReadTimeout { .. })), "{answer:?}");
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_upload_costs_the_connection() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let (sender, body) = fed(Some(1000));
    let play = async {
        let mut peer = script.accept().await;
        peer.head().await;
        peer.send("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig").await;
        peer
    };
    let (answer, mut peer) = tokio::join!(post(&origins, &origin, body), play);
    assert_eq!(body_of(answer.unwrap()).await.unwrap(), "big");
    assert_eq!(peer.rest().await, b"");
    drop(sender);
}
