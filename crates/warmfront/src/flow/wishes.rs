//! What a viewer asks of the cache, where its Cache-Control and Pragma count (RFC 9111 §5.2.1).
//!
//! What a stored response is worth under its wishes is `lookup`'s verdict; here is what becomes of a request that
//! the cache cannot answer. Where the switch is off, all of this is one look at it.

use warmfront_core::caching::{NotStored, ViewerControl, viewer_control};

use super::Route;
use crate::body::Body;
use crate::reasons::{Alone, Came};
use crate::respond::{self, Answer};

impl Route<'_> {
    /// What the viewer asks; an error page is fetched for the edge's own sake.
    pub(super) fn wishes(&self) -> Option<ViewerControl> {
        if self.failing.is_some() {
            return None;
        }
        viewer_control(self.behavior.rules, &self.head.headers)
    }

    /// Whether only an answer to this very request will do, not one that the origin was asked for before.
    pub(super) fn insists(&self) -> bool {
        self.wishes().is_some_and(|wishes| wishes.insists())
    }

    pub(super) fn forbids_asking(&self) -> bool {
        self.wishes().is_some_and(|wishes| wishes.only_if_cached)
    }

    pub(super) fn forbids_storing(&self) -> bool {
        self.wishes().is_some_and(|wishes| wishes.no_store)
    }

    /// RFC 9111 §5.2.1.7: 504, where nothing that is stored answers.
    pub(super) fn only_if_cached(&self) -> Answer {
        self.exchange.told.came(Came::OnlyIfCached);
        respond::only_if_cached(&self.head.method, self.exchange.id())
    }

    /// RFC 9111 §5.2.1.5: what is fetched is for this viewer, and leaves nothing in the cache.
    pub(super) async fn answer_unstored(&self) -> Answer {
        self.exchange.told.came(Came::Alone(Alone::NoStore));
        self.exchange.told.not_stored(NotStored::ViewerForbids);
        let origination = self.origination(self.exchange.asks().clone(), false);
        match origination.pass(Body::empty()).await.result {
            Ok(response) => respond::relayed(self.behavior, origination.compressed(response)),
            Err(error) => self.failed(error.status(), error.detailed_result()),
        }
    }
}
