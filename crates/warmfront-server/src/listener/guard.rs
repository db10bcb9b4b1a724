//! The socket under hyper, watched: every byte that comes, every write that stalls, a polite end. What
//! hyper cannot write, interim responses, goes out between its writes.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::interims::Interims;
use super::pulse::Pulse;

/// At most this much of what a viewer still sends after our end is read and thrown away.
const LINGER_BYTES: usize = 256 << 10;

/// A reply of at most this size is copied together and sent: for the kernel, one slice is less work
/// than several (a head and 1 KiB on loopback: 3.9 µs in place of 4.2 µs).
const GATHERED_BYTES: usize = 4 << 10;

thread_local! {
    static GATHERED: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(GATHERED_BYTES));
}

/// A connection to a viewer.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the coming close a reset.
    fn reset(&self);
}

impl Wire for TcpStream {
    fn reset(&self) {
        let _ = self.set_zero_linger();
    }
}

impl Wire for TlsStream<TcpStream> {
    fn reset(&self) {
        let _ = self.get_ref().0.set_zero_linger();
    }
}

/// A wire that reports to its pulse.
#[derive(Debug)]
pub(crate) struct Guarded<T: Wire> {
    wire: T,
    pulse: Arc<Pulse>,
    shut: bool,
    discarded: usize,
    /// On HTTP/1.1 what goes out beside hyper's writes, and what of that is on its way.
    interims: Option<Arc<Interims>>,
    beside: Vec<u8>,
    /// hyper has had something to write since its last flush, whether the wire took it or not.
    unflushed: bool,
    /// What an open connection holds; given back with the socket.
    _place: Box<dyn fmt::Debug + Send>,
}

impl<T: Wire> Guarded<T> {
    /// Watches `wire`, writes `interims` to it, and drops `place` with it.
    pub(crate) fn new(
        wire: T,
        pulse: Arc<Pulse>,
        interims: Option<Arc<Interims>>,
        place: Box<dyn fmt::Debug + Send>,
    ) -> Self {
        Self {
            wire,
            pulse,
            shut: false,
            discarded: 0,
            interims,
            beside: Vec::new(),
            unflushed: false,
            _place: place,
        }
    }

    /// Before hyper writes: what came before the answer goes before it. With bytes of hyper still
    /// unflushed nobody knows whether the next ones begin a response.
    fn before_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(interims) = self.interims.as_ref().filter(|interims| interims.is_waiting()) {
            if !self.unflushed {
                interims.move_to(&mut self.beside);
            } else if !interims.is_request_waiting() {
                interims.clear();
            }
        }
        self.write_beside(cx)
    }

    /// All that hyper wrote is on the wire: if a request still waits, its answer has not begun.
    fn after_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unflushed = false;
        if let Some(interims) = self.interims.as_ref().filter(|interims| interims.is_waiting()) {
            if interims.is_request_waiting() {
                interims.move_to(&mut self.beside);
            } else {
                interims.clear();
            }
        }
        self.write_beside(cx)
    }

    fn write_beside(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.beside.is_empty() {
            let written = Pin::new(&mut self.wire).poll_write(cx, &self.beside);
            self.pulse.blocked(written.is_pending());
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.beside.drain(..written)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.pulse.blocked(written.is_pending());
        // Also what the wire does not take now: hyper keeps it, and may begin the next request meanwhile.
        self.unflushed = true;
        written
    }
}

impl<T: Wire> Drop for Guarded<T> {
    fn drop(&mut self) {
        if self.pulse.ends_with_reset() {
            self.wire.reset();
        }
    }
}

impl<T: Wire> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.wire).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.pulse.received();
        }
        read
    }
}

impl<T: Wire> AsyncWrite for Guarded<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.before_write(cx))?;
        let written = Pin::new(&mut self.wire).poll_write(cx, buf);
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.before_write(cx))?;
        let wire = Pin::new(&mut self.wire);
        let written = if bufs.iter().map(|buf| buf.len()).sum::<usize>() <= GATHERED_BYTES {
            GATHERED.with_borrow_mut(|gathered| {
                gathered.clear();
                bufs.iter().for_each(|buf| gathered.extend_from_slice(buf));
                wire.poll_write(cx, gathered)
            })
        } else {
            wire.poll_write_vectored(cx, bufs)
        };
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.after_flush(cx))?;
        let flushed = Pin::new(&mut self.wire).poll_flush(cx);
        self.pulse.blocked(flushed.is_pending());
        flushed
    }

    /// Sends our end, then waits a moment for the viewer's: a socket closed while bytes lie unread in
    /// it is reset by the kernel, and the reset can overtake our reply (RFC 9112 §9.6). In a tunnel our
    /// end says nothing about the viewer's bytes, which go on.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut {
            ready!(Pin::new(&mut self.wire).poll_shutdown(cx))?;
            self.shut = true;
            self.pulse.ended();
        }
        if self.pulse.is_tunnel() {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [std::mem::MaybeUninit::<u8>::uninit(); 4096];
        while self.discarded < LINGER_BYTES {
            let mut buf = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut self.wire).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => self.discarded += buf.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use http::{HeaderMap, StatusCode};
    use tokio::io::{AsyncReadExt as _, DuplexStream};
    use tokio::sync::Semaphore;
    use warmfront::InterimWriter as _;

    use super::super::patience::Limits;
    use super::super::pulse::Pulses;
    use super::*;

    impl Wire for DuplexStream {
        fn reset(&self) {}
    }

    /// Octets that the wire takes while the viewer reads nothing.
    const WIRE: usize = 1 << 10;

    /// What hyper and the engine do with one connection, and what the viewer reads of it.
    struct Connection {
        guarded: Guarded<DuplexStream>,
        viewer: DuplexStream,
        interims: Arc<Interims>,
    }

    impl Connection {
        fn new() -> Self {
            let (wire, viewer) = tokio::io::duplex(WIRE);
            let pulses = Pulses::new(Limits::default(), Arc::new(Semaphore::new(1)));
            let interims = Arc::<Interims>::default();
            let pulse = pulses.register(false);
            let guarded = Guarded::new(wire, pulse, Some(interims.clone()), Box::new(()));
            Self { guarded, viewer, interims }
        }

        fn write(&mut self, text: &str) {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut self.guarded).poll_write(&mut cx, text.as_bytes()).is_ready());
        }

        fn flush(&mut self) {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(Pin::new(&mut self.guarded).poll_flush(&mut cx).is_ready());
        }

        fn interim(&self, request: u64) {
            self.interims.write(request, StatusCode::PROCESSING, &HeaderMap::new());
        }

        async fn check(mut self, expected: &str) {
            drop(self.guarded);
            let mut read = String::new();
            self.viewer.read_to_string(&mut read).await.unwrap();
            let read = read.replace("HTTP/1.1 102 Processing\r\n\r\n", "102 ");
            assert_eq!(read, expected);
        }
    }

    #[tokio::test]
    async fn interim_responses_go_out_while_a_request_waits() {
        let mut connection = Connection::new();
        let _ = connection.interims.request_begins();
        connection.interim(1);
        connection.flush();
        connection.interim(1);
        connection.interims.answer_begins();
        connection.write("answer");
        connection.check("102 102 answer").await;
    }

    #[tokio::test]
    async fn they_never_stand_within_a_response() {
        let mut connection = Connection::new();
        let _ = connection.interims.request_begins();
        connection.interims.answer_begins();
        connection.write("ans");
        // The next request came in the same packet; its answer is ready before the first one is flushed.
        let _ = connection.interims.request_begins();
        connection.interim(3);
        connection.interims.answer_begins();
        connection.write("wer, second");
        connection.flush();
        connection.write(" answer");
        connection.check("answer, second answer").await;
    }

    #[tokio::test]
    async fn they_never_stand_before_what_the_wire_did_not_take() {
        let mut connection = Connection::new();
        let _ = connection.interims.request_begins();
        connection.interims.answer_begins();
        connection.write(&"a".repeat(WIRE));
        connection.flush();
        let mut cx = Context::from_waker(Waker::noop());
        let end = Pin::new(&mut connection.guarded).poll_write(&mut cx, b" end");
        assert!(end.is_pending(), "the viewer reads nothing");
        // hyper holds the end of the body and has the next request already.
        let _ = connection.interims.request_begins();
        connection.interim(3);
        let mut read = [0; WIRE];
        connection.viewer.read_exact(&mut read).await.unwrap();
        connection.write(" end");
        connection.flush();
        connection.interims.answer_begins();
        connection.write("second");
        connection.check(" end102 second").await;
    }

    #[tokio::test]
    async fn what_waits_for_a_flush_goes_out_behind_it() {
        let mut connection = Connection::new();
        connection.write("first ans");
        let _ = connection.interims.request_begins();
        connection.interim(1);
        connection.write("wer ");
        connection.flush();
        connection.interims.answer_begins();
        connection.write("second");
        connection.check("first answer 102 second").await;
    }
}
