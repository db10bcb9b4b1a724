//! Which route answers, as tables.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::function::{Code, Runtime};

fn api(routes: &[&str]) -> Api {
    let function = Arc::new(Function {
        logical_id: "Hello".to_owned(),
        name: "hello".to_owned(),
        runtime: Runtime::Node("nodejs20.x".to_owned()),
        handler: "index.handler".to_owned(),
        code: Code::Inline(String::new()),
        environment: Vec::new(),
        timeout: Duration::from_secs(3),
        memory_mib: 128,
        concurrency: None,
    });
    let route = |key: &&str| {
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        let method = (method != "ANY").then(|| Method::from_bytes(method.as_bytes()).unwrap());
        let answer = Answer::Function { function: function.clone(), payload: Payload::V2 };
        Route { method, path: path.to_owned(), answer }
    };
    Api {
        logical_id: "Api".to_owned(),
        domain_name: "api.execute-api.us-east-1.amazonaws.com".to_owned(),
        kind: ApiKind::Http,
        stages: vec![DEFAULT_STAGE.to_owned()],
        binary_media_types: Vec::new(),
        cors: None,
        routes: routes.iter().map(route).collect(),
    }
}

/// `expected`: the route's path and its parameters as `name=value,…`.
#[track_caller]
fn check(api: &Api, request: &str, expected: Option<(&str, &str)>) {
    let (method, path) = request.split_once(' ').unwrap();
    let found = api.route(&Method::from_bytes(method.as_bytes()).unwrap(), path);
    let found = found.ok().map(|Match { route, parameters, .. }| {
        let method = route.method.as_ref().map_or("ANY", Method::as_str);
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (format!("{method} {}", route.path), parameters.join(","))
    });
    let expected = expected.map(|(route, rest)| (route.to_owned(), rest.to_owned()));
    assert_eq!(found, expected, "{request}");
}

#[test]
fn the_most_specific_route_answers_whatever_the_order() {
    let mut routes = [
        "$default",
        "ANY /{proxy+}",
        "GET /pets/{proxy+}",
        "GET /pets/dog/{id}",
        "GET /pets/dog/1",
    ];
    for _ in 0..2 {
        let api = api(&routes);
        check(&api, "GET /pets/dog/1", Some(("GET /pets/dog/1", "")));
        check(&api, "GET /pets/dog/2", Some(("GET /pets/dog/{id}", "id=2")));
        check(&api, "GET /pets/cat/1", Some(("GET /pets/{proxy+}", "proxy=cat/1")));
        check(&api, "POST /test/5", Some(("ANY /{proxy+}", "proxy=test/5")));
        check(&api, "GET /", Some(("ANY $default", "")));
        routes.reverse();
    }
}

#[test]
fn a_full_match_beats_a_greedy_one_and_a_method_beats_any() {
    let api = api(&["ANY /a/{id}", "GET /a/{proxy+}", "GET /a/{id}", "ANY /{x}/b", "GET /{y+}"]);
    check(&api, "GET /a/1", Some(("GET /a/{id}", "id=1")));
    check(&api, "POST /a/1", Some(("ANY /a/{id}", "id=1")));
    check(&api, "GET /a/1/2", Some(("GET /a/{proxy+}", "proxy=1/2")));
    check(&api, "GET /c/b", Some(("ANY /{x}/b", "x=c")));
    check(&api, "GET /a/b", Some(("GET /a/{id}", "id=b")));
    check(&api, "GET /c/d", Some(("GET /{y+}", "y=c/d")));
}

#[test]
fn a_path_matches_as_a_whole() {
    let api = api(&["GET /", "GET /hello", "GET /u/{a}/{b}", "GET /f/{path+}"]);
    check(&api, "GET /", Some(("GET /", "")));
    check(&api, "GET /hello", Some(("GET /hello", "")));
    check(&api, "GET /u/x/y", Some(("GET /u/{a}/{b}", "a=x,b=y")));
    check(&api, "GET /f/x/", Some(("GET /f/{path+}", "path=x/")));
    for path in ["/hello/", "/Hello", "/hell", "/u/x", "/u//y", "/u/x/y/z", "/f", "/f/", "//"] {
        check(&api, &format!("GET {path}"), None);
    }
    check(&api, "POST /hello", None);
}

#[test]
fn parameters_are_decoded_but_those_of_a_rest_api() {
    let api = api(&["GET /{a}/{b+}"]);
    check(&api, "GET /x%20y/%C3%A4%2fb/+", Some(("GET /{a}/{b+}", "a=x y,b=ä/b/+")));
    check(&api, "GET /%/%4/%zz/%", Some(("GET /{a}/{b+}", "a=%,b=%4/%zz/%")));
    check(&api, "GET /%ff/1", Some(("GET /{a}/{b+}", "a=\u{fffd},b=1")));
    let rest = Api { kind: ApiKind::Rest, ..api };
    check(&rest, "GET /x%20y/%C3%A4%2fb/+", Some(("GET /{a}/{b+}", "a=x%20y,b=%C3%A4%2fb/+")));
}

proptest! {
    #[test]
    fn any_path_and_any_route_are_taken(route in any::<String>(), path in any::<String>()) {
        let _ = api(&[&format!("ANY {route}"), "GET /{a}/{b+}"]).route(&Method::GET, &path);
    }
}

/// `expected`: stage, path behind it and route; or why there is none.
#[track_caller]
fn check_stage(api: &Api, request: &str, expected: Result<(&str, &str, &str), NoRoute>) {
    let (method, path) = request.split_once(' ').unwrap();
    let found = api.route(&Method::from_bytes(method.as_bytes()).unwrap(), path);
    let found = found.map(|it| (it.stage, it.path, it.route.path.as_str()));
    assert_eq!(found, expected, "{request}");
}

#[test]
fn a_stage_is_the_first_segment_of_the_path() {
    let mut api = api(&["GET /a", "ANY /{proxy+}", "GET /"]);
    api.stages = vec!["dev".to_owned(), DEFAULT_STAGE.to_owned()];
    check_stage(&api, "GET /dev/a", Ok(("dev", "/a", "/a")));
    check_stage(&api, "GET /dev", Ok(("dev", "/", "/")));
    check_stage(&api, "GET /a", Ok((DEFAULT_STAGE, "/a", "/a")));
    check_stage(&api, "GET /develop", Ok((DEFAULT_STAGE, "/develop", "/{proxy+}")));
    api.stages.pop();
    check_stage(&api, "GET /a", Err(NoRoute::Stage));
    check_stage(&api, "GET /develop", Err(NoRoute::Stage));
    check_stage(&api, "POST /dev", Err(NoRoute::Route));
    let first = |api: &Api| api.public_path(&api.routes[0]);
    assert_eq!(first(&api).as_deref(), Some("/dev/a"));
}

#[test]
fn a_rest_api_chooses_the_resource_before_the_method() {
    let mut api = api(&["GET /pets", "ANY /pets", "ANY /{proxy+}", "POST /pets/{id}"]);
    api.stages = vec!["dev".to_owned()];
    api.kind = ApiKind::Rest;
    check_stage(&api, "GET /dev/pets", Ok(("dev", "/pets", "/pets")));
    check(&api, "GET /dev/pets", Some(("GET /pets", "")));
    check(&api, "PUT /dev/pets/", Some(("ANY /pets", "")));
    check(&api, "POST /dev/pets/1", Some(("POST /pets/{id}", "id=1")));
    check(&api, "GET /dev/cats/1/", Some(("ANY /{proxy+}", "proxy=cats/1")));
    check_stage(&api, "GET /dev/pets/1", Err(NoRoute::Route));
    check_stage(&api, "GET /dev/", Err(NoRoute::Route));
    check_stage(&api, "GET /pets", Err(NoRoute::Stage));
}
