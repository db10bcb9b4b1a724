//! Responses in memory, under a limit by weight; what is used least makes room (S3-FIFO).
//!
//! Heads with their short bodies, and fragments of long ones, are entries of one index, so one limit holds
//! for all of them. What comes for the first time passes through a small queue and leaves it unless it is
//! asked for again: neither a scan nor one long body takes the room of what is used.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use quick_cache::OptionsBuilder;
use quick_cache::sync::{Cache, EntryAction, EntryResult};

use entry::{ByWeight, Entry, Key, ObjectKey, weight};

use super::fragment::{MOST_FRAGMENTS, fragments_in};
use super::storage::{Found, Grip, Kept, Storage, TooLarge, Usage, Visited};
use super::{CacheKey, CacheOptions, Content, FragmentId, StoredResponse};

/// The index is split, so that threads rarely wait for each other. An entry must fit into one part.
const SHARDS: usize = 4;
/// Expected size of an object. It decides for how many objects that were let go the index remembers that they
/// were here (one for every two that it expects): with too large a size, small objects come back as strangers and
/// a crowd of them is kept worse than by S3-FIFO (`examples/zipf`: 16 KiB costs them two points, 2 KiB costs
/// large ones one, and more memory).
const TYPICAL_OBJECT: u64 = 4 << 10;
/// The part of the memory that what has been asked for again may take; the rest is the small queue. Chance
/// spreads the fragments of a body over the parts of the index: with an eighth, a body of a sixteenth finds twice
/// its fair share in each, and with a tenth one in fifty would push out a fragment of its own.
const HOT: f64 = 0.875;

/// The memory tier.
///
/// A body of up to a sixteenth of the memory is admitted: so much is sure to pass through the small queue
/// without pushing its own beginning out. Fragments that are kept on their own, as those that ranges of a
/// longer body brought, have no such limit, but one that does not fit into a part of the index is not taken.
#[derive(Debug)]
pub struct MemoryStorage {
    entries: Cache<Key, Entry, ByWeight>,
    limit: u64,
    fragment: u64,
}

impl MemoryStorage {
    /// An empty storage under the limits of `options`.
    pub fn new(options: CacheOptions) -> Self {
        let limit = options.memory.max(1);
        let index = OptionsBuilder::new()
            .estimated_items_capacity((limit / TYPICAL_OBJECT).clamp(64, 1 << 20) as usize)
            .weight_capacity(limit)
            .hot_allocation(HOT)
            .shards(SHARDS)
            .build()
            .expect("both capacities are set");
        let entries = Cache::with_options(
            index,
            ByWeight,
            Default::default(),
            quick_cache::sync::DefaultLifecycle::default(),
        );
        Self { entries, limit, fragment: options.fragment.max(1) }
    }

    /// What [`lookup`](Storage::lookup) would find. Counts as no use of it.
    #[cfg(feature = "disk")]
    pub(super) fn peek(&self, key: &[u8]) -> Option<Arc<StoredResponse>> {
        match self.entries.peek(&ObjectKey(key)) {
            Some(Entry::Object(response)) => Some(response),
            _ => None,
        }
    }

    /// Forgets the fragments of `response`, which may be here without its head.
    pub(super) fn remove_fragments_of(&self, response: &StoredResponse) {
        self.fragments_of(response).for_each(|key| {
            self.entries.remove(&key);
        });
    }

    fn fragments_of<'a>(
        &self,
        response: &'a StoredResponse,
    ) -> impl Iterator<Item = Key> + use<'a> {
        let generation = match response.content {
            Content::Fragments { generation, .. } => Some(generation),
            Content::Whole(_) => None,
        };
        let count = fragments_in(response.length(), self.fragment).unwrap_or(MOST_FRAGMENTS);
        let of = move |generation| {
            (0..count).map(move |number| Key::Fragment(Box::new(FragmentId { generation, number })))
        };
        generation.into_iter().flat_map(of)
    }
}

impl Storage for MemoryStorage {
    fn lookup(&self, key: &[u8]) -> Found<Arc<StoredResponse>> {
        match self.entries.get(&ObjectKey(key)) {
            Some(Entry::Object(response)) => Found::Here(response),
            _ => Found::Nowhere,
        }
    }

    fn fragment(&self, id: FragmentId) -> Found<Bytes> {
        match self.entries.get(&id) {
            Some(Entry::Fragment(fragment)) => Found::Here(*fragment),
            _ => Found::Nowhere,
        }
    }

    fn holds(&self, id: FragmentId) -> bool {
        self.entries.contains_key(&id)
    }

    fn keep(&self, id: FragmentId, fragment: Bytes) -> Kept {
        self.entries.insert(Key::Fragment(Box::new(id)), Entry::Fragment(Box::new(fragment)));
        Kept::ForNow
    }

    fn grip(&self, id: FragmentId) -> Grip {
        match self.entries.peek(&id) {
            Some(Entry::Fragment(fragment)) => Grip::Held(*fragment),
            _ => Grip::Gone,
        }
    }

    fn admits(&self, length: u64) -> Result<(), TooLarge> {
        let parts = self.entries.num_shards() as u64;
        let is_short = length <= self.limit / 16;
        // A part takes no entry that is larger than its hot share.
        let fits = length.min(self.fragment) < (self.limit as f64 * HOT) as u64 / parts;
        if is_short && fits { Ok(()) } else { Err(TooLarge) }
    }

    fn insert(&self, key: &CacheKey, response: Arc<StoredResponse>) {
        self.entries.insert(Key::Object(key.as_bytes().into()), Entry::Object(response));
    }

    fn replace(
        &self,
        key: &CacheKey,
        known: Option<&Arc<StoredResponse>>,
        response: Arc<StoredResponse>,
    ) {
        let (key, new) = (Key::Object(key.as_bytes().into()), Entry::Object(response));
        let entry = self.entries.entry(&key, Some(Duration::ZERO), |key, stored| {
            if !stored.is(known) {
                return EntryAction::Retain(());
            }
            // What changes in its place makes no room, so what grows leaves and comes anew.
            if weight(key, &new) > weight(key, stored) {
                return EntryAction::ReplaceWithGuard;
            }
            *stored = new.clone();
            EntryAction::Retain(())
        });
        if let EntryResult::Vacant(place) | EntryResult::Replaced(place, _) = entry {
            // Lost only if somebody else fills the place at the same moment.
            let _ = place.insert(new);
        }
    }

    fn remove(&self, key: &[u8], known: Option<&Arc<StoredResponse>>) {
        let removed =
            self.entries.remove_if(&ObjectKey(key), |stored| known.is_none() || stored.is(known));
        if let Some((_, Entry::Object(response))) = removed {
            self.remove_fragments_of(&response);
        }
    }

    fn sweep(&self, key: &[u8], epoch: u64) {
        self.entries.remove_if(
            &ObjectKey(key),
            |entry| matches!(entry, Entry::Object(kept) if kept.meta.epoch < epoch),
        );
    }

    fn visit(&self, see: &mut dyn FnMut(Visited<'_>)) {
        let mut fragments: HashMap<_, u64> = HashMap::new();
        for (key, entry) in self.entries.iter() {
            if let Key::Fragment(id) = &key {
                *fragments.entry(id.generation).or_default() += weight(&key, &entry);
            }
        }
        for (key, entry) in self.entries.iter() {
            if let (Key::Object(name), Entry::Object(response)) = (&key, &entry)
                && response.varies().is_none()
            {
                let body = match response.content {
                    Content::Fragments { generation, .. } => fragments.get(&generation).copied(),
                    Content::Whole(_) => None,
                };
                let bytes = weight(&key, &entry) + body.unwrap_or(0);
                see(Visited { key: name, meta: &response.meta, bytes, is_on_disk_alone: false });
            }
        }
    }

    fn usage(&self) -> Usage {
        Usage {
            objects: self.entries.len() as u64,
            bytes: self.entries.weight(),
            limit: self.limit,
        }
    }

    fn fragment_size(&self) -> u64 {
        self.fragment
    }
}
