//! How much all fills together may hold of what no storage has yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::cache::TooLarge;

/// A limit in bytes, shared by all fills.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { used: AtomicU64::new(0), limit })
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

/// What one fill holds of a [`Budget`]; dropping it gives all of it back.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Share {
    pub(crate) fn of(budget: &Arc<Budget>) -> Self {
        Self { budget: budget.clone(), bytes: 0 }
    }

    /// From now on the fill holds `bytes`; `Err` when all fills together would hold too much, and then
    /// nothing has changed.
    pub(crate) fn set(&mut self, bytes: u64) -> Result<(), TooLarge> {
        let used = &self.budget.used;
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            if used.fetch_add(more, Ordering::Relaxed).saturating_add(more) > self.budget.limit {
                used.fetch_sub(more, Ordering::Relaxed);
                return Err(TooLarge);
            }
        } else {
            used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Share {
    /// From now on the fill holds `bytes`, which other shares counted until now, so all together hold no more
    /// than before.
    pub(crate) fn take_over(&mut self, bytes: u64) {
        let used = &self.budget.used;
        if bytes > self.bytes {
            used.fetch_add(bytes - self.bytes, Ordering::Relaxed);
        } else {
            used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Whether half of the budget is used. What is held for slow viewers stops there: the rest is for what
    /// comes.
    pub(crate) fn is_crowded(&self) -> bool {
        self.budget.used.load(Ordering::Relaxed) > self.budget.limit / 2
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_together_stay_within_the_budget_and_give_back_what_they_held() {
        let budget = Budget::new(100);
        let (mut one, mut other) = (Share::of(&budget), Share::of(&budget));
        assert_eq!(one.set(60), Ok(()));
        assert_eq!(other.set(41), Err(TooLarge));
        assert_eq!(budget.used(), 60, "a refusal takes nothing");
        assert_eq!(other.set(40), Ok(()));
        assert_eq!(one.set(0), Ok(()));
        assert_eq!(budget.used(), 40);
        drop((one, other));
        assert_eq!(budget.used(), 0);
    }
}
