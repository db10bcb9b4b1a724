//! How long a connection may wait, and for what: a decision over times, without any clock.
//!
//! Times are milliseconds on the clock of [`pulse`](super::pulse), which notes them and asks.

use std::time::Duration;

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

/// A pulse, read once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Requests whose reply is not over.
    pub(super) requests: u32,
    /// A reply has bytes that wait for the viewer to take them.
    pub(super) awaiting_viewer: bool,
    /// When the last reply was over, or the connection came.
    pub(super) idle_since: u64,
    /// When the first byte of a head came that is not complete.
    pub(super) head_since: Option<u64>,
    /// When a viewer last took some of a reply.
    pub(super) taken_at: u64,
    /// Since when the socket takes no bytes.
    pub(super) blocked_since: Option<u64>,
    /// Since when the connection is to end.
    pub(super) ending_since: Option<u64>,
    /// Our end was sent.
    pub(super) ended: bool,
}

/// Whether a connection has waited too long at `now`.
pub(super) fn verdict(seen: &Seen, now: u64, limits: &Limits) -> Order {
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
}
