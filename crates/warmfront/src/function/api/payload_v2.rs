//! Events of payload format 2.0 (API Gateway guide: Lambda proxy integrations for HTTP APIs; Lambda
//! guide: function URLs).

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, COOKIE, USER_AGENT};
use serde_json::{Map, Value, json};
use warmfront_core::api::ApiKind;

use super::event::{Event, common_log_time, percent_decoded, query_pairs, route_key, text};

impl Event<'_> {
    /// The event as JSON. Absent things are absent, not null, as API Gateway has it.
    pub(super) fn to_json_v2(&self) -> String {
        let route_key = route_key(self.found.route);
        // HTTP APIs decode the path and leave the query string alone; function URLs leave both (as real
        // events show: middleapi/standard-server#93, fastify/aws-lambda-fastify#169).
        let path = match self.api.kind {
            ApiKind::Url => Cow::Borrowed(self.head.uri.path()),
            ApiKind::Http | ApiKind::Rest => percent_decoded(self.head.uri.path(), false),
        };
        let query = self.head.uri.query().unwrap_or_default();
        let domain = &self.api.domain_name;
        let prefix = self.api_id();
        let user_agent = self.head.headers.get(USER_AGENT).map(text).unwrap_or_default();
        let mut event = json!({
            "version": "2.0",
            "routeKey": route_key,
            "rawPath": path,
            "rawQueryString": query,
            "headers": self.headers_without_cookies(),
            "requestContext": {
                "accountId": self.account,
                "apiId": prefix,
                "domainName": domain,
                "domainPrefix": prefix,
                "http": {
                    "method": self.head.method.as_str(),
                    "path": path,
                    "protocol": "HTTP/1.1",
                    "sourceIp": self.viewer.to_string(),
                    "userAgent": user_agent,
                },
                "requestId": self.request_id,
                "routeKey": route_key,
                "stage": self.found.stage,
                "time": common_log_time(self.now),
                "timeEpoch": self.epoch_milliseconds(),
            },
            "isBase64Encoded": false,
        });
        let cookies = cookies(&self.head.headers);
        if !cookies.is_empty() {
            event["cookies"] = cookies.into();
        }
        let parameters = query_parameters(query);
        if !parameters.is_empty() {
            event["queryStringParameters"] = parameters.into();
        }
        if !self.found.parameters.is_empty() {
            let parameters = self.found.parameters.iter();
            event["pathParameters"] =
                parameters.map(|(name, value)| (name.clone(), json!(value))).collect();
        }
        if let Some((body, is_base64)) = self.body(self.is_text()) {
            event["body"] = body;
            event["isBase64Encoded"] = is_base64.into();
        }
        event.to_string()
    }

    /// Lower-case names, values of one name joined with commas, cookies apart, and what API Gateway adds.
    fn headers_without_cookies(&self) -> Map<String, Value> {
        let mut headers = Map::new();
        for name in self.head.headers.keys().filter(|name| *name != COOKIE) {
            let values: Vec<_> = self.head.headers.get_all(name).iter().map(text).collect();
            headers.insert(name.as_str().to_owned(), values.join(",").into());
        }
        let mut add = |name: &str, value: String| {
            headers.entry(name).or_insert_with(|| value.into());
        };
        add("x-forwarded-for", self.viewer.to_string());
        // An API is https only, on the one port.
        add("x-forwarded-proto", "https".to_owned());
        add("x-forwarded-port", "443".to_owned());
        if !self.body.is_empty() {
            add(CONTENT_LENGTH.as_str(), self.body.len().to_string());
        }
        headers
    }
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter().map(text).collect::<Vec<_>>();
    let parts = lines.iter().flat_map(|line| line.split(';'));
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn query_parameters(query: &str) -> Map<String, Value> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in query_pairs(query) {
        parameters
            .entry(name)
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.clone());
    }
    parameters.into_iter().map(|(name, value)| (name, value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::{Duration, UNIX_EPOCH};

    use http::HeaderValue;
    use warmfront_core::api::{Answer, Api, DEFAULT_STAGE, Match, Payload, Route};
    use warmfront_core::function::{Code, Function, Runtime};

    fn event(request: http::request::Builder, body: &[u8]) -> Value {
        event_of(ApiKind::Http, request, body)
    }

    fn event_of(kind: ApiKind, request: http::request::Builder, body: &[u8]) -> Value {
        let function = Function {
            logical_id: "Hello".into(),
            name: "hello".into(),
            runtime: Runtime::Node("nodejs20.x".into()),
            handler: "index.handler".into(),
            code: Code::Inline(String::new()),
            environment: Vec::new(),
            timeout: Duration::from_secs(3),
            memory_mib: 128,
            concurrency: None,
        };
        let function = Arc::new(function);
        let answer = Answer::Function { function, payload: Payload::V2 };
        let route = Route { method: None, path: "/{proxy+}".into(), answer };
        let domain_name = "api1.execute-api.us-east-1.amazonaws.com".to_owned();
        let api = Api {
            logical_id: "Api".into(),
            domain_name,
            kind,
            stages: vec![DEFAULT_STAGE.into()],
            binary_media_types: vec![],
            cors: None,
            routes: vec![],
        };
        let head = request.body(()).unwrap().into_parts().0;
        let event = Event {
            api: &api,
            found: &Match {
                route: &route,
                parameters: vec![("proxy".into(), "a b".into())],
                stage: DEFAULT_STAGE,
                path: head.uri.path(),
            },
            account: "000000000000",
            viewer: "192.0.2.7".parse().unwrap(),
            request_id: "id-1",
            now: UNIX_EPOCH + Duration::from_millis(1_583_348_638_390),
            head: &head,
            body,
        };
        serde_json::from_str(&event.to_json_v2()).unwrap()
    }

    #[test]
    fn an_event_looks_like_api_gateways() {
        let request = http::Request::get("/a%20b?x=1&x=2&y=%C3%A4+b&z&=")
            .header("Host", "api1.execute-api.us-east-1.amazonaws.com")
            .header("User-Agent", "curl/8")
            .header("Cookie", "a=1; b=2")
            .header("Cookie", "c=3")
            .header("X-Two", "one")
            .header("X-Two", "two")
            .header("X-Latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        assert_eq!(
            event(request, b""),
            json!({
                "version": "2.0",
                "routeKey": "ANY /{proxy+}",
                "rawPath": "/a b",
                "rawQueryString": "x=1&x=2&y=%C3%A4+b&z&=",
                "cookies": ["a=1", "b=2", "c=3"],
                "headers": {
                    "host": "api1.execute-api.us-east-1.amazonaws.com",
                    "user-agent": "curl/8",
                    "x-two": "one,two",
                    "x-latin": "café",
                    "x-forwarded-for": "192.0.2.7",
                    "x-forwarded-proto": "https",
                    "x-forwarded-port": "443",
                },
                "queryStringParameters": { "x": "1,2", "y": "ä b", "z": "", "": "" },
                "pathParameters": { "proxy": "a b" },
                "requestContext": {
                    "accountId": "000000000000",
                    "apiId": "api1",
                    "domainName": "api1.execute-api.us-east-1.amazonaws.com",
                    "domainPrefix": "api1",
                    "http": {
                        "method": "GET",
                        "path": "/a b",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "192.0.2.7",
                        "userAgent": "curl/8",
                    },
                    "requestId": "id-1",
                    "routeKey": "ANY /{proxy+}",
                    "stage": "$default",
                    "time": "04/Mar/2020:19:03:58 +0000",
                    "timeEpoch": 1_583_348_638_390_u64,
                },
                "isBase64Encoded": false,
            })
        );
    }

    #[test]
    fn a_function_url_leaves_the_path_as_it_came() {
        for (kind, expected) in [(ApiKind::Http, "/a/b c"), (ApiKind::Url, "/a%2Fb%20c")] {
            let event = event_of(kind, http::Request::get("/a%2Fb%20c?x=%20"), b"");
            assert_eq!(event["rawPath"], expected);
            assert_eq!(event["requestContext"]["http"]["path"], expected);
            assert_eq!(event["rawQueryString"], "x=%20");
        }
    }

    #[test]
    fn a_body_is_text_or_base64_by_its_type() {
        for (content_type, body, expected) in [
            ("application/json", &b"{}"[..], ("{}", false)),
            ("Application/JSON; charset=utf-8", b"{}", ("{}", false)),
            ("text/csv", b"a,b", ("a,b", false)),
            ("application/xml", b"<a/>", ("<a/>", false)),
            ("application/javascript", b"1", ("1", false)),
            ("text/plain", b"\xff\x00", ("/wA=", true)),
            ("application/x-www-form-urlencoded", b"a=b", ("YT1i", true)),
            ("application/vnd.api+json", b"{}", ("e30=", true)),
            ("image/png", b"\x89P", ("iVA=", true)),
            ("", b"?", ("Pw==", true)),
        ] {
            let mut request = http::Request::post("/");
            if !content_type.is_empty() {
                request = request.header("Content-Type", content_type);
            }
            let event = event(request, body);
            let got = (event["body"].as_str().unwrap(), event["isBase64Encoded"] == true);
            assert_eq!(got, expected, "{content_type}");
            assert_eq!(event["headers"]["content-length"], body.len().to_string());
        }
    }
}
