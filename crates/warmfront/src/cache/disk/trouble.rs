//! Faults, told once in a while: a failing disk fails with every record.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const SILENCE: Duration = Duration::from_secs(60);

/// Tells a person of faults of one store.
pub(crate) struct Trouble {
    listener: Arc<dyn Fn(&str) + Send + Sync>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    last: Option<Instant>,
    untold: u64,
}

impl Trouble {
    pub(crate) fn new(listener: Arc<dyn Fn(&str) + Send + Sync>) -> Self {
        Self { listener, told: Mutex::default() }
    }

    /// Something went wrong.
    pub(crate) fn tell(&self, what: &str) {
        let untold = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.last.is_some_and(|last| last.elapsed() < SILENCE) {
                told.untold += 1;
                return;
            }
            told.last = Some(Instant::now());
            std::mem::take(&mut told.untold)
        };
        let more = match untold {
            0 => String::new(),
            untold => format!(" (and {untold} more faults before it)"),
        };
        (self.listener)(&format!(
            "the disk cache: {what}{more}; it goes on without what that costs"
        ));
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trouble").finish_non_exhaustive()
    }
}
