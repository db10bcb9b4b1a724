//! A body that is encoded while it streams.
//!
//! It ends well only if the origin's body does, with exactly the bytes that were promised: what was cut
//! stays cut, without the coding's own end. When the origin pauses, what has come so far is flushed, so
//! that viewers have it; as long as it goes on nothing is, since every flush costs size. Trailers are
//! dropped: they may be about the origin's bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http_body::{Body as _, Frame, SizeHint};

use super::Place;
use super::encoder::Encoder;
use crate::body::{Body, BodyError};
use crate::clock::{Clock, Sleep};

/// Encoded bytes are handed on in pieces of at most this size.
const PIECE: usize = 16 << 10;
/// Bytes taken from the origin before others on this thread get their turn: about a millisecond.
const TURN: usize = 64 << 10;
/// Bytes of the origin's that an encoder gets at once.
const STEP: usize = 16 << 10;
/// How long the origin may say nothing before what it has said goes out.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct CompressedBody {
    origins: Body,
    /// Of the origin's promised bytes, those that have not come.
    left: u64,
    /// What has come and is not encoded.
    input: Bytes,
    encoder: Encoder,
    /// Encoded bytes, from the start up to `filled`.
    output: Box<[u8]>,
    filled: usize,
    stage: Stage,
    /// Something that the encoder took may not have come out.
    holds_back: bool,
    /// Taken since this thread was last given up.
    taken: usize,
    pause: Option<Sleep>,
    clock: Arc<dyn Clock>,
    _place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Encoding,
    Flushing,
    Finishing,
    Over,
}

impl CompressedBody {
    /// `length` is what the origin promised.
    pub(super) fn new(
        origins: Body,
        encoder: Encoder,
        length: u64,
        clock: Arc<dyn Clock>,
        place: Place,
    ) -> Self {
        Self {
            origins,
            left: length,
            input: Bytes::new(),
            encoder,
            output: vec![0; PIECE].into(),
            filled: 0,
            stage: Stage::Encoding,
            holds_back: false,
            taken: 0,
            pause: None,
            clock,
            _place: place,
        }
    }

    /// What is encoded, if that is worth a piece: the buffer is full, or nothing more comes soon.
    fn piece(&mut self, is_due: bool) -> Option<Bytes> {
        let is_worth_it = self.filled == self.output.len() || (is_due && self.filled > 0);
        is_worth_it.then(|| {
            let piece = Bytes::copy_from_slice(&self.output[..self.filled]);
            self.filled = 0;
            piece
        })
    }

    /// One step within the encoder; a piece if there is one.
    fn step(&mut self) -> io::Result<Option<Bytes>> {
        let room = &mut self.output[self.filled..];
        match self.stage {
            Stage::Encoding => {
                let part = &self.input[..self.input.len().min(STEP)];
                let (taken, written) = self.encoder.encode(part, room)?;
                self.input.advance(taken);
                self.filled += written;
                self.taken += taken;
                self.holds_back = true;
                Ok(self.piece(false))
            }
            Stage::Flushing => {
                let (all, written) = self.encoder.flush(room)?;
                self.filled += written;
                if all {
                    self.stage = Stage::Encoding;
                    self.holds_back = false;
                }
                Ok(self.piece(all))
            }
            Stage::Finishing => {
                let (all, written) = self.encoder.finish(room)?;
                self.filled += written;
                if all {
                    self.stage = Stage::Over;
                }
                Ok(self.piece(all))
            }
            Stage::Over => Ok(None),
        }
    }

    /// Takes what the origin sends next, or sees that it has ended, or that it pauses.
    fn poll_origin(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let Poll::Ready(frame) = Pin::new(&mut self.origins).poll_frame(cx) else {
            if !self.holds_back {
                return Poll::Pending;
            }
            let clock = &self.clock;
            ready!(self.pause.get_or_insert_with(|| clock.sleep(PAUSE)).as_mut().poll(cx));
            self.pause = None;
            self.stage = Stage::Flushing;
            return Poll::Ready(Ok(()));
        };
        self.pause = None;
        match frame {
            None if self.left > 0 => {
                return Poll::Ready(Err(cut("the body is shorter than promised")));
            }
            None => self.stage = Stage::Finishing,
            Some(frame) => {
                if let Ok(data) = frame?.into_data() {
                    let left = self.left.checked_sub(data.len() as u64);
                    self.left = left.ok_or_else(|| cut("the body is longer than promised"))?;
                    self.input = data;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.stage == Stage::Over {
                return Poll::Ready(None);
            }
            if self.taken >= TURN {
                self.taken = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.stage == Stage::Encoding && self.input.is_empty() {
                ready!(self.poll_origin(cx))?;
                continue;
            }
            if let Some(piece) = self.step().map_err(|error| BodyError::Other(error.into()))? {
                return Poll::Ready(Some(Ok(piece)));
            }
        }
    }
}

fn cut(reason: &'static str) -> BodyError {
    BodyError::Cut(reason.into())
}

impl http_body::Body for CompressedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = ready!(self.poll_piece(cx));
        if matches!(piece, Some(Err(_))) {
            self.stage = Stage::Over;
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    /// Never early: only the last piece is followed by the end.
    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

#[cfg(test)]
mod tests;
