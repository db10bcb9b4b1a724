//! A disk that is full, fails, or takes little at a time.

use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use super::super::media::{Directory, FileName, Media, Medium};
use super::{PATIENCE, files, get, open, open_over, put};

/// What goes wrong, from now on.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Faults {
    pub(super) write: Option<io::ErrorKind>,
    pub(super) read: Option<io::ErrorKind>,
    pub(super) create: Option<io::ErrorKind>,
    pub(super) remove: Option<io::ErrorKind>,
    /// The most bytes that one call takes or gives.
    pub(super) most: Option<usize>,
    /// Reads of index files wait.
    pub(super) hold_indexes: bool,
    /// Writes of records wait; how many do is in [`Faulty::held`].
    pub(super) hold_writes: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Faulty {
    inner: Arc<Directory>,
    faults: Arc<(Mutex<Faults>, Condvar)>,
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl Faulty {
    pub(super) fn over(directory: &Path) -> Self {
        let inner = Arc::new(Directory::new(directory.to_owned()));
        Self { inner, faults: Arc::default(), held: Arc::default() }
    }

    /// Waits until a write is held.
    fn await_held(&self) {
        let held = self.held.0.lock().unwrap();
        let (_held, late) =
            self.held.1.wait_timeout_while(held, PATIENCE, |is_held| !*is_held).unwrap();
        assert!(!late.timed_out(), "nothing is written");
    }

    pub(super) fn set(&self, faults: Faults) {
        *self.faults.0.lock().unwrap() = faults;
        self.faults.1.notify_all();
    }

    fn now(&self) -> Faults {
        *self.faults.0.lock().unwrap()
    }

    fn wrap(&self, inner: Arc<dyn Medium>) -> Arc<dyn Medium> {
        Arc::new(FaultyFile { inner, media: self.clone() })
    }
}

fn fail(kind: Option<io::ErrorKind>) -> io::Result<()> {
    kind.map_or(Ok(()), |kind| Err(kind.into()))
}

impl Media for Faulty {
    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        self.inner.list()
    }

    fn create(&self, name: FileName) -> io::Result<Arc<dyn Medium>> {
        fail(self.now().create)?;
        Ok(self.wrap(self.inner.create(name)?))
    }

    fn open(&self, name: FileName) -> io::Result<Arc<dyn Medium>> {
        if matches!(name, FileName::Index(_)) {
            let held = self.faults.0.lock().unwrap();
            drop(self.faults.1.wait_while(held, |faults| faults.hold_indexes).unwrap());
        }
        Ok(self.wrap(self.inner.open(name)?))
    }

    fn remove(&self, name: FileName) -> io::Result<()> {
        fail(self.now().remove)?;
        self.inner.remove(name)
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Arc<dyn Medium>,
    media: Faulty,
}

impl Medium for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let faults = self.media.now();
        fail(faults.read)?;
        let most = buffer.len().min(faults.most.unwrap_or(usize::MAX));
        self.inner.read_at(&mut buffer[..most], offset)
    }

    fn read_at_once(&self, _: &mut [u8], _: &mut [u8], _: u64) -> bool {
        false
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if self.media.now().hold_writes {
            *self.media.held.0.lock().unwrap() = true;
            self.media.held.1.notify_all();
            let held = self.media.faults.0.lock().unwrap();
            drop(self.media.faults.1.wait_while(held, |faults| faults.hold_writes).unwrap());
        }
        let faults = self.media.now();
        let most = bytes.len().min(faults.most.unwrap_or(usize::MAX));
        // A disk that runs full takes a part first.
        if faults.write.is_some() && bytes.len() > 1 && faults.most.is_some() {
            self.inner.write_at(&bytes[..most], offset)?;
        }
        fail(faults.write)?;
        self.inner.write_at(&bytes[..most], offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        fail(self.media.now().write)?;
        self.inner.set_len(length)
    }
}

#[test]
fn a_write_that_fails_costs_its_record_and_no_other() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for most in [None, Some(5)] {
            let directory = tempfile::tempdir().unwrap();
            let media = Faulty::over(directory.path());
            let store = open_over(Arc::new(media.clone()), 1 << 20);
            put(&store, "before", b"before");
            put(&store, "replaced", b"old");
            media.set(Faults { write: Some(kind), most, ..Faults::default() });
            put(&store, "during", b"during");
            put(&store, "replaced", b"new");
            assert_eq!(get(&store, "during"), None);
            assert_eq!(get(&store, "replaced"), None, "what was there before must not answer");
            assert_eq!(get(&store, "before").unwrap(), "before", "what was written is still there");
            let usage = store.usage();
            assert!(usage.write_errors > 0 && usage.dropped == 2, "{usage:?}");

            media.set(Faults::default());
            put(&store, "after", b"after");
            assert_eq!(get(&store, "after").unwrap(), "after", "it is tried again");
            drop(store);
            let store = open(directory.path(), 1 << 20);
            assert_eq!(get(&store, "before").unwrap(), "before");
            assert_eq!(get(&store, "after").unwrap(), "after");
            assert_eq!(get(&store, "during"), None);
        }
    }
}

#[test]
fn what_is_removed_while_it_is_being_written_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let media = Faulty::over(directory.path());
    let store = open_over(Arc::new(media.clone()), 1 << 20);
    put(&store, "kept", b"kept");
    media.set(Faults { hold_writes: true, ..Faults::default() });
    store.put(b"removed", bytes::Bytes::from_static(b"removed"));
    media.await_held();
    store.remove(b"removed");
    assert_eq!(get(&store, "removed"), None);
    media.set(Faults::default());
    let crashed = crash(&store, directory.path());
    assert_eq!(get(&store, "removed"), None);
    let store = open(crashed.path(), 1 << 20);
    assert_eq!(get(&store, "removed"), None, "after a crash");
    assert_eq!(get(&store, "kept").unwrap(), "kept");
}

#[test]
fn short_writes_and_reads_are_gone_on_with() {
    let directory = tempfile::tempdir().unwrap();
    let media = Faulty::over(directory.path());
    media.set(Faults { most: Some(7), ..Faults::default() });
    let store = open_over(Arc::new(media.clone()), 1 << 20);
    let content: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
    put(&store, "a", &content);
    assert_eq!(get(&store, "a").unwrap(), content);
    drop(store);
    let store = open_over(Arc::new(media), 1 << 20);
    store.recovery.wait();
    assert_eq!(get(&store, "a").unwrap(), content);
    assert_eq!(store.usage().write_errors, 0);
}

#[test]
fn a_read_that_fails_is_a_miss_and_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let media = Faulty::over(directory.path());
    let told = Arc::new(Mutex::new(Vec::new()));
    let mut options = super::DiskOptions::new("unused".into(), 1 << 20);
    let ear = told.clone();
    options.on_trouble =
        Arc::new(move |message: &str| ear.lock().unwrap().push(message.to_owned()));
    let store = super::DiskStore::over(
        Arc::new(media.clone()),
        &options,
        super::SEGMENT,
        std::time::Duration::ZERO,
        None,
    )
    .unwrap();
    put(&store, "a", b"a");
    put(&store, "b", b"b");
    media.set(Faults { read: Some(io::ErrorKind::Other), ..Faults::default() });
    assert_eq!(get(&store, "a"), None);
    assert_eq!(get(&store, "b"), None);
    assert_eq!(store.usage().read_errors, 2);
    assert_eq!(told.lock().unwrap().len(), 1, "{told:?}");
    media.set(Faults::default());
    put(&store, "a", b"again");
    assert_eq!(get(&store, "a").unwrap(), "again");
}

#[test]
fn a_full_disk_leaves_a_smaller_store_that_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let media = Faulty::over(directory.path());
    let store = open_over(Arc::new(media.clone()), 16 * super::SEGMENT);
    let body = vec![b'x'; 4000];
    for n in 0..80 {
        put(&store, &format!("{n}"), &body);
    }
    let before = store.usage();
    media.set(Faults { write: Some(io::ErrorKind::StorageFull), ..Faults::default() });
    put(&store, "lost", &body);
    media.set(Faults::default());
    for n in 80..160 {
        put(&store, &format!("{n}"), &body);
        let usage = store.usage();
        assert!(
            usage.bytes <= before.bytes,
            "no more than it had when the disk was full: {usage:?}"
        );
    }
    assert_eq!(store.usage().dropped, 1);
    assert_eq!(get(&store, "159").unwrap(), body);
}

#[test]
fn a_segment_that_cannot_be_made_or_deleted_is_only_counted() {
    let directory = tempfile::tempdir().unwrap();
    let media = Faulty::over(directory.path());
    media.set(Faults { create: Some(io::ErrorKind::PermissionDenied), ..Faults::default() });
    let store = open_over(Arc::new(media.clone()), 4 * super::SEGMENT);
    put(&store, "a", b"a");
    assert_eq!(get(&store, "a"), None);
    assert_eq!(store.usage().write_errors, 1);

    media.set(Faults { remove: Some(io::ErrorKind::PermissionDenied), ..Faults::default() });
    for n in 0..100 {
        put(&store, &format!("{n}"), &[b'x'; 4000]);
    }
    assert!(get(&store, "99").is_some() && get(&store, "0").is_none());
    let on_disk: u64 =
        files(directory.path(), "segment").iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(on_disk <= 4 * super::SEGMENT, "what cannot be deleted is emptied: {on_disk}");
}

#[test]
fn what_is_removed_while_a_restart_reads_does_not_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 1 << 20);
    for key in ["removed", "replaced", "kept"] {
        put(&store, key, b"old");
    }
    drop(store);

    let media = Faulty::over(directory.path());
    media.set(Faults { hold_indexes: true, ..Faults::default() });
    let store = open_over(Arc::new(media.clone()), 1 << 20);
    assert_eq!(get(&store, "kept"), None, "not read yet: a miss");
    store.remove(b"removed");
    put(&store, "replaced", b"new");
    assert_eq!(get(&store, "replaced").unwrap(), "new");
    assert_eq!(store.usage().recovered, (0, 1));
    media.set(Faults::default());
    store.recovery.wait();
    for _ in 0..2 {
        let store = open(crash(&store, directory.path()).path(), 1 << 20);
        assert_eq!(get(&store, "removed"), None);
        assert_eq!(get(&store, "replaced").unwrap(), "new");
        assert_eq!(get(&store, "kept").unwrap(), "old");
    }
    assert_eq!(get(&store, "removed"), None);
    assert_eq!(get(&store, "replaced").unwrap(), "new");
    assert_eq!(get(&store, "kept").unwrap(), "old");
}

fn crash(store: &super::DiskStore, directory: &Path) -> tempfile::TempDir {
    assert!(store.settle(PATIENCE));
    super::crash_image(directory)
}

#[test]
fn more_removals_than_are_remembered_while_a_restart_reads_bring_nothing_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), 1 << 20);
    for n in 0..50 {
        put(&store, &format!("{n}"), b"old");
    }
    drop(store);
    let media = Faulty::over(directory.path());
    media.set(Faults { hold_indexes: true, ..Faults::default() });
    let store = open_over(Arc::new(media.clone()), 1 << 20);
    for n in 0..120_000 {
        store.remove(format!("{n}").as_bytes());
    }
    media.set(Faults::default());
    store.recovery.wait();
    drop(store);
    let store = open(directory.path(), 1 << 20);
    assert!((0..50).all(|n| get(&store, &format!("{n}")).is_none()));
}
