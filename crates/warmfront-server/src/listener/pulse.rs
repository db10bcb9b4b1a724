//! What each connection is waiting for, and since when.
//!
//! A timer per request costs more than the request, so a connection only notes coarse times in its
//! [`Pulse`], and a sweep twice a second per worker ends those that wait too long (reliability: header
//! 10 s, keep-alive 60 s, write stall 60 s; closed at the limit or at most a second later). While every
//! place for a connection is taken, idle ones make room after a second.
//! The request body's idle limit is in `http`, where the body is read.
//!
//! Two things stay hidden behind hyper: pipelined bytes of a next head that came while a reply was
//! written count as keep-alive, not as a head; and on HTTP/2 a stream whose window stays shut is ended
//! with its connection once no other stream of it moves either.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use tokio::sync::Semaphore;

use super::patience::{Limits, Order, Seen, verdict};

/// Milliseconds since the worker began; moved on by its sweep, so reading it costs nothing.
#[derive(Debug, Default)]
struct Ticks(AtomicU64);

/// The connections of one worker.
#[derive(Debug)]
pub(crate) struct Pulses {
    limits: Limits,
    /// Of all workers: with none left, idle connections make room.
    places: Arc<Semaphore>,
    began: Instant,
    ticks: Arc<Ticks>,
    all: Mutex<Vec<Weak<Pulse>>>,
    closing: AtomicBool,
}

impl Pulses {
    /// None yet.
    pub(crate) fn new(limits: Limits, places: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            places,
            began: Instant::now(),
            // Zero in a pulse means "not waiting", so time begins at one.
            ticks: Arc::new(Ticks(AtomicU64::new(1))),
            all: Mutex::new(Vec::new()),
            closing: AtomicBool::new(false),
        })
    }

    /// A new connection. `framed`: HTTP/2, where bytes that come between requests are no head.
    pub(crate) fn register(&self, framed: bool) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse {
            framed,
            idle_since: AtomicU64::new(self.ticks.0.load(Relaxed)),
            ticks: self.ticks.clone(),
            in_flight: AtomicU32::new(0),
            awaiting_viewer: AtomicU32::new(0),
            head_since: AtomicU64::new(0),
            taken_at: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
            ending_since: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            tunnel: AtomicBool::new(false),
            order: AtomicU8::new(Order::Serve as u8),
            waker: AtomicWaker::new(),
        });
        let mut all = self.lock();
        all.push(Arc::downgrade(&pulse));
        // A handshake that was under way when the drain began.
        if self.closing.load(Relaxed) {
            pulse.obey(Order::Close);
        }
        drop(all);
        pulse
    }

    /// Ends what waits too long, twice a second, for as long as the future is polled.
    pub(crate) async fn sweep_forever(&self) {
        // A quarter of the shortest limit, so that tests with short limits are quick.
        let shortest =
            [self.limits.head, self.limits.keep_alive, self.limits.write_stall, self.limits.linger];
        let quarter = shortest.iter().min().expect("four limits").div_f32(4.0);
        let every = quarter.clamp(Duration::from_millis(5), Duration::from_millis(500));
        loop {
            tokio::time::sleep(every).await;
            self.sweep(1 + self.began.elapsed().as_millis() as u64);
        }
    }

    fn sweep(&self, now: u64) {
        self.ticks.0.store(now, Relaxed);
        let mut limits = self.limits;
        if self.places.available_permits() == 0 {
            limits.keep_alive = limits.keep_alive.min(limits.crowded_keep_alive);
        }
        self.lock().retain(|pulse| {
            let Some(pulse) = pulse.upgrade() else { return false };
            let order = verdict(&pulse.seen(), now, &limits);
            pulse.obey(order);
            true
        });
    }

    /// Every connection finishes what it has in flight, also those still to come.
    pub(crate) fn close_all(&self) {
        let all = self.lock();
        self.closing.store(true, Relaxed);
        for pulse in all.iter().filter_map(Weak::upgrade) {
            pulse.obey(Order::Close);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Pulse>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's notes.
#[derive(Debug)]
pub(crate) struct Pulse {
    framed: bool,
    ticks: Arc<Ticks>,
    in_flight: AtomicU32,
    awaiting_viewer: AtomicU32,
    idle_since: AtomicU64,
    head_since: AtomicU64,
    taken_at: AtomicU64,
    blocked_since: AtomicU64,
    ending_since: AtomicU64,
    ended: AtomicBool,
    reset: AtomicBool,
    tunnel: AtomicBool,
    order: AtomicU8,
    waker: AtomicWaker,
}

/// A request from its head to the end of its reply.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Pulse>);

/// A reply whose next bytes wait for the viewer to take them.
#[derive(Debug)]
pub(crate) struct Waiting {
    pulse: Arc<Pulse>,
    waiting: bool,
}

impl Pulse {
    fn now(&self) -> u64 {
        self.ticks.0.load(Relaxed)
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        if !self.framed && self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.now(), Relaxed);
        }
    }

    /// A head is complete.
    pub(crate) fn request_begins(self: &Arc<Self>) -> InFlight {
        self.head_since.store(0, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }

    /// A reply is handed over to the connection.
    pub(crate) fn reply_begins(self: &Arc<Self>) -> Waiting {
        let mut waiting = Waiting { pulse: self.clone(), waiting: false };
        self.taken_at.store(self.now(), Relaxed);
        waiting.for_viewer(true);
        waiting
    }

    /// The socket takes bytes, or does not.
    pub(crate) fn blocked(&self, blocked: bool) {
        if !blocked {
            self.blocked_since.store(0, Relaxed);
        } else if self.blocked_since.load(Relaxed) == 0 {
            self.blocked_since.store(self.now(), Relaxed);
        }
    }

    /// Our end was sent; only the viewer's is missing.
    pub(crate) fn ended(&self) {
        if !self.ended.swap(true, Relaxed) {
            self.ending_since.store(self.now(), Relaxed);
        }
    }

    /// The reply's end cannot be seen by its viewer, so the connection must end with a reset.
    pub(crate) fn end_with_reset(&self) {
        self.reset.store(true, Relaxed);
    }

    /// Whether [`end_with_reset`](Self::end_with_reset) was called.
    pub(crate) fn ends_with_reset(&self) -> bool {
        self.reset.load(Relaxed)
    }

    /// The reply is a 101: what follows it are the bytes of a tunnel.
    pub(crate) fn becomes_tunnel(&self) {
        self.tunnel.store(true, Relaxed);
    }

    /// Whether [`becomes_tunnel`](Self::becomes_tunnel) was called.
    pub(crate) fn is_tunnel(&self) -> bool {
        self.tunnel.load(Relaxed)
    }

    /// What to do now; `waker` is woken when that changes.
    pub(crate) fn order(&self, waker: &Waker) -> Order {
        self.waker.register(waker);
        match self.order.load(Relaxed) {
            0 => Order::Serve,
            1 => Order::Close,
            _ => Order::Break,
        }
    }

    /// Whether the connection finishes only what it has in flight.
    pub(crate) fn is_closing(&self) -> bool {
        self.order.load(Relaxed) != Order::Serve as u8
    }

    fn obey(&self, order: Order) {
        if self.order.fetch_max(order as u8, Relaxed) < order as u8 {
            if order == Order::Close {
                self.ending_since.store(self.now(), Relaxed);
            }
            self.waker.wake();
        }
    }

    fn seen(&self) -> Seen {
        let since = |time: &AtomicU64| Some(time.load(Relaxed)).filter(|time| *time != 0);
        Seen {
            requests: self.in_flight.load(Relaxed),
            awaiting_viewer: self.awaiting_viewer.load(Relaxed) > 0,
            idle_since: self.idle_since.load(Relaxed),
            head_since: since(&self.head_since),
            taken_at: self.taken_at.load(Relaxed),
            blocked_since: since(&self.blocked_since),
            ending_since: since(&self.ending_since),
            ended: self.ended.load(Relaxed),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.now(), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Waiting {
    /// The connection asks for more of the reply (`false`), or got some and writes it (`true`).
    pub(crate) fn for_viewer(&mut self, waiting: bool) {
        if waiting == self.waiting {
            return;
        }
        self.waiting = waiting;
        if waiting {
            self.pulse.awaiting_viewer.fetch_add(1, Relaxed);
        } else {
            self.pulse.taken_at.store(self.pulse.now(), Relaxed);
            self.pulse.awaiting_viewer.fetch_sub(1, Relaxed);
        }
    }

    /// The connection the reply goes to.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.for_viewer(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_follow_a_request_through_the_connection() {
        let pulses = Pulses::new(Limits::default(), Arc::new(Semaphore::new(1)));
        let pulse = pulses.register(false);
        pulses.sweep(1_000);
        pulse.received();
        assert_eq!(pulse.seen().head_since, Some(1_000));
        let request = pulse.request_begins();
        pulse.received();
        assert_eq!((pulse.seen().head_since, pulse.seen().requests), (None, 1));
        let mut reply = pulse.reply_begins();
        assert!(pulse.seen().awaiting_viewer);
        reply.for_viewer(false);
        pulses.sweep(2_000);
        reply.for_viewer(true);
        drop(reply);
        assert!(!pulse.seen().awaiting_viewer);
        drop(request);
        assert_eq!((pulse.seen().requests, pulse.seen().idle_since), (0, 2_000));
        pulses.sweep(62_000);
        assert_eq!(pulse.order(Waker::noop()), Order::Close);
        drop(pulse);
        pulses.sweep(63_000);
        assert!(pulses.lock().is_empty());
    }

    #[test]
    fn a_connection_that_comes_during_a_drain_is_told_to_finish() {
        let pulses = Pulses::new(Limits::default(), Arc::new(Semaphore::new(1)));
        let before = pulses.register(false);
        assert_eq!(before.order(Waker::noop()), Order::Serve);
        pulses.close_all();
        let after = pulses.register(true);
        for pulse in [before, after] {
            assert_eq!(pulse.order(Waker::noop()), Order::Close);
        }
    }
}
