//! What stored objects take of the process's memory, with the program's allocator: resident bytes beside the
//! weight that the cache believes in.
//!
//! ```text
//! cargo bench -p warmfront --bench memory                      100,000 objects of 1 KiB; full caches of 1 GiB
//! cargo bench -p warmfront --bench memory -- full 256 1024     a cache of 256 MiB full of objects of 1024 bytes
//! ```
//!
//! Each figure is of a process of its own: memory that was given back stays resident.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for one's own eyes")]
#![allow(missing_docs, dead_code, reason = "the tests' world has more than is needed here")]

#[path = "../tests/it/world.rs"]
mod world;

use std::hint::black_box;

use http_body_util::BodyExt as _;
use warmfront::{Body, Edge};

use world::{ScriptedOrigin, answer, edge, get};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MIB: u64 = 1 << 20;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    match (words.first().map(String::as_str), &numbers[..]) {
        (Some("small"), _) => runtime.block_on(small()),
        (Some("full"), [limit, sizes @ ..]) => runtime.block_on(full(*limit as u64 * MIB, sizes)),
        _ => {
            let mixed = "full 1024 1024 3000 9999 30000 204800";
            for words in ["small", "full 1024 1024", mixed, "full 1024 4194304"] {
                let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
                assert!(itself.args(words.split(' ')).status().unwrap().success());
            }
        }
    }
}

/// An origin whose objects differ in what objects differ in; `/SIZE/NUMBER`.
fn origin() -> ScriptedOrigin {
    ScriptedOrigin(Box::new(|request| {
        let mut parts = request.head.uri.path().split('/').skip(1);
        let mut number = || parts.next().unwrap().parse::<usize>().unwrap();
        let (size, number) = (number(), number());
        let headers = [
            ("content-type", ["text/html; charset=utf-8", "image/png"][number % 2].to_owned()),
            ("cache-control", "public, max-age=3600".to_owned()),
            ("etag", format!("\"{:016x}-{size:x}\"", number as u64 * 0x9e37_79b9_7f4a_7c15)),
            ("last-modified", format!("Tue, 24 Nov 2026 09:{:02}:37 GMT", number % 60)),
            ("date", format!("Wed, 25 Nov 2026 08:00:{:02} GMT", number % 60)),
            ("server", "nginx".to_owned()),
            ("accept-ranges", "bytes".to_owned()),
            ("x-request-id", format!("7b1f6a4e-3c0d-4d8e-9a51-{number:012}")),
        ];
        let answered = answer(200, &headers, Body::full(vec![b'x'; size]));
        Box::pin(async move { answered })
    }))
}

async fn ask(edge: &Edge, path: &str) {
    let mut body = edge.call(get(path)).await.into_body();
    while let Some(frame) = body.frame().await {
        black_box(frame.unwrap());
    }
}

/// The acceptance: at most 150 MiB for 100,000 objects of 1 KiB.
async fn small() {
    let before = resident();
    let edge = edge((0, 60, 3600), 1024 * MIB, origin()).0;
    // Twice: a hit may cost an object its first reference count.
    for _ in 0..2 {
        for number in 0..100_000 {
            ask(&edge, &format!("/1024/{number}")).await;
        }
    }
    report("100,000 objects of 1 KiB", &edge, before);
}

/// A cache that was offered twice what it takes, with objects of these sizes in turn.
async fn full(limit: u64, sizes: &[usize]) {
    let before = resident();
    let edge = edge((0, 60, 3600), limit, origin()).0;
    let mut offered = 0;
    for number in 0.. {
        let size = sizes[number % sizes.len()];
        ask(&edge, &format!("/{size}/{number}")).await;
        ask(&edge, &format!("/{size}/{}", number.saturating_sub(50 * sizes.len()))).await;
        offered += size as u64 + 700;
        if offered > limit * 2 {
            break;
        }
    }
    report(&format!("a cache full of objects of {sizes:?} bytes"), &edge, before);
}

fn report(what: &str, edge: &Edge, before: u64) {
    let (usage, grown) = (edge.cache_usage(), resident().saturating_sub(before));
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    println!(
        "{what}: {} entries, weight {:.1} MiB of {:.0} MiB, resident +{:.1} MiB: {:.0} bytes each, \
         {:.3} of the weight, {:.3} of the limit",
        usage.objects,
        mib(usage.bytes),
        mib(usage.limit),
        mib(grown),
        grown as f64 / usage.objects.max(1) as f64,
        grown as f64 / usage.bytes.max(1) as f64,
        grown as f64 / usage.limit as f64,
    );
}

/// Resident bytes of this process.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
