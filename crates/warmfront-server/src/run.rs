//! `warmfront run`: from a source to an edge that serves until it is told to stop.
//!
//! Exit status: 0 after a drain, 1 and 2 as `check`, 3 when a port or the state directory is taken,
//! 130 after SIGINT.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::SystemTime;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;
use warmfront::cache::{CacheOptions, DiskOptions, TieredStorage};
use warmfront::{Clock, Observer};
use warmfront_config::Loaded;
use warmfront_core::Stack;

use crate::admin::Admin;
use crate::banner::{Addresses, Facts, banner};
use crate::cli::{RunArgs, Size};
use crate::credentials::Credentials;
use crate::engine::{Engine, Setup, Time};
use crate::functions::LocalFunctions;
use crate::honesty::{Kind, honest, properties};
use crate::listener::dev_ca::DevCa;
use crate::listener::dev_certificates::DevCertificates;
use crate::listener::patience::Limits;
use crate::listener::tcp::{self, Port};
use crate::listener::tls::Tls;
use crate::listener::workers::{Common, DRAIN, Sockets, Workers};
use crate::observe::{
    CloudFrontLogs, Counters, Drain, LogOptions, Redaction, Reopen, Sink, Trouble, Watcher,
    function_logs,
};
use crate::purge;
use crate::reload::Live;
use crate::state::State;
use crate::watch::{Saved, Watch};
use crate::{geography, limits, reload, source};

/// A port or the state directory is taken.
const CANNOT_BIND: u8 = 3;
const INTERRUPTED: u8 = 130;
/// Disk for stored responses where a directory is named and no size.
const DISK: Size = Size(10 << 30);
/// As clap's own errors.
const USAGE: u8 = 2;

/// Why the program cannot start, and the exit status for it.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: u8, error: impl std::fmt::Display) -> Self {
        Self { status, message: format!("error: {error}") }
    }
}

/// Serves `args.source` until a signal.
pub(crate) fn run(args: &RunArgs) -> ExitCode {
    match start(args) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            crate::say(&failure.message);
            ExitCode::from(failure.status)
        }
    }
}

fn start(args: &RunArgs) -> Result<u8, Failure> {
    if args.virtual_clock && !args.admin.address().is_some_and(|admin| admin.ip().is_loopback()) {
        // Whoever reaches the admin port turns the clock.
        let message = "--virtual-clock is for tests: it needs --admin on a loopback address";
        return Err(Failure::new(USAGE, message));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(1, format!("cannot start the runtime: {error}")))?;
    // Before anything that takes time: a SIGHUP that comes early is remembered, where the default would
    // end the process. SIGTERM and SIGINT may end it until there is something to finish.
    let hang_up = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup())
            .map_err(|error| Failure::new(1, format!("cannot start: {error}")))?
    };

    let unreadable = |error| Failure::new(source::UNREADABLE, error);
    let source = source::find(args.source.as_deref()).map_err(unreadable)?;
    let read = SystemTime::now();
    let who_may =
        geography::access(&args.from).map_err(|error| Failure::new(source::UNREADABLE, error))?;
    let loaded = source::load(&source, &args.from).map_err(unreadable)?;
    let (mut stack, loaded) = compiled(loaded)?;
    let epochs = match args.cache_dir {
        Some(_) => reload::without_answers_of_earlier_runs(Arc::make_mut(&mut stack)),
        None => HashMap::new(),
    };

    let state = State::open(args.state_dir.clone().unwrap_or_else(|| State::beside(&source)));
    let workers = args.workers.map_or_else(cores, usize::from);
    let ports = Ports::open(args, workers);
    // Both are told at once: whoever starts a second copy meets both, and both must be changed.
    let (state, mut ports) = match (state, ports) {
        (Ok(state), Ok(ports)) => (state, ports),
        (state, ports) => {
            let state = state.err().map(|error| format!("error: {error}"));
            let messages = state.into_iter().chain(ports.err().into_iter().flatten());
            let message = messages.collect::<Vec<_>>().join("\n");
            return Err(Failure { status: CANNOT_BIND, message });
        }
    };

    let counters = Arc::new(Counters::default());
    let cannot_log = |error: io::Error| Failure::new(1, format!("cannot start the log: {error}"));
    let (access, access_end) = Sink::start("access", io::stdout()).map_err(cannot_log)?;
    let (notes, notes_end) = Sink::start("notes", io::stderr()).map_err(cannot_log)?;
    let time = Time::new(args.virtual_clock);
    let clock = time.clock();
    let reopen = Reopen::default();
    let trouble = |name| Trouble::new(name, notes.clone(), counters.clone(), clock.clone());
    let (logs, mut log_ends) = cloudfront_logs(args, &stack, &reopen, trouble)?;
    let purges = purge::remembered(state.directory(), args.cache_dir.as_deref(), clock.wall())
        .map_err(|message| Failure::new(1, message))?;
    let redaction = Redaction::new(&args.log_style.redact_query);
    let observer = Watcher::new(args.access_log, access, notes.clone(), counters.clone())
        .with(redaction, logs);
    let observer = Arc::new(observer);
    let tiers = tiers(args, &clock, observer.clone())?;

    let directory = state.directory().join("functions");
    let functions =
        LocalFunctions::start(stack.clone(), directory, clock.clone(), function_logs(notes));
    let engine = Engine::new(Setup {
        stack: stack.clone(),
        memory: args.cache_memory.0,
        tiers,
        purges: Arc::new(purges),
        https_port: ports.https.as_ref().map_or(443, |port| port.address.port()),
        explain: args.explain,
        clock,
        observer,
        local_apis: Some(functions.apis()),
        keys: Arc::new(Credentials::of(&source::environment())),
        access: who_may,
    });
    let addresses = ports.addresses();
    let certificates = match addresses.https {
        Some(_) => Some(Arc::new(certificates(&state, &stack, addresses)?)),
        None => None,
    };
    let tls = certificates.clone().map(|certificates| tls(certificates, &engine)).transpose()?;
    let common = Common {
        tls,
        places: Arc::new(Semaphore::new(limits::viewer_connections())),
        limits: Limits::default(),
        drain: DRAIN,
        counters: counters.clone(),
    };
    let facts = Facts {
        source: &source,
        addresses,
        ca: certificates.as_deref().map(|made| (made.ca().certificate.as_path(), made.ca().is_new)),
        functions: functions.runtimes(),
        inert: honest(&loaded, Kind::Inert),
        unprotected: honest(&loaded, Kind::Unprotected),
        workers,
        cache: args.cache_memory,
        disk: args.cache_dir.as_deref().map(|path| (disk_size(args), path)),
    };

    let admin_socket = ports.admin.take().map(|port| port.sockets);
    let watch = match args.watch {
        false => None,
        true => {
            let own = args.logs.paths().chain([state.directory()]);
            Some(Watch::start(own.map(ToOwned::to_owned).collect()).map_err(|error| {
                Failure::new(1, format!("--watch: cannot watch files: {error}"))
            })?)
        }
    };
    let live = Live {
        args,
        source: &source,
        engine: engine.clone(),
        functions: functions.clone(),
        counters: counters.clone(),
        stack: stack.clone(),
        files: loaded.files.clone(),
        read,
        told: properties(&loaded),
        epochs,
    };
    let tiers_end = engine.clone();
    let program = Program {
        engine,
        functions,
        counters,
        live,
        watch,
        ready: Arc::default(),
        reopen,
        banner: banner(&stack, &facts),
    };
    let sockets = ports.for_workers(workers);
    let status =
        runtime.block_on(program.serve(common, sockets, admin_socket, addresses, time, hang_up));
    if !matches!(status, Ok(INTERRUPTED)) {
        tiers_end.close();
    }
    log_ends.push(access_end);
    for end in log_ends {
        end.finish();
    }
    notes_end.finish();
    status
}

/// Memory over the disk that the command line names.
fn tiers(
    args: &RunArgs,
    clock: &Arc<dyn Clock>,
    observer: Arc<Watcher>,
) -> Result<Option<Arc<TieredStorage>>, Failure> {
    let Some(directory) = &args.cache_dir else { return Ok(None) };
    let mut disk = DiskOptions::new(directory.clone(), disk_size(args).0);
    disk.on_trouble = Arc::new(move |message: &str| observer.note("", message));
    let memory = CacheOptions { memory: args.cache_memory.0, ..CacheOptions::default() };
    let tiers = TieredStorage::open(memory, disk, clock.clone());
    tiers.map(|tiers| Some(Arc::new(tiers))).map_err(|error| {
        Failure::new(CANNOT_BIND, format!("{error}. Another place: --cache-dir DIR"))
    })
}

fn disk_size(args: &RunArgs) -> Size {
    args.cache_disk.unwrap_or(DISK)
}

/// The logs in CloudFront's formats that the command line asks for, and what ends their writers.
fn cloudfront_logs(
    args: &RunArgs,
    stack: &Stack,
    reopen: &Reopen,
    trouble: impl Fn(&'static str) -> Trouble,
) -> Result<(Option<CloudFrontLogs>, Vec<Drain>), Failure> {
    let options = LogOptions {
        standard: args.logs.standard_log.clone(),
        fields: args.log_style.standard_log_fields.clone(),
        path: args.log_style.standard_log_path.clone().unwrap_or_default(),
        real_time: args.logs.real_time_log.clone(),
        account: stack.account.clone(),
    };
    if let Some(why) = options.writes_nothing(stack) {
        crate::say(&why);
    }
    match CloudFrontLogs::start(options, reopen, trouble) {
        Ok(Some((logs, ends))) => Ok((Some(logs), ends)),
        Ok(None) => Ok((None, Vec::new())),
        Err(error) => Err(Failure::new(1, format!("cannot open a log: {error}"))),
    }
}

/// The stack of a source without errors; its warnings are said. With errors: these. What has no effect is
/// told by the banner, and by `check`.
pub(crate) fn compiled(mut loaded: Loaded) -> Result<(Arc<Stack>, Loaded), Failure> {
    let stack = loaded.stack.take();
    match stack.filter(|_| !loaded.has_errors()) {
        Some(stack) => {
            if !loaded.diagnostics.is_empty() {
                crate::say(&warmfront_config::render_problems(&loaded));
            }
            Ok((Arc::new(stack), loaded))
        }
        None => {
            let message = warmfront_config::render_problems(&loaded);
            Err(Failure { status: loaded.exit_code().max(1), message })
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn certificates(
    state: &State,
    stack: &Stack,
    addresses: Addresses,
) -> Result<DevCertificates, Failure> {
    let now = SystemTime::now();
    let cannot = |error| Failure::new(1, format!("{error}. To go without https: --https off"));
    let ca = DevCa::open(state.directory(), now).map_err(cannot)?;
    let names = stack.distributions.iter().flat_map(|distribution| {
        distribution.aliases.iter().cloned().chain([distribution.domain_name.clone()])
    });
    let bound = addresses.https.map(|address| address.ip());
    DevCertificates::new(ca, provider(), names, bound, now).map_err(cannot)
}

fn tls(certificates: Arc<DevCertificates>, engine: &Engine) -> Result<Arc<Tls>, Failure> {
    Tls::new(provider(), certificates, engine.serving())
        .map(Arc::new)
        .map_err(|error| Failure::new(1, format!("cannot set TLS up: {error}")))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The ports that are asked for, open.
#[derive(Debug)]
struct Ports {
    http: Option<Port>,
    https: Option<Port>,
    admin: Option<Port>,
}

impl Ports {
    /// Opens all, or says of each why not.
    fn open(args: &RunArgs, workers: usize) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut open = |what, bind: crate::cli::Bind, sockets| {
            let opened = bind.address().map(|address| tcp::open(what, address, sockets));
            opened.transpose().unwrap_or_else(|error| {
                problems.push(format!("error: {error}"));
                None
            })
        };
        let ports = Self {
            http: open("http", args.http, workers),
            https: open("https", args.https, workers),
            admin: open("admin", args.admin, 1),
        };
        if problems.is_empty() { Ok(ports) } else { Err(problems) }
    }

    fn addresses(&self) -> Addresses {
        let at = |port: &Option<Port>| port.as_ref().map(|port| port.address);
        Addresses { http: at(&self.http), https: at(&self.https), admin: at(&self.admin) }
    }

    fn for_workers(self, workers: usize) -> Vec<Sockets> {
        let mut http = self.http.map(|port| port.sockets).unwrap_or_default().into_iter();
        let mut https = self.https.map(|port| port.sockets).unwrap_or_default().into_iter();
        (0..workers).map(|_| Sockets { http: http.next(), https: https.next() }).collect()
    }
}

/// What was saved, where somebody watches.
async fn saved(watch: &mut Option<Watch>) -> (Saved, &mut Watch) {
    match watch {
        Some(watch) => (watch.saved().await, watch),
        None => std::future::pending().await,
    }
}

/// The running program, on the main thread.
struct Program<'a> {
    engine: Engine,
    functions: LocalFunctions,
    counters: Arc<Counters>,
    live: Live<'a>,
    watch: Option<Watch>,
    /// Whether requests are taken.
    ready: Arc<AtomicBool>,
    /// Has the files of logs opened again.
    reopen: Reopen,
    /// What is said once requests are taken.
    banner: String,
}

impl Program<'_> {
    async fn serve(
        mut self,
        common: Common,
        sockets: Vec<Sockets>,
        admin: Option<Vec<TcpListener>>,
        addresses: Addresses,
        time: Time,
        mut hang_up: Signal,
    ) -> Result<u8, Failure> {
        let failed = |error: io::Error| Failure::new(1, format!("cannot start: {error}"));
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;

        let engine = self.engine.clone();
        let mut workers =
            Workers::start(&common, sockets, move || engine.for_worker()).map_err(failed)?;
        for socket in admin.into_iter().flatten() {
            let listener = tokio::net::TcpListener::from_std(socket).map_err(failed)?;
            let address = addresses.admin.expect("there is a socket");
            let admin = Arc::new(self.admin(address, &time));
            // Runs until the program ends: it tells of the drain, too.
            tokio::spawn(admin.serve(listener, std::future::pending()));
        }
        if let Some(watch) = &mut self.watch {
            self.live.follow(watch);
        }
        self.ready.store(true, Relaxed);
        crate::say(&self.banner);

        loop {
            tokio::select! {
                _ = hang_up.recv() => {
                    self.reopen.ask();
                    self.live.reload();
                    if let Some(watch) = &mut self.watch {
                        self.live.follow(watch);
                    }
                }
                (saved, watch) = saved(&mut self.watch) => {
                    self.live.apply(&saved);
                    self.live.follow(watch);
                }
                _ = interrupt.recv() => {
                    workers.end().await;
                    self.functions.stop();
                    return Ok(INTERRUPTED);
                }
                _ = terminate.recv() => break,
            }
        }
        self.ready.store(false, Relaxed);
        crate::say("draining: no new connections; requests in flight have 30 seconds");
        let status = tokio::select! {
            () = workers.drain() => 0,
            _ = interrupt.recv() => INTERRUPTED,
            _ = terminate.recv() => 0,
        };
        workers.end().await;
        self.functions.stop();
        Ok(status)
    }

    fn admin(&self, address: std::net::SocketAddr, time: &Time) -> Admin {
        let (engine, ready) = (self.engine.clone(), self.ready.clone());
        let purging = self.engine.clone();
        Admin {
            counters: self.counters.clone(),
            gauges: Box::new(move || engine.gauges()),
            not_ready: Box::new(move || (!ready.load(Relaxed)).then_some("draining")),
            purger: Arc::new(move |order| purging.purge(order)),
            clock: time.turnable(),
            address,
        }
    }
}
