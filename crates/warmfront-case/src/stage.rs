//! The one place where viewers, origins and the script meet: what has happened so far, and a bell.
//!
//! Everyone writes events here and waits for events here, so a case needs no sleep: a step says what
//! must have happened, and goes on in the moment it has.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use tokio::sync::watch;

use crate::outcome::Failure;

/// Shared by the runner, the viewers and the origins.
#[derive(Debug)]
pub(crate) struct Stage(watch::Sender<World>);

/// What has happened.
#[derive(Debug)]
pub(crate) struct World {
    /// Counts events, so that silence can be noticed.
    pub(crate) events: u64,
    /// The line of the step under way; 0 before the first.
    pub(crate) line: usize,
    /// The date on the target's clock.
    pub(crate) now: SystemTime,
    /// How far the case has turned the clock.
    pub(crate) elapsed: Duration,
    pub(crate) gates: BTreeMap<String, Gate>,
    pub(crate) origins: BTreeMap<String, Seen>,
    pub(crate) viewers: BTreeMap<u32, Got>,
    /// What origins found wrong.
    pub(crate) complaints: Vec<Failure>,
}

#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) is_open: bool,
    /// The origins that wait here, one entry for each request.
    pub(crate) waiting: Vec<String>,
}

/// What an origin saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: Vec<String>,
    pub(crate) delayed: usize,
}

/// What a viewer got so far.
#[derive(Debug, Default)]
pub(crate) struct Got {
    pub(crate) head: Option<(u16, HeaderMap)>,
    pub(crate) body: Vec<u8>,
    /// `Err`: no reply, or the stream broke.
    pub(crate) end: Option<Result<(), String>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(World {
            events: 0,
            line: 0,
            now: SystemTime::UNIX_EPOCH,
            elapsed: Duration::ZERO,
            gates: BTreeMap::new(),
            origins: BTreeMap::new(),
            viewers: BTreeMap::new(),
            complaints: Vec::new(),
        }))
    }

    /// Something happened.
    pub(crate) fn tell<T>(&self, event: impl FnOnce(&mut World) -> T) -> T {
        let mut answer = None;
        self.0.send_modify(|world| {
            world.events += 1;
            answer = Some(event(world));
        });
        answer.expect("send_modify always calls its closure")
    }

    pub(crate) fn look<T>(&self, question: impl FnOnce(&World) -> T) -> T {
        question(&self.0.borrow())
    }

    /// Resolves once `is_so`.
    pub(crate) async fn until(&self, is_so: impl FnMut(&World) -> bool) {
        let waited = self.0.subscribe().wait_for(is_so).await.is_ok();
        debug_assert!(waited, "the sender lives in self");
    }

    /// Waits at `gate` for its release.
    pub(crate) async fn pass(&self, gate: &str, origin: &str) {
        self.tell(|world| {
            let gate = world.gates.entry(gate.to_owned()).or_default();
            gate.waiting.push(origin.to_owned());
        });
        self.until(|world| world.gates.get(gate).is_some_and(|gate| gate.is_open)).await;
        self.tell(|world| {
            let gate = world.gates.entry(gate.to_owned()).or_default();
            if let Some(index) = gate.waiting.iter().position(|waiting| waiting == origin) {
                gate.waiting.swap_remove(index);
            }
        });
    }

    /// Waits for the case to turn the clock on by `by`.
    pub(crate) async fn delay(&self, by: Duration, origin: &str) {
        let due = self.tell(|world| {
            world.origins.entry(origin.to_owned()).or_default().delayed += 1;
            world.elapsed + by
        });
        self.until(|world| world.elapsed >= due).await;
        self.tell(|world| world.origins.entry(origin.to_owned()).or_default().delayed -= 1);
    }
}

impl World {
    /// Whether a request stands at a closed gate or sits out a delay.
    pub(crate) fn someone_is_parked(&self) -> bool {
        self.gates.values().any(|gate| !gate.is_open && !gate.waiting.is_empty())
            || self.origins.values().any(|origin| origin.delayed > 0)
    }

    /// Whether a viewer still waits for something.
    pub(crate) fn someone_waits(&self) -> bool {
        self.viewers.values().any(|viewer| viewer.end.is_none())
    }

    /// Who is where, for the person who reads why a case hangs.
    pub(crate) fn situation(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, origin) in &self.origins {
            let last = origin.requests.last().map_or("none", String::as_str);
            lines.push(format!(
                "origin {name}: {} requests, the last: {last}",
                origin.requests.len()
            ));
        }
        for (name, gate) in self.gates.iter().filter(|(_, gate)| !gate.waiting.is_empty()) {
            let state = if gate.is_open { "open" } else { "closed" };
            lines.push(format!("gate {name}: {state}, {} waiting", gate.waiting.len()));
        }
        for (number, viewer) in &self.viewers {
            let Got { head, body, end } = viewer;
            let head = head.as_ref().map_or("no reply yet".to_owned(), |(s, _)| s.to_string());
            let end = match end {
                None => "still open".to_owned(),
                Some(Ok(())) => "complete".to_owned(),
                Some(Err(error)) => format!("broken: {error}"),
            };
            lines.push(format!("viewer {number}: {head}, {} bytes, {end}", body.len()));
        }
        lines
    }
}
