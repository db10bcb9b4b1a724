//! What the cache has for a request, and whether that may answer: each verdict names its reason.
//!
//! What happens after a verdict is `flow`'s and `fetch`'s work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use warmfront_core::caching::freshness::{Freshness, freshness};
use warmfront_core::caching::{Demand, ViewerControl, Wish};

use crate::cache::purge::PurgedBy;
use crate::cache::{Cache, Found, Place, Source, Standing, StoredResponse};
use crate::clock::Clock;

/// Whether what is stored may answer a request, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is fresh.
    Fresh,
    /// It is stale, but its origin has just failed and is left alone for a while.
    SparesOrigin,
    /// It is stale and answers while one request asks the origin (RFC 5861 §3).
    StaleWhileRevalidate,
    /// It is stale: the origin must confirm it first.
    Expired,
    /// A soft purge made it stale: it answers while one request asks the origin.
    PurgedSoftly(PurgedBy),
    /// A soft purge made it stale, and the origin allows no stale answers: it must confirm it first.
    MustRevalidate(PurgedBy),
    /// It was purged.
    Purged(PurgedBy),
    /// The viewer's Cache-Control does not take it as it is: the origin must confirm it first.
    ViewerDemands(Demand),
    /// It is stale, and the viewer's max-stale takes it.
    ViewerTakesStale,
    /// Nothing is stored under this key.
    NothingStored,
    /// Only responses to requests that differ in what Vary names are stored (RFC 9111 §4.1).
    OtherVariants,
    /// Parts of its body that the request wants have made room for others, or never came.
    Incomplete,
    /// An error page is wanted, and a page in its own place is stored instead, for this error.
    PageHasPage(StatusCode),
}

impl Verdict {
    /// The names of all, for counters; what is asked most comes first.
    pub const NAMES: [&'static str; 13] = [
        "fresh",
        "nothing-stored",
        "expired",
        "spares-origin",
        "stale-while-revalidate",
        "purged-softly",
        "must-revalidate",
        "purged",
        "other-variants",
        "incomplete",
        "page-has-page",
        "viewer-demands",
        "viewer-takes-stale",
    ];

    /// A stable name: one of [`Verdict::NAMES`].
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Fresh => "fresh",
            Verdict::NothingStored => "nothing-stored",
            Verdict::Expired => "expired",
            Verdict::SparesOrigin => "spares-origin",
            Verdict::StaleWhileRevalidate => "stale-while-revalidate",
            Verdict::PurgedSoftly(_) => "purged-softly",
            Verdict::MustRevalidate(_) => "must-revalidate",
            Verdict::Purged(_) => "purged",
            Verdict::OtherVariants => "other-variants",
            Verdict::Incomplete => "incomplete",
            Verdict::PageHasPage(_) => "page-has-page",
            Verdict::ViewerDemands(_) => "viewer-demands",
            Verdict::ViewerTakesStale => "viewer-takes-stale",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Fresh => f.write_str("fresh"),
            Verdict::SparesOrigin => f.write_str("stale, while the failing origin is spared"),
            Verdict::StaleWhileRevalidate => f.write_str("stale, while it is revalidated"),
            Verdict::Expired => f.write_str("expired"),
            Verdict::PurgedSoftly(by) => write!(f, "stale, purged {by}, while it is revalidated"),
            Verdict::MustRevalidate(by) => write!(f, "purged {by}, to be revalidated"),
            Verdict::Purged(by) => write!(f, "purged {by}"),
            Verdict::ViewerDemands(demand) => write!(f, "not as the viewer's {demand} asks"),
            Verdict::ViewerTakesStale => f.write_str("stale, as the viewer's max-stale permits"),
            Verdict::NothingStored => f.write_str("nothing stored"),
            Verdict::OtherVariants => f.write_str("only other variants stored"),
            Verdict::Incomplete => f.write_str("not all of it is stored"),
            Verdict::PageHasPage(status) => write!(f, "the error page is itself a {status}"),
        }
    }
}

impl Cache {
    /// What is stored under `key`, and when that was found out: a read from disk takes time, in memory
    /// `now` still holds.
    pub(crate) async fn find(
        &self,
        key: &[u8],
        now: Duration,
        clock: &dyn Clock,
    ) -> (Option<Arc<StoredResponse>>, Duration) {
        match self.storage.lookup(key) {
            Found::Here(stored) => (Some(stored), now),
            Found::Nowhere => (None, now),
            Found::Elsewhere(coming) => {
                let stored = coming.await;
                (stored, clock.monotonic())
            }
        }
    }
}

/// What it means that nothing was found for a request.
pub(crate) fn nothing_at(place: &Place) -> Verdict {
    if place.is_variant() { Verdict::OtherVariants } else { Verdict::NothingStored }
}

/// Whether what is stored may answer at `now`. `for_page`: the request fetches an error page.
pub(crate) fn verdict(
    stored: Option<(&StoredResponse, Standing)>,
    now: Duration,
    for_page: bool,
) -> Verdict {
    let Some((stored, standing)) = stored else { return Verdict::NothingStored };
    let status = stored.meta.status;
    let is_error = stored.failure().is_some()
        || stored.meta.source().is_error_page()
        || status.is_client_error()
        || status.is_server_error();
    match standing {
        Standing::Untouched => {}
        // Nobody is better off with an old error than with the origin.
        Standing::Stale(by) if is_error => return Verdict::Purged(by),
        Standing::Stale(_) => {}
        Standing::Gone(by) => return Verdict::Purged(by),
    }
    let freshness = freshness(&stored.meta.lifetime, stored.resident(now));
    if for_page && let Source::ErrorPage(status) = stored.meta.source() {
        return match freshness {
            Freshness::Fresh => Verdict::PageHasPage(status),
            _ => Verdict::NothingStored,
        };
    }
    match freshness {
        Freshness::Fresh if standing == Standing::Untouched => Verdict::Fresh,
        _ if stored.spare_origin_until().is_some_and(|until| now < until) => Verdict::SparesOrigin,
        Freshness::Fresh => softly(stored, standing),
        Freshness::StaleWhileRevalidate => Verdict::StaleWhileRevalidate,
        Freshness::Stale => Verdict::Expired,
    }
}

/// What the wishes of a viewer make of a verdict on what is stored.
pub(crate) fn under_wishes(
    verdict: Verdict,
    (stored, standing): (&StoredResponse, Standing),
    now: Duration,
    wishes: &ViewerControl,
) -> Verdict {
    let is_outdated = standing != Standing::Untouched;
    let wish = || wishes.wish(&stored.meta.lifetime, stored.resident(now), is_outdated);
    match verdict {
        Verdict::Fresh
        | Verdict::SparesOrigin
        | Verdict::StaleWhileRevalidate
        | Verdict::PurgedSoftly(_) => match wish() {
            Wish::Confirmed(demand) => Verdict::ViewerDemands(demand),
            Wish::Stale | Wish::AsForAnybody => verdict,
        },
        // Nobody is better off with an old error than with the origin.
        Verdict::Expired if stored.failure().is_none() && !stored.meta.source().is_error_page() => {
            if wish() == Wish::Stale {
                Verdict::ViewerTakesStale
            } else {
                verdict
            }
        }
        _ => verdict,
    }
}

/// What is fresh by its time, and stale by a purge.
fn softly(stored: &StoredResponse, standing: Standing) -> Verdict {
    let Standing::Stale(by) = standing else { return Verdict::Fresh };
    // Both are none where must-revalidate and its like forbid stale answers (RFC 9111 §4.2.4).
    let lifetime = &stored.meta.lifetime;
    match lifetime.stale_while_revalidate.is_zero() && lifetime.stale_if_error.is_zero() {
        true => Verdict::MustRevalidate(by),
        false => Verdict::PurgedSoftly(by),
    }
}

#[cfg(test)]
mod tests {
    use warmfront_core::caching::Lifetime;

    use super::*;
    use crate::cache::Rare;
    use crate::cache::tests_support::stored;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A response that is fresh for 60 s and may then be revalidated behind for 10 s.
    fn response() -> StoredResponse {
        let mut response = stored("x");
        let lifetime = Lifetime { stale_while_revalidate: secs(10), ..*response.meta.lifetime };
        response.meta.lifetime = lifetime.into();
        response
    }

    #[test]
    fn every_verdict_has_a_name_that_counters_know() {
        let by = PurgedBy::Path;
        let all = [
            Verdict::Fresh,
            Verdict::NothingStored,
            Verdict::Expired,
            Verdict::SparesOrigin,
            Verdict::StaleWhileRevalidate,
            Verdict::PurgedSoftly(by),
            Verdict::MustRevalidate(by),
            Verdict::Purged(by),
            Verdict::OtherVariants,
            Verdict::Incomplete,
            Verdict::PageHasPage(StatusCode::NOT_FOUND),
            Verdict::ViewerDemands(Demand::NoCache),
            Verdict::ViewerTakesStale,
        ];
        assert_eq!(all.map(Verdict::name), Verdict::NAMES);
    }

    #[test]
    fn time_decides() {
        let response = response();
        for (now, expected) in
            [(59, Verdict::Fresh), (60, Verdict::StaleWhileRevalidate), (70, Verdict::Expired)]
        {
            assert_eq!(
                verdict(Some((&response, Standing::Untouched)), secs(now), false),
                expected,
                "at {now} s"
            );
        }
        assert_eq!(verdict(None, secs(0), false), Verdict::NothingStored);
    }

    #[test]
    fn a_spared_origin_is_left_alone_also_within_the_window() {
        let response = response().sparing_origin_until(secs(90));
        for (now, expected) in
            [(59, Verdict::Fresh), (60, Verdict::SparesOrigin), (90, Verdict::Expired)]
        {
            assert_eq!(
                verdict(Some((&response, Standing::Untouched)), secs(now), false),
                expected,
                "at {now} s"
            );
        }
    }

    #[test]
    fn a_soft_purge_leaves_no_error() {
        let by = PurgedBy::Path;
        for (status, expected) in [
            (StatusCode::OK, Verdict::PurgedSoftly(by)),
            (StatusCode::MOVED_PERMANENTLY, Verdict::PurgedSoftly(by)),
            (StatusCode::NOT_FOUND, Verdict::Purged(by)),
            (StatusCode::BAD_GATEWAY, Verdict::Purged(by)),
        ] {
            let mut response = response();
            response.meta.status = status;
            let found = Some((&response, Standing::Stale(by)));
            assert_eq!(verdict(found, secs(0), false), expected, "{status}");
        }
    }

    #[test]
    fn wishes_change_a_verdict_only_where_they_may() {
        let demands = |demand| Verdict::ViewerDemands(demand);
        let untouched = Standing::Untouched;
        let purged = Standing::Stale(PurgedBy::Path);
        let mut response = response();
        let lifetime = Lifetime { stale_if_error: secs(30), ..*response.meta.lifetime };
        response.meta.lifetime = lifetime.into();
        let max_stale = ViewerControl { max_stale: Some(secs(20)), ..ViewerControl::default() };
        let no_cache = ViewerControl { no_cache: true, ..max_stale };
        let max_age = ViewerControl { max_age: Some(secs(99)), ..ViewerControl::default() };
        let rows = [
            (no_cache, untouched, 0, demands(Demand::NoCache)),
            (no_cache, untouched, 65, demands(Demand::NoCache)),
            (no_cache, untouched, 75, Verdict::Expired),
            (no_cache, Standing::Gone(PurgedBy::Path), 0, Verdict::Purged(PurgedBy::Path)),
            (max_age, untouched, 59, Verdict::Fresh),
            (max_age, untouched, 65, demands(Demand::MaxAge)),
            (max_age, purged, 0, demands(Demand::MaxAge)),
            (max_stale, untouched, 65, Verdict::StaleWhileRevalidate),
            (max_stale, untouched, 75, Verdict::ViewerTakesStale),
            (max_stale, untouched, 81, Verdict::Expired),
            (max_stale, purged, 0, Verdict::PurgedSoftly(PurgedBy::Path)),
            (max_stale, purged, 75, Verdict::Expired),
        ];
        let check = |response: &StoredResponse, wishes: &ViewerControl, standing, now| {
            let stored = (response, standing);
            under_wishes(verdict(Some(stored), now, false), stored, now, wishes)
        };
        for (wishes, standing, now, expected) in rows {
            let found = check(&response, &wishes, standing, secs(now));
            assert_eq!(found, expected, "{wishes:?}, {standing:?}, at {now} s");
        }
        let source = Source::ErrorPage(StatusCode::NOT_FOUND);
        response.meta.rare = Rare::new(source, Default::default());
        assert_eq!(check(&response, &max_stale, untouched, secs(75)), Verdict::Expired);
    }

    #[test]
    fn a_page_that_has_a_page_in_its_place_is_no_page() {
        let mut response = response();
        let source = Source::ErrorPage(StatusCode::NOT_FOUND);
        response.meta.rare = Rare::new(source, Default::default());
        let for_page = |now| verdict(Some((&response, Standing::Untouched)), secs(now), true);
        assert_eq!(for_page(0), Verdict::PageHasPage(StatusCode::NOT_FOUND));
        assert_eq!(for_page(60), Verdict::NothingStored);
        assert_eq!(verdict(Some((&response, Standing::Untouched)), secs(0), false), Verdict::Fresh);
    }
}
