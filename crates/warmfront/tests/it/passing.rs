//! Responses that are too large to be stored, with viewers of every speed.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use warmfront::Body;

use crate::world::{Pieces, ScriptedOrigin, answer, edge, get};

const MEMORY: u64 = 64 << 20;
/// More than the window beyond what is kept at first.
const LENGTH: usize = 8 << 20;

fn large_body_without_length() -> ScriptedOrigin {
    ScriptedOrigin(Box::new(|_| {
        Box::pin(async {
            let pieces = vec![Bytes::from(vec![b'x'; 64 << 10]); LENGTH / (64 << 10)];
            let body = Pieces { pieces, length: None, breaks: false, rested: false };
            answer(200, &[("cache-control", "max-age=60".into())], Body::stream(body))
        })
    }))
}

async fn let_others_run() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}

/// Reads with `pause` between two pieces; `Err` when the stream broke.
async fn read_slowly(
    mut body: Body,
    clock: &warmfront::VirtualClock,
    pause: Duration,
) -> Result<usize, usize> {
    let mut received = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(received) };
        received += frame.data_ref().map_or(0, Bytes::len);
        let_others_run().await;
        clock.advance(pause);
        let_others_run().await;
    }
    Ok(received)
}

#[tokio::test]
async fn a_viewer_may_be_slow_as_long_as_it_reads() {
    let (edge, clock) = edge((0, 0, 3600), MEMORY, large_body_without_length());
    let reply = edge.call(get("/large")).await;
    let received = read_slowly(reply.into_body(), &clock, Duration::from_secs(20)).await;
    assert_eq!(received, Ok(LENGTH));
}

#[tokio::test]
async fn a_viewer_that_stalls_is_cut_and_the_slow_one_gets_all() {
    let (edge, clock) = edge((0, 0, 3600), MEMORY, large_body_without_length());
    let stalled = edge.call(get("/large")).await.into_body();
    let slow = edge.call(get("/large")).await.into_body();
    let received = read_slowly(slow, &clock, Duration::from_secs(20)).await;
    assert_eq!(received, Ok(LENGTH));
    let rest = read_slowly(stalled, &clock, Duration::ZERO).await;
    assert!(rest.is_err(), "it held the others up and must see that its body is cut: {rest:?}");
}
