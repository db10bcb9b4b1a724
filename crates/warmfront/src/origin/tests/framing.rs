//! What of an origin's reply is passed on, and what is refused or seen to break.

use super::*;

#[derive(Debug, Clone, Copy)]
enum End {
    /// FIN after the last octet.
    Close,
    /// RST after the last octet.
    Reset,
    /// Nothing more comes, and nothing ends.
    Stay,
}

#[derive(Debug, PartialEq)]
enum Outcome {
    /// The response came whole, with this body.
    Whole(&'static str),
    /// The head was passed on and the body broke visibly.
    Breaks,
    /// 502, for a reason with these words in it.
    Invalid(&'static str),
    /// 502: the connection ended without a response.
    Closed,
}

async fn check(method: &str, wire: impl AsRef<[u8]>, end: End, expected: Outcome) {
    let wire = wire.as_ref();
    let shown = String::from_utf8_lossy(&wire[..wire.len().min(200)]).into_owned();
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let reading = async {
        match send(&origins, &origin, method).await {
            Ok(response) => {
                assert_eq!(response.head.version, http::Version::HTTP_11, "{shown:?}");
                body_of(response).await.map_err(|_| "broken".to_owned())
            }
            Err(error) => {
                assert_eq!(error.status(), 502, "{shown:?}: {error}");
                Err(match error {
                    OriginError::InvalidResponse { reason, .. } => reason,
                    OriginError::Closed { .. } => "closed".to_owned(),
                    other => panic!("{shown:?}: {other}"),
                })
            }
        }
    };
    let playing = async {
        let mut peer = script.accept().await;
        peer.head().await;
        // The edge may close while a flood is still being sent.
        let _ = peer.stream.write_all(wire).await;
        match end {
            End::Close => None,
            End::Reset => {
                // The octets arrive before the reset does, or the kernel would throw them away.
                peer.stream.flush().await.unwrap();
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                peer.reset();
                None
            }
            End::Stay => Some(peer),
        }
    };
    let (got, _peer) = tokio::join!(reading, playing);
    match (got, expected) {
        (Ok(body), Outcome::Whole(expected)) => assert_eq!(body, expected, "{shown:?}"),
        (Err(reason), Outcome::Breaks) => assert_eq!(reason, "broken", "{shown:?}"),
        (Err(reason), Outcome::Invalid(words)) => {
            assert!(reason.contains(words), "{shown:?}: {reason}");
        }
        (Err(reason), Outcome::Closed) => assert_eq!(reason, "closed", "{shown:?}"),
        (got, expected) => panic!("{shown:?} {end:?}: {got:?}, expected {expected:?}"),
    }
}

#[tokio::test]
async fn whole_replies_pass_however_they_are_framed() {
    check("GET", ok("body"), End::Stay, Outcome::Whole("body")).await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nbody\r\n0\r\n\r\n";
    check("GET", chunked, End::Stay, Outcome::Whole("body")).await;
    check("GET", "HTTP/1.1 200 OK\r\n\r\nto the end", End::Close, Outcome::Whole("to the end"))
        .await;
    check("GET", "HTTP/1.0 200 OK\r\n\r\nold", End::Close, Outcome::Whole("old")).await;
    // RFC 9112 §6.3: a coding other than chunked ends with its connection.
    let unknown = "HTTP/1.1 200 OK\r\nTransfer-Encoding: made-up\r\n\r\nto the end";
    check("GET", unknown, End::Close, Outcome::Whole("to the end")).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n";
    check("HEAD", head, End::Stay, Outcome::Whole("")).await;
    check("GET", "HTTP/1.1 204 No Content\r\n\r\n", End::Stay, Outcome::Whole("")).await;
    check("GET", "HTTP/1.1 304 Not Modified\r\n\r\n", End::Stay, Outcome::Whole("")).await;
}

#[tokio::test]
async fn a_cut_reply_breaks_visibly() {
    let short = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
    check("GET", short, End::Close, Outcome::Breaks).await;
    check("GET", short, End::Reset, Outcome::Breaks).await;
    let unfinished = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n";
    check("GET", unfinished, End::Close, Outcome::Breaks).await;
    check("GET", unfinished, End::Reset, Outcome::Breaks).await;
    let in_chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nhalf";
    check("GET", in_chunk, End::Close, Outcome::Breaks).await;
    let no_last = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n";
    check("GET", no_last, End::Close, Outcome::Breaks).await;
    let bad_size = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n";
    check("GET", bad_size, End::Stay, Outcome::Breaks).await;
    check("GET", "HTTP/1.1 200 OK\r\n\r\nto the end", End::Reset, Outcome::Breaks).await;
    check("GET", "HTTP/1.0 200 OK\r\n\r\nto the end", End::Reset, Outcome::Breaks).await;
    let unknown = "HTTP/1.1 200 OK\r\nTransfer-Encoding: made-up\r\n\r\nto the end";
    check("GET", unknown, End::Reset, Outcome::Breaks).await;
}

#[tokio::test]
async fn an_ambiguous_reply_is_refused() {
    let refuse = |fields: &str| {
        let wire = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n4\r\nbody\r\n0\r\n\r\n");
        async move { check("GET", wire, End::Stay, Outcome::Invalid("")).await }
    };
    refuse("Content-Length: 4\r\nTransfer-Encoding: chunked").await;
    refuse("Content-Length: 4\r\nContent-Length: 5").await;
    refuse("Content-Length: 4\r\nContent-Length: 4").await;
    refuse("Content-Length: 4, 4").await;
    refuse("Content-Length: +4").await;
    refuse("Content-Length: 99999999999999999999").await;
    refuse("Transfer-Encoding: gzip, chunked").await;
    refuse("Transfer-Encoding: gzip").await;
    refuse("Transfer-Encoding: xchunked").await;
    refuse("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked").await;
    refuse("Bad Name: x").await;
    refuse("Space-Before : x").await;
    refuse("A: b\r\n folded").await;
    refuse("A: nul\0inside").await;
    refuse("A: bell\x07inside").await;
    refuse("A: delete\x7finside").await;
    refuse("A: bare\rreturn").await;
    let old = "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    check("GET", old, End::Stay, Outcome::Invalid("")).await;
    check("GET", "HTTP/1.1 200 O\x01K\r\n\r\n", End::Stay, Outcome::Invalid("")).await;
    check("GET", "HTTP/1.1 99 Low\r\n\r\n", End::Stay, Outcome::Invalid("")).await;
    check("GET", "ICY 200 OK\r\n\r\n", End::Stay, Outcome::Invalid("")).await;
    let unasked = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";
    check("GET", unasked, End::Stay, Outcome::Invalid("101")).await;
    check("GET", "", End::Close, Outcome::Closed).await;
    check("GET", "HTTP/1.1 200 OK\r\nContent-Le", End::Close, Outcome::Closed).await;
}

#[tokio::test]
async fn interim_responses_are_skipped_up_to_a_limit() {
    let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let some = format!("{}{}", interim.repeat(32), ok("body"));
    check("GET", some, End::Stay, Outcome::Whole("body")).await;
    let many = format!("{}{}", interim.repeat(33), ok("body"));
    check("GET", many, End::Stay, Outcome::Invalid("interim")).await;
    let flood = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000);
    check("GET", flood, End::Stay, Outcome::Invalid("interim")).await;
}

#[tokio::test]
async fn heads_have_a_limit() {
    let fields = |count: usize| -> String {
        let fields: String = (0..count - 1).map(|n| format!("X-{n}: v\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n")
    };
    check("GET", fields(256), End::Stay, Outcome::Whole("")).await;
    check("GET", fields(257), End::Stay, Outcome::Invalid("too big")).await;
    check("GET", fields(300), End::Stay, Outcome::Invalid("too big")).await;
    let long = |length: usize| {
        let fill = "x".repeat(length - "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: \r\n\r\n".len());
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: {fill}\r\n\r\n")
    };
    check("GET", long(32 * 1024), End::Stay, Outcome::Whole("")).await;
    check("GET", long(32 * 1024 + 1), End::Stay, Outcome::Invalid("too big")).await;
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(64 * 1024));
    check("GET", endless, End::Stay, Outcome::Invalid("too big")).await;
}

#[tokio::test]
async fn hop_by_hop_fields_stay_behind() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let wire = "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                Transfer-Encoding: chunked\r\nX-End: 2\r\n\r\n0\r\n\r\n";
    let (_peer, response) = tokio::join!(script.serve(wire), send(&origins, &origin, "GET"));
    let headers = response.unwrap().head.headers;
    assert_eq!(headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["x-end"]);
}
