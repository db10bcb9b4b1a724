//! What the cache has for a request, and what becomes of the request by that.
//!
//! Whether something stored may answer is `crate::lookup`'s verdict; here it is carried out.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::Route;
use crate::cache::{Place, Present, StoredResponse};
use crate::edge::Shared;
use crate::explaining::Kept;
use crate::lookup::{Verdict, nothing_at, under_wishes, verdict};
use crate::respond::{self, Answer, result};

/// What the cache has for a request.
pub(super) enum Lookup {
    Answer(Answer),
    /// A response that lacks some of what the request wants, which can be had of its origin by name.
    Mend(Arc<StoredResponse>),
    /// Nothing, or a response that must be confirmed first.
    Origin(Option<Arc<StoredResponse>>),
}

impl Route<'_> {
    /// Looks up what is stored for this request, turns `place` to it, and judges it.
    pub(super) async fn lookup(&self, place: &mut Place, now: Duration) -> Lookup {
        let Shared { cache, clock, .. } = &**self.exchange.shared();
        let present = |name: &HeaderName, value: &mut Vec<u8>| self.present(name, value);
        let present: Option<Present<'_>> =
            if self.behavior.rules.vary_selects { Some(&present) } else { None };
        let (stored, now) = cache.locate(place, present, now, &**clock).await;
        self.judge(place, stored, now)
    }

    /// What becomes of the request, given what is stored.
    fn judge(&self, place: &Place, stored: Option<Arc<StoredResponse>>, now: Duration) -> Lookup {
        let told = self.exchange.told;
        told.settled(now.saturating_sub(self.exchange.started()));
        let Some(stored) = stored else {
            told.found(nothing_at(place));
            return Lookup::Origin(None);
        };
        let standing = self.exchange.shared().cache.standing(place.key(), &stored);
        let reading = self.reading(place, &stored, Arc::default);
        let has_hole = reading.as_ref().is_some_and(|it| self.first_hole(&stored, it).is_some());
        let can_mend = reading.as_ref().is_some_and(|reading| reading.mend.is_some());
        let verdict = match verdict(Some((&stored, standing)), now, self.failing.is_some()) {
            // Not even the origin's word makes it whole again.
            _ if has_hole && !can_mend => Verdict::Incomplete,
            verdict => self
                .wishes()
                .map_or(verdict, |wishes| under_wishes(verdict, (&stored, standing), now, &wishes)),
        };
        told.found(match verdict {
            Verdict::Fresh if has_hole => Verdict::Incomplete,
            verdict => verdict,
        });
        match verdict {
            Verdict::Fresh | Verdict::SparesOrigin | Verdict::ViewerTakesStale => {}
            Verdict::StaleWhileRevalidate | Verdict::PurgedSoftly(_) => {
                self.refresh_behind(place, &stored);
            }
            Verdict::Expired | Verdict::MustRevalidate(_) | Verdict::ViewerDemands(_) => {
                return Lookup::Origin(Some(stored));
            }
            Verdict::NothingStored
            | Verdict::OtherVariants
            | Verdict::Incomplete
            | Verdict::Purged(_) => return Lookup::Origin(None),
            // The page cannot be had, and what is there in its place is not meant here.
            Verdict::PageHasPage(status) => {
                return Lookup::Answer(self.failed(status.as_u16(), "OriginCommError"));
            }
        }
        let result = match verdict {
            // CloudFront says so of what is served while the origin is in trouble.
            Verdict::SparesOrigin => result::REFRESH_HIT,
            _ => result::HIT,
        };
        self.exchange.kept(|| Kept::For(*stored.meta.lifetime));
        if has_hole {
            return Lookup::Mend(stored);
        }
        let answer =
            respond::from_stored(self.exchange.id(), self.head, &stored, reading, result, now);
        Lookup::Answer(answer)
    }
}
