//! Access logs as CloudFront writes them: standard logs (version 1 and 2) and real-time logs.
//!
//! [`value`] knows what a field says, [`delimited`] and [`json`] how a line looks, [`layout`] what a file
//! is called. Where the lines go is an outlet's matter.

mod cmcd;
mod delimited;
mod json;
mod layout;
#[cfg(test)]
mod tests;
mod value;

use std::io;
use std::sync::Arc;

use warmfront::AccessRecord;
use warmfront_core::log_field::{LogField, STANDARD, STANDARD_NAMES, STANDARD_V2_DEFAULT};
use warmfront_core::{Distribution, Stack};

use super::directory::{Directory, frame};
use super::escape::Redaction;
use super::file::{LogFile, Reopen};
use super::sink::{Drain, Sink};
use super::stream::LogStream;
use super::trouble::Trouble;
use crate::cli::{LogTarget, StandardFormat, StandardLogTo};
use value::Entry;

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct LogOptions {
    /// `--standard-log`.
    pub(crate) standard: Option<StandardLogTo>,
    /// `--standard-log-fields`; empty: the default ones.
    pub(crate) fields: Vec<LogField>,
    /// `--standard-log-path`.
    pub(crate) path: String,
    /// `--real-time-log`.
    pub(crate) real_time: Option<LogTarget>,
    /// `AWS::AccountId`, for paths.
    pub(crate) account: String,
}

/// The logs that are written.
#[derive(Debug)]
pub(crate) struct CloudFrontLogs {
    standard: Option<Standard>,
    real_time: Option<RealTime>,
}

#[derive(Debug)]
struct Standard {
    format: StandardFormat,
    fields: Vec<LogField>,
    path: String,
    account: String,
    sink: Sink,
    by_name: bool,
}

#[derive(Debug)]
struct RealTime {
    sink: Sink,
    by_name: bool,
}

impl LogOptions {
    /// Why a log that is asked for will stay empty with this source, if it will.
    pub(crate) fn writes_nothing(&self, stack: &Stack) -> Option<String> {
        let all = || stack.distributions.iter();
        let has_bucket = |found: &Arc<Distribution>| {
            found.logging.as_ref().is_some_and(|logging| !logging.bucket.is_empty())
        };
        let is_v1_directory = self.standard.as_ref().is_some_and(|log| {
            log.format == StandardFormat::V1 && matches!(log.target, LogTarget::Directory(_))
        });
        if is_v1_directory && !all().any(has_bucket) {
            return Some(
                "--standard-log: no distribution of the source has a Logging with a Bucket, so \
                 nothing is written; w3c=DIRECTORY/ writes the requests of all"
                    .to_owned(),
            );
        }
        let has_real_time = |found: &Arc<Distribution>| {
            found.behaviors.iter().any(|behavior| behavior.real_time_log.is_some())
        };
        (self.real_time.is_some() && !all().any(has_real_time)).then(|| {
            "--real-time-log: no behavior of the source has a RealtimeLogConfigArn that is known, so \
             nothing is written"
                .to_owned()
        })
    }
}

impl CloudFrontLogs {
    /// Opens what `options` name; `None` when that is nothing. The drains end the writers.
    pub(crate) fn start(
        options: LogOptions,
        reopen: &Reopen,
        trouble: impl Fn(&'static str) -> Trouble,
    ) -> io::Result<Option<(Self, Vec<Drain>)>> {
        let mut drains = Vec::new();
        let mut open = |name, target: &LogTarget, header: Vec<u8>| {
            let (sink, drain) = match target {
                LogTarget::Stdout => {
                    Sink::start_outlet(name, LogStream::new(io::stdout(), header, trouble(name)))
                }
                LogTarget::File(path) => {
                    let file = LogFile::open(path, header, reopen.clone(), trouble(name))?;
                    Sink::start_outlet(name, file)
                }
                LogTarget::Directory(path) => {
                    Sink::start_outlet(name, Directory::open(path, header, trouble(name))?)
                }
            }?;
            drains.push(drain);
            Ok::<_, io::Error>((sink, matches!(target, LogTarget::Directory(_))))
        };
        let standard = match options.standard {
            Some(StandardLogTo { format, target }) => {
                let fields = match (format, options.fields.is_empty()) {
                    (StandardFormat::V1, _) => STANDARD.to_vec(),
                    (_, true) => {
                        let default = STANDARD_NAMES[..STANDARD_V2_DEFAULT].iter();
                        default.map(|(_, field)| *field).collect()
                    }
                    (_, false) => options.fields,
                };
                let header = match format {
                    StandardFormat::V1 | StandardFormat::W3c => delimited::header(&fields),
                    StandardFormat::Json | StandardFormat::Plain => Vec::new(),
                };
                let (sink, by_name) = open("standard", &target, header)?;
                let (path, account) = (options.path, options.account);
                Some(Standard { format, fields, path, account, sink, by_name })
            }
            None => None,
        };
        let real_time = match options.real_time {
            Some(target) => {
                let (sink, by_name) = open("real-time", &target, Vec::new())?;
                Some(RealTime { sink, by_name })
            }
            None => None,
        };
        let is_any = standard.is_some() || real_time.is_some();
        Ok(is_any.then_some((Self { standard, real_time }, drains)))
    }

    /// Writes a finished request where it belongs.
    pub(super) fn record(&self, record: &AccessRecord, redaction: &Redaction) {
        if let (Some(log), Some(entry)) = (&self.standard, Entry::of(record, redaction)) {
            log.record(record, &entry);
        }
        if let (Some(log), Some(entry)) = (&self.real_time, Entry::of(record, redaction)) {
            log.record(record, entry);
        }
    }
}

impl Standard {
    fn record(&self, record: &AccessRecord, entry: &Entry<'_>) {
        let line = |out: &mut Vec<u8>| match self.format {
            StandardFormat::V1 => delimited::write_v1(out, entry),
            StandardFormat::W3c | StandardFormat::Plain => {
                delimited::write(out, entry, &self.fields);
            }
            StandardFormat::Json => json::write(out, entry, &self.fields),
        };
        if !self.by_name {
            return self.sink.write(line);
        }
        // A request for a host that nobody has belongs to no distribution's file.
        let Some(distribution) = &record.distribution else { return };
        let name = match self.format {
            StandardFormat::V1 => layout::version_1(distribution, entry.finished()),
            _ => Some(layout::version_2(distribution, &self.account, &self.path, entry.finished())),
        };
        if let Some(name) = name {
            self.sink.write(|out| frame(out, &name, entry.finished(), line));
        }
    }
}

impl RealTime {
    fn record(&self, record: &AccessRecord, entry: Entry<'_>) {
        let behavior = record.detail.as_ref().and_then(|detail| detail.behavior.as_ref());
        let Some(log) = behavior.and_then(|behavior| behavior.real_time_log.clone()) else {
            return;
        };
        if !is_sampled(log.sampling_rate, fastrand::u8(0..100)) {
            return;
        }
        let finished = entry.finished();
        let line = |out: &mut Vec<u8>| delimited::write_real_time(out, entry, &log.fields);
        match self.by_name {
            false => self.sink.write(line),
            true => {
                let name = layout::real_time(&log.name, finished);
                self.sink.write(|out| frame(out, &name, finished, line));
            }
        }
    }
}

/// Whether a request is among the `rate` of a hundred; `chance` is a number below a hundred.
fn is_sampled(rate: u8, chance: u8) -> bool {
    chance < rate
}

/// For tests of formats: one line of a standard log.
#[cfg(test)]
fn standard_line(
    format: StandardFormat,
    fields: &[LogField],
    record: &AccessRecord,
    redaction: &Redaction,
) -> Vec<u8> {
    let mut out = Vec::new();
    let entry = Entry::of(record, redaction).expect("the record has its detail");
    match format {
        StandardFormat::V1 => delimited::write_v1(&mut out, &entry),
        StandardFormat::W3c | StandardFormat::Plain => delimited::write(&mut out, &entry, fields),
        StandardFormat::Json => json::write(&mut out, &entry, fields),
    }
    out
}
