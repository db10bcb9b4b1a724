//! Interim responses (1xx) toward HTTP/1.1 viewers, for which hyper's server has no way.
//!
//! They are written beside hyper, between two of its writes. [`Interims`] takes them from the engine;
//! `guard`, who sees every write of a connection, puts them on the wire where that is certainly between
//! two responses: while all that hyper wrote is flushed, and before the final response begins. One that
//! comes elsewhere (a viewer who pipelines and reads slowly) is dropped: they are hints.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use http::{HeaderMap, StatusCode};
use warmfront::{Interim, InterimWriter};

/// Octets that wait for one viewer, at most; what comes beyond is dropped.
const MOST: usize = 64 << 10;

/// The interim responses of one connection.
#[derive(Debug, Default)]
pub(crate) struct Interims {
    /// Counts up when a request begins and when its answer does, so it is odd while a request waits.
    /// The number of a request is this one.
    turn: AtomicU64,
    /// Whether to look into `queue`: so that a response without company costs no lock.
    is_waiting: AtomicBool,
    queue: Mutex<Vec<u8>>,
    connection: AtomicWaker,
}

impl Interims {
    /// The next request waits for its answer from now on.
    pub(super) fn request_begins(self: &Arc<Self>) -> Interim {
        let request = self.turn.fetch_add(1, SeqCst) + 1;
        Interim::new(self.clone(), request)
    }

    /// Its final response comes next: nothing more is taken for it.
    pub(super) fn answer_begins(&self) {
        self.turn.fetch_add(1, SeqCst);
    }

    /// Whether a request waits for its answer.
    pub(super) fn is_request_waiting(&self) -> bool {
        self.turn.load(SeqCst) % 2 == 1
    }

    /// Has the connection's task woken when there is something to write. What is there already goes out with
    /// the flush that follows every look at the request's answer: waking for it would spin while the viewer
    /// takes nothing.
    pub(super) fn wake_for_next(&self, waker: &Waker) {
        self.connection.register(waker);
    }

    /// Whether there may be something to write.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting.load(SeqCst)
    }

    /// Moves what waits behind `out`.
    pub(super) fn move_to(&self, out: &mut Vec<u8>) {
        let mut queue = self.queue();
        out.append(&mut queue);
        self.is_waiting.store(false, SeqCst);
    }

    /// Throws away what waits.
    pub(super) fn clear(&self) {
        let mut queue = self.queue();
        queue.clear();
        self.is_waiting.store(false, SeqCst);
    }

    fn queue(&self) -> MutexGuard<'_, Vec<u8>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InterimWriter for Interims {
    fn write(&self, request: u64, status: StatusCode, headers: &HeaderMap) {
        let mut queue = self.queue();
        // Announced before the look at `turn`: either this sees that the answer has begun, or whoever
        // writes the answer sees that something waits, and waits for the lock.
        self.is_waiting.store(true, SeqCst);
        let before = queue.len();
        if self.turn.load(SeqCst) == request {
            write_head(&mut queue, status, headers);
        }
        if queue.len() > MOST {
            queue.truncate(before);
        }
        let is_waiting = !queue.is_empty();
        self.is_waiting.store(is_waiting, SeqCst);
        drop(queue);
        if is_waiting {
            self.connection.wake();
        }
    }
}

/// A head as hyper writes that of a final response: names in Title-Case.
fn write_head(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        let mut word_begins = true;
        out.extend(name.as_str().bytes().map(|byte| {
            let byte = if word_begins { byte.to_ascii_uppercase() } else { byte };
            word_begins = byte == b'-';
            byte
        }));
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const HINT: &str = "HTTP/1.1 103 Early Hints\r\nX-My-Header: a\r\n\r\n";

    fn hint(interims: &Interims, request: u64) {
        let mut headers = HeaderMap::new();
        headers.insert("x-my-header", HeaderValue::from_static("a"));
        interims.write(request, StatusCode::EARLY_HINTS, &headers);
    }

    fn waiting(interims: &Interims) -> String {
        let mut out = Vec::new();
        assert_eq!(interims.is_waiting(), !interims.queue().is_empty());
        interims.move_to(&mut out);
        assert!(!interims.is_waiting());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_a_request_without_an_answer_gets_them() {
        let interims = Arc::new(Interims::default());
        hint(&interims, 1);
        assert_eq!(waiting(&interims), "", "nobody has asked");
        let _ = interims.request_begins();
        hint(&interims, 1);
        hint(&interims, 1);
        assert_eq!(waiting(&interims), HINT.repeat(2));
        hint(&interims, 1);
        interims.answer_begins();
        hint(&interims, 1);
        assert_eq!(waiting(&interims), HINT, "the one that came in time");
        let _ = interims.request_begins();
        hint(&interims, 1);
        assert_eq!(waiting(&interims), "", "of the request before");
        hint(&interims, 3);
        assert_eq!(waiting(&interims), HINT);
    }

    #[test]
    fn what_waits_has_a_limit() {
        let interims = Arc::new(Interims::default());
        let _ = interims.request_begins();
        for _ in 0..MOST {
            hint(&interims, 1);
        }
        let kept = waiting(&interims);
        assert_eq!(kept, HINT.repeat(MOST / HINT.len()));
    }
}
