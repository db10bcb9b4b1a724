//! `AWS::ApiGatewayV2::Api` with its routes, integrations and stages.

use http::Method;
use warmfront_core::api::{Answer, Api, ApiKind, DEFAULT_STAGE, Payload, Route};

use super::METHODS;
use crate::compile::Compiler;
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::template::Resource;

impl Compiler<'_> {
    pub(super) fn http_api(&self, resource: &Resource) -> Api {
        self.list_properties(
            resource,
            &["Body", "CorsConfiguration", "ProtocolType", "RouteKey", "Target"],
        );
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
        let unread = self.unread_definition(resource);
        let mut routes = self.defined_routes(resource, Payload::V2);
        // Quick create: one route to one function.
        if let Some(target) = resource.property("Target") {
            let path = resource.property_path("Target");
            let key = text("RouteKey").unwrap_or_else(|| "$default".to_owned());
            let (method, route_path) = self.route_key(&key, target, &path);
            let target = self.evaluator.evaluate(target, &path);
            if let Some(answer) = self.function_of_uri(&target, &path, Payload::V2) {
                routes.push(Route { method, path: route_path, answer });
            }
        }
        for route in self.created("AWS::ApiGatewayV2::Route") {
            if self.belongs_to(route, "ApiId", resource) {
                routes.extend(self.route(route));
            }
        }
        let mut stages = Vec::new();
        for stage in self.created("AWS::ApiGatewayV2::Stage") {
            if self.belongs_to(stage, "ApiId", resource) {
                self.list_properties(stage, &["ApiId", "AutoDeploy", "StageName"]);
                stages.extend(self.text_property(stage, "StageName"));
            }
        }
        if stages.is_empty() {
            // Quick create makes it, and so does nearly everybody.
            stages.push(DEFAULT_STAGE.to_owned());
        }
        let routes = unread.unwrap_or(routes);
        if routes.is_empty() && !self.problems.has_errors() {
            let message = "this API has no routes, so it answers every request with 404";
            self.problems.add(Diagnostic::warning(resource.place.clone(), &resource.path, message));
        }
        Api {
            logical_id: self.evaluator.names.unique(&resource.id),
            domain_name: self.evaluator.names.api_domain(&resource.id),
            kind: ApiKind::Http,
            stages,
            binary_media_types: Vec::new(),
            cors: self.api_cors(resource, "CorsConfiguration"),
            routes,
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
        self.route_protection(route, "AuthorizationType");
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
        let answer = self.integration(integration)?;
        Some(Route { method, path, answer })
    }

    fn integration(&self, integration: &Resource) -> Option<Answer> {
        const EFFECTIVE: [&str; 5] = [
            "ApiId",
            "IntegrationMethod",
            "IntegrationType",
            "IntegrationUri",
            "PayloadFormatVersion",
        ];
        self.list_properties(integration, &EFFECTIVE);
        let kind = self.text_property(integration, "IntegrationType");
        if let Some(kind) = kind.filter(|kind| kind != "AWS_PROXY") {
            let path = integration.property_path("IntegrationType");
            return Some(self.not_run(&kind, &integration.place, &path));
        }
        let payload = match self.text_property(integration, "PayloadFormatVersion").as_deref() {
            Some("1.0") => Payload::V1,
            Some(_) => Payload::V2,
            None => {
                let message = "PayloadFormatVersion is missing; it is taken for 2.0 here, and AWS refuses an integration with a function without it";
                let path = integration.property_path("PayloadFormatVersion");
                self.problems.add(Diagnostic::warning(integration.place.clone(), path, message));
                Payload::V2
            }
        };
        let path = integration.property_path("IntegrationUri");
        let uri = self.evaluator.evaluate(integration.property("IntegrationUri")?, &path);
        self.function_of_uri(&uri, &path, payload)
    }

    /// `GET /pets/{id}`, `ANY /x` or `$default`.
    pub(super) fn route_key(&self, key: &str, node: &Node, path: &str) -> (Option<Method>, String) {
        if key == "$default" {
            return (None, key.to_owned());
        }
        let parts = key.split_once(' ').map(|(method, path)| (method, path.trim()));
        let method = parts.and_then(|(method, _)| METHODS.iter().find(|known| **known == method));
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
}
