//! The cache key, part by part, each with the line that put it there.

use ::http::{HeaderMap, StatusCode};

use super::{Explanation, Pointer, Topic, at, cache_policy};
use crate::caching::variants::{normalized, selecting_fields};
use crate::http::cookie;
use crate::policy::Selection;
use crate::policy::key_parts::{KeyKind, KeyPart, key_parts};
use crate::policy::presented;
use crate::request_view::RequestView;
use crate::{Behavior, Distribution};

pub(super) fn say(
    told: &mut Explanation,
    distribution: &Distribution,
    index: usize,
    view: &RequestView<'_>,
) {
    let behavior = &distribution.behaviors[index];
    for part in key_parts(distribution, behavior, view) {
        let kind = part.kind.as_str();
        let text = match (part.name.is_empty(), part.kind) {
            (true, _) | (_, KeyKind::QueryParameter) => format!("{kind} {}", part.value),
            (false, _) => format!("{kind} {}: {}", part.name, part.value),
        };
        match pointer(behavior, index, &part) {
            Some(pointer) => told.say_at(Topic::Key, text, pointer),
            None => told.say(Topic::Key, text),
        }
    }
    say_left_out(told, behavior, index, view);
}

/// What Vary of the answer adds to the key, where Vary selects.
pub(super) fn say_variant(
    told: &mut Explanation,
    distribution: &Distribution,
    index: usize,
    view: &RequestView<'_>,
    answer: Option<&(StatusCode, HeaderMap)>,
) {
    let behavior = &distribution.behaviors[index];
    if !behavior.rules.vary_selects {
        return;
    }
    let Some((_, headers)) = answer else {
        return told.say(Topic::Key, "and the fields that Vary of a stored answer names");
    };
    let fields = selecting_fields(headers)
        .filter(|fields| fields.iter().all(|name| presented::is_comparable(behavior, name)));
    let Some(fields) = fields else {
        let text =
            "Vary names what no other request can be compared by, so the answer is for this one";
        return told.say(Topic::Key, text);
    };
    for name in fields.iter().filter(|name| !presented::is_keyed(behavior, name)) {
        let mut value = Vec::new();
        let origin = &distribution.origins[behavior.origin];
        let text = match presented::present(behavior, origin, view, name, &mut value) {
            true => {
                let value = normalized(name, &value);
                format!("Vary {name}: {}", String::from_utf8_lossy(&value))
            }
            false => format!("Vary {name}: absent"),
        };
        told.say(Topic::Key, text);
    }
}

/// What the request has and the key has not: the usual surprise.
fn say_left_out(told: &mut Explanation, behavior: &Behavior, index: usize, view: &RequestView<'_>) {
    let policy = &behavior.cache_policy;
    let query = view.query.unwrap_or_default();
    let left: Vec<&str> = crate::http::query::parameters(query)
        .map(crate::http::query::name)
        .filter(|name| !is_keyed(behavior, name))
        .collect();
    if !left.is_empty() {
        let text = format!("not in it: the query parameters {}", left.join(", "));
        told.say_at(Topic::Key, text, query_pointer(behavior, index, None));
    }
    let cookies = cookie::sorted(view.headers, |name| !policy.cookies.contains(name));
    if !cookies.is_empty() {
        let names: Vec<_> =
            cookies.iter().map(|cookie| String::from_utf8_lossy(cookie.name)).collect();
        let text = format!("not in it: the cookies {}", names.join(", "));
        told.say_at(Topic::Key, text, cookie_pointer(behavior, index, None));
    }
}

/// Whether a query parameter of this name is part of the key.
fn is_keyed(behavior: &Behavior, name: &str) -> bool {
    let (policy, other) = (&behavior.cache_policy, &behavior.origin_request_policy);
    policy.query_strings.contains(name)
        || (behavior.rules.whole_url_in_key
            && policy.query_strings.forwards_with(&other.query_strings, name))
}

fn pointer(behavior: &Behavior, index: usize, part: &KeyPart) -> Option<Pointer> {
    let key = "ParametersInCacheKeyAndForwardedToOrigin";
    let legacy = behavior.cache_policy.legacy;
    match part.kind {
        KeyKind::Distribution | KeyKind::Path | KeyKind::Scheme | KeyKind::Host => None,
        KeyKind::Options => Some(at(index, "CachedMethods")),
        KeyKind::QueryString => Some(query_pointer(behavior, index, None)),
        KeyKind::QueryParameter => Some(query_pointer(behavior, index, Some(&part.name))),
        KeyKind::Cookie => Some(cookie_pointer(behavior, index, Some(&part.name))),
        KeyKind::Header if legacy => {
            Some(at(index, format!("ForwardedValues.Headers.{}", part.name)))
        }
        KeyKind::Header => {
            Some(cache_policy(behavior, &format!("{key}.HeadersConfig.Headers.{}", part.name)))
        }
        KeyKind::AcceptEncoding if legacy => None,
        KeyKind::AcceptEncoding => {
            let flag = if behavior.cache_policy.gzip { "Gzip" } else { "Brotli" };
            Some(cache_policy(behavior, &format!("{key}.EnableAcceptEncoding{flag}")))
        }
    }
}

fn query_pointer(behavior: &Behavior, index: usize, name: Option<&str>) -> Pointer {
    let listed = name.filter(|_| matches!(behavior.cache_policy.query_strings, Selection::Only(_)));
    if behavior.cache_policy.legacy {
        return match listed {
            Some(name) => {
                at(index, format!("ForwardedValues.QueryStringCacheKeys.{}", name.to_lowercase()))
            }
            None => at(index, "ForwardedValues.QueryString"),
        };
    }
    let config = "ParametersInCacheKeyAndForwardedToOrigin.QueryStringsConfig";
    match listed {
        Some(name) => {
            cache_policy(behavior, &format!("{config}.QueryStrings.{}", name.to_lowercase()))
        }
        None => cache_policy(behavior, config),
    }
}

fn cookie_pointer(behavior: &Behavior, index: usize, name: Option<&str>) -> Pointer {
    let listed = name.filter(|_| matches!(behavior.cache_policy.cookies, Selection::Only(_)));
    if behavior.cache_policy.legacy {
        return at(index, "ForwardedValues.Cookies");
    }
    let config = "ParametersInCacheKeyAndForwardedToOrigin.CookiesConfig";
    match listed {
        Some(name) => cache_policy(behavior, &format!("{config}.Cookies.{}", name.to_lowercase())),
        None => cache_policy(behavior, config),
    }
}
