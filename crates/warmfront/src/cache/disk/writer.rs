//! The one thread that writes: records in batches, removals in place, index files, and room for more.
//!
//! Eviction is by segment, oldest first. Records of it that were read since they were written are written
//! again, up to half a segment for each new one, so that room is made whatever is read.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::index::{Eviction, Expected, Place};
use super::media::{FileName, read_exact_at, write_all_at};
use super::queue::{Job, Next};
use super::record::{self, Name};
use super::sealed::{self, Entry};
use super::segments::Segment;
use super::{Shared, count};

/// Records are written together up to this size, or until nothing more waits.
const BATCH: usize = 256 << 10;
/// The longest pause between attempts to write to a disk that fails.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// For how long a store on a full disk contents itself with the room that it has.
const FULL_FOR: Duration = Duration::from_secs(600);

pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The number of the next segment; `None` when numbers are used up.
    next: Option<u32>,
    open: Option<Open>,
    /// Jobs that were taken and are not done, and their cost.
    taken: (usize, usize),
    /// After a failure: nothing is written until then, and how long the next pause is.
    paused: Option<Instant>,
    pause: Duration,
    /// The disk was full with so many bytes of ours: more are not tried until then.
    full: Option<(u64, Instant)>,
}

/// The segment that is being written.
struct Open {
    segment: Arc<Segment>,
    /// Bytes written.
    written: u64,
    entries: Vec<Entry>,
    batch: Vec<u8>,
    batched: Vec<(Entry, Expected)>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, next: u32) -> Self {
        let pause = shared.pause;
        Self {
            shared,
            next: Some(next),
            open: None,
            taken: (0, 0),
            paused: None,
            pause,
            full: None,
        }
    }

    pub(super) fn run(mut self) {
        loop {
            match self.shared.queue.take() {
                Next::Job(job) => {
                    self.taken.0 += 1;
                    self.taken.1 += job.cost();
                    self.handle(job);
                }
                Next::Idle => {
                    self.flush();
                    self.done();
                    self.shared.queue.wait();
                }
                Next::Over => {
                    self.flush();
                    self.done();
                    return self.seal();
                }
            }
        }
    }

    fn handle(&mut self, job: Job) {
        match job {
            Job::Remove(place) => self.mark_removed(place),
            Job::Put { name, number, put } => {
                // Replaced or removed while it waited: one write less.
                if !self.shared.index.is_waiting(name, number) {
                    return;
                }
                let expected = Expected::Waiting(number);
                if !self.append(name, expected, &put.key, &put.content) {
                    self.lose(name, expected);
                }
            }
        }
        if self.open.as_ref().is_some_and(|open| open.batch.len() >= BATCH) {
            self.flush();
        }
        if self.open.as_ref().is_none_or(|open| open.batch.is_empty()) {
            self.done();
        }
    }

    fn done(&mut self) {
        let (jobs, cost) = std::mem::take(&mut self.taken);
        self.shared.queue.done(jobs, cost);
    }

    /// Adds a record to the batch; `false` when nothing can be written now.
    fn append(&mut self, name: Name, expected: Expected, key: &[u8], content: &[u8]) -> bool {
        let length = record::length(key.len(), content.len());
        if !self.has_room(length) {
            self.flush();
            self.seal();
        }
        if self.open.is_none() && !self.open() {
            return false;
        }
        let Some(open) = &mut self.open else { return false };
        let offset = open.written + open.batch.len() as u64;
        let Ok(offset) = u32::try_from(offset) else { return false };
        record::encode(&mut open.batch, open.segment.number, offset, key, content);
        open.batched.push((Entry { name, offset, length: length as u32 }, expected));
        true
    }

    /// Whether the open segment takes a record of `length`, or would be empty without it.
    fn has_room(&self, length: usize) -> bool {
        self.open.as_ref().is_none_or(|open| {
            let used = open.written + open.batch.len() as u64;
            used == 0 || used + length as u64 <= self.shared.segment
        })
    }

    /// Writes the batch and makes its records known.
    fn flush(&mut self) {
        let Some(open) = &mut self.open else { return };
        if open.batch.is_empty() {
            return;
        }
        let result = write_all_at(&*open.segment.file, &open.batch, open.written);
        let batched = std::mem::take(&mut open.batched);
        if let Err(error) = result {
            open.batch.clear();
            for (entry, expected) in batched {
                self.lose(entry.name, expected);
            }
            return self.failed(&error, "write");
        }
        let number = open.segment.number;
        self.shared.segments.grow(&open.segment, open.batch.len() as u64);
        open.written += open.batch.len() as u64;
        open.batch.clear();
        open.entries.extend(batched.iter().map(|(entry, _)| *entry));
        self.pause = self.shared.pause;
        for (entry, expected) in batched {
            let place = entry.place(number);
            let counters = &self.shared.counters;
            count(match expected {
                Expected::Waiting(_) => &counters.written,
                Expected::CopyOf(_) => &counters.rewritten,
            });
            if !self.shared.index.publish(entry.name, expected, place) {
                // A restart must not take it for the newest.
                self.mark_removed(place);
            }
        }
    }

    /// A record could not be written.
    fn lose(&self, name: Name, expected: Expected) {
        count(&self.shared.counters.dropped);
        match expected {
            Expected::Waiting(number) => self.shared.give_up(name, number),
            Expected::CopyOf(place) => self.shared.index.forget_place(name, place),
        }
    }

    /// Changes the state byte in place.
    fn mark_removed(&self, place: Place) {
        let Some(segment) = self.shared.segments.get(place.segment) else { return };
        let written = write_all_at(&*segment.file, &[record::REMOVED], u64::from(place.offset));
        if let Err(error) = written {
            self.note(&error, "mark a removed record");
        }
    }

    /// Writing does not work: ends the segment where it is good, and waits.
    fn failed(&mut self, error: &io::Error, what: &'static str) {
        self.note(error, what);
        if error.kind() == io::ErrorKind::StorageFull
            || error.kind() == io::ErrorKind::QuotaExceeded
        {
            self.full = Some((self.shared.segments.used(), Instant::now() + FULL_FOR));
        }
        if let Some(open) = &self.open {
            // Should it fail, too: a restart stops reading at the first record that is none.
            let _ = open.segment.file.set_len(open.written);
        }
        self.seal();
        self.paused = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn note(&self, error: &io::Error, what: &'static str) {
        count(&self.shared.counters.write_errors);
        self.shared.trouble.tell(&format!("cannot {what}: {error}"));
    }

    /// Writes the index file of the open segment, which is over. A restart scans a segment without one.
    fn seal(&mut self) {
        let Some(open) = self.open.take() else { return };
        let Open { segment, written, entries, .. } = open;
        if entries.is_empty() {
            self.shared.segments.remove(segment.number);
            let _ = self.shared.media.remove(FileName::Segment(segment.number));
            return;
        }
        write_index(&self.shared, &segment, written, &entries);
    }

    /// Begins a segment and makes room for it; `false` when that does not work now.
    fn open(&mut self) -> bool {
        if self.paused.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        self.paused = None;
        let Some(number) = self.next else { return false };
        self.make_room_on_a_full_disk();
        match self.shared.media.create(FileName::Segment(number)) {
            Ok(file) => {
                self.next = number.checked_add(1);
                let segment = self.shared.segments.add(number, file, 0, 0);
                let (entries, batch, batched) = Default::default();
                self.open = Some(Open { segment, written: 0, entries, batch, batched });
                self.make_room();
                self.open.is_some()
            }
            Err(error) => {
                self.failed(&error, "make a segment");
                false
            }
        }
    }

    /// How many bytes the files may take.
    fn ceiling(&mut self) -> u64 {
        match self.full {
            Some((room, until)) if Instant::now() < until => room.min(self.shared.limit),
            _ => {
                self.full = None;
                self.shared.limit
            }
        }
    }

    /// What a full segment and its index may take: an object is hardly ever smaller than 1 KiB with its head.
    fn segment_with_index(&self) -> u64 {
        self.shared.segment + self.shared.segment / 32
    }

    /// On a disk that was full, room is made before anything is written, and nothing is copied for it. A store
    /// that has next to nothing keeps it: that would not make room for others either.
    fn make_room_on_a_full_disk(&mut self) {
        let ceiling = self.ceiling();
        let segments = &self.shared.segments;
        while self.full.is_some()
            && segments.used() > 2 * self.shared.segment
            && segments.used() + self.segment_with_index() > ceiling
            && let Some(oldest) = segments.oldest_but(u32::MAX)
        {
            self.shared.index.evict_all_of(oldest.number);
            self.drop_segment(&oldest);
        }
    }

    /// Evicts until the open segment can be filled.
    fn make_room(&mut self) {
        let mut copies = self.shared.segment / 2;
        while let Some(open) = &self.open {
            let to_come = self.segment_with_index().saturating_sub(open.written);
            let is_enough = self.shared.segments.used() + to_come <= self.shared.limit
                && self.shared.segments.count() <= super::OPEN_FILES as usize * 2;
            if is_enough {
                return;
            }
            let Some(oldest) = self.shared.segments.oldest_but(open.segment.number) else { return };
            copies -= self.evict(&oldest, copies);
        }
    }

    /// Lets `oldest` go; returned is how many bytes of it were copied, at most `copies`.
    fn evict(&mut self, oldest: &Arc<Segment>, copies: u64) -> u64 {
        let number = oldest.number;
        let mut copied = 0;
        match read_index(&self.shared, oldest) {
            None => self.shared.index.evict_all_of(number),
            Some(entries) => {
                for entry in entries {
                    let place = entry.place(number);
                    let length = u64::from(entry.length);
                    let may_stay = copied + length <= copies;
                    match self.shared.index.evict(entry.name, place, may_stay) {
                        Eviction::Forgotten => {}
                        Eviction::WasRead if self.copy(oldest, entry) => copied += length,
                        Eviction::WasRead => self.shared.index.forget_place(entry.name, place),
                    }
                }
                self.flush();
            }
        }
        self.drop_segment(oldest);
        copied
    }

    fn drop_segment(&self, segment: &Segment) {
        let Segment { number, file, .. } = segment;
        let number = *number;
        self.shared.segments.remove(number);
        count(&self.shared.counters.evicted_segments);
        let _ = self.shared.media.remove(FileName::Index(number));
        if let Err(error) = self.shared.media.remove(FileName::Segment(number)) {
            self.note(&error, "delete a segment");
            // What stays must at least take no room and be found by no restart.
            let _ = file.set_len(0);
        }
    }

    /// Writes a record of another segment again.
    fn copy(&mut self, from: &Segment, entry: Entry) -> bool {
        let mut buffer = vec![0; entry.length as usize];
        if let Err(error) = read_exact_at(&*from.file, &mut buffer, u64::from(entry.offset)) {
            count(&self.shared.counters.read_errors);
            self.shared.trouble.tell(&format!("a read failed: {error}"));
            return false;
        }
        let record = Bytes::from(buffer);
        let Ok((key, content)) = record::decode_any(&record, from.number, entry.offset) else {
            return false;
        };
        let expected = Expected::CopyOf(entry.place(from.number));
        self.open.is_some() && self.append(entry.name, expected, &key, &content)
    }
}

/// Writes the index file of `segment`, of which so many bytes are good.
pub(super) fn write_index(shared: &Shared, segment: &Segment, bytes: u64, entries: &[Entry]) {
    let name = FileName::Index(segment.number);
    let file = sealed::encode(segment.number, bytes as u32, entries);
    let written = shared.media.create(name).and_then(|medium| write_all_at(&*medium, &file, 0));
    match written {
        Ok(()) => shared.segments.resize(segment, bytes, file.len() as u64),
        Err(error) => {
            count(&shared.counters.write_errors);
            shared.trouble.tell(&format!("cannot write an index file: {error}"));
            let _ = shared.media.remove(name);
        }
    }
}

/// What the index file of `segment` lists; `None` when there is none that holds.
pub(super) fn read_index(shared: &Shared, segment: &Segment) -> Option<Vec<Entry>> {
    let (bytes, index_bytes) = segment.lengths();
    if index_bytes > sealed::longest(bytes) {
        return None;
    }
    let file = shared.media.open(FileName::Index(segment.number)).ok()?;
    let mut buffer = vec![0; usize::try_from(index_bytes).ok()?];
    read_exact_at(&*file, &mut buffer, 0).ok()?;
    sealed::decode(&buffer, segment.number, bytes)
}
