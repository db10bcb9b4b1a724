//! Values that many stored responses have in common: each is kept once and counted.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// Values in common, at most [`MOST`]. What finds no room belongs to its object alone.
pub(super) struct Common<T> {
    kept: HashSet<InCommon<T>>,
    turned_away: usize,
}

/// The most values that one set keeps.
pub(super) const MOST: usize = 4096;
/// Between two searches for values that nobody uses any more, this many must have found no room.
pub(super) const PATIENCE: usize = 512;

/// A value of a [`Common`]; copies of it are one.
#[derive(Debug)]
pub(super) struct InCommon<T>(Arc<Kept<T>>);

#[derive(Debug)]
struct Kept<T> {
    value: T,
    is_own: bool,
}

impl<T> Default for Common<T> {
    fn default() -> Self {
        Self { kept: HashSet::new(), turned_away: 0 }
    }
}

impl<T: Eq + Hash> Common<T> {
    /// The one that equals `value`, which is `value` itself if there is none yet.
    pub(super) fn one(&mut self, value: T) -> InCommon<T> {
        let mut own = InCommon(Arc::new(Kept { value, is_own: false }));
        if let Some(kept) = self.kept.get(&own) {
            return kept.clone();
        }
        if self.kept.len() < MOST || self.makes_room() {
            self.kept.insert(own.clone());
        } else if let Some(kept) = Arc::get_mut(&mut own.0) {
            kept.is_own = true;
        }
        own
    }

    fn makes_room(&mut self) -> bool {
        self.turned_away += 1;
        if self.turned_away < PATIENCE {
            return false;
        }
        self.turned_away = 0;
        self.kept.retain(|kept| Arc::strong_count(&kept.0) > 1);
        self.kept.len() < MOST
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}

impl<T> InCommon<T> {
    /// A value that is kept for one object alone.
    pub(super) fn own(value: T) -> Self {
        Self(Arc::new(Kept { value, is_own: true }))
    }

    /// Whether no other object has it.
    pub(super) fn is_own(&self) -> bool {
        self.0.is_own
    }

    #[cfg(test)]
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for InCommon<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for InCommon<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T: PartialEq> PartialEq for InCommon<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for InCommon<T> {}

impl<T: Hash> Hash for InCommon<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
