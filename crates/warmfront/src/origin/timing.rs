//! How long an origin took, for Server-Timing and for logs.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The times of one exchange with an origin. A [`Connector`](super::Connector) may put it among the
/// extensions of the response's head; without it every duration reads as zero.
#[derive(Debug, Clone, Default)]
pub struct Timing {
    /// The look-up of the origin's name; zero for an address or an open connection.
    pub dns: Duration,
    /// The connection and its TLS; zero for an open one.
    pub connect: Duration,
    /// From the request to the head of the response.
    pub first_byte: Duration,
    /// From the request to the end of the response's body, once it was there.
    pub last_byte: LastByte,
}

/// Known only when the body has ended; clones share it.
#[derive(Debug, Clone, Default)]
pub struct LastByte(Arc<OnceLock<Duration>>);

impl LastByte {
    /// The body has ended. Only the first call counts.
    pub fn set(&self, took: Duration) {
        let _ = self.0.set(took);
    }

    /// `None` while the body is under way, and for good when it broke off.
    pub fn get(&self) -> Option<Duration> {
        self.0.get().copied()
    }
}
