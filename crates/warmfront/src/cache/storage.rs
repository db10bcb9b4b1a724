//! Where responses are kept. The seam behind which memory and disk live.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::{CacheKey, FRAGMENT, FragmentId, StoredMeta, StoredResponse};

/// What a storage has.
pub enum Found<T> {
    /// It is in memory.
    Here(T),
    /// It has to be read first; `None` when that fails, or what was read is damaged.
    Elsewhere(Pin<Box<dyn Future<Output = Option<T>> + Send>>),
    /// It is not stored.
    Nowhere,
}

impl<T> Found<T> {
    /// Waits for what has to be read.
    pub async fn read(self) -> Option<T> {
        match self {
            Found::Here(found) => Some(found),
            Found::Elsewhere(coming) => coming.await,
            Found::Nowhere => None,
        }
    }
}

impl<T> From<Option<T>> for Found<T> {
    fn from(found: Option<T>) -> Self {
        found.map_or(Found::Nowhere, Found::Here)
    }
}

/// Keeps responses under a limit of its own.
///
/// A body of up to [`FRAGMENT`] octets lies with its head, a longer one in fragments, which come before
/// the head does. What makes room for others may be a single fragment, so whoever reads must be ready for
/// a hole; fragments without a head just age.
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// The response under `key`, fresh or not.
    fn lookup(&self, key: &[u8]) -> Found<Arc<StoredResponse>>;

    /// One fragment of a body, also while that is being filled.
    fn fragment(&self, id: FragmentId) -> Found<Bytes>;

    /// Whether [`fragment`](Self::fragment) would find it. Counts as no use of it.
    fn holds(&self, id: FragmentId) -> bool;

    /// Keeps a fragment, of a fill under way or fetched on its own. A storage may let go of any.
    fn keep(&self, id: FragmentId, fragment: Bytes) -> Kept;

    /// Takes hold of a fragment for whoever is going to read it. Reads no disk, and counts as no use of it.
    fn grip(&self, id: FragmentId) -> Grip;

    /// Waits until a fragment of `length` octets can be [kept safely](Kept::Safely), without an end where that
    /// never comes; `None` when there is nothing to wait for.
    fn room(&self, length: u64) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        let _ = length;
        None
    }

    /// Whether a body of `length` octets may be stored, as far as can be seen before it has come.
    fn admits(&self, length: u64) -> Result<(), TooLarge>;

    /// Puts `response` under `key`, whatever is there. Its fragments have come before.
    fn insert(&self, key: &CacheKey, response: Arc<StoredResponse>);

    /// The same if what is there is still `known`, or nothing: so that news about an old response never
    /// displaces a newer one that another fetch has stored meanwhile.
    fn replace(
        &self,
        key: &CacheKey,
        known: Option<&Arc<StoredResponse>>,
        response: Arc<StoredResponse>,
    );

    /// Forgets what is under `key`, if that is still `known`; with `None`, whatever it is.
    fn remove(&self, key: &[u8], known: Option<&Arc<StoredResponse>>);

    /// Forgets what is under `key`, if its origin was asked before `epoch`: nobody gets it any more. Fragments of
    /// its body stay for whoever is reading them, and make room in their time. Reads no disk, so a newer one
    /// that lies there alone may go with it, which costs a fetch.
    fn sweep(&self, key: &[u8], epoch: u64);

    /// Shows every response that is kept, in no order, while others come and go. Takes as long as there
    /// are many; never called for a request.
    fn visit(&self, see: &mut dyn FnMut(Visited<'_>));

    /// What is kept now.
    fn usage(&self) -> Usage;

    /// Octets of a fragment; anything but [`FRAGMENT`] is for tests.
    fn fragment_size(&self) -> u64 {
        FRAGMENT
    }
}

/// For how long a storage keeps a fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is on a disk, or on the way there: what is stored meanwhile does not push it out soon.
    Safely,
    /// In memory alone, or not at all: it may be gone in a moment.
    ForNow,
}

/// What a storage has of a fragment that somebody is going to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grip {
    /// It is kept safely.
    Safe,
    /// Memory alone has it. Whoever holds this has it, whatever becomes of it there.
    Held(Bytes),
    /// It is not stored.
    Gone,
}

/// One response among those that [`Storage::visit`] shows.
#[derive(Debug, Clone, Copy)]
pub struct Visited<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// What is known about it.
    pub meta: &'a StoredMeta,
    /// Octets that it takes, its fragments included.
    pub bytes: u64,
    /// It is on a disk and not in memory.
    pub is_on_disk_alone: bool,
}

/// The response does not fit into the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response is larger than the cache takes")]
pub struct TooLarge;

/// What a storage keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Stored responses.
    pub objects: u64,
    /// Their bytes, heads and index included.
    pub bytes: u64,
    /// The limit of `bytes`.
    pub limit: u64,
}
