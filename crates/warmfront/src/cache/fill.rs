//! One response on its way into the cache: one task fills, any number of viewers stream along.
//!
//! The filler first publishes an [`Outcome`], which wakes everyone who waits for the head, and then
//! pushes pieces of the body, which wakes everyone who has read all there was. A response that turns
//! out not to fit the storage goes on as a window: pieces are dropped once every viewer has them, the
//! filler waits for the slowest viewer, and nobody can join any more.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use warmfront_core::caching::CacheTags;

use super::{Selected, StoredHead, StoredMeta, StoredResponse};
use crate::origin::OriginError;

/// How much of a response that is not stored may lie between the filler and its slowest viewer.
const WINDOW: u64 = 1 << 20;
/// A fill that nobody waits for any more goes on if its object is at most this large.
const WORTH_FINISHING: u64 = 8 << 20;

/// The least that a piece costs, for the structures around it: chunks of one byte must not take a
/// hundred times the memory that is allowed.
const LEAST_COST: u64 = 256;

/// What a piece under way counts against limits of memory.
pub(super) fn cost(piece: &Bytes) -> u64 {
    (piece.len() as u64).max(LEAST_COST)
}

/// What became of the fill once the origin answered, or did not.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The response may be shared: here is its head, the body streams.
    Streaming(Arc<FillHead>),
    /// A stored response answers: confirmed by a 304, or stale in place of a failing origin.
    Stored(Arc<StoredResponse>),
    /// The same for the viewer who led; its Vary has changed, so everyone else looks again.
    Moved(Arc<StoredResponse>),
    /// The response belongs to the viewer who led; everyone else asks the origin for themselves.
    NotShared,
    /// The origin gave no response.
    Failed(Arc<OriginError>),
    /// The filler gave up because nobody waited; whoever came meanwhile tries again.
    Abandoned,
}

/// The head of a response that is being filled.
#[derive(Debug)]
pub(crate) struct FillHead {
    pub(crate) meta: StoredMeta,
    /// Content-Length, if the origin sent one.
    pub(crate) length: Option<u64>,
    /// The headers of the viewer who led, where the origin named fields that are for it alone
    /// (`no-cache="Set-Cookie"`).
    pub(crate) for_leader: Option<StoredHead>,
    /// Whom it may answer, where Vary selects among responses; `None`: whoever asked for the key.
    pub(crate) selected: Option<Selected>,
    /// The conditions of the viewer who led went to the origin, and this is what it answered.
    pub(crate) judged: bool,
}

/// Shared by the filler and its viewers.
#[derive(Debug, Default)]
pub(crate) struct Fill {
    /// The newest purge when the origin was asked.
    pub(super) epoch: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    pieces: VecDeque<Bytes>,
    /// Pieces that were dropped from the front, once in window mode.
    dropped: usize,
    received: u64,
    /// What `pieces` cost.
    held: u64,
    window: bool,
    /// The filler has given up: nobody may join any more.
    given_up: bool,
    end: Option<Result<(), Arc<str>>>,
    viewers: Vec<Option<Viewer>>,
    /// Slots of `viewers` that are free.
    free: Vec<usize>,
    attached: usize,
    filler: Option<Waker>,
}

#[derive(Debug, Default)]
struct Viewer {
    /// The next piece it has not seen, counted from the first piece ever.
    next: usize,
    /// It kept the others waiting for too long.
    cut: bool,
    waker: Option<Waker>,
}

impl State {
    fn wake_viewers(&mut self) {
        for viewer in self.viewers.iter_mut().flatten() {
            if let Some(waker) = viewer.waker.take() {
                waker.wake();
            }
        }
    }

    fn wake_filler(&mut self) {
        if let Some(waker) = self.filler.take() {
            waker.wake();
        }
    }

    /// In window mode, lets go of what every viewer has.
    fn drop_seen_pieces(&mut self) {
        if !self.window {
            return;
        }
        let slowest = self.slowest().unwrap_or(self.dropped + self.pieces.len());
        while self.dropped < slowest {
            let Some(piece) = self.pieces.pop_front() else { break };
            self.dropped += 1;
            self.held -= cost(&piece);
        }
    }

    fn slowest(&self) -> Option<usize> {
        let reading = self.viewers.iter().flatten().filter(|viewer| !viewer.cut);
        reading.map(|viewer| viewer.next).min()
    }

    fn worth_finishing(&self) -> bool {
        let Some(Outcome::Streaming(head)) = &self.outcome else { return false };
        match head.length {
            _ if self.window => false,
            Some(length) => length <= WORTH_FINISHING || self.received * 2 >= length,
            None => self.received <= WORTH_FINISHING,
        }
    }
}

// The filler's side.
impl Fill {
    /// A fill whose origin is asked when this is the newest purge.
    pub(crate) fn begun_at(epoch: u64) -> Self {
        Self { epoch, state: Mutex::default() }
    }

    /// Tells everyone what became of the request.
    pub(crate) fn publish(&self, outcome: Outcome) {
        let mut state = self.lock();
        state.outcome = Some(outcome);
        state.wake_viewers();
    }

    /// The filler is gone. What it has not said by now it never will: it found no viewer left, its
    /// runtime ended, or it panicked. Nobody waits for it.
    pub(crate) fn leave(&self) {
        let mut state = self.lock();
        let is_streaming = match &state.outcome {
            Some(outcome) => matches!(outcome, Outcome::Streaming(_)),
            None => {
                state.outcome = Some(Outcome::Abandoned);
                false
            }
        };
        if is_streaming && state.end.is_none() {
            state.end = Some(Err("the fetch was given up".into()));
        }
        state.wake_viewers();
    }

    /// Hands a piece to the viewers.
    pub(crate) fn push(&self, piece: Bytes) {
        let mut state = self.lock();
        state.received += piece.len() as u64;
        state.held += cost(&piece);
        state.pieces.push_back(piece);
        state.drop_seen_pieces();
        state.wake_viewers();
    }

    /// The response will not be stored: from now on only a window of it is held.
    pub(crate) fn stop_keeping(&self) {
        let mut state = self.lock();
        state.window = true;
        state.drop_seen_pieces();
    }

    /// The body is over: whole, or broken off for this reason.
    pub(crate) fn end(&self, end: Result<(), Arc<str>>) {
        let mut state = self.lock();
        state.end = Some(end);
        state.wake_viewers();
    }

    /// Ready when no viewer is left and the object is not worth finishing without one. Then the filler
    /// must stop: a viewer who comes at this very moment, on another thread, is not let in.
    pub(crate) fn poll_deserted(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.attached == 0 && !state.worth_finishing() {
            state.given_up = true;
            return Poll::Ready(());
        }
        state.filler = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether a piece more may be fetched now.
    pub(crate) fn has_room(&self) -> bool {
        let state = self.lock();
        !state.window || state.held < WINDOW
    }

    /// The next piece of the viewer who is furthest behind.
    pub(crate) fn slowest(&self) -> Option<usize> {
        self.lock().slowest()
    }

    /// In window mode: breaks the streams of the viewers who are furthest behind, so that they do not
    /// hold up the others.
    pub(crate) fn cut_slowest(&self) {
        let mut state = self.lock();
        let slowest = state.slowest();
        for viewer in state.viewers.iter_mut().flatten() {
            viewer.cut |= Some(viewer.next) == slowest;
        }
        state.drop_seen_pieces();
        state.wake_viewers();
    }

    /// Waits, in window mode, until the slowest viewer has caught up.
    pub(crate) async fn room(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if !state.window || state.held < WINDOW || state.attached == 0 {
                return Poll::Ready(());
            }
            state.filler = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

// The viewers' side.
impl Fill {
    /// The cache tags of the response, once its head has come.
    pub(super) fn tags(&self) -> Option<CacheTags> {
        match &self.lock().outcome {
            Some(Outcome::Streaming(head)) => Some(head.meta.tags.clone()),
            Some(Outcome::Stored(stored)) => Some(stored.meta.tags.clone()),
            _ => None,
        }
    }

    /// Joins, unless the body is a window whose start is gone, or the filler has given up.
    pub(crate) fn attach(self: &Arc<Self>) -> Option<Ticket> {
        let mut state = self.lock();
        if state.window || state.given_up {
            return None;
        }
        state.attached += 1;
        let slot = state.free.pop().unwrap_or_else(|| {
            state.viewers.push(None);
            state.viewers.len() - 1
        });
        state.viewers[slot] = Some(Viewer::default());
        Some(Ticket { fill: self.clone(), slot })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A viewer's place in a fill. While it lives, the fill goes on.
#[derive(Debug)]
pub(crate) struct Ticket {
    fill: Arc<Fill>,
    slot: usize,
}

impl Ticket {
    /// Whether this is a place in `fill`.
    pub(crate) fn is_of(&self, fill: &Arc<Fill>) -> bool {
        Arc::ptr_eq(&self.fill, fill)
    }

    /// Waits for the head.
    pub(crate) async fn outcome(&self) -> Outcome {
        poll_fn(|cx| {
            let mut state = self.fill.lock();
            if let Some(outcome) = &state.outcome {
                return Poll::Ready(outcome.clone());
            }
            self.wait(&mut state, cx);
            Poll::Pending
        })
        .await
    }

    /// Waits until the fill is over, and reads nothing that anyone keeps.
    pub(crate) async fn ended(&self) {
        if let Outcome::Streaming(_) = self.outcome().await {
            while let Some(Ok(_)) = poll_fn(|cx| self.poll_piece(cx)).await {}
        }
    }

    /// The next piece; `None` at the end of a whole body.
    pub(crate) fn poll_piece(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Arc<str>>>> {
        let mut state = self.fill.lock();
        let Some(&Viewer { next, cut, .. }) = state.viewers[self.slot].as_ref() else {
            return Poll::Ready(None);
        };
        if cut {
            return Poll::Ready(Some(Err("the viewer was too slow".into())));
        }
        if let Some(piece) = state.pieces.get(next - state.dropped).cloned() {
            if let Some(viewer) = &mut state.viewers[self.slot] {
                viewer.next += 1;
            }
            if state.window {
                state.drop_seen_pieces();
                state.wake_filler();
            }
            return Poll::Ready(Some(Ok(piece)));
        }
        match &state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(reason)) => Poll::Ready(Some(Err(reason.clone()))),
            None => {
                self.wait(&mut state, cx);
                Poll::Pending
            }
        }
    }

    fn wait(&self, state: &mut State, cx: &mut Context<'_>) {
        if let Some(viewer) = &mut state.viewers[self.slot] {
            viewer.waker = Some(cx.waker().clone());
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.fill.lock();
        state.viewers[self.slot] = None;
        state.free.push(self.slot);
        state.attached -= 1;
        state.drop_seen_pieces();
        state.wake_filler();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Wake;

    struct Flag(std::sync::atomic::AtomicBool);
    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }

    fn piece(bytes: usize) -> Bytes {
        Bytes::from(vec![b'x'; bytes])
    }

    fn noop<T>(poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
        poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_viewer_who_joins_late_reads_from_the_start() {
        let fill = Arc::new(Fill::default());
        let first = fill.attach().unwrap();
        fill.push(piece(3));
        let late = fill.attach().unwrap();
        fill.push(piece(4));
        fill.end(Ok(()));
        for ticket in [first, late] {
            let mut lengths = Vec::new();
            while let Poll::Ready(Some(Ok(piece))) = noop(|cx| ticket.poll_piece(cx)) {
                lengths.push(piece.len());
            }
            assert_eq!(lengths, [3, 4]);
            assert!(matches!(noop(|cx| ticket.poll_piece(cx)), Poll::Ready(None)));
        }
    }

    #[test]
    fn a_broken_fill_breaks_every_viewer_after_the_bytes_it_had() {
        let fill = Arc::new(Fill::default());
        let ticket = fill.attach().unwrap();
        fill.push(piece(3));
        fill.end(Err("cut".into()));
        assert!(matches!(noop(|cx| ticket.poll_piece(cx)), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(noop(|cx| ticket.poll_piece(cx)), Poll::Ready(Some(Err(_)))));
    }

    #[test]
    fn a_window_holds_only_what_the_slowest_viewer_lacks_and_takes_nobody_in() {
        let fill = Arc::new(Fill::default());
        let (fast, slow) = (fill.attach().unwrap(), fill.attach().unwrap());
        fill.push(piece(1 << 20));
        fill.stop_keeping();
        assert!(fill.attach().is_none());
        assert!(noop(|cx| fast.poll_piece(cx)).is_ready());
        assert_eq!(fill.lock().held, 1 << 20, "the slow viewer still needs it");
        assert!(noop(|cx| slow.poll_piece(cx)).is_ready());
        assert_eq!(fill.lock().held, 0);
    }

    #[test]
    fn a_full_window_makes_the_filler_wait_until_the_slowest_viewer_reads_or_leaves() {
        let fill = Arc::new(Fill::default());
        let ticket = fill.attach().unwrap();
        fill.stop_keeping();
        fill.push(piece(WINDOW as usize));
        let flag = Arc::new(Flag(Default::default()));
        let waker = Waker::from(flag.clone());
        let mut room = std::pin::pin!(fill.room());
        assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(ticket);
        assert!(flag.0.load(std::sync::atomic::Ordering::SeqCst));
        assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn a_viewer_who_stalls_is_cut_and_the_others_go_on() {
        let fill = Arc::new(Fill::default());
        let (fast, stalled) = (fill.attach().unwrap(), fill.attach().unwrap());
        fill.stop_keeping();
        fill.push(piece(WINDOW as usize));
        assert!(noop(|cx| fast.poll_piece(cx)).is_ready());
        assert!(!fill.has_room());
        fill.cut_slowest();
        assert!(fill.has_room());
        fill.push(piece(1));
        assert!(matches!(noop(|cx| fast.poll_piece(cx)), Poll::Ready(Some(Ok(_)))));
        assert!(matches!(noop(|cx| stalled.poll_piece(cx)), Poll::Ready(Some(Err(_)))));
    }

    #[test]
    fn a_fill_nobody_waits_for_goes_on_only_if_it_is_small_or_half_here() {
        let head = |length| {
            Outcome::Streaming(Arc::new(FillHead {
                meta: crate::cache::stored::tests_support::meta(),
                length,
                for_leader: None,
                selected: None,
                judged: false,
            }))
        };
        for (length, received, deserted) in [
            (Some(WORTH_FINISHING), 0, false),
            (Some(WORTH_FINISHING + 1), 0, true),
            (Some(WORTH_FINISHING * 4), WORTH_FINISHING * 2, false),
            (None, WORTH_FINISHING, false),
            (None, WORTH_FINISHING + 1, true),
        ] {
            let fill = Arc::new(Fill::default());
            fill.publish(head(length));
            fill.push(piece(received as usize));
            let gone = noop(|cx| fill.poll_deserted(cx)).is_ready();
            assert_eq!(gone, deserted, "length {length:?}, {received} received");
        }
        let unanswered = Arc::new(Fill::default());
        assert!(noop(|cx| unanswered.poll_deserted(cx)).is_ready(), "no head yet");
        assert!(unanswered.attach().is_none(), "the filler stops, so nobody may rely on it");
    }
}
