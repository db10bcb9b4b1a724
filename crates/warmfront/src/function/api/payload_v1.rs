//! Events of payload format 1.0 (API Gateway guide: Lambda proxy integrations for REST APIs, and for
//! HTTP APIs with `PayloadFormatVersion: 1.0`). What is absent is null, as API Gateway has it.

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use serde_json::{Map, Value, json};
use warmfront_core::api::ApiKind;

use super::event::{Event, common_log_time, percent_decoded, query_pairs, text};

impl Event<'_> {
    /// The event as JSON.
    pub(super) fn to_json_v1(&self) -> String {
        let is_rest = self.api.kind == ApiKind::Rest;
        let (api_id, domain) = (self.api_id(), &self.api.domain_name);
        let whole_path = self.head.uri.path();
        // A REST API tells the path without its stage, as it came; an HTTP API decoded and with it.
        let path = match is_rest {
            true => self.found.path.to_owned(),
            false => percent_decoded(whole_path, false).into_owned(),
        };
        let resource = self.found.route.path.as_str();
        let (query, query_lists) = folded(query_pairs(self.head.uri.query().unwrap_or_default()));
        let (headers, header_lists) = folded(self.header_pairs(is_rest).into_iter());
        let parameters = self.found.parameters.iter();
        let parameters: Map<String, Value> =
            parameters.map(|(name, value)| (name.clone(), json!(value))).collect();
        let is_text = match is_rest {
            true => !is_binary(&self.api.binary_media_types, self.media_types()),
            false => self.is_text(),
        };
        let (body, is_base64) = self.body(is_text).unwrap_or((Value::Null, false));
        let user_agent = self.head.headers.get(USER_AGENT).map(text);
        let mut event = json!({
            "resource": resource,
            "path": path,
            "httpMethod": self.head.method.as_str(),
            "headers": or_null(headers),
            "multiValueHeaders": or_null(header_lists),
            "queryStringParameters": or_null(query),
            "multiValueQueryStringParameters": or_null(query_lists),
            "pathParameters": or_null(parameters),
            "stageVariables": null,
            "requestContext": {
                "accountId": self.account,
                "apiId": api_id,
                "domainName": domain,
                "domainPrefix": api_id,
                "extendedRequestId": self.request_id,
                "httpMethod": self.head.method.as_str(),
                "identity": {
                    "accessKey": null,
                    "accountId": null,
                    "caller": null,
                    "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null,
                    "cognitoIdentityId": null,
                    "cognitoIdentityPoolId": null,
                    "principalOrgId": null,
                    "sourceIp": self.viewer.to_string(),
                    "user": null,
                    "userAgent": user_agent,
                    "userArn": null,
                },
                "path": if is_rest { whole_path } else { &path },
                "protocol": "HTTP/1.1",
                "requestId": self.request_id,
                "requestTime": common_log_time(self.now),
                "requestTimeEpoch": self.epoch_milliseconds(),
                "resourceId": if is_rest { resource.to_owned() } else { super::event::route_key(self.found.route) },
                "resourcePath": resource,
                "stage": self.found.stage,
            },
            "body": body,
            "isBase64Encoded": is_base64,
        });
        if !is_rest {
            event["version"] = "1.0".into();
        }
        event.to_string()
    }

    /// Every header line, cookies among them. A REST API hands names on as they are written on an
    /// HTTP/1 connection, an HTTP API in lower case.
    fn header_pairs(&self, as_written: bool) -> Vec<(String, String)> {
        let spelled = |name: &str| if as_written { title_case(name) } else { name.to_owned() };
        let lines = self.head.headers.iter();
        let mut pairs: Vec<(String, String)> =
            lines.map(|(name, value)| (spelled(name.as_str()), text(value).into_owned())).collect();
        let mut add = |name: &str, value: String| {
            if !self.head.headers.contains_key(name) {
                pairs.push((spelled(name), value));
            }
        };
        add("x-forwarded-for", self.viewer.to_string());
        // An API is https only, on the one port.
        add("x-forwarded-proto", "https".to_owned());
        add("x-forwarded-port", "443".to_owned());
        if !self.body.is_empty() {
            add(CONTENT_LENGTH.as_str(), self.body.len().to_string());
        }
        pairs
    }

    /// The types that decide whether a REST API takes a body for binary: its own, and the wanted one's.
    fn media_types(&self) -> impl Iterator<Item = &str> {
        let headers = &self.head.headers;
        [CONTENT_TYPE, ACCEPT].into_iter().filter_map(|name| headers.get(name)?.to_str().ok())
    }
}

/// Whether one of `types` (the first of each list counts) is among the `BinaryMediaTypes`.
pub(super) fn is_binary<'t>(binary: &[String], mut types: impl Iterator<Item = &'t str>) -> bool {
    let fits = |given: &str, rule: &String| match rule.strip_suffix('*') {
        Some("" | "*/") => true,
        Some(start) => given.starts_with(&start.to_ascii_lowercase()),
        None => given.eq_ignore_ascii_case(rule),
    };
    if binary.iter().any(|rule| rule == "*/*") {
        return true;
    }
    types.any(|given| {
        let first = given.split([',', ';']).next().unwrap_or_default().trim().to_ascii_lowercase();
        binary.iter().any(|rule| fits(&first, rule))
    })
}

/// The last value of each name, and all of them.
fn folded(
    pairs: impl Iterator<Item = (String, String)>,
) -> (Map<String, Value>, Map<String, Value>) {
    let (mut single, mut lists) = (Map::new(), Map::new());
    for (name, value) in pairs {
        let list = lists.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = list {
            values.push(value.clone().into());
        }
        single.insert(name, value.into());
    }
    (single, lists)
}

fn or_null(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

/// `x-forwarded-for` as `X-Forwarded-For`.
fn title_case(name: &str) -> String {
    let part = |part: &str| {
        let mut chars = part.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};
    use warmfront_core::api::{Answer, Api, Fixed, Match, Route};

    fn event(
        kind: ApiKind,
        stage: &str,
        binary: &[&str],
        request: http::request::Builder,
    ) -> Value {
        let answer = Answer::Fixed(Fixed { status: 200, headers: vec![], body: String::new() });
        let route = Route { method: None, path: "/pets/{id}".into(), answer };
        let api = Api {
            logical_id: "Api".into(),
            domain_name: "api1.execute-api.us-east-1.amazonaws.com".into(),
            kind,
            stages: vec![stage.into()],
            binary_media_types: binary.iter().map(|it| (*it).to_owned()).collect(),
            cors: None,
            routes: vec![],
        };
        let head = request.body(()).unwrap().into_parts().0;
        let found = Match {
            route: &route,
            parameters: vec![("id".into(), "a%20b".into())],
            stage,
            path: "/pets/a%20b",
        };
        let event = Event {
            api: &api,
            found: &found,
            account: "000000000000",
            viewer: "192.0.2.7".parse().unwrap(),
            request_id: "id-1",
            now: UNIX_EPOCH + Duration::from_millis(1_583_348_638_390),
            head: &head,
            body: b"{}",
        };
        serde_json::from_str(&event.to_json_v1()).unwrap()
    }

    fn request() -> http::request::Builder {
        http::Request::post("/dev/pets/a%20b?x=1&x=2&y=%C3%A4+b")
            .header("Host", "api1.execute-api.us-east-1.amazonaws.com")
            .header("Cookie", "a=1")
            .header("X-Two", "one")
            .header("X-Two", "two")
            .header("Content-Type", "application/json")
    }

    #[test]
    fn an_event_of_a_rest_api_looks_like_api_gateways() {
        let event = event(ApiKind::Rest, "dev", &[], request());
        let headers = json!({
            "Host": "api1.execute-api.us-east-1.amazonaws.com",
            "Cookie": "a=1",
            "X-Two": "two",
            "Content-Type": "application/json",
            "X-Forwarded-For": "192.0.2.7",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Port": "443",
            "Content-Length": "2",
        });
        for (key, expected) in [
            ("resource", json!("/pets/{id}")),
            ("path", json!("/pets/a%20b")),
            ("httpMethod", json!("POST")),
            ("headers", headers),
            ("queryStringParameters", json!({ "x": "2", "y": "ä b" })),
            ("multiValueQueryStringParameters", json!({ "x": ["1", "2"], "y": ["ä b"] })),
            ("pathParameters", json!({ "id": "a%20b" })),
            ("stageVariables", Value::Null),
            ("body", json!("{}")),
            ("isBase64Encoded", json!(false)),
            ("version", Value::Null),
        ] {
            assert_eq!(event[key], expected, "{key}");
        }
        assert_eq!(event["multiValueHeaders"]["X-Two"], json!(["one", "two"]));
        let context = &event["requestContext"];
        for (key, expected) in [
            ("path", json!("/dev/pets/a%20b")),
            ("stage", json!("dev")),
            ("resourcePath", json!("/pets/{id}")),
            ("httpMethod", json!("POST")),
            ("requestTimeEpoch", json!(1_583_348_638_390_u64)),
            ("apiId", json!("api1")),
        ] {
            assert_eq!(context[key], expected, "{key}");
        }
        assert_eq!(context["identity"]["sourceIp"], "192.0.2.7");
    }

    #[test]
    fn an_http_api_tells_its_version_and_lower_case_names() {
        let event = event(ApiKind::Http, "$default", &[], request());
        assert_eq!((&event["version"], &event["path"]), (&json!("1.0"), &json!("/dev/pets/a b")));
        assert_eq!(event["headers"]["x-two"], "two");
    }

    #[test]
    fn binary_media_types_decide_over_base64() {
        for (binary, accept, expected) in [
            (&[][..], "*/*", false),
            (&["*/*"], "", true),
            (&["application/json"], "", true),
            (&["image/*"], "", false),
            (&["image/*"], "image/png,text/html", true),
            (&["image/*"], "text/html,image/png", false),
        ] {
            let event = event(ApiKind::Rest, "dev", binary, request().header("Accept", accept));
            assert_eq!(event["isBase64Encoded"], expected, "{binary:?} {accept}");
            assert_eq!(event["body"], if expected { "e30=" } else { "{}" });
        }
    }
}
