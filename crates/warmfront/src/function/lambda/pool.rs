//! The workers of one function, and the invocations that wait for them.
//!
//! One invocation per worker at a time. The worker that became free last is taken first, so that the
//! others may grow old and go. All of this happens on the I/O thread: no lock, no borrow across an await.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use warmfront_core::function::Function;

use super::environment::Account;
use super::error::InvokeError;
use super::files::Files;
use super::log::{FunctionLog, LogSink, LogSource};
use super::program::Program;
use super::worker::{Outcome, Worker};

/// A worker that failed to start, or died, is replaced at once the first times; then the pause doubles.
const FREE_RESTARTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A repaired function answers again within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long workers of a replaced function stay for requests that started with the old configuration.
const FAREWELL: Duration = Duration::from_secs(1);

/// The limits of every pool, and whether the host ends.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Workers of a function that sets no concurrency of its own.
    pub(crate) workers: usize,
    /// Workers that may be starting at once: more would only make each other slow.
    pub(crate) starting: usize,
    /// Invocations that may wait.
    pub(crate) queue: usize,
    /// How long one may wait.
    pub(crate) queue_time: Duration,
    /// How long a worker may be idle; the last one stays.
    pub(crate) idle: Duration,
    /// How long loading a handler may take.
    pub(crate) start_time: Duration,
    /// Set once: from then on no worker starts.
    pub(crate) stopping: Cell<bool>,
}

/// What it takes to start a worker.
pub(crate) struct Launch {
    pub(crate) function: Arc<Function>,
    pub(crate) program: Program,
    pub(crate) files: Arc<Files>,
    pub(crate) account: Account,
    pub(crate) log: LogSink,
}

/// One invocation.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) reply: oneshot::Sender<Result<Bytes, InvokeError>>,
}

/// A pool; clones are the same pool.
#[derive(Clone)]
pub(crate) struct Pool(Rc<RefCell<State>>);

struct State {
    launch: Rc<Launch>,
    /// The newest configuration's; equal to the one that workers were started with.
    function: Arc<Function>,
    limits: Rc<Limits>,
    queue: VecDeque<(Instant, Job)>,
    /// The last is the warmest. Dropping an entry tells its worker to look around.
    idle: Vec<(u64, oneshot::Sender<Job>)>,
    next_worker: u64,
    live: usize,
    starting: usize,
    keep_warm: bool,
    retired: bool,
    /// A worker has started here once, so the code loads.
    has_started: bool,
    /// The pool of the version before: it answers while no worker of this one has started and none can.
    before: Option<Pool>,
    /// Ends of workers since the last good answer.
    failures: u32,
    not_before: Instant,
    start_error: Option<InvokeError>,
    restart_is_due: bool,
    expiry_runs: bool,
}

impl Pool {
    /// A pool that takes the place of `before`, once its code has been seen to load.
    pub(crate) fn new(launch: Launch, limits: Rc<Limits>, before: Option<Pool>) -> Self {
        Self(Rc::new(RefCell::new(State {
            function: launch.function.clone(),
            launch: Rc::new(launch),
            limits,
            queue: VecDeque::new(),
            idle: Vec::new(),
            next_worker: 0,
            live: 0,
            starting: 0,
            keep_warm: false,
            retired: false,
            has_started: false,
            before,
            failures: 0,
            not_before: Instant::now(),
            start_error: None,
            restart_is_due: false,
            expiry_runs: false,
        })))
    }

    /// The function as the newest configuration has it.
    pub(crate) fn function(&self) -> Arc<Function> {
        self.0.borrow().function.clone()
    }

    /// From now on one worker is kept, also while there is nothing to do.
    pub(crate) fn keep_warm(&self) {
        self.0.borrow_mut().keep_warm = true;
        self.fill();
    }

    /// Finishes what is queued and under way, and keeps no worker.
    pub(crate) fn retire(&self) {
        let mut state = self.0.borrow_mut();
        state.retired = true;
        state.idle.clear();
        let before = state.before.take();
        drop(state);
        before.iter().for_each(Pool::retire);
    }

    /// Who answers for a successor whose code does not load: this pool, if its own ever did, or the one
    /// before. The successor owns it from now on, and retires it.
    pub(crate) fn stand_in(&self) -> Option<Pool> {
        let mut state = self.0.borrow_mut();
        if state.has_started { Some(self.clone()) } else { state.before.take() }
    }

    /// Whether the code ever loaded here.
    pub(crate) fn has_started(&self) -> bool {
        self.0.borrow().has_started
    }

    /// Whether both are the same pool.
    pub(crate) fn is(&self, other: &Pool) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }

    /// A newer configuration has an equal function: the workers stay, or serve again.
    pub(crate) fn renew(&self, function: Arc<Function>) {
        let mut state = self.0.borrow_mut();
        state.function = function;
        state.retired = false;
    }

    /// Nothing runs here and nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        let state = self.0.borrow();
        state.live == 0 && state.queue.is_empty()
    }

    /// Hands the invocation to a worker, or lets it wait for one.
    pub(crate) fn submit(&self, mut job: Job) {
        let mut state = self.0.borrow_mut();
        while let Some((_, worker)) = state.idle.pop() {
            match worker.send(job) {
                Ok(()) => return,
                Err(back) => job = back,
            }
        }
        if let Some(error) = state.hopeless() {
            let before = state.before.clone();
            drop(state);
            return give_back(job, before.as_ref(), error);
        }
        if state.queue.len() >= state.limits.queue {
            let waiting = state.queue.len();
            let _ = job.reply.send(Err(InvokeError::QueueFull { waiting }));
            return;
        }
        let give_up = Instant::now() + state.limits.queue_time;
        state.queue.push_back((give_up, job));
        let start_expiry = !std::mem::replace(&mut state.expiry_runs, true);
        drop(state);
        if start_expiry {
            tokio::task::spawn_local(expire(self.clone()));
        }
        self.fill();
    }

    /// Starts the workers that are wanted now.
    fn fill(&self) {
        loop {
            let mut state = self.0.borrow_mut();
            let wanted = state.queue.len() > state.starting
                || (state.live == 0
                    && state.keep_warm
                    && !state.retired
                    && state.start_error.is_none());
            if !wanted
                || state.limits.stopping.get()
                || state.live >= state.most_workers()
                || state.starting >= state.limits.starting
            {
                return;
            }
            if Instant::now() < state.not_before {
                if !std::mem::replace(&mut state.restart_is_due, true) {
                    let (pool, when) = (self.clone(), state.not_before);
                    let (pause, ends) = (when - Instant::now(), state.failures);
                    say(
                        &state.launch,
                        format!(
                            "{ends} workers ended one after the other: the next starts in {pause:.0?}"
                        ),
                    );
                    tokio::task::spawn_local(async move {
                        sleep_until(when).await;
                        pool.0.borrow_mut().restart_is_due = false;
                        pool.fill();
                    });
                }
                return;
            }
            state.live += 1;
            state.starting += 1;
            state.next_worker += 1;
            let seat = Seat { pool: self.clone(), starting: true, failed: false };
            tokio::task::spawn_local(work(seat, state.next_worker));
        }
    }

    /// The next invocation that somebody still waits for.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.0.borrow_mut();
        while let Some((_, job)) = state.queue.pop_front() {
            if !job.reply.is_closed() {
                return Some(job);
            }
        }
        None
    }
}

impl State {
    fn most_workers(&self) -> usize {
        self.launch.function.concurrency.unwrap_or(self.limits.workers).max(1)
    }

    /// The handler did not load a moment ago, and it is too early to try again.
    fn hopeless(&self) -> Option<InvokeError> {
        let pausing = self.live == 0 && Instant::now() < self.not_before;
        self.start_error.clone().filter(|_| pausing)
    }

    fn count_failure(&mut self, free: u32) {
        self.failures += 1;
        let doublings = self.failures.saturating_sub(free);
        if doublings > 0 {
            let pause = FIRST_PAUSE.saturating_mul(1 << (doublings - 1).min(16));
            self.not_before = Instant::now() + pause.min(LONGEST_PAUSE);
        }
    }
}

/// Ends invocations that waited too long. All wait equally long, so the first is always the oldest.
async fn expire(pool: Pool) {
    loop {
        let due = {
            let mut state = pool.0.borrow_mut();
            let now = Instant::now();
            let waited = state.limits.queue_time;
            while let Some((_, job)) = state.queue.pop_front_if(|(give_up, _)| *give_up <= now) {
                let _ = job.reply.send(Err(InvokeError::QueueTimeout { waited }));
            }
            let Some((give_up, _)) = state.queue.front() else {
                state.expiry_runs = false;
                return;
            };
            *give_up
        };
        sleep_until(due).await;
    }
}

/// A worker's place in its pool: given back however the worker's task ends.
struct Seat {
    pool: Pool,
    starting: bool,
    failed: bool,
}

impl Seat {
    fn started(&mut self) {
        let mut state = self.pool.0.borrow_mut();
        state.starting -= 1;
        self.starting = false;
        state.start_error = None;
        state.has_started = true;
        let before = state.before.take();
        drop(state);
        before.iter().for_each(Pool::retire);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        {
            let mut state = self.pool.0.borrow_mut();
            state.live -= 1;
            if self.starting {
                state.starting -= 1;
            }
            if self.failed {
                state.count_failure(FREE_RESTARTS);
            }
        }
        self.pool.fill();
    }
}

/// The life of one worker.
async fn work(mut seat: Seat, id: u64) {
    let (launch, limits) = {
        let state = seat.pool.0.borrow();
        (state.launch.clone(), state.limits.clone())
    };
    let began = Instant::now();
    let mut worker = match Worker::start(&launch, limits.start_time).await {
        Ok(worker) => worker,
        Err(error) => return start_failed(&seat, &launch, error),
    };
    seat.started();
    say(&launch, format!("worker ready after {} ms", began.elapsed().as_millis()));
    let pool = seat.pool.clone();
    // More may wait than the start before this one allowed for.
    pool.fill();
    loop {
        let job = match pool.next_job() {
            Some(job) => job,
            None => match wait_for_job(&pool, &limits, &mut worker, id).await {
                Some(Wait::Job(job)) => job,
                Some(Wait::Look) => continue,
                Some(Wait::Died) => {
                    let reason = worker.end().await;
                    say(&launch, format!("an idle worker ended ({reason})"));
                    seat.failed = true;
                    return;
                }
                None => {
                    worker.end().await;
                    say(&launch, "a worker that was not needed any more ended".to_owned());
                    return;
                }
            },
        };
        match worker.invoke(&job.id, &job.payload, launch.function.timeout).await {
            Outcome::Goes(answer) => {
                pool.0.borrow_mut().failures = 0;
                let _ = job.reply.send(answer);
            }
            Outcome::Ends(error) => {
                // A time-out took its time already; it needs no further pause.
                seat.failed = !matches!(error, InvokeError::TimedOut { .. });
                let _ = job.reply.send(Err(error));
                worker.end().await;
                return;
            }
        }
    }
}

enum Wait {
    Job(Job),
    /// Something changed: look at the queue again.
    Look,
    Died,
}

/// Waits idle; `None`: this worker is not needed any more.
async fn wait_for_job(pool: &Pool, limits: &Limits, worker: &mut Worker, id: u64) -> Option<Wait> {
    let (sender, mut receiver) = oneshot::channel();
    let patience = {
        let mut state = pool.0.borrow_mut();
        state.idle.push((id, sender));
        if state.retired { FAREWELL } else { limits.idle }
    };
    let waited_enough = tokio::select! {
        biased;
        job = &mut receiver => {
            return Some(job.map_or(Wait::Look, Wait::Job));
        }
        () = worker.ended() => false,
        () = sleep(patience) => true,
    };
    let mut state = pool.0.borrow_mut();
    state.idle.retain(|(other, _)| *other != id);
    // It may have been handed over while we looked elsewhere.
    if let Ok(job) = receiver.try_recv() {
        if waited_enough {
            return Some(Wait::Job(job));
        }
        // The worker died with the invocation in its hands, and before it began: another one takes it.
        let give_up = Instant::now() + limits.queue_time;
        state.queue.push_front((give_up, job));
    }
    if !waited_enough {
        return Some(Wait::Died);
    }
    if state.retired || state.live > 1 || !state.keep_warm { None } else { Some(Wait::Look) }
}

/// Every invocation that waits for this start is answered by the version before, or learns why there was none.
fn start_failed(seat: &Seat, launch: &Launch, error: InvokeError) {
    say(launch, error.to_string());
    if let InvokeError::Init(error) = &error {
        for line in &error.trace {
            say(launch, format!("    {line}"));
        }
    }
    let mut state = seat.pool.0.borrow_mut();
    state.count_failure(0);
    state.start_error = Some(error.clone());
    let before = state.before.clone();
    let waiting = match state.live == state.starting {
        true => std::mem::take(&mut state.queue),
        false => VecDeque::new(),
    };
    drop(state);
    if before.is_some() {
        say(launch, "what was served before goes on answering".to_owned());
    }
    for (_, job) in waiting {
        give_back(job, before.as_ref(), error.clone());
    }
}

/// Lets the version before answer, where there is one.
fn give_back(job: Job, before: Option<&Pool>, error: InvokeError) {
    match before {
        Some(before) => before.submit(job),
        None => drop(job.reply.send(Err(error))),
    }
}

fn say(launch: &Launch, line: String) {
    let function = launch.function.name.as_str().into();
    (launch.log)(FunctionLog { function, request_id: None, source: LogSource::Edge, line });
}
