//! A viewer's place in a fill.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::{Fill, Mode, Outcome, State};

/// A viewer's place in a fill. While it lives, the fill goes on.
#[derive(Debug)]
pub(crate) struct Ticket {
    fill: Arc<Fill>,
    slot: usize,
}

/// What a fill has at a place in its body.
#[derive(Debug)]
pub(crate) enum Read {
    /// These octets.
    Piece(Bytes),
    /// It no longer has it: the storage does, or did.
    Behind,
    /// The body, or the part that this fill brings, is over, and whole.
    End,
    /// The body broke off, for this reason.
    Broken(Arc<str>),
}

impl Ticket {
    pub(super) fn new(fill: Arc<Fill>, slot: usize) -> Self {
        Self { fill, slot }
    }

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

    /// Reads from `position` on; nobody waits for this viewer to take what lies before it.
    pub(crate) fn go_to(&self, position: u64) {
        let mut state = self.fill.lock();
        if let Some(viewer) = &mut state.viewers[self.slot] {
            viewer.position = position;
        }
        self.moved(&mut state);
    }

    /// Up to where the body has come.
    pub(crate) fn received(&self) -> u64 {
        self.fill.lock().pieces.end()
    }

    /// Up to where the fill will bring the body; `None` where its head says nothing of that.
    pub(crate) fn will_reach(&self) -> Option<u64> {
        match &self.fill.lock().outcome {
            Some(Outcome::Streaming(head)) => Some(head.begins_at() + head.promised()?),
            _ => None,
        }
    }

    /// Waits until the fill is over, and reads nothing.
    pub(crate) async fn ended(&self) {
        let Outcome::Streaming(_) = self.outcome().await else { return };
        self.go_to(u64::MAX);
        poll_fn(|cx| {
            let mut state = self.fill.lock();
            if state.end.is_some() {
                return Poll::Ready(());
            }
            self.wait(&mut state, cx);
            Poll::Pending
        })
        .await
    }

    /// What there is at `position`; whatever is read, the viewer is there now.
    pub(crate) fn poll_at(&self, cx: &mut Context<'_>, position: u64) -> Poll<Read> {
        let mut state = self.fill.lock();
        let is_window = state.mode == Mode::Window;
        let Some(viewer) = &mut state.viewers[self.slot] else { return Poll::Ready(Read::End) };
        if viewer.cut && is_window {
            return Poll::Ready(Read::Broken("the viewer was too slow".into()));
        }
        let moved = viewer.position != position;
        viewer.position = position;
        if moved {
            self.moved(&mut state);
        }
        if let Some(piece) = state.at(position) {
            return Poll::Ready(Read::Piece(piece));
        }
        if position < state.pieces.end() {
            return Poll::Ready(Read::Behind);
        }
        match &state.end {
            Some(Ok(())) => Poll::Ready(Read::End),
            Some(Err(reason)) => Poll::Ready(Read::Broken(reason.clone())),
            None => {
                self.wait(&mut state, cx);
                Poll::Pending
            }
        }
    }

    /// Whether the fill itself has the octet at `position`.
    pub(crate) fn has(&self, position: u64) -> bool {
        self.fill.lock().at(position).is_some()
    }

    /// Whether the fill has brought the octet at `position` and let go of it.
    pub(crate) fn has_lost(&self, position: u64) -> bool {
        let state = self.fill.lock();
        position < state.pieces.end() && state.at(position).is_none()
    }

    fn moved(&self, state: &mut State) {
        state.drop_seen();
        if state.waits_for_room {
            state.wake_filler();
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
        state.drop_seen();
        state.wake_filler();
    }
}
