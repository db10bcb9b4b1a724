//! The cache: what is stored, who fills it, who waits.
//!
//! A `Cache` is a [`Storage`] and the fills under way. Whether something may be stored, and for how
//! long it is fresh, is decided in `warmfront_core::caching`; this room only keeps and hands out.

mod collapse;
#[cfg(feature = "disk")]
#[allow(dead_code, reason = "the tier over it comes next")]
mod disk;
mod fill;
mod fragment;
mod head;
mod key;
mod memory;
mod place;
mod pump;
pub mod purge;
mod reader;
mod shapes;
mod storage;
mod stored;
mod variants;
mod weight;

use std::sync::Arc;

pub(crate) use collapse::{Fills, Join, Permit};
#[cfg(feature = "disk")]
pub use disk::{DiskError, DiskOptions, DiskUsage};
pub(crate) use fill::{Fill, FillHead, Outcome, Ticket};
pub use fragment::{FRAGMENT, FragmentId, Generation};
pub use head::StoredHead;
pub use key::CacheKey;
pub use memory::MemoryStorage;
pub(crate) use place::{Place, Selected};
pub(crate) use pump::pump;
pub use purge::{Checked, Purges, Receipt, Standing};
pub(crate) use reader::{FillBody, StoredBody};
pub use storage::{Found, Storage, TooLarge, Usage, Visited, Writer};
#[cfg(test)]
pub(crate) use stored::tests_support;
pub use stored::{Failure, Source, StoredMeta, StoredResponse};
pub(crate) use variants::Present;
pub use variants::Varies;

/// Limits of the cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheOptions {
    /// Bytes of memory for stored responses, heads and index included. One object takes at most a
    /// sixteenth of it, and fills under way hold at most a quarter of it beside; a response over
    /// either limit is passed on without being stored.
    pub memory: u64,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { memory: 256 << 20 }
    }
}

/// Stored responses and the fills under way.
#[derive(Debug)]
pub(crate) struct Cache {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) fills: Arc<Fills>,
    pub(crate) purges: Arc<Purges>,
}

impl Cache {
    pub(crate) fn new(storage: Arc<dyn Storage>, purges: Arc<Purges>) -> Self {
        Self { storage, fills: Arc::new(Fills::new(purges.clone())), purges }
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
            self.storage.remove(key, Some(stored));
        }
        standing
    }
}
