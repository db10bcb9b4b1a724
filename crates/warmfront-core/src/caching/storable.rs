//! Whether a shared cache may keep a response, and for how long.
//!
//! What holds for every cache stands here. By which statuses may be stored, the rest is CloudFront's table
//! (`listed`) or RFC 9111 §3 (`standard`).

mod listed;
mod standard;

use std::fmt;
use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderValue, StatusCode, header};

use super::cache_control::{self, CacheControl};
use super::rules::StorableStatuses;
use super::ttl::Lifetime;
use super::{CacheRules, age, vary};
use crate::origin::OriginKind;
use crate::policy::{TtlBounds, forwards_cookies};
use crate::{Behavior, Distribution, Origin};

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
    /// How long it took from asking to the head of the reply.
    pub delay: Duration,
    /// ErrorCachingMinTTL for this status; CloudFront's default is 10 s, where the rules have one.
    pub error_caching_min_ttl: Duration,
    /// The behavior forwards cookies to the origin. CloudFront stores such responses all the same;
    /// what becomes of their Set-Cookie is `http::storable_head`'s work.
    pub forwards_cookies: bool,
    /// The cache's profile.
    pub rules: CacheRules,
    /// The origin request carried Range.
    pub asked_for_range: bool,
    /// The origin saw an Authorization header, and the key does not keep its answer apart.
    pub authorization_unkeyed: bool,
    /// The origin is an S3 bucket.
    pub s3: bool,
}

impl<'a> ResponseFacts<'a> {
    /// What is known of a reply that came `delay` after `origin` was sent a request with the headers `sent`.
    pub fn of(
        distribution: &Distribution,
        behavior: &'a Behavior,
        origin: &Origin,
        sent: &HeaderMap,
        status: StatusCode,
        headers: &'a HeaderMap,
        delay: Duration,
    ) -> Self {
        let (policy, rules) = (&behavior.cache_policy, behavior.rules);
        let permits =
            rules.keyed_authorization_permits && policy.headers.contains(&header::AUTHORIZATION);
        ResponseFacts {
            status,
            headers,
            ttl: &policy.ttl,
            delay,
            error_caching_min_ttl: distribution.error_caching_min_ttl(rules, status.as_u16()),
            forwards_cookies: forwards_cookies(behavior),
            rules,
            asked_for_range: sent.contains_key(header::RANGE),
            authorization_unkeyed: !permits && sent.contains_key(header::AUTHORIZATION),
            s3: origin.kind == OriginKind::S3,
        }
    }
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
    /// The origin forbids it, whatever MinTTL is.
    Forbidden(Forbids),
    /// The origin says must-understand, and the status is not among those that are understood.
    NotUnderstood(StatusCode),
    /// A status that is stored only with a lifetime of its own.
    NeedsLifetime(StatusCode),
    /// It could neither answer nor be asked about: no lifetime is left, and it has no validator.
    StaleAtOnce,
    /// An error that CloudFront keeps only for as long as no directive forbids it.
    ErrorForbidden(Forbids),
    /// The request carried Authorization, which is not in the key.
    Authorization,
    /// `Vary: *`, which no other request matches.
    VaryStar,
    /// Vary names what no later request can be compared by: too many fields, no field, or one that the edge
    /// makes for each request alone.
    VaryUnmatchable,
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
    /// The storage takes no body of so many bytes.
    TooLarge(u64),
    /// The viewer's no-store forbids it.
    ViewerForbids,
}

/// The directive that forbids storing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    let control = cache_control::directives(facts.headers, facts.rules);
    if facts.authorization_unkeyed && !permits_authorization(&control, facts.rules) {
        return Err(NotStored::Authorization);
    }
    let selects = facts.rules.vary_selects || facts.ttl.min().is_zero();
    if selects && vary::has_star(facts.headers) {
        return Err(NotStored::VaryStar);
    }
    let response = Response {
        facts,
        control: &control,
        age: age::initial_age(facts.headers, facts.rules, facts.delay, now),
        now,
    };
    match facts.rules.statuses {
        StorableStatuses::Listed => listed::lifetime(&response),
        StorableStatuses::Final => standard::lifetime(&response),
    }
}

/// A response that is whole and for everyone, as far as it goes by what it says of itself.
#[derive(Clone, Copy)]
pub(super) struct Response<'a> {
    pub(super) facts: &'a ResponseFacts<'a>,
    pub(super) control: &'a CacheControl,
    /// Its age on arrival.
    pub(super) age: Duration,
    pub(super) now: SystemTime,
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
fn permits_authorization(control: &CacheControl, rules: CacheRules) -> bool {
    let permitted = control.public || control.must_revalidate || control.s_maxage.is_some();
    let forbidden = match forbids(control) {
        Some(Forbids::NoCache) => !rules.stores_no_cache,
        forbids => forbids.is_some(),
    };
    permitted && !forbidden
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
            NotStored::Forbidden(directive) => write!(f, "the origin says {directive}"),
            NotStored::NotUnderstood(status) => write!(
                f,
                "the origin says must-understand, and status {} is not understood",
                status.as_u16()
            ),
            NotStored::NeedsLifetime(status) => write!(
                f,
                "status {} is stored only with a lifetime of its own or public",
                status.as_u16()
            ),
            NotStored::StaleAtOnce => f.write_str("it is stale at once, and has no validator"),
            NotStored::ErrorForbidden(directive) => {
                write!(f, "the origin says {directive}, which this error status obeys")
            }
            NotStored::Authorization => f.write_str(
                "the request carried Authorization, which is not in the cache key, and the origin \
                 says none of public, s-maxage, must-revalidate",
            ),
            NotStored::VaryStar => {
                f.write_str("the origin says Vary: *, which no other request matches")
            }
            NotStored::VaryUnmatchable => f.write_str(
                "Vary names what no later request can be compared by (*, more than 32 fields, no \
                 field, or a field that the edge makes for each request)",
            ),
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
            NotStored::ViewerForbids => f.write_str("the viewer says no-store"),
            NotStored::ErrorTtlZero => f.write_str(
                "ErrorCachingMinTTL is 0 and the origin names no lifetime for the error",
            ),
            NotStored::TooLarge(length) => {
                write!(f, "{length} bytes are more than the cache takes of one response")
            }
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
