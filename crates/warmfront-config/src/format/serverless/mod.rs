//! `serverless.yml` of the Serverless Framework, version 3.
//!
//! Variables are resolved (`variables`), functions and events are written out as the resources that
//! the framework would deploy (`functions`), and the user's own `resources` are laid over them, as
//! the framework does. What comes out is a CloudFormation template.

mod cors;
mod events;
mod functions;
mod keys;
mod rest;
mod variables;

use std::collections::HashMap;
use std::path::Path;

use crate::Options;
use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value, quote};
use crate::report::{Ledger, Status};
use crate::source::Sources;
use crate::template::{Template, long_forms};
use variables::Variables;

/// A service, as the template it deploys.
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) region: Option<String>,
    pub(crate) template: Template,
}

/// Reads a service. `None` when nothing usable is left; why was reported.
pub(crate) fn read(
    root: &Node,
    directory: &Path,
    options: &Options,
    sources: &Sources,
    problems: &Problems,
    ledger: &Ledger,
) -> Option<Service> {
    if let Some(refused) = another_cloud(root) {
        problems.add(refused);
        return None;
    }
    keys::warn_of_unknown(root, &keys::SECTIONS, "", problems);
    note_what_does_not_run(root, ledger);
    let variables = Variables::new(root, directory, options, sources, problems);
    let name = service_name(root, &variables, problems)?;
    let provider = Provider::read(root, &variables, problems);
    let deployed = functions::write_out(root, &name, &provider, &variables, problems, ledger);

    let mut sections = Node::map([], root.place.clone());
    let mut resources = Node::map([], root.place.clone());
    if let Value::Map(entries) = &mut resources.value {
        entries.extend(deployed.iter().map(|(_, entry)| entry.clone()));
    }
    merge(&mut sections, Node::map([("Resources", resources)], root.place.clone()));
    for part in resource_parts(root, &variables, problems) {
        merge(&mut sections, part);
    }
    long_forms(&mut sections, "", problems);
    let mut template = Template::read(&sections, problems);
    // The framework and its plugins deploy more than we write out.
    template.has_macro = true;
    let paths: HashMap<&str, &str> =
        deployed.iter().map(|(path, entry)| (entry.key.as_str(), path.as_str())).collect();
    for resource in &mut template.resources {
        if let Some(path) = paths.get(resource.id.as_str()) {
            resource.is_generated = true;
            resource.path = (*path).to_owned();
        }
    }
    Some(Service { name, region: provider.region, template })
}

/// The framework deploys to other clouds, too, and nothing there leads to CloudFront.
fn another_cloud(root: &Node) -> Option<Diagnostic> {
    let provider = root.get("provider")?;
    let name = provider.get("name").unwrap_or(provider);
    let cloud = name.as_text().filter(|text| *text != "aws" && !text.contains("${"))?;
    let message = format!("this service is for {}, not for aws", quote(cloud));
    let help = "CloudFront distributions stand in services of provider aws";
    Some(Diagnostic::error(name.place.clone(), "provider.name", message).help(help))
}

/// What `provider` says for all functions.
pub(super) struct Provider {
    pub(super) stage: String,
    region: Option<String>,
    /// The whole section with the parts resolved that functions use.
    pub(super) settings: Node,
}

impl Provider {
    fn read(root: &Node, variables: &Variables<'_>, problems: &Problems) -> Self {
        const USED: [&str; 10] = [
            "apiGateway",
            "environment",
            "httpApi",
            "memorySize",
            "name",
            "region",
            "resourcePolicy",
            "runtime",
            "stage",
            "timeout",
        ];
        /// Only said to be without effect.
        const LISTED: [&str; 3] = ["layers", "tracing", "vpc"];
        let written = root.get("provider").map(|node| variables.resolve_top(node, "provider"));
        if let Some(written) = &written {
            keys::warn_of_unknown(written, &keys::PROVIDER, "provider", problems);
        }
        let place = written.as_ref().map_or(&root.place, |node| &node.place).clone();
        let entries = written.as_ref().and_then(Node::as_map).unwrap_or_default().iter();
        let used = entries.filter_map(|entry| {
            let path = format!("provider.{}", entry.key);
            let value = match entry.key.as_str() {
                key if USED.contains(&key) => variables.resolve(&entry.value, &path),
                key if LISTED.contains(&key) => variables.resolve_quietly(&entry.value, &path),
                _ => return None,
            };
            Some(Entry { value, ..entry.clone() })
        });
        let used: Vec<Entry> = used.collect();
        let settings = Node { place, tag: None, value: Value::Map(used) };
        let region = variables.option("region");
        let region = region.or_else(|| settings.get("region")?.as_text().map(str::to_owned));
        Self { stage: variables.stage(), region, settings }
    }
}

fn service_name(root: &Node, variables: &Variables<'_>, problems: &Problems) -> Option<String> {
    let entry = root.entry("service")?;
    let service = variables.resolve(&entry.value, "service");
    // Version 2 still took a map with a name.
    let name = service.as_text().or_else(|| service.get("name")?.as_text());
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match name {
        Some(name) if is_name(name) => Some(name.to_owned()),
        Some(name) => {
            let message =
                format!("{} is not a service name: letters, digits and - are allowed", quote(name));
            problems.add(Diagnostic::error(service.place.clone(), "service", message));
            None
        }
        None => {
            let is_reported = |node: &Node| node.value == Value::Unknown;
            if !is_reported(&service) && !service.get("name").is_some_and(is_reported) {
                let message = format!("a service has a name, found {}", service.describe());
                problems.add(Diagnostic::error(entry.place.clone(), "service", message));
            }
            None
        }
    }
}

/// `resources`: a template, or a list of them; `extensions` change what the framework deploys.
fn resource_parts(root: &Node, variables: &Variables<'_>, problems: &Problems) -> Vec<Node> {
    let Some(written) = root.get("resources").filter(|node| !node.is_null()) else {
        return Vec::new();
    };
    let written = variables.resolve_top(written, "resources");
    let parts = match &written.value {
        Value::List(items) => items.clone(),
        _ => vec![written],
    };
    let mut done = Vec::new();
    for part in parts {
        let mut part = variables.resolve_top(&part, "resources");
        let Value::Map(sections) = &mut part.value else {
            if !matches!(part.value, Value::Unknown | Value::Null) {
                let message = format!(
                    "resources are a template or a list of them, found {}",
                    part.describe()
                );
                problems.add(Diagnostic::error(part.place.clone(), "resources", message));
            }
            continue;
        };
        for section in sections.iter_mut() {
            if section.key == "extensions" {
                section.key = "Resources".to_owned();
            }
            section.value = match section.key.as_str() {
                "Resources" => resolved_resources(&section.value, variables),
                "Outputs" | "Metadata" | "Description" => Node::map([], section.place.clone()),
                key => variables.resolve(&section.value, key),
            };
        }
        sections.retain(|section| {
            !matches!(section.key.as_str(), "Outputs" | "Metadata" | "Description")
        });
        done.push(part);
    }
    done
}

/// Variables of resources that the edge never looks into may stay unknown.
fn resolved_resources(section: &Node, variables: &Variables<'_>) -> Node {
    const READ: [&str; 8] = [
        "AWS::ApiGateway::",
        "AWS::ApiGatewayV2::",
        "AWS::CloudFront::",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Function",
        "AWS::Lambda::Url",
        "AWS::Lambda::Version",
        "AWS::S3::Bucket",
    ];
    let mut section = variables.resolve_top(section, "Resources");
    let Value::Map(entries) = &mut section.value else { return section };
    for entry in entries {
        let path = format!("Resources.{}", entry.key);
        let resource = variables.resolve_top(&entry.value, &path);
        let kind = resource.get("Type").map(|kind| variables.resolve(kind, &path));
        let is_read = kind.is_none_or(|kind| {
            kind.as_text().is_none_or(|kind| {
                READ.iter().any(|read| kind == *read || (read.ends_with("::") && kind.starts_with(read)))
                    // A slip in the name of the types that matter is reported, not skipped.
                    || kind.to_ascii_lowercase().contains("cloudfront")
            })
        });
        entry.value = if is_read {
            variables.resolve(&resource, &path)
        } else {
            variables.resolve_quietly(&resource, &path)
        };
    }
    section
}

/// Lays `over` on `base`: maps are merged, anything else replaces.
fn merge(base: &mut Node, over: Node) {
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(more)) => {
            let known: HashMap<String, usize> =
                entries.iter().enumerate().map(|(i, entry)| (entry.key.clone(), i)).collect();
            for entry in more {
                match known.get(&entry.key) {
                    Some(&index) => merge(&mut entries[index].value, entry.value),
                    None => entries.push(entry),
                }
            }
        }
        (_, Value::Absent) => {}
        (_, value) => {
            base.place = over.place;
            base.tag = over.tag;
            base.value = value;
        }
    }
}

/// What the framework would load or run before it deploys.
fn note_what_does_not_run(root: &Node, ledger: &Ledger) {
    let notes = [
        ("plugins", "plugins do not run; what they would add or change is missing"),
        ("useDotenv", "no .env file is read; pass its variables in the environment"),
    ];
    for (key, reason) in notes {
        let Some(entry) = root.entry(key) else { continue };
        let is_off = entry.value.is_null()
            || entry.value.as_bool() == Some(false)
            || entry.value.as_list().is_some_and(<[Node]>::is_empty);
        if !is_off {
            ledger.note(&entry.place, key, Status::Inert(reason.to_owned()));
        }
    }
}
