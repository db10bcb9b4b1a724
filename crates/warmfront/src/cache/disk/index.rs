//! Which record is the newest of its name: in the queue, or where on the disk.
//!
//! An entry takes 29 bytes, a table is between 7/16 and 7/8 full, and while one grows the old one is still there:
//! 1 million objects take 33 to 67 MB (measured: 77 bytes each after a restart, with all that belongs to it). A
//! second, small table has what waits to be written, so that what was put is found at once.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::record::Name;

const SHARDS: usize = 16;
/// Names that may be removed while a restart still reads what there is, for each shard. Beyond that the
/// shard takes nothing more from the restart: a removed record must not come back.
const FORGOTTEN: usize = 4096;

/// Where a record lies. Of two places, the greater one was written later: there is one writer, and
/// segments are numbered in the order of their making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

/// What is to be written.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) key: Box<[u8]>,
    pub(crate) content: Bytes,
}

/// What is known under a name.
#[derive(Debug)]
pub(crate) enum Newest {
    Waiting(Arc<Put>),
    At(Place),
    Nothing,
}

/// What a record took the place of, or must have the place of still to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It was put with this number.
    Waiting(u64),
    /// It is a copy of the record there.
    CopyOf(Place),
}

/// What to do with a record whose segment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// It was not the newest of its name, or nobody read it: it is forgotten.
    Forgotten,
    /// Somebody read it since it was written. It is still known.
    WasRead,
}

/// What became of a record that a restart has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recovered {
    Known,
    /// A newer one of its name is known.
    Older,
    /// Its name was removed meanwhile.
    Removed,
}

#[derive(Debug)]
pub(crate) struct Index {
    shards: [Mutex<Shard>; SHARDS],
    puts: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    places: HashMap<Name, Slot>,
    waiting: HashMap<Name, (u64, Arc<Put>)>,
    /// What was removed while a restart reads; `None` when nothing more is taken from one.
    removed: Option<HashSet<Name>>,
}

/// A place, and whether it was read since it was written: one bit of the length, of which 21 are in use.
#[derive(Debug, Clone, Copy)]
struct Slot(Place);

const WAS_READ: u32 = 1 << 31;

impl Slot {
    fn place(self) -> Place {
        Place { length: self.0.length & !WAS_READ, ..self.0 }
    }

    fn was_read(self) -> bool {
        self.0.length & WAS_READ != 0
    }
}

impl Shard {
    fn forget(&mut self, name: Name) -> Option<Place> {
        self.waiting.remove(&name);
        if let Some(removed) = &mut self.removed {
            removed.insert(name);
            if removed.len() > FORGOTTEN {
                self.removed = None;
            }
        }
        self.places.remove(&name).map(Slot::place)
    }

    fn has(&self, name: Name, place: Place) -> bool {
        self.places.get(&name).is_some_and(|slot| slot.place() == place)
    }
}

impl Index {
    /// An empty index, for a store that is being restarted: [`recovered`](Self::recovered) tells when
    /// that is over.
    pub(crate) fn new() -> Self {
        let shard = |_| {
            Mutex::new(Shard {
                places: HashMap::new(),
                waiting: HashMap::new(),
                removed: Some(HashSet::new()),
            })
        };
        Self { shards: std::array::from_fn(shard), puts: AtomicU64::new(0) }
    }

    /// What is the newest under `name`; a place is marked as read.
    pub(crate) fn find(&self, name: Name) -> Newest {
        let mut shard = self.shard(name);
        if let Some((_, put)) = shard.waiting.get(&name) {
            return Newest::Waiting(put.clone());
        }
        match shard.places.get_mut(&name) {
            Some(slot) => {
                slot.0.length |= WAS_READ;
                Newest::At(slot.place())
            }
            None => Newest::Nothing,
        }
    }

    /// From now on `put` is the newest under `name`. The number tells it from later ones.
    pub(crate) fn put(&self, name: Name, put: Arc<Put>) -> u64 {
        let number = self.puts.fetch_add(1, Relaxed);
        self.shard(name).waiting.insert(name, (number, put));
        number
    }

    /// Whether the put of this number is still the newest under `name`.
    pub(crate) fn is_waiting(&self, name: Name, number: u64) -> bool {
        self.shard(name).waiting.get(&name).is_some_and(|(waiting, _)| *waiting == number)
    }

    /// The put of this number is given up. An older record must not answer in its place: the name is
    /// forgotten, and where a record of it lies is returned.
    pub(crate) fn give_up(&self, name: Name, number: u64) -> Option<Place> {
        let mut shard = self.shard(name);
        let is_newest = shard.waiting.get(&name).is_some_and(|(waiting, _)| *waiting == number);
        if is_newest { shard.forget(name) } else { None }
    }

    /// Nothing is known under `name` any more; returned is where its record lies.
    pub(crate) fn forget(&self, name: Name) -> Option<Place> {
        self.shard(name).forget(name)
    }

    /// The record at `place` is none: forgets it, if it is still the one that is known.
    pub(crate) fn forget_place(&self, name: Name, place: Place) {
        let mut shard = self.shard(name);
        if shard.has(name, place) && !shard.waiting.contains_key(&name) {
            shard.forget(name);
        } else if shard.has(name, place) {
            shard.places.remove(&name);
        }
    }

    /// The record was written at `place`. `false` when something newer has happened to its name
    /// meanwhile, so that it is nobody's record.
    pub(crate) fn publish(&self, name: Name, expected: Expected, place: Place) -> bool {
        let mut shard = self.shard(name);
        let is_due = match expected {
            Expected::Waiting(number) => {
                shard.waiting.get(&name).is_some_and(|(waiting, _)| *waiting == number)
            }
            Expected::CopyOf(old) => shard.has(name, old),
        };
        if is_due {
            if matches!(expected, Expected::Waiting(_)) {
                shard.waiting.remove(&name);
            }
            shard.places.insert(name, Slot(place));
        }
        is_due
    }

    /// The segment that `place` lies in is about to go. Whether a record that was read `may_stay` known,
    /// until its copy is written, is the caller's to say.
    pub(crate) fn evict(&self, name: Name, place: Place, may_stay: bool) -> Eviction {
        let mut shard = self.shard(name);
        match shard.places.get(&name) {
            Some(slot) if may_stay && slot.place() == place && slot.was_read() => Eviction::WasRead,
            Some(slot) if slot.place() == place => {
                shard.places.remove(&name);
                Eviction::Forgotten
            }
            _ => Eviction::Forgotten,
        }
    }

    /// Forgets whatever lies in `segment`, entry by entry: slow, for a segment whose names are unknown.
    pub(crate) fn evict_all_of(&self, segment: u32) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.places.retain(|_, slot| slot.0.segment != segment);
        }
    }

    /// A restart has found a record at `place`. Newer segments must have been told before, and of one
    /// segment later records before earlier ones.
    pub(crate) fn recover(&self, name: Name, place: Place) -> Recovered {
        let mut shard = self.shard(name);
        if shard.places.contains_key(&name) {
            return Recovered::Older;
        }
        match &shard.removed {
            Some(removed) if !removed.contains(&name) => {
                shard.places.insert(name, Slot(place));
                Recovered::Known
            }
            _ => Recovered::Removed,
        }
    }

    /// The restart has read everything.
    pub(crate) fn recovered(&self) {
        for shard in &self.shards {
            lock(shard).removed = None;
        }
    }

    /// Whether something is known under `name`; does not count as reading it.
    pub(crate) fn knows(&self, name: Name) -> bool {
        let shard = self.shard(name);
        shard.waiting.contains_key(&name) || shard.places.contains_key(&name)
    }

    /// Whether nothing newer than the record at `place` is known under `name`.
    pub(crate) fn is_newest(&self, name: Name, place: Place) -> bool {
        let shard = self.shard(name);
        !shard.waiting.contains_key(&name) && shard.has(name, place)
    }

    /// What is known, one part after the other, so that nothing is locked for long.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (Vec<Arc<Put>>, Vec<Place>)> {
        self.shards.iter().map(|shard| {
            let shard = lock(shard);
            let waiting = shard.waiting.values().map(|(_, put)| put.clone()).collect();
            let replaced = |name| shard.waiting.contains_key(name);
            let written = shard.places.iter().filter(|(name, _)| !replaced(name));
            (waiting, written.map(|(_, slot)| slot.place()).collect())
        })
    }

    /// Names that something is known under.
    pub(crate) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).places.len() as u64).sum()
    }

    fn shard(&self, name: Name) -> MutexGuard<'_, Shard> {
        lock(&self.shards[name.bits() % SHARDS])
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
