//! Bodies that come out of the cache: from a stored response, or along with a fill.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::{StoredResponse, Ticket};
use crate::body::BodyError;

/// Bytes of a stored response, piece by piece; nothing is copied.
#[derive(Debug)]
pub(crate) struct StoredBody {
    pieces: Arc<[Bytes]>,
    next: usize,
    /// Bytes to skip in the next piece.
    skip: usize,
    left: u64,
}

impl StoredBody {
    /// The part of `response` in `range`, which lies within its length.
    pub(crate) fn part(response: &StoredResponse, range: Range<u64>) -> Self {
        let mut skip = range.start;
        let mut next = 0;
        for piece in response.pieces.iter() {
            if skip < piece.len() as u64 {
                break;
            }
            skip -= piece.len() as u64;
            next += 1;
        }
        Self {
            pieces: response.pieces.clone(),
            next,
            skip: skip as usize,
            left: range.end - range.start,
        }
    }
}

impl StoredBody {
    /// All of `pieces`.
    pub(crate) fn of(pieces: Vec<Bytes>) -> Self {
        let left = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces: pieces.into(), next: 0, skip: 0, left }
    }

    /// Bytes still to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// What is still to come, as pieces.
    pub(crate) fn into_pieces(mut self) -> Vec<Bytes> {
        std::iter::from_fn(|| self.next_piece()).collect()
    }

    fn next_piece(&mut self) -> Option<Bytes> {
        let piece = self.pieces.get(self.next).filter(|_| self.left > 0)?;
        let rest = usize::try_from(self.left).unwrap_or(usize::MAX);
        let end = piece.len().min(self.skip.saturating_add(rest));
        let part = piece.slice(self.skip..end);
        self.next += 1;
        self.skip = 0;
        self.left -= part.len() as u64;
        Some(part)
    }
}

impl http_body::Body for StoredBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.next_piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A response that streams while it is being filled.
#[derive(Debug)]
pub(crate) struct FillBody {
    ticket: Ticket,
    /// What is left of the Content-Length.
    left: Option<u64>,
}

impl FillBody {
    pub(crate) fn new(ticket: Ticket, length: Option<u64>) -> Self {
        Self { ticket, left: length }
    }
}

impl http_body::Body for FillBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.ticket.poll_piece(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(piece))) => {
                self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(reason))) => {
                Poll::Ready(Some(Err(BodyError::Cut(reason.to_string().into()))))
            }
        }
    }

    /// Never early: the end of a fill is known only when the origin's body has ended whole.
    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::stored::tests_support::stored;
    use http_body_util::BodyExt;

    #[tokio::test]
    async fn a_part_crosses_pieces_and_stops_where_it_should() {
        let response = stored(&["hello ", "wide ", "world"]);
        for (range, expected) in [
            (0..16, "hello wide world"),
            (0..0, ""),
            (5..7, " w"),
            (6..11, "wide "),
            (15..16, "d"),
            (3..14, "lo wide wor"),
        ] {
            let body = StoredBody::part(&response, range.clone());
            let bytes = body.collect().await.unwrap().to_bytes();
            assert_eq!(bytes, expected, "{range:?}");
        }
    }
}
