//! What an exchange knows of the origin that it asked: shared with the fetch, which may outlive it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use warmfront_core::Origin;
use warmfront_core::compression::Compression;

use crate::origin::Timing;

/// An origin was asked on behalf of a request.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    origin: Mutex<Option<(Arc<Origin>, Option<u16>)>>,
    timing: Mutex<Option<Timing>>,
    confirmed: AtomicBool,
    compression: OnceLock<Compression>,
}

impl Asked {
    /// `origin` is asked; the last one counts. `failed_over` is the status with which another one led
    /// to it, if one did.
    pub(crate) fn turned_to(&self, origin: &Arc<Origin>, failed_over: Option<u16>) {
        let asked = Some((origin.clone(), failed_over));
        *self.origin.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    }

    /// Which origin was asked last, and what led to it.
    pub(crate) fn origin(&self) -> Option<(Arc<Origin>, Option<u16>)> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

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

    /// Whether the response is compressed; the first one counts.
    pub(crate) fn decided(&self, compression: Compression) {
        let _ = self.compression.set(compression);
    }

    pub(crate) fn compression(&self) -> Option<Compression> {
        self.compression.get().copied()
    }

    /// The times of the last response; `None` when none came, or the connector does not tell.
    pub(crate) fn timing(&self) -> Option<Timing> {
        self.timing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
