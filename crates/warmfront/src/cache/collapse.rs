//! One fill for each key: who comes first leads, the others wait and stream along.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::purge::Standing;
use super::{CacheKey, Fill, Purges, StoredMeta, Ticket};

const SHARDS: usize = 16;

/// The fills under way, by key.
#[derive(Debug)]
pub(crate) struct Fills {
    shards: [Mutex<HashMap<CacheKey, Arc<Fill>>>; SHARDS],
    hasher: RandomState,
    /// A fill that is older than a purge takes nobody in who comes after it.
    purges: Arc<Purges>,
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
    pub(crate) fn new(purges: Arc<Purges>) -> Self {
        Self { shards: Default::default(), hasher: RandomState::new(), purges }
    }

    /// Takes the lead for `key` or joins the fill under way. What was being filled when it was purged goes on
    /// for those who wait for it, and will not be stored.
    pub(crate) fn join(self: &Arc<Self>, key: &[u8]) -> Join {
        self.join_at(key, None)
    }

    /// The same for a part of the object under `key`, which `part` names among its parts.
    pub(crate) fn join_part(self: &Arc<Self>, key: &[u8], part: &[u8]) -> Join {
        self.join_at(key, Some(CacheKey::new(&[key, part].concat())))
    }

    /// Takes the lead for `key` whoever has it: newcomers join this fill. The one under way goes on for those who
    /// wait for it, and will not be stored.
    pub(crate) fn lead(self: &Arc<Self>, key: &[u8]) -> Join {
        let (fill, ticket) = self.new_fill();
        let key = CacheKey::new(key);
        self.shard(key.as_bytes()).insert(key.clone(), fill.clone());
        Join::Lead(self.permit(key, None, fill, Some(self.clone())), ticket)
    }

    fn join_at(self: &Arc<Self>, key: &[u8], part: Option<CacheKey>) -> Join {
        let place = part.as_ref().map_or(key, CacheKey::as_bytes);
        let mut shard = self.shard(place);
        if let Some(fill) = shard.get(place).filter(|fill| !self.is_outdated(key, fill)) {
            return fill.attach().map_or(Join::TooLate, Join::Wait);
        }
        let (fill, ticket) = self.new_fill();
        let key = CacheKey::new(key);
        shard.insert(part.clone().unwrap_or_else(|| key.clone()), fill.clone());
        Join::Lead(self.permit(key, part, fill, Some(self.clone())), ticket)
    }

    /// Joins the fill of `key`, if there is one for whoever comes now.
    pub(crate) fn join_if_filling(&self, key: &[u8]) -> Option<Ticket> {
        self.shard(key).get(key).filter(|fill| !self.is_outdated(key, fill))?.attach()
    }

    /// A fill that nobody else can join, for requests that are never collapsed.
    pub(crate) fn alone(&self, key: &[u8]) -> (Permit, Ticket) {
        let (fill, ticket) = self.new_fill();
        (self.permit(CacheKey::new(key), None, fill, None), ticket)
    }

    /// Whether `key` is being filled now, for whoever comes now.
    pub(crate) fn is_filling(&self, key: &[u8]) -> bool {
        self.shard(key).get(key).is_some_and(|fill| !self.is_outdated(key, fill))
    }

    fn is_outdated(&self, key: &[u8], fill: &Fill) -> bool {
        self.purges.outdates(key, fill.epoch, || fill.tags())
    }

    fn new_fill(&self) -> (Arc<Fill>, Ticket) {
        let fill = Arc::new(Fill::begun_at(self.purges.epoch()));
        let ticket = fill.attach().expect("a new fill is no window");
        (fill, ticket)
    }

    fn permit(
        &self,
        key: CacheKey,
        part: Option<CacheKey>,
        fill: Arc<Fill>,
        fills: Option<Arc<Self>>,
    ) -> Permit {
        let (epoch, purges) = (fill.epoch, self.purges.clone());
        Permit { key, part, fill, epoch, fills, earlier: Vec::new(), purges }
    }

    /// Lets newcomers start anew, because the response that the fill of `ticket` streams has aged while
    /// its body came. Those who have it go on; it will not be stored.
    pub(crate) fn retire(&self, key: &[u8], ticket: &Ticket) {
        let mut shard = self.shard(key);
        if shard.get(key).is_some_and(|fill| ticket.is_of(fill)) {
            shard.remove(key);
        }
    }

    fn forget(&self, key: &CacheKey, fill: &Arc<Fill>) {
        let mut shard = self.shard(key.as_bytes());
        if shard.get(key.as_bytes()).is_some_and(|filling| Arc::ptr_eq(filling, fill)) {
            shard.remove(key.as_bytes());
        }
    }

    /// The same for a part of the object under `key`.
    pub(crate) fn retire_part(&self, key: &[u8], part: &[u8], ticket: &Ticket) {
        self.retire(&[key, part].concat(), ticket);
    }

    fn shard(&self, key: &[u8]) -> MutexGuard<'_, HashMap<CacheKey, Arc<Fill>>> {
        let index = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to fill a key. Its holder is the only one fetching it; dropping the permit without an
/// outcome lets one of those who wait try.
#[derive(Debug)]
pub(crate) struct Permit {
    /// The object's.
    pub(crate) key: CacheKey,
    /// What the fill is known under instead, if it brings a part of the object.
    part: Option<CacheKey>,
    pub(crate) fill: Arc<Fill>,
    /// How many purges there had been when the lead was taken.
    pub(crate) epoch: u64,
    fills: Option<Arc<Fills>>,
    /// Keys under which newcomers still find the fill while it moves.
    earlier: Vec<CacheKey>,
    purges: Arc<Purges>,
}

impl Permit {
    /// From now on newcomers look the key up again or fetch it themselves.
    pub(crate) fn close(&mut self) {
        self.has_moved();
        if let Some(fills) = self.fills.take() {
            fills.forget(self.part.as_ref().unwrap_or(&self.key), &self.fill);
        }
    }

    /// The fill of a part has turned out to bring the whole object: from now on it is the fill of its key
    /// among `fills`. `false` when there is one already.
    pub(crate) fn becomes_whole(&mut self, fills: &Arc<Fills>) -> bool {
        if self.fills.is_none() {
            return true;
        }
        let mut shard = fills.shard(self.key.as_bytes());
        let other = shard.get(self.key.as_bytes());
        if other.is_some_and(|other| !fills.is_outdated(self.key.as_bytes(), other)) {
            return false;
        }
        shard.insert(self.key.clone(), self.fill.clone());
        drop(shard);
        self.close();
        self.part = None;
        self.fills = Some(fills.clone());
        true
    }

    /// The response turns out to belong under `key`. Newcomers find its fill under both keys until
    /// [`Permit::has_moved`]. Where somebody else fills `key` already, they find that one. The fill of a
    /// part is found under its part as before.
    pub(crate) fn move_to(&mut self, key: CacheKey) {
        if self.key == key {
            return;
        }
        if self.part.is_some() {
            self.key = key;
            return;
        }
        if let Some(fills) = &self.fills {
            let mut shard = fills.shard(key.as_bytes());
            let other = shard.get(key.as_bytes());
            if other.is_none_or(|other| fills.is_outdated(key.as_bytes(), other)) {
                shard.insert(key.clone(), self.fill.clone());
            }
        }
        self.earlier.push(std::mem::replace(&mut self.key, key));
    }

    /// Newcomers find the fill under its last key only.
    pub(crate) fn has_moved(&mut self) {
        for key in self.earlier.drain(..).filter(|key| *key != self.key) {
            if let Some(fills) = &self.fills {
                fills.forget(&key, &self.fill);
            }
        }
    }

    /// Whether the response may be stored: no newer fill has taken its place, and it was not purged meanwhile.
    pub(crate) fn may_store(&self, meta: &StoredMeta) -> bool {
        let standing = self.purges.standing(self.key.as_bytes(), meta);
        !self.is_retired() && !matches!(standing, Standing::Gone(_))
    }

    /// Whether the fill was retired: a newer one has taken its place, and its response must not.
    fn is_retired(&self) -> bool {
        self.fills.as_ref().is_some_and(|fills| {
            let place = self.part.as_ref().unwrap_or(&self.key).as_bytes();
            !fills.shard(place).get(place).is_some_and(|fill| Arc::ptr_eq(fill, &self.fill))
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
    use crate::cache::{FillHead, Generation, Outcome, Read, tests_support};
    use std::time::SystemTime;

    fn fills() -> Arc<Fills> {
        Arc::new(Fills::new(Arc::new(Purges::in_memory(SystemTime::UNIX_EPOCH))))
    }

    #[test]
    fn only_the_first_of_a_crowd_leads() {
        let fills = fills();
        let Join::Lead(permit, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        assert!(matches!(fills.join(b"k"), Join::Wait(_)));
        assert!(matches!(fills.join(b"other"), Join::Lead(..)));
        drop(permit);
        assert!(matches!(fills.join(b"k"), Join::Lead(..)));
    }

    #[tokio::test]
    async fn a_filler_that_vanishes_within_a_body_leaves_nobody_waiting() {
        let fills = fills();
        let Join::Lead(permit, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        let Join::Wait(waiter) = fills.join(b"k") else { panic!("somebody leads") };
        let head = FillHead {
            meta: tests_support::meta(),
            length: Some(9),
            part: None,
            generation: Generation::random(),
            for_leader: None,
            selected: None,
            judged: false,
        };
        permit.fill.publish(Outcome::Streaming(Arc::new(head)));
        drop(permit);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        let std::task::Poll::Ready(end) = waiter.poll_at(&mut cx, 0) else {
            panic!("the viewer waits for a filler that is gone")
        };
        assert!(matches!(end, Read::Broken(_)), "a cut body must look cut");
    }

    #[test]
    fn a_retired_fill_makes_room_for_a_newer_one_and_leaves_it_alone() {
        let fills = fills();
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

    #[test]
    fn whoever_takes_the_lead_has_it_and_the_older_fill_is_not_stored() {
        let fills = fills();
        let Join::Lead(old, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        let Join::Lead(new, _ticket) = fills.lead(b"k") else { panic!("it takes the lead") };
        assert!(old.is_retired() && !new.is_retired());
        let Join::Wait(ticket) = fills.join(b"k") else { panic!("somebody leads") };
        assert!(ticket.is_of(&new.fill));
        drop(old);
        assert!(!new.is_retired() && fills.is_filling(b"k"));
    }

    #[test]
    fn a_fill_that_moves_is_found_under_both_keys_until_it_has_moved() {
        let fills = fills();
        let Join::Lead(mut permit, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        permit.move_to(CacheKey::new(b"k1"));
        permit.move_to(CacheKey::new(b"k2"));
        for key in [b"k" as &[u8], b"k1", b"k2"] {
            assert!(matches!(fills.join(key), Join::Wait(_)));
        }
        permit.has_moved();
        assert!(matches!(fills.join(b"k2"), Join::Wait(_)));
        assert!(!fills.is_filling(b"k") && !fills.is_filling(b"k1"));
        drop(permit);
        assert!(!fills.is_filling(b"k2"));
    }

    #[test]
    fn a_fill_that_moves_to_where_another_is_leaves_that_one_alone() {
        let fills = fills();
        let Join::Lead(mut mover, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        let Join::Lead(other, _ticket) = fills.join(b"k1") else { panic!("nobody leads yet") };
        mover.move_to(CacheKey::new(b"k1"));
        mover.has_moved();
        assert!(mover.is_retired() && !other.is_retired() && !fills.is_filling(b"k"));
        drop(mover);
        assert!(fills.is_filling(b"k1"));
    }

    #[test]
    fn the_fill_of_a_part_that_brings_the_whole_takes_the_place_of_the_whole_if_that_is_free() {
        let (whole, parts) = (fills(), fills());
        let lead_of_part = |part: &[u8]| match parts.join_part(b"k", part) {
            Join::Lead(permit, ticket) => (permit, ticket),
            _ => panic!("nobody fetches this part"),
        };
        let (mut first, _ticket) = lead_of_part(b"1");
        let (mut second, _other) = lead_of_part(b"2");
        assert!(matches!(parts.join_part(b"k", b"1"), Join::Wait(_)));
        assert!(first.becomes_whole(&whole) && !first.is_retired());
        assert!(whole.join_if_filling(b"k").is_some());
        assert!(matches!(parts.join_part(b"k", b"1"), Join::Lead(..)), "the part is free again");
        assert!(!second.becomes_whole(&whole), "the whole is being filled");
        drop(first);
        assert!(second.becomes_whole(&whole));
    }

    #[tokio::test]
    async fn a_leader_that_gives_up_hands_over_to_those_who_wait() {
        let fills = fills();
        let Join::Lead(permit, _ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
        let Join::Wait(waiter) = fills.join(b"k") else { panic!("somebody leads") };
        drop(permit);
        assert!(matches!(waiter.outcome().await, Outcome::Abandoned));
    }
}
