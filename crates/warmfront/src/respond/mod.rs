//! Shaping the reply for the viewer: from the cache, from the origin, or by the edge itself.

mod edge_made;
mod multipart;
mod relayed;
mod stored;

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{DATE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use edge_made::{failed, redirected_to_https, refused};
pub(crate) use relayed::relayed;
pub(crate) use stored::{from_fill, from_stored};

use warmfront_core::http::date;

use crate::edge::Shared;
use crate::request::Reply;
use crate::request_id::RequestId;

/// A reply and what the log says of it.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    /// `X-Cache` without ` from cloudfront`.
    pub(crate) result: &'static str,
    pub(crate) detailed_result: &'static str,
}

/// The values of `X-Cache` (CloudFront guide: `x-edge-result-type`).
pub(crate) mod result {
    pub(crate) const HIT: &str = "Hit";
    pub(crate) const REFRESH_HIT: &str = "RefreshHit";
    pub(crate) const MISS: &str = "Miss";
    pub(crate) const ERROR: &str = "Error";
    pub(crate) const REDIRECT: &str = "Redirect";
}

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const X_AMZ_CF_POP: HeaderName = HeaderName::from_static("x-amz-cf-pop");
const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");

/// The headers that CloudFront puts on every reply. They are set last, so nothing can forge or drop them.
pub(crate) fn sign(
    headers: &mut HeaderMap,
    shared: &Arc<Shared>,
    id: &RequestId,
    result: &'static str,
    now: SystemTime,
) {
    if !headers.contains_key(DATE) {
        headers.insert(DATE, date::header_value(now));
    }
    headers.insert(X_CACHE, x_cache(result));
    headers.insert(VIA, shared.identity.via.clone());
    headers.insert(X_AMZ_CF_POP, shared.identity.pop.clone());
    headers.insert(X_AMZ_CF_ID, id.header_value());
}

fn x_cache(result: &'static str) -> HeaderValue {
    HeaderValue::from_static(match result {
        result::HIT => "Hit from cloudfront",
        result::REFRESH_HIT => "RefreshHit from cloudfront",
        result::MISS => "Miss from cloudfront",
        result::REDIRECT => "Redirect from cloudfront",
        _ => "Error from cloudfront",
    })
}

/// A response of the origin with an error status is logged and marked as an error, wherever it came from.
fn result_for(status: http::StatusCode, result: &'static str) -> (&'static str, &'static str) {
    if status.is_client_error() || status.is_server_error() {
        (result::ERROR, result::ERROR)
    } else {
        (result, result)
    }
}
