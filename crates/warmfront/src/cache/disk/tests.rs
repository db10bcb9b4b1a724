//! The store against a model, against faults, and against bytes that it did not write.

mod codec;
mod faults;
mod model;
mod store;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::media::{Directory, Media};
use super::{DiskOptions, DiskStore, Lookup};

/// Segments of the stores in tests.
const SEGMENT: u64 = 32 << 10;
/// Nothing that a test waits for takes longer than this, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store with small segments, which has read everything that is in `directory`.
fn open(directory: &Path, limit: u64) -> DiskStore {
    let store = open_over(Arc::new(Directory::new(directory.to_owned())), limit);
    store.recovery.wait();
    store
}

fn open_over(media: Arc<dyn Media>, limit: u64) -> DiskStore {
    let mut options = DiskOptions::new("unused".into(), limit);
    options.queue = 1 << 20;
    DiskStore::over(media, &options, SEGMENT, Duration::ZERO, None).unwrap()
}

/// What the store answers, from the disk or not.
fn get(store: &DiskStore, key: &str) -> Option<Bytes> {
    match store.get(key.as_bytes()) {
        Lookup::Here(content) => Some(content),
        Lookup::Nothing => None,
        Lookup::OnDisk(read) => read.wait(),
    }
}

/// Puts `content` and waits until it is written.
fn put(store: &DiskStore, key: &str, content: &[u8]) {
    store.put(key.as_bytes(), Bytes::copy_from_slice(content));
    assert!(store.settle(PATIENCE));
}

/// The files as a crash would leave them: a copy of what is written.
fn crash_image(from: &Path) -> tempfile::TempDir {
    let image = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), image.path().join(entry.file_name())).unwrap();
    }
    image
}

/// Files of `directory` whose names end so, in order.
fn files(directory: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == ending)).collect();
    files.sort();
    files
}
