//! Why the cache answered a request as it did: what a look found, how the response came where that did not
//! answer, why it is not stored. In words for people, as names for counters.
//!
//! What a look may find is [`Verdict`]'s, what forbids storing core's [`NotStored`]; this room adds what lies
//! between, and keeps all of it for the request's record.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use warmfront_core::caching::NotStored;
use warmfront_core::compression::Compression;

use crate::lookup::Verdict;

/// What the cache had to do with a request. Empty where it was never asked: refusals, redirects, tunnels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheRecord {
    /// What the first look found; `None` when nobody looked.
    pub found: Option<Verdict>,
    /// How the response came, where what was found did not answer.
    pub came: Option<Came>,
    /// Why the response is not stored.
    pub not_stored: Option<NotStored>,
    /// Whether the edge compressed what the origin sent to this request; `None` where the behavior compresses
    /// nothing, or the response was not the origin's.
    pub compression: Option<Compression>,
    /// From the request's head to the moment when it was settled which response answers.
    pub settled: Option<Duration>,
}

/// How a response came that was not in the cache, or not fit to answer by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// The origin sent it to this request.
    Fetched,
    /// The origin sent it to another request for the same object; this one waited for it.
    Shared,
    /// The origin confirmed what was stored.
    Confirmed,
    /// The origin failed, and what was stored stands in.
    InsteadOfFailure,
    /// The origin gave no response.
    Failed,
    /// The origin sent it to this request alone, for this reason.
    Alone(Alone),
    /// It did not: the viewer takes only what is stored.
    OnlyIfCached,
}

/// Why nobody else waits for the answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// The behavior's CachedMethods do not name its method.
    Method,
    /// All TTLs are 0.
    CachingDisabled,
    /// It brings a body.
    HasBody,
    /// HEAD of what is not stored: its answer has no body to store.
    Head,
    /// It asks for a part, or sets a condition that the origin gets.
    Personal,
    /// Cookies are forwarded, and CloudFront collapses no such requests.
    Cookies,
    /// It fetches an error page.
    ErrorPage,
    /// The fetch under way brings a body that is too long to share from its start.
    TooLate,
    /// It waited for another request's answer, which turned out to be for that request alone.
    NotShared,
    /// The viewer wants its answer not to be stored.
    NoStore,
}

impl CacheRecord {
    /// Whether the cache had anything to do with the request.
    pub fn is_empty(&self) -> bool {
        self.found.is_none() && self.came.is_none()
    }
}

impl fmt::Display for CacheRecord {
    /// `expired; confirmed by the origin`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(found) = self.found {
            write!(f, "{found}")?;
            separator = "; ";
        }
        if let Some(came) = self.came {
            write!(f, "{separator}{came}")?;
            separator = "; ";
        }
        if let Some(reason) = self.not_stored {
            write!(f, "{separator}not stored: {reason}")?;
            separator = "; ";
        }
        if let Some(compression) = self.compression {
            write!(f, "{separator}compression: {compression}")?;
        }
        Ok(())
    }
}

impl Came {
    /// The names of all, for counters.
    pub const NAMES: [&'static str; 16] = [
        "fetched",
        "shared",
        "confirmed",
        "instead-of-failure",
        "failed",
        "alone-method",
        "alone-caching-disabled",
        "alone-body",
        "alone-head",
        "alone-personal",
        "alone-cookies",
        "alone-error-page",
        "alone-too-late",
        "alone-not-shared",
        "alone-no-store",
        "only-if-cached",
    ];

    /// A stable name: one of [`Came::NAMES`].
    pub fn name(self) -> &'static str {
        match self {
            Came::Fetched => "fetched",
            Came::Shared => "shared",
            Came::Confirmed => "confirmed",
            Came::InsteadOfFailure => "instead-of-failure",
            Came::Failed => "failed",
            Came::OnlyIfCached => "only-if-cached",
            Came::Alone(alone) => match alone {
                Alone::Method => "alone-method",
                Alone::CachingDisabled => "alone-caching-disabled",
                Alone::HasBody => "alone-body",
                Alone::Head => "alone-head",
                Alone::Personal => "alone-personal",
                Alone::Cookies => "alone-cookies",
                Alone::ErrorPage => "alone-error-page",
                Alone::TooLate => "alone-too-late",
                Alone::NotShared => "alone-not-shared",
                Alone::NoStore => "alone-no-store",
            },
        }
    }
}

impl fmt::Display for Came {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Came::Fetched => f.write_str("fetched"),
            Came::Shared => f.write_str("shared the fetch of another request"),
            Came::Confirmed => f.write_str("confirmed by the origin"),
            Came::InsteadOfFailure => f.write_str("stale, in place of a failing origin"),
            Came::Failed => f.write_str("the origin gave no response"),
            Came::OnlyIfCached => f.write_str("the viewer takes only what is stored"),
            Came::Alone(alone) => write!(f, "fetched alone, {alone}"),
        }
    }
}

impl fmt::Display for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Alone::Method => "because its method is not cached here",
            Alone::CachingDisabled => "because all TTLs are 0",
            Alone::HasBody => "because it has a body",
            Alone::Head => "because the answer to HEAD has no body to store",
            Alone::Personal => "because it asks for a part or sets a condition",
            Alone::Cookies => "because cookies are forwarded",
            Alone::ErrorPage => "because it fetches an error page",
            Alone::TooLate => "because the fetch under way is too far to join",
            Alone::NoStore => "because the viewer wants nothing of it stored",
            Alone::NotShared => "because what it waited for was for another request only",
        })
    }
}

/// Gathers a request's [`CacheRecord`] while it is answered. Writing it costs no allocation.
#[derive(Debug, Default)]
pub(crate) struct Told {
    found: OnceLock<Verdict>,
    came: OnceLock<Came>,
    not_stored: OnceLock<NotStored>,
    /// Nanoseconds, and one; 0 for never.
    settled: AtomicU64,
}

impl Told {
    /// A look into the cache; the first one counts.
    pub(crate) fn found(&self, verdict: Verdict) {
        let _ = self.found.set(verdict);
    }

    /// How the response came; the first one counts.
    pub(crate) fn came(&self, came: Came) {
        let _ = self.came.set(came);
    }

    /// The response is not stored.
    pub(crate) fn not_stored(&self, reason: NotStored) {
        let _ = self.not_stored.set(reason);
    }

    /// It is settled which response answers, so long after the request came; the last one counts.
    pub(crate) fn settled(&self, after: Duration) {
        let nanoseconds = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        self.settled.store(nanoseconds.saturating_add(1), Relaxed);
    }

    /// What was told so far; whether the response was compressed is known elsewhere.
    pub(crate) fn record(&self) -> CacheRecord {
        let settled = self.settled.load(Relaxed).checked_sub(1);
        CacheRecord {
            found: self.found.get().copied(),
            came: self.came.get().copied(),
            not_stored: self.not_stored.get().copied(),
            compression: None,
            settled: settled.map(Duration::from_nanos),
        }
    }
}

#[cfg(test)]
mod tests {
    use warmfront_core::compression::NotCompressed;

    use super::*;

    #[test]
    fn a_record_reads_like_a_sentence() {
        let check = |found, came, not_stored, expected: &str| {
            let record = CacheRecord { found, came, not_stored, ..CacheRecord::default() };
            assert_eq!(record.to_string(), expected);
        };
        check(Some(Verdict::Fresh), None, None, "fresh");
        check(
            Some(Verdict::Expired),
            Some(Came::Confirmed),
            None,
            "expired; confirmed by the origin",
        );
        check(
            Some(Verdict::NothingStored),
            Some(Came::Alone(Alone::NotShared)),
            Some(NotStored::VaryStar),
            "nothing stored; fetched alone, because what it waited for was for another request \
             only; not stored: the origin says Vary: *, which no other request matches",
        );
        check(None, None, None, "");
        let compression = Some(Compression::Not(NotCompressed::Size(5)));
        let record = CacheRecord { came: Some(Came::Fetched), compression, ..Default::default() };
        let expected = "fetched; compression: none: its 5 bytes are not within 1000 to 10000000";
        assert_eq!(record.to_string(), expected);
    }

    #[test]
    fn names_are_those_that_counters_know() {
        let alone = [
            Alone::Method,
            Alone::CachingDisabled,
            Alone::HasBody,
            Alone::Head,
            Alone::Personal,
            Alone::Cookies,
            Alone::ErrorPage,
            Alone::TooLate,
            Alone::NotShared,
            Alone::NoStore,
        ];
        let came =
            [Came::Fetched, Came::Shared, Came::Confirmed, Came::InsteadOfFailure, Came::Failed];
        let all = came.into_iter().chain(alone.map(Came::Alone)).chain([Came::OnlyIfCached]);
        assert_eq!(all.map(Came::name).collect::<Vec<_>>(), Came::NAMES);
    }

    #[test]
    fn the_first_look_and_the_last_settlement_count() {
        let told = Told::default();
        assert_eq!(told.record(), CacheRecord::default());
        told.found(Verdict::Expired);
        told.found(Verdict::Fresh);
        told.settled(Duration::ZERO);
        assert_eq!(told.record().settled, Some(Duration::ZERO));
        told.settled(Duration::from_secs(2));
        let record = told.record();
        assert_eq!(record.found, Some(Verdict::Expired));
        assert_eq!(record.settled, Some(Duration::from_secs(2)));
        assert!(!record.is_empty());
    }
}
