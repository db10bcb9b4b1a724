//! What is stored of a response's head.

use http::HeaderMap;
use http::header::{AGE, CONTENT_LENGTH, DATE};
use warmfront_core::caching::vary::viewer_vary;
use warmfront_core::caching::{CacheTags, Lifetime};
use warmfront_core::http::date;
use warmfront_core::http::storable_head::stored_head;

use super::Fetch;
use crate::cache::{Checked, Rare, Source, StoredHead, StoredMeta};
use crate::origin::OriginResponse;
use crate::origination::Asking;

impl Fetch {
    /// What is stored of a response's head, and what its leading viewer gets beside.
    pub(super) fn stored_head(
        &self,
        response: &mut OriginResponse,
        lifetime: Lifetime,
        source: Source,
    ) -> (StoredMeta, Option<StoredHead>) {
        let shared = &self.origination.shared;
        let asking = self.origination.asking(source);
        let tags = self.tags(&response.head.headers, asking).unwrap_or_default();
        let headers = &mut response.head.headers;
        viewer_vary(&self.origination.behavior, headers);
        headers.remove(CONTENT_LENGTH);
        headers.entry(DATE).or_insert_with(|| date::header_value(shared.clock.wall()));
        let for_leader = headers.clone();
        stored_head(headers, &self.origination.behavior, asking.is_s3());
        let came_with_age = for_leader.contains_key(AGE);
        let leader_gets_more = for_leader.len() > headers.len() + usize::from(came_with_age)
            || (!came_with_age && !lifetime.initial_age.is_zero());
        let meta = StoredMeta {
            status: response.head.status,
            head: StoredHead::new(headers),
            lifetime: lifetime.into(),
            stored_at: shared.clock.monotonic().into(),
            epoch: self.permit.epoch,
            checked: Checked::default(),
            rare: Rare::new(source, tags),
        };
        (meta, leader_gets_more.then(|| StoredHead::new(&for_leader)))
    }

    /// The cache tags in `headers`; `None` where they say nothing of any.
    pub(super) fn tags(&self, headers: &HeaderMap, asking: &Asking) -> Option<CacheTags> {
        self.origination.tags(headers, asking)
    }
}
