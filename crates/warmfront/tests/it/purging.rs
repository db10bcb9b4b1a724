//! Purges while threads ask: what was acknowledged holds for every request that comes after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use http::header::HeaderName;
use http_body_util::BodyExt as _;
use warmfront::{Body, Edge, Purge, PurgeError};
use warmfront_core::caching::Invalidation;
use warmfront_core::{Distribution, Stack};

use super::world::{ScriptedOrigin, answer, edge_of, get, read, stack};

/// An edge whose origin answers with the version at the moment when it was asked.
fn versioned(version: Arc<AtomicU64>) -> Edge {
    let origin = ScriptedOrigin(Box::new(move |_| {
        let seen = version.load(SeqCst);
        Box::pin(async move {
            // Long enough for others to join, and for purges to come in between.
            for _ in 0..seen % 7 {
                tokio::task::yield_now().await;
            }
            answer(200, &[("cache-tag", "t, u".to_owned())], Body::full(seen.to_string()))
        })
    }));
    let mut tagged = Stack::clone(&stack((0, 3600, 3600)));
    let mut distribution = Distribution::clone(&tagged.distributions[0]);
    distribution.cache_tag_header = Some(HeaderName::from_static("cache-tag"));
    tagged.distributions = vec![Arc::new(distribution)];
    edge_of(Arc::new(tagged), 64 << 20, origin).0
}

fn purge(edge: &Edge, item: &str, soft: bool) -> Purge {
    let purge = Purge {
        distribution: "E1234567890ABC".to_owned(),
        items: vec![Invalidation::parse(item).unwrap()],
        soft,
        dry_run: false,
    };
    edge.purge(&purge).unwrap();
    purge
}

async fn version_at(edge: &Edge, path: &str) -> u64 {
    let reply = read(edge.call(get(path)).await).await;
    assert!(reply.whole && reply.status == 200, "{reply:?}");
    std::str::from_utf8(&reply.body).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_after_a_purge_sees_what_was_before_it() {
    let version = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let done = Arc::new(AtomicBool::new(false));
    let edge = versioned(version.clone());
    let viewers: Vec<_> = (0..8)
        .map(|number| {
            let (edge, acknowledged, done) = (edge.clone(), acknowledged.clone(), done.clone());
            let path = format!("/a/{}", number % 3);
            tokio::spawn(async move {
                let mut asked = 0;
                while !done.load(SeqCst) {
                    let before = acknowledged.load(SeqCst);
                    let seen = version_at(&edge, &path).await;
                    assert!(seen >= before, "{path}: version {seen} after the purge of {before}");
                    asked += 1;
                }
                asked
            })
        })
        .collect();
    for round in 0..600_u64 {
        let next = version.fetch_add(1, SeqCst) + 1;
        match round % 4 {
            0 => ["/a/0", "/a/1", "/a/2"].iter().for_each(|path| drop(purge(&edge, path, false))),
            1 => drop(purge(&edge, "/a*", false)),
            2 => drop(purge(&edge, "#U", false)),
            _ => drop(purge(&edge, "/*", false)),
        }
        acknowledged.store(next, SeqCst);
        tokio::task::yield_now().await;
    }
    done.store(true, SeqCst);
    for viewer in viewers {
        assert!(viewer.await.unwrap() > 0, "each of them has asked");
    }
}

#[tokio::test]
async fn whoever_reads_a_long_object_when_it_is_purged_reads_it_to_its_end() {
    let version = Arc::new(AtomicU64::new(1));
    let current = version.clone();
    let origin = ScriptedOrigin(Box::new(move |_| {
        let octet = current.load(SeqCst) as u8;
        Box::pin(async move { answer(200, &[], Body::full(vec![octet; 2 << 20])) })
    }));
    let (edge, _clock) = edge_of(stack((0, 3600, 3600)), 64 << 20, origin);
    let filled = read(edge.call(get("/long")).await).await;
    assert_eq!(filled.body, vec![1; 2 << 20]);
    let mut reply = edge.call(get("/long")).await;
    let first = reply.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    version.store(2, SeqCst);
    purge(&edge, "/long", false);
    let next = read(edge.call(get("/long")).await).await;
    assert_eq!((next.x_cache(), next.body[0]), ("Miss", 2));
    let rest = read(reply).await;
    assert!(rest.whole, "it broke off after {} more octets", rest.body.len());
    assert_eq!(first.len() + rest.body.len(), 2 << 20);
    assert!(rest.body.iter().all(|octet| *octet == 1));
}

#[tokio::test]
async fn a_soft_purge_is_followed_by_one_refresh() {
    let version = Arc::new(AtomicU64::new(1));
    let edge = versioned(version.clone());
    assert_eq!(version_at(&edge, "/a").await, 1);
    version.store(2, SeqCst);
    purge(&edge, "/a", true);
    assert_eq!(version_at(&edge, "/a").await, 1, "the stale one, at once");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(version_at(&edge, "/a").await, 2);
}

#[tokio::test]
async fn a_purge_of_what_is_not_served_is_an_error() {
    let edge = versioned(Arc::default());
    let elsewhere = Purge { distribution: "E9".to_owned(), ..purge(&edge, "/a", false) };
    assert!(
        matches!(edge.purge(&elsewhere), Err(PurgeError::UnknownDistribution(id)) if id == "E9")
    );
}
