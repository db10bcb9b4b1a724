//! Fragments that somebody is going to read, held for as long as that takes: what cannot be fetched once more
//! must not make room meanwhile.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::budget::Share;
use super::storage::Grip;
use super::{Cache, Reading};

/// What memory alone has of a range of an object. Counts in the budget of fills.
pub(crate) struct Held {
    fragments: HashMap<u32, Bytes>,
    _share: Share,
}

impl Held {
    pub(super) fn fragment(&self, number: u32) -> Option<Bytes> {
        self.fragments.get(&number).cloned()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("fragments", &self.fragments.len()).finish_non_exhaustive()
    }
}

/// Why a range cannot be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotHeld {
    /// Some of it is not stored.
    Gone,
    /// All that is held together would be too much.
    Crowded,
}

impl Cache {
    /// Lets `reading` hold the fragments in `ranges` that nothing but memory has, except at positions that are
    /// `elsewhere`. On an error it holds what it did before.
    pub(crate) fn hold(
        &self,
        reading: &mut Reading,
        ranges: &[Range<u64>],
        elsewhere: impl Fn(u64) -> bool,
    ) -> Result<(), NotHeld> {
        let size = reading.storage.fragment_size();
        let (mut fragments, mut bytes) = (HashMap::new(), 0);
        for range in ranges {
            let mut position = range.start;
            while position < range.end {
                let id = reading.generation.fragment_at(position, size);
                if !elsewhere(position) && !fragments.contains_key(&id.number) {
                    match reading.storage.grip(id) {
                        Grip::Safe => {}
                        Grip::Held(fragment) => {
                            bytes += fragment.len() as u64;
                            fragments.insert(id.number, fragment);
                        }
                        Grip::Gone => return Err(NotHeld::Gone),
                    }
                }
                position = (position / size + 1) * size;
            }
        }
        if fragments.is_empty() {
            return Ok(());
        }
        let mut share = Share::of(&self.budget);
        share.set(bytes).map_err(|_| NotHeld::Crowded)?;
        if share.is_crowded() {
            return Err(NotHeld::Crowded);
        }
        reading.held = Some(Arc::new(Held { fragments, _share: share }));
        Ok(())
    }
}
