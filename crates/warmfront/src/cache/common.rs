//! A bounded set of values that many stored responses have in common: each is kept once and counted.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// Values in common, at most [`MOST`]. What finds no room belongs to its object alone.
pub(super) struct Common<T: ?Sized> {
    kept: HashSet<Arc<T>>,
    turned_away: usize,
}

/// The most values that one set keeps.
pub(super) const MOST: usize = 4096;
/// Between two searches for values that nobody uses any more, this many must have found no room.
pub(super) const PATIENCE: usize = 512;

impl<T: ?Sized> Default for Common<T> {
    fn default() -> Self {
        Self { kept: HashSet::new(), turned_away: 0 }
    }
}

impl<T: ?Sized + Eq + Hash> Common<T> {
    /// The one that equals `value`.
    pub(super) fn find(&self, value: &T) -> Option<Arc<T>> {
        self.kept.get(value).cloned()
    }

    /// Keeps `value`, which is not here; `false` where there is no room.
    pub(super) fn keep(&mut self, value: &Arc<T>) -> bool {
        let has_room = self.kept.len() < MOST || self.makes_room();
        if has_room {
            self.kept.insert(value.clone());
        }
        has_room
    }

    fn makes_room(&mut self) -> bool {
        self.turned_away += 1;
        if self.turned_away < PATIENCE {
            return false;
        }
        self.turned_away = 0;
        self.kept.retain(|value| Arc::strong_count(value) > 1);
        self.kept.len() < MOST
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}
