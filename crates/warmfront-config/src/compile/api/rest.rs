//! `AWS::ApiGateway::RestApi` with its resources, methods and stages.

use http::Method;
use warmfront_core::api::{Answer, Api, ApiKind, Fixed, Payload, Route};

use super::METHODS;
use super::openapi::BINARY_MEDIA_TYPES;
use crate::compile::Compiler;
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::template::Resource;

/// How deep resources may nest: API Gateway allows 30 segments or so, and a circle must end.
const MAX_DEPTH: usize = 64;

impl Compiler<'_> {
    pub(super) fn rest_api(&self, resource: &Resource) -> Api {
        self.list_properties(resource, &["BinaryMediaTypes", "Body"]);
        let unread = self.unread_definition(resource);
        self.resource_policy(resource);
        let mut routes = self.defined_routes(resource, Payload::V1);
        for method in self.created("AWS::ApiGateway::Method") {
            if self.belongs_to(method, "RestApiId", resource) {
                routes.extend(self.method(method));
            }
        }
        let mut stages: Vec<String> = Vec::new();
        for kind in ["AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment"] {
            for stage in self.created(kind) {
                if self.belongs_to(stage, "RestApiId", resource) {
                    self.list_properties(stage, &["DeploymentId", "RestApiId", "StageName"]);
                    stages.extend(self.text_property(stage, "StageName"));
                }
            }
        }
        stages.dedup();
        let routes = unread.unwrap_or(routes);
        let silent = self.problems.has_errors();
        if routes.is_empty() && !silent {
            let message = "this API has no methods, so it answers every request with 403";
            self.problems.add(Diagnostic::warning(resource.place.clone(), &resource.path, message));
        }
        if stages.is_empty() && !silent {
            let message = "this API has no stage, so it answers every request with 403";
            let problem = Diagnostic::warning(resource.place.clone(), &resource.path, message)
                .help("write an AWS::ApiGateway::Stage, or StageName on the AWS::ApiGateway::Deployment");
            self.problems.add(problem);
        }
        let in_body = resource.property("Body").and_then(|body| body.get(BINARY_MEDIA_TYPES));
        let types = resource.property("BinaryMediaTypes").or(in_body).map(|node| {
            let path = resource.property_path("BinaryMediaTypes");
            self.evaluator.evaluate(node, &path)
        });
        let types = types.as_ref().and_then(Node::as_list).unwrap_or_default().iter();
        Api {
            logical_id: self.evaluator.names.unique(&resource.id),
            domain_name: self.evaluator.names.api_domain(&resource.id),
            kind: ApiKind::Rest,
            stages,
            binary_media_types: types
                .filter_map(Node::as_text)
                .map(|it| it.replace("~1", "/"))
                .collect(),
            cors: None,
            routes,
        }
    }

    /// `Policy` says who may call at all.
    fn resource_policy(&self, resource: &Resource) {
        let Some(entry) = resource.properties.entry("Policy") else { return };
        let name = format!("{}.Policy", resource.id);
        let what = "resource policies are not applied yet, so the API would be open to everyone";
        self.protects(entry, &resource.property_path("Policy"), &name, what);
    }

    fn method(&self, method: &Resource) -> Option<Route> {
        const EFFECTIVE: [&str; 6] = [
            "ApiKeyRequired",
            "AuthorizationType",
            "HttpMethod",
            "Integration",
            "ResourceId",
            "RestApiId",
        ];
        self.list_properties(method, &EFFECTIVE);
        let verb = self.text_property(method, "HttpMethod")?;
        if !METHODS.contains(&verb.as_str()) {
            let message = format!(
                "there is no method {}.{}",
                quote(&verb),
                crate::suggest::did_you_mean(&verb, METHODS)
            );
            self.error(&method.place, method.property_path("HttpMethod"), message);
            return None;
        }
        self.route_protection(method, "AuthorizationType");
        self.route_protection(method, "ApiKeyRequired");
        let path = self.resource_path(method, "ResourceId", 0)?;
        let integration_path = method.property_path("Integration");
        let integration = method.property("Integration")?;
        let answer = self.rest_integration(integration, &integration_path)?;
        let verb = (verb != "ANY").then(|| Method::from_bytes(verb.as_bytes()).ok()).flatten();
        Some(Route { method: verb, path, answer })
    }

    /// The path of the resource that `property` names: `/pets/{id}`.
    fn resource_path(&self, from: &Resource, property: &str, depth: usize) -> Option<String> {
        let id = self.text_property(from, property)?;
        let names = self.evaluator.names;
        let owner = names.owner(&id).and_then(|id| self.evaluator.template.resource(&id));
        let Some(resource) = owner.filter(|it| it.kind.starts_with("AWS::ApiGateway::")) else {
            let message = format!("{} is no resource of this API", quote(&id));
            let problem =
                Diagnostic::error(from.place.clone(), from.property_path(property), message)
                    .help("write !Ref TheResource, or !GetAtt TheApi.RootResourceId");
            self.problems.add(problem);
            return None;
        };
        if resource.kind != "AWS::ApiGateway::Resource" || depth >= MAX_DEPTH {
            return Some("/".to_owned());
        }
        let parent = self.resource_path(resource, "ParentId", depth + 1)?;
        let part = self.text_property(resource, "PathPart")?;
        Some(format!("{}/{part}", parent.trim_end_matches('/')))
    }

    /// `Integration` of a method, or `x-amazon-apigateway-integration` with its keys in capitals.
    pub(super) fn rest_integration(&self, written: &Node, path: &str) -> Option<Answer> {
        let kind = written.get("Type").map(|node| self.evaluator.evaluate(node, path));
        let kind = kind.as_ref().and_then(Node::as_text)?.to_ascii_uppercase();
        match kind.as_str() {
            "AWS_PROXY" => {
                let path = format!("{path}.Uri");
                let uri = self.evaluator.evaluate(written.get("Uri")?, &path);
                self.function_of_uri(&uri, &path, Payload::V1)
            }
            "MOCK" => {
                Some(Answer::Fixed(self.mock(&self.evaluator.evaluate_leniently(written, path))))
            }
            kind => Some(self.not_run(kind, &written.place, path)),
        }
    }

    /// The one answer that a `MOCK` gives whatever is asked: preflights mostly. Its templates are
    /// passed on as they stand.
    fn mock(&self, integration: &Node) -> Fixed {
        let responses = integration.items_at("IntegrationResponses");
        let is_default = |it: &&Node| it.text_at("SelectionPattern").is_none_or(str::is_empty);
        let response = responses.iter().find(is_default).or(responses.first());
        let status = response.and_then(|it| it.get("StatusCode")?.as_text()?.parse().ok());
        let entries = |key: &str| response.and_then(|it| it.get(key)?.as_map()).unwrap_or_default();
        let headers = entries("ResponseParameters").iter().filter_map(|entry| {
            let name = entry.key.strip_prefix("method.response.header.")?;
            // A literal stands in single quotes; anything else would map what a MOCK does not have.
            let value = entry.value.as_text()?.strip_prefix('\'')?.strip_suffix('\'')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let headers: Vec<_> = headers.collect();
        let body =
            entries("ResponseTemplates").iter().find(|entry| entry.key == "application/json");
        let body = body.and_then(|entry| entry.value.as_text());
        // `#set($origin = …)`: Velocity, which adds headers and leaves no body.
        let body = body.filter(|text| !text.trim_start().starts_with('#')).unwrap_or_default();
        Fixed { status: status.unwrap_or(200), headers, body: body.to_owned() }
    }
}
