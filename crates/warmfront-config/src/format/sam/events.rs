//! `Events` of a function: `HttpApi` and `Api` as routes and methods; the others are listed.

use super::{
    Expander, HTTP_API, IMPLICIT_HTTP_API, IMPLICIT_REST_API, REST_API, call, get_att, plain,
    reference,
};
use crate::document::{Entry, Node, quote};
use crate::report::Status;
use crate::suggest::nearest;
use crate::template::Resource;

impl Expander<'_> {
    pub(super) fn event(&mut self, function: &Resource, event: &Entry, path: &str) {
        match event.value.get("Type").and_then(Node::as_text) {
            Some("HttpApi") => self.http_api_event(function, event, path),
            Some("Api") => self.api_event(function, event, path),
            Some(kind) if OTHERS.contains(&kind) => {
                let reason = "only HttpApi and Api events reach a local function";
                self.inert(&event.place, path.to_owned(), reason);
            }
            Some(kind) => {
                let known = OTHERS.iter().copied().chain(["HttpApi", "Api"]);
                let meant = nearest(kind, known)
                    .map_or(String::new(), |near| format!(" Did you mean \"{near}\"?"));
                let message = format!("AWS SAM has no event of type {}.{meant}", quote(kind));
                self.error(&event.place, format!("{path}.Type"), message);
            }
            None => {}
        }
    }

    fn http_api_event(&mut self, function: &Resource, event: &Entry, path: &str) {
        let place = &event.place;
        let properties = properties(event);
        let api = self.api_of(&properties, "ApiId", IMPLICIT_HTTP_API, function);
        let text = |key: &str| properties.get(key).and_then(Node::as_text);
        let key = match (text("Method"), text("Path")) {
            (_, Some("$default")) | (None, None) => "$default".to_owned(),
            (method, Some(path)) => format!("{} {path}", verb(method.unwrap_or("ANY"))),
            (Some(_), None) => {
                self.error(place, format!("{path}.Properties.Path"), "Path is missing".to_owned());
                return;
            }
        };
        self.list_rest(&properties, &HTTP_API_READ, path);
        let id = format!("{}{}", function.id, plain(&event.key));
        let payload = properties.get("PayloadFormatVersion").cloned();
        let integration = Node::map(
            [
                ("ApiId", api.clone()),
                ("IntegrationType", Node::text("AWS_PROXY", place.clone())),
                ("IntegrationUri", get_att(&function.id, "Arn", place)),
                (
                    "PayloadFormatVersion",
                    payload.unwrap_or_else(|| Node::text("2.0", place.clone())),
                ),
            ],
            place.clone(),
        );
        let integration_id = self.free_id(format!("{id}Integration"));
        let kind = "AWS::ApiGatewayV2::Integration";
        self.add(&integration_id, kind, path, integration, function);
        let mut route = vec![
            ("ApiId", api.clone()),
            ("RouteKey", Node::text(key, place.clone())),
            ("Target", call("Fn::Sub", &format!("integrations/${{{integration_id}}}"), place)),
        ];
        route.extend(self.authorization(&properties, &api, event));
        let route = Node::map(route, place.clone());
        let id = self.free_id(format!("{id}Route"));
        self.add(&id, "AWS::ApiGatewayV2::Route", path, route, function);
        self.note(place, path.to_owned(), Status::Effective);
    }

    fn api_event(&mut self, function: &Resource, event: &Entry, path: &str) {
        let place = &event.place;
        let properties = properties(event);
        let api = self.api_of(&properties, "RestApiId", IMPLICIT_REST_API, function);
        let text = |key: &str| properties.get(key).and_then(Node::as_text);
        let (Some(method), Some(route)) = (text("Method"), text("Path")) else {
            let message = "an Api event needs Path and Method".to_owned();
            self.error(place, format!("{path}.Properties"), message);
            return;
        };
        let Some(api_id) = api.get("Ref").and_then(Node::as_text).map(str::to_owned) else {
            let reason = "the API belongs to another stack";
            self.inert(place, path.to_owned(), reason);
            return;
        };
        let resource = self.rest_resource(&api_id, route, function);
        let integration = Node::map(
            [
                ("Type", Node::text("AWS_PROXY", place.clone())),
                ("Uri", get_att(&function.id, "Arn", place)),
            ],
            place.clone(),
        );
        let mut parts = vec![
            ("RestApiId", api.clone()),
            ("ResourceId", resource.clone()),
            ("HttpMethod", Node::text(verb(method), place.clone())),
            ("Integration", integration),
        ];
        parts.extend(self.authorization(&properties, &api, event));
        self.list_rest(&properties, &API_READ, path);
        let id = self.free_id(format!("{}{}Method", function.id, plain(&event.key)));
        let parts = Node::map(parts, place.clone());
        self.add(&id, "AWS::ApiGateway::Method", path, parts, function);
        self.preflight(&api_id, route, resource, function);
        self.note(place, path.to_owned(), Status::Effective);
    }

    /// Lists what an event says beside what is read of it.
    fn list_rest(&mut self, properties: &Node, read: &[&str], path: &str) {
        for entry in properties.as_map().unwrap_or_default() {
            if !read.contains(&entry.key.as_str()) {
                let path = format!("{path}.Properties.{}", entry.key);
                self.inert(&entry.place, path, "the local API does not act on it");
            }
        }
    }

    /// The API that an event names, or the implicit one, which is made when it is needed first.
    fn api_of(
        &mut self,
        properties: &Node,
        key: &str,
        implicit: &str,
        function: &Resource,
    ) -> Node {
        if let Some(named) = properties.get(key) {
            return match named.as_text() {
                // SAM takes a plain logical id for a reference.
                Some(id) if self.apis.contains_key(id) => reference(id, &named.place),
                _ => named.clone(),
            };
        }
        if !self.known.contains(implicit) {
            let is_http = implicit == IMPLICIT_HTTP_API;
            let kind = if is_http { HTTP_API } else { REST_API };
            let empty = || Node::map([], function.place.clone());
            let properties = self.apis.entry(implicit.to_owned()).or_insert_with(empty).clone();
            self.known.insert(implicit.to_owned());
            let api = Resource {
                id: implicit.to_owned(),
                kind: kind.to_owned(),
                path: "Globals".to_owned(),
                properties,
                condition: None,
                depends_on: None,
                is_generated: true,
                place: function.place.clone(),
                known: Default::default(),
            };
            if is_http { self.http_api(api) } else { self.rest_api(api) }
        }
        reference(implicit, &function.place)
    }

    /// What a route says of who may call it: the event's word, else the API's.
    fn authorization(
        &self,
        properties: &Node,
        api: &Node,
        event: &Entry,
    ) -> Vec<(&'static str, Node)> {
        let api = api.get("Ref").and_then(Node::as_text).and_then(|id| self.apis.get(id));
        let general = api.and_then(|api| api.get("Auth"));
        let own = properties.get("Auth");
        let mut said = Vec::new();
        let authorizer = own
            .and_then(|auth| auth.get("Authorizer"))
            .or_else(|| general?.get("DefaultAuthorizer"));
        if let Some(authorizer) = authorizer.filter(|it| it.as_text() != Some("NONE")) {
            said.push(("AuthorizationType", Node::text("CUSTOM", authorizer.place.clone())));
        }
        let of = |auth: Option<&Node>| auth.and_then(|auth| auth.get("ApiKeyRequired")).cloned();
        if let Some(required) = of(own).or_else(|| of(general)) {
            said.push(("ApiKeyRequired", required));
        }
        if said.is_empty() && own.is_some_and(|auth| auth.get("ResourcePolicy").is_some()) {
            said.push(("AuthorizationType", Node::text("CUSTOM", event.place.clone())));
        }
        said
    }
}

fn properties(event: &Entry) -> Node {
    let empty = || Node::map([], event.place.clone());
    event.value.get("Properties").filter(|it| !it.is_null()).cloned().unwrap_or_else(empty)
}

fn verb(method: &str) -> String {
    match method {
        "*" | "x-amazon-apigateway-any-method" => "ANY".to_owned(),
        method => method.to_ascii_uppercase(),
    }
}

/// Properties of `HttpApi` events that are read.
const HTTP_API_READ: [&str; 5] = ["ApiId", "Auth", "Method", "Path", "PayloadFormatVersion"];

/// Properties of `Api` events that are read.
const API_READ: [&str; 4] = ["Auth", "Method", "Path", "RestApiId"];

/// Event types that reach no local function.
const OTHERS: [&str; 20] = [
    "AlexaSkill",
    "CloudWatchEvent",
    "CloudWatchLogs",
    "Cognito",
    "DocumentDB",
    "DynamoDB",
    "EventBridgeRule",
    "IoTRule",
    "Kinesis",
    "MQ",
    "MSK",
    "S3",
    "SNS",
    "SQS",
    "Schedule",
    "ScheduleV2",
    "SelfManagedKafka",
    "WebSocket",
    "LambdaLayer",
    "Function",
];
