//! Fragments that a fill holds because a viewer has yet to read them and no storage promises to keep them.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::cache::budget::Share;

/// What is held, by its place in the body. There may be gaps: what is safe is not held.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// What viewers read along with anyway.
    latest: Option<Pin>,
    /// What only those lack who are further behind, oldest first.
    older: VecDeque<Pin>,
    bytes: u64,
    /// A fragment has come.
    has_begun: bool,
    /// Counts `older`, once the fill knows a budget.
    share: Option<Share>,
}

#[derive(Debug)]
struct Pin {
    begins: u64,
    octets: Bytes,
}

impl Pin {
    fn ends(&self) -> u64 {
        self.begins + self.octets.len() as u64
    }

    fn at(&self, position: u64) -> Option<Bytes> {
        let skip = usize::try_from(position.checked_sub(self.begins)?).ok()?;
        (skip < self.octets.len()).then(|| self.octets.slice(skip..))
    }
}

impl Pins {
    pub(super) fn count_in(&mut self, share: Share) {
        self.share = Some(share);
        self.counted();
    }

    /// The next fragment, which is `safe` or not. The one before is held as long as `slowest` has not read it.
    pub(super) fn next(&mut self, begins: u64, octets: Bytes, safe: bool, slowest: u64) {
        if let Some(latest) = self.latest.take() {
            self.hold(latest, slowest);
        }
        self.has_begun = true;
        self.latest = (!safe).then_some(Pin { begins, octets });
    }

    /// Whether a fragment has come.
    pub(super) fn have_begun(&self) -> bool {
        self.has_begun
    }

    /// Octets before the first fragment, which no storage has.
    pub(super) fn odd(&mut self, begins: u64, octets: Bytes, slowest: u64) {
        self.hold(Pin { begins, octets }, slowest);
    }

    fn hold(&mut self, pin: Pin, slowest: u64) {
        if slowest < pin.ends() {
            self.bytes += pin.octets.len() as u64;
            self.older.push_back(pin);
            self.counted();
        }
    }

    /// What there is from `position` on, up to the end of a fragment.
    pub(super) fn at(&self, position: u64) -> Option<Bytes> {
        let next = self.older.partition_point(|pin| pin.begins <= position);
        let older = next.checked_sub(1).and_then(|last| self.older.get(last)?.at(position));
        older.or_else(|| self.latest.as_ref()?.at(position))
    }

    /// Lets go of what everybody has who reads from `slowest` on.
    pub(super) fn let_go(&mut self, slowest: u64) {
        while let Some(pin) = self.older.pop_front_if(|pin| pin.ends() <= slowest) {
            self.bytes -= pin.octets.len() as u64;
            self.counted();
        }
    }

    /// Whether nothing is held that a viewer may have read meanwhile.
    pub(super) fn are_none(&self) -> bool {
        self.older.is_empty()
    }

    /// Whether nothing more may be held: fills together hold enough for slow viewers, and this one does so, too.
    pub(super) fn are_full(&self) -> bool {
        !self.older.is_empty() && self.share.as_ref().is_some_and(Share::is_crowded)
    }

    fn counted(&mut self) {
        if let Some(share) = &mut self.share {
            share.take_over(self.bytes);
        }
    }
}
