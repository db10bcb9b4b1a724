//! Memory over disk: what is stored goes to both, and what only the disk has comes back into memory when
//! somebody asks for it.
//!
//! A head with a short body is one record, a fragment is another; the head's comes after its fragments'. The
//! memory decides what is worth its room: what comes from the disk enters it as anything new does, through the
//! small queue, so that a walk over the disk leaves what is used where it is.
//!
//! The disk is never waited for by whoever stores, and by whoever looks only where the system does not have the
//! bytes in memory; then tokio's pool for blocking work waits. Nothing that the disk fails at fails a request.

mod bytes;
mod content;
mod lifetime;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;

use ::bytes::Bytes;

use content::Kind;

use super::disk::{DiskStore, Lookup, Read};
use super::fragment::{MOST_FRAGMENTS, fragments_in};
use super::storage::{Found, Grip, Kept, Storage, TooLarge, Usage, Visited};
use super::{
    CacheKey, CacheOptions, Content, DiskError, DiskOptions, DiskUsage, FragmentId, MemoryStorage,
    StoredResponse,
};
use crate::clock::Clock;

/// A body may take this part of the disk: a larger one would push its own beginning out.
const LARGEST_PART: u64 = 2;

/// Responses in memory and on disk.
#[derive(Debug)]
pub struct TieredStorage {
    tiers: Arc<Tiers>,
}

#[derive(Debug)]
struct Tiers {
    memory: MemoryStorage,
    disk: DiskStore,
    clock: Arc<dyn Clock>,
}

impl TieredStorage {
    /// Opens the disk and returns at once; what an earlier run stored there is found as soon as a thread has
    /// read where it lies. `clock` must be the edge's, and mean the same moment after a restart, as
    /// [`SystemClock`](crate::SystemClock) does.
    ///
    /// # Errors
    /// The directory is used by another process, or the system refuses it.
    pub fn open(
        memory: CacheOptions,
        disk: DiskOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DiskError> {
        let disk = DiskStore::open(disk)?;
        let memory = MemoryStorage::new(memory);
        Ok(Self { tiers: Arc::new(Tiers { memory, disk, clock }) })
    }

    /// What the disk holds, and what has happened to it.
    pub fn disk_usage(&self) -> DiskUsage {
        self.tiers.disk.usage()
    }

    /// Writes what still waits and seals the store, so that the next start need not scan. What is stored from
    /// now on stays in memory alone. Blocks for as long as the disk takes.
    pub fn close(&self) {
        self.tiers.disk.close();
    }
}

impl Storage for TieredStorage {
    fn lookup(&self, key: &[u8]) -> Found<Arc<StoredResponse>> {
        if let Found::Here(response) = self.tiers.memory.lookup(key) {
            return Found::Here(response);
        }
        match self.tiers.disk.get(&object_name(key)) {
            Lookup::Nothing => Found::Nowhere,
            Lookup::Here(content) => self.tiers.object(key, &content).into(),
            Lookup::OnDisk(read) => match read.at_once() {
                Some(content) => {
                    content.and_then(|content| self.tiers.promoted(key, &content, &read)).into()
                }
                None => {
                    let (tiers, key) = (self.tiers.clone(), CacheKey::new(key));
                    waiting(move || tiers.promoted(key.as_bytes(), &read.wait()?, &read))
                }
            },
        }
    }

    fn fragment(&self, id: FragmentId) -> Found<Bytes> {
        if let Found::Here(fragment) = self.tiers.memory.fragment(id) {
            return Found::Here(fragment);
        }
        match self.tiers.disk.get(&fragment_name(id)) {
            Lookup::Nothing => Found::Nowhere,
            Lookup::Here(fragment) => Found::Here(fragment),
            Lookup::OnDisk(read) => match read.at_once() {
                Some(fragment) => fragment.inspect(|it| self.tiers.keep_in_memory(id, it)).into(),
                None => {
                    let tiers = self.tiers.clone();
                    waiting(move || read.wait().inspect(|it| tiers.keep_in_memory(id, it)))
                }
            },
        }
    }

    fn holds(&self, id: FragmentId) -> bool {
        self.tiers.memory.holds(id) || self.tiers.disk.knows(&fragment_name(id))
    }

    fn keep(&self, id: FragmentId, fragment: Bytes) -> Kept {
        let is_safe = self.tiers.disk.put(&fragment_name(id), fragment.clone());
        let kept = self.tiers.memory.keep(id, fragment);
        if is_safe { Kept::Safely } else { kept }
    }

    fn grip(&self, id: FragmentId) -> Grip {
        match self.tiers.disk.knows(&fragment_name(id)) {
            true => Grip::Safe,
            false => self.tiers.memory.grip(id),
        }
    }

    fn room(&self, length: u64) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        self.tiers.disk.room(length as usize)
    }

    fn admits(&self, length: u64) -> Result<(), TooLarge> {
        let is_countable = fragments_in(length, self.fragment_size()).is_some();
        if is_countable && length <= self.tiers.disk.limit() / LARGEST_PART {
            return Ok(());
        }
        self.tiers.memory.admits(length)
    }

    fn insert(&self, key: &CacheKey, response: Arc<StoredResponse>) {
        // The disk first: whoever reads an older record at this moment then sees that it is not the newest.
        self.tiers.write(key.as_bytes(), &response);
        self.tiers.memory.insert(key, response);
    }

    fn replace(
        &self,
        key: &CacheKey,
        known: Option<&Arc<StoredResponse>>,
        response: Arc<StoredResponse>,
    ) {
        if self.tiers.has_newer(key.as_bytes(), known) {
            return;
        }
        self.tiers.memory.replace(key, known, response.clone());
        // Only what the memory took is news; a copy that spares its origin is none for the disk.
        let kept = self.tiers.memory.peek(key.as_bytes());
        let is_taken = kept.is_none_or(|kept| Arc::ptr_eq(&kept, &response));
        if is_taken && response.spare_origin_until().is_none() {
            self.tiers.write(key.as_bytes(), &response);
        }
    }

    fn remove(&self, key: &[u8], known: Option<&Arc<StoredResponse>>) {
        if known.is_some() && self.tiers.has_newer(key, known) {
            return;
        }
        // Which fragments there are, only the head tells.
        let kept = self.tiers.memory.peek(key);
        let kept = known.cloned().or(kept).or_else(|| self.tiers.on_disk(key).map(Arc::new));
        self.tiers.disk.remove(&object_name(key));
        self.tiers.memory.remove(key, known);
        if let Some(response) = kept {
            self.tiers.remove_fragments_of(&response);
        }
    }

    fn sweep(&self, key: &[u8], epoch: u64) {
        match self.tiers.memory.peek(key) {
            Some(kept) if kept.meta.epoch >= epoch => {}
            _ => {
                self.tiers.disk.remove(&object_name(key));
                self.tiers.memory.sweep(key, epoch);
            }
        }
    }

    fn visit(&self, see: &mut dyn FnMut(Visited<'_>)) {
        let mut seen = HashSet::new();
        self.tiers.memory.visit(&mut |visited| {
            seen.insert(CacheKey::new(visited.key));
            see(visited);
        });
        let now = self.tiers.clock.monotonic();
        self.tiers.disk.visit(OBJECT, &mut |name, begins, bytes| {
            let key = &name[1..];
            if seen.contains(key) {
                return;
            }
            if let Some((head, _)) = content::decode_head(begins, now) {
                let fragments = match head.kind {
                    Kind::Fragments(_) => head.length,
                    Kind::Whole => 0,
                    Kind::Varies => return,
                };
                see(Visited {
                    key,
                    meta: &head.meta,
                    bytes: bytes + fragments,
                    is_on_disk_alone: true,
                });
            }
        });
    }

    fn usage(&self) -> Usage {
        self.tiers.memory.usage()
    }

    fn fragment_size(&self) -> u64 {
        self.tiers.memory.fragment_size()
    }
}

fn waiting<T: Send + 'static>(read: impl FnOnce() -> Option<T> + Send + 'static) -> Found<T> {
    Found::Elsewhere(Box::pin(
        async move { tokio::task::spawn_blocking(read).await.ok().flatten() },
    ))
}

impl Tiers {
    fn object(&self, key: &[u8], content: &Bytes) -> Option<Arc<StoredResponse>> {
        let response = Arc::new(content::decode(content, self.clock.monotonic())?);
        self.kept_in_memory(key, response)
    }

    /// What `read` has read, now in memory, too.
    fn promoted(&self, key: &[u8], content: &Bytes, read: &Read) -> Option<Arc<StoredResponse>> {
        let found = Arc::new(content::decode(content, self.clock.monotonic())?);
        let kept = self.kept_in_memory(key, found.clone());
        // Somebody may have stored a newer one while this was read; what comes later finds ours and replaces it.
        if !read.is_newest() {
            self.memory.remove(key, Some(&found));
        }
        kept
    }

    /// Puts `response` into memory unless something is there; returned is what is there then.
    fn kept_in_memory(
        &self,
        key: &[u8],
        response: Arc<StoredResponse>,
    ) -> Option<Arc<StoredResponse>> {
        self.memory.replace(&CacheKey::new(key), None, response.clone());
        // Looking is no use of it: what was read once must not seem to be asked for again.
        Some(self.memory.peek(key).unwrap_or(response))
    }

    fn keep_in_memory(&self, id: FragmentId, fragment: &Bytes) {
        self.memory.keep(id, fragment.clone());
    }

    fn write(&self, key: &[u8], response: &StoredResponse) {
        let name = object_name(key);
        match content::encode(response) {
            Some(content) => {
                self.disk.put(&name, content);
            }
            None => self.disk.remove(&name),
        }
    }

    /// Whether what is stored under `key` is newer than `known`.
    fn has_newer(&self, key: &[u8], known: Option<&Arc<StoredResponse>>) -> bool {
        if let Some(kept) = self.memory.peek(key) {
            return !known.is_some_and(|known| Arc::ptr_eq(known, &kept));
        }
        // Memory has let go of it. What was read from the disk has no identity but the time it was stored.
        let Some(kept) = self.on_disk(key) else { return false };
        known.is_none_or(|known| kept.meta.stored_at > known.meta.stored_at)
    }

    /// What the disk has under `key`, where that takes no waiting: as for one that has just been read, most likely.
    fn on_disk(&self, key: &[u8]) -> Option<StoredResponse> {
        let content = match self.disk.get(&object_name(key)) {
            Lookup::Nothing => None,
            Lookup::Here(content) => Some(content),
            Lookup::OnDisk(read) => read.at_once().flatten(),
        }?;
        content::decode(&content, self.clock.monotonic())
    }

    fn remove_fragments_of(&self, response: &StoredResponse) {
        self.memory.remove_fragments_of(response);
        if let Content::Fragments { generation, .. } = response.content {
            let count = fragments_in(response.length(), self.memory.fragment_size());
            for number in 0..count.unwrap_or(MOST_FRAGMENTS) {
                self.disk.remove(&fragment_name(FragmentId { generation, number }));
            }
        }
    }
}

// Objects and fragments are told apart by the first byte of the record's key.
const OBJECT: u8 = b'o';
const FRAGMENT: u8 = b'f';

fn object_name(key: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(1 + key.len());
    name.push(OBJECT);
    name.extend_from_slice(key);
    name
}

fn fragment_name(FragmentId { generation, number }: FragmentId) -> [u8; 21] {
    let mut name = [FRAGMENT; 21];
    name[1..17].copy_from_slice(&generation.0.to_le_bytes());
    name[17..].copy_from_slice(&number.to_le_bytes());
    name
}
