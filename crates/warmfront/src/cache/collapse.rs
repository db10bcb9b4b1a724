//! One fill for each key: who comes first leads, the others wait and stream along.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CacheKey, Fill, Ticket};

const SHARDS: usize = 16;

/// The fills under way, by key.
#[derive(Debug)]
pub(crate) struct Fills {
    shards: [Mutex<HashMap<CacheKey, Arc<Fill>>>; SHARDS],
    hasher: RandomState,
}

impl Default for Fills {
    fn default() -> Self {
        Self { shards: Default::default(), hasher: RandomState::new() }
    }
}

/// The place a request has found.
pub(crate) enum Join {
    /// Nobody fetches this key: the holder of the permit does.
    Lead(Permit, Ticket),
    /// Somebody does.
    Wait(Ticket),
    /// Somebody does, but its response is too large to be shared any more.
    TooLate,
}

impl Fills {
    /// Takes the lead for `key` or joins the fill under way.
    pub(crate) fn join(self: &Arc<Self>, key: &[u8]) -> Join {
        let mut shard = self.shard(key);
        if let Some(fill) = shard.get(key) {
            return fill.attach().map_or(Join::TooLate, Join::Wait);
        }
        let (fill, ticket) = new_fill();
        let key = CacheKey::new(key);
        shard.insert(key.clone(), fill.clone());
        Join::Lead(Permit { key, fill, epoch: 0, fills: Some(self.clone()) }, ticket)
    }

    /// A fill that nobody else can join, for requests that are never collapsed.
    pub(crate) fn alone(key: &[u8]) -> (Permit, Ticket) {
        let (fill, ticket) = new_fill();
        (Permit { key: CacheKey::new(key), fill, epoch: 0, fills: None }, ticket)
    }

    /// Whether `key` is being filled now.
    pub(crate) fn is_filling(&self, key: &[u8]) -> bool {
        self.shard(key).contains_key(key)
    }

    /// Lets newcomers start anew, because the response that the fill of `ticket` streams has aged while
    /// its body came. Those who have it go on; it will not be stored.
    pub(crate) fn retire(&self, key: &[u8], ticket: &Ticket) {
        let mut shard = self.shard(key);
        if shard.get(key).is_some_and(|fill| ticket.is_of(fill)) {
            shard.remove(key);
        }
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, HashMap<CacheKey, Arc<Fill>>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn new_fill() -> (Arc<Fill>, Ticket) {
    let fill = Arc::new(Fill::default());
    let ticket = fill.attach().expect("a new fill is no window");
    (fill, ticket)
}

/// The right to fill a key. Its holder is the only one fetching it; dropping the permit without an
/// outcome lets one of those who wait try.
#[derive(Debug)]
pub(crate) struct Permit {
    pub(crate) key: CacheKey,
    pub(crate) fill: Arc<Fill>,
    /// How many purges there had been when the lead was taken.
    pub(crate) epoch: u64,
    fills: Option<Arc<Fills>>,
}

impl Permit {
    /// From now on newcomers look the key up again or fetch it themselves.
    pub(crate) fn close(&mut self) {
        if let Some(fills) = self.fills.take() {
            let mut shard = fills.shard(self.key.as_bytes());
            if shard.get(self.key.as_bytes()).is_some_and(|fill| Arc::ptr_eq(fill, &self.fill)) {
                shard.remove(self.key.as_bytes());
            }
        }
    }

    /// Whether the fill was retired: a newer one has taken its place, and its response must not.
    pub(crate) fn is_retired(&self) -> bool {
        self.fills.as_ref().is_some_and(|fills| {
            let shard = fills.shard(self.key.as_bytes());
            !shard.get(self.key.as_bytes()).is_some_and(|fill| Arc::ptr_eq(fill, &self.fill))
        })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.close();
        self.fill.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{FillHead, Outcome, tests_support};

    #[test]
    fn only_the_first_of_a_crowd_leads() {
        let fills = Arc::new(Fills::default());
        let Join::Lead(permit, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        assert!(matches!(fills.join(b"k"), Join::Wait(_)));
        assert!(matches!(fills.join(b"other"), Join::Lead(..)));
        drop(permit);
        assert!(matches!(fills.join(b"k"), Join::Lead(..)));
    }

    #[tokio::test]
    async fn a_filler_that_vanishes_within_a_body_leaves_nobody_waiting() {
        let fills = Arc::new(Fills::default());
        let Join::Lead(permit, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        let Join::Wait(waiter) = fills.join(b"k") else { panic!("somebody leads") };
        let head = FillHead { meta: tests_support::meta(), length: Some(9), for_leader: None };
        permit.fill.publish(Outcome::Streaming(Arc::new(head)));
        drop(permit);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(end) = waiter.poll_piece(&mut cx) else {
            panic!("the viewer waits for a filler that is gone")
        };
        assert!(matches!(end, Some(Err(_))), "a cut body must look cut");
    }

    #[test]
    fn a_retired_fill_makes_room_for_a_newer_one_and_leaves_it_alone() {
        let fills = Arc::new(Fills::default());
        let Join::Lead(old, ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        assert!(!old.is_retired());
        fills.retire(b"k", &ticket);
        assert!(old.is_retired());
        let Join::Lead(new, _ticket) = fills.join(b"k") else { panic!("the old one is retired") };
        fills.retire(b"k", &ticket);
        drop(old);
        assert!(!new.is_retired());
        assert!(matches!(fills.join(b"k"), Join::Wait(_)));
    }

    #[tokio::test]
    async fn a_leader_that_gives_up_hands_over_to_those_who_wait() {
        let fills = Arc::new(Fills::default());
        let Join::Lead(permit, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        let Join::Wait(waiter) = fills.join(b"k") else { panic!("somebody leads") };
        drop(permit);
        assert!(matches!(waiter.outcome().await, Outcome::Abandoned));
    }
}
