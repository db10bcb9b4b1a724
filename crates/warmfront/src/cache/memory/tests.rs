use super::*;
use crate::cache::tests_support::{in_fragments, stored, with_body};
use crate::cache::{Generation, StoredMeta};

fn key(name: &str) -> CacheKey {
    CacheKey::new(name.as_bytes())
}

fn storage(memory: u64, fragment: u64) -> MemoryStorage {
    MemoryStorage::new(CacheOptions { memory, fragment })
}

fn store(storage: &MemoryStorage, name: &str, size: usize) {
    storage.insert(&key(name), Arc::new(with_body(Bytes::from(vec![b'x'; size]))));
}

/// An object of `count` fragments of `size` octets.
fn store_fragments(storage: &MemoryStorage, name: &str, count: u32, size: usize) -> Generation {
    let generation = Generation::random();
    for number in 0..count {
        storage.keep(FragmentId { generation, number }, Bytes::from(vec![b'x'; size]));
    }
    let length = u64::from(count) * size as u64;
    storage.insert(&key(name), Arc::new(in_fragments(generation, length)));
    generation
}

fn found(storage: &MemoryStorage, name: &str) -> Option<Arc<StoredResponse>> {
    match storage.lookup(name.as_bytes()) {
        Found::Here(found) => Some(found),
        Found::Elsewhere(_) | Found::Nowhere => None,
    }
}

fn has(storage: &MemoryStorage, generation: Generation, number: u32) -> bool {
    storage.holds(FragmentId { generation, number })
}

#[test]
fn a_fragment_is_found_by_its_version_and_number_alone() {
    let storage = storage(1 << 20, 1 << 10);
    let generation = store_fragments(&storage, "a", 3, 1 << 10);
    assert!(has(&storage, generation, 2) && !has(&storage, generation, 3));
    assert!(!has(&storage, Generation::random(), 0));
    let Found::Here(fragment) = storage.fragment(FragmentId { generation, number: 1 }) else {
        panic!("it was kept")
    };
    assert_eq!(fragment.len(), 1 << 10);
}

#[test]
fn what_is_removed_is_gone_unless_something_newer_is_there() {
    let storage = storage(1 << 20, 1 << 10);
    store(&storage, "a", 1);
    let old = found(&storage, "a").unwrap();
    let generation = store_fragments(&storage, "a", 2, 1 << 10);
    storage.remove(b"a", Some(&old));
    assert!(found(&storage, "a").is_some() && has(&storage, generation, 1));
    storage.remove(b"a", None);
    assert!(found(&storage, "a").is_none() && !has(&storage, generation, 1));
    assert_eq!(storage.usage().bytes, 0);
}

#[test]
fn a_visit_shows_every_response_with_its_fragments() {
    let storage = storage(1 << 20, 1 << 10);
    store(&storage, "a", 1);
    store_fragments(&storage, "b", 3, 1 << 10);
    let mut seen = Vec::new();
    storage.visit(&mut |visited| seen.push((visited.key.to_vec(), visited.bytes)));
    seen.sort();
    let sum: u64 = seen.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!(seen.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), [b"a", b"b"]);
    assert_eq!(sum, storage.usage().bytes);
}

#[test]
fn memory_stays_under_its_limit_whatever_the_sizes() {
    let storage = storage(4 << 20, 64 << 10);
    for round in 0..2000usize {
        match round % 5 {
            4 => drop(store_fragments(&storage, &format!("{round}"), 3, 64 << 10)),
            kind => store(&storage, &format!("{round}"), [1, 900, 20_000, 200_000][kind]),
        }
        let usage = storage.usage();
        assert!(usage.bytes <= usage.limit, "after {round}: {usage:?}");
    }
    assert!(storage.usage().objects > 20, "the cache keeps what fits");
}

#[test]
fn an_entry_that_fits_into_no_part_of_the_index_is_not_taken_and_harms_nothing() {
    let storage = storage(1 << 20, 1 << 20);
    store(&storage, "small", 1000);
    let id = FragmentId { generation: Generation::random(), number: 0 };
    storage.keep(id, Bytes::from(vec![0; 1 << 20]));
    assert!(!storage.holds(id) && found(&storage, "small").is_some());
    assert_eq!(storage.admits(1 << 20), Err(TooLarge));
}

#[test]
fn a_body_over_a_sixteenth_of_the_memory_is_not_admitted() {
    let storage = storage(64 << 20, 256 << 10);
    for (length, expected) in [(0, Ok(())), (4 << 20, Ok(())), ((4 << 20) + 1, Err(TooLarge))] {
        assert_eq!(storage.admits(length), expected, "{length}");
    }
}

/// What is used stays, whatever comes by once: a crawl over many objects, or a body in fragments that is
/// as long as the cache is large.
#[test]
fn a_scan_does_not_flush_what_is_used() {
    let hot = |storage: &MemoryStorage| {
        (0..200).filter(|n| found(storage, &format!("hot {n}")).is_some()).count()
    };
    for scan in ["objects", "fragments"] {
        let storage = storage(8 << 20, 64 << 10);
        for n in 0..200 {
            store(&storage, &format!("hot {n}"), 16 << 10);
        }
        for _ in 0..3 {
            assert_eq!(hot(&storage), 200, "{scan}");
        }
        match scan {
            "objects" => (0..2000).for_each(|n| store(&storage, &format!("scan {n}"), 16 << 10)),
            _ => drop(store_fragments(&storage, "scan", 500, 64 << 10)),
        }
        let left = hot(&storage);
        assert!(left >= 190, "{left} of 200 are left after four times the memory in {scan}");
    }
}

/// So that a body of the longest admitted kind is whole when its head is stored, also where everything
/// else is in use.
#[test]
fn an_admitted_body_keeps_its_own_beginning() {
    let storage = storage(16 << 20, 16 << 10);
    for round in 0..2 {
        for n in 0..2000 {
            store(&storage, &format!("{n}"), 8 << 10);
            found(&storage, &format!("{n}"));
        }
        let generation = store_fragments(&storage, &format!("long {round}"), 64, 16 << 10);
        let there = (0..64).filter(|number| has(&storage, generation, *number)).count();
        assert_eq!(there, 64, "round {round}");
    }
}

#[test]
fn news_about_an_old_response_does_not_displace_a_newer_one() {
    let storage = storage(1 << 20, 1 << 10);
    let length = |name| found(&storage, name).unwrap().length();
    store(&storage, "a", 1);
    let old = found(&storage, "a").unwrap();
    store(&storage, "a", 2);
    storage.replace(&key("a"), Some(&old), Arc::new(stored("news")));
    assert_eq!(length("a"), 2);
    storage.replace(&key("a"), None, Arc::new(stored("news")));
    assert_eq!(length("a"), 2);

    let current = found(&storage, "a").unwrap();
    storage.replace(&key("a"), Some(&current), Arc::new(stored("news")));
    assert_eq!(length("a"), 4);
    storage.replace(&key("b"), None, Arc::new(stored("first")));
    assert_eq!(length("b"), 5);
}

/// Random work against a model that never forgets: what is found is what was stored last.
#[test]
fn whatever_makes_room_no_lookup_finds_anything_else_than_was_stored() {
    let mut random = fastrand::Rng::with_seed(4);
    let storage = storage(1 << 20, 4 << 10);
    let mut model: HashMap<String, (StoredMeta, Vec<u8>, Option<Generation>)> = HashMap::new();
    let mut hits = 0;
    for round in 0..20_000u32 {
        let name = format!("{}", random.u32(..200));
        match random.u32(..10) {
            0..4 => {
                let length = random.usize(..16 << 10);
                let body: Vec<u8> = (0..length).map(|n| (n as u32 ^ round) as u8).collect();
                let generation = (length > 4 << 10).then(Generation::random);
                let response = match generation {
                    None => with_body(Bytes::from(body.clone())),
                    Some(generation) => {
                        for (number, part) in (0..).zip(body.chunks(4 << 10)) {
                            let id = FragmentId { generation, number };
                            storage.keep(id, Bytes::copy_from_slice(part));
                        }
                        in_fragments(generation, length as u64)
                    }
                };
                model.insert(name.clone(), (response.meta.clone(), body, generation));
                storage.insert(&key(&name), Arc::new(response));
            }
            4 => {
                model.remove(&name);
                storage.remove(name.as_bytes(), None);
            }
            _ => {
                let Some(response) = found(&storage, &name) else { continue };
                let (_, body, _) = &model[&name];
                hits += 1;
                assert_eq!(response.length(), body.len() as u64, "round {round}");
                match &response.content {
                    Content::Whole(bytes) => assert_eq!(bytes, body, "round {round}"),
                    Content::Fragments { generation, .. } => {
                        for (number, part) in (0..).zip(body.chunks(4 << 10)) {
                            let id = FragmentId { generation: *generation, number };
                            if let Found::Here(fragment) = storage.fragment(id) {
                                assert_eq!(fragment, part, "round {round}, fragment {number}");
                            }
                        }
                    }
                }
            }
        }
        let usage = storage.usage();
        assert!(usage.bytes <= usage.limit, "round {round}: {usage:?}");
    }
    assert!(hits > 1000, "{hits} hits");
}

#[test]
fn what_grows_in_its_place_makes_room_as_anything_new_does() {
    let storage = storage(64 << 10, 4 << 10);
    for number in 0..40 {
        store(&storage, &number.to_string(), 1500);
    }
    for number in 0..40 {
        let Some(known) = found(&storage, &number.to_string()) else { continue };
        let larger = Arc::new(with_body(Bytes::from(vec![b'y'; 4 << 10])));
        storage.replace(&key(&number.to_string()), Some(&known), larger);
        let usage = storage.usage();
        assert!(usage.bytes <= usage.limit, "{usage:?}");
    }
}
