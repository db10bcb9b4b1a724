//! The body of an object on its way to a viewer, wherever its octets are: in the fill under way, in
//! fragments, or, where one is missing, once more at the origin.
//!
//! All fragments are of one generation and a hole is mended only with octets of the same version, so no body
//! mixes two. A body holds one fragment at a time: a viewer who reads slowly keeps no more than that.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{Content, Found, Generation, Held, Read, Storage, StoredResponse, Ticket};
use crate::body::{Body, BodyError};
use crate::origin::BoxFuture;

/// Fetches what a storage has let go of.
pub(crate) trait Mend: Send + Sync {
    /// A fill that brings the octets at `range.start` and, at most, up to its end.
    fn mend(self: Arc<Self>, range: Range<u64>) -> BoxFuture<'static, Result<Patch, Unmended>>;
}

/// Why a hole stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unmended {
    /// The origin has another version by now, or does not say so clearly: this one can never be completed.
    OtherVersion,
    /// The origin fails: what is there is as good as before.
    OriginFails,
}

/// A fill that mends a hole.
#[derive(Debug)]
pub(crate) struct Patch {
    /// A place in it.
    pub(crate) ticket: Ticket,
    /// The origin was asked for it just now, and still has the version.
    pub(crate) is_new: bool,
}

/// Where the fragments of an object are.
#[derive(Clone)]
pub(crate) struct Reading {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) generation: Generation,
    /// How holes are mended; `None` where that cannot be, and a hole breaks the body off.
    pub(crate) mend: Option<Arc<dyn Mend>>,
    /// A place in a fill that mends the first hole already.
    pub(crate) patch: Option<Arc<Ticket>>,
    /// What memory may let go of and is needed all the same.
    pub(crate) held: Option<Arc<Held>>,
}

impl Reading {
    /// The first octet in `range` that lies in a fragment which the storage lacks.
    pub(crate) fn first_hole(&self, range: &Range<u64>) -> Option<u64> {
        let size = self.storage.fragment_size();
        let mut position = range.start;
        while position < range.end {
            if !self.storage.holds(self.generation.fragment_at(position, size)) {
                return Some(position);
            }
            position = (position / size + 1) * size;
        }
        None
    }
}

/// The octets of `stored` in `range`, which lies within its length. `reading` is needed for a body in
/// fragments only.
pub(crate) fn body_of(
    stored: &StoredResponse,
    range: Range<u64>,
    reading: Option<&Reading>,
) -> Body {
    match (&stored.content, reading) {
        (Content::Whole(bytes), _) => {
            Body::full(bytes.slice(range.start as usize..range.end as usize))
        }
        (Content::Fragments { .. }, Some(reading)) => {
            Body::stream(ObjectBody::new(reading.clone(), range))
        }
        // A caller's slip, which the viewer sees as a body that breaks off.
        (Content::Fragments { .. }, None) => Body::stream(ObjectBody {
            position: range.start,
            end: Some(range.end),
            reading: None,
            fill: None,
            patch: None,
            tries: 0,
            waiting: Waiting::No,
        }),
    }
}

/// How often in a row a hole is mended without a single octet of it arriving here.
const TRIES: u8 = 3;

/// The octets of an object in a range.
pub(crate) struct ObjectBody {
    position: u64,
    /// `None` while nobody knows how long the object is.
    end: Option<u64>,
    reading: Option<Reading>,
    /// A place in the fill of the object.
    fill: Option<Arc<Ticket>>,
    /// A place in a fill that mends a hole.
    patch: Option<Arc<Ticket>>,
    /// How often holes were mended since the last octet.
    tries: u8,
    waiting: Waiting,
}

enum Waiting {
    No,
    /// For a fragment.
    Fragment(BoxFuture<'static, Option<Bytes>>),
    /// For a place in the fill that mends a hole.
    Mend(BoxFuture<'static, Result<Patch, Unmended>>),
    /// In vain: the body has broken off.
    Over,
}

/// Where octets may come from while they arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Fill,
    Patch,
}

/// What came of looking for octets in one place.
enum Look {
    Found(Bytes),
    NotThere,
    Over,
    Broken(Arc<str>),
}

impl ObjectBody {
    /// The octets in `range` of the object that `reading` knows.
    pub(crate) fn new(reading: Reading, range: Range<u64>) -> Self {
        Self {
            position: range.start,
            end: Some(range.end),
            fill: None,
            patch: reading.patch.clone(),
            reading: Some(reading),
            tries: 0,
            waiting: Waiting::No,
        }
    }

    /// Everything that the fill of `ticket` brings, whose end it alone knows.
    pub(crate) fn until_the_end(reading: Reading, ticket: Arc<Ticket>) -> Self {
        Self { end: None, fill: Some(ticket), ..Self::new(reading, 0..0) }
    }

    /// The same, along with the fill of the object, in which `ticket` is a place.
    pub(crate) fn along(mut self, ticket: Arc<Ticket>) -> Self {
        self.fill = Some(ticket);
        self
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.end == Some(self.position) {
                return Poll::Ready(None);
            }
            match &mut self.waiting {
                Waiting::Over => return Poll::Ready(None),
                Waiting::Fragment(coming) => match ready!(coming.as_mut().poll(cx)) {
                    Some(fragment) => {
                        self.waiting = Waiting::No;
                        return self.part_of(fragment);
                    }
                    None => self.mend(),
                },
                Waiting::Mend(coming) => match ready!(coming.as_mut().poll(cx)) {
                    Ok(patch) => {
                        self.patch = Some(Arc::new(patch.ticket));
                        self.waiting = Waiting::No;
                    }
                    Err(_) => return self.break_off("a part of the object cannot be had".into()),
                },
                Waiting::No => {
                    for place in [Place::Fill, Place::Patch] {
                        match ready!(self.along_with(place, cx)) {
                            Look::Found(piece) => {
                                return Poll::Ready(Some(Ok(self.advance(piece))));
                            }
                            Look::NotThere => {}
                            Look::Over => return Poll::Ready(None),
                            Look::Broken(reason) => {
                                return self.break_off(reason.to_string().into());
                            }
                        }
                    }
                    if let Some(fragment) = self.find_fragment() {
                        return self.part_of(fragment);
                    }
                }
            }
        }
    }

    /// What a fill has at the position.
    fn along_with(&mut self, place: Place, cx: &mut Context<'_>) -> Poll<Look> {
        let position = self.position;
        let ends = self.end.is_some();
        let ticket = match place {
            Place::Fill => &mut self.fill,
            Place::Patch => &mut self.patch,
        };
        let Some(reading) = ticket else { return Poll::Ready(Look::NotThere) };
        Poll::Ready(match ready!(reading.poll_at(cx, position)) {
            Read::Piece(piece) => Look::Found(piece),
            Read::Behind => Look::NotThere,
            Read::End => {
                *ticket = None;
                if ends { Look::NotThere } else { Look::Over }
            }
            // What broke off while a hole was mended may be asked for again.
            Read::Broken(_) if place == Place::Patch => {
                *ticket = None;
                Look::NotThere
            }
            Read::Broken(reason) => Look::Broken(reason),
        })
    }

    /// The fragment at the position, if it is in memory; otherwise says what must be waited for.
    fn find_fragment(&mut self) -> Option<Bytes> {
        let Some(reading) = &self.reading else {
            self.mend();
            return None;
        };
        let size = reading.storage.fragment_size();
        let id = reading.generation.fragment_at(self.position, size);
        if let Some(held) = reading.held.as_ref().and_then(|held| held.fragment(id.number)) {
            return Some(held);
        }
        match reading.storage.fragment(id) {
            Found::Here(fragment) => return Some(fragment),
            Found::Elsewhere(coming) => self.waiting = Waiting::Fragment(coming),
            Found::Nowhere => self.mend(),
        }
        None
    }

    /// What of `fragment` belongs at the position. A fragment that is too short to have it is as good as
    /// none.
    fn part_of(&mut self, fragment: Bytes) -> Poll<Option<Result<Bytes, BodyError>>> {
        let size = self.reading.as_ref().map_or(1, |reading| reading.storage.fragment_size());
        let skip = (self.position % size) as usize;
        if skip >= fragment.len() {
            return self.break_off("a fragment of the object is too short".into());
        }
        Poll::Ready(Some(Ok(self.advance(fragment.slice(skip..)))))
    }

    fn mend(&mut self) {
        let mend = self.reading.as_ref().and_then(|reading| reading.mend.clone());
        self.tries += 1;
        self.waiting = match (mend.filter(|_| self.tries <= TRIES), self.end) {
            (Some(mend), Some(end)) => Waiting::Mend(mend.mend(self.position..end)),
            _ => Waiting::Mend(Box::pin(std::future::ready(Err(Unmended::OtherVersion)))),
        };
    }

    fn advance(&mut self, mut piece: Bytes) -> Bytes {
        if let Some(end) = self.end {
            piece.truncate(usize::try_from(end - self.position).unwrap_or(usize::MAX));
        }
        self.position += piece.len() as u64;
        self.tries = 0;
        piece
    }

    fn break_off(&mut self, reason: Cow<'static, str>) -> Poll<Option<Result<Bytes, BodyError>>> {
        (self.fill, self.patch) = (None, None);
        self.waiting = Waiting::Over;
        Poll::Ready(Some(Err(BodyError::Cut(reason))))
    }
}

impl http_body::Body for ObjectBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    /// Where the length is not known, never early: the end comes only when the origin's body has ended
    /// whole.
    fn is_end_stream(&self) -> bool {
        self.end == Some(self.position)
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.end.map(|end| end - self.position);
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody")
            .field("position", &self.position)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
