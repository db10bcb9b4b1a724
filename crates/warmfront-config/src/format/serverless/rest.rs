//! `http` events as the REST API, resources, methods, deployment and CORS preflights that the
//! framework deploys.

use super::events::METHODS;
use super::functions::{Writer, get_att, logical_id, reference};
use crate::document::{Entry, Node, quote};
use crate::place::Place;
use crate::report::Status;
use crate::suggest::did_you_mean;

const API: &str = "ApiGatewayRestApi";

impl Writer<'_> {
    pub(super) fn http_event(
        &mut self,
        details: Option<&Node>,
        function: &Entry,
        place: &Place,
        path: &str,
    ) {
        let settings = self.provider.settings.get("apiGateway");
        if settings.is_some_and(|it| it.get("restApiId").is_some()) {
            let reason = "the API belongs to another stack (provider.apiGateway.restApiId)";
            self.ledger.note(place, path, Status::Inert(reason.to_owned()));
            return;
        }
        // Before the route: who refers to the API has made no second mistake when the route is wrong.
        self.rest_api(place);
        let Some((method, route)) = self.method_of(details, place, path) else { return };
        self.ledger.note(place, path, Status::Effective);
        let read = ["authorizer", "cors", "integration", "method", "path", "private"];
        self.list_rest(details, &read, path);
        let id = logical_id(&function.key);
        let details = details.filter(|details| details.as_map().is_some());
        let detail = |key: &str| details.and_then(|details| details.get(key));
        let (resource, name) = self.rest_resource(&route, place);
        let kind = match detail("integration").and_then(Node::as_text).map(str::to_ascii_lowercase)
        {
            None => "AWS_PROXY",
            Some(kind) => match kind.as_str() {
                "lambda-proxy" | "lambda_proxy" | "aws-proxy" | "aws_proxy" => "AWS_PROXY",
                "http" => "HTTP",
                "http-proxy" | "http_proxy" => "HTTP_PROXY",
                "mock" => "MOCK",
                _ => "AWS",
            },
        };
        let integration = Node::map(
            [
                ("Type", Node::text(kind, place.clone())),
                ("Uri", get_att(&format!("{id}LambdaFunction"), "Arn", place)),
            ],
            place.clone(),
        );
        let mut properties = vec![
            ("RestApiId", reference(API, place)),
            ("ResourceId", resource.clone()),
            ("HttpMethod", Node::text(method.clone(), place.clone())),
            ("Integration", integration),
        ];
        if let Some(authorizer) = detail("authorizer") {
            properties.push(("AuthorizationType", Node::text("CUSTOM", authorizer.place.clone())));
        }
        if let Some(private) = detail("private") {
            properties.push(("ApiKeyRequired", private.clone()));
        }
        let method_id = format!("ApiGatewayMethod{name}{}", title(&method.to_ascii_lowercase()));
        if let Some(known) = self.ids.get(&method_id) {
            let route = quote(&format!("{method} {route}"));
            let message =
                format!("the route {route} is here for the second time (first at {known})");
            self.error(place, path, message);
            return;
        }
        let function_path = format!("functions.{}", function.key);
        let properties = Node::map(properties, place.clone());
        self.resource(&function_path, &method_id, "AWS::ApiGateway::Method", properties, place);
        if let Some(cors) = detail("cors").filter(|cors| cors.as_bool() != Some(false)) {
            self.preflight(cors, (resource, &name), &method, &function_path);
        }
    }

    /// Method and path of `'get hello'` or `{method: get, path: hello}`.
    fn method_of(
        &self,
        details: Option<&Node>,
        place: &Place,
        path: &str,
    ) -> Option<(String, String)> {
        let details = details.filter(|details| !details.is_null());
        if details.is_some_and(|details| details.value == crate::document::Value::Unknown) {
            return None;
        }
        let text = |key: &str| details?.get(key)?.as_text().map(str::to_owned);
        let found = match details.and_then(Node::as_text) {
            Some(line) => line
                .trim()
                .split_once(char::is_whitespace)
                .map(|(method, path)| (method.to_owned(), path.trim().to_owned())),
            None => text("method").zip(text("path")),
        };
        let Some((method, route)) = found else {
            let what = details.map_or("nothing".to_owned(), Node::describe);
            let message = format!(
                "an http event needs a method and a path, such as 'GET hello', found {what}"
            );
            self.error(place, path, message);
            return None;
        };
        let upper = if method == "*" { "ANY".to_owned() } else { method.to_ascii_uppercase() };
        if !METHODS.contains(&upper.as_str()) {
            let meant = did_you_mean(&upper, METHODS);
            self.error(place, path, format!("there is no method {}.{meant}", quote(&method)));
            return None;
        }
        Some((upper, format!("/{}", route.trim_matches('/'))))
    }

    /// The one REST API of a service, deployed to its stage.
    pub(super) fn rest_api(&mut self, place: &Place) {
        if self.ids.contains_key(API) {
            return;
        }
        let name = format!("{}-{}", self.provider.stage, self.service);
        let mut properties = vec![("Name", Node::text(name, place.clone()))];
        let settings = self.provider.settings.get("apiGateway");
        let setting = |key: &str| settings.and_then(|settings| settings.get(key));
        if let Some(types) = setting("binaryMediaTypes") {
            properties.push(("BinaryMediaTypes", types.clone()));
        }
        // Before version 3 it stood one level higher.
        let policy = setting("resourcePolicy");
        if let Some(policy) = policy.or_else(|| self.provider.settings.get("resourcePolicy")) {
            properties.push(("Policy", policy.clone()));
        }
        let path = "provider.apiGateway";
        let properties = Node::map(properties, place.clone());
        self.resource(path, API, "AWS::ApiGateway::RestApi", properties, place);
        let stage = self.provider.settings.get("stage").filter(|it| it.as_text().is_some());
        let stage = match stage {
            Some(written) if written.as_text() == Some(&self.provider.stage) => written.clone(),
            _ => Node::text(self.provider.stage.clone(), place.clone()),
        };
        let properties = [("RestApiId", reference(API, place)), ("StageName", stage)];
        let properties = Node::map(properties, place.clone());
        let kind = "AWS::ApiGateway::Deployment";
        self.resource(path, "ApiGatewayDeployment", kind, properties, place);
    }

    /// The resource of a path, and its part of the framework's logical ids: `HelloIdVar`.
    fn rest_resource(&mut self, path: &str, place: &Place) -> (Node, String) {
        let mut parent = get_att(API, "RootResourceId", place);
        let mut name = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            name.push_str(&part_name(part));
            let id = format!("ApiGatewayResource{name}");
            let properties = Node::map(
                [
                    ("RestApiId", reference(API, place)),
                    ("ParentId", parent),
                    ("PathPart", Node::text(part, place.clone())),
                ],
                place.clone(),
            );
            self.resource(
                "provider.apiGateway",
                &id,
                "AWS::ApiGateway::Resource",
                properties,
                place,
            );
            parent = reference(&id, place);
        }
        (parent, name)
    }

    /// `cors: true`, or a map: OPTIONS on the path, answered by the API itself.
    fn preflight(&mut self, cors: &Node, (resource, name): (Node, &str), method: &str, path: &str) {
        let place = &cors.place;
        let listed = |key: &str| -> Option<String> {
            let node = cors.get(key)?;
            let items = node.as_list().unwrap_or_default().iter().filter_map(Node::as_text);
            let items: Vec<&str> = items.collect();
            node.as_text()
                .map(str::to_owned)
                .or_else(|| (!items.is_empty()).then(|| items.join(",")))
        };
        let quoted = |text: String| Node::text(format!("'{text}'"), place.clone());
        let origin =
            listed("origin").or_else(|| listed("origins")).unwrap_or_else(|| "*".to_owned());
        let methods = listed("methods").unwrap_or_else(|| match method {
            "ANY" => "OPTIONS,DELETE,GET,HEAD,PATCH,POST,PUT".to_owned(),
            method => format!("OPTIONS,{method}"),
        });
        let headers = listed("headers").unwrap_or_else(|| DEFAULT_HEADERS.to_owned());
        let credentials = cors.get("allowCredentials").and_then(Node::as_bool) == Some(true);
        let mut parameters = vec![
            ("method.response.header.Access-Control-Allow-Origin", quoted(origin)),
            ("method.response.header.Access-Control-Allow-Headers", quoted(headers)),
            ("method.response.header.Access-Control-Allow-Methods", quoted(methods)),
        ];
        if credentials {
            let name = "method.response.header.Access-Control-Allow-Credentials";
            parameters.push((name, quoted("true".to_owned())));
        }
        if let Some(age) = cors.get("maxAge").and_then(Node::as_text) {
            let name = "method.response.header.Access-Control-Max-Age";
            parameters.push((name, quoted(age.to_owned())));
        }
        let response = Node::map(
            [
                ("StatusCode", Node::text("200", place.clone())),
                ("ResponseParameters", Node::map(parameters, place.clone())),
            ],
            place.clone(),
        );
        let integration = Node::map(
            [
                ("Type", Node::text("MOCK", place.clone())),
                ("IntegrationResponses", Node::list(vec![response], place.clone())),
            ],
            place.clone(),
        );
        let properties = Node::map(
            [
                ("RestApiId", reference(API, place)),
                ("ResourceId", resource),
                ("HttpMethod", Node::text("OPTIONS", place.clone())),
                ("Integration", integration),
            ],
            place.clone(),
        );
        let id = format!("ApiGatewayMethod{name}Options");
        self.resource(path, &id, "AWS::ApiGateway::Method", properties, place);
    }
}

/// What the framework allows unless it is told.
const DEFAULT_HEADERS: &str = "Content-Type,X-Amz-Date,Authorization,X-Api-Key,X-Amz-Security-Token,X-Amz-User-Agent,X-Amzn-Trace-Id";

/// The framework's name of a path's part: `{id}` is `IdVar`, `my-pets` is `MyDashpets`.
fn part_name(part: &str) -> String {
    let plain = part.replace('-', "Dash");
    match plain.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(variable) => format!("{}Var", title(&letters(variable))),
        None => title(&letters(&plain)),
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn title(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_logical_ids_are_those_of_the_framework() {
        for (part, name) in [
            ("hello", "Hello"),
            ("{id}", "IdVar"),
            ("{proxy+}", "ProxyVar"),
            ("my-pets", "MyDashpets"),
        ] {
            assert_eq!(part_name(part), name);
        }
    }
}
