//! How long an origin is waited for, and how often it is asked.

use super::*;

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf";

/// Accepts `times` connections that read the request and stay silent until the clock has moved.
async fn stay_silent(script: &Script, clock: &VirtualClock, times: usize, seconds: u64) {
    let mut silent = Vec::new();
    for _ in 0..times {
        let mut peer = script.accept().await;
        peer.head().await;
        clock.advance(Duration::from_secs(seconds));
        silent.push(peer);
    }
    for mut peer in silent {
        assert_eq!(peer.rest().await, b"", "a connection that timed out is closed");
    }
}

#[tokio::test]
async fn a_silent_origin_is_asked_as_often_as_its_attempts_say() {
    for (method, attempts, expected) in
        [("GET", 3, 3), ("HEAD", 3, 3), ("GET", 1, 1), ("POST", 3, 1), ("OPTIONS", 3, 1)]
    {
        let clock = clock();
        let (script, origins) = (Script::new().await, origins(&clock));
        let mut site = origin(Target::Nodes(vec![script.node()]));
        site.connection_attempts = attempts;
        let silence = stay_silent(&script, &clock, expected, 30);
        let (answer, ()) = tokio::join!(send(&origins, &site, method), silence);
        let error = answer.expect_err(method);
        assert!(matches!(error, OriginError::ReadTimeout { seconds: 30, .. }), "{method}: {error}");
        assert_eq!((error.status(), error.detailed_result()), (504, "OriginReadError"));
    }
}

#[tokio::test]
async fn a_read_time_out_is_not_early() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let site = origin(Target::Nodes(vec![script.node()]));
    let play = async {
        let mut peer = script.accept().await;
        peer.head().await;
        clock.advance(Duration::from_millis(29_999));
        peer.send(ok("late")).await;
        peer
    };
    let (_peer, body) = tokio::join!(play, get(&origins, &site));
    assert_eq!(body, "late");
}

#[tokio::test]
async fn the_second_attempt_may_succeed() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let site = origin(Target::Nodes(vec![script.node()]));
    let play = async {
        let mut silent = script.accept().await;
        silent.head().await;
        clock.advance(Duration::from_secs(30));
        (silent, script.serve(ok("second")).await)
    };
    let (_peers, body) = tokio::join!(play, get(&origins, &site));
    assert_eq!(body, "second");
}

#[tokio::test]
async fn a_gap_in_the_body_breaks_it_after_the_read_time_out() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let site = origin(Target::Nodes(vec![script.node()]));
    let (mut peer, response) = tokio::join!(script.serve(HALF), send(&origins, &site, "GET"));
    let mut body = response.unwrap().body;
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "half");
    // A viewer that takes its time is not the origin's fault.
    clock.advance(Duration::from_secs(300));
    // The first gap is short enough; each gap is measured anew.
    let more = async {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(29));
        peer.send("x").await;
    };
    let (frame, ()) = tokio::join!(body.frame(), more);
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "x");
    let wait = async {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(29));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(1));
    };
    let (frame, ()) = tokio::join!(body.frame(), wait);
    let error = frame.unwrap().unwrap_err().to_string();
    assert!(error.contains("nothing for 30 s"), "{error}");
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn a_slow_body_comes_whole_when_no_gap_is_too_long() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let site = origin(Target::Nodes(vec![script.node()]));
    let play = async {
        let mut peer = script.serve("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n").await;
        for _ in 0..10 {
            clock.advance(Duration::from_secs(29));
            peer.send("x").await;
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        peer
    };
    let (_peer, body) = tokio::join!(play, get(&origins, &site));
    assert_eq!(body, "xxxxxxxxxx");
}

#[tokio::test]
async fn the_completion_time_out_covers_attempts_and_body() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let mut site = origin(Target::Nodes(vec![script.node()]));
    site.response_completion_timeout = Some(Duration::from_secs(45));
    // Thirty seconds for the first attempt, fifteen are left for the second.
    let silence = async {
        stay_silent(&script, &clock, 1, 30).await;
        stay_silent(&script, &clock, 1, 15).await;
    };
    let (answer, ()) = tokio::join!(send(&origins, &site, "GET"), silence);
    let error = answer.unwrap_err();
    assert!(matches!(error, OriginError::CompletionTimeout { seconds: 45, .. }), "{error}");
    assert_eq!(error.status(), 504);

    // The body is cut even when its reader is the slow one.
    let (mut peer, response) = tokio::join!(script.serve(HALF), send(&origins, &site, "GET"));
    let response = response.unwrap();
    clock.advance(Duration::from_secs(45));
    assert_eq!(peer.rest().await, b"");
    let error = body_of(response).await.unwrap_err();
    assert!(error.contains("ResponseCompletionTimeout"), "{error}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_connection_that_is_never_established_times_out_once_per_attempt() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let node = Node { scheme: Scheme::Https, ..script.node() };
    let site = origin(Target::Nodes(vec![node]));
    // TCP connects and TLS never answers: part of the same attempt.
    let play = async {
        let mut peers = Vec::new();
        for _ in 0..3 {
            let mut peer = script.accept().await;
            peer.read(1).await;
            clock.advance(Duration::from_secs(10));
            peers.push(peer);
        }
        peers
    };
    let (answer, _) = tokio::join!(send(&origins, &site, "POST"), play);
    let error = answer.unwrap_err();
    assert!(matches!(error, OriginError::ConnectTimeout { seconds: 10, .. }), "{error}");
    assert_eq!((error.status(), error.detailed_result()), (504, "OriginConnectError"));
}
