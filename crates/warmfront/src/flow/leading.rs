//! A request that leads to a fetch: how that begins, for whom, and what comes back to the request.
//!
//! A fetch runs in a task of its own, so that the fill does not end with the viewer who led.

use std::sync::Arc;

use tokio::sync::oneshot::Receiver;
use warmfront_core::caching::NotStored;
use warmfront_core::policy::presented::Presented;

use super::Route;
use crate::asked::Asked;
use crate::cache::{CacheKey, Join, Outcome, Permit, Place, StoredResponse, Ticket};
use crate::error_pages::Pages;
use crate::explaining::Kept;
use crate::fetch::{Fetch, Judged, Variant};
use crate::origin::OriginResponse;
use crate::origination::{Originated, Origination};
use crate::parts::Wanted;
use crate::reasons::Came;
use crate::respond::{self, Answer};

impl Route<'_> {
    /// Fetches for everybody who waits with `ticket`.
    pub(super) fn start_fetch(
        &self,
        place: &Place,
        (permit, ticket): (Permit, Ticket),
        stale: Option<Arc<StoredResponse>>,
        part: Option<Wanted>,
    ) -> (Ticket, Receiver<OriginResponse>) {
        let lead = (permit, ticket);
        let asked = self.exchange.asks().clone();
        let (mut fetch, ticket, private) = self.fetch_telling(place, lead, stale, asked);
        fetch.part = part;
        tokio::spawn(fetch.run());
        (ticket, private)
    }

    /// What the fetch that this request has led brings: a response for everyone, or one for it alone.
    pub(super) async fn answer_led(
        &self,
        place: &Place,
        part: Option<&Wanted>,
        ticket: Ticket,
        private: Receiver<OriginResponse>,
    ) -> Answer {
        let told = self.exchange.told;
        match ticket.outcome().await {
            // The fetch ended without an answer, which only a defect in it can cause.
            Outcome::Abandoned => self.failed(500, "Error"),
            Outcome::NotShared => match private.await {
                Ok(mut response) => {
                    if let Some(reason) = response.head.extensions.get::<NotStored>() {
                        self.exchange.kept(|| Kept::No(*reason));
                        told.not_stored(*reason);
                    }
                    told.came(Came::Fetched);
                    let is_judged = response.head.extensions.remove::<Judged>().is_some();
                    let answer = respond::relayed(self.behavior, response);
                    if is_judged { answer } else { respond::under_conditions(self.head, answer) }
                }
                Err(_) => self.failed(500, "Error"),
            },
            outcome => self.answer_outcome_led(outcome, place, part, ticket),
        }
    }

    /// A fetch that is still to run; what is learned of the origin goes to `asked`.
    pub(super) fn fetch_telling(
        &self,
        place: &Place,
        (permit, ticket): (Permit, Ticket),
        stale: Option<Arc<StoredResponse>>,
        asked: Arc<Asked>,
    ) -> (Fetch, Ticket, Receiver<OriginResponse>) {
        // The answer is as young as the permit, so it must not confirm what was purged before that.
        let stale = self.exchange.shared().cache.unpurged(permit.key.as_bytes(), stale);
        let (leader, private) = tokio::sync::oneshot::channel();
        let origination = self.origination(asked, false);
        let (pages, within_page) = (Pages::for_everyone(self), self.failing.is_some());
        let variant = self.behavior.rules.vary_selects.then(|| {
            let origin = &self.distribution.origins[self.behavior.origin];
            Box::new(Variant {
                primary: CacheKey::new(place.primary_key()),
                presented: Presented::of(self.behavior, origin, &self.view),
            })
        });
        let fetch = Fetch {
            origination,
            stale,
            permit,
            variant,
            leader,
            pages,
            within_page,
            judged: false,
            part: None,
        };
        (fetch, ticket, private)
    }

    /// stale-while-revalidate (RFC 5861 §3): this viewer has its answer, one request refreshes.
    pub(super) fn refresh_behind(&self, place: &Place, stale: &Arc<StoredResponse>) {
        let fills = &self.exchange.shared().cache.fills;
        if fills.is_filling(place.key()) {
            return;
        }
        if let Join::Lead(permit, ticket) = fills.join(place.key()) {
            // This viewer's answer did not wait for the origin, so nothing of it is told with it.
            let (lead, stale) = ((permit, ticket), Some(stale.clone()));
            let (fetch, ticket, _) = self.fetch_telling(place, lead, stale, Arc::default());
            tokio::spawn(fetch.refresh());
            // Nobody waits for the answer; the ticket keeps the fill alive until it has ended.
            tokio::spawn(async move { ticket.ended().await });
        }
    }

    pub(super) fn origination(&self, asked: Arc<Asked>, has_body: bool) -> Origination {
        let originated = Originated {
            connector: &self.edge.connector,
            scope: self.exchange,
            distribution: self.distribution,
            behavior: self.behavior,
            viewer: self.viewer,
            view: &self.view,
            failing: self.failing,
            has_body,
        };
        originated.prepare(asked)
    }
}
