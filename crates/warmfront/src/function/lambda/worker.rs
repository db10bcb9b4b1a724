//! One worker: starts, answers one invocation after the other, ends.
//!
//! Everything a worker prints while an invocation runs belongs to that invocation. Both bootstraps write to
//! pipes synchronously, so when the answer is here, what was printed before it is here too.

use std::future::pending;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use serde_json::json;
use tokio::net::unix::pipe;
use tokio::time::{Instant, timeout_at};

use super::environment::{VERSION, arn, log_group};
use super::error::{FunctionError, InvokeError};
use super::frame::{self, Decoder, Frame, FrameError, Kind};
use super::log::{Journal, LineCutter, LogSource};
use super::pool::Launch;
use super::process::{Pipes, Process};

/// Most that is read from a worker's output in one go once its answer is here; a subprocess that floods
/// the pipe cannot hold us.
const DRAIN_LIMIT: usize = 256 * 1024;

/// A worker whose handler is loaded.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
    input: pipe::Sender,
    output: pipe::Receiver,
    decoder: Decoder,
    stdout: Printed,
    stderr: Printed,
    journal: Journal,
    root: PathBuf,
}

/// What became of an invocation, and of its worker.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The worker takes the next one.
    Goes(Result<Bytes, InvokeError>),
    /// The worker must be replaced.
    Ends(InvokeError),
}

/// Why the pipes say no more.
enum Silence {
    /// The worker closed its end: it ends or has ended.
    Ended,
    Garbled(FrameError),
}

impl Worker {
    /// Starts a process and waits until its handler is loaded, at most `limit`.
    pub(crate) async fn start(launch: &Launch, limit: Duration) -> Result<Self, InvokeError> {
        let function = &launch.function;
        let edge = |message: String| InvokeError::Init(FunctionError::new("Edge.Start", message));
        let root = launch
            .files
            .task_root(&function.code, &function.runtime)
            .map_err(|error| edge(error.to_string()))?;
        let stream = log_stream();
        let (process, pipes) = Process::start(launch, &root, &stream).map_err(|error| {
            edge(format!("{} cannot be started: {error}", launch.program.path().display()))
        })?;
        let Pipes { input, output, stdout, stderr } = pipes;
        let mut worker = Self {
            process,
            input,
            output,
            decoder: Decoder::default(),
            stdout: Printed::new(stdout, LogSource::Stdout),
            stderr: Printed::new(stderr, LogSource::Stderr),
            journal: Journal::new(launch.log.clone(), function.name.as_str().into()),
            root,
        };
        let config = json!({
            "root": worker.root,
            "handler": function.handler,
            "name": function.name,
            "version": VERSION,
            "arn": arn(function, &launch.account),
            "memory": function.memory_mib.to_string(),
            "logGroup": log_group(function),
            "logStream": stream,
        });
        let start = frame::encode(Kind::Start, "", Duration::ZERO, config.to_string().as_bytes());
        let answer = timeout_at(Instant::now() + limit, worker.exchange(start)).await;
        worker.settle_output();
        match answer {
            Ok(Ok(Frame { kind: Kind::Ready, .. })) => Ok(worker),
            Ok(Ok(Frame { kind: Kind::InitFailed, payload, .. })) => {
                let error = FunctionError::read(&payload, &worker.root);
                worker.end().await;
                Err(InvokeError::Init(error))
            }
            Ok(Ok(_)) => {
                worker.end().await;
                Err(edge("the worker answered before its handler was loaded".into()))
            }
            Ok(Err(Silence::Garbled(error))) => {
                worker.end().await;
                Err(InvokeError::Garbled(error))
            }
            Ok(Err(Silence::Ended)) => {
                let reason = worker.end().await;
                Err(InvokeError::Init(FunctionError::new(
                    "Runtime.ExitError",
                    format!("the worker ended while it loaded the handler ({reason})"),
                )))
            }
            Err(_) => {
                worker.end().await;
                Err(InvokeError::Init(FunctionError::new(
                    "Runtime.InitTimeout",
                    format!("the handler was not loaded within {} s", limit.as_secs_f64()),
                )))
            }
        }
    }

    /// Calls the handler. Only `Goes` leaves a worker that can be used again.
    pub(crate) async fn invoke(
        &mut self,
        id: &Arc<str>,
        payload: &[u8],
        limit: Duration,
    ) -> Outcome {
        self.journal.begin(Some(id.clone()));
        let call = frame::encode(Kind::Invoke, id, limit, payload);
        let answer = timeout_at(Instant::now() + limit, self.exchange(call)).await;
        let outcome = match answer {
            Ok(Ok(frame)) if frame.id != id.as_bytes() && frame.kind != Kind::Dying => {
                let what = "the worker answered an invocation that is not under way";
                Outcome::Ends(InvokeError::Failed(FunctionError::new("Edge.Worker", what)))
            }
            Ok(Ok(Frame { kind: Kind::Reply, payload, .. })) => Outcome::Goes(Ok(payload)),
            Ok(Ok(Frame { kind: Kind::Failed, payload, .. })) => {
                let error = FunctionError::read(&payload, &self.root);
                Outcome::Goes(Err(InvokeError::Failed(error)))
            }
            Ok(Ok(Frame { payload, .. })) => {
                Outcome::Ends(InvokeError::Failed(FunctionError::read(&payload, &self.root)))
            }
            Ok(Err(Silence::Garbled(error))) => Outcome::Ends(InvokeError::Garbled(error)),
            Ok(Err(Silence::Ended)) => {
                let reason = self.end().await;
                Outcome::Ends(InvokeError::Exited { reason })
            }
            Err(_) => Outcome::Ends(InvokeError::TimedOut { after: limit }),
        };
        self.settle_output();
        if let Outcome::Goes(Err(error)) | Outcome::Ends(error) = &outcome {
            self.tell(error);
        }
        self.journal.begin(None);
        outcome
    }

    /// Resolves when an idle worker cannot be used any more.
    pub(crate) async fn ended(&mut self) {
        // A frame that nobody asked for says the same as an end: this worker is not ours any more.
        let _ = self.exchange(Bytes::new()).await;
    }

    /// Ends the worker and tells how it had ended.
    pub(crate) async fn end(&mut self) -> String {
        let status = self.process.end().await;
        self.settle_output();
        let status = match status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        match self.journal.last_words() {
            Some(words) => format!("{status}; {words}"),
            None => status,
        }
    }

    /// Sends `outgoing` and waits for the next frame, while what the worker prints goes to the journal.
    async fn exchange(&mut self, mut outgoing: Bytes) -> Result<Frame, Silence> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(Silence::Garbled)? {
                return Ok(frame);
            }
            while !outgoing.is_empty() {
                match self.input.try_write(&outgoing) {
                    Ok(sent) => outgoing.advance(sent),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // It reads no more; what it still says, and its end, come on the other pipe.
                    Err(_) => outgoing.clear(),
                }
            }
            tokio::select! {
                biased;
                ready = self.output.readable() => {
                    ready.map_err(|_| Silence::Ended)?;
                    match self.output.try_read_buf(self.decoder.buffer()) {
                        Ok(0) => return Err(Silence::Ended),
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(_) => return Err(Silence::Ended),
                    }
                }
                _ = self.input.writable(), if !outgoing.is_empty() => {}
                () = self.stdout.readable() => self.stdout.read(&mut self.journal),
                () = self.stderr.readable() => self.stderr.read(&mut self.journal),
            }
        }
    }

    /// Takes in all that was printed until now; a last line without an end counts as a line.
    fn settle_output(&mut self) {
        self.stdout.drain(&mut self.journal);
        self.stderr.drain(&mut self.journal);
    }

    fn tell(&self, error: &InvokeError) {
        self.journal.edge(error.to_string());
        if let InvokeError::Failed(FunctionError { trace, .. }) = error {
            for line in trace {
                self.journal.edge(format!("    {line}"));
            }
        }
    }
}

/// One output of a worker.
#[derive(Debug)]
struct Printed {
    pipe: pipe::Receiver,
    open: bool,
    lines: LineCutter,
}

impl Printed {
    fn new(pipe: pipe::Receiver, source: LogSource) -> Self {
        Self { pipe, open: true, lines: LineCutter::new(source) }
    }

    async fn readable(&self) {
        if !self.open || self.pipe.readable().await.is_err() {
            pending::<()>().await;
        }
    }

    fn read(&mut self, journal: &mut Journal) {
        let mut buffer = [0; 8 * 1024];
        match self.pipe.try_read(&mut buffer) {
            Ok(0) => self.open = false,
            Ok(read) => self.lines.push(&buffer[..read], journal),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.open = false,
        }
    }

    /// Reads past tokio's readiness, which may not have heard yet of what is in the pipe already.
    fn drain(&mut self, journal: &mut Journal) {
        let mut buffer = [0; 8 * 1024];
        let mut taken = 0;
        while self.open && taken < DRAIN_LIMIT {
            match rustix::io::read(self.pipe.as_fd(), &mut buffer[..]) {
                Ok(0) => self.open = false,
                Ok(read) => {
                    taken += read;
                    self.lines.push(&buffer[..read], journal);
                }
                Err(_) => break,
            }
        }
        self.lines.flush(journal);
    }
}

/// 32 hexadecimal digits: the part of a log stream's name that tells environments apart.
fn log_stream() -> String {
    format!("[{VERSION}]{:032x}", fastrand::u128(..))
}
