//! An edge that was given no way to check something refuses what it would have to check.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use http_body_util::BodyExt as _;
use warmfront::access::{Fixed, Geography, VIEWER_COUNTRY};
use warmfront::edge::EdgeOptions;
use warmfront::{Access, Body, Edge};
use warmfront_core::access::geo::{Country, GeoRestriction};
use warmfront_core::access::place::Place;
use warmfront_core::access::signed::TrustedKeys;
use warmfront_core::{Behavior, Distribution, Stack};

use crate::world::{ScriptedOrigin, answer, get, stack};

fn origin() -> ScriptedOrigin {
    ScriptedOrigin(Box::new(|_| Box::pin(async { answer(200, &[], Body::full("hello")) })))
}

/// An edge whose only distribution is changed so.
fn edge(change: impl FnOnce(&mut Distribution), access: Access) -> Edge {
    let mut only = Distribution::clone(&stack((0, 0, 3600)).distributions[0]);
    change(&mut only);
    let stack = Stack { distributions: vec![Arc::new(only)], ..Stack::default() };
    let mut options = EdgeOptions::new(Arc::new(stack), Arc::new(origin()));
    options.access = access;
    Edge::new(options)
}

fn only_germany(distribution: &mut Distribution) {
    distribution.geo_restriction = GeoRestriction::Only(vec![Country::parse("DE").unwrap()]);
}

fn in_country(code: &str) -> Option<Arc<dyn Geography>> {
    Some(Arc::new(Fixed::country(Country::parse(code).unwrap())))
}

#[tokio::test]
async fn trusted_keys_without_a_check_let_nobody_in() {
    let trusting = |distribution: &mut Distribution| {
        let behavior = Behavior::clone(&distribution.behaviors[0]);
        let trusted_keys = Some(Arc::new(TrustedKeys::default()));
        distribution.behaviors = vec![Arc::new(Behavior { trusted_keys, ..behavior })];
    };
    let edge = edge(trusting, Access::default());
    let reply = edge.call(get("/a?Expires=4102444800&Signature=AAAA&Key-Pair-Id=K")).await;
    assert_eq!(reply.status(), 403);
    assert_eq!(reply.headers()["content-type"], "text/xml");
    let page = reply.into_body().collect().await.unwrap().to_bytes();
    assert!(
        page.ends_with(b"<Error><Code>AccessDenied</Code><Message>Access denied</Message></Error>")
    );
}

#[tokio::test]
async fn a_restriction_holds_for_whoever_is_known_and_for_all_where_nobody_knows() {
    let status = async |access: Access| edge(only_germany, access).call(get("/a")).await.status();
    assert_eq!(status(Access::default()).await, 403, "nobody could ever know");
    let with = |geography| Access { geography, ..Access::default() };
    assert_eq!(status(with(in_country("DE"))).await, 200);
    assert_eq!(status(with(in_country("FR"))).await, 403);
}

#[tokio::test]
async fn a_viewer_says_where_it_is_only_on_loopback_and_where_that_is_allowed() {
    let rows = [
        ("127.0.0.1:1", true, 200),
        ("[::1]:1", true, 200),
        ("[::ffff:127.0.0.1]:1", true, 200),
        ("192.0.2.1:1", true, 403),
        ("127.0.0.1:1", false, 403),
    ];
    for (address, believes, status) in rows {
        let geography = in_country("FR");
        let access = Access { geography, believes_country_header: believes, ..Access::default() };
        let mut request = get("/a");
        request.viewer.address = address.parse::<SocketAddr>().unwrap();
        request.head.headers.insert(VIEWER_COUNTRY, "de".parse().unwrap());
        let reply = edge(only_germany, access).call(request).await;
        assert_eq!(reply.status(), status, "{address} {believes}");
    }
}

/// Counts how often it is asked.
#[derive(Debug, Default)]
struct Counting(Arc<AtomicUsize>);

impl Geography for Counting {
    fn place_of(&self, _: IpAddr) -> Option<Arc<Place>> {
        self.0.fetch_add(1, Relaxed);
        None
    }
}

#[tokio::test]
async fn places_are_looked_up_only_where_something_asks() {
    for (restricts, expected) in [(false, 0), (true, 1)] {
        let asked = Arc::new(AtomicUsize::new(0));
        let geography: Option<Arc<dyn Geography>> = Some(Arc::new(Counting(asked.clone())));
        let change = |distribution: &mut Distribution| {
            if restricts {
                only_germany(distribution);
            }
        };
        let edge = edge(change, Access { geography, ..Access::default() });
        assert_eq!(edge.call(get("/a")).await.status(), 200, "an unknown place is served");
        assert_eq!(asked.load(Relaxed), expected, "restricts: {restricts}");
    }
}
