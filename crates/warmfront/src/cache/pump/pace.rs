//! What a filler waits for: viewers who are far behind, and a disk that is slower than the origin.

use std::time::Duration;

use bytes::Bytes;

use super::Gather;
use crate::cache::{Fill, Kept, Storage, TooLarge};
use crate::clock::Clock;

/// How long one viewer may read nothing and hold up a fill that waits for it.
const LONGEST_STALL: Duration = Duration::from_secs(30);
/// How long a fill waits for a disk to take a fragment. What it does not take then memory alone stores.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// What the head of an object takes on a disk, at most as a rule.
const HEAD: u64 = 8 << 10;

pub(super) struct Pace<'a> {
    fill: &'a Fill,
    storage: &'a dyn Storage,
    clock: &'a dyn Clock,
    /// The disk did not take a fragment in time. It is not waited for again before it takes one.
    is_stuck: bool,
}

impl<'a> Pace<'a> {
    pub(super) fn new(fill: &'a Fill, storage: &'a dyn Storage, clock: &'a dyn Clock) -> Self {
        Self { fill, storage, clock, is_stuck: false }
    }

    /// Gathers `data`, which the viewers have already, and hands to the storage what has become a fragment.
    pub(super) async fn take(&mut self, gather: &mut Gather, data: &Bytes) -> Result<(), TooLarge> {
        let mut data = &data[..];
        while !data.is_empty() {
            if gather.is_full() {
                self.wait_for_disk(self.storage.fragment_size()).await;
            }
            if let Some((id, fragment)) = gather.full_fragment() {
                let begins = gather.position() - fragment.len() as u64;
                let kept = self.storage.keep(id, fragment.clone());
                self.is_stuck &= kept != Kept::Safely;
                self.fill.sealed(begins, fragment, kept);
                self.wait_for_viewers().await;
            }
            data = gather.take(data, self.storage)?;
        }
        Ok(())
    }

    /// Waits until the disk has room for what is left of a long body; a short one waits for nothing. Always true.
    pub(super) async fn may_end(&mut self, gather: &Gather) -> bool {
        if !gather.is_first() {
            self.wait_for_disk(self.storage.fragment_size() + HEAD).await;
        }
        true
    }

    /// Waits until the slowest viewer has caught up, if that is needed, and however slow it is, as long as it
    /// reads at all.
    pub(super) async fn wait_for_viewers(&self) {
        while !self.fill.has_room() {
            let before = self.fill.slowest();
            tokio::select! {
                biased;
                () = self.fill.room() => return,
                () = self.clock.sleep(LONGEST_STALL) => {
                    if self.fill.slowest() == before {
                        self.fill.leave_slowest();
                    }
                }
            }
        }
    }

    async fn wait_for_disk(&mut self, length: u64) {
        if self.is_stuck {
            return;
        }
        let Some(room) = self.storage.room(length) else { return };
        tokio::select! {
            biased;
            () = room => {}
            () = self.clock.sleep(LONGEST_WAIT) => self.is_stuck = true,
        }
    }
}
