//! The frames on the two pipes between the edge and a worker: pure encoding and decoding.
//!
//! ```text
//! u32  length of what follows          (all numbers big-endian)
//! u8   kind
//! u8   length of the id
//! u32  milliseconds left for the invocation; 0 where it means nothing
//! …    id, then the payload as JSON
//! ```
//! `bootstrap.js` and `bootstrap.py` are the other end and must agree with this file. The edge sends one frame and waits for
//! the answer before the next, so the worker may read without keeping a rest.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

/// What an invocation may carry: Lambda's limit of a synchronous request (6 MB).
pub(crate) const PAYLOAD_LIMIT: usize = 6 * 1024 * 1024;

/// What a handler may answer: Lambda's limit, which is 100 bytes above the request's.
pub(crate) const REPLY_LIMIT: usize = PAYLOAD_LIMIT + 100;

/// Longest id of an invocation, so that its length fits a byte.
pub(crate) const ID_LIMIT: usize = 255;

const LENGTH: usize = 4;
const HEADER: usize = 6;

/// What a frame is for. The first two go to the worker, the others come from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Load the handler; the payload says which.
    Start = 1,
    /// Call the handler with the payload.
    Invoke = 2,
    /// The handler is loaded.
    Ready = 3,
    /// The handler's result.
    Reply = 4,
    /// The handler failed; the worker goes on.
    Failed = 5,
    /// The handler failed in a way that ends the worker.
    Dying = 6,
    /// The handler could not be loaded; the worker ends.
    InitFailed = 7,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Kind::Start,
            2 => Kind::Invoke,
            3 => Kind::Ready,
            4 => Kind::Reply,
            5 => Kind::Failed,
            6 => Kind::Dying,
            7 => Kind::InitFailed,
            _ => return None,
        })
    }
}

/// One frame, as it came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) id: Bytes,
    pub(crate) payload: Bytes,
}

/// A worker that sent something else than frames: its own code wrote to descriptor 4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in each message")]
pub enum FrameError {
    /// Longer than any frame may be.
    #[error("a frame of {length} bytes is over the limit of {limit}")]
    TooLong { length: usize, limit: usize },
    /// Too short for its own header or id.
    #[error("a frame of {length} bytes is too short for its header")]
    TooShort { length: usize },
    /// A kind that does not exist.
    #[error("a frame has the unknown kind {kind}")]
    UnknownKind { kind: u8 },
}

/// A frame as bytes. `id` is at most [`ID_LIMIT`] and `payload` at most [`PAYLOAD_LIMIT`] bytes long.
pub(crate) fn encode(kind: Kind, id: &str, left: Duration, payload: &[u8]) -> Bytes {
    debug_assert!(id.len() <= ID_LIMIT && payload.len() <= PAYLOAD_LIMIT, "the caller checks");
    let length = HEADER + id.len() + payload.len();
    let mut frame = Vec::with_capacity(LENGTH + length);
    frame.extend_from_slice(&(length as u32).to_be_bytes());
    frame.push(kind as u8);
    frame.push(id.len() as u8);
    let milliseconds = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
    frame.extend_from_slice(&milliseconds.to_be_bytes());
    frame.extend_from_slice(id.as_bytes());
    frame.extend_from_slice(payload);
    Bytes::from(frame)
}

/// Bytes in any portions become frames. Holds at most one frame of [`REPLY_LIMIT`] and one read.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    buffer: BytesMut,
}

impl Decoder {
    /// Room for the next read.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        self.buffer.reserve(16 * 1024);
        &mut self.buffer
    }

    /// The next whole frame.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(length) = self.buffer.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = u32::from_be_bytes(*length) as usize;
        let limit = HEADER + ID_LIMIT + REPLY_LIMIT;
        if length > limit {
            return Err(FrameError::TooLong { length, limit });
        }
        if length < HEADER {
            return Err(FrameError::TooShort { length });
        }
        if self.buffer.len() < LENGTH + length {
            self.buffer.reserve(LENGTH + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(LENGTH);
        let mut frame = self.buffer.split_to(length).freeze();
        let kind = frame.get_u8();
        let kind = Kind::from_byte(kind).ok_or(FrameError::UnknownKind { kind })?;
        let id_length = usize::from(frame.get_u8());
        frame.advance(4);
        if id_length > frame.len() {
            return Err(FrameError::TooShort { length });
        }
        let id = frame.split_to(id_length);
        Ok(Some(Frame { kind, id, payload: frame }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(bytes: &[u8]) -> Decoder {
        Decoder { buffer: BytesMut::from(bytes) }
    }

    #[test]
    fn a_frame_comes_out_as_it_went_in_whatever_the_portions() {
        let mut wire = Vec::new();
        for (kind, id, payload) in [
            (Kind::Invoke, "id-1", "{\"a\":1}"),
            (Kind::Ready, "", ""),
            (Kind::Reply, "an id of some length", "null"),
        ] {
            wire.extend_from_slice(&encode(kind, id, Duration::from_secs(3), payload.as_bytes()));
        }
        for portion in [1, 2, 3, 5, 7, 11, wire.len()] {
            let mut decoder = Decoder::default();
            let mut frames = Vec::new();
            for bytes in wire.chunks(portion) {
                decoder.buffer().extend_from_slice(bytes);
                while let Some(frame) = decoder.next().unwrap() {
                    let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
                    frames.push((frame.kind, text(&frame.id), text(&frame.payload)));
                }
            }
            assert_eq!(
                frames,
                [
                    (Kind::Invoke, "id-1".to_owned(), "{\"a\":1}".to_owned()),
                    (Kind::Ready, String::new(), String::new()),
                    (Kind::Reply, "an id of some length".to_owned(), "null".to_owned()),
                ],
                "portions of {portion}"
            );
        }
    }

    #[test]
    fn the_time_left_is_told_in_milliseconds_and_never_wraps() {
        for (left, told) in [
            (Duration::ZERO, 0),
            (Duration::from_millis(2_999), 2_999),
            (Duration::from_secs(900), 900_000),
            (Duration::MAX, u32::MAX),
        ] {
            let frame = encode(Kind::Invoke, "x", left, b"{}");
            assert_eq!(u32::from_be_bytes(frame[6..10].try_into().unwrap()), told, "{left:?}");
        }
    }

    #[test]
    fn anything_else_than_a_frame_is_an_error() {
        let limit = HEADER + ID_LIMIT + REPLY_LIMIT;
        for (bytes, expected) in [
            (&b""[..], Ok(None)),
            (b"\0\0\0", Ok(None)),
            (b"\0\0\0\x06\x03\0\0\0\0", Ok(None)),
            (b"hello world", Err(FrameError::TooLong { length: 0x6865_6c6c, limit })),
            (b"\0\0\0\x05\x03\0\0\0\0", Err(FrameError::TooShort { length: 5 })),
            (b"\0\0\0\x06\x09\0\0\0\0\0", Err(FrameError::UnknownKind { kind: 9 })),
            (b"\0\0\0\x07\x04\x02\0\0\0\0i", Err(FrameError::TooShort { length: 7 })),
        ] {
            assert_eq!(decoder(bytes).next(), expected, "{bytes:?}");
        }
    }
}
