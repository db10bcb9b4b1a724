//! The layouts of records and index files: what was written is read, and nothing else is.

use std::path::PathBuf;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::record::{
    HEADER, MAX_CONTENT, MAX_KEY, MAX_RECORD, Name, NoRecord, Promise, REMOVED, check, decode_any,
    encode,
};
use super::super::sealed::{self, Entry};

const SEGMENT: u32 = 7;
const OFFSET: u32 = 4096;

fn record(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    encode(&mut record, SEGMENT, OFFSET, key, content);
    record
}

fn entries() -> Vec<Entry> {
    let entry = |n: u32| Entry { name: Name::of(&n.to_le_bytes()), offset: n * 100, length: 100 };
    (0..3).map(entry).collect()
}

/// The content of the record of `key` that `bytes` are, read as one who knows the key does.
fn decode(bytes: Bytes, segment: u32, offset: u32, key: &[u8]) -> Result<Bytes, NoRecord> {
    let (front, content) = bytes.split_at_checked(HEADER + key.len()).ok_or(NoRecord::Damaged)?;
    check(front, content, segment, offset, key).map(|()| Bytes::copy_from_slice(content))
}

/// Whatever `bytes` are: no panic, no length beyond the limits, and a record only if it is whole.
fn survives(bytes: &[u8]) {
    if let Some(promise) = Promise::read(bytes) {
        assert!(promise.length() <= MAX_RECORD);
        if let Some(name) = promise.name(SEGMENT, OFFSET, bytes) {
            let whole = Bytes::copy_from_slice(&bytes[..promise.length()]);
            match decode_any(&whole, SEGMENT, OFFSET) {
                Ok((key, content)) => {
                    assert_eq!(Name::of(&key), name);
                    assert_eq!(record(&key, &content), whole);
                }
                Err(error) => assert_eq!(error, NoRecord::Removed),
            }
        }
    }
    let _ = decode(Bytes::copy_from_slice(bytes), SEGMENT, OFFSET, b"key");
    if let Some(entries) = sealed::decode(bytes, SEGMENT, 300) {
        assert_eq!(sealed::encode(SEGMENT, 300, &entries), bytes);
    }
}

/// Bytes as they may lie in a file, each with a name: kept in `corpus/`, so that a change of the layout
/// without a change of its version is noticed.
fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let whole = record(b"key", b"content");
    let with = |at: usize, bytes: &[u8]| {
        let mut record = whole.clone();
        record[at..at + bytes.len()].copy_from_slice(bytes);
        record
    };
    vec![
        ("record", whole.clone()),
        ("record-without-content", record(b"key", b"")),
        ("record-removed", with(0, &[REMOVED])),
        ("record-cut-in-content", whole[..whole.len() - 1].to_vec()),
        ("record-cut-in-header", whole[..HEADER - 1].to_vec()),
        ("record-next-version", with(3, &[2])),
        ("record-endless-key", with(12, &u32::MAX.to_le_bytes())),
        ("record-endless-content", with(16, &u32::MAX.to_le_bytes())),
        ("record-key-over-limit", with(12, &(MAX_KEY as u32 + 1).to_le_bytes())),
        ("record-content-over-limit", with(16, &(MAX_CONTENT as u32 + 1).to_le_bytes())),
        ("record-wrong-checksum", with(4, &[0; 8])),
        ("index", sealed::encode(SEGMENT, 300, &entries())),
        ("index-cut", sealed::encode(SEGMENT, 300, &entries())[..40].to_vec()),
        ("index-beyond-its-segment", sealed::encode(SEGMENT, 299, &entries())),
        ("nothing", Vec::new()),
        ("zeros", vec![0; 64]),
    ]
}

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/cache/disk/tests/corpus")
}

#[test]
fn the_corpus_has_what_this_version_writes() {
    for (name, sample) in samples() {
        let path = corpus().join(name);
        if std::env::var_os("WARMFRONT_WRITE_DOCS").is_some() {
            std::fs::write(&path, &sample).unwrap();
        }
        assert_eq!(
            std::fs::read(&path).unwrap(),
            sample,
            "{name}: another layout, another version"
        );
    }
}

#[test]
fn a_record_is_found_at_its_place_under_its_key_and_nowhere_else() {
    let written = Bytes::from(record(b"key", b"content"));
    let at = |segment, offset, key: &[u8]| decode(written.clone(), segment, offset, key);
    assert_eq!(at(SEGMENT, OFFSET, b"key"), Ok(Bytes::from_static(b"content")));
    assert_eq!(at(SEGMENT, OFFSET, b"kez"), Err(NoRecord::OtherKey));
    assert_eq!(at(SEGMENT + 1, OFFSET, b"key"), Err(NoRecord::Damaged));
    assert_eq!(at(SEGMENT, OFFSET + 1, b"key"), Err(NoRecord::Damaged));
}

#[test]
fn every_byte_of_a_record_counts() {
    let written = record(b"key", b"content");
    for at in 0..written.len() {
        for bit in 0..8 {
            let mut changed = written.clone();
            changed[at] ^= 1 << bit;
            let found = decode(changed.into(), SEGMENT, OFFSET, b"key");
            assert_eq!(found, Err(NoRecord::Damaged), "bit {bit} of byte {at}");
        }
        let cut = Bytes::copy_from_slice(&written[..at]);
        assert_eq!(decode(cut, SEGMENT, OFFSET, b"key"), Err(NoRecord::Damaged), "cut at {at}");
    }
    let mut removed = written;
    removed[0] = REMOVED;
    assert_eq!(decode(removed.into(), SEGMENT, OFFSET, b"key"), Err(NoRecord::Removed));
}

#[test]
fn every_byte_of_an_index_file_counts() {
    let written = sealed::encode(SEGMENT, 300, &entries());
    assert_eq!(sealed::decode(&written, SEGMENT, 300), Some(entries()));
    assert_eq!(sealed::decode(&written, SEGMENT + 1, 300), None);
    assert_eq!(sealed::decode(&written, SEGMENT, 301), None);
    for at in 0..written.len() {
        let mut changed = written.clone();
        changed[at] ^= 0x10;
        assert_eq!(sealed::decode(&changed, SEGMENT, 300), None, "byte {at}");
        assert_eq!(sealed::decode(&written[..at], SEGMENT, 300), None, "cut at {at}");
    }
}

proptest! {
    #[test]
    fn any_key_and_content_come_back(
        key in proptest::collection::vec(any::<u8>(), 0..300),
        content in proptest::collection::vec(any::<u8>(), 0..3000),
    ) {
        let written = Bytes::from(record(&key, &content));
        prop_assert_eq!(decode(written.clone(), SEGMENT, OFFSET, &key), Ok(content.into()));
        survives(&written);
    }

    #[test]
    fn no_bytes_at_all_confuse_the_decoders(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survives(&bytes);
    }

    /// The corpus, mutated: bytes changed, inserted, removed, and the rest of another sample appended.
    #[test]
    fn no_bytes_like_ours_confuse_the_decoders(
        first in 0usize..64,
        second in 0usize..64,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut samples: Vec<_> = std::fs::read_dir(corpus()).unwrap().map(|file| file.unwrap().path()).collect();
        samples.sort();
        let read = |n: usize| std::fs::read(&samples[n % samples.len()]).unwrap();
        let (mut bytes, other) = (read(first), read(second));
        for (at, value, how) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = value,
                1 => bytes.insert(at, value),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes.extend_from_slice(&other[cut.index(other.len() + 1)..]);
        survives(&bytes);
    }
}
