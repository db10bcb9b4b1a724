//! What the task that drives a connection shares with the exchange that is using it.
//!
//! The exchange says until when something must happen; the driver owns the connection's only timer.
//! That timer is set again only when it fires or a nearer deadline comes, so a request costs none.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;

use crate::clock::{Clock, Sleep};

/// Facts about the request in flight.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
pub(super) enum Fact {
    /// A request was sent and the status line of its final response has not begun.
    Awaiting = 1,
    /// At least one octet came back.
    Received = 1 << 1,
    /// The exchange holds the response's head; time limits are the body's from now on.
    Answered = 1 << 2,
    /// The request's body has not been handed over completely.
    Uploading = 1 << 3,
    /// The viewer broke the request's body off.
    ViewerFailed = 1 << 4,
    /// Too many interim responses.
    Flooded = 1 << 5,
    /// A deadline passed; the driver closed the connection.
    Expired = 1 << 6,
    /// Whoever used the connection gave it up; the driver closes it.
    Closing = 1 << 7,
}

/// The shared half of one connection.
#[derive(Debug)]
pub(super) struct Link {
    facts: AtomicU8,
    reads: AtomicU32,
    /// Nanoseconds of the monotonic clock; [`NEVER`] for none.
    deadline: AtomicU64,
    /// When the driver's timer fires.
    armed: AtomicU64,
    driver: AtomicWaker,
}

const NEVER: u64 = u64::MAX;

impl Link {
    pub(super) fn new() -> Self {
        Self {
            facts: AtomicU8::new(0),
            reads: AtomicU32::new(0),
            deadline: AtomicU64::new(NEVER),
            armed: AtomicU64::new(NEVER),
            driver: AtomicWaker::new(),
        }
    }

    /// A request is about to be handed to the connection.
    pub(super) fn begin(&self, deadline: Option<Duration>, uploading: bool) {
        let upload = if uploading { Fact::Uploading as u8 } else { 0 };
        self.facts.store(Fact::Awaiting as u8 | upload, Ordering::Release);
        self.must_happen_by(deadline);
    }

    /// Closes the connection when `deadline` passes; `None` takes the last deadline back.
    pub(super) fn must_happen_by(&self, deadline: Option<Duration>) {
        let deadline = deadline.map_or(NEVER, nanos);
        // SeqCst here and in the driver: either we see its timer, or it sees our deadline.
        self.deadline.store(deadline, Ordering::SeqCst);
        if deadline < self.armed.load(Ordering::SeqCst) {
            self.driver.wake();
        }
    }

    pub(super) fn is_overdue(&self, now: Duration) -> bool {
        self.deadline.load(Ordering::Acquire) <= nanos(now)
    }

    pub(super) fn close(&self) {
        self.set(Fact::Closing);
        self.driver.wake();
    }

    pub(super) fn set(&self, fact: Fact) {
        self.facts.fetch_or(fact as u8, Ordering::AcqRel);
    }

    pub(super) fn clear(&self, fact: Fact) {
        self.facts.fetch_and(!(fact as u8), Ordering::AcqRel);
    }

    pub(super) fn is(&self, fact: Fact) -> bool {
        self.facts.load(Ordering::Acquire) & fact as u8 != 0
    }

    pub(super) fn count_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }
}

/// Drives one connection until it ends, becomes a tunnel, is given up, or lets a deadline pass. Dropping
/// it closes the socket, unless the socket has gone to a tunnel.
pub(super) struct Driver<C> {
    /// hyper's connection with upgrades, a type that has no name outside hyper.
    connection: C,
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    timer: Option<Sleep>,
    tick: Duration,
}

impl<C: Future + Unpin> Driver<C> {
    /// `tick` is the shortest time limit in use: the timer never sleeps longer, so a deadline that is
    /// set later seldom has to wake the driver.
    pub(super) fn new(
        connection: C,
        link: Arc<Link>,
        clock: Arc<dyn Clock>,
        tick: Duration,
    ) -> Self {
        let tick = tick.max(Duration::from_millis(10));
        Self { connection, link, clock, timer: None, tick }
    }
}

impl<C: Future + Unpin> Future for Driver<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = &mut *self;
        let link = &*driver.link;
        link.driver.register(cx.waker());
        let reads = link.reads.load(Ordering::Relaxed);
        if Pin::new(&mut driver.connection).poll(cx).is_ready() || link.is(Fact::Closing) {
            return Poll::Ready(());
        }
        loop {
            let deadline = link.deadline.load(Ordering::SeqCst);
            if let Some(timer) = &mut driver.timer {
                let nearer = deadline < link.armed.load(Ordering::Relaxed);
                if !nearer && timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                driver.timer = None;
            }
            let now = driver.clock.monotonic();
            if deadline <= nanos(now) {
                // Bytes that came in this very turn may have ended the wait: whoever takes them gets
                // one turn to say so.
                if link.reads.load(Ordering::Relaxed) != reads {
                    link.armed.store(NEVER, Ordering::Release);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                link.set(Fact::Expired);
                return Poll::Ready(());
            }
            let wait = Duration::from_nanos(deadline - nanos(now)).min(driver.tick);
            link.armed.store(nanos(now + wait), Ordering::SeqCst);
            driver.timer = Some(driver.clock.sleep(wait));
            // The loop looks at the deadline again and then polls the timer for the first time.
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(NEVER - 1)
}
