//! `Logging` and `AWS::CloudFront::RealtimeLogConfig`: which logs a source asks for, and whether a flag
//! of the program has them written.

use std::sync::Arc;

use warmfront_core::behavior::RealTimeLog;
use warmfront_core::distribution::Logging;
use warmfront_core::log_field::{LogField, REAL_TIME_NAMES, in_real_time_order};

use super::{Compiler, schema};
use crate::StandardLog;
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::report::Status;
use crate::suggest::{did_you_mean, listed};
use crate::template::Resource;

const NO_STANDARD_LOG: &str =
    "no standard log is written; --standard-log DIRECTORY/ writes there what the bucket would get";
const NO_REAL_TIME_LOG: &str =
    "no real-time log is written; --real-time-log TARGET writes what the stream would get";
const NO_BUCKET_HERE: &str = "--standard-log names a file or a stream; with a directory, bucket and prefix decide about files";

impl Compiler<'_> {
    /// What `Logging` of a distribution says.
    pub(super) fn logging(&self, config: &Node, path: &str) -> Option<Logging> {
        let entry = config.entry("Logging")?;
        let path = format!("{path}.Logging");
        let logging = &entry.value;
        let note = |status: Status| self.ledger.note(&entry.place, &path, status);
        if self.options.standard_log == StandardLog::None {
            note(Status::Inert(NO_STANDARD_LOG.to_owned()));
        }
        let bucket = match logging.get("Bucket") {
            Some(bucket) if bucket.as_text().is_none() => {
                let reason = "what its Bucket is, only AWS knows; --attribute can say it";
                note(Status::Inert(reason.to_owned()));
                return None;
            }
            Some(bucket) => {
                let text = bucket.as_text().unwrap_or_default();
                if !text.is_empty() && bucket_name(text).is_none() {
                    let message = format!(
                        "{} is not a bucket's host name, so CloudFront would refuse it",
                        quote(text)
                    );
                    let problem = Diagnostic::warning(
                        bucket.place.clone(),
                        format!("{path}.Bucket"),
                        message,
                    )
                    .help(
                        "as in NAME.s3.amazonaws.com: !GetAtt BUCKET.DomainName, not !Ref BUCKET",
                    );
                    self.problems.add(problem);
                }
                text
            }
            None => "",
        };
        for part in ["Bucket", "IncludeCookies", "Prefix"] {
            let Some(part) = logging.entry(part) else { continue };
            let status = match self.options.standard_log {
                StandardLog::None => continue,
                StandardLog::Stream if part.key != "IncludeCookies" => {
                    Status::Inert(NO_BUCKET_HERE.to_owned())
                }
                _ => Status::Effective,
            };
            self.ledger.note(&part.place, &format!("{path}.{}", part.key), status);
        }
        Some(Logging {
            bucket: bucket.to_owned(),
            prefix: logging.text_at("Prefix").unwrap_or_default().to_owned(),
            include_cookies: logging.bool_at("IncludeCookies").unwrap_or(false),
        })
    }

    /// One `AWS::CloudFront::RealtimeLogConfig`.
    pub(super) fn real_time_log_config(&self, resource: &Resource) -> Option<RealTimeLog> {
        let path = format!("{}.Properties", resource.path);
        let properties =
            self.object(&resource.properties, &resource.place, schema::REAL_TIME_LOG, &path);
        if !self.options.real_time_log {
            let status = Status::Inert(NO_REAL_TIME_LOG.to_owned());
            self.ledger.note(&resource.place, &resource.path, status);
        }
        for name in ["EndPoints", "Fields", "Name", "SamplingRate"] {
            let Some(entry) = properties.entry(name).filter(|_| self.options.real_time_log) else {
                continue;
            };
            let status = match name {
                "EndPoints" => Status::Inert("records go to --real-time-log instead".to_owned()),
                _ => Status::Effective,
            };
            self.ledger.note(&entry.place, &format!("{path}.{name}"), status);
        }
        let mut fields = Vec::new();
        let written = properties.items_at("Fields");
        for (index, field) in written.iter().enumerate() {
            let Some(text) = field.as_text() else { continue };
            match LogField::real_time(text) {
                Some(field) => fields.push(field),
                None => {
                    let names = REAL_TIME_NAMES.iter().map(|(name, _)| *name);
                    let message = format!(
                        "real-time logs have no field {}.{}",
                        quote(text),
                        did_you_mean(text, names)
                    );
                    self.error(&field.place, format!("{path}.Fields[{index}]"), message);
                }
            }
        }
        if written.is_empty()
            && let Some(entry) = properties.entry("Fields").filter(|it| !it.value.is_unknown())
        {
            let message = "a real-time log needs a field";
            self.error(&entry.value.place, format!("{path}.Fields"), message);
        }
        Some(RealTimeLog {
            name: properties.text_at("Name")?.to_owned(),
            sampling_rate: properties.number_at("SamplingRate")?,
            fields: in_real_time_order(&fields),
        })
    }

    /// What a behavior's `RealtimeLogConfigArn` leads to.
    pub(super) fn real_time_log(&self, behavior: &Node, path: &str) -> Option<Arc<RealTimeLog>> {
        let entry = behavior.set("RealtimeLogConfigArn")?;
        let path = format!("{path}.RealtimeLogConfigArn");
        let found = entry.value.as_text().and_then(|arn| self.real_time_logs.get(arn));
        let status = match (found, entry.value.as_text()) {
            (Some(_), _) if self.options.real_time_log => Status::Effective,
            (Some(_), _) => Status::Inert(NO_REAL_TIME_LOG.to_owned()),
            (None, Some(text)) if !text.starts_with("arn:") => {
                let resources = self.created(KIND);
                let here = || resources.iter().map(|resource| resource.id.as_str());
                let message = format!(
                    "there is no real-time log configuration {}.{} (there is: {})",
                    quote(text),
                    did_you_mean(text, here()),
                    listed(here())
                );
                let problem = Diagnostic::error(entry.value.place.clone(), &*path, message)
                    .help("an ARN belongs here: !GetAtt CONFIGURATION.Arn");
                self.problems.add(problem);
                return None;
            }
            (None, _) => Status::Inert(
                "the configuration is not in this source, so its fields are not known".to_owned(),
            ),
        };
        self.ledger.note(&entry.place, &path, status);
        found.cloned()
    }
}

pub(super) const KIND: &str = "AWS::CloudFront::RealtimeLogConfig";

/// The name in a bucket's host name: `name.s3.amazonaws.com`, or with a region.
fn bucket_name(host: &str) -> Option<&str> {
    let (name, rest) = host.split_once(".s3")?;
    (!name.is_empty() && rest.contains(".amazonaws.com")).then_some(name)
}
