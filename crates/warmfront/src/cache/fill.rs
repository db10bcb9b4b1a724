//! One response on its way into the cache: one task fills, any number of viewers stream along.
//!
//! The filler first publishes an [`Outcome`], which wakes everyone who waits for the head, and then
//! pushes pieces of the body, which wakes everyone who has read all there was. Of a body that is kept, the
//! fill holds what no storage has yet and the latest fragment beside; whoever is further behind reads the
//! fragments. Those that a viewer has yet to read and no storage promises to keep are held, too; where all
//! fills hold too much of that, the filler waits for its slowest viewer.
//!
//! A response that does not fit the storage goes on as a window: pieces are dropped once every
//! viewer has them, the filler waits for the slowest viewer, and nobody can join once the start is gone.

mod outcome;
mod pieces;
mod pins;
#[cfg(test)]
mod tests;
mod ticket;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use warmfront_core::caching::CacheTags;

use super::Kept;
use super::budget::Share;

pub(crate) use outcome::{FillHead, Outcome};
use pieces::Pieces;
use pins::Pins;
pub(crate) use ticket::{Read, Ticket};

/// How much of a response that is not stored may lie between the filler and its slowest viewer.
const WINDOW: u64 = 1 << 20;
/// A fill that nobody waits for any more goes on if its object is at most this large.
const WORTH_FINISHING: u64 = 8 << 20;

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
    pieces: Pieces,
    pins: Pins,
    mode: Mode,
    /// The filler has given up: nobody may join any more.
    given_up: bool,
    end: Option<Result<(), Arc<str>>>,
    viewers: Vec<Option<Viewer>>,
    /// Slots of `viewers` that are free.
    free: Vec<usize>,
    attached: usize,
    filler: Option<Waker>,
    /// The filler may go on when a viewer moves.
    waits_for_room: bool,
}

/// What becomes of pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mode {
    /// All are held until the storage has them.
    #[default]
    Keeping,
    /// The same, and the filler stays close to the viewer who is furthest ahead: what it fetches might
    /// leave the storage before anybody has read it.
    Pacing {
        /// Octets that the filler may be ahead.
        ahead: u64,
    },
    /// None is stored: each is held until every viewer has it.
    Window,
}

#[derive(Debug, Default)]
struct Viewer {
    /// Where in the body it reads.
    position: u64,
    /// It kept the others waiting for too long: nobody waits for it any more.
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
        self.waits_for_room = false;
        if let Some(waker) = self.filler.take() {
            waker.wake();
        }
    }

    /// Lets go of what every viewer has: of a window all of it, otherwise what was held for them alone.
    fn drop_seen(&mut self) {
        if self.mode != Mode::Window && self.pins.are_none() {
            return;
        }
        let slowest = self.slowest().unwrap_or(u64::MAX);
        self.pins.let_go(slowest);
        if self.mode == Mode::Window {
            self.pieces.drop_before(slowest);
        }
    }

    /// What there is at `position`, up to the end of a piece.
    fn at(&self, position: u64) -> Option<Bytes> {
        self.pieces.at(position).or_else(|| self.pins.at(position))
    }

    fn reading(&self) -> impl Iterator<Item = u64> {
        self.viewers.iter().flatten().filter(|viewer| !viewer.cut).map(|viewer| viewer.position)
    }

    fn slowest(&self) -> Option<u64> {
        self.reading().min()
    }

    fn has_room(&self) -> bool {
        match self.mode {
            Mode::Keeping | Mode::Pacing { .. } if self.attached > 0 && self.pins.are_full() => {
                false
            }
            Mode::Keeping => true,
            Mode::Pacing { ahead } => {
                let fastest = self.reading().max().unwrap_or(u64::MAX);
                self.pieces.end() < fastest.saturating_add(ahead)
            }
            Mode::Window => self.pieces.held() < WINDOW || self.attached == 0,
        }
    }

    fn worth_finishing(&self) -> bool {
        let Some(Outcome::Streaming(head)) = &self.outcome else { return false };
        let received = self.pieces.end() - self.pieces.start();
        match head.promised() {
            _ if self.mode == Mode::Window => false,
            Some(length) => length <= WORTH_FINISHING || received * 2 >= length,
            None => received <= WORTH_FINISHING,
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
        if let Outcome::Streaming(head) = &outcome {
            state.pieces.begin_at(head.begins_at());
        }
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
        state.pieces.push(piece);
        state.drop_seen();
        state.wake_viewers();
    }

    /// What the fill holds for its viewers alone counts in `share`.
    pub(crate) fn count_in(&self, share: Share) {
        self.lock().pins.count_in(share);
    }

    /// The storage has got `fragment`, which begins at `begins`. What lies before is let go, unless a viewer has
    /// yet to read it and it is not kept safely.
    pub(crate) fn sealed(&self, begins: u64, fragment: Bytes, kept: Kept) {
        let mut state = self.lock();
        let slowest = state.slowest().unwrap_or(u64::MAX);
        let start = state.pieces.start();
        if start < begins
            && !state.pins.have_begun()
            && let Some(odd) = state.pieces.until(begins)
        {
            state.pins.odd(start, odd, slowest);
        }
        state.pins.next(begins, fragment, kept == Kept::Safely, slowest);
        state.pieces.drop_before(begins);
    }

    /// The response will not be stored: from now on only a window of it is held.
    pub(crate) fn stop_keeping(&self) {
        let mut state = self.lock();
        state.mode = Mode::Window;
        state.drop_seen();
    }

    /// The filler stays within `ahead` octets of the viewer who is furthest.
    pub(crate) fn keep_pace(&self, ahead: u64) {
        self.lock().mode = Mode::Pacing { ahead };
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
        self.lock().has_room()
    }

    /// Where the viewer reads who is furthest behind; `None` when nobody holds the filler up.
    pub(crate) fn slowest(&self) -> Option<u64> {
        self.lock().slowest()
    }

    /// Goes on without the viewers who are furthest behind, so that they do not hold up the others. In window
    /// mode their streams break; otherwise they read what the storage has, or the origin sends once more.
    pub(crate) fn leave_slowest(&self) {
        let mut state = self.lock();
        let slowest = state.slowest();
        for viewer in state.viewers.iter_mut().flatten() {
            viewer.cut |= Some(viewer.position) == slowest;
        }
        state.drop_seen();
        state.wake_viewers();
    }

    /// Waits until a piece more may be fetched, or nobody is there any more.
    pub(crate) async fn room(&self) {
        poll_fn(|cx| {
            let mut state = self.lock();
            if state.has_room() || state.attached == 0 {
                return Poll::Ready(());
            }
            state.filler = Some(cx.waker().clone());
            state.waits_for_room = true;
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
            Some(Outcome::Streaming(head)) => Some(head.meta.tags().clone()),
            Some(Outcome::Stored(stored)) => Some(stored.meta.tags().clone()),
            _ => None,
        }
    }

    /// Joins, unless the start of the body is gone, or the filler has given up.
    pub(crate) fn attach(self: &Arc<Self>) -> Option<Ticket> {
        let mut state = self.lock();
        let start_is_gone = state.mode == Mode::Window && state.pieces.has_dropped();
        if start_is_gone || state.given_up {
            return None;
        }
        state.attached += 1;
        let slot = state.free.pop().unwrap_or_else(|| {
            state.viewers.push(None);
            state.viewers.len() - 1
        });
        state.viewers[slot] = Some(Viewer::default());
        Some(Ticket::new(self.clone(), slot))
    }

    /// Joins if this fill has the octet at `position` of its object, or will within the next `near`.
    pub(super) fn attach_at(self: &Arc<Self>, position: u64, near: u64) -> Option<Ticket> {
        let brings = {
            let state = self.lock();
            let Some(Outcome::Streaming(head)) = &state.outcome else { return None };
            let end = match (&state.end, &head.part) {
                (None, Some(part)) => part.end.min(state.pieces.end().saturating_add(near) + 1),
                _ => state.pieces.end(),
            };
            let is_here = state.at(position).is_some() || position >= state.pieces.end();
            is_here && position < end
        };
        if brings { self.attach() } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
