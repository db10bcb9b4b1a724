//! Whether a stored response may answer now, and how old it is. Runs on every hit: no allocation.
//!
//! `resident` is the time since the response was stored or last confirmed, on the monotonic clock;
//! a wall clock that jumps changes nothing here.

use std::time::Duration;

use super::Lifetime;

/// May a stored response answer?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Yes.
    Fresh,
    /// Yes, while one request in the background asks the origin.
    StaleWhileRevalidate,
    /// Only after the origin confirmed it, or when the origin fails
    /// ([`may_answer_for_failing_origin`]).
    Stale,
}

/// How `lifetime` stands after `resident`.
pub fn freshness(lifetime: &Lifetime, resident: Duration) -> Freshness {
    if resident < lifetime.fresh_for {
        Freshness::Fresh
    } else if resident < lifetime.fresh_for.saturating_add(lifetime.stale_while_revalidate) {
        Freshness::StaleWhileRevalidate
    } else {
        Freshness::Stale
    }
}

/// Whether the stored response may stand in for an origin that cannot be reached or answers 500-599.
/// Never for one that answers 4xx: that answer goes to the viewer.
pub fn may_answer_for_failing_origin(lifetime: &Lifetime, resident: Duration) -> bool {
    resident < lifetime.fresh_for.saturating_add(lifetime.stale_if_error)
}

/// The Age header of a reply from the cache: rounded down once, after adding.
pub fn age(lifetime: &Lifetime, resident: Duration) -> u64 {
    lifetime.initial_age.saturating_add(resident).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caching::{TtlRule, TtlSource};

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lifetime(fresh: u64, while_revalidate: u64, if_error: u64) -> Lifetime {
        Lifetime {
            fresh_for: secs(fresh),
            stale_while_revalidate: secs(while_revalidate),
            stale_if_error: secs(if_error),
            initial_age: Duration::ZERO,
            rule: TtlRule { source: TtlSource::MaxAge(secs(fresh)), limit: None },
        }
    }

    #[track_caller]
    fn check(lifetime: Lifetime, millis: u64, expected: Freshness, for_failing_origin: bool) {
        let resident = Duration::from_millis(millis);
        assert_eq!(freshness(&lifetime, resident), expected, "after {millis} ms");
        assert_eq!(
            may_answer_for_failing_origin(&lifetime, resident),
            for_failing_origin,
            "for a failing origin after {millis} ms"
        );
    }

    #[test]
    fn a_response_is_fresh_until_its_lifetime_is_reached() {
        check(lifetime(10, 0, 0), 0, Freshness::Fresh, true);
        check(lifetime(10, 0, 0), 9_999, Freshness::Fresh, true);
        check(lifetime(10, 0, 0), 10_000, Freshness::Stale, false);
    }

    #[test]
    fn a_lifetime_of_zero_is_stale_at_once_but_may_stand_in_for_its_origin() {
        check(lifetime(0, 0, 0), 0, Freshness::Stale, false);
        check(lifetime(0, 0, 60), 59_999, Freshness::Stale, true);
        check(lifetime(0, 0, 60), 60_000, Freshness::Stale, false);
    }

    #[test]
    fn both_stale_windows_open_when_the_lifetime_ends() {
        check(lifetime(10, 5, 20), 14_999, Freshness::StaleWhileRevalidate, true);
        check(lifetime(10, 5, 20), 15_000, Freshness::Stale, true);
        check(lifetime(10, 5, 20), 30_000, Freshness::Stale, false);
        check(lifetime(10, 20, 5), 15_000, Freshness::StaleWhileRevalidate, false);
    }

    #[test]
    fn the_largest_times_do_not_overflow() {
        let endless = Lifetime { fresh_for: Duration::MAX, ..lifetime(0, 9, 9) };
        assert_eq!(freshness(&endless, secs(u64::MAX)), Freshness::Fresh);
        assert!(may_answer_for_failing_origin(&endless, secs(u64::MAX)));
        let old = Lifetime { initial_age: Duration::MAX, ..endless };
        assert_eq!(age(&old, secs(1)), u64::MAX);
    }

    #[test]
    fn age_counts_on_from_what_the_origin_said_and_is_rounded_down_once() {
        let arrived = Lifetime { initial_age: secs(30), ..lifetime(60, 0, 0) };
        assert_eq!(age(&arrived, Duration::from_millis(1_999)), 31);
        assert_eq!(age(&lifetime(60, 0, 0), Duration::from_millis(999)), 0);
    }
}
