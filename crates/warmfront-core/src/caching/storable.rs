//! Whether a shared cache may keep a response, and for how long (cloudfront.md §3.1, §3.11).
//!
//! Two deliberate differences from CloudFront, both toward keeping less. It retains responses
//! marked no-store, no-cache or private for the hour when the origin is down; here they are not
//! stored at all while MinTTL is zero. And it stores `Vary: *` only to fetch it again on every
//! request; here it is not stored. Neither changes which requests reach a working origin.

use std::fmt;
use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::cache_control::{self, CacheControl};
use super::ttl::{self, Lifetime, TtlRule, TtlSource};
use super::{CacheRules, vary};
use crate::policy::TtlBounds;

/// What is known when the head of an origin's reply has come. For a reply to GET or HEAD, or to
/// OPTIONS where that is cached; `policy::cache_key::is_cacheable_method` tells the rest apart.
#[derive(Debug, Clone, Copy)]
pub struct ResponseFacts<'a> {
    /// The status of the reply; after a 304, the status of the stored response.
    pub status: StatusCode,
    /// Its headers; after a 304, those that `update_stored` returned.
    pub headers: &'a HeaderMap,
    /// The behavior's TTLs.
    pub ttl: &'a TtlBounds,
    /// ErrorCachingMinTTL for this status; CloudFront's default is 10 s.
    pub error_caching_min_ttl: Duration,
    /// The behavior forwards cookies to the origin. CloudFront stores such responses all the same;
    /// what becomes of their Set-Cookie is `http::storable_head`'s work.
    pub forwards_cookies: bool,
    /// The cache's profile.
    pub rules: CacheRules,
    /// The origin request carried Range.
    pub asked_for_range: bool,
    /// The origin saw an Authorization header that is not in the key.
    pub authorization_unkeyed: bool,
    /// The origin is an S3 bucket.
    pub s3: bool,
}

/// May it be stored?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storable {
    /// Yes, this long.
    For(Lifetime),
    /// No.
    No(NotStored),
}

/// Why not stored: read in logs and in `explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStored {
    /// All three TTLs are zero.
    CachingDisabled,
    /// The origin forbids it and MinTTL is zero.
    OriginForbids(Forbids),
    /// An error that CloudFront keeps only for as long as no directive forbids it.
    ErrorForbidden(Forbids),
    /// The request carried Authorization, which is not in the key.
    Authorization,
    /// `Vary: *` with a MinTTL of zero.
    VaryStar,
    /// 206, or Content-Range on another status, as an answer to Range.
    PartialContent,
    /// The same as an answer to a request without Range: the origin is at fault.
    UnaskedPart,
    /// A status that is never stored.
    Status(StatusCode),
    /// A redirect that is stored only with Cache-Control.
    NeedsCacheControl(StatusCode),
    /// An error that is stored only with max-age or s-maxage.
    NeedsMaxAge(StatusCode),
    /// The error's lifetime is zero.
    ErrorTtlZero,
}

/// The directive that forbids storing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbids {
    /// `no-store`
    NoStore,
    /// `private`
    Private,
    /// `no-cache`
    NoCache,
}

/// Decides about one reply. `now` is wall time, for Expires.
pub fn storable(facts: &ResponseFacts<'_>, now: SystemTime) -> Storable {
    match lifetime(facts, now) {
        Ok(lifetime) => Storable::For(lifetime),
        Err(reason) => Storable::No(reason),
    }
}

fn lifetime(facts: &ResponseFacts<'_>, now: SystemTime) -> Result<Lifetime, NotStored> {
    if facts.ttl.disable_caching() {
        return Err(NotStored::CachingDisabled);
    }
    if is_partial(facts) {
        let asked = facts.asked_for_range;
        return Err(if asked { NotStored::PartialContent } else { NotStored::UnaskedPart });
    }
    let kind = Kind::of(facts.status).ok_or(NotStored::Status(facts.status))?;
    let control = cache_control::parse(facts.headers);
    if facts.authorization_unkeyed && !permits_authorization(&control) {
        return Err(NotStored::Authorization);
    }
    if facts.ttl.min().is_zero() && vary::has_star(facts.headers) {
        return Err(NotStored::VaryStar);
    }
    match kind {
        Kind::Answer => answer_lifetime(facts, &control, now),
        Kind::RedirectWithCacheControl if !control.is_present => {
            Err(NotStored::NeedsCacheControl(facts.status))
        }
        Kind::RedirectWithCacheControl => answer_lifetime(facts, &control, now),
        Kind::Error | Kind::ErrorWithMaxAge => error_lifetime(facts, kind, &control, now),
    }
}

/// How CloudFront's table of status codes treats a status (cloudfront.md §3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By the TTL rules.
    Answer,
    /// By the TTL rules, if there is Cache-Control.
    RedirectWithCacheControl,
    /// Always, for ErrorCachingMinTTL at least.
    Error,
    /// The same, but only when the origin says max-age or s-maxage.
    ErrorWithMaxAge,
}

impl Kind {
    /// `None`: never stored. 416 and the errors that the table leaves out (401, 406, 410, 429 …),
    /// interim replies and 304, and whatever is no HTTP status.
    fn of(status: StatusCode) -> Option<Kind> {
        match status.as_u16() {
            206 | 304 => None,
            307 | 308 => Some(Kind::RedirectWithCacheControl),
            200..=399 => Some(Kind::Answer),
            404 | 414 | 500..=504 => Some(Kind::Error),
            400 | 403 | 405 | 412 | 415 => Some(Kind::ErrorWithMaxAge),
            _ => None,
        }
    }

    /// Which errors no-store, no-cache and private are honored for, MinTTL or not.
    fn is_error_that_may_be_forbidden(status: StatusCode) -> bool {
        matches!(status.as_u16(), 404 | 410 | 414 | 501)
    }
}

/// 2xx and 3xx (cloudfront.md §3.1).
fn answer_lifetime(
    facts: &ResponseFacts<'_>,
    control: &CacheControl,
    now: SystemTime,
) -> Result<Lifetime, NotStored> {
    let ttl = facts.ttl;
    let initial_age = ttl::initial_age(facts.headers);
    let (fresh_for, rule) = if let Some(forbids) = forbids(control) {
        if ttl.min().is_zero() || !facts.rules.min_ttl_overrides_origin {
            return Err(NotStored::OriginForbids(forbids));
        }
        // CloudFront guide, Min TTL: kept even then, for exactly MinTTL; max-age beside the
        // directive changes nothing.
        let source = TtlSource::MinTtlDespite(forbids, ttl.min());
        (ttl.min(), TtlRule { source, limit: None })
    } else if let Some(explicit) = ttl::explicit(control, facts.headers, initial_age, now) {
        ttl::bounded(explicit, ttl)
    } else {
        let default = ttl.default();
        (default, TtlRule { source: TtlSource::DefaultTtl(default), limit: None })
    };
    let (stale_while_revalidate, stale_if_error) = ttl::stale_windows(control, ttl, facts.rules);
    Ok(Lifetime { fresh_for, stale_while_revalidate, stale_if_error, initial_age, rule })
}

/// 4xx and 5xx. An error never answers past its time: a stale error helps nobody.
fn error_lifetime(
    facts: &ResponseFacts<'_>,
    kind: Kind,
    control: &CacheControl,
    now: SystemTime,
) -> Result<Lifetime, NotStored> {
    if Kind::is_error_that_may_be_forbidden(facts.status)
        && let Some(forbids) = forbids(control)
    {
        return Err(NotStored::ErrorForbidden(forbids));
    }
    if kind == Kind::ErrorWithMaxAge && control.max_age.is_none() && control.s_maxage.is_none() {
        return Err(NotStored::NeedsMaxAge(facts.status));
    }
    // CloudFront guide: with an S3 origin, 0 acts like 1 second.
    let least = if facts.s3 { Duration::from_secs(1) } else { Duration::ZERO };
    let error_caching_min_ttl = facts.error_caching_min_ttl.max(least);
    let initial_age = ttl::initial_age(facts.headers);
    let explicit = ttl::explicit(control, facts.headers, initial_age, now);
    let (fresh_for, rule) = ttl::error_bounded(explicit, facts.ttl.max(), error_caching_min_ttl);
    if fresh_for.is_zero() {
        return Err(NotStored::ErrorTtlZero);
    }
    let none = Duration::ZERO;
    Ok(Lifetime {
        fresh_for,
        stale_while_revalidate: none,
        stale_if_error: none,
        initial_age,
        rule,
    })
}

fn forbids(control: &CacheControl) -> Option<Forbids> {
    if control.no_store {
        Some(Forbids::NoStore)
    } else if control.private {
        Some(Forbids::Private)
    } else if control.no_cache {
        Some(Forbids::NoCache)
    } else {
        None
    }
}

/// RFC 9111 §3.5. What one viewer's credentials brought is shared only when the origin says so,
/// and MinTTL cannot say it for the origin.
fn permits_authorization(control: &CacheControl) -> bool {
    let permitted = control.public || control.must_revalidate || control.s_maxage.is_some();
    permitted && forbids(control).is_none()
}

/// A part is never stored as if it were the whole. Parts that were asked for are not kept either:
/// the cache holds whole objects only.
fn is_partial(facts: &ResponseFacts<'_>) -> bool {
    facts.status == StatusCode::PARTIAL_CONTENT
        || facts.headers.get_all(header::CONTENT_RANGE).iter().any(names_a_part)
}

/// `bytes 0-4/10` or `bytes 0-4/*`. A 200 whose Content-Range is nonsense is a 200.
fn names_a_part(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let Some((_unit, range)) = text.split_once(' ') else { return false };
    let Some((positions, _length)) = range.split_once('/') else { return false };
    positions.trim().split_once('-').is_some_and(|(first, last)| {
        let is_number = |n: &str| cache_control::delta_seconds(n.as_bytes()).is_some();
        is_number(first) && is_number(last)
    })
}

impl fmt::Display for NotStored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotStored::CachingDisabled => f.write_str("caching is disabled: all TTLs are 0"),
            NotStored::OriginForbids(directive) => {
                write!(f, "the origin says {directive}, and MinTTL is 0")
            }
            NotStored::ErrorForbidden(directive) => {
                write!(f, "the origin says {directive}, which this error status obeys")
            }
            NotStored::Authorization => f.write_str(
                "the request carried Authorization, which is not in the cache key, and the origin \
                 says none of public, s-maxage, must-revalidate",
            ),
            NotStored::VaryStar => f.write_str("the origin says Vary: *, and MinTTL is 0"),
            NotStored::PartialContent => {
                f.write_str("the response is a part, and only whole objects are stored")
            }
            NotStored::UnaskedPart => f.write_str(
                "the origin sent a part (206 or Content-Range) to a request without Range",
            ),
            NotStored::Status(status) => {
                write!(f, "status {} is never stored", status.as_u16())
            }
            NotStored::NeedsCacheControl(status) => {
                write!(f, "status {} is stored only with Cache-Control", status.as_u16())
            }
            NotStored::NeedsMaxAge(status) => {
                write!(f, "status {} is stored only with max-age or s-maxage", status.as_u16())
            }
            NotStored::ErrorTtlZero => f.write_str(
                "ErrorCachingMinTTL is 0 and the origin names no lifetime for the error",
            ),
        }
    }
}

impl fmt::Display for Forbids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Forbids::NoStore => "no-store",
            Forbids::Private => "private",
            Forbids::NoCache => "no-cache",
        })
    }
}

#[cfg(test)]
mod tests;
