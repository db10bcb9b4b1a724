//! The engine as this program runs it: one cache and one clock, an origin pool for each worker.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use warmfront::cache::{CacheOptions, DiskUsage, Purges, Storage, TieredStorage};
use warmfront::edge::EdgeOptions;
use warmfront::origin::sigv4::{Keys, SigV4};
use warmfront::origin::{LocalApis, OriginSigner, Origins, OriginsOptions, Trust};
use warmfront::{Access, Clock, Edge, Observer, SystemClock, VirtualClock};
use warmfront_core::Stack;

use crate::observe::Gauge;
use crate::purge::{self, Order, Receipt, Refused};

/// Every case begins at this second, 2026-01-01 00:00:00 UTC, in this process and over sockets, so that
/// dates can be written down.
pub(crate) fn beginning() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}

/// Everything that answers requests, without the doors.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    edge: Edge,
    clock: Arc<dyn Clock>,
    local_apis: Option<Arc<dyn LocalApis>>,
    signer: Arc<dyn OriginSigner>,
    trust: Trust,
    serving: Arc<ArcSwap<Stack>>,
    tiers: Option<Arc<TieredStorage>>,
}

/// Where the engine's time comes from.
#[derive(Debug, Clone)]
pub(crate) enum Time {
    /// The machine.
    System,
    /// Whoever posts to `/clock/advance`: for tests.
    Virtual(VirtualClock),
}

impl Time {
    /// A virtual clock begins where cases do.
    pub(crate) fn new(is_virtual: bool) -> Self {
        match is_virtual {
            true => Time::Virtual(VirtualClock::starting_at(beginning())),
            false => Time::System,
        }
    }

    /// The clock that tests turn.
    pub(crate) fn turnable(&self) -> Option<VirtualClock> {
        match self {
            Time::System => None,
            Time::Virtual(clock) => Some(clock.clone()),
        }
    }

    /// The clock, for the engine.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Time::System => Arc::new(SystemClock::new()),
            Time::Virtual(clock) => Arc::new(clock.clone()),
        }
    }
}

/// What an engine is made of.
#[derive(Debug)]
pub(crate) struct Setup {
    /// What is served.
    pub(crate) stack: Arc<Stack>,
    /// Bytes of memory for stored responses.
    pub(crate) memory: u64,
    /// Where they are kept, if not in memory alone.
    pub(crate) tiers: Option<Arc<TieredStorage>>,
    /// What was purged before.
    pub(crate) purges: Arc<Purges>,
    /// Where redirects to https lead.
    pub(crate) https_port: u16,
    /// Whether viewers may ask what was decided.
    pub(crate) explain: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) local_apis: Option<Arc<dyn LocalApis>>,
    /// What requests to origins are signed with.
    pub(crate) keys: Arc<dyn Keys>,
    /// How signatures are checked and where viewers are.
    pub(crate) access: Access,
}

impl Engine {
    /// An engine with an empty cache.
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup {
            stack,
            memory,
            tiers,
            purges,
            https_port,
            explain,
            clock,
            observer,
            local_apis,
            keys,
            access,
        } = setup;
        let trust = Trust::system();
        let signer: Arc<dyn OriginSigner> = Arc::new(SigV4::new(keys));
        let origins = origins(&clock, &local_apis, &signer, &trust);
        let mut options = EdgeOptions::new(stack.clone(), origins);
        options.cache = CacheOptions { memory, ..CacheOptions::default() };
        options.storage = tiers.clone().map(|tiers| tiers as Arc<dyn Storage>);
        options.purges = purges;
        options.clock = clock.clone();
        options.observer = observer;
        options.https_port = https_port;
        options.access = access;
        options.explain = explain;
        let serving = Arc::new(ArcSwap::new(stack));
        Self { edge: Edge::new(options), clock, local_apis, signer, trust, serving, tiers }
    }

    /// Writes what waits for the disk, so that the next start finds it at once.
    pub(crate) fn close(&self) {
        if let Some(tiers) = &self.tiers {
            tiers.close();
        }
    }

    /// The edge for one worker: the shared cache, and connections to origins of its own.
    pub(crate) fn for_worker(&self) -> Edge {
        self.edge.with_connector(origins(&self.clock, &self.local_apis, &self.signer, &self.trust))
    }

    /// Serves `stack` from now on.
    pub(crate) fn swap(&self, stack: Arc<Stack>) {
        self.serving.store(stack.clone());
        self.edge.swap(stack);
    }

    /// Purges; not for a thread that serves.
    pub(crate) fn purge(&self, order: &Order) -> Result<Receipt, Refused> {
        purge::carry_out(&self.edge, &self.serving.load(), order)
    }

    /// What is being served, as reloads change it.
    pub(crate) fn serving(&self) -> Arc<ArcSwap<Stack>> {
        self.serving.clone()
    }

    /// What the engine keeps, for `/metrics`.
    pub(crate) fn gauges(&self) -> Vec<Gauge> {
        let usage = self.edge.cache_usage();
        let memory = [
            Gauge {
                name: "warmfront_cache_objects",
                help: "Stored responses.",
                value: usage.objects,
            },
            Gauge {
                name: "warmfront_cache_bytes",
                help: "Memory of stored responses.",
                value: usage.bytes,
            },
            Gauge {
                name: "warmfront_cache_limit_bytes",
                help: "Limit of that memory.",
                value: usage.limit,
            },
        ];
        let disk = self.tiers.as_ref().map(|tiers| disk_gauges(tiers.disk_usage()));
        memory.into_iter().chain(disk.into_iter().flatten()).collect()
    }
}

fn disk_gauges(usage: DiskUsage) -> impl Iterator<Item = Gauge> {
    let (read, found) = usage.recovered;
    let rows = [
        (
            "warmfront_cache_disk_records",
            "Responses and parts of long ones on disk.",
            usage.records,
        ),
        ("warmfront_cache_disk_bytes", "Bytes of the files of the disk cache.", usage.bytes),
        ("warmfront_cache_disk_limit_bytes", "Limit of those bytes.", usage.limit),
        ("warmfront_cache_disk_waiting_bytes", "Bytes that wait to be written.", usage.waiting),
        ("warmfront_cache_disk_hits_total", "Lookups on disk that found something.", usage.hits),
        ("warmfront_cache_disk_misses_total", "Lookups on disk that found nothing.", usage.misses),
        ("warmfront_cache_disk_written_total", "Records written.", usage.written),
        (
            "warmfront_cache_disk_dropped_total",
            "Records not written: no room in the queue, or a fault.",
            usage.dropped,
        ),
        (
            "warmfront_cache_disk_rewritten_total",
            "Records kept because they were read.",
            usage.rewritten,
        ),
        (
            "warmfront_cache_disk_evicted_segments_total",
            "Segments that made room.",
            usage.evicted_segments,
        ),
        (
            "warmfront_cache_disk_read_errors_total",
            "Reads that the system refused.",
            usage.read_errors,
        ),
        (
            "warmfront_cache_disk_write_errors_total",
            "Writes that the system refused.",
            usage.write_errors,
        ),
        (
            "warmfront_cache_disk_damaged_total",
            "Records whose checksum did not hold.",
            usage.damaged,
        ),
        ("warmfront_cache_disk_found_segments", "Segments that an earlier run left.", found),
        (
            "warmfront_cache_disk_read_segments",
            "Those of them that have been read since the start.",
            read,
        ),
    ];
    rows.into_iter().map(|(name, help, value)| Gauge { name, help, value })
}

fn origins(
    clock: &Arc<dyn Clock>,
    local_apis: &Option<Arc<dyn LocalApis>>,
    signer: &Arc<dyn OriginSigner>,
    trust: &Trust,
) -> Arc<Origins> {
    let mut options = OriginsOptions::new(clock.clone());
    options.local_apis = local_apis.clone();
    options.signer = Some(signer.clone());
    options.trust = trust.clone();
    Arc::new(Origins::new(options))
}
