//! What the index of the memory tier holds, and what each entry weighs.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use quick_cache::{Equivalent, Weighter};

use crate::cache::weight::{allocated, shared_bytes};
use crate::cache::{FragmentId, StoredResponse};

/// An entry of the index itself: the slot with key and value, its links, and its place in the hash table.
const SLOT: u64 = 96;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    /// Of exactly its size, where the key that a fill shares has a count as well.
    Object(Box<[u8]>),
    /// Boxed, as its entry is: fragments are few, and every slot of the index is as large as the largest.
    Fragment(Box<FragmentId>),
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Key::Object(key) => ObjectKey(key).hash(state),
            Key::Fragment(id) => id.hash(state),
        }
    }
}

/// A [`Key::Object`] of borrowed bytes, so that a lookup allocates nothing.
#[derive(Hash)]
pub(super) struct ObjectKey<'a>(pub(super) &'a [u8]);

impl Equivalent<Key> for ObjectKey<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Object(key) if **key == *self.0)
    }
}

impl Equivalent<Key> for FragmentId {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Fragment(id) if **id == *self)
    }
}

#[derive(Debug, Clone)]
pub(super) enum Entry {
    Object(Arc<StoredResponse>),
    Fragment(Box<Bytes>),
}

impl Entry {
    /// Whether this is the very response `known`.
    pub(super) fn is(&self, known: Option<&Arc<StoredResponse>>) -> bool {
        match (self, known) {
            (Entry::Object(stored), Some(known)) => Arc::ptr_eq(stored, known),
            _ => false,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct ByWeight;

impl Weighter<Key, Entry> for ByWeight {
    fn weight(&self, key: &Key, entry: &Entry) -> u64 {
        weight(key, entry)
    }
}

/// Bytes of memory that an entry takes.
pub(super) fn weight(key: &Key, entry: &Entry) -> u64 {
    let key = match key {
        Key::Object(key) => allocated(key.len()),
        Key::Fragment(_) => allocated(size_of::<FragmentId>()),
    };
    let entry = match entry {
        Entry::Object(response) => response.weight(),
        Entry::Fragment(fragment) => {
            (allocated(size_of::<Bytes>()) + shared_bytes(fragment.len())) as u64
        }
    };
    SLOT + key as u64 + entry
}
