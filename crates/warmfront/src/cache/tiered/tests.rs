//! What goes to both tiers, what comes back, and what never does.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::cache::tests_support::{meta, stored};
use crate::cache::{FRAGMENT, Failure, Generation};
use crate::clock::VirtualClock;

const PATIENCE: Duration = Duration::from_secs(20);

fn open(directory: &Path) -> TieredStorage {
    open_with(directory, 8 << 20)
}

fn open_with(directory: &Path, memory: u64) -> TieredStorage {
    let clock = VirtualClock::starting_at(std::time::SystemTime::UNIX_EPOCH);
    clock.advance(Duration::from_secs(1_000_000));
    let disk = DiskOptions::new(directory.to_owned(), 64 << 20);
    let memory = CacheOptions { memory, ..CacheOptions::default() };
    let storage = TieredStorage::open(memory, disk, Arc::new(clock)).unwrap();
    storage.tiers.disk.recover();
    storage
}

/// The same, where every read from the disk has to wait.
fn open_that_waits(directory: &Path) -> TieredStorage {
    let disk = DiskStore::that_waits(&DiskOptions::new(directory.to_owned(), 64 << 20));
    let clock = VirtualClock::starting_at(std::time::SystemTime::UNIX_EPOCH);
    clock.advance(Duration::from_secs(1_000_000));
    let memory = MemoryStorage::new(CacheOptions { memory: 8 << 20, ..CacheOptions::default() });
    TieredStorage { tiers: Arc::new(Tiers { memory, disk, clock: Arc::new(clock) }) }
}

fn key(name: &str) -> CacheKey {
    CacheKey::new(name.as_bytes())
}

fn whole(body: &[u8], stored_at: u64) -> Arc<StoredResponse> {
    let meta =
        crate::cache::StoredMeta { stored_at: Duration::from_secs(stored_at).into(), ..meta() };
    Arc::new(StoredResponse { meta, content: Content::Whole(Bytes::copy_from_slice(body)) })
}

async fn body(storage: &TieredStorage, name: &str) -> Option<Bytes> {
    let found = storage.lookup(name.as_bytes()).read().await?;
    match &found.content {
        Content::Whole(body) => Some(body.clone()),
        Content::Fragments { .. } => panic!("{name} is in fragments"),
    }
}

/// Writes what waits, and forgets what is in memory.
fn settle(storage: &TieredStorage) {
    assert!(storage.tiers.disk.settle(PATIENCE));
    storage.tiers.memory.visit(&mut |_| ());
    let mut keys = Vec::new();
    storage.tiers.memory.visit(&mut |visited| keys.push(visited.key.to_vec()));
    keys.iter().for_each(|key| storage.tiers.memory.remove(key, None));
}

#[tokio::test]
async fn what_is_stored_is_found_again_by_the_next_run() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    storage.insert(&key("a"), whole(b"hello", 5));
    let long = FragmentId { generation: Generation(7), number: 3 };
    storage.keep(long, Bytes::from(vec![b'x'; FRAGMENT as usize]));
    assert!(matches!(storage.lookup(b"a"), Found::Here(_)));
    drop(storage);

    let storage = open(directory.path());
    assert_eq!(body(&storage, "a").await.unwrap(), "hello");
    assert!(matches!(storage.tiers.memory.lookup(b"a"), Found::Here(_)), "now in memory, too");
    assert!(storage.holds(long) && !storage.holds(FragmentId { number: 4, ..long }));
    assert_eq!(storage.fragment(long).read().await.unwrap().len() as u64, FRAGMENT);
    assert!(storage.tiers.memory.holds(long));
    assert_eq!(body(&storage, "b").await, None);
}

#[tokio::test]
async fn where_a_read_has_to_wait_it_is_read_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open_that_waits(directory.path());
    storage.insert(&key("a"), whole(b"hello", 5));
    let id = FragmentId { generation: Generation(7), number: 0 };
    storage.keep(id, Bytes::from(vec![b'x'; FRAGMENT as usize]));
    settle(&storage);
    let Found::Elsewhere(coming) = storage.lookup(b"a") else { panic!("it is on disk alone") };
    assert!(coming.await.is_some());
    assert!(matches!(storage.lookup(b"a"), Found::Here(_)), "now it is in memory");

    // Somebody stores a newer response while an older one is being read.
    settle(&storage);
    let Found::Elsewhere(coming) = storage.lookup(b"a") else { panic!("it is on disk alone") };
    storage.insert(&key("a"), whole(b"newer", 6));
    storage.tiers.memory.remove(b"a", None);
    coming.await;
    assert_eq!(body(&storage, "a").await.unwrap(), "newer", "the older one did not stay in memory");

    let storage = open_that_waits(tempfile::tempdir().unwrap().path());
    storage.keep(id, Bytes::from_static(b"fragment"));
    assert!(matches!(storage.fragment(id), Found::Here(_)), "what waits to be written is at hand");
}

#[tokio::test]
async fn a_newer_response_takes_the_place_in_both_tiers() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    storage.insert(&key("a"), whole(b"old", 5));
    storage.insert(&key("a"), whole(b"new", 6));
    settle(&storage);
    assert_eq!(body(&storage, "a").await.unwrap(), "new");
    let known = storage.lookup(b"a").read().await.unwrap();
    storage.replace(&key("a"), Some(&known), whole(b"newer", 7));
    settle(&storage);
    assert_eq!(body(&storage, "a").await.unwrap(), "newer");
    drop(storage);
    assert_eq!(body(&open(directory.path()), "a").await.unwrap(), "newer");
}

#[tokio::test]
async fn news_about_an_old_response_displaces_a_newer_one_in_neither_tier() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    storage.insert(&key("a"), whole(b"old", 5));
    let old = storage.lookup(b"a").read().await.unwrap();
    storage.insert(&key("a"), whole(b"new", 6));
    for known in [Some(&old), None] {
        storage.replace(&key("a"), known, whole(b"news", 7));
        settle(&storage);
        storage.replace(&key("a"), known, whole(b"news", 7));
        storage.remove(b"a", Some(&old));
        assert_eq!(body(&storage, "a").await.unwrap(), "new");
    }
    drop(storage);
    assert_eq!(body(&open(directory.path()), "a").await.unwrap(), "new");
}

#[tokio::test]
async fn what_is_removed_is_gone_from_both_tiers_with_its_fragments() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    storage.insert(&key("a"), whole(b"hello", 5));
    settle(&storage);
    storage.remove(b"a", None);
    assert_eq!(body(&storage, "a").await, None);

    let generation = Generation(9);
    let ids: Vec<_> = (0..3).map(|number| FragmentId { generation, number }).collect();
    for id in &ids {
        storage.keep(*id, Bytes::from(vec![b'x'; FRAGMENT as usize]));
    }
    let content = Content::Fragments { generation, length: 3 * FRAGMENT };
    let long = StoredResponse { content, ..stored("") };
    storage.insert(&key("long"), Arc::new(long));
    storage.remove(b"long", None);
    assert!(storage.lookup(b"long").read().await.is_none());
    assert!(ids.iter().all(|id| !storage.holds(*id)));
    drop(storage);
    let storage = open(directory.path());
    assert_eq!(body(&storage, "a").await, None);
    // The index of a sealed segment names removed records, too; whoever reads one finds its mark.
    for id in ids {
        assert!(storage.fragment(id).read().await.is_none(), "{id:?}");
    }
}

#[tokio::test]
async fn the_memory_of_a_failure_stays_in_memory_and_hides_what_is_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    storage.insert(&key("a"), whole(b"hello", 5));
    let known = storage.lookup(b"a").read().await.unwrap();
    let failure = Failure { status: 502, detailed_result: "OriginConnectError" };
    let memory = StoredResponse::failed(
        crate::cache::Source::Primary,
        failure,
        *meta().lifetime,
        Duration::from_secs(6),
    );
    storage.replace(&key("a"), Some(&known), Arc::new(memory));
    assert!(storage.lookup(b"a").read().await.unwrap().failure().is_some());
    settle(&storage);
    assert_eq!(body(&storage, "a").await, None, "the older response does not come back");
}

#[tokio::test]
async fn a_copy_that_spares_its_origin_is_written_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    storage.insert(&key("a"), whole(b"hello", 5));
    let known = storage.lookup(b"a").read().await.unwrap();
    let sparing = Arc::new(known.sparing_origin_until(Duration::from_secs(99)));
    storage.replace(&key("a"), Some(&known), sparing);
    assert!(storage.lookup(b"a").read().await.unwrap().spare_origin_until().is_some());
    settle(&storage);
    assert_eq!(storage.disk_usage().written, 1);
    assert!(storage.lookup(b"a").read().await.unwrap().spare_origin_until().is_none());
}

#[tokio::test]
async fn a_walk_over_the_disk_leaves_in_memory_what_is_used() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open_with(directory.path(), 4 << 20);
    let content = vec![b'x'; 20_000];
    for n in 0..1500 {
        storage.insert(&key(&format!("{n}")), whole(&content, 5));
        if n % 100 == 99 {
            assert!(storage.tiers.disk.settle(PATIENCE));
        }
    }
    for _ in 0..3 {
        for n in 0..40 {
            assert!(body(&storage, &format!("{n}")).await.is_some());
        }
    }
    for n in 100..1500 {
        assert!(body(&storage, &format!("{n}")).await.is_some(), "{n} is on the disk");
    }
    let still = (0..40).filter(|n| {
        matches!(storage.tiers.memory.lookup(format!("{n}").as_bytes()), Found::Here(_))
    });
    let still = still.count();
    assert!(still >= 36, "of 40 that are used only {still} are left in memory");
}

#[tokio::test]
async fn a_visit_shows_each_response_once_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    storage.insert(&key("both"), whole(b"hello", 5));
    storage.insert(&key("disk"), whole(b"hello", 5));
    let varies = Arc::new(crate::cache::Varies::new());
    let entry = StoredResponse::of_varies(varies, 0, Duration::from_secs(5));
    storage.insert(&key("varies"), Arc::new(entry));
    storage.keep(FragmentId { generation: Generation(1), number: 0 }, Bytes::from_static(b"x"));
    for _ in 0..2 {
        storage.tiers.memory.remove(b"disk", None);
        storage.tiers.memory.remove(b"varies", None);
        let mut seen = Vec::new();
        storage.visit(&mut |visited| {
            assert!(visited.bytes > 5);
            assert_eq!(visited.meta.stored_at, Duration::from_secs(5).into());
            seen.push(String::from_utf8(visited.key.to_vec()).unwrap());
        });
        seen.sort();
        assert_eq!(seen, ["both", "disk"]);
        assert!(storage.tiers.disk.settle(PATIENCE), "then from the files");
    }
}

#[test]
fn bodies_of_up_to_half_of_the_disk_are_admitted() {
    let directory = tempfile::tempdir().unwrap();
    let storage = open(directory.path());
    assert!(storage.admits(32 << 20).is_ok());
    assert!(storage.admits((32 << 20) + 1).is_err());
}
