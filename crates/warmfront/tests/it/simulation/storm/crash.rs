//! Storms over a disk, with crashes: what the files are at some moment is all that the next process finds.
//!
//! A crash copies the directory as it is, in the middle of whatever threads of the store write, and goes on with an
//! edge that was opened on the copy. So a kill leaves it: what was written is there, what was not is lost, and the last
//! record may be cut.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use warmfront::cache::{CacheOptions, DiskOptions, Purges, TieredStorage};
use warmfront::edge::EdgeOptions;
use warmfront::{Clock as _, Edge};

use super::super::seeds;
use super::origin::locked;
use super::{ROUNDS, Storm};

/// The disk of a storm.
#[derive(Debug)]
pub(super) struct Disk {
    base: TempDir,
    lives: AtomicU64,
    /// The moment of the last crash.
    crashed: AtomicU64,
    /// Replies after a crash that come from before it.
    found_again: AtomicU64,
}

impl Storm {
    fn with_disk(seed: u64) -> Self {
        let base = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk {
            base,
            lives: AtomicU64::new(0),
            crashed: AtomicU64::new(0),
            found_again: AtomicU64::new(0),
        });
        std::fs::create_dir_all(disk.base.path().join("0/objects")).unwrap();
        let storm = Self { disk: Some(disk), ..Self::new(seed) };
        storm.open();
        storm
    }

    /// Starts an edge on the directory of this life.
    fn open(&self) {
        let disk = self.disk.as_ref().unwrap();
        let life = disk.lives.load(Ordering::Relaxed);
        let home = disk.base.path().join(life.to_string());
        let mut options = EdgeOptions::new(locked(&self.stack).clone(), self.origin.clone());
        let memory = self.edge().cache_usage().limit;
        options.cache = CacheOptions { memory, fragment: self.fragment };
        options.clock = Arc::new(self.clock.clone());
        options.observer = self.delivered.clone();
        let on_disk = DiskOptions::new(home.join("objects"), 16 << 20);
        let storage =
            Arc::new(TieredStorage::open(options.cache, on_disk, options.clock.clone()).unwrap());
        let (purges, trouble) = Purges::in_file(&home.join("purges"), self.clock.wall()).unwrap();
        assert!(life == 0 || trouble.is_none(), "seed {}: {trouble:?}", self.seed);
        options.purges = Arc::new(purges);
        options.storage = Some(storage.clone());
        *locked(&self.edge) = Edge::new(options);
        // Half of the lives begin before the disk has been read.
        let end = Instant::now() + Duration::from_secs(10);
        while self.roll(2) == 0 && is_recovering(&storage) && Instant::now() < end {
            std::thread::yield_now();
        }
    }

    /// What runs goes on, on the directory that is lost.
    pub(super) fn crash(&self) {
        let Some(disk) = &self.disk else { return };
        let life = disk.lives.fetch_add(1, Ordering::Relaxed);
        let (old, new) = (life.to_string(), (life + 1).to_string());
        copy(&disk.base.path().join(old), &disk.base.path().join(new));
        locked(&self.log).is_parted = true;
        self.open();
        disk.crashed.store(self.step(), Ordering::Relaxed);
    }

    /// Notes where a reply comes from.
    pub(super) fn note_age(&self, asked: u64, began: u64) {
        let Some(disk) = &self.disk else { return };
        let crashed = disk.crashed.load(Ordering::Relaxed);
        if (began..asked).contains(&crashed) {
            disk.found_again.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn is_recovering(storage: &TieredStorage) -> bool {
    let (read, found) = storage.disk_usage().recovered;
    read < found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if let Err(error) = std::fs::copy(entry.path(), target) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "a file may go, nothing else");
        }
    }
}

#[test]
fn the_cache_keeps_its_promises_across_crashes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut found_again = 0;
    // Files take time: one seed of ten.
    for seed in seeds(100).step_by(10) {
        runtime.block_on(async {
            let storm = Storm::with_disk(seed);
            for round in 0..ROUNDS {
                storm.round(round).await;
            }
            let disk = storm.disk.as_ref().unwrap();
            found_again += disk.found_again.load(Ordering::Relaxed);
        });
    }
    assert!(found_again > 0, "nothing that was stored was found after any crash");
}
