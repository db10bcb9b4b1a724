//! `httpApi` events as the API, stage, integrations and routes that the framework deploys, and a
//! word about events that are not run here.

use super::functions::{Writer, call, get_att, logical_id, reference};
use super::keys::EVENTS;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, Value, quote};
use crate::place::Place;
use crate::report::Status;
use crate::suggest::{did_you_mean, listed, nearest};

/// What a route may have as its method, beside `*`.
pub(super) const METHODS: [&str; 8] =
    ["ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// What `cors: true` allows.
const DEFAULT_METHODS: &[&str] = &["OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE"];

impl Writer<'_> {
    pub(super) fn event(&mut self, event: &Node, function: &Entry, path: &str) {
        let (kind, details, place) = match &event.value {
            Value::Text { text, .. } => (text.as_str(), None, &event.place),
            Value::Map(entries) => match entries.as_slice() {
                [] => return,
                [entry, ..] => (entry.key.as_str(), Some(&entry.value), &entry.place),
            },
            _ => return,
        };
        match kind {
            "httpApi" => self.http_api_event(details, function, place, &format!("{path}.httpApi")),
            "http" => self.http_event(details, function, place, &format!("{path}.http")),
            "cloudFront" => {
                let problem = Diagnostic::error(
                    place.clone(),
                    format!("{path}.cloudFront"),
                    "cloudFront events are not read yet",
                )
                .help("write the distribution under resources.Resources");
                self.problems.add(problem);
            }
            _ => {
                if !EVENTS.contains(&kind)
                    && let Some(near) = nearest(kind, EVENTS)
                {
                    self.misspelt_event(kind, near, place, path);
                }
                let reason = "only httpApi and http events reach a local function".to_owned();
                self.ledger.note(place, &format!("{path}.{kind}"), Status::Inert(reason));
            }
        }
    }

    /// Lists what an event says beside what is read of it.
    pub(super) fn list_rest(&self, details: Option<&Node>, read: &[&str], path: &str) {
        for entry in details.and_then(Node::as_map).unwrap_or_default() {
            if !read.contains(&entry.key.as_str()) {
                let reason = "the local API does not act on it".to_owned();
                let path = format!("{path}.{}", entry.key);
                self.ledger.note(&entry.place, &path, Status::Inert(reason));
            }
        }
    }

    /// A route that is missing is an error, as a wrong route is; other events do not run anyway.
    fn misspelt_event(&mut self, kind: &str, near: &str, place: &Place, path: &str) {
        let message = format!("there is no event {}. Did you mean \"{near}\"?", quote(kind));
        let path = format!("{path}.{kind}");
        if near == "httpApi" {
            self.error(place, &path, message);
            self.http_api(place);
        } else {
            self.problems.add(Diagnostic::warning(place.clone(), path, message));
        }
    }

    fn http_api_event(
        &mut self,
        details: Option<&Node>,
        function: &Entry,
        place: &Place,
        path: &str,
    ) {
        if self.provider.settings.get("httpApi").is_some_and(|it| it.get("id").is_some()) {
            let reason = "the API belongs to another stack (provider.httpApi.id)".to_owned();
            self.ledger.note(place, path, Status::Inert(reason));
            return;
        }
        // Before the route: who refers to the API has made no second mistake when the route is wrong.
        self.http_api(place);
        let Some((method, route_path)) = self.route_of(details, place, path) else { return };
        self.ledger.note(place, path, Status::Effective);
        self.list_rest(details, &["authorizer", "method", "path"], path);
        let id = logical_id(&function.key);
        let function_path = format!("functions.{}", function.key);
        let integration = format!("HttpApiIntegration{id}");
        if !self.ids.contains_key(&integration) {
            let properties = Node::map(
                [
                    ("ApiId", reference("HttpApi", place)),
                    ("IntegrationType", Node::text("AWS_PROXY", place.clone())),
                    ("IntegrationUri", get_att(&format!("{id}LambdaFunction"), "Arn", place)),
                    ("PayloadFormatVersion", self.payload(&function.value, place)),
                ],
                place.clone(),
            );
            self.resource(
                &function_path,
                &integration,
                "AWS::ApiGatewayV2::Integration",
                properties,
                place,
            );
        }
        let is_default = route_path == "*" || route_path == "$default";
        let (route_id, route_key) = if is_default {
            ("HttpApiRouteDefault".to_owned(), "$default".to_owned())
        } else {
            let method = if method == "*" { "ANY".to_owned() } else { method.to_ascii_uppercase() };
            (route_id(&method, &route_path), format!("{method} {route_path}"))
        };
        if let Some(known) = self.ids.get(&route_id) {
            let message = format!(
                "the route {} is here for the second time (first at {})",
                quote(&route_key),
                known
            );
            self.error(place, path, message);
            return;
        }
        let target = Node::list(
            vec![Node::text("integrations/", place.clone()), reference(&integration, place)],
            place.clone(),
        );
        let target = call(
            "Fn::Join",
            Node::list(vec![Node::text("", place.clone()), target], place.clone()),
            place,
        );
        let mut properties = vec![
            ("ApiId", reference("HttpApi", place)),
            ("RouteKey", Node::text(route_key, place.clone())),
            ("Target", target),
        ];
        if let Some(authorizer) = details.and_then(|details| details.get("authorizer")) {
            properties.push(("AuthorizationType", Node::text("CUSTOM", authorizer.place.clone())));
        }
        let properties = Node::map(properties, place.clone());
        self.resource(&function_path, &route_id, "AWS::ApiGatewayV2::Route", properties, place);
    }

    /// Method and path of `'GET /x'`, `'*'` or `{method: get, path: /x}`.
    fn route_of(
        &self,
        details: Option<&Node>,
        place: &Place,
        path: &str,
    ) -> Option<(String, String)> {
        let details = match details {
            Some(details) if !details.is_null() => details,
            _ => {
                self.error(
                    place,
                    path,
                    "an httpApi event needs a route, such as 'GET /hello' or '*'",
                );
                return None;
            }
        };
        if details.value == Value::Unknown {
            return None;
        }
        if let Some(method) = details.get("method")
            && method.as_text().is_none()
            && method.value != Value::Unknown
        {
            // Read as missing it would mean any method, which nobody wrote.
            let message =
                format!("method is one of *, {}, not {}", listed(METHODS), method.describe());
            self.error(&method.place, path, message);
            return None;
        }
        let text = |key: &str| details.get(key).and_then(Node::as_text).map(str::to_owned);
        let found = match details.as_text() {
            Some("*") => Some(("*".to_owned(), "*".to_owned())),
            Some(route) => route
                .trim()
                .split_once(char::is_whitespace)
                .map(|(method, path)| (method.to_owned(), path.trim().to_owned())),
            None => match (text("method"), text("path")) {
                (method, Some(path)) => Some((method.unwrap_or_else(|| "*".to_owned()), path)),
                _ => None,
            },
        };
        let is_method =
            |method: &str| method == "*" || METHODS.contains(&method.to_ascii_uppercase().as_str());
        let is_path = |path: &str| path.starts_with('/') || path == "*" || path == "$default";
        match found {
            Some((method, route_path)) if is_method(&method) && is_path(&route_path) => {
                Some((method, route_path))
            }
            Some((method, route_path)) if is_path(&route_path) => {
                let message = format!(
                    "{} is no route: there is no method {}.{} (methods: *, {})",
                    details.describe(),
                    quote(&method),
                    did_you_mean(&method, METHODS),
                    listed(METHODS)
                );
                let place = &details.get("method").unwrap_or(details).place;
                self.error(place, path, message);
                None
            }
            _ => {
                let message = format!(
                    "{} is no route; write 'GET /hello', '* /hello' or '*'",
                    details.describe()
                );
                self.error(&details.place, path, message);
                None
            }
        }
    }

    /// The one HTTP API of a service, with its `$default` stage.
    fn http_api(&mut self, place: &Place) {
        if self.ids.contains_key("HttpApi") {
            return;
        }
        let name = format!("{}-{}", self.provider.stage, self.service);
        let properties = Node::map(
            [
                ("Name", Node::text(name, place.clone())),
                ("ProtocolType", Node::text("HTTP", place.clone())),
            ],
            place.clone(),
        );
        let properties = self.with_cors(properties);
        self.resource("provider.httpApi", "HttpApi", "AWS::ApiGatewayV2::Api", properties, place);
        let properties = Node::map(
            [
                ("ApiId", reference("HttpApi", place)),
                ("StageName", Node::text("$default", place.clone())),
            ],
            place.clone(),
        );
        self.resource(
            "provider.httpApi",
            "HttpApiStage",
            "AWS::ApiGatewayV2::Stage",
            properties,
            place,
        );
    }

    /// `provider.httpApi.cors` as the API's `CorsConfiguration`.
    fn with_cors(&self, mut properties: Node) -> Node {
        let cors = self.provider.settings.get("httpApi").and_then(|api| api.get("cors"));
        let Some(cors) = cors.filter(|cors| cors.as_bool() != Some(false)) else {
            return properties;
        };
        let written = super::cors::settings(cors, DEFAULT_METHODS);
        if let Value::Map(entries) = &mut properties.value {
            let key = "CorsConfiguration".to_owned();
            entries.push(Entry { key, place: cors.place.clone(), value: written });
        }
        properties
    }

    /// The payload format: the function's own word, or the provider's for all.
    fn payload(&self, function: &Node, place: &Place) -> Node {
        let written = [function, &self.provider.settings]
            .into_iter()
            .find_map(|level| level.get("httpApi")?.get("payload"));
        written.cloned().unwrap_or_else(|| Node::text("2.0", place.clone()))
    }
}

/// The framework's logical id of a route: `GET /pets/{id}` is `HttpApiRouteGetPetsIdVar`.
fn route_id(method: &str, path: &str) -> String {
    let title = |text: &str| {
        let mut chars = text.chars();
        chars
            .next()
            .map_or(String::new(), |first| first.to_ascii_uppercase().to_string() + chars.as_str())
    };
    let mut id = format!("HttpApiRoute{}", title(&method.to_ascii_lowercase()));
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let variable = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let clean = |text: &str| {
            let text = text.replace('-', "Dash").replace('_', "Underscore").replace('+', "");
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { 'X' })
                .collect::<String>()
        };
        match variable {
            Some(name) => id.push_str(&format!("{}Var", title(&clean(name)))),
            None => id.push_str(&title(&clean(part))),
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logical_ids_of_routes_are_those_of_the_framework() {
        for (method, path, id) in [
            ("GET", "/hello", "HttpApiRouteGetHello"),
            ("ANY", "/pets/{id}", "HttpApiRouteAnyPetsIdVar"),
            ("GET", "/", "HttpApiRouteGet"),
        ] {
            assert_eq!(route_id(method, path), id);
        }
    }
}
