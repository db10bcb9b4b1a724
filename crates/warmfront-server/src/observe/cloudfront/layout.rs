//! Names of log files, as CloudFront gives them in a bucket: everything but the unique part at the end.

use std::time::SystemTime;

use warmfront_core::Distribution;
use warmfront_core::distribution::{Logging, Role};

use super::super::date::Moment;

/// `<bucket>/<prefix>/<distribution id>.YYYY-MM-DD-HH`, as version 1 has it. `None` for a distribution
/// that asks for no log.
pub(super) fn version_1(distribution: &Distribution, finished: SystemTime) -> Option<String> {
    let Logging { bucket, prefix, .. } = distribution.logging.as_ref()?;
    let bucket = bucket.split(".s3").next().filter(|name| !name.is_empty())?;
    let name = file_name(id(distribution), finished);
    Some(below(&[bucket, prefix, &name]))
}

/// `AWSLogs/<account>/CloudFront/<path>/<distribution id>.YYYY-MM-DD-HH`, as version 2 has it; `path` may
/// have CloudFront's variables, such as `{DistributionId}/{yyyy}/{MM}`.
pub(super) fn version_2(
    distribution: &Distribution,
    account: &str,
    path: &str,
    finished: SystemTime,
) -> String {
    let Moment { year, month, day, hour, .. } = Moment::of(finished);
    let path = path
        .replace("{DistributionId}", id(distribution))
        .replace("{distributionid}", id(distribution))
        .replace("{accountid}", account)
        .replace("{yyyy}", &format!("{year:04}"))
        .replace("{MM}", &format!("{month:02}"))
        .replace("{dd}", &format!("{day:02}"))
        .replace("{HH}", &format!("{hour:02}"));
    let name = file_name(id(distribution), finished);
    below(&["AWSLogs", account, "CloudFront", &path, &name])
}

/// `<name>/<name>.YYYY-MM-DD-HH`, for the records of one real-time configuration. AWS puts them into a
/// stream; the hour keeps files apart as for standard logs.
pub(super) fn real_time(name: &str, finished: SystemTime) -> String {
    below(&[name, &file_name(name, finished)])
}

/// Tenants are logged with the distribution that they share; a field tells them apart.
fn id(distribution: &Distribution) -> &str {
    match &distribution.role {
        Role::Tenant { template } => template,
        Role::Standard | Role::Staging => &distribution.id,
    }
}

fn file_name(id: &str, finished: SystemTime) -> String {
    let Moment { year, month, day, hour, .. } = Moment::of(finished);
    format!("{id}.{year:04}-{month:02}-{day:02}-{hour:02}")
}

/// Joins the parts so that the file stays below the directory, whatever they say: a prefix may have
/// slashes, but `..` means nothing in a bucket.
fn below(parts: &[&str]) -> String {
    let names = parts.iter().flat_map(|part| part.split('/'));
    let safe = names.filter(|name| !name.is_empty()).map(|name| match name {
        "." | ".." => "_".to_owned(),
        _ => name.replace('\0', "_"),
    });
    safe.collect::<Vec<_>>().join("/")
}
