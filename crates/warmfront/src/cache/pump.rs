//! The filler at work: a body moves from the origin to the viewers and into the storage.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;

use super::{Fill, Permit, StoredMeta, Writer};
use crate::body::Body;
use crate::clock::Clock;

/// Pieces of a body that is being stored are gathered in buffers of this size.
const PIECE: usize = 64 << 10;

/// How long one viewer may read nothing and hold up a response that streams to several without being stored.
const LONGEST_STALL: Duration = Duration::from_secs(30);

/// Moves the body from the origin to the viewers and into the storage, until it ends or nobody wants it.
pub(crate) async fn pump(
    mut permit: Permit,
    mut body: Body,
    length: Option<u64>,
    writer: Box<dyn Writer>,
    meta: StoredMeta,
    clock: Arc<dyn Clock>,
) {
    let fill = permit.fill.clone();
    let mut writer = Some(writer);
    let mut gather = Gather::new(length);
    let end = loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = poll_fn(|cx| fill.poll_deserted(cx)) => {
                break Err(Arc::from("every viewer has gone"));
            }
        };
        match frame {
            None if gather.is_short() => break Err(Arc::from("the body is shorter than promised")),
            None => break Ok(()),
            Some(Err(error)) => break Err(Arc::from(error.to_string())),
            Some(Ok(frame)) => {
                // Trailers are not stored: nothing in a cached answer may depend on them.
                let Ok(data) = frame.into_data() else { continue };
                for piece in gather.pieces(data) {
                    if writer.as_mut().is_some_and(|writer| writer.append(piece.clone()).is_err()) {
                        writer = None;
                        permit.close();
                        fill.stop_keeping();
                    }
                    fill.push(piece);
                }
                if !fill.has_room() {
                    room(&fill, &*clock).await;
                }
            }
        }
    };
    if end.is_ok()
        && let Some(writer) = writer
        && permit.may_store(&meta)
    {
        // First stored, then closed: whoever comes in between finds one or the other.
        writer.commit(meta);
    }
    permit.close();
    fill.end(end);
}

/// Waits until the slowest viewer has caught up, however slow, as long as it reads at all.
async fn room(fill: &Fill, clock: &dyn Clock) {
    loop {
        let before = fill.slowest();
        tokio::select! {
            biased;
            () = fill.room() => return,
            () = clock.sleep(LONGEST_STALL) => {
                if fill.slowest() == before {
                    fill.cut_slowest();
                }
            }
        }
    }
}

/// Copies data out of the connection's read buffer into buffers of its own, without gaps.
struct Gather {
    buffer: BytesMut,
    left: Option<u64>,
}

impl Gather {
    fn new(length: Option<u64>) -> Self {
        Self { buffer: BytesMut::new(), left: length }
    }

    fn is_short(&self) -> bool {
        self.left.is_some_and(|left| left > 0)
    }

    fn pieces(&mut self, mut data: Bytes) -> Vec<Bytes> {
        let mut pieces = Vec::with_capacity(1);
        while !data.is_empty() {
            if self.buffer.capacity() == 0 {
                // Without a known length each buffer is as long as its piece: a small object must not
                // keep a large buffer.
                let left = self.left.map_or(0, |left| left.min(PIECE as u64) as usize);
                self.buffer = BytesMut::with_capacity(left.max(data.len().min(PIECE)));
            }
            let part = data.split_to(data.len().min(self.buffer.capacity()));
            self.buffer.extend_from_slice(&part);
            let piece = self.buffer.split().freeze();
            self.left = self.left.map(|left| left.saturating_sub(piece.len() as u64));
            pieces.push(piece);
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_piece_of_unknown_length_keeps_no_large_buffer() {
        for (length, data) in [(None, 100), (Some(100), 100), (None, PIECE + 100)] {
            let mut gather = Gather::new(length);
            let pieces = gather.pieces(Bytes::from(vec![b'x'; data]));
            drop(gather);
            assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), data);
            for piece in pieces {
                let used = piece.len();
                let buffer = piece.try_into_mut().expect("nobody else has it");
                assert!(buffer.capacity() < used + 64, "{} bytes for {used}", buffer.capacity());
            }
        }
    }
}
