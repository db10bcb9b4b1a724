//! Under which key the response to a request lies: its primary key, or that of a variant once the fields
//! that select one are known (RFC 9111 §4.1).

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::variants::{Present, Varies};
use super::{Cache, CacheKey, Permit, StoredResponse};
use crate::clock::Clock;

/// Where the response to a request lies.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    key: Vec<u8>,
    primary: usize,
}

thread_local! {
    /// The buffer of the last key that this thread is done with: next to every request writes one.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Room for most keys from the start.
const USUAL_KEY: usize = 256;
/// A longer buffer is not kept for the next key.
const LONGEST_SPARE: usize = 8 << 10;

impl Drop for Place {
    fn drop(&mut self) {
        if self.key.capacity() <= LONGEST_SPARE {
            // A thread that is ending has none any more.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.key)));
        }
    }
}

impl Place {
    /// Under the primary key that `write` writes.
    pub(crate) fn primary(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut key = SPARE.try_with(Cell::take).unwrap_or_default();
        key.clear();
        key.reserve(USUAL_KEY);
        write(&mut key);
        Self { primary: key.len(), key }
    }

    /// The key.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }

    /// The primary key, which the keys of all variants begin with.
    pub(crate) fn primary_key(&self) -> &[u8] {
        &self.key[..self.primary]
    }

    /// Whether Vary has told where it lies.
    pub(crate) fn is_variant(&self) -> bool {
        self.key.len() > self.primary
    }

    /// Back to the primary key.
    pub(crate) fn reset(&mut self) {
        self.key.truncate(self.primary);
    }

    /// To the variant of this request by the fields of `set`.
    pub(crate) fn select(&mut self, varies: &Varies, set: usize, present: Present<'_>) {
        self.reset();
        varies.write_variant(&mut self.key, set, present);
    }

    /// To the variant by `fields`, which need not be known yet.
    fn select_by(&mut self, varies: &Varies, fields: &[HeaderName], present: Present<'_>) {
        self.reset();
        varies.write_variant_by(&mut self.key, fields, present);
    }

    /// To the variant of `set` in the language that the request wants before all others, if there is one.
    pub(crate) fn select_language(
        &mut self,
        varies: &Varies,
        set: usize,
        present: Present<'_>,
    ) -> bool {
        self.reset();
        varies.write_variant_in_language(&mut self.key, set, present)
    }
}

/// Which requests a response that is on its way may answer beside the one that led to it.
#[derive(Debug, Clone)]
pub(crate) struct Selected {
    /// What lies under the primary key now.
    varies: Arc<Varies>,
    /// The fields that its Vary names.
    fields: Box<[HeaderName]>,
    /// The key of its variant.
    key: CacheKey,
}

impl Selected {
    /// Whether a request at `place` selects it.
    pub(crate) fn is_for(&self, mut place: Place, present: Present<'_>) -> bool {
        place.select_by(&self.varies, &self.fields, present);
        place.key() == self.key.as_bytes()
    }
}

impl Cache {
    /// What is stored for a request, and `place` turned to where it is, or would be.
    ///
    /// Of several variants that match the most recent one is taken, and one without Vary only where no
    /// other matches (RFC 9111 §4.1). `present` is `None` where Vary selects nothing.
    pub(crate) async fn locate(
        &self,
        place: &mut Place,
        present: Option<Present<'_>>,
        now: Duration,
        clock: &dyn Clock,
    ) -> (Option<Arc<StoredResponse>>, Duration) {
        place.reset();
        let (stored, now) = self.find(place.key(), now, clock).await;
        match (stored, present) {
            (Some(stored), present) if stored.varies().is_some() => {
                match (stored.varies(), present) {
                    (Some(varies), Some(present)) => {
                        Box::pin(self.locate_variant(varies, place, present, now, clock)).await
                    }
                    _ => (None, now),
                }
            }
            (stored, _) => (stored, now),
        }
    }

    async fn locate_variant(
        &self,
        varies: &Varies,
        place: &mut Place,
        present: Present<'_>,
        mut now: Duration,
        clock: &dyn Clock,
    ) -> (Option<Arc<StoredResponse>>, Duration) {
        let (mut best, mut without_vary) = (None, None);
        for set in 0..varies.sets() {
            place.select(varies, set, present);
            let (mut found, mut at) = self.find(place.key(), now, clock).await;
            if found.is_none() && place.select_language(varies, set, present) {
                (found, at) = self.find(place.key(), at, clock).await;
            }
            now = at;
            // A tag may have purged the one and not the other.
            let Some(found) = self.unpurged(place.key(), found) else { continue };
            let best = if varies.is_without_vary(set) { &mut without_vary } else { &mut best };
            let is_newer = |(best, _): &(Arc<StoredResponse>, _)| best.born() < found.born();
            if best.as_ref().is_none_or(is_newer) {
                *best = Some((found, place.clone()));
            }
        }
        match best.or(without_vary) {
            Some((found, there)) => {
                *place = there;
                (Some(found), now)
            }
            None => {
                place.select(varies, 0, present);
                (None, now)
            }
        }
    }

    /// Notes by which fields the response of `permit` was selected, and moves the permit to the key under
    /// which the response belongs, without a moment in which nobody would find its fill. `None` where
    /// responses of this URI do not vary.
    pub(crate) async fn settle(
        &self,
        permit: &mut Permit,
        primary: &CacheKey,
        fields: &[HeaderName],
        language: Option<&[u8]>,
        present: Present<'_>,
        now: Duration,
    ) -> Option<Selected> {
        let mut place = Place::primary(|key| key.extend_from_slice(primary.as_bytes()));
        let mut selected = None;
        for _ in 0..MOST_TRIES {
            place.reset();
            let stored = self.storage.lookup(place.key()).read().await;
            let known = stored.as_ref().and_then(|stored| stored.varies().cloned());
            if fields.is_empty() && known.is_none() {
                permit.move_to(primary.clone());
                break;
            }
            let known = known.unwrap_or_else(|| Arc::new(Varies::new()));
            let news = known.with(fields, language, present);
            let is_known = news.is_none();
            let varies = news.map_or(known, Arc::new);
            place.select_by(&varies, fields, present);
            let key = CacheKey::new(place.key());
            permit.move_to(key.clone());
            selected = Some(Selected { varies: varies.clone(), fields: fields.into(), key });
            if is_known {
                break;
            }
            let entry = Arc::new(StoredResponse::of_varies(varies, permit.epoch, now));
            self.storage.replace(primary, stored.as_ref(), entry);
        }
        permit.has_moved();
        selected
    }
}

/// How often [`Cache::settle`] looks whether somebody else has written the entry at the same moment. After
/// that the response may lie where nobody looks, which costs a fetch.
const MOST_TRIES: usize = 4;
