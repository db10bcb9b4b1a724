//! Plays a case: origins up, target open, then step by step; the first step that fails ends the run.
//!
//! Nothing here sleeps. A step that must wait waits for an event on the [`Stage`]; `advance` first lets
//! the target go quiet. The whole case has [`PATIENCE`] of real time, and one that uses it up fails with
//! what it was waiting for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use crate::origin::ScriptedOrigin;
use crate::outcome::{Failure, Outcome};
use crate::script::{Action, Case, Expected, Step};
use crate::stage::{Got, Stage, World};
use crate::target::{Opener, Target};
use crate::viewer;
use crate::{coding, compare};

/// How long a case may take, in real time.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// So many silent rounds in a row are quiet: everyone who waits stands at a gate, a delay, or is done.
const QUIET_ROUNDS: u32 = 8;
/// And so many where somebody waits for a thing the case cannot see, such as a time-out of the target.
const LONG_QUIET_ROUNDS: u32 = 60;

/// Runs `case` against what `opener` opens. Needs a tokio runtime with I/O and time.
pub async fn run(case: &Case, opener: &dyn Opener) -> Outcome {
    let case = Arc::new(case.clone());
    let stage = Arc::new(Stage::new());
    let playing = play(case.clone(), opener, stage.clone());
    let mut failures = match tokio::time::timeout(PATIENCE, playing).await {
        Ok(failures) => failures,
        Err(_) => {
            let line = stage.look(|world| world.line);
            let seconds = PATIENCE.as_secs();
            let problem = match line {
                0 => format!("the distribution did not open within {seconds} s"),
                _ => format!("what this line waits for did not happen within {seconds} s"),
            };
            let mut failure = failure(&case, line, problem);
            failure.context = stage.look(World::situation);
            vec![failure]
        }
    };
    // What origins noticed explains the rest, so it comes first.
    let mut complaints = stage.tell(|world| std::mem::take(&mut world.complaints));
    complaints.append(&mut failures);
    Outcome { case: case.name.clone(), failures: complaints }
}

async fn play(case: Arc<Case>, opener: &dyn Opener, stage: Arc<Stage>) -> Vec<Failure> {
    let mut origins = Vec::new();
    for name in &case.origins {
        match ScriptedOrigin::start(name, case.clone(), stage.clone()) {
            Ok(origin) => origins.push(origin),
            Err(error) => {
                return vec![failure(&case, 0, format!("origin {name} cannot listen: {error}"))];
            }
        }
    }
    let addresses: Vec<(String, SocketAddr)> =
        origins.iter().map(|origin| (origin.name.clone(), origin.address)).collect();
    let Some(source) = &case.source else {
        let problem =
            "the case names no distribution: add distribution: FILE, or give one to run it";
        return vec![failure(&case, 0, problem.to_owned())];
    };
    let target = match opener.open(source, &case.options, &addresses).await {
        Ok(target) => target,
        Err(error) => {
            let line = case.lines.iter().position(|line| line.starts_with("distribution:"));
            let problem = format!("the distribution cannot be opened: {error}");
            return vec![failure(&case, line.map_or(0, |line| line + 1), problem)];
        }
    };
    let now = target.now();
    stage.tell(|world| world.now = now);
    let viewers = JoinSet::new();
    let mut player = Player { case, stage, target, origins, viewers, started: Vec::new() };
    for step in player.case.clone().steps.iter() {
        player.stage.tell(|world| world.line = step.line);
        let failures = player.step(step).await;
        if !failures.is_empty() {
            return failures;
        }
    }
    player.settle().await;
    player.origins.iter().flat_map(ScriptedOrigin::left_over).collect()
}

struct Player {
    case: Arc<Case>,
    stage: Arc<Stage>,
    target: Arc<dyn Target>,
    origins: Vec<ScriptedOrigin>,
    /// Owns the viewers: they end with the run.
    viewers: JoinSet<()>,
    started: Vec<(u32, AbortHandle)>,
}

impl Player {
    async fn step(&mut self, step: &Step) -> Vec<Failure> {
        let failed = |problem: String| vec![failure(&self.case, step.line, problem)];
        match &step.action {
            Action::Script { origin, answer } => {
                self.origin(origin).add(answer.clone());
                Vec::new()
            }
            Action::Listen { origin, accepts } => {
                match self.origin(origin).listen(*accepts).await {
                    Ok(()) => Vec::new(),
                    Err(error) => vec![failure(&self.case, step.line, error.to_string())],
                }
            }
            Action::Start { viewers, request } => {
                for &number in viewers {
                    self.stage.tell(|world| world.viewers.insert(number, Got::default()));
                    let (target, stage) = (self.target.clone(), self.stage.clone());
                    let viewing = viewer::view(number, request.clone(), target, stage);
                    self.started.push((number, self.viewers.spawn(viewing)));
                }
                Vec::new()
            }
            Action::Look { viewers, expected } => self.look(step.line, viewers, expected).await,
            Action::Leave { viewers } => {
                for (number, viewer) in &self.started {
                    if viewers.contains(number) {
                        viewer.abort();
                    }
                }
                for number in viewers {
                    self.stage.tell(|world| world.viewers.remove(number));
                }
                self.settle().await;
                Vec::new()
            }
            Action::Has { viewers, bytes } => {
                for number in viewers {
                    let has = |got: &Got| got.body.len() as u64 >= *bytes || got.end.is_some();
                    self.stage.until(|world| world.viewers.get(number).is_none_or(has)).await;
                    let (length, end) = self.stage.look(|world| {
                        let got = world.viewers.get(number);
                        got.map_or((0, None), |got| (got.body.len() as u64, got.end.clone()))
                    });
                    if length < *bytes {
                        let end = end
                            .map_or("open", |end| if end.is_ok() { "complete" } else { "broken" });
                        return failed(format!(
                            "viewer {number}'s reply is {end} after {length} bytes, before {bytes}"
                        ));
                    }
                }
                Vec::new()
            }
            Action::Advance(by) => {
                self.settle().await;
                if let Err(error) = self.target.advance(*by).await {
                    return failed(format!("the clock cannot be turned: {error}"));
                }
                let now = self.target.now();
                self.stage.tell(|world| {
                    world.now = now;
                    world.elapsed += *by;
                });
                self.settle().await;
                Vec::new()
            }
            Action::Purge { purge, objects } => {
                self.settle().await;
                let meant = match self.target.purge(purge).await {
                    Ok(meant) => meant,
                    Err(error) => return failed(format!("nothing was purged: {error}")),
                };
                self.settle().await;
                match objects {
                    Some(objects) if *objects != meant => {
                        failed(format!("{meant} objects were meant, expected {objects}"))
                    }
                    _ => Vec::new(),
                }
            }
            Action::Release(gate) => {
                let comes = |world: &World| {
                    world
                        .gates
                        .get(gate)
                        .is_some_and(|gate| gate.is_open || !gate.waiting.is_empty())
                };
                let failures = self.comes(step.line, comes).await;
                // Who was sent before is there before the gate opens, at its place.
                self.settle().await;
                self.stage
                    .tell(|world| world.gates.entry(gate.clone()).or_default().is_open = true);
                failures
            }
            Action::AwaitHold { origin, gate } => {
                let holds = |world: &World| {
                    world.gates.get(gate).is_some_and(|gate| gate.waiting.contains(origin))
                };
                let failures = self.comes(step.line, holds).await;
                // Others that came along with it reach their places too.
                self.settle().await;
                failures
            }
            Action::AwaitCount { origin, count } => {
                let came = |world: &World| requests(world, origin) >= *count;
                let failures = self.comes(step.line, came).await;
                self.settle().await;
                failures
            }
            Action::ExpectCount { origin, count } => {
                self.settle().await;
                let (came, seen) = self.stage.look(|world| {
                    let seen = world.origins.get(origin);
                    let seen = seen.map(|seen| seen.requests.clone()).unwrap_or_default();
                    (requests(world, origin), seen)
                });
                if came == *count {
                    return Vec::new();
                }
                let problem = format!("origin {origin} got {came} requests, expected {count}");
                let mut failure = failure(&self.case, step.line, problem);
                failure.context = seen.iter().map(|request| format!("> {request}")).collect();
                vec![failure]
            }
        }
    }

    /// Waits until `is_so`. Once an origin got what it must not get, it may never be so: that ends the wait.
    async fn comes(&self, line: usize, is_so: impl Fn(&World) -> bool) -> Vec<Failure> {
        self.stage.until(|world| is_so(world) || !world.complaints.is_empty()).await;
        if self.stage.look(&is_so) {
            return Vec::new();
        }
        vec![failure(&self.case, line, "this was waited for in vain".to_owned())]
    }

    /// Waits for each viewer's answer to end and compares it.
    async fn look(&mut self, line: usize, viewers: &[u32], expected: &Expected) -> Vec<Failure> {
        let mut failures = Vec::new();
        for number in viewers {
            let ended =
                |world: &World| world.viewers.get(number).is_none_or(|viewer| viewer.end.is_some());
            self.stage.until(ended).await;
            let Some(got) = self.stage.tell(|world| world.viewers.remove(number)) else {
                failures.push(failure(&self.case, line, format!("viewer {number} is gone")));
                continue;
            };
            self.started.retain(|(started, _)| started != number);
            let now = self.stage.look(|world| world.now);
            if let Some((problem, mismatches)) = differences(*number, expected, &got, now) {
                let mut failure = failure(&self.case, line, problem);
                failure.mismatches = mismatches;
                failure.context = shown(&got);
                failures.push(failure);
            }
        }
        failures
    }

    fn origin(&mut self, name: &str) -> &mut ScriptedOrigin {
        let origin = self.origins.iter_mut().find(|origin| origin.name == name);
        origin.expect("every origin a step names is in case.origins, and all of those were started")
    }

    /// Until nothing happens any more without the clock.
    async fn settle(&self) {
        let mut silent = 0;
        let mut last = self.stage.look(|world| world.events);
        loop {
            self.target.settle().await;
            tokio::task::yield_now().await;
            let (events, is_explained) = self
                .stage
                .look(|world| (world.events, !world.someone_waits() || world.someone_is_parked()));
            silent = if events == last { silent + 1 } else { 0 };
            last = events;
            if silent >= if is_explained { QUIET_ROUNDS } else { LONG_QUIET_ROUNDS } {
                return;
            }
        }
    }
}

fn requests(world: &World, origin: &str) -> u64 {
    world.origins.get(origin).map_or(0, |seen| seen.requests.len() as u64)
}

fn differences(
    number: u32,
    expected: &Expected,
    got: &Got,
    now: std::time::SystemTime,
) -> Option<(String, Vec<crate::outcome::Mismatch>)> {
    let Expected { status, headers, body, decoded, broken } = expected;
    let end = got.end.as_ref().and_then(|end| end.as_ref().err());
    let Some((came, fields)) = &got.head else {
        let reason = end.map_or("it was left", String::as_str);
        return (status.is_some() || !*broken)
            .then(|| (format!("viewer {number} got no reply: {reason}"), Vec::new()));
    };
    let mut mismatches: Vec<_> =
        status.and_then(|status| compare::status(status, *came)).into_iter().collect();
    mismatches.extend(compare::headers(headers, fields, now));
    match body {
        Some(body) if *decoded => match coding::decoded(fields, &got.body, *broken) {
            Ok(came) => mismatches.extend(compare::body(body, &came, *broken, now)),
            Err(mismatch) => mismatches.push(mismatch),
        },
        Some(body) => mismatches.extend(compare::body(body, &got.body, *broken, now)),
        None => {}
    }
    let problem = match (end, *broken) {
        (Some(error), false) => format!("viewer {number}'s stream broke: {error}"),
        (None, true) => format!("viewer {number}'s stream ended well, and must break"),
        _ if mismatches.is_empty() => return None,
        _ => format!("viewer {number}'s reply is not as written"),
    };
    Some((problem, mismatches))
}

/// A reply for people: the head and the beginning of the body.
fn shown(got: &Got) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((status, headers)) = &got.head {
        lines.push(format!("< {status}"));
        for (name, value) in headers {
            lines.push(format!("< {name}: {}", String::from_utf8_lossy(value.as_bytes())));
        }
    }
    lines.push(format!("< body: {}", compare::quoted(&got.body)));
    lines
}

fn failure(case: &Case, line: usize, problem: String) -> Failure {
    let excerpt = case.excerpt(line);
    Failure { line, excerpt, problem, mismatches: Vec::new(), context: Vec::new() }
}
