//! The socket as hyper sees it: clear or under TLS, with an eye on how a response begins.
//!
//! hyper skips interim responses without end and does not tell whether an octet ever came; both matter
//! here (a flood is refused, a request is repeated only when nothing was answered).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::link::{Fact, Link};

/// How many interim responses (1xx) one request may get.
pub(super) const MAX_INTERIM_RESPONSES: u32 = 32;

/// An open connection.
#[derive(Debug)]
pub(super) enum Stream {
    Clear(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

/// A connection that reports what it reads to its [`Link`].
#[derive(Debug)]
pub(super) struct Wire {
    stream: Stream,
    link: Arc<Link>,
    interim: InterimCounter,
}

impl Wire {
    pub(super) fn new(stream: Stream, link: Arc<Link>) -> Self {
        Self { stream, link, interim: InterimCounter::default() }
    }
}

macro_rules! with_stream {
    ($wire:expr, $stream:ident => $call:expr) => {
        match &mut $wire.stream {
            Stream::Clear(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            #[cfg(feature = "tls")]
            Stream::Tls(stream) => {
                let $stream = Pin::new(&mut **stream);
                $call
            }
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = with_stream!(self, stream => stream.poll_read(cx, buf));
        if !matches!(polled, Poll::Ready(Ok(()))) || buf.filled().len() == before {
            return polled;
        }
        let wire = &mut *self;
        wire.link.count_read();
        if wire.link.is(Fact::Awaiting) {
            wire.link.set(Fact::Received);
            match wire.interim.read(&buf.filled()[before..]) {
                Beginning::Interim => {}
                Beginning::Final => {
                    wire.interim = InterimCounter::default();
                    wire.link.clear(Fact::Awaiting);
                }
                Beginning::TooMany => {
                    wire.link.set(Fact::Flooded);
                    return Poll::Ready(Err(io::Error::other("too many interim responses")));
                }
            }
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        with_stream!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with_stream!(self, stream => stream.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            // A head without a body: the kernel has less to do for one slice than for a list of one.
            [only] => self.poll_write(cx, only),
            _ => with_stream!(self, stream => stream.poll_write_vectored(cx, slices)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Clear(stream) => stream.is_write_vectored(),
            // Flattened writes give one TLS record instead of several.
            #[cfg(feature = "tls")]
            Stream::Tls(_) => false,
        }
    }
}

/// Counts interim responses in front of the final one, however the bytes are cut. It judges nothing
/// else: a malformed beginning counts as final, and hyper refuses it.
#[derive(Debug, Default)]
struct InterimCounter {
    count: u32,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// This many octets into `HTTP/1.1 103`, and the status code so far.
    StatusLine { octets: u8, code: u16 },
    /// In the rest of an interim head, up to the empty line.
    Fields { line_is_empty: bool },
}

#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    Interim,
    Final,
    TooMany,
}

const CODE_BEGINS: u8 = b"HTTP/1.1 ".len() as u8;

impl InterimCounter {
    fn read(&mut self, bytes: &[u8]) -> Beginning {
        for &byte in bytes {
            match &mut self.place {
                // RFC 9112 §2.2: empty lines before the start line are skipped, by hyper as well.
                Place::StatusLine { octets: 0, .. } if byte == b'\r' || byte == b'\n' => {}
                Place::StatusLine { octets, code } => {
                    *octets += 1;
                    if *octets <= CODE_BEGINS {
                        continue;
                    }
                    *code = *code * 10 + u16::from(byte.wrapping_sub(b'0') % 10);
                    if *octets == CODE_BEGINS + 1 && byte != b'1' {
                        return Beginning::Final;
                    }
                    if *octets == CODE_BEGINS + 3 {
                        // 101 ends HTTP on the connection; nothing is interim about it.
                        if *code == 101 {
                            return Beginning::Final;
                        }
                        self.count += 1;
                        if self.count > MAX_INTERIM_RESPONSES {
                            return Beginning::TooMany;
                        }
                        self.place = Place::Fields { line_is_empty: false };
                    }
                }
                Place::Fields { line_is_empty } => match byte {
                    b'\n' if *line_is_empty => self.place = Place::default(),
                    b'\n' => *line_is_empty = true,
                    b'\r' => {}
                    _ => *line_is_empty = false,
                },
            }
        }
        Beginning::Interim
    }
}

impl Default for Place {
    fn default() -> Self {
        Place::StatusLine { octets: 0, code: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `wire` whole, then octet by octet: the answer must not depend on the cuts.
    fn check(wire: &str, expected: Beginning) {
        let whole = InterimCounter::default().read(wire.as_bytes());
        assert_eq!(whole, expected, "{wire:?} at once");
        let mut counter = InterimCounter::default();
        let mut last = Beginning::Interim;
        for byte in wire.as_bytes() {
            last = counter.read(&[*byte]);
            if last != Beginning::Interim {
                break;
            }
        }
        assert_eq!(last, expected, "{wire:?} octet by octet");
    }

    #[test]
    fn interim_responses_are_told_from_final_ones() {
        check("HTTP/1.1 200 OK\r\n", Beginning::Final);
        check("\r\nHTTP/1.1 502 Bad", Beginning::Final);
        check("HTTP/1.1 101 Switching", Beginning::Final);
        check("HTTP/1.1 100 Continue\r\n\r\n", Beginning::Interim);
        check("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK", Beginning::Final);
        check("HTTP/1.1 102 P\nA: HTTP/1.1 200\n\n", Beginning::Interim);
        check(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(32), Beginning::Interim);
        check(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(33), Beginning::TooMany);
    }
}
