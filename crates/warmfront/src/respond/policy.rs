//! The behavior's response headers policy, on a reply that is about to go out.
//!
//! It comes after the cache: what is stored keeps the origin's headers. A viewer-response function, once
//! there is one, comes after it and sees what was added (CloudFront guide: restrictions on edge
//! functions).

use http::HeaderMap;
use warmfront_core::policy::ResponseHeadersPolicy;
use warmfront_core::policy::response_headers::server_timing::{Metrics, Served, Upstream};
use warmfront_core::policy::response_headers::{ServerTiming, apply};

use super::{Answer, result};
use crate::exchange::Exchange;

/// Edits the headers of `answer` as the policy says.
pub(crate) fn apply_policy(
    policy: &ResponseHeadersPolicy,
    exchange: &Exchange,
    request: &http::request::Parts,
    answer: &mut Answer,
) {
    let headers = answer.reply.headers_mut();
    apply(policy, &request.method, &request.headers, headers);
    if let Some(timing) = policy.server_timing {
        add_timing(timing, exchange, &request.headers, answer.result, headers);
    }
}

fn add_timing(
    timing: ServerTiming,
    exchange: &Exchange,
    request: &HeaderMap,
    result: &'static str,
    headers: &mut HeaderMap,
) {
    let shared = exchange.shared();
    let now = shared.clock.monotonic();
    let metrics = Metrics {
        served: served(exchange, result),
        pop: shared.identity.pop.to_str().unwrap_or_default(),
        request_id: exchange.id().as_str(),
        downstream_first_byte: now.saturating_sub(exchange.started()),
    };
    timing.add(request, fastrand::u32(..ServerTiming::OUTCOMES), &metrics, headers);
}

/// A reply with an error status says nothing of the cache, so whether this request went to the origin
/// decides, and whether what is stored answered after all.
fn served(exchange: &Exchange, result: &'static str) -> Served {
    let Some(asked) = exchange.asked() else { return Served::Hit };
    if result == result::REFRESH_HIT || asked.is_confirmed() {
        return Served::Refresh;
    }
    let upstream = asked.timing().map(|timing| Upstream {
        dns: timing.dns,
        connect: timing.connect,
        first_byte: timing.first_byte,
    });
    Served::Miss(upstream.unwrap_or_default())
}
