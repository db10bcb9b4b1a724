//! The pieces of a body that a fill holds, by their place in the body.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// So many small pieces in a row are copied together, so that a body that comes octet by octet does not
/// take a hundred times its size.
const ROW: usize = 64;
/// A piece below this is small.
const SMALL: usize = 4 << 10;

/// A run of a body without gaps.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Each with the place of its first octet.
    pieces: VecDeque<(u64, Bytes)>,
    start: u64,
    /// What has been let go ends here.
    dropped: u64,
    end: u64,
    /// Small pieces at the end.
    row: usize,
}

impl Pieces {
    /// The first octet will be the one at `position`.
    pub(super) fn begin_at(&mut self, position: u64) {
        (self.start, self.dropped, self.end) = (position, position, position);
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Where the next piece will begin.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Octets held.
    pub(super) fn held(&self) -> u64 {
        self.end - self.dropped
    }

    pub(super) fn has_dropped(&self) -> bool {
        self.dropped > self.start
    }

    /// A copy of everything before `position`, if that is here; `None` when it is nothing.
    pub(super) fn until(&self, position: u64) -> Option<Bytes> {
        let mut all = BytesMut::new();
        for (begins, piece) in &self.pieces {
            let wanted = position.saturating_sub(*begins).min(piece.len() as u64);
            all.extend_from_slice(&piece[..wanted as usize]);
        }
        (!all.is_empty()).then(|| all.freeze())
    }

    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        self.row = if piece.len() < SMALL { self.row + 1 } else { 0 };
        let begins = self.end;
        self.end += piece.len() as u64;
        self.pieces.push_back((begins, piece));
        if self.row == ROW {
            self.join_row();
        }
    }

    /// What there is from `position` on, up to the end of a piece.
    pub(super) fn at(&self, position: u64) -> Option<Bytes> {
        let next = self.pieces.partition_point(|(begins, _)| *begins <= position);
        let (begins, piece) = self.pieces.get(next.checked_sub(1)?)?;
        let skip = usize::try_from(position - begins).ok()?;
        (skip < piece.len()).then(|| piece.slice(skip..))
    }

    /// Lets go of the pieces that end at `position` or before it.
    pub(super) fn drop_before(&mut self, position: u64) {
        while let Some((begins, piece)) = self.pieces.front() {
            let ends = begins + piece.len() as u64;
            if ends > position {
                break;
            }
            self.dropped = ends;
            self.pieces.pop_front();
        }
        self.row = self.row.min(self.pieces.len());
    }

    fn join_row(&mut self) {
        let from = self.pieces.len().saturating_sub(self.row);
        self.row = 0;
        let Some(&(begins, _)) = self.pieces.get(from) else { return };
        let mut joined = BytesMut::with_capacity((self.end - begins) as usize);
        for (_, piece) in self.pieces.drain(from..) {
            joined.extend_from_slice(&piece);
        }
        self.pieces.push_back((begins, joined.freeze()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_found_by_their_place_whatever_the_pieces() {
        let mut pieces = Pieces::default();
        pieces.begin_at(100);
        for part in ["ab", "", "cde", "f"] {
            pieces.push(Bytes::from_static(part.as_bytes()));
        }
        for (position, expected) in
            [(100, Some("ab")), (101, Some("b")), (103, Some("de")), (105, Some("f")), (106, None)]
        {
            assert_eq!(pieces.at(position).as_deref(), expected.map(str::as_bytes), "{position}");
        }
        pieces.drop_before(104);
        assert_eq!((pieces.at(101), pieces.held(), pieces.has_dropped()), (None, 4, true));
        assert_eq!(pieces.until(104).as_deref(), Some(&b"cd"[..]));
    }

    #[test]
    fn a_body_that_comes_octet_by_octet_takes_few_pieces_and_loses_none() {
        let mut pieces = Pieces::default();
        let body: Vec<u8> = (0..10_000u32).map(|n| n as u8).collect();
        for octet in &body {
            pieces.push(Bytes::copy_from_slice(std::slice::from_ref(octet)));
        }
        assert!(pieces.pieces.len() < body.len() / ROW + ROW + 1, "{}", pieces.pieces.len());
        let mut read = Vec::new();
        while let Some(part) = pieces.at(read.len() as u64) {
            read.extend_from_slice(&part);
        }
        assert_eq!(read, body);
    }
}
