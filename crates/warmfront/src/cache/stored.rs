//! A stored response: a compact head, its lifetime, and its body in pieces.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warmfront_core::caching::Lifetime;

/// What is known about a response when its head has come.
#[derive(Debug, Clone)]
pub struct StoredMeta {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that are made anew for each viewer.
    pub head: StoredHead,
    /// How long it is fresh, and how long it may answer stale.
    pub lifetime: Lifetime,
    /// When it was stored or last confirmed, on the monotonic clock.
    pub stored_at: Duration,
    /// Where it comes from.
    pub source: Source,
    /// How many purges there had been when the origin was asked: later ones may be meant for it.
    pub epoch: u64,
}

/// Where a stored response comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// The only origin of its behavior, or the primary one of a group.
    #[default]
    Primary,
    /// The secondary origin of a group: only there are its validators known.
    Secondary,
    /// It stands in for an error of this status: a custom error page, or what became of fetching it.
    ErrorPage(StatusCode),
}

impl Source {
    /// Whether it stands in for an error.
    pub fn is_error_page(self) -> bool {
        matches!(self, Source::ErrorPage(_))
    }
}

impl StoredMeta {
    /// Time since the response was stored or confirmed.
    pub fn resident(&self, now: Duration) -> Duration {
        now.saturating_sub(self.stored_at)
    }
}

/// A complete response in the cache.
#[derive(Debug)]
pub struct StoredResponse {
    /// Status, headers and lifetime.
    pub meta: StoredMeta,
    /// Bytes of the body.
    pub length: u64,
    /// The body.
    pub pieces: Arc<[Bytes]>,
    /// After a failed revalidation: until then the origin is left alone and this copy answers.
    pub spare_origin_until: Option<Duration>,
    /// Set when this is not a response of the origin but the memory that it gave none.
    pub failure: Option<Failure>,
}

/// The origin gave no response: every viewer gets a page of its own until the error has aged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// 502, 503 or 504.
    pub status: u16,
    /// The name in `x-edge-detailed-result-type`.
    pub detailed_result: &'static str,
}

impl StoredResponse {
    /// Remembers that the origin gave no response.
    pub fn failed(failure: Failure, lifetime: Lifetime, now: Duration) -> Self {
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let head = StoredHead::new(&HeaderMap::new());
        Self {
            meta: StoredMeta {
                status,
                head,
                lifetime,
                stored_at: now,
                source: Source::default(),
                epoch: 0,
            },
            length: 0,
            pieces: Arc::new([]),
            spare_origin_until: None,
            failure: Some(failure),
        }
    }

    /// Time since it was stored or confirmed.
    pub fn resident(&self, now: Duration) -> Duration {
        self.meta.resident(now)
    }

    /// When it ceases to stand in for a failing origin, on the monotonic clock.
    pub fn may_answer_until(&self) -> Duration {
        let StoredMeta { lifetime, stored_at, .. } = &self.meta;
        stored_at.saturating_add(lifetime.fresh_for).saturating_add(lifetime.stale_if_error)
    }

    /// The same body under a newer head, as after a 304 (RFC 9111 §4.3.4).
    pub fn refreshed(&self, meta: StoredMeta) -> Self {
        Self {
            meta,
            length: self.length,
            pieces: self.pieces.clone(),
            spare_origin_until: None,
            failure: self.failure,
        }
    }

    /// The same response, which answers for its failing origin until `until`.
    pub fn sparing_origin_until(&self, until: Duration) -> Self {
        Self {
            meta: self.meta.clone(),
            length: self.length,
            pieces: self.pieces.clone(),
            spare_origin_until: Some(until),
            failure: self.failure,
        }
    }

    /// Bytes of memory that it takes, its structures included.
    pub fn weight(&self) -> u64 {
        let pieces = self.pieces.len() * (size_of::<Bytes>() + 32);
        self.length + (self.meta.head.weight() + pieces + size_of::<Self>()) as u64
    }
}

/// Header fields whose values share one block of their own.
///
/// Values that come from a connection are slices of its read buffer; keeping them would keep the
/// whole buffer, so the bytes are copied once into a block of exactly their size.
#[derive(Debug, Clone)]
pub struct StoredHead {
    fields: Arc<[(HeaderName, HeaderValue)]>,
    bytes: usize,
}

/// Room for the fields that every reply gets: Age, Date, Content-Length, X-Cache, Via, X-Amz-Cf-Pop,
/// X-Amz-Cf-Id, Connection.
const FIELDS_ADDED_LATER: usize = 8;

impl StoredHead {
    /// A compact copy of `headers`.
    pub fn new(headers: &HeaderMap) -> Self {
        let bytes = headers.values().map(HeaderValue::len).sum();
        // Names that are not among the known ones have a block each; the known ones cost less than said.
        let names: usize = headers.keys().map(|name| name.as_str().len()).sum();
        let mut block = BytesMut::with_capacity(bytes);
        for value in headers.values() {
            block.extend_from_slice(value.as_bytes());
        }
        let mut block = block.freeze();
        let copied = |(name, value): (&HeaderName, &HeaderValue)| {
            let value = HeaderValue::from_maybe_shared(block.split_to(value.len()))
                .expect("the bytes were copied from a header value");
            (name.clone(), value)
        };
        Self { fields: headers.iter().map(copied).collect(), bytes: bytes + names }
    }

    /// The fields as a map with room for what a reply adds. Values share the block.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(self.fields.len() + FIELDS_ADDED_LATER);
        for (name, value) in self.fields.iter() {
            headers.append(name, value.clone());
        }
        headers
    }

    fn weight(&self) -> usize {
        self.bytes + size_of_val(&*self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_head_gives_back_every_field_in_order() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        headers.append("x-empty", HeaderValue::from_static(""));
        headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        assert_eq!(StoredHead::new(&headers).headers(), headers);
    }

    #[test]
    fn a_stored_head_does_not_keep_the_buffer_its_values_came_from() {
        let buffer = Bytes::from(vec![b'x'; 64 << 10]);
        let mut headers = HeaderMap::new();
        headers.insert("x-slice", HeaderValue::from_maybe_shared(buffer.slice(..10)).unwrap());
        let head = StoredHead::new(&headers);
        drop(headers);
        assert!(buffer.try_into_mut().is_ok(), "nobody else holds the buffer");
        assert_eq!(head.headers()["x-slice"].len(), 10);
    }
}

#[cfg(test)]
pub(crate) mod tests_support {
    use super::*;
    use warmfront_core::caching::{TtlRule, TtlSource};

    pub(crate) fn meta() -> StoredMeta {
        let lifetime = Lifetime {
            fresh_for: Duration::from_secs(60),
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            initial_age: Duration::ZERO,
            rule: TtlRule { source: TtlSource::DefaultTtl(Duration::from_secs(60)), limit: None },
        };
        StoredMeta {
            status: StatusCode::OK,
            head: StoredHead::new(&HeaderMap::new()),
            lifetime,
            stored_at: Duration::ZERO,
            source: Source::default(),
            epoch: 0,
        }
    }

    pub(crate) fn stored(pieces: &[&'static str]) -> StoredResponse {
        StoredResponse {
            meta: meta(),
            length: pieces.iter().map(|piece| piece.len() as u64).sum(),
            pieces: pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())).collect(),
            spare_origin_until: None,
            failure: None,
        }
    }
}
