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
pub fn viewer_vary(behavior: &Behavior, headers: &mut HeaderMap) {
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

fn members(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
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
