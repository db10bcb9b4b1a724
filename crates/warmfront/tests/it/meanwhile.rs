//! What another fetch stores between a request's look at the storage and its turn to fetch.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::{IF_RANGE, RANGE};
use warmfront::cache::{
    CacheKey, CacheOptions, Found, FragmentId, Grip, Kept, MemoryStorage, Storage, StoredResponse,
    TooLarge, Usage, Visited,
};
use warmfront::edge::EdgeOptions;
use warmfront::{Body, Edge, ViewerRequest, VirtualClock};

use crate::simulation::turns;
use crate::world::{Pieces, Read, ScriptedOrigin, answer, epoch, get, read, stack};

const FRAGMENT: u64 = 4 << 10;
const LENGTH: usize = 20_000;

/// What is stored is seen only after as many looks as `unseen` says, as if it came in between.
#[derive(Debug)]
struct Late {
    memory: MemoryStorage,
    unseen: Arc<AtomicU64>,
}

impl Storage for Late {
    fn lookup(&self, key: &[u8]) -> Found<Arc<StoredResponse>> {
        let less = |looks: u64| looks.checked_sub(1);
        match self.unseen.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Found::Nowhere,
            Err(_) => self.memory.lookup(key),
        }
    }
    fn fragment(&self, id: FragmentId) -> Found<Bytes> {
        self.memory.fragment(id)
    }
    fn holds(&self, id: FragmentId) -> bool {
        self.memory.holds(id)
    }
    fn keep(&self, id: FragmentId, fragment: Bytes) -> Kept {
        self.memory.keep(id, fragment)
    }
    fn grip(&self, id: FragmentId) -> Grip {
        self.memory.grip(id)
    }
    fn admits(&self, length: u64) -> Result<(), TooLarge> {
        self.memory.admits(length)
    }
    fn insert(&self, key: &CacheKey, response: Arc<StoredResponse>) {
        self.memory.insert(key, response);
    }
    fn replace(
        &self,
        key: &CacheKey,
        known: Option<&Arc<StoredResponse>>,
        response: Arc<StoredResponse>,
    ) {
        self.memory.replace(key, known, response);
    }
    fn remove(&self, key: &[u8], known: Option<&Arc<StoredResponse>>) {
        self.memory.remove(key, known);
    }
    fn sweep(&self, key: &[u8], epoch: u64) {
        self.memory.sweep(key, epoch);
    }
    fn visit(&self, see: &mut dyn FnMut(Visited<'_>)) {
        self.memory.visit(see);
    }
    fn usage(&self) -> Usage {
        self.memory.usage()
    }
    fn fragment_size(&self) -> u64 {
        FRAGMENT
    }
}

struct World {
    edge: Edge,
    /// What the origin has now.
    version: Arc<AtomicU64>,
    /// How often it was asked.
    asked: Arc<AtomicU64>,
    unseen: Arc<AtomicU64>,
}

fn world() -> World {
    let (version, asked) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicU64::new(0)));
    let script = {
        let (version, asked) = (version.clone(), asked.clone());
        ScriptedOrigin(Box::new(move |request| {
            let version = version.load(Ordering::Relaxed);
            asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                turns(3).await;
                let etag = format!("\"{version}\"");
                let mut headers = vec![("etag", etag.clone())];
                headers.push(("cache-control", "max-age=60".to_owned()));
                let sent = request.head.headers;
                let is_same = sent.get(IF_RANGE).is_none_or(|asked| *asked == *etag);
                let range = sent.get(RANGE).filter(|_| is_same).map(|range| {
                    let range = range.to_str().unwrap().strip_prefix("bytes=").unwrap();
                    let (first, last) = range.split_once('-').unwrap();
                    let last = last.parse().unwrap_or(LENGTH - 1).min(LENGTH - 1);
                    first.parse().unwrap()..last + 1
                });
                let status = if range.is_some() { 206 } else { 200 };
                if let Some(range) = &range {
                    let (first, last) = (range.start, range.end - 1);
                    headers.push(("content-range", format!("bytes {first}-{last}/{LENGTH}")));
                }
                let range = range.unwrap_or(0..LENGTH);
                let (length, pieces) = (Some(range.len() as u64), vec![body_of(version, range)]);
                let body = Pieces { pieces, length, breaks: false, rested: false };
                answer(status, &headers, Body::stream(body))
            })
        }))
    };
    let mut options = EdgeOptions::new(stack((0, 0, 3600)), Arc::new(script));
    options.clock = Arc::new(VirtualClock::starting_at(epoch()));
    let unseen = Arc::new(AtomicU64::new(0));
    let memory = MemoryStorage::new(CacheOptions { memory: 1 << 20, fragment: FRAGMENT });
    options.storage = Some(Arc::new(Late { memory, unseen: unseen.clone() }));
    World { edge: Edge::new(options), version, asked, unseen }
}

/// Every octet tells the version and its place.
fn body_of(version: u64, range: std::ops::Range<usize>) -> Bytes {
    range.map(|place| (version as usize * 31 + place % 251) as u8).collect()
}

impl World {
    async fn ask(&self, request: ViewerRequest) -> Read {
        tokio::select! {
            biased;
            reply = async { read(self.edge.call(request).await).await } => reply,
            () = turns(1000) => panic!("a viewer waits for itself"),
        }
    }

    /// Of the first version, the first fragment is stored.
    async fn with_a_part() -> Self {
        let world = world();
        let mut request = get("/a");
        request.head.headers.insert(RANGE, "bytes=0-9".parse().unwrap());
        let part = world.ask(request).await;
        assert_eq!((part.status.as_u16(), part.body), (206, body_of(1, 0..10).to_vec()));
        world
    }
}

/// The leader of a fill finds that it need not fetch: what is missing of the object can be had by name.
#[tokio::test]
async fn a_leader_that_finds_a_part_completes_it() {
    let world = World::with_a_part().await;
    world.unseen.store(1, Ordering::Relaxed);
    let whole = world.ask(get("/a")).await;
    assert_eq!((whole.status.as_u16(), whole.body), (200, body_of(1, 0..LENGTH).to_vec()));
    assert_eq!(world.asked.load(Ordering::Relaxed), 2);
}

/// And if it can no longer be had, the leader asks anew, and must not wait for the fill that it leads itself.
#[tokio::test]
async fn a_leader_that_finds_a_part_of_an_old_version_fetches_the_new_one() {
    let world = World::with_a_part().await;
    world.version.store(2, Ordering::Relaxed);
    world.unseen.store(1, Ordering::Relaxed);
    let whole = world.ask(get("/a")).await;
    assert_eq!((whole.status.as_u16(), whole.body), (200, body_of(2, 0..LENGTH).to_vec()));
    assert_eq!(world.asked.load(Ordering::Relaxed), 3, "a part, a hole in vain, the whole");
}

/// Whoever waits for such a leader is let go at once: it is not going to fetch for them.
#[tokio::test]
async fn nobody_waits_for_a_leader_that_completes_a_part() {
    let world = World::with_a_part().await;
    world.version.store(2, Ordering::Relaxed);
    // Two viewers look before the first of them leads.
    world.unseen.store(1, Ordering::Relaxed);
    let first = world.ask(get("/a"));
    let second = async {
        turns(1).await;
        world.unseen.store(1, Ordering::Relaxed);
        world.ask(get("/a")).await
    };
    let (first, second) = tokio::join!(first, second);
    let expected = body_of(2, 0..LENGTH);
    assert!(first.body == expected && second.body == expected);
    assert_eq!(world.asked.load(Ordering::Relaxed), 3);
}
