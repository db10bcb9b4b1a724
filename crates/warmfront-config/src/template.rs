//! A CloudFormation template as written: its sections and resources, nothing evaluated yet.
//!
//! `serverless.yml` becomes one too: its functions and events are written out as the resources that
//! the Serverless Framework would deploy.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value, quote};
use crate::format::sam;
use crate::place::Place;
use crate::suggest::{did_you_mean, nearest};

/// The sections we read.
#[derive(Debug, Default)]
pub(crate) struct Template {
    pub(crate) parameters: Vec<Entry>,
    pub(crate) mappings: Vec<Entry>,
    pub(crate) conditions: Vec<Entry>,
    pub(crate) resources: Vec<Resource>,
    /// Resources that were reported and left out: who refers to them has made no second mistake.
    pub(crate) unreadable: Vec<String>,
    pub(crate) outputs: Vec<Entry>,
    /// Whether something else may add to what stands here.
    pub(crate) has_macro: bool,
    /// What was said of shorthands while they were written out.
    pub(crate) notes: Vec<sam::Note>,
    /// Whether it is written for AWS SAM.
    pub(crate) is_sam: bool,
    /// Where each name stands in `parameters` and `resources`.
    parameter_index: HashMap<String, usize>,
    resource_index: HashMap<String, usize>,
}

/// One entry of `Resources`.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) id: String,
    /// Where the logical id stands.
    pub(crate) place: Place,
    /// `Type`.
    pub(crate) kind: String,
    /// How the user would find it: `Resources.Edge`, or `functions.hello`.
    pub(crate) path: String,
    /// `Properties`, a map.
    pub(crate) properties: Node,
    pub(crate) condition: Option<Node>,
    pub(crate) depends_on: Option<Node>,
    /// Written out by us from `serverless.yml`, where its own properties were checked.
    pub(crate) is_generated: bool,
    pub(crate) known: Known,
}

/// What a source says about a resource beside its properties.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Its real id, in AWS's own outputs.
    pub(crate) id: Option<String>,
    /// A distribution's own host name, there.
    pub(crate) domain_name: Option<String>,
    /// `aws:asset:path`: where the CDK keeps what it would upload.
    pub(crate) asset: Option<String>,
}

impl Resource {
    /// One property as written.
    pub(crate) fn property(&self, name: &str) -> Option<&Node> {
        self.properties.get(name)
    }

    /// The path of one property.
    pub(crate) fn property_path(&self, name: &str) -> String {
        format!("{}.Properties.{name}", self.path)
    }
}

impl Template {
    /// Reads the sections of `root`, whose short forms are already long.
    pub(crate) fn read(root: &Node, problems: &Problems) -> Self {
        let mut template = Self::default();
        let Some(sections) = root.as_map() else {
            let message = format!("a template is a map of sections, found {}", root.describe());
            problems.add(Diagnostic::error(root.place.clone(), "", message));
            return template;
        };
        for section in sections {
            match section.key.as_str() {
                "Parameters" => template.parameters = entries(section, problems),
                "Mappings" => template.mappings = entries(section, problems),
                "Conditions" => template.conditions = entries(section, problems),
                "Resources" => {
                    for entry in entries(section, problems) {
                        let id = entry.key.clone();
                        match resource(entry, problems) {
                            Some(resource) => template.resources.push(resource),
                            None => template.unreadable.push(id),
                        }
                    }
                }
                "Outputs" => template.outputs = entries(section, problems),
                "Transform" => {
                    template.has_macro = true;
                    template.is_sam = sam::is_sam(&section.value);
                    let is_sam_alone =
                        template.is_sam && section.value.as_list().is_none_or(|it| it.len() == 1);
                    if !is_sam_alone {
                        let message = "macros are not expanded; the template is read as it stands";
                        let place = section.place.clone();
                        problems
                            .add(Diagnostic::warning(place, "Transform", message).help(EXPANDED));
                    }
                }
                key if SECTIONS.contains(&key) => {}
                // Defaults for SAM's own resources.
                "Globals" if root.get("Transform").is_some_and(sam::is_sam) => {}
                key => problems.add(Diagnostic::error(
                    section.place.clone(),
                    key,
                    format!(
                        "a template has no section {}.{}",
                        quote(key),
                        did_you_mean(key, SECTIONS.iter().copied())
                    ),
                )),
            }
        }
        if template.is_sam {
            let globals = root.get("Globals").filter(|globals| !globals.is_null());
            (template.resources, template.notes) =
                sam::expand(template.resources, globals, problems);
        }
        let parameters = template.parameters.iter().enumerate();
        template.parameter_index = parameters.map(|(i, entry)| (entry.key.clone(), i)).collect();
        template.add_resources(Vec::new());
        template
    }

    /// Adds resources that stand elsewhere; one whose id is taken is left out.
    pub(crate) fn add_resources(&mut self, resources: Vec<Resource>) {
        self.resources.extend(resources);
        for (index, resource) in self.resources.iter().enumerate() {
            self.resource_index.entry(resource.id.clone()).or_insert(index);
        }
        let index = &self.resource_index;
        let mut at = 0..;
        self.resources.retain(|it| at.next().is_some_and(|at| index[&it.id] == at));
        let resources = self.resources.iter().enumerate();
        self.resource_index = resources.map(|(i, it)| (it.id.clone(), i)).collect();
    }

    /// Gives parameters without a default one.
    pub(crate) fn set_defaults(&mut self, values: &[(String, String)]) {
        for (name, value) in values {
            let Some(&index) = self.parameter_index.get(name) else { continue };
            let parameter = &mut self.parameters[index];
            if let Value::Map(parts) = &mut parameter.value.value
                && parts.iter().all(|part| part.key != "Default")
            {
                let place = parameter.place.clone();
                let value = Node::text(value, place.clone());
                parts.push(Entry { key: "Default".to_owned(), place, value });
            }
        }
    }

    /// The resource with this logical id.
    pub(crate) fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.get(*self.resource_index.get(id)?)
    }

    /// The parameter with this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&Entry> {
        self.parameters.get(*self.parameter_index.get(name)?)
    }
}

/// Turns `!Ref X` into `{Ref: X}` and `!Sub X` into `{Fn::Sub: X}`, everywhere under `node`.
pub(crate) fn long_forms(node: &mut Node, path: &str, problems: &Problems) {
    match &mut node.value {
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                long_forms(item, &format!("{path}[{index}]"), problems);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let path = join(path, &entry.key);
                long_forms(&mut entry.value, &path, problems);
            }
        }
        _ => {}
    }
    let Some(tag) = node.tag.take() else { return };
    let name = tag.trim_start_matches('!');
    let key = match name {
        "Ref" | "Condition" => name.to_owned(),
        name if FUNCTIONS.contains(&name) => format!("Fn::{name}"),
        _ => {
            problems.add(Diagnostic::error(
                node.place.clone(),
                path,
                format!(
                    "there is no intrinsic function {tag}.{}",
                    nearest(name, FUNCTIONS.iter().copied())
                        .map_or(String::new(), |near| format!(" Did you mean !{near}?"))
                ),
            ));
            node.value = Value::Unknown;
            return;
        }
    };
    let place = node.place.clone();
    let argument = Node {
        place: place.clone(),
        tag: None,
        value: std::mem::replace(&mut node.value, Value::Null),
    };
    node.value = Value::Map(vec![Entry { key, place, value: argument }]);
}

/// `a.b`, or `b` at the top.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn entries(section: &Entry, problems: &Problems) -> Vec<Entry> {
    match &section.value.value {
        Value::Map(entries) => entries.clone(),
        Value::Null | Value::Unknown => Vec::new(),
        _ => {
            let message = format!("expected a map, found {}", section.value.describe());
            problems.add(Diagnostic::error(section.value.place.clone(), &*section.key, message));
            Vec::new()
        }
    }
}

fn resource(entry: Entry, problems: &Problems) -> Option<Resource> {
    let path = format!("Resources.{}", entry.key);
    if entry.key.starts_with("Fn::") {
        problems.add(Diagnostic::error(
            entry.place,
            path,
            format!("{} is not read yet; write its resources out", entry.key),
        ));
        return None;
    }
    let Some(parts) = entry.value.as_map() else {
        if !matches!(entry.value.value, Value::Unknown) {
            let message = format!("a resource is a map, found {}", entry.value.describe());
            problems.add(Diagnostic::error(entry.place, path, message));
        }
        return None;
    };
    let Some(kind) = entry.value.get("Type").and_then(Node::as_text).map(str::to_owned) else {
        let place = entry.value.entry("Type").map_or(entry.place, |found| found.place.clone());
        problems.add(Diagnostic::error(
            place,
            path,
            "a resource needs a Type, such as AWS::CloudFront::Distribution",
        ));
        return None;
    };
    let is_known = check_kind(&kind, &entry, &path, problems);
    if kind.starts_with("AWS::CloudFront::") {
        for part in parts.iter().filter(|part| !RESOURCE_PARTS.contains(&part.key.as_str())) {
            problems.add(Diagnostic::error(
                part.place.clone(),
                join(&path, &part.key),
                format!(
                    "a resource has no part {}.{}",
                    quote(&part.key),
                    did_you_mean(&part.key, RESOURCE_PARTS.iter().copied())
                ),
            ));
        }
    }
    // Of what type the others would find it nobody knows, so they find nothing and stay silent.
    if !is_known {
        return None;
    }
    let properties = match entry.value.get("Properties") {
        Some(properties) if !properties.is_null() => properties.clone(),
        _ => Node::map([], entry.place.clone()),
    };
    Some(Resource {
        kind,
        path,
        properties,
        condition: entry.value.get("Condition").cloned(),
        depends_on: entry.value.get("DependsOn").cloned(),
        is_generated: false,
        known: Known {
            asset: entry
                .value
                .get("Metadata")
                .and_then(|metadata| metadata.get("aws:asset:path"))
                .and_then(Node::as_text)
                .map(str::to_owned),
            ..Known::default()
        },
        id: entry.key,
        place: entry.place,
    })
}

/// Resources of other services pass; a slip in a CloudFront type must not make it one of them, so it
/// is reported and gives `false`.
fn check_kind(kind: &str, entry: &Entry, path: &str, problems: &Problems) -> bool {
    let is_cloudfront = kind.to_ascii_lowercase().contains("cloudfront");
    if !is_cloudfront || CLOUDFRONT_KINDS.contains(&kind) {
        return true;
    }
    let looks_like = nearest(kind, CLOUDFRONT_KINDS.iter().copied());
    // A custom resource may have the word in its own name.
    if !kind.starts_with("AWS::CloudFront::") && looks_like.is_none() {
        return true;
    }
    let place = entry.value.get("Type").map_or(entry.place.clone(), |kind| kind.place.clone());
    let meant = looks_like.map_or(String::new(), |near| format!(" Did you mean {near}?"));
    problems.add(Diagnostic::error(
        place,
        format!("{path}.Type"),
        format!("CloudFront has no resource type {}.{meant}", quote(kind)),
    ));
    false
}

const EXPANDED: &str =
    "\"aws cloudformation get-template --template-stage Processed\" gives the result";

const SECTIONS: [&str; 11] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Hooks",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Rules",
    "Transform",
];

const RESOURCE_PARTS: [&str; 9] = [
    "Condition",
    "CreationPolicy",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdatePolicy",
    "UpdateReplacePolicy",
];

/// Every intrinsic function that has a short form, beside `!Ref` and `!Condition`.
const FUNCTIONS: [&str; 18] = [
    "And",
    "Base64",
    "Cidr",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

/// Every type of CloudFront (cloudfront.md §1.1).
pub const CLOUDFRONT_KINDS: [&str; 22] = [
    "AWS::CloudFront::AnycastIpList",
    "AWS::CloudFront::CachePolicy",
    "AWS::CloudFront::CloudFrontOriginAccessIdentity",
    "AWS::CloudFront::ConnectionFunction",
    "AWS::CloudFront::ConnectionGroup",
    "AWS::CloudFront::ContinuousDeploymentPolicy",
    "AWS::CloudFront::Distribution",
    "AWS::CloudFront::DistributionTenant",
    "AWS::CloudFront::FieldLevelEncryptionConfig",
    "AWS::CloudFront::FieldLevelEncryptionProfile",
    "AWS::CloudFront::Function",
    "AWS::CloudFront::KeyGroup",
    "AWS::CloudFront::KeyValueStore",
    "AWS::CloudFront::MonitoringSubscription",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::OriginRequestPolicy",
    "AWS::CloudFront::PublicKey",
    "AWS::CloudFront::RealtimeLogConfig",
    "AWS::CloudFront::ResponseHeadersPolicy",
    "AWS::CloudFront::StreamingDistribution",
    "AWS::CloudFront::TrustStore",
    "AWS::CloudFront::VpcOrigin",
];
