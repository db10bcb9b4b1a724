//! After a start: reads what an earlier run left, newest segment first, while lookups answer from what is
//! known already.
//!
//! A sealed segment is read through its index file. One without, or whose index file does not hold, is read
//! record by record up to the first one that is none, cut there, and sealed.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::index::Recovered;
use super::media::{FileName, read_exact_at, write_all_at};
use super::record::{HEADER, Promise, REMOVED};
use super::sealed::Entry;
use super::segments::Segment;
use super::writer::{read_index, write_index};
use super::{LARGEST_SEGMENT, Shared, count};

/// Segments are scanned in blocks of this size.
const BLOCK: usize = 1 << 20;

/// The thread that reads.
#[derive(Debug)]
pub(super) struct Recovery {
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
}

/// Opens the segments there are and deletes what belongs to none. Returned are the number of the next
/// segment, and the segments to read, newest first.
pub(super) fn find(shared: &Shared) -> io::Result<(u32, Vec<Arc<Segment>>)> {
    let (mut segments, mut indexes) = (BTreeMap::new(), BTreeMap::new());
    for (name, length) in shared.media.list()? {
        match name {
            FileName::Segment(number) => segments.insert(number, length),
            FileName::Index(number) => indexes.insert(number, length),
        };
    }
    for orphan in indexes.keys().filter(|number| !segments.contains_key(*number)) {
        let _ = shared.media.remove(FileName::Index(*orphan));
    }
    // Nobody has written so many: a number of somebody else's making would leave none for us.
    let foreign = segments.split_off(&(u32::MAX / 2));
    foreign.keys().for_each(|number| discard(shared, *number));
    let next = segments.keys().next_back().map_or(0, |last| last + 1);
    let mut found = Vec::with_capacity(segments.len());
    for (number, length) in segments.into_iter().rev() {
        let index = indexes.get(&number).copied().unwrap_or(0);
        // Nothing that we wrote is empty, or as long as that.
        let is_possible = length > 0 && length <= 2 * LARGEST_SEGMENT;
        match shared.media.open(FileName::Segment(number)) {
            Ok(file) if is_possible => found.push(shared.segments.add(number, file, length, index)),
            Ok(_) => discard(shared, number),
            Err(error) => {
                count(&shared.counters.read_errors);
                shared.trouble.tell(&format!("cannot open {}: {error}", FileName::Segment(number)));
            }
        }
    }
    shared.counters.to_recover.store(found.len() as u64, Relaxed);
    Ok((next, found))
}

fn discard(shared: &Shared, number: u32) {
    shared.segments.remove(number);
    for name in [FileName::Index(number), FileName::Segment(number)] {
        let _ = shared.media.remove(name);
    }
}

impl Recovery {
    pub(super) fn start(shared: Arc<Shared>, found: Vec<Arc<Segment>>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread =
            std::thread::Builder::new().name("cache-reader".to_owned()).spawn(move || {
                for segment in found {
                    if stopped.load(Relaxed) {
                        return;
                    }
                    // One that made room meanwhile is gone.
                    if shared.segments.get(segment.number).is_some() {
                        recover(&shared, &segment);
                    }
                    count(&shared.counters.recovered);
                }
                shared.index.recovered();
            })?;
        Ok(Self { thread: Mutex::new(Some(thread)), stop })
    }

    /// Waits until everything is read.
    #[cfg(test)]
    pub(super) fn wait(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }

    /// Stops reading after the segment at hand.
    pub(super) fn end(&self) {
        self.stop.store(true, Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn recover(shared: &Shared, segment: &Segment) {
    let number = segment.number;
    let entries = match read_index(shared, segment) {
        Some(entries) => entries,
        None => {
            let (entries, good) = scan(shared, segment);
            if entries.is_empty() {
                return discard(shared, number);
            }
            let _ = segment.file.set_len(good);
            write_index(shared, segment, good, &entries);
            if shared.segments.get(number).is_none() {
                let _ = shared.media.remove(FileName::Index(number));
            }
            entries
        }
    };
    // Within a segment, too, the last record of a name is the newest.
    for entry in entries.iter().rev() {
        let place = entry.place(number);
        if shared.index.recover(entry.name, place) == Recovered::Removed {
            let marked = write_all_at(&*segment.file, &[REMOVED], u64::from(entry.offset));
            if marked.is_err() {
                count(&shared.counters.write_errors);
            }
        }
    }
    // It has made room while it was read, and nobody comes again for what was added since.
    if shared.segments.get(number).is_none() {
        shared.index.evict_all_of(number);
    }
}

/// Reads `segment` record by record. Returned are the records, removed ones too, and where the first thing
/// begins that is none.
fn scan(shared: &Shared, segment: &Segment) -> (Vec<Entry>, u64) {
    let (length, _) = segment.lengths();
    let mut entries = Vec::new();
    let mut window = Window { segment, length, buffer: Vec::new(), start: 0 };
    let mut at = 0;
    loop {
        match window.record(at) {
            Ok(Some(entry)) => {
                at += u64::from(entry.length);
                entries.push(entry);
            }
            Ok(None) => return (entries, at),
            Err(error) => {
                count(&shared.counters.read_errors);
                shared.trouble.tell(&format!("a read failed: {error}"));
                return (entries, at);
            }
        }
    }
}

/// A part of a segment in memory: a block, or one record that is longer.
struct Window<'a> {
    segment: &'a Segment,
    length: u64,
    buffer: Vec<u8>,
    /// Where the buffer begins in the segment.
    start: u64,
}

impl Window<'_> {
    /// The record at `at`; `None` when there is none that holds.
    fn record(&mut self, at: u64) -> io::Result<Option<Entry>> {
        let Some(promise) = self.bytes(at, HEADER)?.and_then(Promise::read) else {
            return Ok(None);
        };
        let Ok(offset) = u32::try_from(at) else { return Ok(None) };
        let length = promise.length();
        let number = self.segment.number;
        let Some(bytes) = self.bytes(at, length)? else { return Ok(None) };
        let name = promise.name(number, offset, bytes);
        Ok(name.map(|name| Entry { name, offset, length: length as u32 }))
    }

    /// So many bytes at `at`, which are at most a record's; `None` when the segment ends before.
    fn bytes(&mut self, at: u64, count: usize) -> io::Result<Option<&[u8]>> {
        if at + count as u64 > self.length {
            return Ok(None);
        }
        if at < self.start || at + count as u64 > self.start + self.buffer.len() as u64 {
            let size = (self.length - at).min(count.max(BLOCK) as u64) as usize;
            self.buffer.resize(size, 0);
            self.start = at;
            let read = read_exact_at(&*self.segment.file, &mut self.buffer, at);
            if read.is_err() {
                self.buffer.clear();
            }
            read?;
        }
        let from = (at - self.start) as usize;
        Ok(self.buffer.get(from..from + count))
    }
}
