//! The APIs in front of local functions: what an origin's host name leads to.
//!
//! Each kind has its room; here is what they share: the function that a URI names, integrations that
//! are not run, and routes that somebody protects.

mod cors;
mod http;
mod openapi;
mod rest;
mod url;

use std::sync::Arc;

use warmfront_core::api::{Answer, Api, Payload};

use super::Compiler;
use super::function::Local;
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::place::Place;
use crate::report::Status;
use crate::template::Resource;

/// What a route or a method may have as its verb.
const METHODS: [&str; 8] = ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl Compiler<'_> {
    /// The API of a resource; compiled when it is met first.
    pub(in crate::compile) fn local_api(&self, resource: &Resource) -> Arc<Api> {
        let names = self.evaluator.names;
        let apis = self.apis.borrow();
        if let Some(known) = apis.iter().find(|api| api.logical_id == names.unique(&resource.id)) {
            return known.clone();
        }
        drop(apis);
        let api = match resource.kind.as_str() {
            "AWS::Lambda::Url" => self.function_url(resource),
            "AWS::ApiGateway::RestApi" => self.rest_api(resource),
            _ => self.http_api(resource),
        };
        let api = Arc::new(api);
        self.apis.borrow_mut().push(api.clone());
        api
    }

    /// Lists the properties of a resource that the user wrote: effective ones, and the rest.
    pub(super) fn list_properties(&self, resource: &Resource, effective: &[&str]) {
        const LABELS: [&str; 3] = ["Description", "Name", "Tags"];
        let entries = resource.properties.as_map().unwrap_or_default();
        for entry in entries.iter().filter(|_| !resource.is_generated) {
            let key = entry.key.as_str();
            let status = if effective.contains(&key) {
                Status::Effective
            } else if LABELS.contains(&key) {
                continue;
            } else {
                Status::Inert("the local API does not act on it".to_owned())
            };
            self.ledger.note(&entry.place, &resource.property_path(key), status);
        }
    }

    /// What the function answers that an ARN names, plain or inside API Gateway's invocation path.
    pub(super) fn function_of_uri(
        &self,
        uri: &Node,
        path: &str,
        payload: Payload,
    ) -> Option<Answer> {
        let text = uri.as_text()?;
        let arn = text.split("/functions/").nth(1).unwrap_or(text);
        let arn = arn.strip_suffix("/invocations").unwrap_or(arn);
        let logical_id = self.function_behind(arn);
        let mut resource = self.evaluator.template.resource(&logical_id);
        if let Some(alias) = resource.filter(|resource| resource.kind == "AWS::Lambda::Alias") {
            // There is one version of a local function, whatever the alias points at.
            let function = self.text_property(alias, "FunctionName").unwrap_or_default();
            resource = self.evaluator.template.resource(&self.function_behind(&function));
        }
        let local = match resource.filter(|resource| resource.kind == "AWS::Lambda::Function") {
            Some(resource) => self.local_function(&resource.id),
            None if let Some((home, id)) = self.function_abroad(arn) => home.local_function(&id),
            None => {
                let message = format!("{} is no function of this source", quote(text));
                let problem = Diagnostic::error(uri.place.clone(), path, message).help(
                    "give the template of the stack that has it, too: --with TEMPLATE; or send the origin elsewhere with --origin",
                );
                self.problems.add(problem);
                None
            }
        };
        Some(match local? {
            Local::Here(function) => Answer::Function { function, payload },
            Local::Elsewhere(reason) => Answer::NotRun(reason),
        })
    }

    /// An integration that is not run: listed by name, and requests to it fail.
    fn not_run(&self, kind: &str, place: &Place, path: &str) -> Answer {
        let reason = format!("integrations of type {kind} are not run, only AWS_PROXY and MOCK");
        let message = format!("{reason}; requests to it fail with 502");
        self.problems.add(Diagnostic::warning(place.clone(), path, message));
        Answer::NotRun(reason)
    }

    /// A route that asks who the viewer is must not be open to everyone (DESIGN §1: honesty rule).
    fn route_protection(&self, route: &Resource, property: &str) {
        let Some(entry) = route.properties.entry(property) else { return };
        let path = route.property_path(property);
        let value = self.evaluator.evaluate(&entry.value, &path);
        let protects = match property {
            "ApiKeyRequired" => value.as_bool() == Some(true),
            _ => value.as_text().is_some_and(|kind| kind != "NONE"),
        };
        if !protects {
            return;
        }
        let what = match property {
            "ApiKeyRequired" => {
                "API keys are not checked yet, so the route would be open to everyone"
            }
            _ => "authorizers do not run yet, so the route would be open to everyone",
        };
        let name = match (
            route.path.strip_prefix("functions."),
            route.path.split_once(".Properties.Events."),
        ) {
            (Some(key), _) if route.is_generated => format!("{key}.authorizer"),
            (_, Some((function, event))) if route.is_generated => {
                let function = function.strip_prefix("Resources.").unwrap_or(function);
                format!("{function}.{event}.Auth")
            }
            _ => format!("{}.{property}", route.id),
        };
        self.protects(entry, &path, &name, what);
    }

    /// A property that is text, evaluated.
    fn text_property(&self, resource: &Resource, name: &str) -> Option<String> {
        let node = resource.property(name)?;
        let value = self.evaluator.evaluate(node, &resource.property_path(name));
        value.as_text().map(str::to_owned)
    }

    /// Whether `property` of a resource names the API.
    fn belongs_to(&self, resource: &Resource, property: &str, api: &Resource) -> bool {
        let id = self.text_property(resource, property);
        id.is_some_and(|id| id.eq_ignore_ascii_case(&self.evaluator.names.api_id(&api.id)))
    }
}
