//! How the engine's work looks from outside: a line per request, notes for people, counters.
//!
//! The engine tells an [`Observer`] what happened; [`Watcher`] is the program's. It never blocks a
//! request: lines go to a [`sink`] with one writer thread and a limit, and what does not fit is dropped
//! and counted.

mod counters;
mod escape;
mod line;
mod sink;

use std::sync::Arc;

use warmfront::{AccessRecord, Observer};

use crate::cli::AccessLog;
pub(crate) use counters::{Counters, Gauge};
pub(crate) use sink::Sink;

/// Hears the engine and writes it down.
#[derive(Debug)]
pub(crate) struct Watcher {
    format: AccessLog,
    access: Sink,
    notes: Sink,
    counters: Arc<Counters>,
}

impl Watcher {
    /// Access lines go to `access`, notes to `notes`.
    pub(crate) fn new(
        format: AccessLog,
        access: Sink,
        notes: Sink,
        counters: Arc<Counters>,
    ) -> Self {
        Self { format, access, notes, counters }
    }
}

/// Where functions print to: the notes, each line with its request, its function and who says it.
pub(crate) fn function_logs(notes: Sink) -> crate::functions::FunctionLogs {
    Arc::new(move |log| {
        let id = log.request_id.as_deref().unwrap_or_default();
        let message = format!("{} {}: {}", log.function, log.source.as_str(), log.line);
        notes.write(|out| line::write_note(out, id, &message));
    })
}

impl Observer for Watcher {
    fn request_done(&self, record: &AccessRecord) {
        self.counters.request(record);
        let write = match self.format {
            AccessLog::Off => return,
            AccessLog::Text => line::write_text,
            AccessLog::Json => line::write_json,
        };
        self.access.write(|out| write(out, record));
    }

    fn note(&self, request_id: &str, message: &str) {
        self.counters.noted();
        self.notes.write(|out| line::write_note(out, request_id, message));
    }
}
