//! docs/compatibility.md is made here: what becomes of every property, as the honesty report has it, and
//! which cases prove it.
//!
//! `WARMFRONT_WRITE_DOCS=1 cargo test -p warmfront-config compatibility` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use warmfront_config::{Loaded, Options, StandardLog, Status, known_properties, load};

/// What the cases do not reach, and what proves it instead.
const OTHER_PROOFS: &[(&str, &str)] = &[
    ("GrpcConfig.Enabled", "crates/warmfront-server/tests/program/grpc.rs"),
    ("RealtimeLogConfigArn", "crates/warmfront-server/tests/program/logs.rs"),
    ("Logging.Bucket", "crates/warmfront-server/tests/program/logs.rs"),
    ("Logging.IncludeCookies", "crates/warmfront-server/tests/program/logs.rs"),
    ("Logging.Prefix", "crates/warmfront-server/tests/program/logs.rs"),
    ("SmoothStreaming", "`false` asks for nothing"),
    ("HttpVersion", "crates/warmfront-server/tests/program/serving.rs"),
    ("SelectionCriteria", "`default` is what all cases of failover do"),
    ("Origins[].ConnectionTimeout", "crates/warmfront/src/origin/tests/limits.rs"),
    ("CustomOriginConfig.HTTPSPort", "crates/warmfront-config/tests/config/compiled.rs"),
    ("CustomOriginConfig.OriginKeepaliveTimeout", "crates/warmfront/src/origin/tests/pooling.rs"),
    ("ResponseCompletionTimeout", "crates/warmfront/src/origin/tests/limits.rs"),
    ("XSSProtection.ModeBlock", "crates/warmfront-config/tests/config/response_headers.rs"),
    ("OriginReadTimeout", "crates/warmfront-config/tests/config/compiled.rs"),
    ("VpcOriginConfig.OriginKeepaliveTimeout", "crates/warmfront-config/tests/config/compiled.rs"),
    ("SingleHeaderPolicyConfig.Header", "crates/warmfront-config/tests/config/deployment.rs"),
    ("SingleHeaderPolicyConfig.Value", "crates/warmfront-config/tests/config/deployment.rs"),
    (
        "SingleWeightPolicyConfig.SessionStickinessConfig.IdleTTL",
        "crates/warmfront-config/tests/config/deployment.rs",
    ),
    (
        "SingleWeightPolicyConfig.SessionStickinessConfig.MaximumTTL",
        "crates/warmfront-config/tests/config/deployment.rs",
    ),
    ("SingleWeightPolicyConfig.Weight", "crates/warmfront-config/tests/config/deployment.rs"),
    ("SessionStickinessConfig.IdleTTL", "crates/warmfront/tests/it/deployment.rs"),
    ("SessionStickinessConfig.MaximumTTL", "crates/warmfront/tests/it/deployment.rs"),
    ("SingleWeightConfig.Weight", "crates/warmfront/tests/it/deployment.rs"),
    ("ContinuousDeploymentPolicyConfig.Type", "crates/warmfront-config/tests/config/deployment.rs"),
    ("EndPoints", "crates/warmfront-server/tests/program/logs.rs"),
    ("Fields", "crates/warmfront-server/tests/program/logs.rs"),
    ("SamplingRate", "crates/warmfront-server/tests/program/logs.rs"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A property's path without the names of this template: `AWS::…` and what follows `Properties`. The
/// default behavior knows what all behaviors know.
fn normal(template: &str, path: &str) -> Option<(String, String)> {
    let (head, rest) = path.split_once(".Properties.")?;
    let logical_id = head.rsplit('.').next()?;
    let kind = resource_type(template, logical_id)?;
    let mut normal = String::new();
    let mut in_index = false;
    for character in rest.chars() {
        match character {
            '[' => {
                in_index = true;
                normal.push_str("[]");
            }
            ']' => in_index = false,
            _ if in_index => {}
            other => normal.push(other),
        }
    }
    Some((kind, normal.replace("DefaultCacheBehavior.", "CacheBehaviors[].")))
}

/// The Type of a resource, found as text: the line of the key, and the first `Type:` after it.
fn resource_type(template: &str, logical_id: &str) -> Option<String> {
    let mut lines = template.lines().skip_while(|line| {
        let key = line.trim_start().trim_start_matches('"');
        !key.strip_prefix(logical_id)
            .is_some_and(|rest| rest.trim_start_matches('"').starts_with(':'))
    });
    let found = lines.find_map(|line| line.split_once("Type"))?.1;
    let kind = found.trim_start_matches(['"', ':', ' ', '\'']);
    let end = kind.find(|c: char| !c.is_ascii_alphanumeric() && c != ':').unwrap_or(kind.len());
    Some(kind[..end].to_owned())
}

/// What each property came to, by type and path: each status with the line that it was written on.
type Found = BTreeMap<(String, String), Vec<(Status, String)>>;

fn found(template: &str, loaded: &Loaded) -> Found {
    let mut found = Found::new();
    for entry in &loaded.report.entries {
        let Some(property) = normal(template, &entry.path) else { continue };
        let line = template.lines().nth(entry.place.line as usize - 1).unwrap_or_default();
        let statuses = found.entry(property).or_default();
        if statuses.iter().all(|(status, _)| *status != entry.status) {
            statuses.push((entry.status.clone(), line.trim().to_owned()));
        }
    }
    found
}

/// For each effective property: the cases whose source sets it.
fn proofs() -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut proofs: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    let directory = tempfile::tempdir().unwrap();
    for file in warmfront_case::corpus::files(&root().join("cases")).unwrap() {
        let text = fs::read_to_string(&file).unwrap();
        let case = warmfront_case::Case::parse(&file.display().to_string(), &text).unwrap();
        let (path, source) = match &case.source {
            Some(warmfront_case::Source::File(path)) if path.is_file() => {
                (path.clone(), fs::read_to_string(path).unwrap())
            }
            Some(warmfront_case::Source::Inline { text, .. }) => {
                let path = directory.path().join("distribution.yml");
                fs::write(&path, text).unwrap();
                (path, text.clone())
            }
            _ => continue,
        };
        let loaded = load(&path, &options()).unwrap();
        let name = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
        for (property, statuses) in found(&source, &loaded) {
            if statuses.iter().any(|(status, _)| *status == Status::Effective) {
                proofs.entry(property).or_default().insert(name.clone());
            }
        }
    }
    proofs
}

/// Everything that a flag can make effective.
fn options() -> Options {
    Options {
        standard_log: StandardLog::Directory,
        real_time_log: true,
        can_sign: true,
        knows_countries: true,
        ..Options::default()
    }
}

/// A data directory's key, since a template cannot be compiled without one.
fn template() -> String {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compatibility.yml"))
            .unwrap();
    let pem =
        fs::read_to_string(root().join("crates/warmfront-core/src/access/signed/rsa.pub.pem"))
            .unwrap();
    let lines: String = pem.lines().map(|line| format!("\n          {line}")).collect();
    text.replace("EncodedKey: KEY", &format!("EncodedKey: |{lines}"))
}

fn said(status: &Status) -> String {
    match status {
        Status::Effective => "effective".to_owned(),
        Status::Inert(why) => format!("inert: {why}"),
        Status::Refused(why) => format!("**refused** unless allowed by name: {why}"),
    }
}

/// What the report says of a property: under its own path, or under the item or map that it is a part of.
fn nearest<'f>(
    found: &'f Found,
    (kind, path): &(String, String),
) -> Option<(String, &'f Vec<(Status, String)>)> {
    if path.ends_with("Quantity") {
        return None;
    }
    let mut at = path.as_str();
    loop {
        for spelling in [at.to_owned(), format!("{at}[]")] {
            if let Some(statuses) = found.get(&(kind.clone(), spelling)) {
                return Some((at.to_owned(), statuses));
            }
        }
        // Of a list of objects only the items are told.
        at = match at.strip_suffix("[]") {
            Some(list) => list,
            None => at.rsplit_once('.')?.0,
        };
    }
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace("{{", "{ {")
}

/// What a document has under the heading of a resource.
fn section<'d>(document: &'d str, resource: &str) -> &'d str {
    let Some((_, rest)) = document.split_once(&format!("## {resource}\n")) else { return "" };
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

fn generated(written: &str) -> String {
    let template = template();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("everything.yml");
    fs::write(&path, &template).unwrap();
    let loaded = load(&path, &options()).unwrap();
    let found = found(&template, &loaded);
    let proofs = proofs();
    let mut text = String::from(HEAD);
    let mut forgotten = Vec::new();
    let mut last = "";
    for known in known_properties() {
        if known.path.contains("DefaultCacheBehavior.") || !known.is_told {
            continue;
        }
        if known.resource != last {
            let _ = write!(
                text,
                "\n## {}\n\n| property | here | cases |\n|---|---|---|\n",
                known.resource
            );
            last = known.resource;
        }
        let property = (known.resource.to_owned(), known.path.clone());
        let Some((at, statuses)) = nearest(&found, &property) else {
            let has_parts = found.keys().any(|(kind, path)| {
                *kind == property.0
                    && path.strip_prefix(&property.1).is_some_and(|rest| rest.starts_with('.'))
            });
            // A count beside a list asks for nothing.
            if !has_parts && !known.path.ends_with("Quantity") {
                forgotten.push(format!("{} {}", known.resource, known.path));
            }
            continue;
        };
        let here = match statuses.as_slice() {
            _ if at != property.1 => format!("as {at}"),
            [(status, _)] => said(status),
            several => {
                let told =
                    several.iter().map(|(status, line)| format!("`{line}` {}", said(status)));
                told.collect::<Vec<_>>().join("; ")
            }
        };
        let is_effective = statuses.iter().any(|(status, _)| *status == Status::Effective);
        let proof = proofs.get(&(property.0.clone(), at.clone()));
        let other = OTHER_PROOFS.iter().find(|(path, _)| known.path.ends_with(path));
        // The case that the table names stays, so that a new one makes no difference.
        let row = format!("| {} |", cell(&known.path));
        let named = section(written, known.resource).lines().find(|line| line.starts_with(&row));
        let kept = proof.and_then(|proof| {
            proof
                .iter()
                .find(|case| named.is_some_and(|line| line.contains(&format!("| {case} |"))))
        });
        let cases = match kept.or_else(|| proof.and_then(BTreeSet::first)) {
            _ if !is_effective => "",
            Some(first) => first,
            None => other.map_or("none", |(_, proof)| proof),
        };
        let _ = writeln!(text, "| {} | {} | {} |", cell(&known.path), cell(&here), cell(cases));
    }
    assert!(forgotten.is_empty(), "tests/compatibility.yml sets none of\n{}", forgotten.join("\n"));
    text.push_str(RESOURCES);
    for entry in &loaded.report.entries {
        if entry.path.matches('.').count() == 1 && entry.path.starts_with("Resources.") {
            let logical_id = entry.path.rsplit('.').next().unwrap_or_default();
            let kind = resource_type(&template, logical_id).unwrap_or_default();
            let _ = writeln!(text, "| {kind} | {} |", cell(&said(&entry.status)));
        }
    }
    text
}

const HEAD: &str = "# What becomes of each property

Made by a test from the honesty report that `warmfront check` prints, so it says what this version does;
`WARMFRONT_WRITE_DOCS=1 cargo test -p warmfront-config compatibility` writes it anew. *Effective*: the edge
does what the property says. *Inert*: accepted without effect, for the reason given. *Refused*: it protects and
is not effective, so `run` stops unless `--allow-unprotected NAME` allows it. Where values differ, each is told.
The cases are `.case` files whose configuration sets the property. The flags that make logs, signatures and
countries effective are given (`--standard-log`, `--real-time-log`, an access key, `--geo`); without them `check`
says which one is missing. Comments and tags ask for nothing. What holds for `CacheBehaviors[]` holds for
`DefaultCacheBehavior`. The API's own spelling (`Quantity`, `Items`, `ACMCertificateArn`, …) is read as the same
properties; `CallerReference`, ETags and what AWS only reports are ignored.
";

const RESOURCES: &str = "
## Other resources

| resource | here |
|---|---|
";

#[test]
fn compatibility_md_is_what_the_report_says() {
    let path = root().join("docs/compatibility.md");
    let written = fs::read_to_string(&path).unwrap_or_default();
    let generated = generated(&written);
    if std::env::var_os("WARMFRONT_WRITE_DOCS").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let first = written.lines().zip(generated.lines()).find(|(old, new)| old != new);
    assert!(
        written == generated,
        "docs/compatibility.md is out of date: write it anew with WARMFRONT_WRITE_DOCS=1; first difference: {first:?}"
    );
}
