//! The cache: what is stored, who fills it, who waits.
//!
//! A `Cache` is a [`Storage`] and the fills under way. Whether something may be stored, and for how
//! long it is fresh, is decided in `warmfront_core::caching`; this room only keeps and hands out.

mod budget;
mod collapse;
mod common;
#[cfg(feature = "disk")]
mod disk;
mod fill;
mod fragment;
mod head;
mod held;
mod key;
mod lifetimes;
mod memory;
mod moment;
mod place;
mod pump;
pub mod purge;
mod rare;
mod reader;
mod shapes;
mod storage;
mod stored;
#[cfg(feature = "disk")]
mod tiered;
mod under_way;
mod variants;
mod weight;

use std::sync::Arc;

use budget::Budget;
pub(crate) use collapse::{Fills, Join, Permit};
#[cfg(feature = "disk")]
pub use disk::{DiskError, DiskOptions, DiskUsage};
pub(crate) use fill::{Fill, FillHead, Outcome, Read, Ticket};
pub(crate) use fragment::fragments_in;
pub use fragment::{FRAGMENT, FragmentId, Generation};
pub use head::StoredHead;
pub(crate) use held::Held;
pub use key::CacheKey;
pub use lifetimes::StoredLifetime;
pub use memory::MemoryStorage;
pub use moment::Moment;
pub(crate) use place::{Place, Selected};
pub(crate) use pump::{Stores, pump};
pub use purge::{Checked, Purges, Receipt, Standing};
pub use rare::Rare;
pub(crate) use reader::{Mend, ObjectBody, Patch, Reading, Unmended, body_of};
pub use storage::{Found, Grip, Kept, Storage, TooLarge, Usage, Visited};
#[cfg(test)]
pub(crate) use stored::tests_support;
pub use stored::{Content, Failure, Source, StoredMeta, StoredResponse};
#[cfg(feature = "disk")]
pub use tiered::TieredStorage;
use under_way::UnderWay;
pub(crate) use variants::Present;
pub use variants::Varies;

/// Limits of the cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheOptions {
    /// Bytes of memory for stored responses, heads and index included. In memory alone a body of up to a
    /// sixteenth of it is stored; a longer one is passed on as it comes.
    ///
    /// Fills under way take memory beside: of a body that is stored the fragment that grows, and what a viewer
    /// has yet to read and nothing but memory stores, all of these together at most a quarter of `memory`, and
    /// up to two fragments that viewers read along; of a body that is not stored a window of 1 MiB. What is
    /// held for viewers takes half of the quarter; when that is used up, a fill waits for its slowest viewer,
    /// and after 30 s without a single octet read goes on without it.
    pub memory: u64,
    /// Octets of a fragment: [`FRAGMENT`], but in tests.
    pub fragment: u64,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { memory: 256 << 20, fragment: FRAGMENT }
    }
}

/// Stored responses and the fills under way.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) storage: Arc<dyn Storage>,
    /// Whole responses.
    pub(crate) fills: Arc<Fills>,
    /// Parts of responses, by object and place.
    pub(crate) parts: Arc<Fills>,
    pub(crate) purges: Arc<Purges>,
    /// The fills of parts, by version.
    pub(crate) under_way: Arc<UnderWay>,
    budget: Arc<Budget>,
}

impl Cache {
    /// A cache over `storage`, whose fills hold up to `filling` bytes that it does not have yet.
    pub(crate) fn new(storage: Arc<dyn Storage>, purges: Arc<Purges>, filling: u64) -> Self {
        let fills = || Arc::new(Fills::new(purges.clone()));
        let (fills, parts) = (fills(), fills());
        let under_way = Arc::default();
        Self { storage, fills, parts, purges, under_way, budget: Budget::new(filling) }
    }

    /// What is stored under `key`, unless it is gone.
    pub(crate) fn unpurged(
        &self,
        key: &[u8],
        stored: Option<Arc<StoredResponse>>,
    ) -> Option<Arc<StoredResponse>> {
        stored.filter(|stored| !matches!(self.standing(key, stored), Standing::Gone(_)))
    }

    /// How what is stored under `key` stands with the purges. What is gone gives back its room.
    pub(crate) fn standing(&self, key: &[u8], stored: &Arc<StoredResponse>) -> Standing {
        let standing = self.purges.standing(key, &stored.meta);
        if matches!(standing, Standing::Gone(_)) {
            self.storage.sweep(key, stored.meta.epoch.saturating_add(1));
        }
        standing
    }
}
