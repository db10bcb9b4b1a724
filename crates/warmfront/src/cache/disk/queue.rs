//! What waits for the writer thread.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(test)]
use std::time::{Duration, Instant};

use super::index::{Place, Put};
use super::record::Name;

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
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes as u64
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
