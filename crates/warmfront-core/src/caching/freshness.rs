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
