//! The scripted origin: a real TCP server on loopback that answers as the case says, and may break
//! every rule of HTTP while it does.
//!
//! Requests are taken apart by hand (`wire`), the first fitting line of the script answers (here), and
//! the answer is played octet by octet (`play`). A request that no line fits is a failure of the case.

mod play;
mod wire;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::compare;
use crate::outcome::{Failure, Mismatch};
use crate::script::{Answer, Case, TargetMatch, Uses};
use crate::stage::Stage;
use wire::Received;

/// One origin of a case. Dropping it closes its port and its connections.
#[derive(Debug)]
pub(crate) struct ScriptedOrigin {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    script: Arc<Script>,
    /// The listener's task; without one, connections are refused.
    listener: Option<JoinHandle<()>>,
    /// Bound and never listening: while no listener has the port, nobody else gets it.
    reserved: TcpSocket,
}

/// What every connection of an origin shares.
#[derive(Debug)]
pub(crate) struct Script {
    name: String,
    case: Arc<Case>,
    stage: Arc<Stage>,
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    answer: Arc<Answer>,
    used: u64,
}

impl ScriptedOrigin {
    /// Listens on a port the kernel chooses.
    pub(crate) fn start(name: &str, case: Arc<Case>, stage: Arc<Stage>) -> std::io::Result<Self> {
        let script =
            Arc::new(Script { name: name.to_owned(), case, stage, entries: Mutex::default() });
        let reserved = bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let address = reserved.local_addr()?;
        let listener = Some(accept(listen_beside(&reserved, address)?, script.clone()));
        Ok(Self { name: name.to_owned(), address, script, listener, reserved })
    }

    /// Adds an answer to the script.
    pub(crate) fn add(&self, answer: Arc<Answer>) {
        self.script.entries().push(Entry { answer, used: 0 });
    }

    /// Opens or closes the port; open connections are closed with it.
    pub(crate) async fn listen(&mut self, accepts: bool) -> std::io::Result<()> {
        match (self.listener.take(), accepts) {
            (Some(listener), false) => {
                listener.abort();
                // Once the task is gone, so are the listener and its connections.
                let _ = listener.await;
            }
            (None, true) => {
                let listener = listen_beside(&self.reserved, self.address)?;
                self.listener = Some(accept(listener, self.script.clone()));
            }
            (unchanged, _) => self.listener = unchanged,
        }
        Ok(())
    }

    /// Answers that were never asked for, or not often enough.
    pub(crate) fn left_over(&self) -> Vec<Failure> {
        let entries = self.script.entries();
        let missing = entries.iter().filter_map(|Entry { answer, used }| match answer.uses {
            Uses::Times(times) if *used < times => Some((answer, *used, times)),
            Uses::Fitting if *used == 0 => Some((answer, 0, 1)),
            _ => None,
        });
        missing
            .map(|(answer, used, times)| {
                let asked = if times == 1 {
                    "was never asked for this".to_owned()
                } else {
                    format!("was asked for this {used} of {times} times")
                };
                self.script.failure(answer.line, format!("origin {} {asked}", self.name))
            })
            .collect()
    }
}

impl Drop for ScriptedOrigin {
    fn drop(&mut self) {
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// A listener on the port of `reserved`, which shares it for this moment only: the kernel gives a port that all
/// who have it would share to anybody who asks for any.
fn listen_beside(reserved: &TcpSocket, address: SocketAddr) -> std::io::Result<TcpListener> {
    reserved.set_reuseaddr(true)?;
    let listener = bind(address).and_then(|socket| socket.listen(1024));
    reserved.set_reuseaddr(false)?;
    listener
}

/// Two sockets with SO_REUSEADDR may share a port as long as only one listens.
fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// The task owns the connections: aborting it closes them.
fn accept(listener: TcpListener, script: Arc<Script>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    connections.spawn(serve(stream, script.clone()));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    })
}

/// One connection, request by request.
async fn serve(stream: TcpStream, script: Arc<Script>) {
    let mut stream = wire::Incoming::new(stream);
    loop {
        let received = match stream.request().await {
            Ok(Some(received)) => received,
            Ok(None) => return,
            Err(problem) => {
                // A proxy that breaks off is the case's own doing; one that sends nonsense is not.
                if let Some(problem) = problem {
                    script.complain(format!("origin {}: {problem}", script.name), Vec::new());
                }
                return;
            }
        };
        let answer = script.answer_for(&received);
        let goes_on = match &answer {
            Some(answer) => play::answer(stream.stream(), answer, &received, &script).await,
            None => play::unscripted(stream.stream(), &received).await,
        };
        if !goes_on {
            return;
        }
    }
}

impl Script {
    fn entries(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the request, and finds its answer: the first line that fits and is not used up (a `fitting` one
    /// only by what the request carries, too), then the last `always`. What the request must carry is checked, and missed with a complaint.
    fn answer_for(&self, received: &Received) -> Option<Arc<Answer>> {
        let now = self.stage.look(|world| world.now);
        let answer = {
            let mut entries = self.entries();
            let fits = |entry: &&mut Entry| {
                let Answer { method, target, .. } = &*entry.answer;
                method.as_ref().is_none_or(|method| *method == received.method)
                    && match target {
                        TargetMatch::Any => true,
                        TargetMatch::Exactly(path) => *path == received.target,
                        TargetMatch::Matches(regex) => regex.is_match(&received.target),
                    }
            };
            let scripted = entries.iter_mut().filter(fits).find(|entry| match entry.answer.uses {
                Uses::Times(times) => entry.used < times,
                Uses::Fitting => entry.used == 0 && lacks(&entry.answer, received, now).is_empty(),
                Uses::Always => false,
            });
            let entry = match scripted {
                Some(entry) => Some(entry),
                None => {
                    let is_always = |entry: &&mut Entry| entry.answer.uses == Uses::Always;
                    entries.iter_mut().filter(fits).rfind(is_always)
                }
            };
            entry.map(|entry| {
                entry.used += 1;
                entry.answer.clone()
            })
        };
        let request = format!("{} {}", received.method, received.target);
        self.stage.tell(|world| {
            world.origins.entry(self.name.clone()).or_default().requests.push(request.clone());
        });
        let Some(answer) = answer else {
            let open: Vec<String> = self
                .entries()
                .iter()
                .filter(|entry| match entry.answer.uses {
                    Uses::Times(times) => entry.used < times,
                    Uses::Fitting => entry.used == 0,
                    Uses::Always => true,
                })
                .map(|entry| format!("line {} would still answer", entry.answer.line))
                .collect();
            let problem =
                format!("origin {} got {request}, which no line of the case answers", self.name);
            self.complain(problem, received.shown().chain(open).collect());
            return None;
        };
        let mismatches = lacks(&answer, received, now);
        if !mismatches.is_empty() {
            let problem = format!("origin {} got a request that is not as written", self.name);
            let mut failure = self.failure(answer.line, problem);
            failure.mismatches = mismatches;
            failure.context = received.shown().collect();
            self.stage.tell(|world| world.complaints.push(failure));
        }
        Some(answer)
    }

    /// A failure of the step under way.
    fn complain(&self, problem: String, context: Vec<String>) {
        self.stage.tell(|world| {
            let mut failure = self.failure(world.line, problem);
            failure.context = context;
            world.complaints.push(failure);
        });
    }

    fn failure(&self, line: usize, problem: String) -> Failure {
        Failure {
            line,
            excerpt: self.case.excerpt(line),
            problem,
            mismatches: Vec::new(),
            context: Vec::new(),
        }
    }
}

/// What a request does not carry that `answer` asks for.
fn lacks(answer: &Answer, received: &Received, now: SystemTime) -> Vec<Mismatch> {
    let mut mismatches = compare::headers(&answer.headers, &received.headers, now);
    if let Some(body) = &answer.body {
        mismatches.extend(compare::body(body, &received.body, false, now));
    }
    mismatches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_else_gets_the_port_of_an_origin_that_refuses() {
        let case = Case::parse("a.case", "distribution: a.yml\nviewer 1: GET / <- 200").unwrap();
        let mut origin =
            ScriptedOrigin::start("a", Arc::new(case), Arc::new(Stage::new())).unwrap();
        for accepts in [true, false, true, false] {
            origin.listen(accepts).await.unwrap();
            assert_eq!(TcpStream::connect(origin.address).await.is_ok(), accepts);
            assert!(bind(origin.address).is_err(), "while it accepts: {accepts}");
        }
    }
}
