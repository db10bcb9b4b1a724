//! Whether what comes for one request may answer another.

use std::time::Duration;

use http::HeaderName;
use warmfront_core::caching::freshness::{Freshness, freshness};
use warmfront_core::policy::cookies_forbid_sharing;
use warmfront_core::policy::presented::present;

use super::Route;
use crate::cache::{Outcome, Place};
use crate::origination;
use crate::reasons::{Alone, Came};

impl Route<'_> {
    /// Why this request neither waits for another one's fetch nor lets others wait for its own, if so.
    /// `is_cold`: nothing is stored that the origin could confirm.
    pub(super) fn goes_alone(&self, place: &Place, is_cold: bool) -> Option<Alone> {
        // The request whose error the page is for may be waiting for a page itself.
        if self.failing.is_some() {
            return Some(Alone::ErrorPage);
        }
        if cookies_forbid_sharing(self.behavior) {
            return Some(Alone::Cookies);
        }
        (is_cold && self.asks_for_itself(place)).then_some(Alone::Personal)
    }

    /// Whether the origin's answer to this request may be for this viewer alone: parts, or what becomes of
    /// the viewer's conditions. Both can be had of a response that is on its way already, unless the viewer insists
    /// on a newer one.
    fn asks_for_itself(&self, place: &Place) -> bool {
        let headers = &self.head.headers;
        let is_personal = origination::asks_for_part(headers)
            || (self.behavior.rules.forwards_conditions && origination::is_personal(headers));
        let fills = &self.exchange.shared().cache.fills;
        is_personal && (self.insists() || !fills.is_filling(place.key()))
    }

    /// Whether the outcome of a fetch for another request may answer this one, as far as Vary tells.
    pub(super) fn is_selected_by(&self, outcome: &Outcome, place: &Place) -> bool {
        match outcome {
            Outcome::Streaming(head) => head.selected.as_ref().is_none_or(|selected| {
                selected.is_for(place.clone(), &|name, value| self.present(name, value))
            }),
            Outcome::Moved(_) => false,
            _ => true,
        }
    }

    /// Appends the value of a field that Vary names and says whether the origin gets it.
    pub(super) fn present(&self, name: &HeaderName, value: &mut Vec<u8>) -> bool {
        let origin = &self.distribution.origins[self.behavior.origin];
        present(self.behavior, origin, &self.view, name, value)
    }
}

impl Outcome {
    /// How the response came to a request; `led`: it was this one that asked the origin.
    pub(super) fn came(&self, led: bool) -> Came {
        match self {
            Outcome::Streaming(_) if led => Came::Fetched,
            Outcome::Stored(stored) if stored.failure().is_some() => Came::Failed,
            Outcome::Stored(stored) if stored.spare_origin_until().is_some() => {
                Came::InsteadOfFailure
            }
            Outcome::Stored(_) | Outcome::Moved(_) if led => Came::Confirmed,
            Outcome::Failed(_) | Outcome::NotShared | Outcome::Abandoned => Came::Failed,
            Outcome::Streaming(_) | Outcome::Stored(_) | Outcome::Moved(_) => Came::Shared,
        }
    }

    /// Whether those who waited may have it too. A response without freshness belongs to the viewer
    /// who led (CloudFront guide: simultaneous requests for the same object).
    pub(super) fn is_for_everyone(&self) -> bool {
        match self {
            Outcome::Streaming(head) => !head.meta.lifetime.fresh_for.is_zero(),
            Outcome::Stored(stored) => {
                !stored.meta.lifetime.fresh_for.is_zero() || stored.spare_origin_until().is_some()
            }
            Outcome::Failed(_) => true,
            Outcome::NotShared | Outcome::Moved(_) | Outcome::Abandoned => false,
        }
    }

    /// Whether whoever waited must look again: there is no response, or it has aged while its body came.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        match self {
            Outcome::Abandoned => true,
            Outcome::Streaming(head) => {
                let lifetime = &head.meta.lifetime;
                let is_fresh = freshness(lifetime, head.meta.resident(now)) == Freshness::Fresh;
                !is_fresh && !lifetime.fresh_for.is_zero()
            }
            _ => false,
        }
    }
}
