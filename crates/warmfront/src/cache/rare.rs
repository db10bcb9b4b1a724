//! What few stored responses have: kept apart from them, so that the others do not pay for it.

use std::sync::Arc;
use std::time::Duration;

use warmfront_core::caching::CacheTags;

use super::weight::{allocated, counted};
use super::{Failure, Source, Varies};

/// What few stored responses have; nothing is allocated for the others.
#[derive(Debug, Clone, Default)]
pub struct Rare(Option<Box<Kept>>);

#[derive(Debug, Clone, Default)]
struct Kept {
    source: Source,
    tags: CacheTags,
    spare_origin_until: Option<Duration>,
    failure: Option<Failure>,
    varies: Option<Arc<Varies>>,
}

static NO_TAGS: CacheTags = CacheTags::NONE;

impl Rare {
    /// Of a response from `source` with these tags.
    pub fn new(source: Source, tags: CacheTags) -> Self {
        match (source, tags.is_empty()) {
            (Source::Primary, true) => Self::default(),
            _ => Self::of(Kept { source, tags, ..Kept::default() }),
        }
    }

    pub(super) fn failed(source: Source, failure: Failure) -> Self {
        Self::of(Kept { source, failure: Some(failure), ..Kept::default() })
    }

    pub(super) fn varying(varies: Arc<Varies>) -> Self {
        Self::of(Kept { varies: Some(varies), ..Kept::default() })
    }

    /// The same, but for what ends when the origin answers: nothing spares it any more.
    pub(super) fn refreshed(&self) -> Self {
        match self.spare_origin_until() {
            None => self.clone(),
            Some(_) => Self::new(self.source(), self.tags().clone()),
        }
    }

    fn of(kept: Kept) -> Self {
        Self(Some(Box::new(kept)))
    }

    /// The same, for a response that answers for its failing origin until `until`.
    pub(super) fn sparing_origin_until(&self, until: Duration) -> Self {
        let kept = self.0.as_deref().cloned().unwrap_or_default();
        Self::of(Kept { spare_origin_until: Some(until), ..kept })
    }

    pub(super) fn source(&self) -> Source {
        self.0.as_ref().map_or(Source::Primary, |kept| kept.source)
    }

    pub(super) fn tags(&self) -> &CacheTags {
        self.0.as_ref().map_or(&NO_TAGS, |kept| &kept.tags)
    }

    pub(super) fn spare_origin_until(&self) -> Option<Duration> {
        self.0.as_ref()?.spare_origin_until
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.0.as_ref()?.failure.as_ref()
    }

    pub(super) fn varies(&self) -> Option<&Arc<Varies>> {
        self.0.as_ref()?.varies.as_ref()
    }

    /// Bytes of memory that it takes beside itself.
    pub(super) fn weight(&self) -> usize {
        let Some(kept) = &self.0 else { return 0 };
        let tags = kept.tags.as_str().len();
        let tags = if tags == 0 { 0 } else { counted(tags) };
        let varies = kept.varies.as_ref().map_or(0, |varies| varies.weight());
        allocated(size_of::<Kept>()) + tags + varies
    }
}
