//! How soon a disk cache of a million objects answers after its process was killed.
//!
//! ```text
//! cargo run --release -p warmfront --features disk --example restart [OBJECTS [DIRECTORY]]
//! ```
//! A child process stores the objects, each with a body of 100 to 900 bytes, and is killed when everything is
//! written. Then the store is opened: printed are the time to the first answer, which must be under a second,
//! the time until the index is full, what that costs in memory, and what a hit costs whose bytes the system has
//! in memory. Every hundredth object is compared byte for byte. Exit status 1 when anything is not as it must be.

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use warmfront::SystemClock;
use warmfront::cache::{
    CacheKey, CacheOptions, Checked, Content, DiskOptions, Found, Rare, Storage as _, StoredHead,
    StoredMeta, StoredResponse, TieredStorage,
};
use warmfront_core::caching::{Lifetime, TtlRule, TtlSource};

/// Less than the objects take: what is looked up comes from the disk.
const MEMORY: u64 = 4 << 20;
const DISK: u64 = 8 << 30;
const FIRST_ANSWER: Duration = Duration::from_secs(1);
/// The last argument of the child.
const FILL: &str = "--fill";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let objects =
        arguments.first().map_or(1_000_000, |count| count.parse().expect("a number of objects"));
    let scratch = std::env::temp_dir().join(format!("warmfront-restart-{}", std::process::id()));
    let directory = arguments.get(1).map_or(scratch, PathBuf::from);
    if arguments.last().is_some_and(|last| last == FILL) {
        fill(&directory, objects);
        return ExitCode::SUCCESS;
    }
    let is_good = measure(&directory, objects);
    let _ = std::fs::remove_dir_all(&directory);
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open(directory: &Path) -> TieredStorage {
    let memory = CacheOptions { memory: MEMORY, ..CacheOptions::default() };
    let disk = DiskOptions::new(directory.to_owned(), DISK);
    TieredStorage::open(memory, disk, Arc::new(SystemClock::new()))
        .expect("the directory can be used")
}

/// Stores everything, says so, and waits to be killed.
fn fill(directory: &Path, objects: u64) {
    let storage = open(directory);
    for number in 0..objects {
        storage.insert(&key(number), Arc::new(response(number)));
        while number % 1000 == 0 && storage.disk_usage().waiting > 8 << 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    while storage.disk_usage().waiting > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("{:?}", storage.disk_usage());
    std::thread::sleep(Duration::from_secs(3600));
}

fn measure(directory: &Path, objects: u64) -> bool {
    let started = Instant::now();
    let mut child = Command::new(std::env::current_exe().expect("this program has a path"))
        .args([&objects.to_string(), &directory.display().to_string(), FILL])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started");
    let mut said = [0; 1];
    let output = child.stdout.as_mut().expect("it is piped");
    output.read_exact(&mut said).expect("the child says when it is done");
    println!("{objects} objects stored in {:.1?}; kill -9", started.elapsed());
    child.kill().expect("the child runs");
    let _ = child.wait();

    let before = resident();
    let opening = Instant::now();
    let storage = open(directory);
    let opened = opening.elapsed();
    let first = storage.lookup(key(objects - 1).as_bytes());
    let answered = opening.elapsed();
    let found = matches!(first, Found::Here(_));
    println!(
        "opened after {opened:.1?}; first lookup answered after {answered:.1?}: {}",
        if found { "a hit" } else { "a miss, since it is not read yet" }
    );
    let all = || {
        let (read, there) = storage.disk_usage().recovered;
        read == there
    };
    while !all() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let usage = storage.disk_usage();
    println!(
        "index full after {:.1?}: {} records, {:.0} bytes of memory each",
        opening.elapsed(),
        usage.records,
        resident().saturating_sub(before) as f64 / usage.records.max(1) as f64,
    );
    let wrong = (0..objects).step_by(100).filter(|number| !is_right(&storage, *number)).count();
    println!("of every hundredth object, {wrong} were missing or wrong");
    cost_of_a_hit(&storage, directory, objects);
    answered < FIRST_ANSWER && wrong == 0 && usage.records == objects
}

fn is_right(storage: &TieredStorage, number: u64) -> bool {
    let Found::Here(found) = storage.lookup(key(number).as_bytes()) else { return false };
    matches!(&found.content, Content::Whole(body) if *body == body_of(number))
}

/// Beside it, what handing a read of the same size to another thread costs.
fn cost_of_a_hit(storage: &TieredStorage, directory: &Path, objects: u64) {
    const READS: u64 = 20_000;
    // Far apart, so that none is still in memory.
    let numbers = || (0..READS).map(|n| n * 7919 % objects);
    let began = Instant::now();
    let hits = numbers()
        .filter(|number| matches!(storage.lookup(key(*number).as_bytes()), Found::Here(_)));
    let hits = hits.count() as u32;
    let here = began.elapsed() / READS as u32;

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let path = directory.join("00000000.segment");
    let file = Arc::new(std::fs::File::open(path).expect("the first segment"));
    let began = Instant::now();
    runtime.block_on(async {
        for number in numbers() {
            let file = file.clone();
            let read = tokio::task::spawn_blocking(move || {
                let mut buffer = vec![0; 800];
                file.read_at(&mut buffer, number).map(|_| buffer)
            });
            read.await.expect("the task ran").expect("the read worked");
        }
    });
    let elsewhere = began.elapsed() / READS as u32;
    println!(
        "a hit whose bytes the system has: {here:.1?} ({hits} of {READS} without waiting); a read alone on \
         the pool for blocking work: {elsewhere:.1?}"
    );
}

fn key(number: u64) -> CacheKey {
    CacheKey::new(format!("E123456789ABCD/a/path/of/usual/length/{number}").as_bytes())
}

fn body_of(number: u64) -> Bytes {
    let length = 100 + number as usize * 37 % 800;
    number.to_le_bytes().into_iter().cycle().take(length).collect()
}

fn response(number: u64) -> StoredResponse {
    let hour = Duration::from_secs(3600);
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert("etag", HeaderValue::from(number));
    headers.insert("cache-control", HeaderValue::from_static("max-age=3600"));
    headers.insert("date", HeaderValue::from_static("Wed, 25 Nov 2026 08:00:00 GMT"));
    let body = body_of(number);
    StoredResponse {
        meta: StoredMeta {
            status: StatusCode::OK,
            head: StoredHead::new(&headers),
            lifetime: Lifetime {
                fresh_for: hour,
                stale_while_revalidate: Duration::ZERO,
                stale_if_error: Duration::ZERO,
                initial_age: Duration::ZERO,
                rule: TtlRule { source: TtlSource::MaxAge(hour), limit: None },
            }
            .into(),
            stored_at: Duration::from_secs(1_800_000_000).into(),
            epoch: 0,
            checked: Checked::default(),
            rare: Rare::default(),
        },
        content: Content::Whole(body),
    }
}

/// Bytes of memory of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0u64) * 1024
}
