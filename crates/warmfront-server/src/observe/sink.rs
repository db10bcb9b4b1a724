//! Lines on their way out, without anybody waiting for it.
//!
//! Requests append to a buffer in memory; one thread gives it to an [`Outlet`] in large pieces. When the reader is
//! slower than the requests the buffer fills up to its limit, further lines are dropped, and a line says
//! how many.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bytes that wait to be written, at most.
const LIMIT: usize = 4 << 20;
/// After the first line the writer waits this long for company: one write then takes many lines.
const GATHER: Duration = Duration::from_millis(5);

/// Where lines end up. It lives on the writer's thread and may wait.
pub(super) trait Outlet: Send + 'static {
    /// Takes whole lines; after them, `dropped` did not fit. False: nothing is taken any more.
    fn take(&mut self, lines: &[u8], dropped: u64) -> bool;

    /// Called about every [`period`](Outlet::period), if there is one.
    fn tick(&mut self) {}

    /// Nothing comes after this.
    fn finish(&mut self) {}

    /// How often [`tick`](Outlet::tick) is called.
    fn period(&self) -> Option<Duration> {
        None
    }
}

/// A stream: what was dropped is told in it.
struct Stream<W>(W);

/// The entrance. Clones lead to the same writer.
#[derive(Debug, Clone)]
pub(crate) struct Sink {
    shared: Arc<Shared>,
}

/// Ends the writer; see [`Drain::finish`].
#[derive(Debug)]
pub(crate) struct Drain {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    dropped: u64,
    closed: bool,
}

impl Sink {
    /// Starts the writer thread for `to`, called `name`.
    pub(crate) fn start(name: &str, to: impl Write + Send + 'static) -> io::Result<(Self, Drain)> {
        Self::start_outlet(name, Stream(to))
    }

    /// The same for any outlet.
    pub(super) fn start_outlet(name: &str, to: impl Outlet) -> io::Result<(Self, Drain)> {
        let shared = Arc::new(Shared::default());
        let writer = shared.clone();
        let thread = std::thread::Builder::new()
            .name(format!("{name}-log"))
            .spawn(move || writer.write_out(to, GATHER))?;
        Ok((Self { shared: shared.clone() }, Drain { shared, thread }))
    }

    /// Appends what `line` writes, unless the limit is reached.
    pub(crate) fn write(&self, line: impl FnOnce(&mut Vec<u8>)) {
        let mut buffer = self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        if buffer.bytes.len() >= LIMIT {
            buffer.dropped += 1;
            return;
        }
        let was_empty = buffer.bytes.is_empty();
        line(&mut buffer.bytes);
        drop(buffer);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }
}

impl Drain {
    /// Writes what waits and ends the thread; gives up after two seconds when nobody reads.
    pub(crate) fn finish(self) {
        self.shared.buffer.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.filled.notify_one();
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Shared {
    fn write_out(&self, mut to: impl Outlet, gather: Duration) {
        let mut taken = Vec::new();
        let mut ticked = Instant::now();
        loop {
            let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            let next_tick = to.period().map(|period| ticked + period);
            let is_time = || next_tick.is_some_and(|next| next <= Instant::now());
            while buffer.bytes.is_empty() && !buffer.closed && !is_time() {
                buffer = match next_tick {
                    None => self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner),
                    Some(next) => {
                        let left = next.saturating_duration_since(Instant::now());
                        let waited = self.filled.wait_timeout(buffer, left);
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                };
            }
            if !buffer.bytes.is_empty() && !buffer.closed && buffer.bytes.len() < LIMIT / 2 {
                drop(buffer);
                std::thread::sleep(gather);
                buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut taken, &mut buffer.bytes);
            let dropped = std::mem::take(&mut buffer.dropped);
            let closed = buffer.closed;
            drop(buffer);
            // A reader that went away (`| head`) ends the log, not the program.
            if !to.take(&taken, dropped) {
                return self.swallow();
            }
            taken.clear();
            if is_time() {
                to.tick();
                ticked = Instant::now();
            }
            if closed && self.is_empty() {
                return to.finish();
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner).bytes.is_empty()
    }

    /// Throws lines away until the program ends, so that the buffer does not stay full of them.
    fn swallow(&self) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        while !buffer.closed {
            buffer.bytes = Vec::new();
            buffer = self.filled.wait(buffer).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<W: Write + Send + 'static> Outlet for Stream<W> {
    fn take(&mut self, lines: &[u8], dropped: u64) -> bool {
        let written = self.0.write_all(lines);
        let told = written.and_then(|()| match dropped {
            0 => Ok(()),
            _ => writeln!(self.0, "# {dropped} lines were dropped: the log is read too slowly"),
        });
        told.and_then(|()| self.0.flush()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A writer that shows what it got, and waits for permission to take it.
    struct Gated {
        got: Arc<Mutex<Vec<u8>>>,
        asked: mpsc::Sender<()>,
        gate: mpsc::Receiver<()>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.asked.send(());
            let _ = self.gate.recv();
            self.got.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_out_in_order_and_whole() {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (asked, _asked) = mpsc::channel();
        let (open, gate) = mpsc::channel();
        drop(open);
        let (sink, drain) = Sink::start("test", Gated { got: got.clone(), asked, gate }).unwrap();
        for index in 0..1000 {
            sink.write(|out| writeln!(out, "line {index}").unwrap());
        }
        drain.finish();
        let text = String::from_utf8(got.lock().unwrap().clone()).unwrap();
        let expected: String = (0..1000).map(|index| format!("line {index}\n")).collect();
        assert_eq!(text, expected);
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_never_time() {
        let got = Arc::new(Mutex::new(Vec::new()));
        let (asked, is_stuck) = mpsc::channel();
        let (open, gate) = mpsc::channel();
        let (sink, drain) = Sink::start("test", Gated { got: got.clone(), asked, gate }).unwrap();
        sink.write(|out| out.extend_from_slice(b"first\n"));
        is_stuck.recv().unwrap();
        let long = vec![b'x'; 1 << 20];
        for _ in 0..10 {
            sink.write(|out| out.extend_from_slice(&long));
        }
        drop(open);
        drain.finish();
        let got = got.lock().unwrap();
        let text = String::from_utf8_lossy(&got);
        assert!(text.starts_with("first\n"));
        assert!(
            text.ends_with("# 6 lines were dropped: the log is read too slowly\n"),
            "{}",
            text.len()
        );
    }
}
