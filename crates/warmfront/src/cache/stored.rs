//! A stored response: a compact head, its lifetime, and where its body is.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use warmfront_core::caching::{CacheTags, Lifetime, TtlRule, TtlSource};

use super::weight::{counted, shared_bytes};
use super::{Checked, Generation, Moment, Rare, StoredHead, StoredLifetime, Varies};

/// What is known about a response when its head has come.
#[derive(Debug, Clone)]
pub struct StoredMeta {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that are made anew for each viewer.
    pub head: StoredHead,
    /// How long it is fresh, and how long it may answer stale.
    pub lifetime: StoredLifetime,
    /// When it was stored or last confirmed.
    pub stored_at: Moment,
    /// How many purges there had been when the origin was asked: later ones may be meant for it.
    pub epoch: u64,
    /// How far that was asked.
    pub checked: Checked,
    /// Where it comes from, if not from the usual place; its tags, and whatever else few have.
    pub rare: Rare,
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
        now.saturating_sub(self.stored_at.into())
    }

    /// The same, but for what ends when the origin answers.
    pub(crate) fn refreshed(&self) -> Self {
        Self { rare: self.rare.refreshed(), ..self.clone() }
    }

    /// Where it comes from.
    pub fn source(&self) -> Source {
        self.rare.source()
    }

    /// By which it can be purged.
    pub fn tags(&self) -> &CacheTags {
        self.rare.tags()
    }
}

/// A response in the cache: complete, or a part of one whose length is known.
#[derive(Debug)]
pub struct StoredResponse {
    /// Status, headers and lifetime.
    pub meta: StoredMeta,
    /// Where the body is.
    pub content: Content,
}

/// Where the body of a stored response is.
#[derive(Debug, Clone)]
pub enum Content {
    /// Here: it is no longer than a fragment.
    Whole(Bytes),
    /// In fragments, as far as the storage has them.
    Fragments {
        /// Their name.
        generation: Generation,
        /// Bytes of the whole body.
        length: u64,
    },
}

impl Content {
    fn weight(&self) -> usize {
        match self {
            Content::Whole(bytes) => shared_bytes(bytes.len()),
            Content::Fragments { .. } => 0,
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
    pub fn failed(source: Source, failure: Failure, lifetime: Lifetime, now: Duration) -> Self {
        let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let head = StoredHead::new(&HeaderMap::new());
        Self {
            meta: StoredMeta {
                status,
                head,
                lifetime: lifetime.into(),
                stored_at: now.into(),
                epoch: 0,
                checked: Checked::default(),
                rare: Rare::failed(source, failure),
            },
            content: Content::Whole(Bytes::new()),
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
                stored_at: now.into(),
                epoch,
                checked: Checked::default(),
                rare: Rare::varying(varies),
            },
            content: Content::Whole(Bytes::new()),
        }
    }

    /// When the origin made it, as far as its Age tells: of several that match, the latest answers.
    pub(crate) fn born(&self) -> Duration {
        Duration::from(self.meta.stored_at).saturating_sub(self.meta.lifetime.initial_age)
    }

    /// Bytes of the whole body.
    pub fn length(&self) -> u64 {
        match &self.content {
            Content::Whole(bytes) => bytes.len() as u64,
            Content::Fragments { length, .. } => *length,
        }
    }

    /// After a failed revalidation: until then the origin is left alone and this copy answers.
    pub fn spare_origin_until(&self) -> Option<Duration> {
        self.meta.rare.spare_origin_until()
    }

    /// Set when this is not a response of the origin but the memory that it gave none.
    pub fn failure(&self) -> Option<&Failure> {
        self.meta.rare.failure()
    }

    /// Set when this is no response at all: the responses of this URI lie under keys of their own. It
    /// never ages, and no purge needs to look at it.
    pub fn varies(&self) -> Option<&Arc<Varies>> {
        self.meta.rare.varies()
    }

    /// Time since it was stored or confirmed.
    pub fn resident(&self, now: Duration) -> Duration {
        self.meta.resident(now)
    }

    /// When it ceases to stand in for a failing origin, on the monotonic clock.
    pub fn may_answer_until(&self) -> Duration {
        let StoredMeta { lifetime, stored_at, .. } = &self.meta;
        let fresh_until = Duration::from(*stored_at).saturating_add(lifetime.fresh_for);
        fresh_until.saturating_add(lifetime.stale_if_error)
    }

    /// The same body under a newer head, as after a 304 (RFC 9111 §4.3.4).
    pub fn refreshed(&self, meta: StoredMeta) -> Self {
        Self { meta: meta.refreshed(), content: self.content.clone() }
    }

    /// The same response, which answers for its failing origin until `until`.
    pub fn sparing_origin_until(&self, until: Duration) -> Self {
        let rare = self.meta.rare.sparing_origin_until(until);
        Self { meta: StoredMeta { rare, ..self.meta.clone() }, content: self.content.clone() }
    }

    /// Bytes of memory that it takes, its structures included; those of fragments are not among them.
    pub fn weight(&self) -> u64 {
        let StoredMeta { head, lifetime, rare, .. } = &self.meta;
        let head = head.weight() + lifetime.weight() + rare.weight();
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
            stored_at: Moment::default(),
            epoch: 0,
            checked: Checked::default(),
            rare: Rare::default(),
        }
    }

    pub(crate) fn stored(body: &'static str) -> StoredResponse {
        with_body(Bytes::from_static(body.as_bytes()))
    }

    pub(crate) fn with_body(body: Bytes) -> StoredResponse {
        StoredResponse { meta: meta(), content: Content::Whole(body) }
    }

    pub(crate) fn in_fragments(generation: Generation, length: u64) -> StoredResponse {
        StoredResponse { meta: meta(), content: Content::Fragments { generation, length } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_its_count_a_response_fills_a_size_class() {
        assert_eq!(counted(size_of::<StoredResponse>()), 128);
    }
}
