//! One line of the page: a property, a value for it, and what the honesty report says of the two.

use serde_json::{Map, Value};
use warmfront_config::{Loaded, Options, Severity, StandardLog, Status};

use crate::loaded_as;

/// One property with one kind of value.
pub(super) struct Row {
    /// Below the section's path; `[]` is the first item of a list.
    pub(super) path: &'static str,
    /// Which kind of value, or with which flags; empty where that changes nothing.
    pub(super) when: &'static str,
    /// JSON, or else a text.
    value: &'static str,
    /// What else must be so: below the section's path, or from the world's resources with a leading `/`.
    also: &'static [(&'static str, &'static str)],
    flags: &'static [Flag],
    /// What proves it, instead of the cases that set the property, to whatever value.
    pub(super) proof: &'static str,
    /// The case to name, of those that set the property.
    pub(super) example: &'static str,
}

/// What the command line says.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Flag {
    Geo,
    LogToStream,
    LogToDirectory,
    RealTimeLog,
    AccessKey,
    /// The origin is a directory.
    Directory,
}

/// A value that takes a property away.
pub(super) const GONE: &str = "(gone)";

pub(super) const fn row(path: &'static str, value: &'static str) -> Row {
    Row { path, when: "", value, also: &[], flags: &[], proof: "", example: "" }
}

impl Row {
    pub(super) const fn when(self, when: &'static str) -> Self {
        Row { when, ..self }
    }

    pub(super) const fn also(self, also: &'static [(&'static str, &'static str)]) -> Self {
        Row { also, ..self }
    }

    pub(super) const fn flags(self, flags: &'static [Flag]) -> Self {
        Row { flags, ..self }
    }

    pub(super) const fn proof(self, proof: &'static str) -> Self {
        Row { proof, ..self }
    }

    pub(super) const fn example(self, example: &'static str) -> Self {
        Row { example, ..self }
    }
}

/// Lines of one part of the schema.
pub(super) struct Section {
    pub(super) title: &'static str,
    /// A sentence under the title; empty for none.
    pub(super) about: &'static str,
    /// The type, and the resource of the world that stands for it.
    pub(super) resource: &'static str,
    pub(super) subject: &'static str,
    /// What comes before every path: `DistributionConfig.`
    pub(super) below: &'static str,
    pub(super) rows: &'static [Row],
}

/// What became of a property.
pub(super) struct Outcome {
    pub(super) status: Status,
    /// The paths, without indexes, whose entries in the report said so.
    pub(super) said_at: Vec<String>,
}

const WORLD: &str = include_str!("world.json");

impl Section {
    /// Where a row's property stands below `Properties`.
    pub(super) fn path(&self, row: &Row) -> String {
        format!("{}{}", self.below, row.path)
    }

    /// Loads the world with the row's property in it; `None` of what the report need not tell and does not.
    ///
    /// Panics when the report is silent about another property, or when something else is wrong.
    pub(super) fn outcome(&self, row: &Row, is_told: bool) -> Option<Outcome> {
        let mut world: Value = serde_json::from_str(WORLD).expect("the world is JSON");
        for (path, value) in row.also {
            let path = match path.strip_prefix('/') {
                Some(path) => format!("Resources.{path}"),
                None => format!("Resources.{}.Properties.{}{path}", self.subject, self.below),
            };
            set(&mut world, &path, value);
        }
        let path = format!("Resources.{}.Properties.{}", self.subject, self.path(row));
        set(&mut world, &path, row.value);
        let mut options = options(row.flags);
        // A bucket is nowhere until that is said.
        if row.also.iter().any(|(path, _)| *path == "S3OriginConfig") {
            let target =
                if row.flags.contains(&Flag::Directory) { "/" } else { "http://127.0.0.1:1" };
            options.origins.push(("app".to_owned(), target.to_owned()));
        }
        let loaded = loaded_as("template.json", &world.to_string(), &options);
        match judged(&loaded, &path) {
            Ok(outcome) => Some(outcome),
            Err(_) if !is_told && !loaded.has_errors() => None,
            Err(why) => panic!("{path} ({}): {why}", row.when),
        }
    }
}

/// What becomes of a whole resource of this type.
pub(super) fn of_resource(kind: &str, properties: &str) -> Outcome {
    let mut world: Value = serde_json::from_str(WORLD).expect("the world is JSON");
    set(&mut world, "Resources.It.Type", kind);
    set(&mut world, "Resources.It.Properties", properties);
    let loaded = loaded_as("template.json", &world.to_string(), &options(&[]));
    judged(&loaded, "Resources.It").unwrap_or_else(|why| panic!("{kind}: {why}"))
}

/// What becomes of a part of `get-distribution-config`'s output; without status where the report is silent.
pub(super) fn of_spelling(path: &str, value: &str) -> Option<Outcome> {
    let mut output: Value = serde_json::from_str(OUTPUT).expect("the output is JSON");
    set(&mut output, &format!("Output.{path}"), value);
    let output = output["Output"].to_string();
    let loaded = loaded_as("distribution.json", &output, &options(&[Flag::Geo]));
    match judged(&loaded, path) {
        Ok(outcome) => Some(outcome),
        Err(_) if !loaded.has_errors() => None,
        Err(why) => panic!("{path}: {why}"),
    }
}

const OUTPUT: &str = r#"{"Output": {"DistributionConfig": {
    "CallerReference": "x", "Comment": "", "Enabled": true,
    "Origins": {"Quantity": 1, "Items": [{"Id": "app", "DomainName": "app.example.com",
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}]},
    "DefaultCacheBehavior": {"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}}}}"#;

fn options(flags: &[Flag]) -> Options {
    let has = |flag| flags.contains(&flag);
    Options {
        knows_countries: has(Flag::Geo),
        real_time_log: has(Flag::RealTimeLog),
        can_sign: has(Flag::AccessKey),
        standard_log: match () {
            () if has(Flag::LogToStream) => StandardLog::Stream,
            () if has(Flag::LogToDirectory) => StandardLog::Directory,
            () => StandardLog::None,
        },
        ..Options::default()
    }
}

/// Puts `value` at `path`, making what is missing on the way.
fn set(world: &mut Value, path: &str, value: &str) {
    let mut at = world;
    let (way, last) = path.rsplit_once('.').expect("a path has levels");
    for step in way.split('.') {
        let (name, is_list) = match step.strip_suffix("[]") {
            Some(name) => (name, true),
            None => (step, false),
        };
        at = object(at).entry(name).or_insert(Value::Null);
        if is_list {
            if !at.is_array() {
                *at = Value::Array(vec![Value::Null]);
            }
            at = &mut at[0];
        }
    }
    if value == GONE {
        object(at).remove(last);
        return;
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    object(at).insert(last.to_owned(), value);
}

fn object(at: &mut Value) -> &mut Map<String, Value> {
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    at.as_object_mut().expect("it was made one")
}

/// The worst that is said of the property at `path`, of its items, and of what it is a part of.
fn judged(loaded: &Loaded, path: &str) -> Result<Outcome, String> {
    let entries: Vec<(String, &Status)> = loaded
        .report
        .entries
        .iter()
        .map(|entry| (without_indexes(&entry.path), &entry.status))
        .collect();
    let items = format!("{path}[]");
    let mut said: Vec<_> =
        entries.iter().filter(|(at, _)| at == path || *at == items || is_below(path, at)).collect();
    if said.is_empty() {
        // A map of which only the parts are listed.
        said.extend(entries.iter().filter(|(at, _)| is_below(at, path)));
    }
    let mut refusal: Option<String> = None;
    for problem in loaded.diagnostics.iter().filter(|it| it.severity == Severity::Error) {
        let at = without_indexes(&problem.path);
        if at != path && !is_below(&at, path) && !is_below(path, &at) {
            return Err(format!("something else is wrong: {at}: {}", problem.message));
        }
        let help = problem.help.as_ref().map(|help| format!("; {help}"));
        refusal = Some(format!("{}{}", problem.message, help.unwrap_or_default()));
    }
    if let Some(refusal) = refusal {
        return Ok(Outcome { status: Status::Refused(refusal), said_at: Vec::new() });
    }
    let severity = |status: &Status| match status {
        Status::Effective => 0,
        Status::Inert(_) => 1,
        Status::Refused(_) => 2,
    };
    let worst = said.iter().max_by_key(|(_, status)| severity(status));
    let Some((_, status)) = worst else {
        return Err("the report does not speak of it: it is dropped in silence".to_owned());
    };
    let own = said.iter().any(|(at, _)| at == path);
    let said_at = said.iter().filter(|(at, _)| !own || at == path).map(|(at, _)| at.clone());
    Ok(Outcome { status: (*status).clone(), said_at: said_at.collect() })
}

/// Whether `path` is a part of what stands at `above`.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.starts_with(['.', '[']))
}

/// `Origins[3].Id` as `Origins[].Id`.
pub(super) fn without_indexes(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    let mut in_index = false;
    for c in path.chars() {
        in_index = in_index && c != ']';
        if !in_index {
            text.push(c);
        }
        in_index = in_index || c == '[';
    }
    text
}
