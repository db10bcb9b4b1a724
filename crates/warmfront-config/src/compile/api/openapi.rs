//! `Body`: an API as an OpenAPI definition with `x-amazon-apigateway-integration`.

use http::Method;
use warmfront_core::api::{Answer, Payload, Route};

use super::METHODS;
use crate::compile::Compiler;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, Value};
use crate::report::Status;
use crate::template::Resource;

const INTEGRATION: &str = "x-amazon-apigateway-integration";
const AUTH: &str = "x-amazon-apigateway-auth";
pub(super) const BINARY_MEDIA_TYPES: &str = "x-amazon-apigateway-binary-media-types";
const ANY_METHOD: &str = "x-amazon-apigateway-any-method";

impl Compiler<'_> {
    /// The routes of an API whose definition lies where we cannot read it: each request fails, also on
    /// routes that stand beside it, because it may have put authorizers before them.
    pub(super) fn unread_definition(&self, api: &Resource) -> Option<Vec<Route>> {
        let is_call = |node: &Node| {
            let entries = node.as_map().unwrap_or_default();
            entries.iter().any(|entry| entry.key.starts_with("Fn::") || entry.key == "Ref")
        };
        let body = api.properties.entry("Body");
        let hidden = body.filter(|it| {
            it.value.as_text().is_some()
                || is_call(&it.value)
                || it.value.get("paths").is_some_and(|paths| {
                    let items = paths.as_map().unwrap_or_default();
                    is_call(paths) || items.iter().any(|item| is_call(&item.value))
                })
        });
        let (entry, why) = match (api.properties.entry("BodyS3Location"), hidden) {
            (Some(entry), _) => (entry, "lies on S3"),
            (None, Some(entry)) => (entry, "is put together by AWS"),
            (None, None) => return None,
        };
        let reason = format!("the OpenAPI definition of {} {why}", api.id);
        let help = "name a local file (DefinitionUri: api.yaml, or AWS::Include with Location: api.yaml), write the definition out, or send the origin elsewhere: --origin ID=http://localhost:PORT";
        let message = format!("{reason}; requests to the API fail with 502");
        let place = entry.place.clone();
        self.problems
            .add(Diagnostic::warning(place, api.property_path(&entry.key), message).help(help));
        let route = |path: &str| Route {
            method: None,
            path: path.to_owned(),
            answer: Answer::NotRun(reason.clone()),
        };
        Some(vec![route("/"), route("/{proxy+}")])
    }

    /// The routes of a definition; none when there is no `Body`.
    pub(super) fn defined_routes(&self, api: &Resource, usual: Payload) -> Vec<Route> {
        let Some(body) = api.property("Body") else { return Vec::new() };
        let path = api.property_path("Body");
        let paths = body.get("paths").and_then(Node::as_map).unwrap_or_default();
        self.list_extensions(api, body, &path);
        let everywhere = body.entry("security");
        let mut routes = Vec::new();
        for entry in paths {
            for operation in entry.value.as_map().unwrap_or_default() {
                let verb = match operation.key.as_str() {
                    ANY_METHOD => "ANY".to_owned(),
                    key => key.to_ascii_uppercase(),
                };
                // `parameters`, `summary` and extensions stand beside the methods.
                if !METHODS.contains(&verb.as_str()) {
                    continue;
                }
                let path = format!("{path}.paths.{}.{}", entry.key, operation.key);
                self.operation_protection(api, operation, everywhere, &entry.key, &verb, &path);
                let Some(answer) = self.operation(&operation.value, usual, &path) else { continue };
                let method = (verb != "ANY").then(|| Method::from_bytes(verb.as_bytes()).ok());
                let route = if entry.key == "/$default" { "$default" } else { &entry.key };
                routes.push(Route { method: method.flatten(), path: route.to_owned(), answer });
            }
        }
        routes
    }

    fn operation(&self, operation: &Node, usual: Payload, path: &str) -> Option<Answer> {
        let Some(written) = operation.get(INTEGRATION) else {
            let message = format!("it has no {INTEGRATION}, so nothing answers it");
            self.problems.add(Diagnostic::warning(operation.place.clone(), path, message));
            return None;
        };
        let path = format!("{path}.{INTEGRATION}");
        let answer = self.rest_integration(&in_capitals(written), &path)?;
        let version = written.get("payloadFormatVersion");
        let version = version.map(|node| self.evaluator.evaluate(node, &path));
        let payload = match (usual, version.as_ref().and_then(Node::as_text)) {
            (Payload::V2, Some("2.0")) => Payload::V2,
            // Left out in a definition it means 1.0 (API Gateway guide: OpenAPI extensions).
            _ => Payload::V1,
        };
        Some(match answer {
            Answer::Function { function, .. } => Answer::Function { function, payload },
            other => other,
        })
    }

    fn operation_protection(
        &self,
        api: &Resource,
        operation: &Entry,
        everywhere: Option<&Entry>,
        route: &str,
        verb: &str,
        path: &str,
    ) {
        let name = format!("{}.{verb} {route}", api.id);
        let what = "authorizers do not run yet, so the route would be open to everyone";
        if let Some(entry) = operation.value.entry(AUTH) {
            let kind = entry.value.get("type").map(|node| self.evaluator.evaluate(node, path));
            if kind.as_ref().and_then(Node::as_text) != Some("NONE") {
                return self.protects(entry, &format!("{path}.{AUTH}"), &name, what);
            }
        }
        let own = operation.value.entry("security");
        let Some(entry) = own.or(everywhere) else { return };
        if entry.value.as_list().is_none_or(<[Node]>::is_empty) {
            return;
        }
        self.protects(entry, &format!("{path}.security"), &name, what);
    }

    /// API Gateway's extensions of a whole definition: who may call protects; of the others only the
    /// binary media types of a REST API are acted on.
    fn list_extensions(&self, api: &Resource, body: &Node, path: &str) {
        let is_rest = api.kind == "AWS::ApiGateway::RestApi";
        for entry in body.as_map().unwrap_or_default() {
            let path = format!("{path}.{}", entry.key);
            match entry.key.as_str() {
                "x-amazon-apigateway-policy" => {
                    let what = "resource policies are not applied yet, so the API would be open to everyone";
                    self.protects(entry, &path, &format!("{}.Policy", api.id), what);
                }
                BINARY_MEDIA_TYPES if is_rest => {
                    self.ledger.note(&entry.place, &path, Status::Effective);
                }
                key if key.starts_with("x-amazon-apigateway-") => {
                    let reason = "the local API does not act on it".to_owned();
                    self.ledger.note(&entry.place, &path, Status::Inert(reason));
                }
                _ => {}
            }
        }
    }
}

/// The extension's keys as CloudFormation spells them: `uri` as `Uri`, `responses` as the list that
/// `IntegrationResponses` is.
fn in_capitals(written: &Node) -> Node {
    let capital = |key: &str| {
        let mut chars = key.chars();
        chars
            .next()
            .map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
    };
    let renamed = |node: &Node| {
        let Value::Map(entries) = &node.value else { return node.clone() };
        let entries =
            entries.iter().map(|entry| Entry { key: capital(&entry.key), ..entry.clone() });
        Node { value: Value::Map(entries.collect()), ..node.clone() }
    };
    let mut node = renamed(written);
    if let Value::Map(entries) = &mut node.value {
        for entry in entries.iter_mut().filter(|entry| entry.key == "Responses") {
            let responses = entry.value.as_map().unwrap_or_default();
            let responses = responses.iter().map(|response| renamed(&response.value)).collect();
            entry.key = "IntegrationResponses".to_owned();
            entry.value = Node::list(responses, entry.place.clone());
        }
    }
    node
}
