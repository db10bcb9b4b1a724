//! A request that is never answered from the cache, and what it leaves there: an unsafe one makes invalid what
//! it changed, and the answer to a POST may be what a GET would bring.

use http::{HeaderMap, Method};
use http_body::Body as _;
use warmfront_core::caching::Storable;
use warmfront_core::caching::unsafe_methods::{also_changed, invalidates, stands_for_get};
use warmfront_core::policy::cache_key::{write_address, write_cache_key};
use warmfront_core::request_view::RequestView;

use super::Route;
use crate::body::Body;
use crate::cache::Place;
use crate::origination::Answered;
use crate::respond::{self, Answer};

impl Route<'_> {
    pub(super) async fn answer_from_origin(&self, body: Body) -> Answer {
        let has_body = !body.is_end_stream();
        let purges = &self.exchange.shared().cache.purges;
        let mut epoch = purges.epoch();
        let origination = self.origination(self.exchange.asks().clone(), has_body);
        let Answered { by, headers, result, delay } = origination.pass(body).await;
        let response = match result {
            Ok(response) => response,
            Err(error) => return self.failed(error.status(), error.detailed_result()),
        };
        let (rules, answer) = (self.behavior.rules, &response.head);
        // Before the viewer learns that something has changed.
        if invalidates(rules, &self.head.method, answer.status) {
            // The answer is as young as its own change, unless a purge or another change of the same URI came
            // between the two.
            let (before, place) = (purges.epoch(), self.place_of_get());
            let is_untouched = !purges.outdates(place.key(), epoch, || None);
            let changed = self.changed(&answer.headers);
            epoch = if is_untouched && changed == before + 1 { changed } else { epoch };
        }
        let storable = origination.storable(by, &headers, answer.status, &answer.headers, delay);
        if let Storable::For(lifetime) = storable
            && !self.forbids_storing()
            && stands_for_get(rules, &self.view, answer.status, &answer.headers, &lifetime)
        {
            let place = self.place_of_get();
            let (mut permit, ticket) = self.exchange.shared().cache.fills.alone(place.key());
            permit.epoch = epoch;
            let (lead, asked) = ((permit, ticket), self.exchange.asks().clone());
            let (fetch, ticket, private) = self.fetch_telling(&place, lead, None, asked);
            tokio::spawn(fetch.keep_answer(by.source, headers, delay, response));
            return self.answer_led(&place, None, ticket, private).await;
        }
        respond::relayed(self.behavior, response)
    }

    /// What the target of the request names, and what the answer says that it has changed, too. Gives the epoch
    /// of the change.
    fn changed(&self, answer: &HeaderMap) -> u64 {
        let mut addresses = vec![self.address(self.view.path, self.view.query)];
        let also = also_changed(&self.view, answer);
        addresses.extend(also.map(|place| self.address(&place.path, place.query)));
        let addresses = addresses.iter().map(Vec::as_slice);
        self.exchange.shared().cache.purges.changed(addresses)
    }

    /// What the keys of all variants of the object at a path of this distribution begin with.
    fn address(&self, path: &str, query: Option<&str>) -> Vec<u8> {
        let path = self.distribution.effective_path(path);
        let behavior = self.distribution.behavior_for(&path);
        let path = behavior.path_seen(path);
        let view = RequestView { path: &path, query, method: &Method::GET, ..self.view };
        let mut address = Vec::new();
        write_address(&mut address, self.distribution, behavior, &view);
        address
    }

    fn place_of_get(&self) -> Place {
        let view = RequestView { method: &Method::GET, ..self.view };
        Place::primary(|key| write_cache_key(key, self.distribution, self.behavior, &view))
    }
}
