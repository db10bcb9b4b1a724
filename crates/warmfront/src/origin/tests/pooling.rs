//! Which connection a request travels over.

use std::sync::Arc;

use warmfront_core::api::Api;

use super::super::pool::PoolLimits;
use super::super::{BoxFuture, LocalApis};
use super::*;

#[tokio::test]
async fn a_connection_is_used_again_after_a_whole_response() {
    for whole in [
        ok("one"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n".to_owned(),
    ] {
        let (script, origins) = (Script::new().await, origins(&clock()));
        let origin = origin(Target::Nodes(vec![script.node()]));
        let (peer, _) = tokio::join!(script.serve(&whole), get(&origins, &origin));
        let mut peer = peer;
        let again = async {
            peer.head().await;
            peer.send(ok("two")).await;
        };
        let (_, second) = tokio::join!(again, get(&origins, &origin));
        assert_eq!(second, "two", "after {whole:?}");
    }
}

/// The second request must come over a second connection, whatever the first reply left behind.
async fn closes_after(method: &str, first: &str) {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let exchange = async { body_of(send(&origins, &origin, method).await.unwrap()).await };
    let (_first_peer, first_body) = tokio::join!(script.serve(first), exchange);
    first_body.unwrap();
    let (_, second) = tokio::join!(script.serve(ok("right")), get(&origins, &origin));
    assert_eq!(second, "right", "{method} answered with {first:?}");
}

#[tokio::test]
async fn anything_after_a_complete_reply_closes_the_connection_unread() {
    let two = format!("{}{}", ok("one"), ok("WRONG"));
    closes_after("GET", &two).await;
    closes_after("GET", &format!("HTTP/1.1 304 Not Modified\r\n\r\n{}", ok("WRONG"))).await;
    closes_after("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nWRONG").await;
    closes_after("GET", &format!("HTTP/1.1 204 No Content\r\n\r\n{}", ok("WRONG"))).await;
    closes_after("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nWRONG").await;
    closes_after("GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneX").await;
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n";
    closes_after("GET", &format!("{chunked}{}", ok("WRONG"))).await;
}

#[tokio::test]
async fn an_origin_that_says_close_is_not_asked_again_on_that_connection() {
    closes_after("GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na").await;
    closes_after("GET", "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na").await;
}

#[tokio::test]
async fn octets_on_an_idle_connection_close_it() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let (mut peer, _) = tokio::join!(script.serve(ok("one")), get(&origins, &origin));
    peer.send(ok("WRONG")).await;
    assert_eq!(peer.rest().await, b"", "the edge closes without a request");
    let (_, second) = tokio::join!(script.serve(ok("right")), get(&origins, &origin));
    assert_eq!(second, "right");
}

#[tokio::test]
async fn a_kept_connection_that_died_is_replaced_once_for_safe_methods_only() {
    for (method, is_repeated) in
        [("GET", true), ("HEAD", true), ("OPTIONS", true), ("POST", false), ("DELETE", false)]
    {
        let (script, origins) = (Script::new().await, origins(&clock()));
        let origin = origin(Target::Nodes(vec![script.node()]));
        let (mut peer, _) = tokio::join!(script.serve(ok("one")), get(&origins, &origin));
        let play = async {
            peer.head().await;
            drop(peer);
            if is_repeated {
                script.serve(ok("")).await;
            }
        };
        let (_, answer) = tokio::join!(play, send(&origins, &origin, method));
        match answer {
            Ok(response) => assert!(is_repeated && response.head.status == 200, "{method}"),
            Err(error) => {
                assert!(matches!(error, OriginError::Closed { .. }), "{method}: {error}");
                assert!(!is_repeated, "{method}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_began_to_answer_is_never_replaced() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let (mut peer, _) = tokio::join!(script.serve(ok("one")), get(&origins, &origin));
    let play = async {
        peer.head().await;
        peer.send("HTTP/1.1 2").await;
        drop(peer);
    };
    let (_, answer) = tokio::join!(play, send(&origins, &origin, "GET"));
    assert!(matches!(answer, Err(OriginError::Closed { .. })), "{answer:?}");
}

#[tokio::test]
async fn an_idle_connection_that_the_origin_closed_is_not_used() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let (peer, _) = tokio::join!(script.serve(ok("one")), get(&origins, &origin));
    drop(peer);
    // Even a POST goes through: nothing was sent on the dead connection.
    let (_, answer) = tokio::join!(script.serve(ok("two")), send(&origins, &origin, "POST"));
    assert_eq!(body_of(answer.unwrap()).await.unwrap(), "two");
}

#[tokio::test]
async fn idle_connections_close_when_the_keep_alive_time_is_over() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let origin = origin(Target::Nodes(vec![script.node()]));
    let (mut peer, _) = tokio::join!(script.serve(ok("one")), get(&origins, &origin));
    clock.advance(Duration::from_secs(4));
    let again = async {
        peer.head().await;
        peer.send(ok("two")).await;
        peer
    };
    let (mut peer, second) = tokio::join!(again, get(&origins, &origin));
    assert_eq!(second, "two");
    clock.advance(Duration::from_secs(5));
    assert_eq!(peer.rest().await, b"");

    // Nor is one used whose time is over and whose driver has not had its turn yet.
    let (_peer, _) = tokio::join!(script.serve(ok("three")), get(&origins, &origin));
    clock.advance(Duration::from_secs(5));
    let (_peer, fourth) = tokio::join!(script.serve(ok("four")), get(&origins, &origin));
    assert_eq!(fourth, "four");
}

#[tokio::test]
async fn the_origin_that_used_a_connection_last_says_how_long_it_is_kept() {
    let clock = clock();
    let (script, origins) = (Script::new().await, origins(&clock));
    let brief = origin(Target::Nodes(vec![script.node()]));
    let mut patient = brief.clone();
    patient.keepalive_timeout = Duration::from_secs(120);
    patient.read_timeout = Duration::from_secs(120);
    let (mut peer, _) = tokio::join!(script.serve(ok("one")), get(&origins, &patient));
    let again = async {
        peer.head().await;
        peer.send(ok("two")).await;
        peer
    };
    let (mut peer, _) = tokio::join!(again, get(&origins, &brief));
    clock.advance(Duration::from_secs(5));
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn the_pool_keeps_no_more_than_its_limits() {
    let clock = clock();
    let mut options = OriginsOptions::new(Arc::new(clock.clone()));
    options.limits = PoolLimits { idle_per_host: 1, hosts: 2 };
    let origins = Origins::new(options);
    let script = Script::new().await;
    let site = origin(Target::Nodes(vec![script.node()]));
    // Two at once, so two connections; only one may stay.
    let serve_two = async {
        let (mut one, mut two) = (script.accept().await, script.accept().await);
        one.head().await;
        two.head().await;
        one.send(ok("1")).await;
        two.send(ok("2")).await;
        (one, two)
    };
    let both = async { tokio::join!(get(&origins, &site), get(&origins, &site)) };
    let _peers = tokio::join!(serve_two, both);
    let host = |port| origins.http.pool.host(Scheme::Http, "127.0.0.1", port, "");
    assert_eq!(host(script.node().port).idle_count(), 1);
    // A third place pushes one of the two out.
    let (others, mut peers) = ([Script::new().await, Script::new().await], Vec::new());
    for other in &others {
        let origin = origin(Target::Nodes(vec![other.node()]));
        let (peer, _) = tokio::join!(other.serve(ok("x")), get(&origins, &origin));
        peers.push(peer);
    }
    let kept = [&script, &others[0], &others[1]].map(|it| host(it.node().port).idle_count());
    assert!(kept.iter().sum::<usize>() <= 2, "{kept:?}");
}

#[tokio::test]
async fn nodes_take_turns_and_a_dead_one_costs_an_attempt() {
    let (one, two, origins) = (Script::new().await, Script::new().await, origins(&clock()));
    let mut site = origin(Target::Nodes(vec![one.node(), two.node()]));
    let (_peer_one, first) = tokio::join!(one.serve(ok("one")), get(&origins, &site));
    let (_peer_two, second) = tokio::join!(two.serve(ok("two")), get(&origins, &site));
    assert_eq!((first.as_str(), second.as_str()), ("one", "two"));

    let dead = Script::new().await.node();
    site.id = "other".to_owned();
    site.target = Target::Nodes(vec![dead.clone(), one.node()]);
    let fresh = self::origins(&clock());
    let (_, answer) = tokio::join!(one.serve(ok("alive")), get(&fresh, &site));
    assert_eq!(answer, "alive");

    site.target = Target::Nodes(vec![dead]);
    let error = send(&fresh, &site, "GET").await.unwrap_err();
    assert!(matches!(error, OriginError::Connect { .. }), "{error}");
    assert_eq!((error.status(), error.detailed_result()), (502, "OriginConnectError"));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_dns_error() {
    let mut site = origin(Target::Dns);
    site.domain_name = "no..such..name".to_owned();
    let error = send(&origins(&clock()), &site, "GET").await.unwrap_err();
    assert!(matches!(error, OriginError::Dns { .. }), "{error}");
}

#[tokio::test]
async fn a_name_never_leads_to_a_metadata_service() {
    let mut site = origin(Target::Dns);
    site.domain_name = "169.254.169.254".to_owned();
    let error = send(&origins(&clock()), &site, "GET").await.unwrap_err();
    let OriginError::Connect { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind(), std::io::ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn dropping_the_future_or_the_body_closes_the_connection() {
    let (script, origins) = (Script::new().await, origins(&clock()));
    let site = origin(Target::Nodes(vec![script.node()]));
    let mut peer = {
        let mut sending = std::pin::pin!(send(&origins, &site, "GET"));
        let arrived = async {
            let mut peer = script.accept().await;
            peer.head().await;
            peer
        };
        tokio::select! {
            _ = &mut sending => panic!("nobody answered"),
            peer = arrived => peer,
        }
    };
    assert_eq!(peer.rest().await, b"");

    let partial = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf";
    let (mut peer, response) = tokio::join!(script.serve(partial), send(&origins, &site, "GET"));
    drop(response.unwrap());
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_pool_serves_many_threads_and_never_mixes_answers() {
    let script = Script::new().await;
    let site = Arc::new(origin(Target::Nodes(vec![script.node()])));
    let origins = Arc::new(origins(&clock()));
    let serving = tokio::spawn(async move {
        loop {
            let mut peer = script.accept().await;
            tokio::spawn(async move {
                let mut byte = [0];
                while peer.stream.peek(&mut byte).await.is_ok_and(|length| length > 0) {
                    let head = peer.head().await;
                    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    peer.send(ok(&target)).await;
                }
            });
        }
    });
    let clients = (0..8).map(|client| {
        let (site, origins) = (site.clone(), origins.clone());
        tokio::spawn(async move {
            for turn in 0..50 {
                let target = format!("/{client}/{turn}");
                let request = request("GET", &target, Body::empty());
                let response = origins.send(&site, Scheme::Http, request).await.unwrap();
                assert_eq!(body_of(response).await.unwrap(), target);
            }
        })
    });
    for client in futures_util::future::join_all(clients).await {
        client.unwrap();
    }
    serving.abort();
}

#[derive(Debug)]
struct Echo;

impl LocalApis for Echo {
    fn call<'a>(
        &'a self,
        api: &'a Arc<Api>,
        request: OriginRequest,
    ) -> BoxFuture<'a, Result<OriginResponse, OriginError>> {
        Box::pin(async move {
            if request.head.uri.path() == "/slow" {
                std::future::pending::<()>().await;
            }
            let (head, ()) = http::Response::new(()).into_parts();
            Ok(OriginResponse { head, body: Body::full(format!("api {}", api.logical_id)) })
        })
    }
}

#[tokio::test]
async fn local_apis_answer_within_the_read_time_out() {
    let clock = clock();
    let api = Api {
        logical_id: "Pets".into(),
        domain_name: "pets.execute-api.us-east-1.amazonaws.com".into(),
        kind: warmfront_core::api::ApiKind::Http,
        stages: vec![],
        binary_media_types: vec![],
        cors: None,
        routes: Vec::new(),
    };
    let site = origin(Target::Api(Arc::new(api)));
    let error = send(&origins(&clock), &site, "GET").await.unwrap_err();
    assert!(matches!(error, OriginError::Unavailable { .. }), "{error}");

    let mut options = OriginsOptions::new(Arc::new(clock.clone()));
    options.local_apis = Some(Arc::new(Echo));
    let origins = Origins::new(options);
    assert_eq!(get(&origins, &site).await, "api Pets");

    let slow = request("GET", "/slow", Body::empty());
    let waiting = origins.send(&site, Scheme::Http, slow);
    let later = async {
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(30));
    };
    let (answer, ()) = tokio::join!(waiting, later);
    assert!(matches!(answer, Err(OriginError::ReadTimeout { .. })), "{answer:?}");
}
