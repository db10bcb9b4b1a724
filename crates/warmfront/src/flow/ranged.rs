//! Parts of objects: what a request wants of a stored response or of one that is being filled, and what becomes
//! of it where that is not at hand.

use std::sync::Arc;
use std::time::Duration;

use http::header::RANGE;
use http::{Method, StatusCode};
use warmfront_core::caching::NotStored;
use warmfront_core::http::range::{RangeAnswer, resolve};

use super::Route;
use crate::asked::Asked;
use crate::body::Body;
use crate::cache::{
    Content, FillHead, Generation, Join, Outcome, Place, Reading, StoredMeta, StoredResponse,
    Ticket, Unmended,
};
use crate::explaining::Kept;
use crate::fetch::nothing_stored;
use crate::origin::BoxFuture;
use crate::parts::{Mender, NEAR, Wanted};
use crate::reasons::Came;
use crate::respond::{self, Answer, FromFill, result};

impl Route<'_> {
    /// The one range that the request asks for, where nothing is stored.
    pub(super) fn part_wanted(&self, stale: &Option<Arc<StoredResponse>>) -> Option<Wanted> {
        if self.failing.is_some() || !nothing_stored(stale) {
            return None;
        }
        Wanted::of(self.head, self.exchange.shared().cache.storage.fragment_size())
    }

    /// The fill of the whole object, if there is one, or else of the part.
    pub(super) fn join_for_part(&self, place: &Place, part: &Wanted) -> Join {
        let cache = &self.exchange.shared().cache;
        match cache.fills.join_if_filling(place.key()) {
            Some(ticket) => Join::Wait(ticket),
            None => cache.parts.join_part(place.key(), &part.name(self.head)),
        }
    }

    /// Lets newcomers start anew instead of joining the fill of `ticket`.
    pub(super) fn retire(&self, place: &Place, part: Option<&Wanted>, ticket: &Ticket) {
        let cache = &self.exchange.shared().cache;
        cache.fills.retire(place.key(), ticket);
        if let Some(part) = part {
            cache.parts.retire_part(place.key(), &part.name(self.head), ticket);
        }
    }

    /// The answer for whoever led to `outcome`.
    pub(super) fn answer_outcome_led(
        &self,
        outcome: Outcome,
        place: &Place,
        part: Option<&Wanted>,
        ticket: Ticket,
    ) -> Answer {
        self.exchange.told.came(outcome.came(true));
        let Outcome::Streaming(head) = outcome else {
            return self.answer_outcome(outcome, place, result::REFRESH_HIT);
        };
        if let (None, Some(length)) = (&head.part, head.length)
            && self.exchange.shared().cache.storage.admits(length).is_err()
        {
            self.exchange.told.not_stored(NotStored::TooLarge(length));
        }
        // CloudFront guide, range GETs: the whole that an origin sends for a range goes to the viewer whole.
        let range = match (part, &head.part, head.length) {
            (Some(part), Some(_), Some(length)) => {
                part.own.within(length).map_or(RangeAnswer::Unsatisfiable, RangeAnswer::Part)
            }
            _ => RangeAnswer::Whole,
        };
        let reading = self.reading_of_fill(place, &head);
        self.answer_from_fill(FromFill {
            head: &head,
            range,
            reading,
            ticket: Some(ticket),
            led: true,
            is_miss: true,
        })
    }

    /// The answer for a viewer who has joined; `None` when what it wants is not at hand there.
    pub(super) async fn answer_joined(
        &self,
        outcome: Outcome,
        place: &Place,
        ticket: Ticket,
    ) -> Option<Answer> {
        let came = outcome.came(false);
        let Outcome::Streaming(head) = outcome else {
            self.exchange.told.came(came);
            return Some(self.answer_outcome(outcome, place, result::HIT));
        };
        let asks_for_range = self.head.method == Method::GET
            && head.meta.status == StatusCode::OK
            && self.head.headers.contains_key(RANGE);
        let range = match head.length.filter(|_| asks_for_range) {
            Some(length) => resolve(&self.head.headers, &head.meta.head.headers(), length),
            None => RangeAnswer::Whole,
        };
        let mut reading = self.reading_of_fill(place, &head);
        let is_here = self.is_within_reach(&head, &range, &ticket, reading.mend.is_some());
        // What cannot be fetched once more must not be lost on the way.
        if is_here && reading.mend.is_none() && !self.is_held(&mut reading, &head, &range, &ticket)
        {
            return None;
        }
        let mut ticket = Some(ticket);
        if !is_here {
            let (Some(mend), RangeAnswer::Part(far)) = (reading.mend.clone(), &range) else {
                return None;
            };
            // A place in which nobody reads would hold up those who do.
            ticket = None;
            // It may have gone this way before.
            if let Some(hole) = reading.first_hole(far) {
                reading.patch = Some(Arc::new(mend.mend(hole..far.end).await.ok()?.ticket));
            }
        }
        self.exchange.told.came(if is_here { came } else { Came::Fetched });
        let (head, led, is_miss) = (&*head, false, !is_here);
        Some(self.answer_from_fill(FromFill { head, range, reading, ticket, led, is_miss }))
    }

    /// Whether a fill has what a viewer wants, or is about to.
    fn is_within_reach(
        &self,
        head: &FillHead,
        range: &RangeAnswer,
        ticket: &Ticket,
        can_mend: bool,
    ) -> bool {
        let (first, last) = match range {
            RangeAnswer::Unsatisfiable => return true,
            RangeAnswer::Whole => return head.part.is_none() || can_mend,
            RangeAnswer::Part(range) => (range, range),
            RangeAnswer::Parts(ranges) => match &ranges[..] {
                [first, .., last] => (first, last),
                _ => return false,
            },
        };
        match &head.part {
            Some(part) => can_mend || (part.start <= first.start && last.end <= part.end),
            None => {
                let size = self.exchange.shared().cache.storage.fragment_size();
                last.start <= ticket.received().saturating_add(NEAR * size)
            }
        }
    }

    /// Whether a viewer who has joined a fill is sure of what that has let go of; from now on, if so.
    fn is_held(
        &self,
        reading: &mut Reading,
        head: &FillHead,
        range: &RangeAnswer,
        ticket: &Ticket,
    ) -> bool {
        let all = head.begins_at()..u64::MAX;
        let ranges = match range {
            RangeAnswer::Unsatisfiable => return true,
            RangeAnswer::Whole => std::slice::from_ref(&all),
            RangeAnswer::Part(range) => std::slice::from_ref(range),
            RangeAnswer::Parts(ranges) => ranges,
        };
        // What comes from now on the fill keeps for whoever has a place in it.
        let received = ticket.received();
        let came: Vec<_> =
            ranges.iter().map(|range| range.start..range.end.min(received)).collect();
        let cache = &self.exchange.shared().cache;
        cache.hold(reading, &came, |position| ticket.has(position)).is_ok()
    }

    fn answer_from_fill(&self, from: FromFill<'_>) -> Answer {
        self.exchange.kept(|| Kept::For(*from.head.meta.lifetime));
        let begins = match &from.range {
            RangeAnswer::Part(range) => range.start,
            RangeAnswer::Parts(ranges) => ranges.first().map_or(0, |range| range.start),
            RangeAnswer::Whole | RangeAnswer::Unsatisfiable => 0,
        };
        if let Some(ticket) = from.ticket.as_ref().filter(|_| begins > 0) {
            ticket.go_to(begins);
        }
        respond::from_fill(self.head, from, self.settled())
    }

    /// It is settled which response answers: the time of that.
    fn settled(&self) -> Duration {
        let now = self.exchange.shared().clock.monotonic();
        self.exchange.told.settled(now.saturating_sub(self.exchange.started()));
        now
    }

    fn answer_outcome(&self, outcome: Outcome, place: &Place, result: &'static str) -> Answer {
        match outcome {
            Outcome::Stored(stored) | Outcome::Moved(stored) => {
                let now = self.settled();
                self.exchange.kept(|| Kept::For(*stored.meta.lifetime));
                let reading = self.reading(place, &stored, Arc::default);
                respond::from_stored(self.exchange.id(), self.head, &stored, reading, result, now)
            }
            Outcome::Failed(error) => self.failed(error.status(), error.detailed_result()),
            Outcome::Streaming(_) | Outcome::NotShared | Outcome::Abandoned => {
                self.failed(500, "Error")
            }
        }
    }

    /// A response of which the storage lacks some of what the request wants: before anything is promised,
    /// the first hole is mended that nobody mends already, so that the origin is known to have this version
    /// still. The others are mended on the way.
    pub(super) async fn answer_by_mending(
        &self,
        place: &mut Place,
        stored: Arc<StoredResponse>,
    ) -> Answer {
        let shared = self.exchange.shared();
        if let Some(mut reading) = self.reading(place, &stored, || self.exchange.asks().clone()) {
            match self.mend_first(&stored, &mut reading).await {
                Ok(is_new) => {
                    let now = self.settled();
                    self.exchange.told.came(if is_new { Came::Fetched } else { Came::Shared });
                    self.exchange.kept(|| Kept::For(*stored.meta.lifetime));
                    let result = if is_new { result::MISS } else { result::HIT };
                    let (id, reading) = (self.exchange.id(), Some(reading));
                    return respond::from_stored(id, self.head, &stored, reading, result, now);
                }
                // What is stored stays for those who want no more of it; this viewer gets what the origin
                // has to say.
                Err(Unmended::OriginFails) => {
                    self.exchange.told.came(Came::Failed);
                    return Box::pin(self.answer_from_origin(Body::empty())).await;
                }
                Err(Unmended::OtherVersion) => {}
            }
        }
        shared.cache.storage.remove(place.key(), Some(&stored));
        Box::pin(self.answer_by_fetch(place, None)).await
    }

    /// Whether the origin had to be asked.
    async fn mend_first(
        &self,
        stored: &StoredResponse,
        reading: &mut Reading,
    ) -> Result<bool, Unmended> {
        for range in respond::octets_wanted(self.head, stored) {
            let mut position = range.start;
            while let Some(hole) = reading.first_hole(&(position..range.end)) {
                let mend = reading.mend.clone().ok_or(Unmended::OtherVersion)?;
                let patch = mend.mend(hole..range.end).await?;
                let reached = patch.ticket.will_reach().filter(|reached| *reached > hole);
                position = reached.ok_or(Unmended::OtherVersion)?;
                if reading.patch.is_none() {
                    reading.patch = Some(Arc::new(patch.ticket));
                }
                if patch.is_new {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    pub(super) fn mend_boxed<'a>(
        &'a self,
        place: &'a mut Place,
        stored: Arc<StoredResponse>,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(self.answer_by_mending(place, stored))
    }

    /// The octets, from the first hole on, that the request wants of `stored` and the storage lacks.
    pub(super) fn first_hole(
        &self,
        stored: &StoredResponse,
        reading: &Reading,
    ) -> Option<std::ops::Range<u64>> {
        let wanted = respond::octets_wanted(self.head, stored);
        wanted.into_iter().find_map(|range| Some(reading.first_hole(&range)?..range.end))
    }

    /// How the body of `stored` is read; `None` where it lies with its head. What is learned of the origin
    /// on the way goes to `asked`.
    pub(super) fn reading(
        &self,
        place: &Place,
        stored: &StoredResponse,
        asked: impl FnOnce() -> Arc<Asked>,
    ) -> Option<Reading> {
        match stored.content {
            Content::Whole(_) => None,
            Content::Fragments { generation, length } => {
                Some(self.reading_of(place, &stored.meta, generation, Some(length), asked))
            }
        }
    }

    fn reading_of_fill(&self, place: &Place, head: &FillHead) -> Reading {
        self.reading_of(place, &head.meta, head.generation, head.length, Arc::default)
    }

    fn reading_of(
        &self,
        place: &Place,
        meta: &StoredMeta,
        generation: Generation,
        length: Option<u64>,
        asked: impl FnOnce() -> Arc<Asked>,
    ) -> Reading {
        let storage = self.exchange.shared().cache.storage.clone();
        let size = storage.fragment_size();
        // What is no longer than a fragment has no holes, and a range is a part of the answer to GET.
        let may_have_holes = |length: &u64| *length > size && self.head.method == Method::GET;
        let mend = length.filter(may_have_holes).and_then(|length| {
            let origination = || self.origination(asked(), false);
            Mender::of_version(place.key(), meta, generation, length, origination)
        });
        Reading { storage, generation, mend, patch: None, held: None }
    }
}
