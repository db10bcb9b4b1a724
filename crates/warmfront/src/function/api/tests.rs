//! Requests through an API to real handlers and back.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use warmfront_core::api::{DEFAULT_STAGE, Route};
use warmfront_core::function::{Code, Function, Runtime};

use super::*;
use crate::clock::VirtualClock;
use crate::function::HostOptions;

const HANDLER: &str = "exports.handler = async (event) => {
  const text = event.isBase64Encoded ? Buffer.from(event.body, 'base64').toString('latin1') : event.body;
  switch (event.rawPath) {
    case '/throws': throw new TypeError('bad input');
    case '/exits': process.exit(1);
    case '/hangs': for (;;);
    case '/odd': return { statusCode: 200, body: { not: 'a string' } };
    case '/bytes': return { statusCode: 200, headers: { 'content-type': 'image/png' }, isBase64Encoded: true,
      body: Buffer.from([...text].reverse().join(''), 'latin1').toString('base64') };
    case '/cookies': return { statusCode: 200, cookies: event.cookies.map((c) => c + '; HttpOnly'), body: '' };
    default: return { path: event.rawPath, parameters: event.pathParameters, key: event.routeKey };
  }
}";

struct World {
    host: LambdaHost,
    api: Api,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut options = HostOptions::in_directory(directory.path());
        options.start_time = Duration::from_secs(30);
        let function = Function {
            logical_id: "Hello".into(),
            name: "hello-dev".into(),
            runtime: Runtime::Node("nodejs20.x".into()),
            handler: "index.handler".into(),
            code: Code::Inline(HANDLER.into()),
            environment: Vec::new(),
            timeout: Duration::from_secs(2),
            memory_mib: 128,
            concurrency: Some(1),
        };
        let function = Arc::new(function);
        let route = |method: Option<Method>, path: &str| Route {
            method,
            path: path.into(),
            answer: Answer::Function { function: function.clone(), payload: Payload::V2 },
        };
        let api = Api {
            logical_id: "Api".into(),
            domain_name: "api.execute-api.us-east-1.amazonaws.com".into(),
            kind: ApiKind::Http,
            stages: vec![DEFAULT_STAGE.into()],
            binary_media_types: vec![],
            cors: None,
            routes: vec![route(None, "/{name}"), route(Some(Method::GET), "/pets/{id}")],
        };
        let host = LambdaHost::start(options).unwrap();
        Self { host, api, _directory: directory }
    }

    async fn call(&self, request: http::Request<Body>) -> Result<OriginResponse, OriginError> {
        let (head, body) = request.into_parts();
        let viewer = "192.0.2.7:1234".parse().unwrap();
        let request = OriginRequest { head, body, viewer, request_id: "id-1".into() };
        let clock = VirtualClock::starting_at(SystemTime::UNIX_EPOCH);
        call_api(&self.host, &self.api, request, &clock).await
    }

    async fn get(&self, path: &str) -> Result<OriginResponse, OriginError> {
        self.call(http::Request::get(path).body(Body::empty()).unwrap()).await
    }
}

async fn bytes(response: OriginResponse) -> Bytes {
    response.body.collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn a_failing_function_is_502_or_504_and_the_next_request_is_fine() {
    let world = World::new();
    for (path, status, expected) in [
        ("/throws", 502, "function hello-dev: TypeError: bad input (index.js:4:"),
        ("/exits", 502, "function hello-dev: Runtime.ExitError: "),
        ("/hangs", 504, "function hello-dev: timed out after 2 s"),
        ("/odd", 502, "function hello-dev: the answer's body is an object"),
    ] {
        let error = world.get(path).await.unwrap_err();
        assert_eq!(error.status(), status, "{path}: {error}");
        assert!(error.to_string().starts_with(expected), "{path}: {error}");
        let next = world.get("/fine").await.unwrap();
        assert_eq!(next.head.status, StatusCode::OK, "after {path}");
    }
}

#[tokio::test]
async fn a_request_reaches_its_route_and_its_answer_comes_back() {
    let world = World::new();
    let answer = world.get("/pets/a%20b?x=1").await.unwrap();
    assert_eq!(answer.head.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&bytes(answer).await).unwrap();
    let expected =
        json!({ "path": "/pets/a b", "parameters": { "id": "a b" }, "key": "GET /pets/{id}" });
    assert_eq!(body, expected);

    let every_byte: Vec<u8> = (0..=255).collect();
    let request = http::Request::post("/bytes").body(Body::full(every_byte.clone())).unwrap();
    let answer = world.call(request).await.unwrap();
    assert_eq!(answer.head.headers["content-type"], "image/png");
    let reversed: Vec<u8> = every_byte.into_iter().rev().collect();
    assert_eq!(bytes(answer).await, reversed);

    let request = http::Request::get("/cookies").header("Cookie", "a=1; b=2");
    let answer = world.call(request.body(Body::empty()).unwrap()).await.unwrap();
    let cookies: Vec<_> = answer.head.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; HttpOnly", "b=2; HttpOnly"]);
}

#[tokio::test]
async fn the_api_itself_answers_404_and_413() {
    let world = World::new();
    let answer = world.get("/no/such/route").await.unwrap();
    assert_eq!(answer.head.status, StatusCode::NOT_FOUND);
    assert_eq!(bytes(answer).await, r#"{"message":"Not Found"}"#);
    // Beyond API Gateway's limit, and within it but beyond Lambda's once it is base64.
    for size in [REQUEST_BODY_LIMIT + 1, 5 * 1024 * 1024] {
        let body = Body::full(vec![0; size]);
        let answer = world.call(http::Request::post("/big").body(body).unwrap()).await.unwrap();
        assert_eq!(answer.head.status, StatusCode::PAYLOAD_TOO_LARGE, "{size}");
        assert_eq!(bytes(answer).await, r#"{"message":"Request Entity Too Large"}"#);
    }
}
