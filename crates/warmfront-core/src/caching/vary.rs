//! Vary: never a selector here, and filtered toward the viewer (CloudFront guide: Vary).
//!
//! Only the policy forms the key; so a name that is not forwarded cannot have made a difference.

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::Behavior;
use crate::policy::HeaderSelection;

/// Whether a response says `Vary: *`.
pub fn has_star(headers: &HeaderMap) -> bool {
    headers.get_all(header::VARY).iter().any(|line| members(line).any(|member| member == b"*"))
}

/// Leaves in Vary what can make a difference behind this behavior: Accept-Encoding, Cookie, the
/// headers that its policies forward, and User-Agent when a `CloudFront-Is-…-Viewer` header is
/// among them. `*` is no header name and stays, so that no cache behind us is told otherwise.
/// Rules that keep a response's headers leave it as it is.
pub fn viewer_vary(behavior: &Behavior, headers: &mut HeaderMap) {
    if behavior.rules.keeps_response_headers {
        return;
    }
    let lines = headers.get_all(header::VARY);
    let all = || lines.iter().flat_map(members);
    if all().all(|member| is_kept(behavior, member)) {
        return;
    }
    let kept: Vec<&[u8]> = all().filter(|member| is_kept(behavior, member)).collect();
    let joined = HeaderValue::from_bytes(&kept.join(&b", "[..]))
        .expect("members of a header value and commas form a header value");
    if joined.is_empty() {
        headers.remove(header::VARY);
    } else {
        headers.insert(header::VARY, joined);
    }
}

pub(super) fn members(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|m| !m.is_empty())
}

fn is_kept(behavior: &Behavior, member: &[u8]) -> bool {
    let is = |name: &HeaderName| name.as_str().as_bytes().eq_ignore_ascii_case(member);
    if member == b"*" || is(&header::ACCEPT_ENCODING) || is(&header::COOKIE) {
        return true;
    }
    let listed = |names: &[HeaderName]| names.iter().any(is);
    if listed(&behavior.cache_policy.headers) {
        return true;
    }
    let forwarded = match &behavior.origin_request_policy.headers {
        HeaderSelection::None => false,
        HeaderSelection::Only(names) => listed(names),
        HeaderSelection::AllViewer | HeaderSelection::AllViewerAnd(_) => true,
        HeaderSelection::AllExcept(names) => !listed(names),
    };
    forwarded || (is(&header::USER_AGENT) && forwards_device(behavior))
}

fn forwards_device(behavior: &Behavior) -> bool {
    let chosen = match &behavior.origin_request_policy.headers {
        HeaderSelection::Only(names) | HeaderSelection::AllViewerAnd(names) => names.as_slice(),
        _ => &[],
    };
    behavior.cache_policy.headers.iter().chain(chosen).any(|name| {
        name.as_str().strip_prefix("cloudfront-is-").is_some_and(|rest| rest.ends_with("-viewer"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn names(names: &[&str]) -> Vec<HeaderName> {
        names.iter().map(|name| HeaderName::from_bytes(name.as_bytes()).unwrap()).collect()
    }

    fn behavior(keyed: &[&str], forwarded: HeaderSelection) -> Behavior {
        let mut behavior = fixture::behavior("*");
        behavior.cache_policy.headers = names(keyed);
        behavior.origin_request_policy.headers = forwarded;
        behavior
    }

    #[track_caller]
    fn check(behavior: &Behavior, lines: &[&str], expected: &[&str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::VARY, line.parse().unwrap());
        }
        viewer_vary(behavior, &mut headers);
        let left: Vec<_> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(left, expected, "{lines:?}");
    }

    #[test]
    fn what_cannot_make_a_difference_is_removed() {
        let plain = behavior(&[], HeaderSelection::None);
        check(&plain, &[], &[]);
        check(&plain, &["Accept-Encoding"], &["Accept-Encoding"]);
        check(&plain, &["cookie, ACCEPT-ENCODING"], &["cookie, ACCEPT-ENCODING"]);
        check(&plain, &["Accept-Language,Accept-Encoding , Origin"], &["Accept-Encoding"]);
        check(&plain, &["Cookie", "Origin", "Accept-Encoding"], &["Cookie, Accept-Encoding"]);
        check(&plain, &["Accept-Language", "Origin"], &[]);
        check(&plain, &["User-Agent"], &[]);
    }

    #[test]
    fn headers_that_a_policy_forwards_stay() {
        let keyed = behavior(&["origin"], HeaderSelection::None);
        check(&keyed, &["Origin, X-A"], &["Origin"]);
        let only = behavior(&[], HeaderSelection::Only(names(&["x-a"])));
        check(&only, &["Origin, X-A"], &["X-A"]);
        check(&behavior(&[], HeaderSelection::AllViewer), &["Origin, X-A"], &["Origin, X-A"]);
        let all_and = HeaderSelection::AllViewerAnd(names(&["cloudfront-viewer-country"]));
        check(&behavior(&[], all_and), &["Origin, X-A"], &["Origin, X-A"]);
        let except = HeaderSelection::AllExcept(names(&["x-a"]));
        check(&behavior(&[], except), &["Origin, X-A"], &["Origin"]);
    }

    #[test]
    fn rules_that_keep_headers_keep_this_one() {
        let mut plain = behavior(&[], HeaderSelection::None);
        plain.rules = crate::caching::CacheRules::RFC9111;
        check(&plain, &["Accept-Language", "Origin"], &["Accept-Language", "Origin"]);
    }

    #[test]
    fn user_agent_stays_when_a_device_header_is_forwarded() {
        let device = names(&["cloudfront-is-mobile-viewer"]);
        check(
            &behavior(&["cloudfront-is-mobile-viewer"], HeaderSelection::None),
            &["User-Agent, X-A"],
            &["User-Agent"],
        );
        check(&behavior(&[], HeaderSelection::Only(device)), &["User-Agent"], &["User-Agent"]);
        let country = names(&["cloudfront-viewer-country"]);
        check(&behavior(&[], HeaderSelection::Only(country)), &["User-Agent"], &[]);
    }

    #[test]
    fn a_star_stays_and_is_seen_anywhere_in_the_list() {
        check(&behavior(&[], HeaderSelection::None), &["X-A, *"], &["*"]);
        let star = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.append(header::VARY, "Accept".parse().unwrap());
            headers.append(header::VARY, line.parse().unwrap());
            has_star(&headers)
        };
        assert!(star("*") && star("Origin,* ,X-A"));
        assert!(!star("Origin") && !star("X-*") && !star(""));
    }
}
