//! What an exchange knows of the origin that it asked: shared with the fetch, which may outlive it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::origin::Timing;

/// An origin was asked on behalf of a request.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    timing: Mutex<Option<Timing>>,
    confirmed: AtomicBool,
}

impl Asked {
    /// A response came; the last one counts.
    pub(crate) fn answered(&self, timing: Timing) {
        *self.timing.lock().unwrap_or_else(PoisonError::into_inner) = Some(timing);
    }

    /// The stored response answers after all.
    pub(crate) fn confirmed(&self) {
        self.confirmed.store(true, Ordering::Release);
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire)
    }

    /// The times of the last response; `None` when none came, or the connector does not tell.
    pub(crate) fn timing(&self) -> Option<Timing> {
        self.timing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
