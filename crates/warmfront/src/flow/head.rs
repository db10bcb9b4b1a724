//! A HEAD that the cache cannot answer, and what its answer says about what is stored (RFC 9111 §4.3.5).

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::DATE;
use warmfront_core::caching::head_update::{HeadSays, head_says};
use warmfront_core::caching::{Storable, update_stored, viewer_vary};
use warmfront_core::http::date;
use warmfront_core::http::storable_head::stored_head;

use super::Route;
use crate::body::Body;
use crate::cache::{CacheKey, Checked, Place, Rare, StoredHead, StoredMeta, StoredResponse};
use crate::origination::{Answered, Asking, Origination};
use crate::reasons::{Alone, Came};
use crate::respond::{self, Answer, result};

impl Route<'_> {
    /// Forwarded as HEAD, so there is no body that could be stored.
    pub(super) async fn head_from_origin(
        &self,
        place: &Place,
        stale: Option<Arc<StoredResponse>>,
    ) -> Answer {
        self.exchange.told.came(Came::Alone(Alone::Head));
        let shared = self.exchange.shared();
        let epoch = shared.cache.purges.epoch();
        // The answer is as young as that, so it must not confirm what was purged before.
        let stale = shared.cache.unpurged(place.key(), stale);
        let origination = self.origination(self.exchange.asks().clone(), false);
        let Answered { by, headers, result, delay } = origination.pass(Body::empty()).await;
        let is_failing =
            result.as_ref().map_or(true, |response| response.head.status.is_server_error());
        if let Some(stale) = stale.as_ref().filter(|_| is_failing)
            && origination.may_answer(stale)
        {
            let (id, now) = (self.exchange.id(), shared.clock.monotonic());
            return respond::from_stored(id, self.head, stale, None, result::REFRESH_HIT, now);
        }
        let response = match result {
            Ok(response) => origination.compressed(response),
            Err(error) => return self.failed(error.status(), error.detailed_result()),
        };
        let answer = &response.head;
        if let Some(stale) = stale.filter(|stale| stale.meta.source() == by.source) {
            let stored = (stale.meta.status, &stale.meta.head.headers());
            let (rules, storage) = (self.behavior.rules, &shared.cache.storage);
            match head_says(rules, stored, stale.length(), answer.status, &answer.headers) {
                HeadSays::Nothing => {}
                HeadSays::Outdated => storage.remove(place.key(), Some(&stale)),
                HeadSays::Confirmed => {
                    let now = Now { epoch, delay };
                    let meta = confirmed(&origination, by, &headers, &stale, &answer.headers, now);
                    if let Some(meta) = meta {
                        let refreshed = Arc::new(stale.refreshed(meta));
                        storage.replace(&CacheKey::new(place.key()), Some(&stale), refreshed);
                    }
                }
            }
        }
        respond::relayed(self.behavior, response)
    }
}

/// When the answer was asked for, and how long it took.
#[derive(Clone, Copy)]
struct Now {
    epoch: u64,
    delay: Duration,
}

/// The head of `stale` under what the answer says. `None`: with that it may not be stored.
fn confirmed(
    origination: &Origination,
    by: &Asking,
    request: &HeaderMap,
    stale: &StoredResponse,
    answer: &HeaderMap,
    now: Now,
) -> Option<StoredMeta> {
    let (behavior, clock) = (&origination.behavior, &origination.shared.clock);
    let mut headers = update_stored(&stale.meta.head.headers(), answer);
    if !answer.contains_key(DATE) {
        headers.insert(DATE, date::header_value(clock.wall()));
    }
    let status = stale.meta.status;
    let storable = origination.storable(by, request, status, &headers, now.delay);
    let Storable::For(lifetime) = storable else { return None };
    let tags = origination.tags(answer, by).unwrap_or_else(|| stale.meta.tags().clone());
    viewer_vary(behavior, &mut headers);
    stored_head(&mut headers, behavior, by.is_s3());
    Some(StoredMeta {
        status,
        head: StoredHead::new(&headers),
        lifetime: lifetime.into(),
        stored_at: clock.monotonic().into(),
        epoch: now.epoch,
        checked: Checked::default(),
        rare: Rare::new(by.source, tags),
    })
}
