//! Records on a disk: a log in segment files, newest record of a name wins, oldest segment goes first.
//!
//! - `record`: the layout of one record and its checksum; `sealed`: the index file of a full segment.
//! - `index`: name → place, in memory; `segments`: the files; `media`: the system under them.
//! - `queue`, `writer`: one thread writes, drops what does not fit into its queue, and makes room.
//! - `recovery`: one thread reads what an earlier run left, while lookups answer from what is known.
//! - `lock`: one process at a time.
//!
//! The store knows keys and contents, nothing of responses: that is `tiered`'s.
//!
//! **Crashes.** A record is valid only by its own checksum, which covers its key and its place. Nothing is
//! fsynced: after a `kill -9` everything written is there, since the system has it; after a power failure the
//! newest records may be missing, and then an older one of the same name may be found again, which was right
//! when it was written and is judged by its own age. **Removals** are one byte in place, so they need no room
//! and no order; one that was not yet written when the process was killed is undone by that, and purges do not
//! depend on it. **Faults**: a read that fails is a miss of that record; a write that fails closes the segment,
//! costs the records in it that were not yet written, and is tried again after a pause. All are counted, and
//! told once a minute at most.

mod index;
mod lock;
mod media;
mod queue;
mod record;
mod recovery;
mod sealed;
mod segments;
#[cfg(test)]
mod tests;
mod trouble;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

use index::{Index, Newest, Place, Put};
pub use lock::DiskError;
use lock::Lock;
use media::{Directory, Media, read_exact_at};
use queue::{Job, Queue};
use record::{MAX_CONTENT, MAX_KEY, Name, NoRecord};
use recovery::Recovery;
use segments::{Segment, Segments};
use trouble::Trouble;
use writer::Writer;

/// The least that a store may take, in bytes.
const LEAST: u64 = 16 << 20;
/// Segments are a part of the limit, so that evicting one is a small step …
const SEGMENTS: u64 = 32;
/// … and of a size that keeps a scan after a crash short and the number of open files small.
const SMALLEST_SEGMENT: u64 = 1 << 20;
const USUAL_SEGMENT: u64 = 64 << 20;
const LARGEST_SEGMENT: u64 = 1 << 30;
const OPEN_FILES: u64 = 1024;
/// How much of a content a visit reads.
const BEGINNING: usize = 64 << 10;

/// Limits of a store, and where it is.
#[derive(Clone)]
pub struct DiskOptions {
    /// The directory: made when it is not there, for the owner alone. Other files in it are left alone.
    pub directory: PathBuf,
    /// Bytes of all files together, 16 MiB at least. While room is being made they may be 3 % more.
    pub limit: u64,
    /// Bytes that may wait to be written, in memory. What comes when they do is not stored on disk. The
    /// fragments of a long body wait for room instead, up to a second, and leave half of it to the others.
    pub queue: u64,
    /// Hears of faults, once a minute at most, from threads of the store.
    pub on_trouble: Arc<dyn Fn(&str) + Send + Sync>,
}

impl DiskOptions {
    /// A store of `limit` bytes in `directory`, whose queue takes 32 MiB, and that tells nobody of faults.
    pub fn new(directory: PathBuf, limit: u64) -> Self {
        Self { directory, limit, queue: 32 << 20, on_trouble: Arc::new(|_| {}) }
    }
}

impl fmt::Debug for DiskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskOptions")
            .field("directory", &self.directory)
            .field("limit", &self.limit)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}

/// What a store holds and what has happened to it since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskUsage {
    /// Records that are known: objects, and fragments of large ones.
    pub records: u64,
    /// Bytes of all files, index files included.
    pub bytes: u64,
    /// The limit of `bytes`.
    pub limit: u64,
    /// Bytes that wait to be written.
    pub waiting: u64,
    /// Lookups that a record answered.
    pub hits: u64,
    /// Lookups that none did.
    pub misses: u64,
    /// Records written.
    pub written: u64,
    /// Records that were not written: the queue was full, or writing failed.
    pub dropped: u64,
    /// Records that were written again because they were read, when their segment made room.
    pub rewritten: u64,
    /// Segments that made room.
    pub evicted_segments: u64,
    /// Reads that the system refused.
    pub read_errors: u64,
    /// Writes and deletions that the system refused.
    pub write_errors: u64,
    /// Records whose checksum did not hold.
    pub damaged: u64,
    /// Segments of an earlier run that have been read after the start, and how many there were.
    pub recovered: (u64, u64),
}

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    written: AtomicU64,
    dropped: AtomicU64,
    rewritten: AtomicU64,
    evicted_segments: AtomicU64,
    read_errors: AtomicU64,
    write_errors: AtomicU64,
    damaged: AtomicU64,
    recovered: AtomicU64,
    to_recover: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// What the threads of a store and its readers share.
#[derive(Debug)]
struct Shared {
    media: Arc<dyn Media>,
    index: Index,
    segments: Segments,
    queue: Queue,
    counters: Counters,
    trouble: Trouble,
    limit: u64,
    segment: u64,
    /// The first pause after a write that failed.
    pause: Duration,
}

/// A store of records on disk. Closes when dropped.
pub(crate) struct DiskStore {
    shared: Arc<Shared>,
    recovery: Recovery,
    writer: Mutex<Option<JoinHandle<()>>>,
    _lock: Option<Lock>,
}

/// Sees a key, the beginning of its content, and how many bytes the record takes.
type See<'a> = &'a mut dyn FnMut(&[u8], &[u8], u64);

/// What a lookup found.
pub(crate) enum Lookup {
    /// It was just put and waits to be written.
    Here(Bytes),
    /// There is a place to read.
    OnDisk(Read),
    Nothing,
}

impl DiskStore {
    /// Opens the store and returns at once; what an earlier run left is read by a thread, newest first, and
    /// found as soon as it has been.
    pub(crate) fn open(options: DiskOptions) -> Result<Self, DiskError> {
        if options.limit < LEAST {
            return Err(DiskError::TooSmall { limit: options.limit, least: LEAST });
        }
        let lock = Lock::take(&options.directory)?;
        let media = Arc::new(Directory::new(options.directory.clone()));
        let segment = segment_size(options.limit);
        Self::over(media, &options, segment, Duration::from_secs(1), Some(lock))
    }

    /// A store whose every read waits for a device.
    #[cfg(test)]
    pub(crate) fn that_waits(options: &DiskOptions) -> Self {
        let media = Arc::new(Directory::that_waits(options.directory.clone()));
        Self::over(media, options, SMALLEST_SEGMENT, Duration::ZERO, None).expect("it opens")
    }

    fn over(
        media: Arc<dyn Media>,
        options: &DiskOptions,
        segment: u64,
        pause: Duration,
        lock: Option<Lock>,
    ) -> Result<Self, DiskError> {
        let system = |action| {
            let directory = options.directory.clone();
            move |source| DiskError::System { directory, action, source }
        };
        let shared = Arc::new(Shared {
            media,
            index: Index::new(),
            segments: Segments::default(),
            queue: Queue::new(usize::try_from(options.queue).unwrap_or(usize::MAX)),
            counters: Counters::default(),
            trouble: Trouble::new(options.on_trouble.clone()),
            limit: options.limit,
            segment,
            pause,
        });
        let (next, found) = recovery::find(&shared).map_err(system("list what is in it"))?;
        let recovery =
            Recovery::start(shared.clone(), found).map_err(system("start its reader"))?;
        let writing = Writer::new(shared.clone(), next);
        let writer = std::thread::Builder::new()
            .name("cache-writer".to_owned())
            .spawn(move || writing.run())
            .map_err(system("start its writer"))?;
        Ok(Self { shared, recovery, writer: Mutex::new(Some(writer)), _lock: lock })
    }

    /// Keeps `content` under `key` and finds it from now on, in place of what was there. When it cannot be
    /// kept, nothing is found under `key` any more: never what was there before. Whether it can.
    pub(crate) fn put(&self, key: &[u8], content: Bytes) -> bool {
        let shared = &self.shared;
        let name = Name::of(key);
        if key.len() > MAX_KEY || content.len() > MAX_CONTENT {
            count(&shared.counters.dropped);
            self.remove(key);
            return false;
        }
        let put = Arc::new(Put { key: key.into(), content });
        let number = shared.index.put(name, put.clone());
        let is_queued = shared.queue.push(Job::Put { name, number, put }).is_ok();
        if !is_queued {
            count(&shared.counters.dropped);
            shared.give_up(name, number);
        }
        is_queued
    }

    /// What is known under `key`. Never waits for a device.
    pub(crate) fn get(&self, key: &[u8]) -> Lookup {
        let shared = &self.shared;
        let name = Name::of(key);
        match shared.index.find(name) {
            Newest::Waiting(put) if *put.key == *key => {
                count(&shared.counters.hits);
                Lookup::Here(put.content.clone())
            }
            Newest::At(place) => match shared.segments.get(place.segment) {
                Some(segment) => Lookup::OnDisk(Read {
                    shared: shared.clone(),
                    name,
                    place,
                    segment,
                    key: key.into(),
                }),
                None => {
                    shared.index.forget_place(name, place);
                    count(&shared.counters.misses);
                    Lookup::Nothing
                }
            },
            Newest::Waiting(_) | Newest::Nothing => {
                count(&shared.counters.misses);
                Lookup::Nothing
            }
        }
    }

    /// Whether something is known under `key`; it may turn out to be damaged, or another key's.
    pub(crate) fn knows(&self, key: &[u8]) -> bool {
        self.shared.index.knows(Name::of(key))
    }

    /// Finds nothing under `key` any more.
    pub(crate) fn remove(&self, key: &[u8]) {
        if let Some(place) = self.shared.index.forget(Name::of(key)) {
            self.shared.remove(place);
        }
    }

    /// Shows the key and the beginning of the content of every record whose key begins with `kind`, in no
    /// order, and how many bytes it takes. Checksums are not looked at. Two reads for each record.
    pub(crate) fn visit(&self, kind: u8, see: See<'_>) {
        for (waiting, mut written) in self.shared.index.parts() {
            for put in waiting.iter().filter(|put| put.key.first() == Some(&kind)) {
                see(
                    &put.key,
                    &put.content,
                    record::length(put.key.len(), put.content.len()) as u64,
                );
            }
            written.sort_unstable();
            for place in written {
                let Some(segment) = self.shared.segments.get(place.segment) else { continue };
                self.shared.show(&segment, place, kind, see);
            }
        }
    }

    /// The limit of all files together.
    pub(crate) fn limit(&self) -> u64 {
        self.shared.limit
    }

    /// What there is, and what has happened.
    pub(crate) fn usage(&self) -> DiskUsage {
        let Shared { index, segments, queue, counters, limit, .. } = &*self.shared;
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        DiskUsage {
            records: index.len(),
            bytes: segments.used(),
            limit: *limit,
            waiting: queue.bytes(),
            hits: of(&counters.hits),
            misses: of(&counters.misses),
            written: of(&counters.written),
            dropped: of(&counters.dropped),
            rewritten: of(&counters.rewritten),
            evicted_segments: of(&counters.evicted_segments),
            read_errors: of(&counters.read_errors),
            write_errors: of(&counters.write_errors),
            damaged: of(&counters.damaged),
            recovered: (of(&counters.recovered), of(&counters.to_recover)),
        }
    }

    /// Waits until what was put has been written; `false` when that takes longer than `patience`.
    #[cfg(test)]
    pub(crate) fn settle(&self, patience: Duration) -> bool {
        self.shared.queue.settle(patience)
    }

    /// Waits until what an earlier run left has been read.
    #[cfg(test)]
    pub(crate) fn recover(&self) {
        self.recovery.wait();
    }

    /// Writes what waits, seals the open segment, so that the next start need not scan it, and ends the
    /// threads. What is put from now on is dropped. Blocks for as long as the disk takes.
    pub(crate) fn close(&self) {
        self.shared.queue.close();
        self.recovery.end();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = writer.join();
        }
    }
}

impl Drop for DiskStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("usage", &self.usage()).finish_non_exhaustive()
    }
}

/// How large segments of a store of `limit` bytes are.
fn segment_size(limit: u64) -> u64 {
    let part = (limit / SEGMENTS).clamp(SMALLEST_SEGMENT, USUAL_SEGMENT);
    part.max(limit / OPEN_FILES).min(LARGEST_SEGMENT)
}

impl Shared {
    /// The put of this number will not be written.
    fn give_up(&self, name: Name, number: u64) {
        if let Some(place) = self.index.give_up(name, number) {
            self.remove(place);
        }
    }

    fn show(&self, segment: &Segment, place: Place, kind: u8, see: See<'_>) {
        let read = |length: usize| {
            let mut buffer = vec![0; length.min(place.length as usize)];
            let read = read_exact_at(&*segment.file, &mut buffer, u64::from(place.offset));
            read.ok().map(|()| buffer)
        };
        // The header and the first byte of the key.
        let Some(front) = read(record::HEADER + 1) else { return };
        if front.get(record::HEADER) != Some(&kind) {
            return;
        }
        let promise = record::Promise::read(&front).filter(|promise| promise.is_kept);
        let Some(front) = promise.map(|promise| promise.front()) else { return };
        let Some(bytes) = read(front + BEGINNING) else { return };
        if let Some((before, content)) = bytes.split_at_checked(front) {
            see(&before[record::HEADER..], content, u64::from(place.length));
        }
    }

    /// What lies at `place` is to be marked as removed.
    fn remove(&self, place: Place) {
        // Full never is: removals take no room. Closed may be: then a restart finds it again.
        let _ = self.queue.push(Job::Remove(place));
    }
}

/// A record that is to be read from the disk.
#[derive(Debug)]
pub(crate) struct Read {
    shared: Arc<Shared>,
    name: Name,
    place: Place,
    segment: Arc<Segment>,
    key: Box<[u8]>,
}

/// What comes before the content of a record, and the content.
struct Buffers {
    front: Vec<u8>,
    content: Vec<u8>,
}

impl Read {
    /// Reads without waiting for a device, when the system has the bytes in memory; `None` when it would
    /// have to wait.
    pub(crate) fn at_once(&self) -> Option<Option<Bytes>> {
        let Some(mut buffers) = self.buffers() else { return Some(self.miss()) };
        let Buffers { front, content } = &mut buffers;
        let is_here = self.segment.file.read_at_once(front, content, u64::from(self.place.offset));
        is_here.then(|| self.judge(buffers))
    }

    /// Reads, and waits for the device. `None` is a miss: the disk failed, or the bytes are not the record.
    pub(crate) fn wait(&self) -> Option<Bytes> {
        let Some(mut buffers) = self.buffers() else { return self.miss() };
        let (file, offset) = (&*self.segment.file, u64::from(self.place.offset));
        let behind = offset + buffers.front.len() as u64;
        let read = read_exact_at(file, &mut buffers.front, offset)
            .and_then(|()| read_exact_at(file, &mut buffers.content, behind));
        if let Err(error) = read {
            count(&self.shared.counters.read_errors);
            self.shared.trouble.tell(&format!("a read failed: {error}"));
            self.shared.index.forget_place(self.name, self.place);
            return self.miss();
        }
        self.judge(buffers)
    }

    /// Whether this is still the newest record of its key.
    pub(crate) fn is_newest(&self) -> bool {
        self.shared.index.is_newest(self.name, self.place)
    }

    /// `None` when the record is so short that it is another key's.
    fn buffers(&self) -> Option<Buffers> {
        let front = record::HEADER + self.key.len();
        let content = (self.place.length as usize).checked_sub(front)?;
        Some(Buffers { front: vec![0; front], content: vec![0; content] })
    }

    fn judge(&self, Buffers { front, content }: Buffers) -> Option<Bytes> {
        let Shared { counters, index, trouble, .. } = &*self.shared;
        let Place { segment, offset, .. } = self.place;
        match record::check(&front, &content, segment, offset, &self.key) {
            Ok(()) => {
                count(&counters.hits);
                return Some(content.into());
            }
            Err(NoRecord::OtherKey) => {}
            Err(NoRecord::Removed) => index.forget_place(self.name, self.place),
            Err(NoRecord::Damaged) => {
                count(&counters.damaged);
                trouble.tell(&format!("a record in {segment:08x}.segment at {offset} is damaged"));
                index.forget_place(self.name, self.place);
            }
        }
        self.miss()
    }

    fn miss(&self) -> Option<Bytes> {
        count(&self.shared.counters.misses);
        None
    }
}
