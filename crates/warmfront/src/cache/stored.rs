//! A stored response: a compact head, its lifetime, and where its body is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use warmfront_core::caching::{CacheTags, Lifetime, TtlRule, TtlSource};

use super::weight::{allocated, counted, shared_bytes};
use super::{Checked, Generation, StoredHead, StoredLifetime, Varies};

/// What is known about a response when its head has come.
#[derive(Debug, Clone)]
pub struct StoredMeta {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that are made anew for each viewer.
    pub head: StoredHead,
    /// How long it is fresh, and how long it may answer stale.
    pub lifetime: StoredLifetime,
    /// When it was stored or last confirmed, on the monotonic clock.
    pub stored_at: Duration,
    /// Where it comes from.
    pub source: Source,
    /// How many purges there had been when the origin was asked: later ones may be meant for it.
    pub epoch: u64,
    /// By which it can be purged.
    pub tags: CacheTags,
    /// How far that was asked.
    pub checked: Checked,
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

/// A response in the cache: complete, or a part of one whose length is known.
#[derive(Debug)]
pub struct StoredResponse {
    /// Status, headers and lifetime.
    pub meta: StoredMeta,
    /// Bytes of the whole body.
    pub length: u64,
    /// Where the body is.
    pub content: Content,
    /// After a failed revalidation: until then the origin is left alone and this copy answers.
    pub spare_origin_until: Option<Duration>,
    /// Set when this is not a response of the origin but the memory that it gave none.
    pub failure: Option<Box<Failure>>,
    /// Set when this is no response at all: the responses of this URI lie under keys of their own. It
    /// never ages, and no purge needs to look at it.
    pub varies: Option<Arc<Varies>>,
}

/// Where the body of a stored response is.
#[derive(Debug, Clone)]
pub enum Content {
    /// Here: it is no longer than a fragment.
    Whole(Bytes),
    /// In fragments under this name, as far as the storage has them.
    Fragments(Generation),
}

impl Content {
    fn weight(&self) -> usize {
        match self {
            Content::Whole(bytes) => shared_bytes(bytes.len()),
            Content::Fragments(_) => 0,
        }
    }
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
                lifetime: lifetime.into(),
                stored_at: now,
                source: Source::default(),
                epoch: 0,
                tags: CacheTags::default(),
                checked: Checked::default(),
            },
            length: 0,
            content: Content::Whole(Bytes::new()),
            spare_origin_until: None,
            failure: Some(Box::new(failure)),
            varies: None,
        }
    }

    /// What lies under the primary key of a URI whose responses vary.
    pub(crate) fn of_varies(varies: Arc<Varies>, epoch: u64, now: Duration) -> Self {
        let lifetime = Lifetime {
            fresh_for: Duration::ZERO,
            stale_while_revalidate: Duration::ZERO,
            stale_if_error: Duration::ZERO,
            initial_age: Duration::ZERO,
            rule: TtlRule { source: TtlSource::DefaultTtl(Duration::ZERO), limit: None },
        };
        Self {
            meta: StoredMeta {
                status: StatusCode::OK,
                head: StoredHead::new(&HeaderMap::new()),
                lifetime: lifetime.into(),
                stored_at: now,
                source: Source::default(),
                epoch,
                tags: CacheTags::default(),
                checked: Checked::default(),
            },
            length: 0,
            content: Content::Whole(Bytes::new()),
            spare_origin_until: None,
            failure: None,
            varies: Some(varies),
        }
    }

    /// When the origin made it, as far as its Age tells: of several that match, the latest answers.
    pub(crate) fn born(&self) -> Duration {
        self.meta.stored_at.saturating_sub(self.meta.lifetime.initial_age)
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
            content: self.content.clone(),
            spare_origin_until: None,
            failure: self.failure.clone(),
            varies: None,
        }
    }

    /// The same response, which answers for its failing origin until `until`.
    pub fn sparing_origin_until(&self, until: Duration) -> Self {
        Self {
            meta: self.meta.clone(),
            length: self.length,
            content: self.content.clone(),
            spare_origin_until: Some(until),
            failure: self.failure.clone(),
            varies: None,
        }
    }

    /// Bytes of memory that it takes, its structures included; those of fragments are not among them.
    pub fn weight(&self) -> u64 {
        let tags = shared_bytes(self.meta.tags.as_str().len());
        let varies = self.varies.as_ref().map_or(0, |varies| varies.weight());
        let failure = self.failure.as_ref().map_or(0, |_| allocated(size_of::<Failure>()));
        let head = self.meta.head.weight() + self.meta.lifetime.weight() + tags + varies + failure;
        (counted(size_of::<Self>()) + head + self.content.weight()) as u64
    }
}

#[cfg(test)]
pub(crate) mod tests_support {
    use super::*;

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
            lifetime: lifetime.into(),
            stored_at: Duration::ZERO,
            source: Source::default(),
            epoch: 0,
            tags: CacheTags::default(),
            checked: Checked::default(),
        }
    }

    pub(crate) fn stored(body: &'static str) -> StoredResponse {
        with_body(Bytes::from_static(body.as_bytes()))
    }

    pub(crate) fn with_body(body: Bytes) -> StoredResponse {
        let length = body.len() as u64;
        response(length, Content::Whole(body))
    }

    pub(crate) fn in_fragments(generation: Generation, length: u64) -> StoredResponse {
        response(length, Content::Fragments(generation))
    }

    fn response(length: u64, content: Content) -> StoredResponse {
        StoredResponse {
            meta: meta(),
            length,
            content,
            spare_origin_until: None,
            failure: None,
            varies: None,
        }
    }
}
