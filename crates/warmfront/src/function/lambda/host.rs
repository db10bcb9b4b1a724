//! The host of all functions: the door callers use, and the thread behind it.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::LocalSet;
use warmfront_core::function::{Function, Runtime};

use super::environment::Account;
use super::error::InvokeError;
use super::files::Files;
use super::frame::{ID_LIMIT, PAYLOAD_LIMIT};
use super::log::LogSink;
use super::node::{NoNode, NodeRuntime};
use super::pool::{Job, Launch, Limits, Pool};
use super::program::Program;
use super::python::{NoPython, PythonRuntime};

/// Commands on their way to the I/O thread; callers wait for room beyond that.
const COMMANDS: usize = 1024;

/// How a host runs functions. [`in_directory`](HostOptions::in_directory) has the defaults.
#[derive(Clone)]
pub struct HostOptions {
    /// A directory for the bootstrap and for inline code: made when missing, for its owner only.
    pub directory: PathBuf,
    /// The `node` program; `None`: the one on `PATH`.
    pub node: Option<PathBuf>,
    /// The `python3` program; `None`: the one on `PATH`.
    pub python: Option<PathBuf>,
    /// `AWS_REGION` of the functions.
    pub region: String,
    /// The account id in ARNs and events.
    pub account: String,
    /// Takes what functions print and what the edge has to say about them.
    pub log: LogSink,
    /// Workers of a function that sets no concurrency: twice the number of cores.
    pub max_workers: usize,
    /// Invocations of one function that may wait for a worker: 1,024; the next is refused.
    pub queue: usize,
    /// How long one waits at most: 30 s.
    pub queue_time: Duration,
    /// How long a worker may be idle before it ends: 10 min. A prewarmed function keeps its last one.
    pub idle: Duration,
    /// How long loading a handler may take: 10 s, as on Lambda.
    pub start_time: Duration,
}

impl HostOptions {
    /// The defaults, with private files in `directory` and no log.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            node: None,
            python: None,
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            log: Arc::new(|_| {}),
            max_workers: 2 * cores(),
            queue: 1024,
            queue_time: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            start_time: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for HostOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostOptions")
            .field("directory", &self.directory)
            .field("node", &self.node)
            .field("max_workers", &self.max_workers)
            .finish_non_exhaustive()
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs functions. Clones are the same host; when the last one is dropped, all workers end.
#[derive(Clone)]
pub struct LambdaHost {
    inner: Arc<Inner>,
}

struct Inner {
    commands: mpsc::Sender<Command>,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    account: Account,
}

enum Command {
    Invoke(Arc<Function>, Job),
    Prewarm(Arc<Function>),
    Replace(Arc<Function>),
    Retire(Arc<Function>),
}

impl LambdaHost {
    /// Starts the I/O thread. Node itself is looked for there: without one, [`NodeRuntime::find_at`] tells
    /// it beforehand and every invocation tells it again.
    pub fn start(options: HostOptions) -> io::Result<Self> {
        let files = Arc::new(Files::prepare(&options.directory)?);
        let account = Account { region: options.region.clone(), id: options.account.clone() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (stop, stopped) = watch::channel(false);
        let outer = account.clone();
        let thread = std::thread::Builder::new().name("functions".to_owned()).spawn(move || {
            let limits = Rc::new(limits(&options));
            let dispatcher = Dispatcher {
                node: None,
                node_program: options.node.clone(),
                python: None,
                python_program: options.python.clone(),
                files,
                account,
                log: options.log.clone(),
                limits: limits.clone(),
                pools: HashMap::new(),
            };
            let local = LocalSet::new();
            local.block_on(&runtime, dispatcher.run(inbox, stopped));
            limits.stopping.set(true);
            // Dropped inside the runtime: every worker's task goes, and with it its process group.
            let _entered = runtime.enter();
            drop(local);
        })?;
        let inner = Inner { commands, stop, thread: Mutex::new(Some(thread)), account: outer };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Calls `function` with `payload` (JSON) and resolves with its result (JSON).
    ///
    /// Works from any runtime. Dropping the future gives up an invocation that still waits; one that runs
    /// is finished by its worker, and its result is dropped, as on Lambda.
    pub async fn invoke(
        &self,
        function: &Arc<Function>,
        payload: Bytes,
        request_id: &str,
    ) -> Result<Bytes, InvokeError> {
        if let Runtime::Unsupported(runtime) = &function.runtime {
            return Err(InvokeError::UnsupportedRuntime { runtime: runtime.clone() });
        }
        if payload.len() > PAYLOAD_LIMIT {
            return Err(InvokeError::TooLarge { bytes: payload.len(), limit: PAYLOAD_LIMIT });
        }
        let (reply, answer) = oneshot::channel();
        let id = request_id.chars().filter(char::is_ascii).take(ID_LIMIT).collect::<String>();
        let job = Job { id: id.into(), payload, reply };
        let command = Command::Invoke(function.clone(), job);
        self.inner.commands.send(command).await.map_err(|_| InvokeError::Stopped)?;
        answer.await.unwrap_or(Err(InvokeError::Stopped))
    }

    /// Starts a worker ahead of the first request, and keeps one from now on.
    ///
    /// Call it for every function of a new configuration: one whose definition is unchanged keeps its
    /// workers, a changed one gets new ones while the old ones finish.
    pub fn prewarm(&self, function: &Arc<Function>) {
        // With a full channel the first request starts the worker.
        let _ = self.inner.commands.try_send(Command::Prewarm(function.clone()));
    }

    /// Starts workers anew, because the files of the code of `function` may have changed. Those that run go when
    /// a new one has loaded the code; while none can, they go on answering, and the log says why.
    pub fn replace(&self, function: &Arc<Function>) {
        let _ = self.inner.commands.try_send(Command::Replace(function.clone()));
    }

    /// Lets the workers of `function` finish and go, for it was removed.
    pub fn retire(&self, function: &Arc<Function>) {
        let _ = self.inner.commands.try_send(Command::Retire(function.clone()));
    }

    /// Ends all workers, whatever they do, and waits (milliseconds) until they are gone. Invocations under
    /// way and later ones get [`InvokeError::Stopped`].
    pub fn shutdown(&self) {
        self.inner.stop.send_replace(true);
        let thread = self.inner.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A log sink runs on the thread itself and cannot wait for it.
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            let _ = thread.join();
        }
    }

    /// The account id that functions see.
    pub fn account(&self) -> &str {
        &self.inner.account.id
    }
}

impl fmt::Debug for LambdaHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaHost").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn limits(options: &HostOptions) -> Limits {
    Limits {
        workers: options.max_workers,
        starting: cores(),
        queue: options.queue,
        queue_time: options.queue_time,
        idle: options.idle,
        start_time: options.start_time,
        stopping: Cell::new(false),
    }
}

/// Everything on the I/O thread: which pool serves which function.
struct Dispatcher {
    node: Option<Result<NodeRuntime, NoNode>>,
    node_program: Option<PathBuf>,
    python: Option<Result<PythonRuntime, NoPython>>,
    python_program: Option<PathBuf>,
    files: Arc<Files>,
    account: Account,
    log: LogSink,
    limits: Rc<Limits>,
    /// By logical id; the last one is current, the others finish.
    pools: HashMap<String, Vec<Pool>>,
}

impl Dispatcher {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>, mut stop: watch::Receiver<bool>) {
        loop {
            let command = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                command = inbox.recv() => command,
            };
            match command {
                Some(Command::Invoke(function, job)) => match self.pool(&function) {
                    Ok(pool) => pool.submit(job),
                    Err(error) => drop(job.reply.send(Err(error))),
                },
                Some(Command::Prewarm(function)) => {
                    if let Ok(pool) = self.pool(&function) {
                        pool.keep_warm();
                    }
                }
                Some(Command::Replace(function)) => self.replace(&function),
                Some(Command::Retire(function)) => {
                    for pool in self.pools.remove(&function.logical_id).into_iter().flatten() {
                        pool.retire();
                    }
                }
                None => return,
            }
        }
    }

    /// The pool of exactly this function.
    ///
    /// The same `Arc` always finds its pool, so a request that started before a reload runs the old code.
    /// A new `Arc` is a new configuration: its pool becomes the current one.
    fn pool(&mut self, function: &Arc<Function>) -> Result<Pool, InvokeError> {
        if let Some(pools) = self.pools.get_mut(&function.logical_id) {
            if let Some(pool) = pools.iter().find(|pool| Arc::ptr_eq(&pool.function(), function)) {
                return Ok(pool.clone());
            }
            // The current one may be empty because its code does not load; then another stands in for it.
            let current = pools.last().cloned();
            let is_current = |pool: &Pool| current.as_ref().is_some_and(|it| it.is(pool));
            pools.retain(|pool| !pool.is_empty() || is_current(pool));
            if let Some(current) = current.filter(|current| current.function() == *function) {
                current.renew(function.clone());
                return Ok(current);
            }
            // One that never started says nothing of the code, and has nobody to stand in for it.
            let is_back = |pool: &Pool| pool.function() == *function && pool.has_started();
            if let Some(back) = pools.iter().position(is_back) {
                let pool = pools.remove(back);
                // Before it is renewed: it may stand in for one of them.
                pools.iter().for_each(Pool::retire);
                pool.renew(function.clone());
                pools.push(pool.clone());
                return Ok(pool);
            }
        }
        let old = self.pools.get(&function.logical_id).cloned().unwrap_or_default();
        self.pool_after(function, &old)
    }

    /// New workers for the same definition.
    fn replace(&mut self, function: &Arc<Function>) {
        // The old ones leave the list: the new one must be found instead of them.
        let old = self.pools.remove(&function.logical_id).unwrap_or_default();
        match self.pool_after(function, &old) {
            Ok(pool) => pool.keep_warm(),
            Err(_) => drop(self.pools.insert(function.logical_id.clone(), old)),
        }
    }

    /// A new pool, which becomes the current one. All `old` ones go but the one that stands in for it.
    fn pool_after(&mut self, function: &Arc<Function>, old: &[Pool]) -> Result<Pool, InvokeError> {
        let program = match &function.runtime {
            Runtime::Python(_) => Program::Python(self.python()?),
            _ => Program::Node(self.node()?),
        };
        let stand_in = old.last().and_then(Pool::stand_in);
        let stays = |pool: &&Pool| stand_in.as_ref().is_some_and(|it| it.is(pool));
        old.iter().filter(|pool| !stays(pool)).for_each(Pool::retire);
        let launch = Launch {
            function: function.clone(),
            program,
            files: self.files.clone(),
            account: self.account.clone(),
            log: self.log.clone(),
        };
        let pool = Pool::new(launch, self.limits.clone(), stand_in);
        self.pools.entry(function.logical_id.clone()).or_default().push(pool.clone());
        Ok(pool)
    }

    /// Looks again while there is none, so that installing Node needs no restart.
    fn node(&mut self) -> Result<NodeRuntime, NoNode> {
        match &self.node {
            Some(known) if !matches!(known, Err(NoNode::Missing { .. })) => known.clone(),
            _ => {
                let found = NodeRuntime::find_at(self.node_program.as_deref());
                self.node.insert(found).clone()
            }
        }
    }

    /// The same for Python.
    fn python(&mut self) -> Result<PythonRuntime, NoPython> {
        match &self.python {
            Some(known) if !matches!(known, Err(NoPython::Missing { .. })) => known.clone(),
            _ => {
                let found = PythonRuntime::find_at(self.python_program.as_deref());
                self.python.insert(found).clone()
            }
        }
    }
}
