//! Responses in memory, under a limit by weight; what is used least makes room (S3-FIFO).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use quick_cache::sync::Cache;
use quick_cache::{OptionsBuilder, Weighter};

use super::storage::{Storage, TooLarge, Usage, Writer};
use super::{CacheKey, CacheOptions, StoredMeta, StoredResponse};

/// The index is split, so that threads rarely wait for each other. An object must fit into one part.
const SHARDS: usize = 4;
/// Expected size of an object, to size the index.
const TYPICAL_OBJECT: u64 = 16 << 10;
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
    fn lookup(&self, key: &[u8]) -> Option<Arc<StoredResponse>> {
        self.objects.get(key)
    }

    fn begin(&self, key: &CacheKey, length: Option<u64>) -> Result<Box<dyn Writer>, TooLarge> {
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
        }))
    }

    fn replace(&self, key: &CacheKey, response: Arc<StoredResponse>) {
        self.objects.insert(key.clone(), response);
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
    /// Sum of the pieces, and what was taken from the budget.
    length: u64,
}

impl Writer for MemoryWriter {
    fn append(&mut self, piece: Bytes) -> Result<(), TooLarge> {
        let bytes = piece.len() as u64;
        if self.length + bytes > self.largest_object {
            return Err(TooLarge);
        }
        self.filling.take(bytes)?;
        self.length += bytes;
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
        };
        self.objects.insert(self.key.clone(), Arc::new(response));
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.filling.give_back(self.length);
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
