//! How the engine's work looks from outside: a line per request, notes for people, counters.
//!
//! The engine tells an [`Observer`] what happened; [`Watcher`] is the program's. It never blocks a
//! request: lines go to a [`sink`] with one writer thread and a limit, and what does not fit is dropped
//! and counted.

mod cloudfront;
mod counters;
mod date;
mod directory;
mod escape;
mod file;
mod line;
mod sink;
mod stream;
mod trouble;

use std::io;
use std::path::Path;
use std::sync::Arc;

use warmfront::{AccessRecord, Observer};

use crate::cli::AccessLog;
pub(crate) use cloudfront::{CloudFrontLogs, LogOptions};
pub(crate) use counters::{Counters, Gauge};
pub(crate) use escape::Redaction;
pub(crate) use file::Reopen;
pub(crate) use sink::{Drain, Sink};
pub(crate) use trouble::Trouble;

/// Hears the engine and writes it down.
#[derive(Debug)]
pub(crate) struct Watcher {
    format: AccessLog,
    access: Sink,
    notes: Sink,
    counters: Arc<Counters>,
    redaction: Redaction,
    cloudfront: Option<CloudFrontLogs>,
}

impl Watcher {
    /// Access lines go to `access`, notes to `notes`.
    pub(crate) fn new(
        format: AccessLog,
        access: Sink,
        notes: Sink,
        counters: Arc<Counters>,
    ) -> Self {
        let redaction = Redaction::default();
        Self { format, access, notes, counters, redaction, cloudfront: None }
    }

    /// Hides more values, and writes CloudFront's own logs, too.
    pub(crate) fn with(self, redaction: Redaction, cloudfront: Option<CloudFrontLogs>) -> Self {
        Self { redaction, cloudfront, ..self }
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
        if let Some(logs) = &self.cloudfront {
            logs.record(record, &self.redaction);
        }
        let write = match self.format {
            AccessLog::Off => return,
            AccessLog::Text => line::write_text,
            AccessLog::Json => line::write_json,
        };
        self.access.write(|out| write(out, record, &self.redaction));
    }

    fn note(&self, request_id: &str, message: &str) {
        self.counters.noted();
        self.notes.write(|out| line::write_note(out, request_id, message));
    }

    fn wants_detail(&self) -> bool {
        self.cloudfront.is_some()
    }
}

/// An error that says which file it is about.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
