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

/// How long a connection may wait, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// For the rest of a request's head, and for a TLS handshake.
    pub(crate) head: Duration,
    /// For the next request, or the first.
    pub(crate) keep_alive: Duration,
    /// The same, while every place is taken and others wait for one.
    pub(crate) crowded_keep_alive: Duration,
    /// For the next bytes of a request's body.
    pub(crate) body_idle: Duration,
    /// For a viewer that takes nothing of a reply.
    pub(crate) write_stall: Duration,
    /// For the viewer's own end, after ours was sent: a viewer still sending must get to read our reply
    /// before its bytes make the kernel reset the connection.
    pub(crate) linger: Duration,
    /// For the reply to our HTTP/2 GOAWAY on an idle connection.
    pub(crate) goodbye: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            crowded_keep_alive: Duration::from_secs(1),
            body_idle: Duration::from_secs(30),
            write_stall: Duration::from_secs(60),
            linger: Duration::from_secs(2),
            goodbye: Duration::from_secs(5),
        }
    }
}

/// What a connection has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Go on.
    Serve,
    /// Finish what is in flight, take nothing new.
    Close,
    /// Stop at once.
    Break,
}

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
            order: AtomicU8::new(Order::Serve as u8),
            waker: AtomicWaker::new(),
        });
        self.lock().push(Arc::downgrade(&pulse));
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

    /// Every connection finishes what it has in flight.
    pub(crate) fn close_all(&self) {
        for pulse in self.lock().iter().filter_map(Weak::upgrade) {
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

/// A pulse, read once.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    requests: u32,
    awaiting_viewer: bool,
    idle_since: u64,
    head_since: Option<u64>,
    taken_at: u64,
    blocked_since: Option<u64>,
    ending_since: Option<u64>,
    ended: bool,
}

/// Whether a connection has waited too long at `now`.
fn verdict(seen: &Seen, now: u64, limits: &Limits) -> Order {
    let over = |since: u64, limit: Duration| now.saturating_sub(since) >= limit.as_millis() as u64;
    if let Some(since) = seen.ending_since {
        if seen.ended && over(since, limits.linger) {
            return Order::Break;
        }
        if seen.requests == 0 && over(since, limits.goodbye) {
            return Order::Break;
        }
    }
    if seen.blocked_since.is_some_and(|since| over(since, limits.write_stall)) {
        return Order::Break;
    }
    if seen.awaiting_viewer && over(seen.taken_at, limits.write_stall) {
        return Order::Break;
    }
    if seen.requests > 0 || seen.ending_since.is_some() {
        return Order::Serve;
    }
    match seen.head_since {
        Some(since) if over(since, limits.head) => Order::Break,
        Some(_) => Order::Serve,
        None if over(seen.idle_since, limits.keep_alive) => Order::Close,
        None => Order::Serve,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seen: Seen, now: u64, order: Order) {
        assert_eq!(verdict(&seen, now * 1000, &Limits::default()), order);
    }

    #[test]
    fn an_idle_connection_is_closed_after_sixty_seconds() {
        let seen = Seen { idle_since: 5_000, ..Seen::default() };
        check(seen, 64, Order::Serve);
        check(seen, 65, Order::Close);
        check(Seen { requests: 1, ..seen }, 1000, Order::Serve);
    }

    #[test]
    fn half_a_head_is_broken_off_after_ten_seconds() {
        let seen = Seen { head_since: Some(5_000), idle_since: 1, ..Seen::default() };
        check(seen, 14, Order::Serve);
        check(seen, 15, Order::Break);
        check(seen, 100, Order::Break);
    }

    #[test]
    fn a_viewer_that_takes_nothing_is_broken_off_after_sixty_seconds() {
        let blocked = Seen { requests: 1, blocked_since: Some(10_000), ..Seen::default() };
        check(blocked, 69, Order::Serve);
        check(blocked, 70, Order::Break);
        let untaken =
            Seen { requests: 3, awaiting_viewer: true, taken_at: 10_000, ..Seen::default() };
        check(untaken, 69, Order::Serve);
        check(untaken, 70, Order::Break);
        // The origin is slow, the viewer is not: nothing is waiting to be taken.
        check(Seen { awaiting_viewer: false, ..untaken }, 1000, Order::Serve);
    }

    #[test]
    fn a_closed_connection_waits_two_seconds_for_the_viewers_end() {
        let seen = Seen { ending_since: Some(10_000), ended: true, ..Seen::default() };
        check(seen, 11, Order::Serve);
        check(seen, 12, Order::Break);
    }

    #[test]
    fn a_goodbye_without_an_answer_ends_after_five_seconds_but_never_a_request() {
        let seen = Seen { ending_since: Some(10_000), ..Seen::default() };
        check(seen, 14, Order::Serve);
        check(seen, 15, Order::Break);
        check(Seen { requests: 1, ..seen }, 40, Order::Serve);
    }

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
}
