//! Shaping the reply for the viewer: from the cache, from the origin, or by the edge itself.

mod edge_made;
mod multipart;
mod policy;
mod relayed;
mod stored;

use std::sync::Arc;
use std::time::SystemTime;

use http::header::{DATE, VIA};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) use edge_made::{failed, only_if_cached, redirected_to_https, refused};
pub(crate) use policy::apply_policy;
pub(crate) use relayed::{ErrorPageMark, relayed, switched};
pub(crate) use stored::{FromFill, from_fill, from_stored, octets_wanted, under_conditions};

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
    pub(crate) made: Made,
}

/// How an answer came about, as far as a custom error response asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// The origin's response, stored or not, or a refusal that CloudFront's guide gives a page: an error
    /// among them may be replaced.
    Replaceable,
    /// The edge's page for an origin that gave no response; it may be replaced too.
    WithoutOrigin,
    /// It is what the viewer gets, whatever its status: an error page, a refusal of another kind, a
    /// redirect.
    Finally,
}

/// In a reply's extensions: what it is beside HTTP, in the words of CloudFront's logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Carried(pub(crate) &'static str);

impl Answer {
    /// Tells the log that this is more than HTTP.
    pub(crate) fn carrying(mut self, protocol: &'static str) -> Self {
        self.reply.extensions_mut().insert(Carried(protocol));
        self
    }
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
    // Constants, so that their octets are not checked for every reply.
    match result {
        result::HIT => const { HeaderValue::from_static("Hit from cloudfront") },
        result::REFRESH_HIT => const { HeaderValue::from_static("RefreshHit from cloudfront") },
        result::MISS => const { HeaderValue::from_static("Miss from cloudfront") },
        result::REDIRECT => const { HeaderValue::from_static("Redirect from cloudfront") },
        _ => const { HeaderValue::from_static("Error from cloudfront") },
    }
}

/// `0000` to `9999`, one after the other: most Ages and many lengths need no memory of their own.
static FOUR_DIGITS: [u8; 40_000] = {
    let mut table = [0; 40_000];
    let mut at = 0;
    while at < table.len() {
        let digit = at / 4 / [1000, 100, 10, 1][at % 4] % 10;
        table[at] = b'0' + digit as u8;
        at += 1;
    }
    table
};

/// A whole number as a value. The conversion of `http` reserves more than it needs and allocates twice.
fn number(mut value: u64) -> HeaderValue {
    if let Some(shown) = short_number(value) {
        return HeaderValue::from_static(shown);
    }
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    HeaderValue::from_bytes(&digits[start..]).expect("digits are visible ASCII")
}

fn short_number(value: u64) -> Option<&'static str> {
    let zeros = match value {
        0..10 => 3,
        10..100 => 2,
        100..1000 => 1,
        _ => 0,
    };
    let end = usize::try_from(value).ok()?.checked_mul(4)?.checked_add(4)?;
    std::str::from_utf8(FOUR_DIGITS.get(end - 4 + zeros..end)?).ok()
}

/// A response of the origin with an error status is logged and marked as an error, wherever it came from.
fn result_for(status: http::StatusCode, result: &'static str) -> (&'static str, &'static str) {
    if status.is_client_error() || status.is_server_error() {
        (result::ERROR, result::ERROR)
    } else {
        (result, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_full() {
        for value in (0..10_001).chain([86_400, u64::MAX / 4, u64::MAX - 1, u64::MAX]) {
            assert_eq!(number(value), value.to_string());
        }
    }
}
