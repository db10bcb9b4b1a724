//! One thread per core, each with a runtime, sockets and answers of its own.
//!
//! A worker's life: serve until the [`Phase`] changes, finish what is in flight, end. Whoever holds the
//! [`Workers`] decides when; a worker never decides by itself to stop.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use warmfront::{TlsInfo, Viewer};
use warmfront_core::origin::Scheme;

use super::Answers;
use super::http::{Protocol, Serving, serve};
use super::patience::Limits;
use super::pulse::Pulses;
use super::tcp::{Accepted, accept};
use super::tls::Tls;
use crate::observe::Counters;

/// How long a drain waits for what is in flight.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);

/// How long an end at once waits for the workers to let go.
const CUT: Duration = Duration::from_secs(1);

/// Whether connections are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Taken and served.
    Serving,
    /// None is taken, those there are finish.
    Draining,
    /// Those there are end where they are.
    Ending,
}

/// What all workers share.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    /// Certificates, when there is an https port.
    pub(crate) tls: Option<Arc<Tls>>,
    /// How many connections the process may have open.
    pub(crate) places: Arc<Semaphore>,
    /// How long a connection may wait.
    pub(crate) limits: Limits,
    /// How long a drain may take.
    pub(crate) drain: Duration,
    /// What is counted.
    pub(crate) counters: Arc<Counters>,
}

/// The sockets of one worker.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// For clear text.
    pub(crate) http: Option<TcpListener>,
    /// For TLS.
    pub(crate) https: Option<TcpListener>,
}

/// Running threads.
#[derive(Debug)]
pub(crate) struct Workers {
    phase: watch::Sender<Phase>,
    ended: Vec<oneshot::Receiver<()>>,
}

impl Workers {
    /// Starts a thread for each of `sockets`; `answers` is called on the thread, inside its runtime.
    pub(crate) fn start<A: Answers>(
        common: &Common,
        sockets: Vec<Sockets>,
        answers: impl Fn() -> A + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (phase, receiver) = watch::channel(Phase::Serving);
        let mut ended = Vec::new();
        for (index, sockets) in sockets.into_iter().enumerate() {
            let (common, phase, answers) = (common.clone(), receiver.clone(), answers.clone());
            let (done, end) = oneshot::channel();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
                runtime.block_on(async { work(common, sockets, answers(), phase).await });
                // Connections that outlived the drain end here, with the runtime.
                drop(runtime);
                let _ = done.send(());
            })?;
            ended.push(end);
        }
        Ok(Self { phase, ended })
    }

    /// Stops accepting; resolves when everything in flight is finished or its time is over. Dropping the
    /// future leaves the workers draining.
    pub(crate) async fn drain(&mut self) {
        let _ = self.phase.send(Phase::Draining);
        self.all_ended().await;
    }

    /// Cuts what is in flight off, so that its requests are logged, and resolves when the workers have
    /// ended, after a second at the latest: a blocked file system may hold one.
    pub(crate) async fn end(mut self) {
        let _ = self.phase.send(Phase::Ending);
        let _ = tokio::time::timeout(CUT, self.all_ended()).await;
    }

    async fn all_ended(&mut self) {
        while let Some(end) = self.ended.last_mut() {
            let _ = end.await;
            self.ended.pop();
        }
    }
}

/// Serves on one thread until the drain is over.
async fn work<A: Answers>(
    common: Common,
    sockets: Sockets,
    answers: A,
    mut phase: watch::Receiver<Phase>,
) {
    let pulses = Pulses::new(common.limits, common.places.clone());
    // Every connection holds a sender: when none is left, the last connection has ended.
    let (alive, mut all_ended) = mpsc::channel::<std::convert::Infallible>(1);
    let serving =
        Serving { answers, counters: common.counters.clone(), body_idle: common.limits.body_idle };
    let door = Door { common, pulses: pulses.clone(), serving: Arc::new(serving), alive };
    let serving = async {
        tokio::join!(
            door.listen(sockets.http, Scheme::Http, phase.clone()),
            door.listen(sockets.https, Scheme::Https, phase.clone()),
        );
        // Without sockets, as in a test, a worker waits all the same.
        let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
    };
    tokio::select! {
        () = serving => {}
        () = pulses.sweep_forever() => {}
    }
    let patience = door.common.drain;
    drop(door);
    let finished = async {
        pulses.close_all();
        tokio::select! {
            _ = all_ended.recv() => {}
            () = pulses.sweep_forever() => {}
            _ = phase.wait_for(|phase| *phase == Phase::Ending) => {}
        }
    };
    let _ = tokio::time::timeout(patience, finished).await;
}

/// Takes the connections of one worker.
struct Door<A> {
    common: Common,
    pulses: Arc<Pulses>,
    serving: Arc<Serving<A>>,
    alive: mpsc::Sender<std::convert::Infallible>,
}

impl<A: Answers> Door<A> {
    async fn listen(
        &self,
        socket: Option<TcpListener>,
        scheme: Scheme,
        mut phase: watch::Receiver<Phase>,
    ) {
        let Some(socket) = socket else { return };
        let counters = &self.common.counters;
        let listener = match tokio::net::TcpListener::from_std(socket) {
            Ok(listener) => listener,
            Err(error) => return counters.accept_failed(&error),
        };
        let local_port = listener.local_addr().map_or(0, |address| address.port());
        let stop = async move {
            let _ = phase.wait_for(|phase| *phase != Phase::Serving).await;
        };
        let take = |accepted: Accepted| {
            // Where we listen on every address, only the connection knows which one it came to.
            let local_ip = accepted.stream.local_addr().ok().map(|address| address.ip());
            let viewer = Viewer {
                address: accepted.peer,
                scheme,
                local_ip,
                local_port,
                tls: None,
                interim: None,
            };
            self.take(accepted, viewer);
        };
        let trouble = |error: &io::Error| counters.accept_failed(error);
        accept(listener, self.common.places.clone(), stop, take, trouble).await;
    }

    fn take(&self, accepted: Accepted, viewer: Viewer) {
        let Accepted { stream, place, .. } = accepted;
        let common = self.common.clone();
        let (pulses, serving, alive) =
            (self.pulses.clone(), self.serving.clone(), self.alive.clone());
        // The task ends with its connection, by the pulse's limits at the latest, or with the runtime.
        tokio::spawn(async move {
            let place = (common.counters.connection(), place, alive);
            match (viewer.scheme, &common.tls) {
                (Scheme::Https, Some(tls)) => {
                    if let Some((stream, info)) = shake_hands(stream, tls, &common).await {
                        let framed = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        let protocol = if framed { Protocol::Http2 } else { Protocol::Http1 };
                        let viewer = Viewer { tls: Some(Arc::new(info)), ..viewer };
                        let pulse = pulses.register(framed);
                        serve(stream, protocol, viewer, serving, pulse, place).await;
                    }
                }
                _ => {
                    let pulse = pulses.register(false);
                    serve(stream, Protocol::Http1, viewer, serving, pulse, place).await;
                }
            }
        });
    }
}

async fn shake_hands(
    stream: TcpStream,
    tls: &Tls,
    common: &Common,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, TlsInfo)> {
    match tokio::time::timeout(common.limits.head, tls.accept(stream)).await {
        Ok(Ok(accepted)) => Some(accepted),
        Ok(Err(_)) | Err(_) => {
            common.counters.handshake_failed();
            None
        }
    }
}
