//! Continuous deployment as viewers meet it: a share of them, and each of them for as long as a session lasts.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::{COOKIE, SET_COOKIE};
use warmfront::edge::EdgeOptions;
use warmfront::{Body, Edge, VirtualClock};
use warmfront_core::continuous_deployment::{ContinuousDeployment, Stickiness, Traffic};
use warmfront_core::distribution::{Role, Stack};
use warmfront_core::policy::Selection;

use crate::world::{Read, ScriptedOrigin, answer, epoch, get, read, stack};

/// A primary and a staging distribution, whose origins say which they are and what cookies they got.
fn edge(share: f64, stickiness: bool) -> (Edge, VirtualClock) {
    let mut primary = (*stack((0, 60, 3600)).distributions[0]).clone();
    let origin = Arc::make_mut(&mut primary.origins[0]);
    origin.path = "/primary".to_owned();
    Arc::make_mut(&mut primary.behaviors[0]).cache_policy.cookies = Selection::All;
    let mut staging = primary.clone();
    staging.id = "ESTAGING".to_owned();
    staging.role = Role::Staging;
    Arc::make_mut(&mut staging.origins[0]).path = "/staging".to_owned();
    let stickiness = stickiness.then(|| Stickiness {
        idle: Duration::from_secs(300),
        maximum: Duration::from_secs(600),
        generation: "g".to_owned(),
    });
    primary.continuous_deployment = Some(Arc::new(ContinuousDeployment {
        policy: "policy".to_owned(),
        staging: staging.id.clone(),
        traffic: Traffic::Weight { share, stickiness },
    }));
    let stack =
        Stack { distributions: vec![Arc::new(primary), Arc::new(staging)], ..Stack::default() };
    let origin = ScriptedOrigin(Box::new(|request| {
        Box::pin(async move {
            let cookie = request.head.headers.get(COOKIE).map(|cookie| cookie.to_str().unwrap());
            let text = format!("{} {}", request.head.uri.path(), cookie.unwrap_or("-"));
            answer(200, &[], Body::full(text))
        })
    }));
    let clock = VirtualClock::starting_at(epoch());
    let mut options = EdgeOptions::new(Arc::new(stack), Arc::new(origin));
    options.clock = Arc::new(clock.clone());
    (Edge::new(options), clock)
}

async fn ask(edge: &Edge, cookie: Option<&str>) -> (String, Read) {
    let mut request = get("/a");
    if let Some(cookie) = cookie {
        request.head.headers.insert(COOKIE, HeaderValue::from_str(cookie).unwrap());
    }
    let reply = read(edge.call(request).await).await;
    (String::from_utf8(reply.body.clone()).unwrap(), reply)
}

#[tokio::test]
async fn a_share_of_the_requests_goes_to_staging_and_each_side_has_its_own_cache() {
    let (edge, _) = edge(0.15, false);
    let (mut staging, total) = (0, 4000);
    for _ in 0..total {
        let (text, reply) = ask(&edge, None).await;
        assert!(!reply.headers.contains_key(SET_COOKIE));
        match text.as_str() {
            "/primary/a -" => {}
            "/staging/a -" => staging += 1,
            other => panic!("{other}"),
        }
    }
    // Six standard deviations on either side.
    assert!((465..=735).contains(&staging), "{staging} of {total}");
}

#[tokio::test]
async fn a_weight_of_nothing_sends_nobody_to_staging() {
    let (edge, _) = edge(0.0, false);
    for _ in 0..100 {
        assert_eq!(ask(&edge, None).await.0, "/primary/a -");
    }
}

#[tokio::test]
async fn a_session_stays_on_its_side_and_its_cookie_reaches_neither_cache_nor_origin() {
    // Whom chance would always send to the other side.
    for (share, other, expected) in [(1.0, 'p', "/primary/a a=1"), (0.0, 's', "/staging/a a=1")] {
        let (edge, clock) = edge(share, true);
        let began = epoch().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut cookie = format!("warmfront-cd=g.{other}.{began}.{began}");
        for (seconds, x_cache) in [(0, "Miss"), (1, "Hit"), (290, "Miss")] {
            clock.advance(Duration::from_secs(seconds));
            let (text, reply) = ask(&edge, Some(&format!("a=1; {cookie}"))).await;
            assert_eq!((text.as_str(), reply.x_cache()), (expected, x_cache));
            let set = reply.headers[SET_COOKIE].to_str().unwrap();
            cookie = set.split(';').next().unwrap().to_owned();
        }
        // The session has been idle for too long.
        clock.advance(Duration::from_secs(300));
        let (text, _) = ask(&edge, Some(&cookie)).await;
        assert_ne!(text, expected.replace("a=1", "-"));
    }
}
