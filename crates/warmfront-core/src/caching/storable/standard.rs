//! RFC 9111 §3: what a shared cache may store, and §4.2 for how long.
//!
//! An error is a response like any other here: what it says of itself is respected, and nothing is made up
//! for it.

use std::time::Duration;

use ::http::header::{ETAG, LAST_MODIFIED};

use super::super::status;
use super::super::ttl::{self, Lifetime, TtlRule, TtlSource};
use super::{Forbids, NotStored, Response};

pub(super) fn lifetime(response: &Response<'_>) -> Result<Lifetime, NotStored> {
    let Response { facts, control, age: initial_age, .. } = *response;
    let (status, ttl, rules) = (facts.status, facts.ttl, facts.rules);
    if !status::is_final(status) {
        return Err(NotStored::Status(status));
    }
    if control.must_understand && !status::is_understood(status) {
        return Err(NotStored::NotUnderstood(status));
    }
    let has_validator = [ETAG, LAST_MODIFIED].iter().any(|name| facts.headers.contains_key(name));
    let none = Duration::ZERO;
    if let Some(forbids) = forbids(response) {
        if rules.min_ttl_overrides_origin && !ttl.min().is_zero() {
            let source = TtlSource::MinTtlDespite(forbids, ttl.min());
            let (stale_while_revalidate, stale_if_error) = ttl::stale_windows(control, ttl, rules);
            return Ok(Lifetime {
                fresh_for: ttl.min(),
                stale_while_revalidate,
                stale_if_error,
                initial_age,
                rule: TtlRule { source, limit: None },
            });
        }
        if forbids != Forbids::NoCache || !rules.stores_no_cache {
            return Err(NotStored::Forbidden(forbids));
        }
        if !has_validator {
            return Err(NotStored::StaleAtOnce);
        }
    }
    let named = ttl::explicit(response);
    if named.is_none() && !control.public && !status::is_heuristically_cacheable(status) {
        return Err(NotStored::NeedsLifetime(status));
    }
    if control.no_cache {
        // RFC 9111 §5.2.2.4: not without asking, and so never for an origin that cannot be asked.
        let rule = TtlRule { source: TtlSource::NoCache, limit: None };
        return Ok(Lifetime {
            fresh_for: none,
            stale_while_revalidate: none,
            stale_if_error: none,
            initial_age,
            rule,
        });
    }
    let (fresh_for, rule) = ttl::answer(response);
    let (stale_while_revalidate, mut stale_if_error) = ttl::stale_windows(control, ttl, rules);
    // What was never fresh for others stands in for nothing, unless its origin says that it may: it may
    // have been meant for one viewer.
    if fresh_for.is_zero() && control.stale_if_error.is_none() {
        stale_if_error = none;
    }
    let is_of_use =
        has_validator || !(fresh_for.max(stale_while_revalidate).max(stale_if_error)).is_zero();
    if !is_of_use {
        return Err(NotStored::StaleAtOnce);
    }
    Ok(Lifetime { fresh_for, stale_while_revalidate, stale_if_error, initial_age, rule })
}

/// RFC 9111 §5.2.2.3: beside must-understand, no-store is for caches that do not know the word.
fn forbids(response: &Response<'_>) -> Option<Forbids> {
    let control = response.control;
    match super::forbids(control) {
        Some(Forbids::NoStore) if !control.must_understand => Some(Forbids::NoStore),
        Some(_) if control.private => Some(Forbids::Private),
        Some(_) if control.no_cache => Some(Forbids::NoCache),
        _ => None,
    }
}

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;
