//! Lines that a log had to give up: counted, and told once a minute.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use warmfront::Clock;

use super::counters::Counters;
use super::line;
use super::sink::Sink;

/// A full disk fails with every line; a person needs to hear of it once in a while.
const SILENCE: Duration = Duration::from_secs(60);

/// Tells what one log lost.
#[derive(Debug)]
pub(crate) struct Trouble {
    name: &'static str,
    notes: Sink,
    counters: Arc<Counters>,
    clock: Arc<dyn Clock>,
    told: Option<Duration>,
    untold: u64,
}

impl Trouble {
    /// For the log called `name`, such as `standard`.
    pub(crate) fn new(
        name: &'static str,
        notes: Sink,
        counters: Arc<Counters>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { name, notes, counters, clock, told: None, untold: 0 }
    }

    /// So many lines are gone.
    pub(super) fn lost(&mut self, lines: u64, why: impl fmt::Display) {
        self.counters.log_lines_lost(lines);
        self.untold += lines;
        let now = self.clock.monotonic();
        if self.told.is_some_and(|told| now < told + SILENCE) {
            return;
        }
        self.told = Some(now);
        let (name, untold) = (self.name, std::mem::take(&mut self.untold));
        let message = format!("the {name} log lost {untold} lines: {why}");
        self.notes.write(|out| line::write_note(out, "", &message));
    }

    /// The date, as the log's files need it.
    pub(super) fn now(&self) -> SystemTime {
        self.clock.wall()
    }

    /// Time for limits.
    pub(super) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}

/// How many lines these bytes are.
pub(super) fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}
