//! The flags of access logs as CloudFront writes them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use warmfront_config::StandardLog;
use warmfront_core::log_field::LogField;

/// What decides whether `Logging` and `RealtimeLogConfigArn` of a source have an effect.
#[derive(Debug, Default, Args)]
pub(crate) struct LogTargets {
    /// Write standard logs as v1 (the default), json, w3c or plain to -, a file, or a directory laid out like the bucket
    #[arg(long, value_name = "[FORMAT=]TARGET", env = "WARMFRONT_STANDARD_LOG")]
    pub(crate) standard_log: Option<StandardLogTo>,
    /// Write the records of real-time logs to -, a file, or a directory
    #[arg(long, value_name = "TARGET", env = "WARMFRONT_REAL_TIME_LOG")]
    pub(crate) real_time_log: Option<LogTarget>,
}

/// How logs are written; this says nothing about a source.
#[derive(Debug, Default, Args)]
pub(crate) struct LogStyle {
    /// The fields of a json, w3c or plain standard log, in their order
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        value_parser = field,
        requires = "standard_log",
        env = "WARMFRONT_STANDARD_LOG_FIELDS"
    )]
    pub(crate) standard_log_fields: Vec<LogField>,
    /// Directories of json, w3c or plain standard logs, such as {DistributionId}/{yyyy}/{MM}/{dd}/{HH}
    #[arg(long, value_name = "PATH", requires = "standard_log", env = "WARMFRONT_STANDARD_LOG_PATH", value_parser = path)]
    pub(crate) standard_log_path: Option<String>,
    /// Hide the value of the query parameter or cookie NAME in every log; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) redact_query: Vec<String>,
}

/// `FORMAT=TARGET`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StandardLogTo {
    pub(crate) format: StandardFormat,
    pub(crate) target: LogTarget,
}

/// Which of CloudFront's formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandardFormat {
    /// Version 1: 33 fields.
    V1,
    /// Version 2 as JSON.
    Json,
    /// Version 2 with W3C's header lines.
    W3c,
    /// Version 2 without them.
    Plain,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LogTarget {
    /// `-`
    Stdout,
    /// Appended to, and opened again on SIGHUP.
    File(PathBuf),
    /// Ends with a slash, or is there.
    Directory(PathBuf),
}

impl FromStr for LogTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("a TARGET is - for standard output, a file, or a directory/".to_owned()),
            "-" => Ok(LogTarget::Stdout),
            _ if text.ends_with('/') || PathBuf::from(text).is_dir() => {
                Ok(LogTarget::Directory(text.into()))
            }
            _ => Ok(LogTarget::File(text.into())),
        }
    }
}

impl FromStr for StandardLogTo {
    type Err = String;

    /// Without a format: version 1, as a `Logging` in the source means it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (format, target) = match text.split_once('=') {
            Some(("v1", target)) => (StandardFormat::V1, target),
            Some(("json", target)) => (StandardFormat::Json, target),
            Some(("w3c", target)) => (StandardFormat::W3c, target),
            Some(("plain", target)) => (StandardFormat::Plain, target),
            // A path may have an equals sign; what looks like a format is meant as one.
            Some((format, _)) if format.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(format!("{format:?} is no format; v1, json, w3c and plain are"));
            }
            _ => (StandardFormat::V1, text),
        };
        Ok(Self { format, target: target.parse()? })
    }
}

impl LogTargets {
    /// What a source must know of `--standard-log`.
    pub(super) fn standard(&self) -> StandardLog {
        match self.standard_log.as_ref().map(|log| (log.format, &log.target)) {
            None => StandardLog::None,
            // Version 2 has bucket and prefix from a delivery, not from `Logging`.
            Some((StandardFormat::V1, LogTarget::Directory(_))) => StandardLog::Directory,
            Some(_) => StandardLog::Stream,
        }
    }

    /// The files and directories that this program writes logs to.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let standard = self.standard_log.as_ref().map(|log| &log.target);
        let targets = standard.into_iter().chain(&self.real_time_log);
        targets.filter_map(|target| match target {
            LogTarget::Stdout => None,
            LogTarget::File(path) | LogTarget::Directory(path) => Some(path.as_path()),
        })
    }
}

impl LogStyle {
    /// Refuses what `targets` leave without effect.
    pub(super) fn check(&self, targets: &LogTargets) -> Result<(), String> {
        let is_v1 = targets.standard_log.as_ref().map(|log| log.format) == Some(StandardFormat::V1);
        if is_v1 && !self.standard_log_fields.is_empty() {
            return Err(
                "--standard-log-fields: version 1 has its 33 fields; choose from json, w3c \
                        or plain, as in --standard-log json=TARGET"
                    .to_owned(),
            );
        }
        let is_directory = targets.standard_log.as_ref().is_some_and(|log| {
            log.format != StandardFormat::V1 && matches!(log.target, LogTarget::Directory(_))
        });
        if self.standard_log_path.is_some() && !is_directory {
            return Err("--standard-log-path needs a directory, as in --standard-log json=logs/ \
                        (version 1 has Bucket and Prefix of Logging)"
                .to_owned());
        }
        let is_shared = targets.standard_log.as_ref().is_some_and(|log| {
            Some(&log.target) == targets.real_time_log.as_ref()
                && !matches!(log.target, LogTarget::Directory(_))
        });
        if is_shared {
            return Err(
                "--standard-log and --real-time-log need a target each: lines of both in one \
                        file could not be told apart"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

fn field(name: &str) -> Result<LogField, String> {
    LogField::standard(name).ok_or_else(|| {
        let near = warmfront_config::nearest_name(
            name,
            warmfront_core::log_field::STANDARD_NAMES.iter().map(|(name, _)| *name),
        );
        let meant = near.map_or(String::new(), |near| format!(" Did you mean {near:?}?"));
        format!("standard logs have no field {name:?}.{meant}")
    })
}

fn path(text: &str) -> Result<String, String> {
    const VARIABLES: [&str; 7] =
        ["{DistributionId}", "{distributionid}", "{accountid}", "{yyyy}", "{MM}", "{dd}", "{HH}"];
    let left = VARIABLES.iter().fold(text.to_owned(), |text, known| text.replace(known, ""));
    match left.find(['{', '}']) {
        Some(_) => Err(format!("the variables are {}", VARIABLES.join(" "))),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(StandardFormat, LogTarget), &str>) {
        match (text.parse::<StandardLogTo>(), expected) {
            (Ok(found), Ok((format, target))) => {
                assert_eq!(found, StandardLogTo { format, target }, "{text}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn what_is_written_is_known_for_those_who_watch_for_saves() {
        let targets = LogTargets {
            standard_log: Some("json=logs/".parse().unwrap()),
            real_time_log: Some("real-time.log".parse().unwrap()),
        };
        let paths: Vec<&Path> = targets.paths().collect();
        assert_eq!(paths, [Path::new("logs/"), Path::new("real-time.log")]);
        let targets =
            LogTargets { real_time_log: Some(LogTarget::Stdout), ..LogTargets::default() };
        assert_eq!(targets.paths().count(), 0);
    }

    #[test]
    fn a_standard_log_is_a_format_and_a_target() {
        let file = |path: &str| LogTarget::File(path.into());
        check("-", Ok((StandardFormat::V1, LogTarget::Stdout)));
        check("json=-", Ok((StandardFormat::Json, LogTarget::Stdout)));
        check("w3c=logs/", Ok((StandardFormat::W3c, LogTarget::Directory("logs/".into()))));
        check("/", Ok((StandardFormat::V1, LogTarget::Directory("/".into()))));
        check("plain=a=b.log", Ok((StandardFormat::Plain, file("a=b.log"))));
        check("./a=b.log", Ok((StandardFormat::V1, file("./a=b.log"))));
        check("xml=a.log", Err("v1, json, w3c and plain"));
        check("json=", Err("standard output"));
    }

    #[test]
    fn a_path_has_cloudfronts_variables() {
        assert!(path("{DistributionId}/year={yyyy}/{MM}").is_ok());
        assert!(path("{year}").unwrap_err().contains("{yyyy}"));
    }

    #[test]
    fn a_field_that_is_none_is_refused_with_the_nearest() {
        assert_eq!(field("cs(Host)"), Ok(LogField::Host));
        assert!(field("cs-uri-stm").unwrap_err().contains("\"cs-uri-stem\""));
    }
}
