//! What a purge was meant for, counted: how many objects, and how many octets they take.
//!
//! The purge itself needs none of this and is in effect before it begins. What is asked for while it is counted
//! may be replaced already, and then it does not count.

use warmfront_core::caching::{Invalidation, invalidation};
use warmfront_core::policy::cache_key::KeyAddress;

use super::matchers::Matchers;
use super::{Purges, Standing};
use crate::cache::{Storage, Visited};

/// What a purge was meant for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// The number of the purge; `None` when it was only tried.
    pub epoch: Option<u64>,
    /// For each item, in their order. An object that several items cover counts for each.
    pub items: Vec<Counted>,
    /// Each object once.
    pub total: Counted,
}

/// Stored responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// How many; each variant is one.
    pub objects: u64,
    /// Octets that they take, heads and index included.
    pub bytes: u64,
    /// How many of them are on disk and not in memory.
    pub objects_on_disk: u64,
    /// Octets that those take.
    pub bytes_on_disk: u64,
}

impl Counted {
    fn add(&mut self, visited: Visited<'_>) {
        self.objects += 1;
        self.bytes += visited.bytes;
        if visited.is_on_disk_alone {
            self.objects_on_disk += 1;
            self.bytes_on_disk += visited.bytes;
        }
    }
}

/// So many objects give their room back at once; those beyond it go as others need theirs.
const MOST_SWEPT: usize = 1 << 16;

/// Counts what `items` of a distribution cover. `epoch`: they were purged with this number, and unless it was
/// `soft` what is gone gives back its room. Looks at every stored response, so no request waits for it.
pub(crate) fn count(
    storage: &dyn Storage,
    purges: &Purges,
    distribution: &str,
    items: &[Invalidation],
    epoch: Option<u64>,
    soft: bool,
) -> Receipt {
    let mut receipt =
        Receipt { epoch, items: vec![Counted::default(); items.len()], total: Counted::default() };
    let mut matchers: Matchers<Vec<usize>> = Matchers::default();
    for (index, item) in items.iter().enumerate() {
        match matchers.get_mut(item) {
            Some(same) => same.push(index),
            None => matchers.insert(item, vec![index]),
        }
    }
    let is_hard = epoch.is_some() && !soft;
    let mut gone = Vec::new();
    storage.visit(&mut |visited| {
        let Visited { key, meta, .. } = visited;
        let Some(at) = KeyAddress::read(key).filter(|at| at.distribution == distribution) else {
            return;
        };
        let counts = match epoch {
            Some(epoch) => meta.epoch < epoch,
            None => !matches!(purges.standing(key, meta), Standing::Gone(_)),
        };
        if !counts {
            return;
        }
        let mut covered: Vec<usize> = Vec::new();
        matchers
            .each_at(&invalidation::address(at.path, at.query), |_, items| covered.extend(items));
        matchers.each_of(meta.tags(), |_, items| covered.extend(items));
        covered.sort_unstable();
        covered.dedup();
        if covered.is_empty() {
            return;
        }
        receipt.total.add(visited);
        for index in covered {
            receipt.items[index].add(visited);
        }
        if is_hard && gone.len() < MOST_SWEPT {
            gone.push(Box::<[u8]>::from(key));
        }
    });
    for key in gone {
        storage.sweep(&key, epoch.unwrap_or_default());
    }
    receipt
}
