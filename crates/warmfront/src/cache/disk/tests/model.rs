//! Whatever is done to a store and to its files: the newest record or nothing, and never a wrong byte.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;

use super::{PATIENCE, SEGMENT, crash_image, files, get, open};

const LIMIT: u64 = 6 * SEGMENT;

#[derive(Debug, Clone)]
enum Act {
    Put {
        key: u8,
        size: u16,
    },
    Remove {
        key: u8,
    },
    Get {
        key: u8,
    },
    /// Opened again after it was closed.
    Restart,
    /// Opened again from the files as they were when everything was written.
    Crash,
}

#[derive(Debug, Clone)]
enum Damage {
    /// The newest segment loses its end, and its index file.
    CutNewest(prop::sample::Index),
    Flip {
        file: prop::sample::Index,
        at: prop::sample::Index,
        bit: u8,
    },
    Cut {
        file: prop::sample::Index,
        at: prop::sample::Index,
    },
    Delete(prop::sample::Index),
    /// One file's bytes under another's name.
    Swap(prop::sample::Index, prop::sample::Index),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let key = 0u8..12;
    let act = prop_oneof![
        8 => (key.clone(), 0u16..9000).prop_map(|(key, size)| Act::Put { key, size }),
        2 => key.clone().prop_map(|key| Act::Remove { key }),
        4 => key.prop_map(|key| Act::Get { key }),
        1 => Just(Act::Restart),
        1 => Just(Act::Crash),
    ];
    proptest::collection::vec(act, 1..100)
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        index().prop_map(Damage::CutNewest),
        (index(), index(), 0u8..8).prop_map(|(file, at, bit)| Damage::Flip { file, at, bit }),
        (index(), index()).prop_map(|(file, at)| Damage::Cut { file, at }),
        index().prop_map(Damage::Delete),
        (index(), index()).prop_map(|(one, other)| Damage::Swap(one, other)),
    ]
}

/// A content that tells its key and version in every part of it.
fn content(key: u8, version: usize, size: u16) -> Bytes {
    let seal = format!("{key}/{version};");
    seal.bytes().cycle().take(seal.len() + size as usize).collect()
}

/// What was put, in order, and whether it was removed since.
#[derive(Debug, Default)]
struct Known {
    versions: Vec<Bytes>,
    is_removed: bool,
}

impl Known {
    fn newest(&self) -> Option<&Bytes> {
        self.versions.last().filter(|_| !self.is_removed)
    }
}

/// Plays `acts`; every answer on the way is the newest or nothing. Returned are the files and what is known.
fn play(acts: &[Act]) -> (tempfile::TempDir, HashMap<u8, Known>) {
    let mut directory = tempfile::tempdir().unwrap();
    let mut store = open(directory.path(), LIMIT);
    let mut known: HashMap<u8, Known> = HashMap::new();
    let mut evicted = 0;
    for act in acts {
        match *act {
            Act::Put { key, size } => {
                let known = known.entry(key).or_default();
                let content = content(key, known.versions.len(), size);
                store.put(&[key], content.clone());
                known.versions.push(content);
                known.is_removed = false;
            }
            Act::Remove { key } => {
                store.remove(&[key]);
                known.entry(key).or_default().is_removed = true;
            }
            Act::Get { key } => check(&store, key, known.get(&key), evicted),
            Act::Restart => {
                assert!(store.settle(PATIENCE));
                evicted += store.usage().evicted_segments;
                drop(store);
                store = open(directory.path(), LIMIT);
            }
            Act::Crash => {
                assert!(store.settle(PATIENCE));
                evicted += store.usage().evicted_segments;
                let image = crash_image(directory.path());
                drop(store);
                directory = image;
                store = open(directory.path(), LIMIT);
            }
        }
    }
    for key in 0..12 {
        check(&store, key, known.get(&key), evicted);
    }
    drop(store);
    (directory, known)
}

fn check(store: &super::DiskStore, key: u8, known: Option<&Known>, evicted: u64) {
    let found = get(store, std::str::from_utf8(&[key]).unwrap());
    let newest = known.and_then(Known::newest);
    let usage = store.usage();
    match &found {
        Some(found) => assert!(Some(found) == newest, "key {key}: not the newest"),
        None if usage.evicted_segments + evicted + usage.dropped > 0 => {}
        None => assert!(newest.is_none(), "key {key} is lost without need: {usage:?}"),
    }
    assert_eq!(usage.damaged, 0);
    assert!(usage.bytes <= LIMIT, "{usage:?}");
}

fn harm(directory: &Path, damage: &Damage) {
    let mut all = files(directory, "segment");
    let newest = all.last().cloned();
    all.extend(files(directory, "index"));
    if all.is_empty() {
        return;
    }
    let cut = |path: &std::path::PathBuf, at: &prop::sample::Index| {
        let length = fs::metadata(path).unwrap().len();
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(at.index(length as usize + 1) as u64).unwrap();
    };
    match damage {
        Damage::CutNewest(at) => {
            let Some(newest) = newest else { return };
            cut(&newest, at);
            let _ = fs::remove_file(newest.with_extension("index"));
        }
        Damage::Flip { file, at, bit } => {
            let path = file.get(&all);
            let mut bytes = fs::read(path).unwrap();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            fs::write(path, bytes).unwrap();
        }
        Damage::Cut { file, at } => cut(file.get(&all), at),
        Damage::Delete(file) => fs::remove_file(file.get(&all)).unwrap(),
        Damage::Swap(one, other) => {
            let bytes = fs::read(one.get(&all)).unwrap();
            fs::write(other.get(&all), bytes).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn a_store_answers_with_the_newest_record_or_nothing(acts in acts()) {
        play(&acts);
    }

    /// A damaged disk may lose records, and with them that they replaced others; it never makes any.
    #[test]
    fn a_damaged_store_never_answers_with_a_wrong_byte(
        acts in acts(),
        damages in proptest::collection::vec(damage(), 1..5),
    ) {
        let (directory, known) = play(&acts);
        for damage in &damages {
            harm(directory.path(), damage);
        }
        let store = open(directory.path(), LIMIT);
        for (key, known) in &known {
            let key = std::str::from_utf8(std::slice::from_ref(key)).unwrap();
            if let Some(found) = get(&store, key) {
                prop_assert!(known.versions.contains(&found), "key {:?}", key);
            }
            super::put(&store, key, b"after");
            prop_assert_eq!(get(&store, key).unwrap(), "after");
        }
    }
}

/// Each case opens files: a tenth of what other properties run.
fn cases() -> u32 {
    (ProptestConfig::default().cases / 10).max(8)
}
