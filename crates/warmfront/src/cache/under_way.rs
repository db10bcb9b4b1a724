//! Parts of versions that are on their way from an origin, so that whoever needs octets of one joins instead of
//! asking once more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Fill, Generation, Ticket};

/// The fills of parts under way, by version.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    fills: Mutex<HashMap<Generation, Vec<Arc<Fill>>>>,
}

impl UnderWay {
    /// Lets others find `fill`, which brings a part of `generation`, for as long as the answer lives.
    pub(crate) fn announce(
        self: &Arc<Self>,
        generation: Generation,
        fill: &Arc<Fill>,
    ) -> Announced {
        self.lock().entry(generation).or_default().push(fill.clone());
        Announced { under_way: self.clone(), generation, fill: fill.clone() }
    }

    /// A place in a fill that has brought the octet at `position` of `generation`, or will within the next
    /// `near` octets.
    pub(crate) fn join(&self, generation: Generation, position: u64, near: u64) -> Option<Ticket> {
        let fills = self.lock().get(&generation)?.clone();
        fills.iter().find_map(|fill| fill.attach_at(position, near))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Generation, Vec<Arc<Fill>>>> {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, a fill is found.
#[derive(Debug)]
pub(crate) struct Announced {
    under_way: Arc<UnderWay>,
    generation: Generation,
    fill: Arc<Fill>,
}

impl Drop for Announced {
    fn drop(&mut self) {
        let mut fills = self.under_way.lock();
        if let Some(of_version) = fills.get_mut(&self.generation) {
            of_version.retain(|fill| !Arc::ptr_eq(fill, &self.fill));
            if of_version.is_empty() {
                fills.remove(&self.generation);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{FillHead, Outcome, tests_support::meta};

    #[test]
    fn whoever_needs_octets_joins_the_part_that_brings_them_soon() {
        let under_way: Arc<UnderWay> = Arc::default();
        let generation = Generation::random();
        let fill = Arc::new(Fill::default());
        let _ticket = fill.attach().unwrap();
        let part = Some(100..300);
        let (length, for_leader, selected) = (Some(1000), None, None);
        let meta = meta();
        let head = FillHead { meta, length, part, generation, for_leader, selected, judged: false };
        fill.publish(Outcome::Streaming(Arc::new(head)));
        let announced = under_way.announce(generation, &fill);
        fill.push(vec![b'x'; 50].into());
        for (position, joins) in
            [(99, false), (100, true), (150, true), (170, true), (171, false), (300, false)]
        {
            let found = under_way.join(generation, position, 20);
            assert_eq!(found.is_some(), joins, "{position}");
        }
        assert!(under_way.join(Generation::random(), 100, 20).is_none(), "another version");
        fill.end(Ok(()));
        assert!(under_way.join(generation, 170, 20).is_none(), "it ended before");
        drop(announced);
        assert!(under_way.join(generation, 100, 20).is_none());
        assert!(under_way.lock().is_empty());
    }
}
