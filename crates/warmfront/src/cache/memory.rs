//! Responses in memory, under a limit by weight; what is used least makes room (S3-FIFO).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use quick_cache::sync::{Cache, EntryAction, EntryResult};
use quick_cache::{OptionsBuilder, Weighter};

use super::storage::{Found, Storage, TooLarge, Usage, Visited, Writer};
use super::{CacheKey, CacheOptions, FragmentId, Generation, StoredMeta, StoredResponse};

/// The index is split, so that threads rarely wait for each other. An object must fit into one part.
const SHARDS: usize = 4;
/// Expected size of an object. It decides for how many objects that were let go the index remembers that they
/// were here (one for every two that it expects): with too large a size, small objects come back as strangers and
/// a crowd of them is kept worse than by S3-FIFO (`examples/zipf`: 16 KiB costs them two points, 2 KiB costs
/// large ones one, and more memory).
const TYPICAL_OBJECT: u64 = 4 << 10;
/// Key, index entry, reference counts.
const ENTRY_OVERHEAD: u64 = 96;
/// Bodies are kept in pieces of at least this size on average; smaller ones are copied together.
const PIECE: usize = 64 << 10;

/// The memory tier.
#[derive(Debug)]
pub struct MemoryStorage {
    objects: Arc<Cache<CacheKey, Arc<StoredResponse>, ByWeight>>,
    filling: Arc<Budget>,
    limit: u64,
    largest_object: u64,
}

#[derive(Debug, Clone)]
struct ByWeight;

impl Weighter<CacheKey, Arc<StoredResponse>> for ByWeight {
    fn weight(&self, key: &CacheKey, response: &Arc<StoredResponse>) -> u64 {
        key.as_bytes().len() as u64 + response.weight() + ENTRY_OVERHEAD
    }
}

impl MemoryStorage {
    /// An empty storage under the limits of `options`.
    pub fn new(options: CacheOptions) -> Self {
        let limit = options.memory.max(1);
        let index = OptionsBuilder::new()
            .estimated_items_capacity((limit / TYPICAL_OBJECT).clamp(64, 1 << 20) as usize)
            .weight_capacity(limit)
            .shards(SHARDS)
            .build()
            .expect("both capacities are set");
        let objects = Cache::with_options(
            index,
            ByWeight,
            Default::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        );
        Self {
            objects: Arc::new(objects),
            filling: Arc::new(Budget { used: AtomicU64::new(0), limit: limit / 4 }),
            limit,
            largest_object: limit / 16,
        }
    }
}

impl Storage for MemoryStorage {
    fn lookup(&self, key: &[u8]) -> Found<Arc<StoredResponse>> {
        self.objects.get(key).into()
    }

    fn fragment(&self, _: FragmentId) -> Found<Bytes> {
        Found::Nowhere
    }

    fn keep(&self, _: FragmentId, _: Bytes) {}

    fn begin(
        &self,
        key: &CacheKey,
        _: Generation,
        length: Option<u64>,
    ) -> Result<Box<dyn Writer>, TooLarge> {
        if length.is_some_and(|length| length > self.largest_object) {
            return Err(TooLarge);
        }
        Ok(Box::new(MemoryWriter {
            key: key.clone(),
            objects: self.objects.clone(),
            filling: self.filling.clone(),
            largest_object: self.largest_object,
            pieces: Vec::new(),
            length: 0,
            taken: 0,
        }))
    }

    fn replace(
        &self,
        key: &CacheKey,
        known: Option<&Arc<StoredResponse>>,
        response: Arc<StoredResponse>,
    ) {
        let entry = self.objects.entry(key, Some(Duration::ZERO), |_, stored| {
            if known.is_some_and(|known| Arc::ptr_eq(known, stored)) {
                *stored = response.clone();
            }
            EntryAction::Retain(())
        });
        if let EntryResult::Vacant(place) = entry {
            // Lost only if somebody else fills the place at the same moment.
            let _ = place.insert(response);
        }
    }

    fn remove(&self, key: &[u8], known: Option<&Arc<StoredResponse>>) {
        self.objects.remove_if(key, |stored| known.is_none_or(|known| Arc::ptr_eq(known, stored)));
    }

    fn visit(&self, see: &mut dyn FnMut(Visited<'_>)) {
        for (key, stored) in self.objects.iter() {
            if stored.varies.is_some() {
                continue;
            }
            let bytes = ByWeight.weight(&key, &stored);
            see(Visited { key: key.as_bytes(), meta: &stored.meta, bytes });
        }
    }

    fn usage(&self) -> Usage {
        Usage {
            objects: self.objects.len() as u64,
            bytes: self.objects.weight(),
            limit: self.limit,
        }
    }
}

/// Bytes that all fills together may hold.
#[derive(Debug)]
struct Budget {
    used: AtomicU64,
    limit: u64,
}

impl Budget {
    fn take(&self, bytes: u64) -> Result<(), TooLarge> {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.limit {
            self.give_back(bytes);
            return Err(TooLarge);
        }
        Ok(())
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

struct MemoryWriter {
    key: CacheKey,
    objects: Arc<Cache<CacheKey, Arc<StoredResponse>, ByWeight>>,
    filling: Arc<Budget>,
    largest_object: u64,
    pieces: Vec<Bytes>,
    /// Sum of the pieces.
    length: u64,
    /// What was taken from the budget.
    taken: u64,
}

impl Writer for MemoryWriter {
    fn append(&mut self, piece: Bytes) -> Result<(), TooLarge> {
        let cost = super::fill::cost(&piece);
        if self.taken + cost > self.largest_object {
            return Err(TooLarge);
        }
        self.filling.take(cost)?;
        self.taken += cost;
        self.length += piece.len() as u64;
        self.pieces.push(piece);
        Ok(())
    }

    fn commit(mut self: Box<Self>, meta: StoredMeta) {
        let response = StoredResponse {
            meta,
            length: self.length,
            pieces: compact(std::mem::take(&mut self.pieces)).into(),
            spare_origin_until: None,
            failure: None,
            varies: None,
        };
        self.objects.insert(self.key.clone(), Arc::new(response));
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.filling.give_back(self.taken);
    }
}

/// Copies small pieces together. A single piece is a buffer of exactly its size already.
fn compact(pieces: Vec<Bytes>) -> Vec<Bytes> {
    let length: usize = pieces.iter().map(Bytes::len).sum();
    if pieces.len() <= 1 || length / pieces.len() >= PIECE / 2 {
        return pieces;
    }
    let mut compacted = Vec::with_capacity(length.div_ceil(PIECE));
    let mut left = length;
    let mut block = BytesMut::with_capacity(left.min(PIECE));
    for mut piece in pieces {
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(block.capacity() - block.len()));
            block.extend_from_slice(&part);
            if block.len() == block.capacity() {
                left -= block.len();
                compacted.push(
                    std::mem::replace(&mut block, BytesMut::with_capacity(left.min(PIECE)))
                        .freeze(),
                );
            }
        }
    }
    if !block.is_empty() {
        compacted.push(block.freeze());
    }
    compacted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests_support::{meta, stored};

    fn key(name: &str) -> CacheKey {
        CacheKey::new(name.as_bytes())
    }

    fn store(storage: &MemoryStorage, name: &str, pieces: &[usize]) -> Result<(), TooLarge> {
        let mut writer = storage.begin(&key(name), Generation::random(), None)?;
        for size in pieces {
            writer.append(Bytes::from(vec![b'x'; *size]))?;
        }
        writer.commit(meta());
        Ok(())
    }

    fn found(storage: &MemoryStorage, name: &str) -> Option<Arc<StoredResponse>> {
        match storage.lookup(name.as_bytes()) {
            Found::Here(found) => Some(found),
            Found::Elsewhere(_) | Found::Nowhere => None,
        }
    }

    #[test]
    fn what_is_removed_is_gone_unless_something_newer_is_there() {
        let storage = MemoryStorage::new(CacheOptions::default());
        store(&storage, "a", &[1]).unwrap();
        let old = found(&storage, "a").unwrap();
        store(&storage, "a", &[2]).unwrap();
        storage.remove(b"a", Some(&old));
        assert_eq!(found(&storage, "a").unwrap().length, 2);
        storage.remove(b"a", None);
        assert!(found(&storage, "a").is_none());
    }

    #[test]
    fn a_visit_shows_every_response() {
        let storage = MemoryStorage::new(CacheOptions::default());
        store(&storage, "a", &[1]).unwrap();
        store(&storage, "b", &[2]).unwrap();
        let mut seen = Vec::new();
        storage.visit(&mut |visited| seen.push((visited.key.to_vec(), visited.bytes)));
        seen.sort();
        let sum: u64 = seen.iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(seen.iter().map(|(key, _)| &key[..]).collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(sum, storage.usage().bytes);
    }

    #[test]
    fn a_response_is_found_only_once_it_is_complete() {
        let storage = MemoryStorage::new(CacheOptions::default());
        let mut writer = storage.begin(&key("a"), Generation::random(), None).unwrap();
        writer.append(Bytes::from_static(b"half")).unwrap();
        assert!(found(&storage, "a").is_none());
        drop(writer);
        assert!(found(&storage, "a").is_none(), "a dropped writer leaves nothing");
        assert_eq!(storage.filling.used.load(Ordering::Relaxed), 0);
        store(&storage, "a", &[4]).unwrap();
        assert_eq!(found(&storage, "a").unwrap().length, 4);
    }

    #[test]
    fn memory_stays_under_its_limit_whatever_the_sizes() {
        let storage = MemoryStorage::new(CacheOptions { memory: 4 << 20 });
        for round in 0..2000usize {
            let size = [1, 900, 20_000, 200_000][round % 4];
            store(&storage, &format!("object {round}"), &[size]).unwrap();
            let usage = storage.usage();
            assert!(usage.bytes <= usage.limit, "after {round}: {usage:?}");
        }
        assert!(storage.usage().objects > 20, "the cache keeps what fits");
    }

    #[test]
    fn an_object_over_a_sixteenth_of_the_memory_is_not_taken() {
        let storage = MemoryStorage::new(CacheOptions { memory: 16 << 20 });
        assert!(
            storage.begin(&key("a"), Generation::random(), Some((1 << 20) + 1)).is_err(),
            "known by its length"
        );
        assert_eq!(store(&storage, "a", &[1 << 19, 1 << 19, 1]), Err(TooLarge), "found out later");
        store(&storage, "a", &[1 << 19, 1 << 19]).unwrap();
        assert!(found(&storage, "a").is_some());
    }

    #[test]
    fn fills_together_hold_at_most_a_quarter_of_the_memory() {
        let storage = MemoryStorage::new(CacheOptions { memory: 16 << 20 });
        let mut writers: Vec<_> = (0..8)
            .map(|n| storage.begin(&key(&format!("{n}")), Generation::random(), None).unwrap())
            .collect();
        let taken = writers
            .iter_mut()
            .map(|writer| writer.append(Bytes::from(vec![0; 1 << 20])))
            .filter(Result::is_ok)
            .count();
        assert_eq!(taken, 4);
        drop(writers);
        assert_eq!(storage.filling.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn tiny_pieces_count_what_they_cost() {
        let storage = MemoryStorage::new(CacheOptions { memory: 16 << 20 });
        let mut writer = storage.begin(&key("a"), Generation::random(), None).unwrap();
        let taken = (0..1 << 20).take_while(|_| writer.append(Bytes::from_static(b"x")).is_ok());
        assert_eq!(taken.count(), 1 << 12, "256 bytes each, within an object's 1 MiB");
        drop(writer);
        assert_eq!(storage.filling.used.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn news_about_an_old_response_does_not_displace_a_newer_one() {
        let storage = MemoryStorage::new(CacheOptions::default());
        store(&storage, "a", &[1]).unwrap();
        let old = found(&storage, "a").unwrap();
        store(&storage, "a", &[2]).unwrap();
        storage.replace(&key("a"), Some(&old), Arc::new(stored(&["news"])));
        assert_eq!(found(&storage, "a").unwrap().length, 2);
        storage.replace(&key("a"), None, Arc::new(stored(&["news"])));
        assert_eq!(found(&storage, "a").unwrap().length, 2);

        let current = found(&storage, "a").unwrap();
        storage.replace(&key("a"), Some(&current), Arc::new(stored(&["news"])));
        assert_eq!(found(&storage, "a").unwrap().length, 4);
        storage.replace(&key("b"), None, Arc::new(stored(&["first"])));
        assert_eq!(found(&storage, "b").unwrap().length, 5);
    }

    #[test]
    fn small_pieces_are_copied_together_and_lose_no_byte() {
        let pieces: Vec<Bytes> = (0..3000u32).map(|n| Bytes::from(n.to_string())).collect();
        let expected: Vec<u8> = pieces.iter().flatten().copied().collect();
        let compacted = compact(pieces);
        assert_eq!(compacted.len(), expected.len().div_ceil(PIECE));
        assert_eq!(compacted.iter().flatten().copied().collect::<Vec<u8>>(), expected);
    }
}
