//! `functions`, written out as the resources that the framework deploys. Their events are in `events`.
//!
//! Logical ids are the framework's own (`HelloLambdaFunction`, `HttpApi`, `HttpApiRouteGetHello`),
//! so that a user's `!Ref HttpApi` finds what it finds on AWS.

use std::collections::HashMap;

use super::{Provider, Variables, keys};
use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value};
use crate::place::Place;
use crate::report::{Ledger, Status};

/// The framework's defaults; Lambda's own are 3 seconds and 128 MiB.
const TIMEOUT_SECONDS: &str = "6";
const MEMORY_MIB: &str = "1024";

const LOCAL_FUNCTION: &str = "has no meaning for a local function";

/// Each deployed resource with the path of what the user wrote.
pub(super) fn write_out(
    root: &Node,
    service: &str,
    provider: &Provider,
    variables: &Variables<'_>,
    problems: &Problems,
    ledger: &Ledger,
) -> Vec<(String, Entry)> {
    let mut writer =
        Writer { service, provider, problems, ledger, deployed: Vec::new(), ids: HashMap::new() };
    writer.provider_notes();
    for function in function_entries(root, variables, problems) {
        writer.function(&function);
    }
    for (id, kind) in [
        ("IamRoleLambdaExecution", "AWS::IAM::Role"),
        ("ServerlessDeploymentBucket", "AWS::S3::Bucket"),
    ] {
        writer.resource("provider", id, kind, Node::map([], root.place.clone()), &root.place);
    }
    writer.deployed
}

/// `functions` is a map, or a list of maps (often files).
fn function_entries(root: &Node, variables: &Variables<'_>, problems: &Problems) -> Vec<Entry> {
    let Some(written) = root.get("functions").filter(|node| !node.is_null()) else {
        return Vec::new();
    };
    let functions = variables.resolve_top(written, "functions");
    let parts = match functions.value {
        Value::List(items) => items,
        _ => vec![functions],
    };
    let mut entries: Vec<Entry> = Vec::new();
    for part in parts {
        let part = variables.resolve_top(&part, "functions");
        match part.value {
            Value::Map(functions) => entries.extend(functions),
            Value::Unknown | Value::Null => {}
            _ => {
                let message = format!("functions are a map, found {}", part.describe());
                problems.add(Diagnostic::error(part.place.clone(), "functions", message));
            }
        }
    }
    let resolved = entries.into_iter().map(|entry| {
        let path = format!("functions.{}", entry.key);
        let function = variables.resolve_top(&entry.value, &path);
        Entry { value: only_what_we_read(&function, variables, &path), ..entry }
    });
    resolved.collect()
}

/// Resolves the keys that concern us; a role that only AWS knows must not stop the edge.
fn only_what_we_read(function: &Node, variables: &Variables<'_>, path: &str) -> Node {
    const READ: [&str; 11] = [
        "environment",
        "events",
        "handler",
        "httpApi",
        "image",
        "memorySize",
        "name",
        "reservedConcurrency",
        "runtime",
        "timeout",
        "url",
    ];
    let Value::Map(entries) = &function.value else { return function.clone() };
    let entries = entries.iter().map(|entry| {
        let path = format!("{path}.{}", entry.key);
        let value = if READ.contains(&entry.key.as_str()) {
            variables.resolve(&entry.value, &path)
        } else {
            variables.resolve_quietly(&entry.value, &path)
        };
        Entry { value, ..entry.clone() }
    });
    Node { value: Value::Map(entries.collect()), ..function.clone() }
}

pub(super) struct Writer<'a> {
    pub(super) service: &'a str,
    pub(super) provider: &'a Provider,
    pub(super) problems: &'a Problems,
    pub(super) ledger: &'a Ledger,
    pub(super) deployed: Vec<(String, Entry)>,
    /// Where each logical id was deployed for.
    pub(super) ids: HashMap<String, Place>,
}

impl Writer<'_> {
    fn function(&mut self, function: &Entry) {
        let key = function.key.as_str();
        let path = format!("functions.{key}");
        if function.value.as_map().is_none() {
            if function.value.value != Value::Unknown {
                let message = format!(
                    "a function is a map with a handler, found {}",
                    function.value.describe()
                );
                self.error(&function.place, &path, message);
            }
            return;
        }
        self.check_keys(function, &path);
        let id = logical_id(key);
        let properties = self.function_properties(function, &path);
        let function_id = format!("{id}LambdaFunction");
        self.resource(&path, &function_id, "AWS::Lambda::Function", properties, &function.place);
        let log_group = Node::map([], function.place.clone());
        self.resource(
            &path,
            &format!("{id}LogGroup"),
            "AWS::Logs::LogGroup",
            log_group,
            &function.place,
        );
        if let Some(url) = function.value.get("url").filter(|url| url.as_bool() != Some(false)) {
            let place = &url.place;
            let auth = match url.get("authorizer").and_then(Node::as_text) {
                Some(kind) if kind.eq_ignore_ascii_case("aws_iam") => "AWS_IAM",
                _ => "NONE",
            };
            let mut properties = vec![
                ("AuthType", Node::text(auth, place.clone())),
                ("TargetFunctionArn", get_att(&function_id, "Arn", place)),
            ];
            if let Some(cors) = url.get("cors").filter(|cors| cors.as_bool() != Some(false)) {
                properties.push(("Cors", super::cors::settings(cors, &["*"])));
            }
            if let Some(mode) = url.get("invoke").or_else(|| url.get("invokeMode")) {
                properties.push(("InvokeMode", mode.clone()));
            }
            let properties = Node::map(properties, url.place.clone());
            self.resource(
                &path,
                &format!("{id}LambdaFunctionUrl"),
                "AWS::Lambda::Url",
                properties,
                &url.place,
            );
        }
        let events = function.value.get("events");
        if let Some(events) = events
            .filter(|it| it.as_list().is_none() && !it.is_null() && it.value != Value::Unknown)
        {
            let message = format!("events are a list, found {}", events.describe());
            self.error(&events.place, &format!("{path}.events"), message);
        }
        for (index, event) in events.and_then(Node::as_list).unwrap_or_default().iter().enumerate()
        {
            self.event(event, function, &format!("{path}.events[{index}]"));
        }
    }

    fn function_properties(&self, function: &Entry, path: &str) -> Node {
        let place = &function.place;
        let own = &function.value;
        let mut properties: Vec<(&'static str, Node)> = Vec::new();
        let name =
            own.get("name").filter(|name| name.as_text().is_some()).cloned().unwrap_or_else(|| {
                let name = format!("{}-{}-{}", self.service, self.provider.stage, function.key);
                Node::text(name, place.clone())
            });
        properties.push(("FunctionName", name));
        if let Some(image) = own.get("image") {
            properties.push(("PackageType", Node::text("Image", image.place.clone())));
            return Node::map(properties, place.clone());
        }
        properties.push(("Code", Node::text(".", place.clone())));
        match own.get("handler") {
            Some(handler) if handler.as_text().is_some() || handler.value == Value::Unknown => {
                properties.push(("Handler", handler.clone()));
            }
            Some(handler) => {
                let message = format!(
                    "a handler is text such as src/handler.hello, found {}",
                    handler.describe()
                );
                self.error(&handler.place, &format!("{path}.handler"), message);
                properties.push(("Handler", Node::unknown(handler.place.clone())));
            }
            None => {
                self.error(place, &format!("{path}.handler"), "handler is missing");
                properties.push(("Handler", Node::unknown(place.clone())));
            }
        }
        let shared = |key: &str| own.get(key).or_else(|| self.provider.settings.get(key));
        // The framework's default moves with its releases; any Node.js serves here.
        let runtime = shared("runtime").cloned();
        properties
            .push(("Runtime", runtime.unwrap_or_else(|| Node::text("nodejs20.x", place.clone()))));
        for (key, name, default, range) in [
            ("timeout", "Timeout", TIMEOUT_SECONDS, 1..=900),
            ("memorySize", "MemorySize", MEMORY_MIB, 128..=32_768),
        ] {
            let value = match shared(key) {
                Some(node) if node.value == Value::Unknown => node.clone(),
                Some(node) if node.as_integer().is_some_and(|number| range.contains(&number)) => {
                    node.clone()
                }
                Some(node) => {
                    let message = format!(
                        "must be a whole number between {} and {}, found {}",
                        range.start(),
                        range.end(),
                        node.describe()
                    );
                    self.error(&node.place, &format!("{path}.{key}"), message);
                    Node::unknown(node.place.clone())
                }
                None => Node::text(default, place.clone()),
            };
            properties.push((name, value));
        }
        if let Some(limit) =
            own.get("reservedConcurrency").filter(|limit| limit.as_integer().is_some())
        {
            properties.push(("ReservedConcurrentExecutions", limit.clone()));
        }
        let environment = self.environment(own, path);
        properties.push(("Environment", Node::map([("Variables", environment)], place.clone())));
        Node::map(properties, place.clone())
    }

    /// The provider's variables with the function's own over them.
    fn environment(&self, own: &Node, path: &str) -> Node {
        let mut variables: Vec<Entry> = Vec::new();
        let mut known: HashMap<&str, usize> = HashMap::new();
        let sections = [
            ("provider.environment".to_owned(), self.provider.settings.get("environment")),
            (format!("{path}.environment"), own.get("environment")),
        ];
        for (path, section) in sections {
            let Some(section) = section.filter(|section| !section.is_null()) else { continue };
            let Some(entries) = section.as_map() else {
                if section.value != Value::Unknown {
                    let message =
                        format!("environment is a map of variables, found {}", section.describe());
                    self.error(&section.place, &path, message);
                }
                continue;
            };
            for entry in entries {
                match known.get(entry.key.as_str()) {
                    Some(&index) => variables[index] = entry.clone(),
                    None => {
                        known.insert(&entry.key, variables.len());
                        variables.push(entry.clone());
                    }
                }
            }
        }
        Node { place: own.place.clone(), tag: None, value: Value::Map(variables) }
    }

    fn provider_notes(&self) {
        const EFFECTIVE: [&str; 6] =
            ["environment", "memorySize", "region", "runtime", "stage", "timeout"];
        const INERT: [&str; 3] = ["layers", "tracing", "vpc"];
        for entry in self.provider.settings.as_map().unwrap_or_default() {
            let path = format!("provider.{}", entry.key);
            if EFFECTIVE.contains(&entry.key.as_str()) {
                self.ledger.note(&entry.place, &path, Status::Effective);
            } else if INERT.contains(&entry.key.as_str()) {
                self.ledger.note(&entry.place, &path, Status::Inert(LOCAL_FUNCTION.to_owned()));
            }
        }
        const OF_REST_API: [&str; 3] = ["binaryMediaTypes", "resourcePolicy", "restApiId"];
        // Authorizers are told at the routes that name one.
        const OF_HTTP_API: [&str; 4] = ["authorizers", "cors", "id", "payload"];
        for (section, read) in [("apiGateway", &OF_REST_API[..]), ("httpApi", &OF_HTTP_API)] {
            let settings = self.provider.settings.get(section);
            for entry in settings.and_then(Node::as_map).unwrap_or_default() {
                let status = match read.contains(&entry.key.as_str()) {
                    true => Status::Effective,
                    false => Status::Inert("the local API does not act on it".to_owned()),
                };
                self.ledger.note(
                    &entry.place,
                    &format!("provider.{section}.{}", entry.key),
                    status,
                );
            }
        }
    }

    /// What becomes of each key, and a word about the unknown ones.
    fn check_keys(&self, function: &Entry, path: &str) {
        const EFFECTIVE: [&str; 9] = [
            "environment",
            "handler",
            "httpApi",
            "memorySize",
            "name",
            "reservedConcurrency",
            "runtime",
            "timeout",
            "url",
        ];
        const INERT: [&str; 6] =
            ["layers", "vpc", "fileSystemConfig", "role", "tracing", "provisionedConcurrency"];
        keys::warn_of_unknown(&function.value, &keys::FUNCTION, path, self.problems);
        for entry in function.value.as_map().unwrap_or_default() {
            let key = entry.key.as_str();
            let path = format!("{path}.{key}");
            if EFFECTIVE.contains(&key) {
                self.ledger.note(&entry.place, &path, Status::Effective);
            } else if INERT.contains(&key) {
                self.ledger.note(&entry.place, &path, Status::Inert(LOCAL_FUNCTION.to_owned()));
            }
        }
    }

    pub(super) fn resource(
        &mut self,
        path: &str,
        id: &str,
        kind: &str,
        properties: Node,
        place: &Place,
    ) {
        if self.ids.contains_key(id) {
            return;
        }
        self.ids.insert(id.to_owned(), place.clone());
        let value = Node::map(
            [("Type", Node::text(kind, place.clone())), ("Properties", properties)],
            place.clone(),
        );
        let entry = Entry { key: id.to_owned(), place: place.clone(), value };
        self.deployed.push((path.to_owned(), entry));
    }

    pub(super) fn error(&self, place: &Place, path: &str, message: impl Into<String>) {
        self.problems.add(Diagnostic::error(place.clone(), path, message));
    }
}

/// The framework's logical id of a function: `my-fn_a` is `MyDashfnUnderscorea`.
pub(super) fn logical_id(key: &str) -> String {
    let key = key.replace('-', "Dash").replace('_', "Underscore");
    let mut chars = key.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

pub(super) fn call(name: &str, argument: Node, place: &Place) -> Node {
    let entry = Entry { key: name.to_owned(), place: place.clone(), value: argument };
    Node { place: place.clone(), tag: None, value: Value::Map(vec![entry]) }
}

pub(super) fn reference(id: &str, place: &Place) -> Node {
    call("Ref", Node::text(id, place.clone()), place)
}

pub(super) fn get_att(id: &str, attribute: &str, place: &Place) -> Node {
    call("Fn::GetAtt", Node::text(format!("{id}.{attribute}"), place.clone()), place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_ids_are_those_of_the_framework() {
        for (key, id) in
            [("hello", "Hello"), ("my-fn", "MyDashfn"), ("my_fn", "MyUnderscorefn"), ("", "")]
        {
            assert_eq!(logical_id(key), id);
        }
    }
}
