//! The segment files there are, oldest first, and the bytes they take.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::media::Medium;

/// One file of records. Who holds it may read from it even after it was deleted.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) file: Arc<dyn Medium>,
    /// Bytes of the file.
    bytes: AtomicU64,
    /// Bytes of the index file beside it.
    index: AtomicU64,
}

impl Segment {
    /// Bytes of the file, and of the index file beside it.
    pub(crate) fn lengths(&self) -> (u64, u64) {
        (self.bytes.load(Relaxed), self.index.load(Relaxed))
    }
}

/// All segments.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    by_number: RwLock<BTreeMap<u32, Arc<Segment>>>,
    used: AtomicU64,
}

impl Segments {
    pub(crate) fn add(
        &self,
        number: u32,
        file: Arc<dyn Medium>,
        bytes: u64,
        index: u64,
    ) -> Arc<Segment> {
        let (bytes_now, index_now) = (AtomicU64::new(bytes), AtomicU64::new(index));
        let segment = Arc::new(Segment { number, file, bytes: bytes_now, index: index_now });
        self.used.fetch_add(bytes + index, Relaxed);
        self.write().insert(number, segment.clone());
        segment
    }

    pub(crate) fn get(&self, number: u32) -> Option<Arc<Segment>> {
        self.read().get(&number).cloned()
    }

    /// `segment` has come to have `bytes`, and its index file so many. Not for one that was removed.
    pub(crate) fn resize(&self, segment: &Segment, bytes: u64, index: u64) {
        // Under the lock, so that whoever removes the segment takes back what was counted for it.
        let by_number = self.write();
        if by_number.contains_key(&segment.number) {
            let before = segment.bytes.swap(bytes, Relaxed) + segment.index.swap(index, Relaxed);
            self.used.fetch_add(bytes + index, Relaxed);
            self.used.fetch_sub(before, Relaxed);
        }
    }

    /// `segment` takes so many bytes more.
    pub(crate) fn grow(&self, segment: &Segment, by: u64) {
        segment.bytes.fetch_add(by, Relaxed);
        self.used.fetch_add(by, Relaxed);
    }

    pub(crate) fn remove(&self, number: u32) {
        if let Some(segment) = self.write().remove(&number) {
            let (bytes, index) = segment.lengths();
            self.used.fetch_sub(bytes + index, Relaxed);
        }
    }

    /// The oldest segment that is not `open`.
    pub(crate) fn oldest_but(&self, open: u32) -> Option<Arc<Segment>> {
        self.read().values().find(|segment| segment.number != open).cloned()
    }

    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    pub(crate) fn count(&self) -> usize {
        self.read().len()
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u32, Arc<Segment>>> {
        self.by_number.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<u32, Arc<Segment>>> {
        self.by_number.write().unwrap_or_else(PoisonError::into_inner)
    }
}
