//! What the store promises: limits, order, restarts, one process at a time.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bytes::Bytes;

use super::super::{DiskError, segment_size};
use super::{
    DiskOptions, DiskStore, Lookup, PATIENCE, SEGMENT, crash_image, files, get, open, put,
};

#[test]
fn what_was_put_is_found_at_once_and_after_it_was_written_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 1 << 20);
    store.put(b"a", Bytes::from_static(b"content"));
    assert_eq!(get(&store, "a").unwrap(), "content");
    assert!(store.settle(PATIENCE));
    let Lookup::OnDisk(read) = store.get(b"a") else { panic!("it was written") };
    if let Some(found) = read.at_once() {
        assert_eq!(found.unwrap(), "content");
    }
    assert_eq!(get(&store, "b"), None);

    let crashed = crash_image(directory.path());
    assert_eq!(files(crashed.path(), "index").len(), 0, "nothing is sealed yet");
    assert_eq!(get(&open(crashed.path(), 1 << 20), "a").unwrap(), "content");
    drop(store);
    assert_eq!(files(directory.path(), "index").len(), 1, "closing seals");
    assert_eq!(get(&open(directory.path(), 1 << 20), "a").unwrap(), "content");
}

#[test]
fn the_newest_record_wins_after_a_crash_at_any_byte() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 1 << 20);
    let segment = || files(directory.path(), "segment").pop().unwrap();
    let mut ends = Vec::new();
    for (key, content) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2"), ("a", "a3")] {
        put(&store, key, content.as_bytes());
        ends.push((fs::metadata(segment()).unwrap().len(), key, content));
    }
    let written = fs::read(segment()).unwrap();
    for cut in 0..=written.len() {
        let image = tempfile::tempdir().unwrap();
        fs::write(image.path().join("00000000.segment"), &written[..cut]).unwrap();
        let store = open(image.path(), 1 << 20);
        for key in ["a", "b"] {
            let mut whole = ends.iter().filter(|(end, of, _)| *end <= cut as u64 && *of == key);
            let newest =
                whole.next_back().map(|(_, _, content)| Bytes::from_static(content.as_bytes()));
            assert_eq!(get(&store, key), newest, "{key} after a cut at {cut}");
        }
    }
}

#[test]
fn a_removed_record_stays_away_though_an_older_one_lies_in_an_older_segment() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 1 << 20);
    put(&store, "a", b"old");
    drop(store);
    let store = open(directory.path(), 1 << 20);
    put(&store, "a", b"new");
    store.remove(b"a");
    assert_eq!(get(&store, "a"), None);
    assert!(store.settle(PATIENCE));
    let crashed = crash_image(directory.path());
    assert_eq!(get(&open(crashed.path(), 1 << 20), "a"), None, "after a crash");
    drop(store);
    assert_eq!(get(&open(directory.path(), 1 << 20), "a"), None, "after a restart");
}

#[test]
fn all_files_together_stay_under_the_limit_and_the_oldest_make_room() {
    let directory = tempfile::tempdir().unwrap();
    let limit = 8 * SEGMENT;
    let store = open(directory.path(), limit);
    for n in 0..2000usize {
        put(&store, &format!("{n}"), &vec![b'x'; [10, 500, 3000, 9000][n % 4]]);
        let on_disk: u64 = ["segment", "index"]
            .iter()
            .flat_map(|ending| files(directory.path(), ending))
            .map(|file| file.metadata().unwrap().len())
            .sum();
        let usage = store.usage();
        assert!(on_disk <= limit && usage.bytes == on_disk, "after {n}: {on_disk}, {usage:?}");
    }
    assert!(store.usage().bytes > limit - 2 * SEGMENT, "the room is used");
    assert!(get(&store, "1999").is_some() && get(&store, "0").is_none());
    assert_eq!(store.usage().rewritten, 0, "nobody read anything");
}

#[test]
fn what_is_read_stays_and_what_is_not_goes() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 8 * SEGMENT);
    put(&store, "popular", b"popular");
    put(&store, "unpopular", b"unpopular");
    for n in 0..500 {
        assert_eq!(get(&store, "popular").unwrap(), "popular", "after {n}");
        put(&store, &format!("{n}"), &[b'x'; 3000]);
    }
    assert_eq!(get(&store, "unpopular"), None);
    let usage = store.usage();
    assert!(usage.rewritten > 0 && usage.evicted_segments > 10, "{usage:?}");
    drop(store);
    assert_eq!(get(&open(directory.path(), 8 * SEGMENT), "popular").unwrap(), "popular");
}

#[test]
fn room_is_made_though_everything_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 8 * SEGMENT);
    for n in 0..500 {
        put(&store, &format!("{n}"), &[b'x'; 3000]);
        assert!(get(&store, &format!("{n}")).is_some());
    }
    let usage = store.usage();
    assert!(usage.bytes <= usage.limit, "{usage:?}");
    assert!(usage.rewritten <= usage.written, "half of each new segment at most: {usage:?}");
}

#[test]
fn what_finds_no_room_in_the_queue_is_dropped_with_what_it_replaces() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 1 << 20);
    put(&store, "a", b"old");
    // Longer than the whole queue.
    store.put(b"a", Bytes::from(vec![b'x'; 1 << 20]));
    assert_eq!(get(&store, "a"), None);
    store.put(b"b", Bytes::from(vec![b'x'; (1 << 20) + 1]));
    assert_eq!(store.usage().dropped, 2);
    assert!(store.settle(PATIENCE));
    drop(store);
    assert_eq!(get(&open(directory.path(), 1 << 20), "a"), None);
}

#[test]
fn files_of_others_are_left_alone_and_damaged_ones_of_ours_go() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let others =
        ["README", "0000000G.segment", "1.segment", "00000001.segment.bak", "FFFFFFFF.index"];
    for name in others {
        fs::write(path(name), "others").unwrap();
    }
    fs::create_dir(path("00000009.segment")).unwrap();
    fs::write(path("00000003.segment"), "no record").unwrap();
    fs::write(path("ffffffff.segment"), "no record").unwrap();
    fs::write(path("00000004.segment"), "").unwrap();
    fs::write(path("00000008.index"), "of no segment").unwrap();
    let store = open(directory.path(), 1 << 20);
    put(&store, "a", b"a");
    assert_eq!(get(&store, "a").unwrap(), "a");
    drop(store);
    for name in others {
        assert_eq!(fs::read_to_string(path(name)).unwrap(), "others");
    }
    let names: Vec<_> =
        files(directory.path(), "segment").into_iter().filter(|f| f.is_file()).collect();
    assert_eq!(names.len(), 3, "two of others, one of ours: {names:?}");
    assert!(!path("00000008.index").exists());
}

#[test]
fn a_second_opening_fails_with_the_first_ones_pid_and_files_are_private() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("a/cache");
    let options = DiskOptions::new(directory.clone(), 16 << 20);
    let first = DiskStore::open(options.clone()).unwrap();
    let error = DiskStore::open(options.clone()).unwrap_err();
    assert!(
        matches!(&error, DiskError::Taken { pid, .. } if *pid == std::process::id().to_string()),
        "{error}"
    );
    put(&first, "a", b"a");
    drop(first);
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    for file in fs::read_dir(&directory).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
    let again = DiskStore::open(options.clone()).unwrap();
    again.recovery.wait();
    assert_eq!(get(&again, "a").unwrap(), "a");
    drop(again);

    let small = DiskOptions { limit: 1 << 20, ..options.clone() };
    assert!(matches!(DiskStore::open(small), Err(DiskError::TooSmall { .. })));
    fs::write(root.path().join("file"), "").unwrap();
    let inside_a_file = DiskOptions { directory: root.path().join("file/cache"), ..options };
    let error = DiskStore::open(inside_a_file).unwrap_err().to_string();
    assert!(error.contains("file/cache") && error.contains("make it"), "{error}");
}

#[test]
fn segments_are_small_parts_of_a_store_and_few() {
    let (mib, gib, tib) = (1u64 << 20, 1u64 << 30, 1u64 << 40);
    let rows = [
        (16 * mib, mib),
        (64 * mib, 2 * mib),
        (gib, 32 * mib),
        (10 * gib, 64 * mib),
        (64 * gib, 64 * mib),
        (512 * gib, 512 * mib),
        (8 * tib, gib),
    ];
    for (limit, size) in rows {
        assert_eq!(segment_size(limit), size, "{limit}");
    }
}

#[test]
fn closing_takes_no_longer_than_writing_what_waits() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 1 << 20);
    for n in 0..100 {
        store.put(format!("{n}").as_bytes(), Bytes::from(vec![b'x'; 1000]));
    }
    store.close();
    assert!(store.settle(Duration::ZERO), "nothing waits any more");
    store.put(b"late", Bytes::from_static(b"late"));
    assert_eq!(get(&store, "late"), None);
    drop(store);
    let store = open(directory.path(), 1 << 20);
    assert!((0..100).all(|n| get(&store, &format!("{n}")).is_some()));
}
