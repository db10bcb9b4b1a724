//! A moment on the monotonic clock, in half the room of a `Duration`.

use std::time::Duration;

/// A moment on the monotonic clock, to the nanosecond; what lies beyond the year 2554 is that year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(u64);

impl From<Duration> for Moment {
    fn from(since_epoch: Duration) -> Self {
        Self(u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Moment> for Duration {
    fn from(Moment(nanoseconds): Moment) -> Self {
        Duration::from_nanos(nanoseconds)
    }
}
