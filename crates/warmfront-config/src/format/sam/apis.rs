//! `AWS::Serverless::HttpApi` and `AWS::Serverless::Api` as the APIs and stages that SAM deploys.

use super::{Expander, STAGE, get_att, plain, reference};
use crate::document::{Entry, Node, Value};
use crate::template::Resource;

impl Expander<'_> {
    pub(super) fn http_api(&mut self, written: Resource) {
        let properties = self.apis.get(&written.id).cloned().unwrap_or(written.properties.clone());
        let place = written.place.clone();
        let mut kept = Vec::new();
        for entry in properties.as_map().unwrap_or_default() {
            match entry.key.as_str() {
                "StageName" => {}
                "CorsConfiguration" => kept.extend(cors(entry)),
                // Its authorizers are asked for route by route.
                "Auth" if entry.value.get("DefaultAuthorizer").is_some() => {}
                "DefinitionBody" => kept.push(renamed(entry, "Body")),
                "DefinitionUri" => kept.push(renamed(entry, "BodyS3Location")),
                _ => kept.push(entry.clone()),
            }
        }
        protect_definition(&mut kept, properties.entry("Auth"));
        let api = Resource {
            kind: "AWS::ApiGatewayV2::Api".to_owned(),
            properties: Node { value: Value::Map(kept), ..properties.clone() },
            ..written.clone()
        };
        self.made.push(api);
        let stage = properties.get("StageName").cloned();
        let id = match stage.as_ref().and_then(Node::as_text) {
            None | Some("$default") => format!("{}ApiGatewayDefaultStage", written.id),
            Some(name) => format!("{}{}Stage", written.id, plain(name)),
        };
        let stage = stage.unwrap_or_else(|| Node::text("$default", place.clone()));
        let parts = [("ApiId", reference(&written.id, &place)), ("StageName", stage)];
        let parts = Node::map(parts, place);
        self.add(&id, "AWS::ApiGatewayV2::Stage", &written.path, parts, &written);
    }

    pub(super) fn rest_api(&mut self, written: Resource) {
        let properties = self.apis.get(&written.id).cloned().unwrap_or(written.properties.clone());
        let place = written.place.clone();
        let mut kept = Vec::new();
        for entry in properties.as_map().unwrap_or_default() {
            match entry.key.as_str() {
                // Read below, for its methods, or route by route.
                "StageName" | "Cors" => {}
                "Auth" => {
                    kept.extend(entry.value.entry("ResourcePolicy").map(|it| renamed(it, "Policy")))
                }
                "DefinitionBody" => kept.push(renamed(entry, "Body")),
                "DefinitionUri" => kept.push(renamed(entry, "BodyS3Location")),
                _ => kept.push(entry.clone()),
            }
        }
        protect_definition(&mut kept, properties.entry("Auth"));
        let api = Resource {
            kind: "AWS::ApiGateway::RestApi".to_owned(),
            properties: Node { value: Value::Map(kept), ..properties.clone() },
            ..written.clone()
        };
        self.made.push(api);
        // The stage of the implicit API.
        let stage = properties.get("StageName").cloned();
        let stage = stage.unwrap_or_else(|| Node::text("Prod", place.clone()));
        let id = format!("{}{}Stage", written.id, stage.as_text().map(plain).unwrap_or_default());
        let named = Node::map([("StageName", stage.clone())], place.clone());
        self.add(&format!("{}.Stage", written.id), STAGE, &written.path, named, &written);
        let parts = [("RestApiId", reference(&written.id, &place)), ("StageName", stage)];
        let parts = Node::map(parts, place);
        self.add(&id, "AWS::ApiGateway::Stage", &written.path, parts, &written);
    }

    /// The id of a path's resource in a REST API; what is missing of the tree is made.
    pub(super) fn rest_resource(&mut self, api: &str, path: &str, like: &Resource) -> Node {
        let place = &like.place;
        let mut parent = get_att(api, "RootResourceId", place);
        let mut whole = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            whole = format!("{whole}/{part}");
            let key = (api.to_owned(), whole.clone());
            if let Some(known) = self.paths.get(&key) {
                parent = reference(known, place);
                continue;
            }
            let id = self.free_id(format!("{api}Resource{}", plain(&whole)));
            self.paths.insert(key, id.clone());
            let parts = [
                ("RestApiId", reference(api, place)),
                ("ParentId", parent),
                ("PathPart", Node::text(part, place.clone())),
            ];
            let parts = Node::map(parts, place.clone());
            let like = Resource { condition: None, ..like.clone() };
            self.add(&id, "AWS::ApiGateway::Resource", &like.path, parts, &like);
            parent = reference(&id, place);
        }
        parent
    }

    /// The OPTIONS method that `Cors` of a REST API adds to each path.
    pub(super) fn preflight(&mut self, api: &str, path: &str, resource: Node, like: &Resource) {
        let Some(cors) = self.apis.get(api).and_then(|api| api.get("Cors")).cloned() else {
            return;
        };
        if !self.preflights.insert((api.to_owned(), path.trim_end_matches('/').to_owned())) {
            return;
        }
        let id = self.free_id(format!("{api}{}OptionsMethod", plain(path)));
        let place = cors.place.clone();
        let quoted = |text: &str| Node::text(format!("'{text}'"), place.clone());
        let own = |key: &str| cors.get(key).cloned();
        // Text stands for the origin alone.
        let origin = if cors.as_map().is_some_and(|it| cors.get("Ref").is_none() && !it.is_empty())
        {
            own("AllowOrigin").unwrap_or_else(|| quoted("*"))
        } else {
            cors.clone()
        };
        let methods =
            own("AllowMethods").unwrap_or_else(|| quoted("DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"));
        let mut headers = vec![
            ("method.response.header.Access-Control-Allow-Origin", origin),
            ("method.response.header.Access-Control-Allow-Methods", methods),
        ];
        let rest = [
            ("AllowHeaders", "method.response.header.Access-Control-Allow-Headers"),
            ("MaxAge", "method.response.header.Access-Control-Max-Age"),
        ];
        headers.extend(rest.into_iter().filter_map(|(key, name)| Some((name, own(key)?))));
        if cors.get("AllowCredentials").and_then(Node::as_bool) == Some(true) {
            headers
                .push(("method.response.header.Access-Control-Allow-Credentials", quoted("true")));
        }
        let response = Node::map(
            [
                ("StatusCode", Node::text("200", place.clone())),
                ("ResponseParameters", Node::map(headers, place.clone())),
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
        let parts = Node::map(
            [
                ("RestApiId", reference(api, &place)),
                ("ResourceId", resource),
                ("HttpMethod", Node::text("OPTIONS", place.clone())),
                ("Integration", integration),
            ],
            place.clone(),
        );
        self.add(&id, "AWS::ApiGateway::Method", &like.path, parts, like);
    }
}

/// What `Auth` asks of every route it asks of those in `Body`, too, unless they say something themselves.
fn protect_definition(api: &mut [Entry], auth: Option<&Entry>) {
    let Some(auth) = auth else { return };
    let authorizer = auth.value.get("DefaultAuthorizer");
    let names_one = authorizer.is_some_and(|it| !it.is_null() && it.as_text() != Some("NONE"));
    let needs_key = auth.value.get("ApiKeyRequired").and_then(Node::as_bool) == Some(true);
    let body = api.iter_mut().find(|entry| entry.key == "Body");
    let Some(Value::Map(definition)) = body.map(|body| &mut body.value.value) else { return };
    let says_it = definition.iter().any(|entry| entry.key == "security");
    if (names_one || needs_key) && !says_it {
        let place = auth.place.clone();
        let one = Node::map([("Auth", Node::list(Vec::new(), place.clone()))], place.clone());
        let value = Node::list(vec![one], place.clone());
        definition.push(Entry { key: "security".to_owned(), place, value });
    }
}

/// `true` is any origin; a map says which.
fn cors(entry: &Entry) -> Option<Entry> {
    match entry.value.as_bool() {
        Some(false) => None,
        Some(true) => {
            let place = entry.value.place.clone();
            let any = Node::list(vec![Node::text("*", place.clone())], place.clone());
            let value = Node::map([("AllowOrigins", any)], place);
            Some(Entry { value, ..entry.clone() })
        }
        None => Some(entry.clone()),
    }
}

fn renamed(entry: &Entry, key: &str) -> Entry {
    Entry { key: key.to_owned(), ..entry.clone() }
}
