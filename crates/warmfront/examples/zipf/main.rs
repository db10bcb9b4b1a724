//! How well the memory tier chooses what to keep: its hit ratio beside two simulators on the same trace.
//!
//! ```text
//! cargo run --release -p warmfront --example zipf [REQUESTS]
//! ```
//!
//! A million objects of 20 GB together are asked for with popularity falling as a Zipf law of s = 0.9, through the
//! engine as an application uses it, with 1 GiB of cache. Least recently used and S3-FIFO, both exact and both
//! counting nothing but the bodies, see the same requests. The same with objects of 1 KiB. Then a scan of ten times the cache passes by a hot
//! set. Exit code 1 when the engine keeps less than least recently used would, lies more than two points behind
//! S3-FIFO, takes more than 15 % over the configured memory, or lets the scan flush the hot set.

#![allow(clippy::unwrap_used, reason = "a measurement that finds nothing may stop there")]
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

mod policies;
#[allow(dead_code, reason = "of the world of the tests, a part is needed here")]
#[path = "../../tests/it/world.rs"]
mod small_world;
mod trace;
mod world;

use policies::{LeastRecentlyUsed, Policy, S3Fifo};
use trace::Zipf;
use world::World;

// As the program has it: what memory an allocator wastes is part of what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const OBJECTS: u32 = 1_000_000;
const SKEW: f64 = 0.9;
const SEED: u64 = 20_260_704;
const CACHE: u64 = 1 << 30;

fn main() -> std::process::ExitCode {
    let requests = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(4_000_000);
    let before = world::resident();
    // A cache must not need to know how large objects are: as many, in a twentieth of the memory. What an object
    // takes beside its body is most of it there, so the simulators get the room that the bodies have.
    let small = zipf(trace::SMALL, OBJECTS, CACHE / 16, requests / 2, 0, before);
    let kept = zipf(0, OBJECTS, CACHE, requests, CACHE, before);
    let withstood = scan();
    let holds = kept && small && withstood;
    if holds { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

/// The acceptance of the cache's policy. The simulators hold `bodies` bytes, or as many as the engine did.
fn zipf(first: u32, objects: u32, cache: u64, requests: usize, bodies: u64, before: u64) -> bool {
    let offered: u64 = (first..first + objects).map(trace::size_of).sum();
    println!(
        "{objects} objects of {:.1} GB, Zipf s = {SKEW}, {requests} requests, cache {} MiB",
        offered as f64 / 1e9,
        cache >> 20
    );
    let zipf = Zipf::new(first, objects, SKEW);
    let before = before + zipf.size();
    let mut world = World::new(cache);
    let mut highest = 0;
    let mut ours = Tally::default();
    for (number, object) in zipf.trace(SEED).take(requests).enumerate() {
        ours.count(object, world.ask(object));
        if number % 4096 == 0 {
            highest = highest.max(world::resident());
        }
    }
    let usage = world.usage();
    drop(world);
    let bodies = if bodies == 0 { usage.objects * trace::size_of(first) } else { bodies };
    let tally = |policy: &mut dyn Policy| {
        let mut tally = Tally::default();
        for object in zipf.trace(SEED).take(requests) {
            tally.count(object, policy.ask(object, trace::size_of(object)));
        }
        tally
    };
    let lru = tally(&mut LeastRecentlyUsed::new(bodies));
    let s3_fifo = tally(&mut S3Fifo::new(bodies));
    println!("  warmfront            {ours}");
    println!("  S3-FIFO              {s3_fifo}");
    println!("  least recently used  {lru}");
    let grown = highest.saturating_sub(before);
    println!(
        "  stored {} objects, {} of {} MiB; resident memory grew by {} MiB at most, {:.1} % of the limit",
        usage.objects,
        usage.bytes >> 20,
        usage.limit >> 20,
        grown >> 20,
        grown as f64 * 100.0 / cache as f64
    );
    expect("at least as many hits as least recently used", ours.ratio() >= lru.ratio())
        & expect("within 2 points of S3-FIFO", ours.ratio() >= s3_fifo.ratio() - 0.02)
        & expect("resident memory within 15 % over the limit", grown * 100 <= cache * 115)
}

/// A one-pass scan of ten times the cache, one object of it between any two requests of a hot set that fills
/// most of the cache.
fn scan() -> bool {
    const CACHE: u64 = 64 << 20;
    const HOT: u32 = 2_400;
    let hot_bytes: u64 = (0..HOT).map(trace::size_of).sum();
    println!(
        "hot set of {HOT} objects, {} MiB, cache {} MiB; then a scan of {} MiB between",
        hot_bytes >> 20,
        CACHE >> 20,
        (CACHE * 10) >> 20
    );
    let zipf = Zipf::new(0, HOT, SKEW);
    let mut world = World::new(CACHE);
    let mut hot = zipf.trace(SEED);
    let mut asked = |world: &mut World, tally: &mut Tally| {
        if let Some(object) = hot.next() {
            tally.count(object, world.ask(object));
        }
    };
    let [mut warm, mut before, mut during, mut after] = [const { Tally::new() }; 4];
    for _ in 0..40_000 {
        asked(&mut world, &mut warm);
    }
    for _ in 0..20_000 {
        asked(&mut world, &mut before);
    }
    let (mut scanned, mut object) = (0, HOT);
    while scanned < CACHE * 10 {
        world.ask(object);
        scanned += trace::size_of(object);
        object += 1;
        asked(&mut world, &mut during);
    }
    for _ in 0..2_000 {
        asked(&mut world, &mut after);
    }
    println!("  before  {before}\n  during  {during}\n  after   {after}");
    expect("the scan costs the hot set less than 5 points", during.ratio() >= before.ratio() - 0.05)
        & expect("and right after it, too", after.ratio() >= before.ratio() - 0.05)
}

fn expect(what: &str, holds: bool) -> bool {
    println!("  {}: {what}", if holds { "yes" } else { "NO" });
    holds
}

/// Requests, and those that the cache answered.
#[derive(Debug, Default)]
struct Tally {
    requests: u64,
    hits: u64,
    bytes: u64,
    bytes_hit: u64,
}

impl Tally {
    const fn new() -> Self {
        Self { requests: 0, hits: 0, bytes: 0, bytes_hit: 0 }
    }

    fn count(&mut self, object: u32, hit: bool) {
        self.requests += 1;
        self.bytes += trace::size_of(object);
        if hit {
            self.hits += 1;
            self.bytes_hit += trace::size_of(object);
        }
    }

    fn ratio(&self) -> f64 {
        self.hits as f64 / self.requests.max(1) as f64
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of_bytes = self.bytes_hit as f64 / self.bytes.max(1) as f64;
        write!(f, "hit ratio {:.2} %, of bytes {:.2} %", self.ratio() * 100.0, of_bytes * 100.0)
    }
}
