//! Purging as the owner of an edge asks for it: items of one distribution, and a receipt.
//!
//! How purges are remembered, and what they mean for a lookup, is `cache::purge`'s knowledge.

use warmfront_core::caching::Invalidation;

use crate::cache::Receipt;
use crate::cache::purge::{NotKept, count};
use crate::edge::Edge;

/// An invalidation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// The id of the distribution.
    pub distribution: String,
    /// What is meant there.
    pub items: Vec<Invalidation>,
    /// What is stored becomes stale instead of gone: it answers while one request asks the origin, where a stale
    /// answer is allowed at all.
    pub soft: bool,
    /// Only counts what would be meant.
    pub dry_run: bool,
}

/// Why nothing was purged, or not for good.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// Nothing is served under this id.
    #[error("no distribution that is served has the id {0:?}")]
    UnknownDistribution(String),
    /// It is in effect until the process ends.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

impl Edge {
    /// Purges: no request that comes after this call sees what was stored, or is being fetched, before it.
    ///
    /// Waits for the disk that remembers it, and then looks at everything that is stored, to count it: not for a
    /// thread that serves.
    pub fn purge(&self, purge: &Purge) -> Result<Receipt, PurgeError> {
        let stack = self.shared.stack.load_full();
        let Purge { distribution, items, soft, dry_run } = purge;
        let Some(found) = stack.distribution_with_id(distribution) else {
            return Err(PurgeError::UnknownDistribution(distribution.clone()));
        };
        let items: Vec<Invalidation> = items.iter().cloned().map(|it| it.within(found)).collect();
        let (storage, purges) = (&*self.shared.cache.storage, &*self.shared.cache.purges);
        let (epoch, kept) = match dry_run {
            true => (None, Ok(())),
            false => {
                let (epoch, kept) = purges.purge(distribution, &items, *soft);
                (Some(epoch), kept)
            }
        };
        kept?;
        Ok(count(storage, purges, distribution, &items, epoch, *soft))
    }
}
