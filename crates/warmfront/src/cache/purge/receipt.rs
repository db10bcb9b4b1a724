//! What a purge was meant for, counted: how many objects, and how many octets they take.
//!
//! The purge itself needs none of this and is in effect before it begins. What is asked for while it is counted
//! may be replaced already, and then it does not count.

use std::collections::HashSet;

use warmfront_core::caching::{Invalidation, invalidation};
use warmfront_core::policy::cache_key::KeyAddress;

use super::matchers::Matchers;
use super::{Purges, Standing};
use crate::cache::{Found, Storage, Visited};

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
}

impl Counted {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }
}

/// So many objects give their room back at once; those beyond it go as others need theirs.
const MOST_SWEPT: usize = 1 << 16;

/// Counts what `items` of a distribution cover. `epoch`: they were purged with this number; then what is gone
/// gives back its room. Looks at every stored response, so no request waits for it.
pub(crate) fn count(
    storage: &dyn Storage,
    purges: &Purges,
    distribution: &str,
    items: &[Invalidation],
    epoch: Option<u64>,
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
    let mut gone = HashSet::new();
    storage.visit(&mut |Visited { key, meta, bytes }| {
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
        matchers.each_of(&meta.tags, |_, items| covered.extend(items));
        covered.sort_unstable();
        covered.dedup();
        if covered.is_empty() {
            return;
        }
        receipt.total.add(bytes);
        for index in covered {
            receipt.items[index].add(bytes);
        }
        if epoch.is_some() && gone.len() < MOST_SWEPT {
            gone.insert(Box::<[u8]>::from(key));
        }
    });
    for key in gone {
        // What has come in its place meanwhile stays.
        if let Found::Here(stored) = storage.lookup(&key)
            && matches!(purges.standing(&key, &stored.meta), Standing::Gone(_))
        {
            storage.remove(&key, Some(&stored));
        }
    }
    receipt
}
