//! Response headers policies, compiled: what becomes of a response's headers on the way to the viewer.
//!
//! CloudFront guide, "Understand response headers policies": the policy works after the cache, so it
//! never changes what is stored, and it removes before it adds, so a name in both lists ends up present.
//! `cors` knows the fetch protocol, `server_timing` what CloudFront measures.

pub mod cors;
pub mod server_timing;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

pub use cors::{Cors, CorsAnswer};
pub use server_timing::ServerTiming;

/// One response headers policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseHeadersPolicy {
    /// Its name.
    pub name: String,
    /// `RemoveHeadersConfig`: taken off the response before anything is added.
    pub remove: Vec<HeaderName>,
    /// `CorsConfig`.
    pub cors: Option<Cors>,
    /// `SecurityHeadersConfig` and `CustomHeadersConfig`, as headers to set.
    pub set: Vec<SetHeader>,
    /// `ServerTimingHeadersConfig`, where it is enabled.
    pub server_timing: Option<ServerTiming>,
}

/// A header that the policy adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetHeader {
    /// Its name.
    pub name: HeaderName,
    /// Its value; may be empty.
    pub value: HeaderValue,
    /// Whether it takes the place of the response's own. Without, the response's own stays.
    pub overrides: bool,
}

/// Edits the headers of a response that is about to go to the viewer. Server-Timing is added by
/// [`ServerTiming::add`], because it needs measurements.
///
/// A response that loses `Server` gets CloudFront's own; `Date` is the engine's to add, which has a
/// clock. The answer says what became of CORS, for `explain`.
pub fn apply(
    policy: &ResponseHeadersPolicy,
    method: &Method,
    request: &HeaderMap,
    response: &mut HeaderMap,
) -> CorsAnswer {
    for name in &policy.remove {
        response.remove(name);
    }
    let answer = match &policy.cors {
        Some(cors) => {
            if cors.depends_on_origin() && !policy.remove.contains(&header::VARY) {
                add_vary_origin(response);
            }
            cors.answer(method, request, response)
        }
        None => CorsAnswer::NoPolicy,
    };
    for header in &policy.set {
        if header.overrides || !response.contains_key(&header.name) {
            response.insert(&header.name, header.value.clone());
        }
    }
    // CloudFront guide: Server and Date can be removed, but then CloudFront adds its own.
    if policy.remove.contains(&header::SERVER) && !response.contains_key(header::SERVER) {
        response.insert(header::SERVER, const { HeaderValue::from_static("CloudFront") });
    }
    answer
}

/// Whether CloudFront takes `name` in a list of headers to remove, and lets a policy add it. The others
/// frame the message or are CloudFront's own (CloudFront guide: remove headers).
pub fn is_editable(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !UNTOUCHABLE.contains(&&*name)
        && UNTOUCHABLE_PREFIXES.iter().all(|prefix| !name.starts_with(prefix))
}

const UNTOUCHABLE: [&str; 31] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "warning",
    "x-accel-buffering",
    "x-accel-charset",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-amzn-auth",
    "x-amzn-cf-billing",
    "x-amzn-cf-id",
    "x-amzn-cf-xff",
    "x-amzn-errortype",
    "x-amzn-fle-profile",
    "x-amzn-header-count",
    "x-amzn-header-order",
    "x-amzn-lambda-integration-tag",
    "x-amzn-requestid",
    "x-cache",
    "x-forwarded-proto",
    "x-real-ip",
];

const UNTOUCHABLE_PREFIXES: [&str; 2] = ["x-amz-cf-", "x-edge-"];

/// The answer depends on who asks, so caches behind us must keep the answers apart (Fetch standard,
/// "CORS protocol and HTTP caches").
fn add_vary_origin(response: &mut HeaderMap) {
    let is_said = response.get_all(header::VARY).iter().any(|line| {
        let members = line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        members.into_iter().any(|member| member == b"*" || member.eq_ignore_ascii_case(b"origin"))
    });
    if is_said {
        return;
    }
    let value = match response.get(header::VARY) {
        None => const { HeaderValue::from_static("Origin") },
        Some(_) => {
            let lines = response.get_all(header::VARY).iter().map(HeaderValue::as_bytes);
            let lines: Vec<&[u8]> = lines.chain([&b"Origin"[..]]).collect();
            HeaderValue::from_bytes(&lines.join(&b", "[..]))
                .expect("header values and commas form a header value")
        }
    };
    response.insert(header::VARY, value);
}

#[cfg(test)]
mod tests;
