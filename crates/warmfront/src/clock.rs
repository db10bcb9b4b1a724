//! Time, as a seam: the system's clock in the program, a clock that tests turn by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

/// A sleep that somebody else owns the timer of.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// Where the engine takes its time from.
///
/// Ages and time-outs use [`monotonic`](Clock::monotonic), so a jump of the wall clock neither ages
/// an object nor fires a time-out; dates in headers use [`wall`](Clock::wall).
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The date.
    fn wall(&self) -> SystemTime;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Resolves once `monotonic` has moved on by `duration`.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The machine's clock; sleeps on the tokio runtime of the caller.
///
/// Its monotonic time began with the Unix epoch, as the wall clock showed it when this was made, so that a
/// moment means the same to the next run, which may find on disk what this one stored.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
    began: Duration,
}

impl SystemClock {
    /// A clock that agrees with the wall clock now, and from now on only goes forward.
    pub fn new() -> Self {
        let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { start: Instant::now(), began }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn monotonic(&self) -> Duration {
        self.began + self.start.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that stands still until [`advance`](VirtualClock::advance) turns it. Clones share the time.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    state: Arc<Mutex<VirtualTime>>,
}

#[derive(Debug)]
struct VirtualTime {
    epoch: SystemTime,
    elapsed: Duration,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    next_sleeper: u64,
}

impl VirtualClock {
    /// A clock that shows `epoch`.
    pub fn starting_at(epoch: SystemTime) -> Self {
        Self {
            state: Arc::new(Mutex::new(VirtualTime {
                epoch,
                elapsed: Duration::ZERO,
                sleepers: BTreeMap::new(),
                next_sleeper: 0,
            })),
        }
    }

    /// Turns the clock on and wakes every sleep that is due.
    pub fn advance(&self, by: Duration) {
        let due = {
            let mut state = self.lock();
            state.elapsed += by;
            let not_due = (state.elapsed + Duration::from_nanos(1), 0);
            let later = state.sleepers.split_off(&not_due);
            std::mem::replace(&mut state.sleepers, later)
        };
        for waker in due.into_values() {
            waker.wake();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VirtualTime> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn wall(&self) -> SystemTime {
        let state = self.lock();
        state.epoch + state.elapsed
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut state = self.lock();
        let id = state.next_sleeper;
        state.next_sleeper += 1;
        let due = state.elapsed + duration;
        Box::pin(VirtualSleep { clock: self.clone(), slot: (due, id) })
    }
}

struct VirtualSleep {
    clock: VirtualClock,
    slot: (Duration, u64),
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.lock();
        if state.elapsed >= self.slot.0 {
            state.sleepers.remove(&self.slot);
            return Poll::Ready(());
        }
        state.sleepers.insert(self.slot, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        self.clock.lock().sleepers.remove(&self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_ends_exactly_when_the_clock_reaches_it() {
        let clock = VirtualClock::starting_at(SystemTime::UNIX_EPOCH);
        let sleep = tokio::spawn(clock.sleep(Duration::from_secs(10)));
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleep.is_finished());
        clock.advance(Duration::from_secs(1));
        sleep.await.unwrap();
        assert_eq!(clock.wall(), SystemTime::UNIX_EPOCH + Duration::from_secs(10));
    }

    #[tokio::test]
    async fn a_dropped_sleep_leaves_nothing_behind() {
        let clock = VirtualClock::starting_at(SystemTime::UNIX_EPOCH);
        let sleep = tokio::spawn(clock.sleep(Duration::from_secs(10)));
        tokio::task::yield_now().await;
        assert_eq!(clock.lock().sleepers.len(), 1);
        sleep.abort();
        let _ = sleep.await;
        assert!(clock.lock().sleepers.is_empty());
    }
}
