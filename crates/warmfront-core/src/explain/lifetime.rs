//! How long an answer would be kept: for the answer that was given, or for the usual ones.

use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{Explanation, Pointer, Topic, at, ttl_pointer};
use crate::caching::targeted::CDN_CACHE_CONTROL;
use crate::caching::{Lifetime, ResponseFacts, Storable, UnnamedLifetime, storable};
use crate::http::date;
use crate::{Behavior, Distribution};

/// The answers that tell most about a behavior.
const USUAL: &[(u16, &str)] = &[
    (200, ""),
    (200, "max-age=1"),
    (200, "max-age=3600"),
    (200, "max-age=60, s-maxage=600"),
    (200, "max-age=31536000"),
    (200, "no-cache"),
    (200, "private, max-age=60"),
    (301, ""),
    (307, ""),
    (403, ""),
    (404, ""),
    (500, ""),
];

pub(super) fn say(
    told: &mut Explanation,
    distribution: &Distribution,
    index: usize,
    sent: &HeaderMap,
    answer: Option<&(StatusCode, HeaderMap)>,
    now: SystemTime,
) {
    if let Some((status, headers)) = answer {
        let decided = decide(distribution, index, sent, *status, headers, now);
        return say_one(told, distribution, index, *status, said(headers), decided);
    }
    let rules = distribution.behaviors[index].rules;
    if rules.unnamed_lifetime == UnnamedLifetime::Heuristic {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut headers = HeaderMap::new();
        headers
            .insert(header::LAST_MODIFIED, date::header_value(now.checked_sub(day).unwrap_or(now)));
        let decided = decide(distribution, index, sent, StatusCode::OK, &headers, now);
        say_one(told, distribution, index, StatusCode::OK, said(&headers), decided);
    }
    for (status, control) in USUAL {
        let mut headers = HeaderMap::new();
        if !control.is_empty() {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(control));
        }
        let status = StatusCode::from_u16(*status).unwrap_or_default();
        let decided = decide(distribution, index, sent, status, &headers, now);
        say_one(told, distribution, index, status, said(&headers), decided);
    }
}

fn decide(
    distribution: &Distribution,
    index: usize,
    sent: &HeaderMap,
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Storable {
    let behavior = &distribution.behaviors[index];
    let origin = &distribution.origins[behavior.origin];
    let delay = Duration::ZERO;
    let facts = ResponseFacts::of(distribution, behavior, origin, sent, status, headers, delay);
    storable(&facts, now)
}

fn say_one(
    told: &mut Explanation,
    distribution: &Distribution,
    index: usize,
    status: StatusCode,
    said: String,
    decided: Storable,
) {
    let behavior = &distribution.behaviors[index];
    let status = status.as_u16();
    match decided {
        Storable::For(lifetime) => {
            let text = format!("{status} {said}: {}", in_words(&lifetime));
            let at = pointer(behavior, index, &lifetime);
            let is_written =
                |status| distribution.error_responses.iter().any(|r| r.status == status);
            match at {
                // CloudFront's own ten seconds stand nowhere in the source.
                Pointer::Distribution(_) if !is_written(status) => told.say(Topic::Ttl, text),
                _ => told.say_at(Topic::Ttl, text, at),
            }
        }
        Storable::No(reason) => {
            told.say(Topic::Ttl, format!("{status} {said}: not stored, {reason}"));
        }
    }
}

static COUNT: [HeaderName; 7] = [
    CDN_CACHE_CONTROL,
    header::CACHE_CONTROL,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::ETAG,
    header::AGE,
    header::VARY,
];

/// The headers of an answer that count.
fn said(headers: &HeaderMap) -> String {
    let lines = COUNT.iter().flat_map(|name| {
        let values = headers.get_all(name).iter();
        values.map(move |value| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { "without Cache-Control and Expires".to_owned() } else { lines.join("; ") }
}

fn in_words(lifetime: &Lifetime) -> String {
    let mut text = lifetime.to_string();
    for (window, what) in [
        (lifetime.stale_while_revalidate, "while one request refreshes it"),
        (lifetime.stale_if_error, "while the origin fails"),
    ] {
        if !window.is_zero() {
            let window = if window == Duration::MAX { "any time".into() } else { seconds(window) };
            text.push_str(&format!(", then stale for {window} {what}"));
        }
    }
    text
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}

/// Which of the TTLs decided.
fn pointer(behavior: &Behavior, index: usize, lifetime: &Lifetime) -> Pointer {
    use crate::caching::{TtlLimit, TtlSource};
    let name = match (lifetime.rule.limit, lifetime.rule.source) {
        (Some(TtlLimit::MinTtl(_)), _) | (None, TtlSource::MinTtlDespite(..)) => "MinTTL",
        (Some(TtlLimit::MaxTtl(_)), _) => "MaxTTL",
        (None, TtlSource::DefaultTtl(_)) => "DefaultTTL",
        (Some(TtlLimit::ErrorCachingMinTtl(_)), _) | (None, TtlSource::ErrorCachingMinTtl(_)) => {
            return Pointer::Distribution("CustomErrorResponses");
        }
        _ => return at(index, if behavior.cache_policy.legacy { "" } else { "CachePolicyId" }),
    };
    ttl_pointer(behavior, index, name)
}
