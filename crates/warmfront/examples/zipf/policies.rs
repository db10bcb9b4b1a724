//! Two policies, exact and by weight, for comparison with the engine's.

use std::collections::{BTreeMap, HashMap, VecDeque};

pub(crate) trait Policy {
    /// Whether `object` is kept; if not, it is from now on.
    fn ask(&mut self, object: u32, size: u64) -> bool;
}

/// Who was asked for longest ago goes first.
pub(crate) struct LeastRecentlyUsed {
    capacity: u64,
    used: u64,
    now: u64,
    /// When each object was asked for last.
    asked: HashMap<u32, u64>,
    by_age: BTreeMap<u64, (u32, u64)>,
}

impl LeastRecentlyUsed {
    pub(crate) fn new(capacity: u64) -> Self {
        Self { capacity, used: 0, now: 0, asked: HashMap::new(), by_age: BTreeMap::new() }
    }
}

impl Policy for LeastRecentlyUsed {
    fn ask(&mut self, object: u32, size: u64) -> bool {
        self.now += 1;
        let before = self.asked.insert(object, self.now);
        if let Some(before) = before {
            self.by_age.remove(&before);
        } else {
            self.used += size;
        }
        self.by_age.insert(self.now, (object, size));
        while self.used > self.capacity {
            let Some((_, (oldest, size))) = self.by_age.pop_first() else { break };
            self.asked.remove(&oldest);
            self.used -= size;
        }
        before.is_some()
    }
}

/// S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, algorithm 1): a small
/// queue of a tenth in which objects prove themselves, a main queue that gives second chances, and the names of
/// as much as the main queue holds of what left the small one.
pub(crate) struct S3Fifo {
    capacity: u64,
    small: Queue,
    main: Queue,
    ghosts: Queue,
    kept: HashMap<u32, Kept>,
    /// The generation of each ghost: only the newest entry of an object in the queue counts.
    ghost: HashMap<u32, u64>,
    generation: u64,
}

#[derive(Default)]
struct Queue {
    entries: VecDeque<(u32, u64, u64)>,
    bytes: u64,
}

impl Queue {
    fn push(&mut self, object: u32, size: u64, generation: u64) {
        self.entries.push_front((object, size, generation));
        self.bytes += size;
    }

    fn pop(&mut self) -> Option<(u32, u64, u64)> {
        let entry = self.entries.pop_back()?;
        self.bytes -= entry.1;
        Some(entry)
    }
}

/// How often a kept object was asked for, up to three times.
struct Kept {
    asked: u8,
}

impl S3Fifo {
    pub(crate) fn new(capacity: u64) -> Self {
        let [small, main, ghosts] = std::array::from_fn(|_| Queue::default());
        Self {
            capacity,
            small,
            main,
            ghosts,
            kept: HashMap::new(),
            ghost: HashMap::new(),
            generation: 0,
        }
    }

    fn used(&self) -> u64 {
        self.small.bytes + self.main.bytes
    }

    fn evict(&mut self) {
        if self.small.bytes >= self.capacity / 10 || self.main.entries.is_empty() {
            self.evict_from_small();
        } else {
            self.evict_from_main();
        }
    }

    fn evict_from_small(&mut self) {
        while let Some((object, size, _)) = self.small.pop() {
            let Some(kept) = self.kept.get_mut(&object) else { continue };
            if kept.asked > 1 {
                kept.asked = 0;
                self.main.push(object, size, 0);
                if self.main.bytes > self.capacity - self.capacity / 10 {
                    self.evict_from_main();
                }
                continue;
            }
            self.kept.remove(&object);
            self.remember(object, size);
            return;
        }
    }

    fn evict_from_main(&mut self) {
        while let Some((object, size, _)) = self.main.pop() {
            let Some(kept) = self.kept.get_mut(&object) else { continue };
            if kept.asked > 0 {
                kept.asked -= 1;
                self.main.push(object, size, 0);
                continue;
            }
            self.kept.remove(&object);
            return;
        }
    }

    fn remember(&mut self, object: u32, size: u64) {
        self.generation += 1;
        self.ghost.insert(object, self.generation);
        self.ghosts.push(object, size, self.generation);
        while self.ghosts.bytes > self.capacity - self.capacity / 10 {
            let Some((oldest, _, generation)) = self.ghosts.pop() else { break };
            if self.ghost.get(&oldest) == Some(&generation) {
                self.ghost.remove(&oldest);
            }
        }
    }
}

impl Policy for S3Fifo {
    fn ask(&mut self, object: u32, size: u64) -> bool {
        if let Some(kept) = self.kept.get_mut(&object) {
            kept.asked = (kept.asked + 1).min(3);
            return true;
        }
        while self.used() + size > self.capacity {
            self.evict();
        }
        self.kept.insert(object, Kept { asked: 0 });
        if self.ghost.remove(&object).is_some() {
            self.main.push(object, size, 0);
        } else {
            self.small.push(object, size, 0);
        }
        false
    }
}
