//! Files beside a template that `sam deploy` and `aws cloudformation package` upload for it: what
//! `Fn::Transform` includes with `AWS::Include`, and the OpenAPI definitions of APIs.
//!
//! Files that a template names on S3 stay what they are; the compiler says so where it needs one.

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{self, Entry, Node, Value};
use crate::source::Sources;
use crate::template::long_forms;

/// Which property of which resource names a definition, and the one that holds it.
const DEFINITIONS: [(&str, &str, &str); 4] = [
    ("AWS::Serverless::Api", "DefinitionUri", "DefinitionBody"),
    ("AWS::Serverless::HttpApi", "DefinitionUri", "DefinitionBody"),
    ("AWS::ApiGateway::RestApi", "BodyS3Location", "Body"),
    ("AWS::ApiGatewayV2::Api", "BodyS3Location", "Body"),
];

/// Reads the files of one template.
pub(crate) struct Included<'a> {
    /// Where relative paths begin.
    pub(crate) directory: &'a Path,
    pub(crate) sources: &'a Sources,
    pub(crate) problems: &'a Problems,
}

impl Included<'_> {
    /// Puts the files in the place of their names. An included file includes no others, as on AWS.
    pub(crate) fn fill_in(&self, root: &mut Node) {
        let Value::Map(sections) = &mut root.value else { return };
        let resources = sections.iter_mut().find(|section| section.key == "Resources");
        let Some(Value::Map(resources)) = resources.map(|entry| &mut entry.value.value) else {
            return;
        };
        for resource in resources {
            let path = format!("Resources.{}", resource.key);
            let kind = resource.value.get("Type").and_then(Node::as_text).map(str::to_owned);
            let Value::Map(parts) = &mut resource.value.value else { continue };
            let Some(properties) = parts.iter_mut().find(|part| part.key == "Properties") else {
                continue;
            };
            let path = format!("{path}.Properties");
            if let Some(kind) = kind {
                self.definition(&kind, &mut properties.value, &path);
            }
            self.transforms(&mut properties.value, &path);
        }
    }

    fn definition(&self, kind: &str, properties: &mut Node, path: &str) {
        let Value::Map(entries) = &mut properties.value else { return };
        for (_, named, holds) in DEFINITIONS.iter().filter(|(of, ..)| *of == kind) {
            let Some(entry) = entries.iter_mut().find(|entry| entry.key == *named) else {
                continue;
            };
            if let Some(file) = local(&entry.value) {
                let read = self.read(file, &entry.value, &format!("{path}.{named}"));
                entry.value = read.unwrap_or_else(|| Node::map([], entry.place.clone()));
                entry.key = (*holds).to_owned();
            }
        }
    }

    /// Every `{Fn::Transform: {Name: AWS::Include, Parameters: {Location: api.yaml}}}` under `node`.
    fn transforms(&self, node: &mut Node, path: &str) {
        match &mut node.value {
            Value::List(items) => items.iter_mut().for_each(|item| self.transforms(item, path)),
            Value::Map(entries) => {
                let mut filled = Vec::with_capacity(entries.len());
                for mut entry in std::mem::take(entries) {
                    let path = format!("{path}.{}", entry.key);
                    let Some(location) = include_location(&entry).cloned() else {
                        self.transforms(&mut entry.value, &path);
                        filled.push(entry);
                        continue;
                    };
                    let Some(file) = local(&location) else {
                        filled.push(entry);
                        continue;
                    };
                    match self.read(file, &location, &path).map(|read| (read.value, read.place)) {
                        // Its keys stand among those beside it.
                        Some((Value::Map(read), _)) => filled.extend(read),
                        Some((_, place)) => {
                            let message = "an included file is a map of keys and values";
                            self.problems.add(Diagnostic::error(place, path, message));
                        }
                        None => {}
                    }
                }
                *entries = filled;
            }
            _ => {}
        }
    }

    fn read(&self, file: &str, at: &Node, path: &str) -> Option<Node> {
        let file = self.directory.join(file.strip_prefix("./").unwrap_or(file));
        let text = match self.sources.read(&file) {
            Ok(text) => text,
            Err(problem) => {
                let problem = Diagnostic::error(at.place.clone(), path, problem.to_string())
                    .help("the path starts at the directory of the template");
                self.problems.add(problem);
                return None;
            }
        };
        let shown: Arc<str> = file.display().to_string().into();
        let mut root = document::parse(&text, &shown, self.problems)?;
        long_forms(&mut root, path, self.problems);
        Some(root)
    }
}

/// `Location` of an include.
fn include_location(entry: &Entry) -> Option<&Node> {
    let is_include = entry.key == "Fn::Transform"
        && entry.value.get("Name").and_then(Node::as_text) == Some("AWS::Include");
    entry.value.get("Parameters").filter(|_| is_include)?.get("Location")
}

/// The path, unless it is an address on S3 or put together from values.
fn local(node: &Node) -> Option<&str> {
    node.as_text().filter(|text| !text.is_empty() && !text.contains("://"))
}
