//! A part of a file as a body, read piece by piece on tokio's blocking threads.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::JoinHandle;

use crate::body::BodyError;

/// How much is in memory at a time.
const PIECE: u64 = 64 * 1024;

/// The next `remaining` bytes of a file. A file that ends earlier breaks the stream.
#[derive(Debug)]
pub(super) struct FileBody {
    state: State,
    remaining: u64,
}

#[derive(Debug)]
enum State {
    Between(File),
    Reading(JoinHandle<io::Result<(File, Vec<u8>)>>),
    Ended,
}

impl FileBody {
    pub(super) fn new(file: File, length: u64) -> Self {
        Self { state: State::Between(file), remaining: length }
    }
}

fn read_piece(mut file: File, most: u64) -> io::Result<(File, Vec<u8>)> {
    let mut piece = Vec::with_capacity(most.min(PIECE) as usize);
    (&mut file).take(most.min(PIECE)).read_to_end(&mut piece)?;
    if piece.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("it became {most} bytes shorter meanwhile"),
        ));
    }
    Ok((file, piece))
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = &mut *self;
        if let State::Between(_) = body.state
            && let State::Between(file) = std::mem::replace(&mut body.state, State::Ended)
            && body.remaining > 0
        {
            let most = body.remaining;
            let reading = tokio::task::spawn_blocking(move || read_piece(file, most));
            body.state = State::Reading(reading);
        }
        let State::Reading(reading) = &mut body.state else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(cx))
            .unwrap_or_else(|stopped| Err(io::Error::other(stopped)));
        body.state = State::Ended;
        Poll::Ready(Some(match read {
            Ok((file, piece)) => {
                body.remaining -= piece.len() as u64;
                body.state = State::Between(file);
                Ok(Frame::data(Bytes::from(piece)))
            }
            Err(error) => Err(BodyError::Cut(format!("a file could not be read: {error}").into())),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
