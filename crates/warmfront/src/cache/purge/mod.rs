//! Purges: what was stored before one, and is meant by it, is not served again (CloudFront guide: invalidate files).
//!
//! A purge is a number and a few items in a `registry`; it touches no stored response, so it takes effect at
//! once, whatever is stored, being filled, or still to be found on a disk. Each response carries the number
//! that was the newest when its origin was asked, and a lookup compares. What an item covers is decided in
//! `warmfront_core::caching::invalidation`.

mod changes;
mod log;
mod matchers;
mod receipt;
mod registry;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use warmfront_core::caching::{CacheTags, Invalidation};
use warmfront_core::policy::cache_key::{KeyAddress, address_of};

use super::StoredMeta;
use changes::Changes;
pub use log::{Entry, FileLog, PurgeLog, Trouble};
pub(crate) use receipt::count;
pub use receipt::{Counted, Receipt};
pub use registry::{MOST_ITEMS, MOST_OCTETS};
use registry::{Object, Registry};

/// One item that was purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// It is meant for what was stored under an earlier one.
    pub epoch: u64,
    /// The id of the distribution.
    pub distribution: String,
    /// What it covers there.
    pub item: Invalidation,
    /// What it covers is stale instead of gone.
    pub soft: bool,
}

/// How a stored response stands with the purges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// None is meant for it.
    Untouched,
    /// It is stale, however fresh it was.
    Stale(PurgedBy),
    /// It must not be served.
    Gone(PurgedBy),
}

/// What kind of item a purge had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgedBy {
    /// All there is: `/*`, many old purges together, or what is known of none.
    Everything,
    /// Its path.
    Path,
    /// A path with a wildcard.
    Prefix,
    /// One of its tags.
    Tag,
    /// No purge: a request that changed what its URI names (RFC 9111 §4.4).
    Change,
}

impl fmt::Display for PurgedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PurgedBy::Everything => "with everything",
            PurgedBy::Path => "by its path",
            PurgedBy::Prefix => "by a wildcard",
            PurgedBy::Tag => "by a tag",
            PurgedBy::Change => "by a request that changed it",
        })
    }
}

/// A purge is in effect, but would be forgotten at the end of the process.
#[derive(Debug, thiserror::Error)]
#[error(
    "the purge is in effect now, but it could not be written down, and a restart may forget it: {0}. \
     Make room for the state directory and purge again"
)]
pub struct NotKept(#[source] io::Error);

/// Epochs are set aside in portions of this size.
const RESERVE: u64 = 1 << 20;
/// So many lines more than twice those that count make a log worth writing anew.
const SLACK: usize = 1024;

/// What was purged.
#[derive(Debug)]
pub struct Purges {
    /// The newest epoch, which whoever asks an origin keeps.
    epoch: AtomicU64,
    /// The epoch of the newest purge.
    newest: AtomicU64,
    /// Counts the purges of this process, with one for all before it; a lookup looks for none when the object
    /// has seen them all. At its end every lookup looks.
    count: AtomicU32,
    /// What requests changed, which is not for lookups to wait for.
    changes: Changes,
    registry: RwLock<Registry>,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    log: Option<Box<dyn PurgeLog>>,
    /// Epochs up to this one are set aside.
    reserved: u64,
    /// The last attempt to write failed.
    is_behind: bool,
}

/// How many purges of this process a stored response was found untouched by.
#[derive(Debug, Default)]
pub struct Checked(AtomicU32);

impl Clone for Checked {
    fn clone(&self) -> Self {
        Self(AtomicU32::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Purges {
    /// Purges that end with the process. What an earlier process has stored counts as purged, since nobody
    /// knows what it was told.
    pub fn in_memory(now: SystemTime) -> Self {
        Self::starting(Registry::starting_at(at(now)), None)
    }

    /// Purges in the file at `path`, which only this process may have open. `Some` tells what was wrong with
    /// the file: then everything that was stored before counts as purged.
    pub fn in_file(path: &Path, now: SystemTime) -> io::Result<(Self, Option<Trouble>)> {
        let (log, read) = FileLog::open(path)?;
        let newest = read.entries.iter().map(Entry::epoch).fold(at(now), u64::max);
        let (changes, is_known) = Changes::in_file(&path.with_extension("changes"), newest)?;
        let is_new = read.trouble.is_some() || !is_known;
        let purges = Self::kept_in(Box::new(log), read.entries, is_new, now)?;
        // Only now that the log says so: had this start failed before, the next one must not take it for known.
        changes.begin(is_known)?;
        // Without either file nobody knows what is gone.
        let trouble = read.trouble.or((!is_known).then_some(Trouble::Missing));
        Ok((Self { changes, ..purges }, trouble))
    }

    /// Purges in `log`, which has these entries. `is_new`: what was purged before is not known, as it is where
    /// the log has none: a start that fails may leave one so, and every other writes at least a floor.
    pub fn kept_in(
        log: Box<dyn PurgeLog>,
        entries: Vec<Entry>,
        is_new: bool,
        now: SystemTime,
    ) -> io::Result<Self> {
        let mut registry = Registry::starting_at(0);
        for entry in &entries {
            match entry {
                Entry::Purge(record) => registry.add(record),
                Entry::Floor(epoch) => registry.raise_floor(*epoch),
                Entry::Reserved(epoch) => registry.at_least(*epoch),
            }
        }
        // Epochs never go back. They begin at the time of day, so that also where the file was lost no old
        // response has a later one.
        registry.at_least(at(now));
        if is_new || entries.is_empty() {
            registry.raise_floor(registry.newest());
        }
        let (floor, newest) = (registry.floor(), registry.newest());
        let purges = Self::starting(registry, Some(log));
        let mut kept = purges.kept();
        kept.append(&[Entry::Floor(floor), Entry::Reserved(newest + RESERVE)])?;
        kept.reserved = newest + RESERVE;
        drop(kept);
        Ok(purges)
    }

    fn starting(registry: Registry, log: Option<Box<dyn PurgeLog>>) -> Self {
        Self {
            epoch: AtomicU64::new(registry.newest()),
            newest: AtomicU64::new(registry.newest()),
            count: AtomicU32::new(1),
            changes: Changes::default(),
            registry: RwLock::new(registry),
            kept: Mutex::new(Kept { log, reserved: 0, is_behind: false }),
        }
    }

    /// The newest epoch: whoever asks an origin keeps it.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Purges `items` of a distribution: in effect for every request that comes after this call, and kept when it
    /// returns. Takes as long as the log needs to be safe, whatever is stored. Gives the epoch.
    pub fn purge(
        &self,
        distribution: &str,
        items: &[Invalidation],
        soft: bool,
    ) -> (u64, Result<(), NotKept>) {
        // One at a time, so that the log has them in the order of their epochs.
        let mut kept = self.kept();
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = registry.newest() + 1;
        let record = |item: &Invalidation| Record {
            epoch,
            distribution: warmfront_core::caching::invalidation::spelled(distribution).into_owned(),
            item: item.clone(),
            soft,
        };
        let entries: Vec<Entry> = items.iter().map(record).map(Entry::Purge).collect();
        for entry in &entries {
            if let Entry::Purge(record) = entry {
                registry.add(record);
            }
        }
        registry.at_least(epoch);
        // After the items: who sees the number finds them.
        self.newest.store(epoch, Ordering::Release);
        let count = self.count.load(Ordering::Relaxed).saturating_add(1);
        self.count.store(count, Ordering::Release);
        self.epoch.store(epoch, Ordering::Release);
        let live = registry.len();
        drop(registry);
        let done = match kept.wants_rewrite(live) {
            false => kept.append(&entries),
            true => {
                let registry = self.read();
                let first = [Entry::Floor(registry.floor()), Entry::Reserved(kept.reserved)];
                kept.rewrite(&mut first.into_iter().chain(registry.records().map(Entry::Purge)))
            }
        };
        (epoch, done.map_err(NotKept))
    }

    /// An unsafe request has changed what lies under these addresses
    /// ([`write_address`](warmfront_core::policy::cache_key::write_address)): what was stored before this call, or is
    /// being fetched, is gone for every request that comes after it. Takes the same time whatever is stored.
    /// Gives the epoch of the change.
    pub(crate) fn changed<'a>(&self, addresses: impl Iterator<Item = &'a [u8]>) -> u64 {
        let places: Vec<_> = addresses.map(changes::place).collect();
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        let epoch = registry.newest() + 1;
        for place in &places {
            self.changes.note(*place, epoch);
        }
        registry.at_least(epoch);
        self.epoch.store(epoch, Ordering::Release);
        drop(registry);
        // Not under the lock that lookups take.
        self.changes.keep(&places);
        // A request does not wait for a purge that is being written. Should this fail, the next one tries again; a
        // log that lacks a purge is the next purge's to mend.
        if let Ok(mut kept) = self.kept.try_lock()
            && !kept.is_behind
            && epoch + RESERVE / 2 > kept.reserved
            && kept.append(&[Entry::Reserved(epoch + RESERVE)]).is_ok()
        {
            kept.reserved = epoch + RESERVE;
        }
        epoch
    }

    fn is_changed(&self, key: &[u8], epoch: u64) -> bool {
        self.changes.last(|| address_of(key).map(changes::place)) > epoch
    }

    /// How the response under `key` stands. Compares one number when nothing was purged since it was last asked,
    /// and another one where requests change what is stored.
    pub fn standing(&self, key: &[u8], meta: &StoredMeta) -> Standing {
        if self.is_changed(key, meta.epoch) {
            return Standing::Gone(PurgedBy::Change);
        }
        let now = self.count.load(Ordering::Acquire);
        if meta.checked.0.load(Ordering::Relaxed) == now && now < u32::MAX {
            return Standing::Untouched;
        }
        let registry = self.read();
        // No purge happens before the registry is let go.
        let now = self.count.load(Ordering::Acquire);
        let object =
            Object { at: KeyAddress::read(key), tags: Some(meta.tags()), epoch: meta.epoch };
        let standing = registry.standing(object);
        if standing == Standing::Untouched {
            meta.checked.0.store(now, Ordering::Relaxed);
        }
        standing
    }

    /// Whether a fetch that began under `epoch` is too old for a request that comes now. `tags` are `None` while
    /// they are not known; then it may have any.
    pub(crate) fn outdates(
        &self,
        key: &[u8],
        epoch: u64,
        tags: impl FnOnce() -> Option<CacheTags>,
    ) -> bool {
        if self.is_changed(key, epoch) {
            return true;
        }
        if epoch >= self.newest.load(Ordering::Acquire) {
            return false;
        }
        let tags = tags();
        let object = Object { at: KeyAddress::read(key), tags: tags.as_ref(), epoch };
        self.read().standing(object) != Standing::Untouched
    }

    fn read(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn wants_rewrite(&self, live: usize) -> bool {
        self.is_behind || self.log.as_ref().is_some_and(|log| log.len() > 2 * live + SLACK)
    }

    fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let done = self.log.as_mut().map_or(Ok(()), |log| log.append(entries));
        self.is_behind = done.is_err();
        done
    }

    fn rewrite(&mut self, entries: &mut dyn Iterator<Item = Entry>) -> io::Result<()> {
        let done = self.log.as_mut().map_or(Ok(()), |log| log.rewrite(entries));
        self.is_behind = done.is_err();
        done
    }
}

/// The epoch with which a process begins: microseconds since 1970.
fn at(now: SystemTime) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests;
