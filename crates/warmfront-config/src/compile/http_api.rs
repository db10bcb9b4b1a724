//! `AWS::ApiGatewayV2::Api` with its routes and integrations, and `AWS::Lambda::Url`, which is an API
//! of one route.

use std::sync::Arc;

use http::Method;
use warmfront_core::api::{Answer, Api, ApiKind, DEFAULT_STAGE, Payload, Route};
use warmfront_core::function::Function;

use super::Compiler;
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::format::sam;
use crate::report::Status;
use crate::template::Resource;

impl Compiler<'_> {
    /// The API of a resource; compiled when it is met first.
    pub(super) fn local_api(&self, resource: &Resource) -> Arc<Api> {
        let names = self.evaluator.names;
        let apis = self.apis.borrow();
        if let Some(known) = apis.iter().find(|api| api.logical_id == names.unique(&resource.id)) {
            return known.clone();
        }
        drop(apis);
        let api = match resource.kind.as_str() {
            "AWS::Lambda::Url" => self.function_url(resource),
            _ => self.http_api(resource),
        };
        let api = Arc::new(api);
        self.apis.borrow_mut().push(api.clone());
        api
    }

    fn http_api(&self, resource: &Resource) -> Api {
        self.list_properties(resource, &["ProtocolType", "RouteKey", "Target"]);
        let text = |name: &str| {
            let node = resource.property(name)?;
            let value = self.evaluator.evaluate(node, &resource.property_path(name));
            value.as_text().map(str::to_owned)
        };
        if let Some(protocol) = text("ProtocolType").filter(|protocol| protocol != "HTTP") {
            let message = format!(
                "APIs of type {protocol} are not run yet; send the origin elsewhere with --origin"
            );
            self.error(&resource.place, resource.property_path("ProtocolType"), message);
        }
        for name in ["Body", "BodyS3Location"] {
            if let Some(body) = resource.property(name) {
                let message = "OpenAPI definitions are not read yet; write AWS::ApiGatewayV2::Route resources";
                self.error(&body.place, resource.property_path(name), message);
            }
        }
        if let Some(cors) = resource.properties.entry("CorsConfiguration") {
            let reason =
                "the local API adds no CORS headers; the function's own are passed on".to_owned();
            self.ledger.note(
                &cors.place,
                &resource.property_path("CorsConfiguration"),
                Status::Inert(reason),
            );
        }
        let mut routes = Vec::new();
        // Quick create: one route to one function.
        if let Some(target) = resource.property("Target") {
            let path = resource.property_path("Target");
            let key = text("RouteKey").unwrap_or_else(|| "$default".to_owned());
            let (method, route_path) = self.route_key(&key, target, &path);
            let target = self.evaluator.evaluate(target, &path);
            if let Some(function) = self.function_of_uri(&target, &path) {
                routes.push(Route { method, path: route_path, answer: answer(function) });
            }
        }
        for route in self.created("AWS::ApiGatewayV2::Route") {
            if self.belongs_to(route, &resource.id) {
                routes.extend(self.route(route));
            }
        }
        for stage in self.created("AWS::ApiGatewayV2::Stage") {
            if self.belongs_to(stage, &resource.id) {
                self.check_stage(stage);
            }
        }
        if routes.is_empty() && !self.problems.has_errors() {
            let message = "this API has no routes, so it answers every request with 404";
            self.problems.add(Diagnostic::warning(resource.place.clone(), &resource.path, message));
        }
        Api {
            logical_id: self.evaluator.names.unique(&resource.id),
            kind: ApiKind::Http,
            stages: vec![DEFAULT_STAGE.to_owned()],
            binary_media_types: Vec::new(),
            cors: None,
            domain_name: self.evaluator.names.api_domain(&resource.id),
            routes,
        }
    }

    /// Lists the properties of a resource that the user wrote: effective ones, and the rest.
    fn list_properties(&self, resource: &Resource, effective: &[&str]) {
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

    fn function_url(&self, resource: &Resource) -> Api {
        self.list_properties(resource, &["AuthType", "TargetFunctionArn"]);
        let path = resource.property_path("TargetFunctionArn");
        let target =
            resource.property("TargetFunctionArn").map(|node| self.evaluator.evaluate(node, &path));
        let function = target.and_then(|target| self.function_of_uri(&target, &path));
        if let Some(entry) = resource.properties.entry("AuthType")
            && entry.value.as_text() == Some("AWS_IAM")
        {
            let reason =
                "origin requests are not signed and the local function asks for no signature";
            let path = resource.property_path("AuthType");
            self.ledger.note(&entry.place, &path, Status::Inert(reason.to_owned()));
        }
        Api {
            logical_id: self.evaluator.names.unique(&resource.id),
            kind: ApiKind::Url,
            stages: vec![DEFAULT_STAGE.to_owned()],
            binary_media_types: Vec::new(),
            cors: None,
            domain_name: self.evaluator.names.function_url_domain(&resource.id),
            routes: function
                .map(|function| Route {
                    method: None,
                    path: "$default".to_owned(),
                    answer: answer(function),
                })
                .into_iter()
                .collect(),
        }
    }

    fn route(&self, route: &Resource) -> Option<Route> {
        self.list_properties(route, &["ApiId", "AuthorizationType", "RouteKey", "Target"]);
        let key_path = route.property_path("RouteKey");
        let Some(key) = route.property("RouteKey") else {
            self.error(&route.place, key_path, "RouteKey is missing");
            return None;
        };
        let key = self.evaluator.evaluate(key, &key_path);
        let (method, path) = self.route_key(key.as_text()?, &key, &key_path);
        self.route_protection(route);
        let target_path = route.property_path("Target");
        let target = self.evaluator.evaluate(route.property("Target")?, &target_path);
        let integration = target.as_text()?.strip_prefix("integrations/").map(str::to_owned);
        let integration = integration
            .and_then(|id| self.evaluator.names.owner(&id))
            .and_then(|id| self.evaluator.template.resource(&id))
            .filter(|resource| resource.kind == "AWS::ApiGatewayV2::Integration");
        let Some(integration) = integration else {
            let message = format!("{} is no integration of this template", target.describe());
            let problem = Diagnostic::error(target.place.clone(), target_path, message)
                .help("write !Sub \"integrations/${TheIntegration}\"");
            self.problems.add(problem);
            return None;
        };
        let function = self.integration(integration)?;
        Some(Route { method, path, answer: answer(function) })
    }

    fn integration(&self, integration: &Resource) -> Option<Arc<Function>> {
        const EFFECTIVE: [&str; 5] = [
            "ApiId",
            "IntegrationMethod",
            "IntegrationType",
            "IntegrationUri",
            "PayloadFormatVersion",
        ];
        self.list_properties(integration, &EFFECTIVE);
        let path = integration.property_path("IntegrationType");
        let kind = integration
            .property("IntegrationType")
            .map(|node| self.evaluator.evaluate(node, &path));
        if let Some(kind) =
            kind.filter(|kind| !kind.is_unknown() && kind.as_text() != Some("AWS_PROXY"))
        {
            let message = format!(
                "integrations of type {} are not run yet, only AWS_PROXY to a function",
                kind.describe()
            );
            self.error(&kind.place, path, message);
            return None;
        }
        if let Some(entry) = integration.properties.entry("PayloadFormatVersion")
            && entry.value.as_text() == Some("1.0")
        {
            let path = integration.property_path("PayloadFormatVersion");
            let message =
                "payload format 1.0 is not built yet; the function gets events of format 2.0";
            self.problems.add(Diagnostic::warning(entry.place.clone(), &path, message));
            self.ledger.note(&entry.place, &path, Status::Inert(message.to_owned()));
        }
        let path = integration.property_path("IntegrationUri");
        let uri = integration.property("IntegrationUri")?;
        let uri = self.evaluator.evaluate(uri, &path);
        self.function_of_uri(&uri, &path)
    }

    /// The function that an ARN names, plain or inside API Gateway's invocation path.
    fn function_of_uri(&self, uri: &Node, path: &str) -> Option<Arc<Function>> {
        let text = uri.as_text()?;
        let arn = text.split("/functions/").nth(1).unwrap_or(text);
        let arn = arn.strip_suffix("/invocations").unwrap_or(arn);
        let logical_id = self.function_behind(arn);
        let resource = self.evaluator.template.resource(&logical_id);
        match resource.filter(|resource| resource.kind == "AWS::Lambda::Function") {
            Some(resource) => self.local_function(&resource.id),
            None if resource.is_some_and(|resource| resource.kind == sam::FUNCTION) => {
                let message = format!("functions of AWS SAM ({logical_id}) do not run here yet");
                let problem = Diagnostic::error(uri.place.clone(), path, message).help(
                    "run it with \"sam local start-api\", and say so: --origin ID=http://127.0.0.1:3000",
                );
                self.problems.add(problem);
                None
            }
            None => {
                let message = format!("{} is no function of this template", quote(text));
                self.error(&uri.place, path, message);
                None
            }
        }
    }

    /// `GET /pets/{id}`, `ANY /x` or `$default`.
    fn route_key(&self, key: &str, node: &Node, path: &str) -> (Option<Method>, String) {
        if key == "$default" {
            return (None, key.to_owned());
        }
        let parts = key.split_once(' ').map(|(method, path)| (method, path.trim()));
        let method =
            parts.and_then(|(method, _)| ROUTE_METHODS.iter().find(|known| **known == method));
        match (parts, method) {
            (Some((_, route_path)), Some(method)) if route_path.starts_with('/') => {
                let method = (*method != "ANY")
                    .then(|| Method::from_bytes(method.as_bytes()).ok())
                    .flatten();
                (method, route_path.to_owned())
            }
            _ => {
                let problem = Diagnostic::error(
                    node.place.clone(),
                    path,
                    format!("{} is not a route", quote(key)),
                )
                .help("write GET /pets/{id}, ANY /files/{proxy+} or $default");
                self.problems.add(problem);
                (None, "$default".to_owned())
            }
        }
    }

    fn route_protection(&self, route: &Resource) {
        let Some(entry) = route.properties.entry("AuthorizationType") else { return };
        let path = route.property_path("AuthorizationType");
        let value = self.evaluator.evaluate(&entry.value, &path);
        if value.as_text().is_some_and(|kind| kind != "NONE") {
            let what = "authorizers do not run yet, so the route would be open to everyone";
            let name = match route.path.strip_prefix("functions.") {
                Some(key) if route.is_generated => format!("{key}.authorizer"),
                _ => format!("{}.AuthorizationType", route.id),
            };
            self.protects(entry, &path, &name, what);
        }
    }

    fn check_stage(&self, stage: &Resource) {
        self.list_properties(stage, &["ApiId", "AutoDeploy", "StageName"]);
        let path = stage.property_path("StageName");
        let Some(name) = stage.property("StageName") else { return };
        let name = self.evaluator.evaluate(name, &path);
        if name.as_text().is_some_and(|text| text != "$default") {
            let message = format!(
                "the local API has no stages: its routes begin at /, not at /{}",
                name.as_text().unwrap_or_default()
            );
            let problem = Diagnostic::warning(name.place.clone(), path, message)
                .help("with the stage $default the same template works here and on AWS; else leave OriginPath out");
            self.problems.add(problem);
        }
    }

    fn belongs_to(&self, resource: &Resource, api: &str) -> bool {
        let Some(node) = resource.property("ApiId") else { return false };
        let id = self.evaluator.evaluate(node, &resource.property_path("ApiId"));
        id.as_text().is_some_and(|id| id.eq_ignore_ascii_case(&self.evaluator.names.api_id(api)))
    }
}

fn answer(function: Arc<Function>) -> Answer {
    Answer::Function { function, payload: Payload::V2 }
}

const ROUTE_METHODS: [&str; 8] =
    ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
