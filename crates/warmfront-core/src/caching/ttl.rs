//! The arithmetic of lifetimes: what the origin said, within MinTTL and MaxTTL (cloudfront.md §3.1), or what
//! is made up where it said nothing.
//!
//! Whether a response may be stored at all is decided in `storable`.

use std::fmt;
use std::time::{Duration, SystemTime};

use ::http::header;

use super::cache_control::{CacheControl, MAX_SECONDS};
use super::storable::Response;
use super::{CacheRules, Forbids, UnnamedLifetime};
use crate::http::date;
use crate::policy::TtlBounds;

/// How long a stored response may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lifetime {
    /// Fresh this long from the moment of storing; the origin's Age is already taken off.
    pub fresh_for: Duration,
    /// After that: how long it may answer while it is being revalidated.
    pub stale_while_revalidate: Duration,
    /// After `fresh_for`, beside `stale_while_revalidate`: how long it may answer for an origin that
    /// cannot be reached or answers 5xx. CloudFront's rule: the smaller of what the origin says in
    /// its own stale-if-error and MaxTTL, and MaxTTL when it says nothing.
    pub stale_if_error: Duration,
    /// How old the response was when it came (RFC 9111 §4.2.3); CloudFront's rules take what its Age says.
    pub initial_age: Duration,
    /// Where `fresh_for` comes from.
    pub rule: TtlRule,
}

/// Which rule gave a lifetime. Its text is for the log and for `explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TtlRule {
    /// What named the lifetime.
    pub source: TtlSource,
    /// What moved it, if anything did.
    pub limit: Option<TtlLimit>,
}

/// What named a lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TtlSource {
    /// The origin's `s-maxage`.
    SMaxage(Duration),
    /// The origin's `max-age`.
    MaxAge(Duration),
    /// The origin's Expires, counted from now; zero when it is past or not a date.
    Expires(Duration),
    /// The origin named none.
    DefaultTtl(Duration),
    /// The origin named none: a tenth of this time, which lies between Last-Modified and Date, or a day.
    Heuristic(Duration),
    /// The origin named none, and there is nothing to guess from.
    Unnamed,
    /// The origin says no-cache: it is asked each time.
    NoCache,
    /// The origin forbade storing, and MinTTL is greater than zero.
    MinTtlDespite(Forbids, Duration),
    /// An error response without a lifetime of its own.
    ErrorCachingMinTtl(Duration),
}

/// What moved a lifetime away from its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TtlLimit {
    /// Raised to MinTTL.
    MinTtl(Duration),
    /// Lowered to MaxTTL.
    MaxTtl(Duration),
    /// Raised to ErrorCachingMinTTL.
    ErrorCachingMinTtl(Duration),
}

/// The lifetime that the origin itself names, and what is left of it when the response arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Explicit {
    pub(super) source: TtlSource,
    pub(super) remaining: Duration,
}

/// How long a response may answer that is no error of CloudFront's table, and by which rule.
pub(super) fn answer(response: &Response<'_>) -> (Duration, TtlRule) {
    let ttl = response.facts.ttl;
    match (explicit(response), response.facts.rules.unnamed_lifetime) {
        (Some(named), _) => bounded(named, ttl),
        (None, UnnamedLifetime::DefaultTtl) => {
            (ttl.default(), TtlRule { source: TtlSource::DefaultTtl(ttl.default()), limit: None })
        }
        (None, UnnamedLifetime::Heuristic) => bounded(heuristic(response), ttl),
    }
}

/// s-maxage before max-age before Expires; `None` when the origin says none of them.
///
/// Age has used up a part of the lifetime (RFC 9111 §4.2.3; CloudFront's guide is silent).
pub(super) fn explicit(response: &Response<'_>) -> Option<Explicit> {
    let Response { facts, control, age, now } = *response;
    if let Some(said) = control.s_maxage {
        let remaining = said.saturating_sub(age);
        return Some(Explicit { source: TtlSource::SMaxage(said), remaining });
    }
    if let Some(said) = control.max_age {
        let remaining = said.saturating_sub(age);
        return Some(Explicit { source: TtlSource::MaxAge(said), remaining });
    }
    if control.is_targeted {
        return None;
    }
    let mut lines = facts.headers.get_all(header::EXPIRES).iter();
    let first = lines.next()?;
    // RFC 9111 §5.3: what is no date is a time in the past; two different lines are no date.
    let expires = if lines.all(|line| line == first) { date::parse(first) } else { None };
    let until = |then: SystemTime| expires.and_then(|e| e.duration_since(then).ok());
    let century = Duration::from_secs(MAX_SECONDS);
    if facts.rules.corrects_age {
        // RFC 9111 §4.2.1: by the clock of whoever wrote both.
        let said = until(sent(response)).unwrap_or_default().min(century);
        let remaining = said.saturating_sub(age);
        return Some(Explicit { source: TtlSource::Expires(said), remaining });
    }
    // An Expires that is no later than its Date is past, whatever the clock of the origin shows.
    let is_past = facts
        .headers
        .get(header::DATE)
        .and_then(date::parse)
        .is_some_and(|sent| until(sent).is_none_or(|left| left.is_zero()));
    let said = if is_past { Duration::ZERO } else { until(now).unwrap_or_default().min(century) };
    // Expires is a moment, so time spent on the way is in it already, provided that the clocks
    // agree. Where Age and Date say that less is left, less is left.
    let remaining = match facts.headers.get(header::DATE).and_then(date::parse) {
        _ if age.is_zero() => said,
        Some(sent) => said.min(until(sent).unwrap_or_default().saturating_sub(age)),
        None => said.saturating_sub(age),
    };
    Some(Explicit { source: TtlSource::Expires(said), remaining })
}

/// RFC 9111 §4.2.2: a tenth of the time that the response had not changed for when it was sent.
///
/// A day at most, as long as it takes whoever changed something rare to wonder. Nothing is guessed from
/// other fields.
fn heuristic(response: &Response<'_>) -> Explicit {
    let modified = response.facts.headers.get(header::LAST_MODIFIED).and_then(date::parse);
    let Some(modified) = modified else {
        return Explicit { source: TtlSource::Unnamed, remaining: Duration::ZERO };
    };
    let unchanged = sent(response).duration_since(modified).unwrap_or_default();
    let guessed = (unchanged / 10).min(MAX_HEURISTIC);
    let remaining = guessed.saturating_sub(response.age);
    Explicit { source: TtlSource::Heuristic(unchanged), remaining }
}

const MAX_HEURISTIC: Duration = Duration::from_secs(24 * 60 * 60);

/// When the origin sent the response: now, where Date does not say (RFC 9110 §6.6.1).
fn sent(response: &Response<'_>) -> SystemTime {
    response.facts.headers.get(header::DATE).and_then(date::parse).unwrap_or(response.now)
}

/// A lifetime within `ttl`. With a MinTTL of zero only MaxTTL limits.
pub(super) fn bounded(explicit: Explicit, ttl: &TtlBounds) -> (Duration, TtlRule) {
    let Explicit { source, remaining } = explicit;
    if remaining > ttl.max() {
        (ttl.max(), TtlRule { source, limit: Some(TtlLimit::MaxTtl(ttl.max())) })
    } else if remaining < ttl.min() {
        (ttl.min(), TtlRule { source, limit: Some(TtlLimit::MinTtl(ttl.min())) })
    } else {
        (remaining, TtlRule { source, limit: None })
    }
}

/// An error's lifetime: the origin's, at most MaxTTL, and ErrorCachingMinTTL at least
/// (CloudFront guide: how long CloudFront caches errors).
pub(super) fn error_bounded(
    explicit: Option<Explicit>,
    max: Duration,
    error_caching_min_ttl: Duration,
) -> (Duration, TtlRule) {
    let Some(Explicit { source, remaining }) = explicit else {
        let source = TtlSource::ErrorCachingMinTtl(error_caching_min_ttl);
        return (error_caching_min_ttl, TtlRule { source, limit: None });
    };
    let lowered = remaining.min(max);
    if lowered < error_caching_min_ttl {
        let limit = Some(TtlLimit::ErrorCachingMinTtl(error_caching_min_ttl));
        (error_caching_min_ttl, TtlRule { source, limit })
    } else {
        let limit = (lowered < remaining).then_some(TtlLimit::MaxTtl(max));
        (lowered, TtlRule { source, limit })
    }
}

/// How long after expiry a copy may answer: while it is revalidated, and for a failing origin.
///
/// CloudFront guide, restated in cloudfront.md §3.6: both windows are the smaller of what the
/// directive says and MaxTTL. An origin that sends neither directive gets the stale copy for as
/// long as it is in the cache, and none beyond MaxTTL. Both windows open at expiry, so that an
/// object whose lifetime already is MaxTTL can answer for its origin too; one that says only
/// stale-while-revalidate leaves stale-if-error open in the same way.
/// must-revalidate and proxy-revalidate forbid both (RFC 9111 §4.2.4; the guide is silent), and so does s-maxage,
/// which means proxy-revalidate, too (§5.2.2.10): CloudFront takes a directive beside it for an exception.
pub(super) fn stale_windows(
    control: &CacheControl,
    ttl: &TtlBounds,
    rules: CacheRules,
) -> (Duration, Duration) {
    let forbidden = control.must_revalidate
        || control.proxy_revalidate
        || (rules.s_maxage_forbids_stale && control.s_maxage.is_some());
    if forbidden {
        return (Duration::ZERO, Duration::ZERO);
    }
    let unsaid = if control.s_maxage.is_some() { Duration::ZERO } else { Duration::MAX };
    (
        control.stale_while_revalidate.unwrap_or_default().min(ttl.max()),
        control.stale_if_error.unwrap_or(unsaid).min(ttl.max()),
    )
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: fresh for {} s", self.rule, self.fresh_for.as_secs())?;
        if self.initial_age.is_zero() {
            Ok(())
        } else {
            write!(f, " ({} s old when it came)", self.initial_age.as_secs())
        }
    }
}

impl fmt::Display for TtlRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source {
            TtlSource::SMaxage(said) => write!(f, "s-maxage={}", said.as_secs()),
            TtlSource::MaxAge(said) => write!(f, "max-age={}", said.as_secs()),
            TtlSource::Expires(Duration::ZERO) => f.write_str("Expires in the past"),
            TtlSource::Expires(said) => write!(f, "Expires in {} s", said.as_secs()),
            TtlSource::DefaultTtl(ttl) => write!(f, "DefaultTTL={}", ttl.as_secs()),
            TtlSource::Heuristic(unchanged) => {
                write!(f, "a tenth of the {} s since Last-Modified", unchanged.as_secs())?;
                if unchanged / 10 > MAX_HEURISTIC { f.write_str(", a day at most") } else { Ok(()) }
            }
            TtlSource::Unnamed => f.write_str("no lifetime is named"),
            TtlSource::NoCache => f.write_str("no-cache, so it is asked about each time"),
            TtlSource::MinTtlDespite(forbids, ttl) => {
                write!(f, "MinTTL={} although the origin says {forbids}", ttl.as_secs())
            }
            TtlSource::ErrorCachingMinTtl(ttl) => {
                write!(f, "ErrorCachingMinTTL={}", ttl.as_secs())
            }
        }?;
        match self.limit {
            None => Ok(()),
            Some(TtlLimit::MinTtl(ttl)) => write!(f, ", raised to MinTTL={}", ttl.as_secs()),
            Some(TtlLimit::MaxTtl(ttl)) => write!(f, ", lowered to MaxTTL={}", ttl.as_secs()),
            Some(TtlLimit::ErrorCachingMinTtl(ttl)) => {
                write!(f, ", raised to ErrorCachingMinTTL={}", ttl.as_secs())
            }
        }
    }
}
