//! What was purged, in memory: for each distribution the newest purge of each item.
//!
//! A purge has an epoch, a number that only grows. It is meant for what was stored under an earlier one, so of
//! two purges of the same item only the newer counts. The number of items is limited: at the limit the oldest
//! are folded into "everything of this distribution that is as old", which forgets too much and never too little.

use std::collections::HashMap;

use warmfront_core::caching::invalidation;
use warmfront_core::caching::{CacheTags, Invalidation};
use warmfront_core::policy::cache_key::KeyAddress;

use super::matchers::Matchers;
use super::{PurgedBy, Record, Standing};

/// The most items that are remembered, of all distributions together.
pub const MOST_ITEMS: usize = 1 << 16;
/// The most octets of their texts.
pub const MOST_OCTETS: usize = 16 << 20;

/// The newest purges of an item; zero for none.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    gone: u64,
    soft: u64,
}

impl Marks {
    fn newest(self) -> u64 {
        self.gone.max(self.soft)
    }

    fn take(&mut self, other: Marks) {
        self.gone = self.gone.max(other.gone);
        self.soft = self.soft.max(other.soft);
    }
}

#[derive(Debug, Default)]
struct Scope {
    /// Of everything in the distribution.
    all: Marks,
    items: Matchers<Marks>,
    /// The newest purge of all.
    newest: u64,
    /// The newest purge of any tag.
    newest_tag: u64,
}

/// Every purge that may still be meant for something.
#[derive(Debug)]
pub(super) struct Registry {
    /// By the id of the distribution.
    scopes: HashMap<Box<str>, Scope>,
    /// What was stored under an earlier epoch is gone, whatever it is.
    floor: u64,
    /// The newest epoch.
    newest: u64,
    items: usize,
    octets: usize,
    most_items: usize,
}

/// What is known of an object when its purges are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Object<'a> {
    /// `None`: its key cannot be read.
    pub(super) at: Option<KeyAddress<'a>>,
    /// `None`: not known yet, because its head has not come.
    pub(super) tags: Option<&'a CacheTags>,
    /// Under which its origin was asked.
    pub(super) epoch: u64,
}

impl Registry {
    /// Nothing was purged since `epoch`; what is older is gone.
    pub(super) fn starting_at(epoch: u64) -> Self {
        Self {
            scopes: HashMap::new(),
            floor: epoch,
            newest: epoch,
            items: 0,
            octets: 0,
            most_items: MOST_ITEMS,
        }
    }

    /// The newest epoch.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// What was stored under an earlier epoch is gone.
    pub(super) fn floor(&self) -> u64 {
        self.floor
    }

    /// How many items are remembered, those of everything included.
    pub(super) fn len(&self) -> usize {
        self.items + self.scopes.len()
    }

    /// Epochs are at least `epoch` from now on.
    pub(super) fn at_least(&mut self, epoch: u64) {
        self.newest = self.newest.max(epoch);
    }

    /// What was stored before `epoch` is gone.
    pub(super) fn raise_floor(&mut self, epoch: u64) {
        self.floor = self.floor.max(epoch);
        self.at_least(epoch);
    }

    /// From now on what `record` covers is gone, or stale.
    pub(super) fn add(&mut self, record: &Record) {
        let Record { epoch, distribution, item, soft } = record;
        self.at_least(*epoch);
        let scope = match self.scopes.get_mut(distribution.as_str()) {
            Some(scope) => scope,
            None => self.scopes.entry(distribution.as_str().into()).or_default(),
        };
        scope.newest = scope.newest.max(*epoch);
        let mut marks = Marks::default();
        *(if *soft { &mut marks.soft } else { &mut marks.gone }) = *epoch;
        if is_everything(item) {
            scope.all.take(marks);
            if !soft {
                self.clear_below(distribution, *epoch);
            }
            return;
        }
        if matches!(item, Invalidation::Tag(_)) {
            scope.newest_tag = scope.newest_tag.max(*epoch);
        }
        match scope.items.get_mut(item) {
            Some(known) => known.take(marks),
            None => {
                scope.items.insert(item, marks);
                self.items += 1;
                self.octets += text(item).len();
            }
        }
        while self.items > self.most_items || self.octets > MOST_OCTETS {
            self.fold();
        }
    }

    /// How an object stands that was fetched under an epoch.
    pub(super) fn standing(&self, object: Object<'_>) -> Standing {
        // What claims to be younger than anything comes from a time whose purges are lost.
        if object.epoch < self.floor || object.epoch > self.newest {
            return Standing::Gone(PurgedBy::Everything);
        }
        if object.epoch == self.newest {
            return Standing::Untouched;
        }
        let Some(at) = object.at else { return Standing::Gone(PurgedBy::Everything) };
        let scope = self.scopes.get(&*invalidation::spelled(at.distribution));
        let Some(scope) = scope.filter(|scope| scope.newest > object.epoch) else {
            return Standing::Untouched;
        };
        let mut standing = Standing::Untouched;
        let mut see = |by, marks: &Marks| {
            if marks.gone > object.epoch {
                standing = Standing::Gone(by);
            } else if marks.soft > object.epoch && standing == Standing::Untouched {
                standing = Standing::Stale(by);
            }
        };
        see(PurgedBy::Everything, &scope.all);
        scope.items.each_at(&invalidation::address(at.path, at.query), &mut see);
        match object.tags {
            Some(tags) => scope.items.each_of(tags, &mut see),
            // It may have any.
            None => see(PurgedBy::Tag, &Marks { gone: scope.newest_tag, soft: 0 }),
        }
        standing
    }

    /// Every record that counts, to be written down.
    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        self.scopes.iter().flat_map(|(distribution, scope)| {
            let all = (Invalidation::Prefix("/".to_owned()), &scope.all);
            std::iter::once(all).chain(scope.items.iter()).flat_map(move |(item, marks)| {
                [(marks.gone, false), (marks.soft, true)].into_iter().filter_map(
                    move |(epoch, soft)| {
                        let distribution = String::from(&**distribution);
                        let item = item.clone();
                        (epoch > 0).then_some(Record { epoch, distribution, item, soft })
                    },
                )
            })
        })
    }

    /// Everything of `distribution` that is older than `epoch` is gone: nothing else says more about it.
    fn clear_below(&mut self, distribution: &str, epoch: u64) {
        let Some(scope) = self.scopes.get_mut(distribution) else { return };
        let (items, octets) = (&mut self.items, &mut self.octets);
        scope.items.retain(|text, marks| {
            let stays = marks.newest() > epoch;
            *items -= usize::from(!stays);
            *octets -= if stays { 0 } else { text.len() };
            stays
        });
    }

    /// Makes room: the oldest quarter of all items becomes "everything" of their distributions.
    fn fold(&mut self) {
        let mut epochs: Vec<u64> = self
            .scopes
            .values()
            .flat_map(|scope| scope.items.values().map(|marks| marks.newest()))
            .collect();
        if epochs.is_empty() {
            return;
        }
        let quarter = epochs.len() / 4;
        let (_, &mut until, _) = epochs.select_nth_unstable(quarter);
        for scope in self.scopes.values_mut() {
            let (items, octets) = (&mut self.items, &mut self.octets);
            let mut all = scope.all;
            scope.items.retain(|text, marks| {
                let stays = marks.newest() > until;
                if !stays {
                    all.take(*marks);
                    *items -= 1;
                    *octets -= text.len();
                }
                stays
            });
            scope.all = all;
        }
    }
}

/// Every address begins with a slash.
fn is_everything(item: &Invalidation) -> bool {
    matches!(item, Invalidation::Prefix(prefix) if prefix == "/")
}

fn text(item: &Invalidation) -> &str {
    match item {
        Invalidation::Path(text) | Invalidation::Prefix(text) | Invalidation::Tag(text) => text,
    }
}

#[cfg(test)]
mod tests;
