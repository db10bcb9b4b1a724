//! What waits for the writer thread.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
#[cfg(test)]
use std::time::{Duration, Instant};

use super::DiskStore;
use super::index::{Place, Put};
use super::record::Name;
use crate::origin::BoxFuture;

/// What a put counts beside its bytes.
const OVERHEAD: usize = 256;

#[derive(Debug)]
pub(crate) enum Job {
    /// Write this, if it is still the newest of its name.
    Put { name: Name, number: u64, put: Arc<Put> },
    /// Mark the record there as removed. These have no limit of their own: each one's name has left the
    /// index, so there are never more of them than there were objects.
    Remove(Place),
}

impl Job {
    /// What it counts against the limit.
    pub(crate) fn cost(&self) -> usize {
        match self {
            Job::Put { put, .. } => put.key.len() + put.content.len() + OVERHEAD,
            Job::Remove(_) => 0,
        }
    }
}

/// No room: the disk is slower than what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// What there is to do.
#[derive(Debug)]
pub(crate) enum Next {
    Job(Job),
    /// Nothing now.
    Idle,
    /// Nothing any more.
    Over,
}

/// A queue under a limit of bytes. What was taken counts until it is [`done`](Self::done).
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// Jobs that were taken and are not done.
    taken: usize,
    closed: bool,
    /// Fills that wait for room.
    waiting: Vec<Waker>,
}

impl State {
    /// Whether what is long leaves half of the queue to what does not wait. A closed queue takes nothing,
    /// so nobody waits for it.
    fn has_room(&self, length: usize, limit: usize) -> bool {
        self.closed || self.bytes == 0 || self.bytes + length + OVERHEAD <= limit / 2
    }
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limit }
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), Full> {
        let mut state = self.lock();
        let cost = job.cost();
        if state.closed || (cost > 0 && state.bytes + cost > self.limit) {
            return Err(Full);
        }
        state.bytes += cost;
        let was_empty = state.jobs.is_empty();
        state.jobs.push_back(job);
        if was_empty {
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Whether so many octets of a long body may come now.
    pub(crate) fn has_room(&self, length: usize) -> bool {
        self.lock().has_room(length, self.limit)
    }

    /// Ready when they may.
    pub(crate) fn poll_room(&self, length: usize, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.has_room(length, self.limit) {
            return Poll::Ready(());
        }
        if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The next job at once.
    pub(crate) fn take(&self) -> Next {
        let mut state = self.lock();
        match state.jobs.pop_front() {
            Some(job) => {
                state.taken += 1;
                Next::Job(job)
            }
            None if state.closed => Next::Over,
            None => Next::Idle,
        }
    }

    /// Waits until there is something to take, or nothing any more.
    pub(crate) fn wait(&self) {
        let state = self.lock();
        let is_idle = |state: &mut State| state.jobs.is_empty() && !state.closed;
        drop(self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner));
    }

    /// So many jobs of this cost together are done.
    pub(crate) fn done(&self, jobs: usize, cost: usize) {
        let mut state = self.lock();
        state.taken -= jobs;
        state.bytes -= cost;
        if state.jobs.is_empty() && state.taken == 0 {
            self.changed.notify_all();
        }
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits until everything that was pushed is done; `false` when that takes longer than `patience`.
    #[cfg(test)]
    pub(crate) fn settle(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        while !state.jobs.is_empty() || state.taken > 0 {
            let Some(left) = until.checked_duration_since(Instant::now()) else { return false };
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Takes nothing more; what is there is still handed out.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes as u64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskStore {
    /// Waits until a fragment of `length` octets leaves half of the queue free; `None` when it does now.
    pub(crate) fn room(&self, length: usize) -> Option<BoxFuture<'static, ()>> {
        let shared = self.shared.clone();
        if shared.queue.has_room(length) {
            return None;
        }
        Some(Box::pin(poll_fn(move |cx| shared.queue.poll_room(length, cx))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_leaves_half_of_the_queue_and_is_woken_when_there_is_room() {
        let queue = Queue::new(8 * OVERHEAD);
        let put = |length: usize| {
            let put = Put { key: [].into(), content: vec![b'x'; length].into() };
            Job::Put { name: Name::of(b"k"), number: 0, put: Arc::new(put) }
        };
        assert!(queue.has_room(100 * OVERHEAD), "an empty queue decides by itself what it takes");
        for _ in 0..3 {
            queue.push(put(0)).unwrap();
        }
        assert!(queue.has_room(0) && !queue.has_room(1));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(queue.poll_room(1, &mut cx).is_pending());
        assert_eq!(queue.lock().waiting.len(), 1);
        queue.push(put(OVERHEAD)).expect("what is short does not wait");
        for _ in 0..2 {
            assert!(matches!(queue.take(), Next::Job(_)));
        }
        queue.done(2, 2 * OVERHEAD);
        assert!(queue.lock().waiting.is_empty(), "it is woken");
        assert!(queue.poll_room(OVERHEAD / 2, &mut cx).is_pending());
        queue.close();
        assert!(queue.poll_room(OVERHEAD / 2, &mut cx).is_ready(), "it takes nothing any more");
    }
}
