//! CloudFront's rules: its table of statuses and its TTLs (cloudfront.md §3.1, §3.11).
//!
//! Where they keep a copy that they may not use while the origin works, less is kept here; ARCHITECTURE.md
//! says what.

use std::time::Duration;

use super::super::status::Listed;
use super::super::ttl::{self, Lifetime, TtlRule, TtlSource};
use super::{NotStored, Response, forbids};

pub(super) fn lifetime(response: &Response<'_>) -> Result<Lifetime, NotStored> {
    let status = response.facts.status;
    match Listed::of(status).ok_or(NotStored::Status(status))? {
        Listed::RedirectWithCacheControl if !response.control.is_present => {
            Err(NotStored::NeedsCacheControl(status))
        }
        Listed::Answer | Listed::RedirectWithCacheControl => answer_lifetime(response),
        kind @ (Listed::Error | Listed::ErrorWithMaxAge) => error_lifetime(response, kind),
    }
}

/// 2xx and 3xx (cloudfront.md §3.1).
fn answer_lifetime(response: &Response<'_>) -> Result<Lifetime, NotStored> {
    let Response { facts, control, .. } = *response;
    let ttl = facts.ttl;
    let (fresh_for, rule) = if let Some(forbids) = forbids(control) {
        if ttl.min().is_zero() || !facts.rules.min_ttl_overrides_origin {
            return Err(NotStored::OriginForbids(forbids));
        }
        // CloudFront guide, Min TTL: kept even then, for exactly MinTTL; max-age beside the
        // directive changes nothing.
        let source = TtlSource::MinTtlDespite(forbids, ttl.min());
        (ttl.min(), TtlRule { source, limit: None })
    } else {
        ttl::answer(response)
    };
    let (stale_while_revalidate, stale_if_error) = ttl::stale_windows(control, ttl, facts.rules);
    let initial_age = response.age;
    Ok(Lifetime { fresh_for, stale_while_revalidate, stale_if_error, initial_age, rule })
}

/// 4xx and 5xx. An error never answers past its time: a stale error helps nobody.
fn error_lifetime(response: &Response<'_>, kind: Listed) -> Result<Lifetime, NotStored> {
    let Response { facts, control, .. } = *response;
    if Listed::is_error_that_may_be_forbidden(facts.status)
        && let Some(forbids) = forbids(control)
    {
        return Err(NotStored::ErrorForbidden(forbids));
    }
    let says_max_age = control.max_age.is_some() || control.s_maxage.is_some();
    if kind == Listed::ErrorWithMaxAge && !says_max_age {
        return Err(NotStored::NeedsMaxAge(facts.status));
    }
    // CloudFront guide: with an S3 origin, 0 acts like 1 second.
    let least = if facts.s3 { Duration::from_secs(1) } else { Duration::ZERO };
    let error_caching_min_ttl = facts.error_caching_min_ttl.max(least);
    let named = ttl::explicit(response);
    let (fresh_for, rule) = ttl::error_bounded(named, facts.ttl.max(), error_caching_min_ttl);
    if fresh_for.is_zero() {
        return Err(NotStored::ErrorTtlZero);
    }
    Ok(Lifetime {
        fresh_for,
        stale_while_revalidate: Duration::ZERO,
        stale_if_error: Duration::ZERO,
        initial_age: response.age,
        rule,
    })
}
