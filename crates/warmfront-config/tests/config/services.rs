//! `serverless.yml`, and functions and APIs of plain templates.

use std::fs;
use std::path::Path;
use std::time::Duration;

use warmfront_config::{Loaded, Options, find_source, load, render_human};
use warmfront_core::Stack;
use warmfront_core::api::{Answer, Payload};
use warmfront_core::function::{Code, Runtime};
use warmfront_core::origin::Target;

use crate::{Parts, loaded, loaded_as, pairs, problem, stack};

pub(crate) const SERVICE: &str = "service: shop
provider:
  name: aws
  runtime: nodejs20.x
  environment: {SHARED: provider, OWN: provider}
custom:
  stages: {dev: {host: dev.example}, live: {host: live.example}}
  number: 7
functions:
  my-fn:
    handler: src/handler.hello
    environment: {OWN: function}
    events:
      - httpApi: 'GET /hello'
      - httpApi: {method: post, path: '/pets/{id}'}
      - httpApi: '*'
resources:
  Resources:
    Edge:
      Type: AWS::CloudFront::Distribution
      Properties:
        DistributionConfig:
          Enabled: true
          Comment: COMMENT
          Origins:
            - Id: api
              DomainName: !Join ['.', [!Ref HttpApi, execute-api, !Ref 'AWS::Region', amazonaws.com]]
              CustomOriginConfig: {OriginProtocolPolicy: https-only}
            - Id: web
              DomainName: WEB
              CustomOriginConfig: {OriginProtocolPolicy: https-only}
          DefaultCacheBehavior:
            TargetOriginId: api
            ViewerProtocolPolicy: https-only
            CachePolicyId: CachingDisabled
";

/// Loads files from one directory; the first is the source.
pub(crate) fn service(files: &[(&str, &str)], options: &Options) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    load(&directory.path().join(files[0].0), options).unwrap()
}

/// The host name that `variable` gives the second origin.
fn web(variable: &str, options: &Options) -> Loaded {
    let text = SERVICE.replace("WEB", variable);
    service(
        &[
            ("serverless.yml", &text),
            ("src/handler.js", ""),
            ("hosts.yml", "web: file.example\nnested: ${self:custom.stages.live.host}\n"),
            ("hosts.json", "{\"list\": [\"zero.example\", \"one.example\"]}"),
            ("plain.txt", "text.example"),
        ],
        options,
    )
}

#[test]
fn variables_give_what_the_framework_gives() {
    let mut options = Options {
        opts: pairs(&[("host", "opt.example"), ("ssm:/host", "ssm.example")]),
        ..Options::default()
    };
    options.env.insert("HOST".into(), "env.example".into());
    for (variable, expected) in [
        ("${self:custom.stages.dev.host}", "dev.example"),
        ("${self:custom.stages.${sls:stage}.host}", "dev.example"),
        ("${self:custom.stages.${opt:stage, 'live'}.host}", "live.example"),
        ("${opt:host}", "opt.example"),
        ("${opt:none, opt:neither, 'a.example'}", "a.example"),
        ("${opt:none, ${self:custom.stages.live.host}}", "live.example"),
        ("${env:HOST}", "env.example"),
        ("'x${self:custom.number}.${sls:stage}.example'", "x7.dev.example"),
        ("${file(hosts.yml):web}", "file.example"),
        ("${file(./hosts.yml):nested}", "live.example"),
        ("${file(hosts.json):list.1}", "one.example"),
        ("${file(missing.yml):web, 'b.example'}", "b.example"),
        ("${file(plain.txt)}", "text.example"),
        ("${ssm:/host}", "ssm.example"),
        ("!Sub '${self:service}.${AWS::Region}.example'", "shop.us-east-1.example"),
        ("${self:service}-${aws:region}.example", "shop-us-east-1.example"),
    ] {
        let loaded = web(variable, &options);
        assert!(!loaded.has_errors(), "{variable}\n{}", render_human(&loaded));
        assert_eq!(stack(loaded).distributions[0].origins[1].domain_name, expected, "{variable}");
    }
}

#[test]
fn what_would_have_to_be_fetched_or_run_names_the_option() {
    for (variable, message) in [
        ("${ssm:/host}", "pass its value: --opt 'ssm:/host=VALUE'"),
        ("${cf:other.Host}", "--opt 'cf:other.Host=VALUE'"),
        ("${cf(eu-west-1):other.Host}", "--opt 'cf(eu-west-1):other.Host=VALUE'"),
        ("${file(host.js):web}", "--opt 'file(host.js):web=VALUE'"),
        ("${opt:none}", "pass --opt none=VALUE"),
        ("${env:NONE}", "set it, or write a fallback: ${env:NONE, 'value'}"),
        ("${param:none}", "--opt 'param:none=VALUE'"),
        ("${self:custom.stags.dev}", "there is no \"stags\". Did you mean \"stages\"?"),
        ("${self:custom.stages}", "expected text, found a map"),
        ("'x${self:custom.stages}'", "cannot stand inside a text"),
        ("${sefl:custom.x}", "there is no variable source \"sefl\". Did you mean \"self\"?"),
        ("${file(missing.yml):web}", "cannot be read"),
        ("${file(../outside.yml):web}", "outside of the directory"),
        ("${file(/etc/passwd)}", "outside of the directory"),
        ("${opt:none, plain}", "a text stands in quotes: 'plain'"),
    ] {
        let loaded = web(variable, &Options::default());
        let found = loaded.diagnostics.iter().any(|it| {
            it.message.contains(message) || it.help.as_deref().unwrap_or_default().contains(message)
        });
        assert!(
            found || message.contains("stands in quotes"),
            "{variable}\n{}",
            render_human(&loaded)
        );
        assert!(loaded.has_errors(), "{variable}");
    }
}

#[test]
fn a_file_of_all_custom_values_may_refer_to_them() {
    let (before, rest) = SERVICE.split_once("custom:").unwrap();
    let (_, after) = rest.split_once("functions:").unwrap();
    let check = |web: &str, custom: &str, provider: &str, expected: &str| {
        let before = before.replace("name: aws", &format!("name: aws\n  {provider}"));
        let after = after.replace("WEB", web);
        let text = format!("{before}custom: ${{file(custom.yml)}}\nfunctions:{after}");
        let files =
            [("serverless.yml", text.as_str()), ("custom.yml", custom), ("src/handler.js", "")];
        let loaded = service(&files, &Options::default());
        assert!(!loaded.has_errors(), "{web}\n{}", render_human(&loaded));
        assert_eq!(stack(loaded).distributions[0].origins[1].domain_name, expected, "{web}");
    };
    let custom =
        "base: ${self:service}\nweb: ${self:custom.base}.example\nother: ${self:custom.gone}\n";
    check("${self:custom.web}", custom, "stage: dev", "shop.example");
    check("${file(custom.yml):web}", custom, "stage: dev", "shop.example");
    let region = "region: ${opt:region, 'eu-west-1'}";
    check("web.${aws:region}.example", custom, region, "web.eu-west-1.example");
    let stages = "all: {dev: {web: a.example}}\nnow: ${self:custom.all.${sls:stage}}\n";
    check("${self:custom.now.web}", stages, "stage: ${self:custom.all.stage, 'dev'}", "a.example");
}

#[test]
fn variables_in_a_circle_are_named() {
    let text = SERVICE
        .replace("WEB", "${self:custom.a}")
        .replace("custom:", "custom:\n  a: ${self:custom.b}\n  b: ${self:custom.a}");
    let loaded = loaded_as("serverless.yml", &text, &Options::default());
    problem(&loaded, "self:custom.a → self:custom.b → self:custom.a");
}

#[test]
fn a_problem_in_an_included_file_keeps_the_name_of_that_file() {
    let text =
        SERVICE.split("resources:").next().unwrap().to_owned() + "resources: ${file(edge.yml)}\n";
    let edge = "Resources:\n  Edge:\n    Type: AWS::CloudFront::Distribution\n    Properties:\n      DistributionConfig:\n        Enabled: perhaps\n        Origins: []\n";
    let loaded = service(&[("serverless.yml", &text), ("edge.yml", edge)], &Options::default());
    let found = problem(&loaded, "true or false, found \"perhaps\"");
    assert!(found.file.ends_with("edge.yml"), "{}", found.file);
    assert_eq!((found.line, found.column), (6, 18));
    assert!(loaded.files.iter().any(|file| file.ends_with("edge.yml")), "--watch sees it too");
}

fn function_stack(options: &Options) -> Stack {
    stack(web("web.example", options))
}

#[test]
fn functions_are_named_and_set_as_the_framework_does() {
    let stack = function_stack(&Options { stage: Some("live".into()), ..Options::default() });
    assert_eq!(stack.name, "shop");
    let function = &stack.functions[0];
    assert_eq!(function.logical_id, "MyDashfnLambdaFunction");
    assert_eq!(function.name, "shop-live-my-fn");
    assert_eq!(function.handler, "src/handler.hello");
    assert_eq!(function.runtime, Runtime::Node("nodejs20.x".into()));
    assert_eq!((function.timeout, function.memory_mib), (Duration::from_secs(6), 1024));
    assert!(matches!(&function.code, Code::Directory(directory) if directory.is_absolute()));
    let environment: Vec<_> =
        function.environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(environment, [("SHARED", "provider"), ("OWN", "function")]);

    let routes: Vec<_> = stack.apis[0]
        .routes
        .iter()
        .map(|route| (route.method.as_ref().map(|method| method.to_string()), route.path.as_str()))
        .collect();
    let expected = [
        (Some("GET".to_owned()), "/hello"),
        (Some("POST".to_owned()), "/pets/{id}"),
        (None, "$default"),
    ];
    assert_eq!(routes, expected);
    assert_eq!(stack.apis[0].domain_name, "httpapi.execute-api.us-east-1.amazonaws.com");
    assert_eq!(stack.distributions[0].origins[0].target, Target::Api(stack.apis[0].clone()));
    assert_eq!(stack.distributions[0].origins[1].target, Target::Dns);
}

#[test]
fn options_reach_a_function_by_logical_id_and_by_key() {
    for name in ["my-fn", "MyDashfnLambdaFunction"] {
        let options = Options {
            function_env: pairs(&[
                (&format!("{name}.OWN"), "option"),
                (&format!("{name}.NEW"), "new"),
            ]),
            function_concurrency: vec![(name.to_owned(), 3)],
            ..Options::default()
        };
        let stack = function_stack(&options);
        let environment: Vec<_> =
            stack.functions[0].environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            environment,
            [("SHARED", "provider"), ("OWN", "option"), ("NEW", "new")],
            "{name}"
        );
        assert_eq!(stack.functions[0].concurrency, Some(3));
    }
}

#[test]
fn wrong_functions_are_refused_where_they_stand() {
    let check = |from: &str, to: &str, message: &str| {
        let text = SERVICE.replace("WEB", "web.example").replace(from, to);
        problem(
            &service(&[("serverless.yml", &text), ("src/handler.js", "")], &Options::default()),
            message,
        );
    };
    check("handler: src/handler.hello", "timeout: 5", "handler is missing");
    check("handler: src/handler.hello", "handler: src/handler", "is not a handler");
    check("handler: src/handler.hello", "handler: src/missing.hello", "missing.js");
    check(
        "handler: src/handler.hello",
        "handler: src/handler.hello\n    timeout: 901",
        "between 1 and 900, found \"901\"",
    );
    check("handler: src/handler.hello", "handlr: src/handler.hello", "Did you mean \"handler\"?");
    check("nodejs20.x", "ruby3.3", "do not run here yet");
    check("nodejs20.x", "python3.12", "src/handler.py");
    check("'GET /hello'", "'FETCH /hello'", "is no route");
    check("'GET /hello'", "{method: post, path: '/pets/{id}'}", "for the second time");
    check("'*'", "{path: /x, authorizer: jwt}", "--allow-unprotected my-fn.authorizer");
    check(
        "- httpApi: '*'",
        "- cloudFront: {eventType: viewer-request}",
        "cloudFront events are not read yet",
    );
    check("functions:", "function:", "Did you mean \"functions\"?");
    check("name: aws", "name: aws\n  name: aws", "\"name\" is here for the second time");
}

#[test]
fn what_the_framework_would_do_and_we_do_not_is_listed() {
    let text = SERVICE
        .replace("WEB", "web.example")
        .replace(
            "custom:",
            "  vpc: {subnetIds: ['${ssm:/subnet}']}\nuseDotenv: true\nplugins: [a]\ncustom:",
        )
        .replace(
            "      - httpApi: '*'",
            "      - httpApi: '*'\n      - schedule: rate(1 hour)\n    httpApi: {payload: '1.0'}",
        );
    let files = [("serverless.yml", text.as_str()), ("src/handler.js", "")];
    let loaded = service(&files, &Options::default());
    assert!(!loaded.has_errors(), "{}", render_human(&loaded));
    let inert: Vec<(u32, &str)> =
        loaded.report.inert().map(|(entry, _)| (entry.place.line, &*entry.path)).collect();
    for expected in [
        (6, "provider.vpc"),
        (7, "useDotenv"),
        (8, "plugins"),
        (20, "functions.my-fn.events[3].schedule"),
    ] {
        assert!(inert.contains(&expected), "{expected:?} is not in {inert:?}");
    }
    let payload = |text: &str| {
        let files = [("serverless.yml", text), ("src/handler.js", "")];
        let stack = stack(service(&files, &Options::default()));
        let Answer::Function { payload, .. } = stack.apis[0].routes[0].answer else {
            panic!("no function")
        };
        payload
    };
    let of_all = text.replace("  vpc:", "  httpApi: {payload: '1.0'}\n  vpc:");
    let own = of_all.replace("    httpApi: {payload: '1.0'}\n", "    httpApi: {payload: '2.0'}\n");
    assert_eq!(
        (payload(&text), payload(&of_all), payload(&own)),
        (Payload::V1, Payload::V1, Payload::V2)
    );
}

#[test]
fn the_example_of_the_readme_is_clean() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/serverless-cache");
    assert_eq!(find_source(&examples), Some(examples.join("serverless.yml")));
    let stack = stack(load(&examples, &Options::default()).unwrap());
    let behavior = &stack.distributions[0].behaviors[0];
    let ttl = behavior.cache_policy.ttl;
    assert_eq!([ttl.min(), ttl.default(), ttl.max()].map(|it| it.as_secs()), [1, 20, 60]);
    assert_eq!(stack.distributions[0].origins[0].target, Target::Api(stack.apis[0].clone()));
    assert_eq!(stack.functions[0].environment, [("WAIT_MS".to_owned(), "1500".to_owned())]);
}

const API: &str = "  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs20.x
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 5
      Environment: {Variables: {NAME: !Ref AWS::StackName}}
      Code: CODE
  Role: {Type: 'AWS::IAM::Role'}
  Api: {Type: 'AWS::ApiGatewayV2::Api', Properties: {Name: api, ProtocolType: HTTP}}
  Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties: {ApiId: !Ref Api, IntegrationType: AWS_PROXY, IntegrationUri: !GetAtt Hello.Arn, PayloadFormatVersion: '2.0'}
  Route:
    Type: AWS::ApiGatewayV2::Route
    Properties: {ApiId: !Ref Api, RouteKey: 'ANY /hello/{proxy+}', Target: !Sub 'integrations/${Integration}'}
";
const API_ORIGIN: &str = "DomainName: !Select [2, !Split ['/', !GetAtt Api.ApiEndpoint]]\nCustomOriginConfig: {OriginProtocolPolicy: https-only}";

#[test]
fn a_plain_template_runs_its_functions_too() {
    let more = API.replace("CODE", "{ZipFile: 'exports.handler = 1'}");
    let stack = stack(loaded(
        Parts { origin: API_ORIGIN, more: &more, ..Parts::default() },
        &Options::default(),
    ));
    assert_eq!(stack.functions[0].code, Code::Inline("exports.handler = 1".into()));
    assert_eq!(stack.functions[0].timeout, Duration::from_secs(5));
    assert_eq!(stack.functions[0].environment, [("NAME".to_owned(), "template".to_owned())]);
    assert_eq!(stack.apis[0].routes[0].path, "/hello/{proxy+}");
    assert_eq!(stack.apis[0].routes[0].method, None);
    assert_eq!(stack.distributions[0].origins[0].target, Target::Api(stack.apis[0].clone()));
}

#[test]
fn an_arn_put_together_by_hand_finds_its_function() {
    for uri in [
        "!Sub 'arn:aws:lambda:us-east-1:1:function:${Hello}'",
        "!Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:${Hello}/invocations'",
        "!Sub 'arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${Hello.Arn}/invocations'",
    ] {
        let more = API.replace("CODE", "{ZipFile: ''}").replace("!GetAtt Hello.Arn", uri);
        let parts = Parts { origin: API_ORIGIN, more: &more, ..Parts::default() };
        let stack = stack(loaded(parts, &Options::default()));
        assert_eq!(stack.functions[0].logical_id, "Hello", "{uri}");
    }
}

#[test]
fn what_a_local_api_does_not_act_on_is_listed() {
    let more = API
        .replace("CODE", "{ZipFile: ''}")
        .replace(
            "ProtocolType: HTTP",
            "ProtocolType: HTTP, CorsConfiguration: {}, DisableExecuteApiEndpoint: true",
        )
        .replace("RouteKey:", "AuthorizationType: NONE, RouteKey:")
        .replace("IntegrationType:", "RequestParameters: {}, IntegrationType:")
        + "  Stage: {Type: 'AWS::ApiGatewayV2::Stage', Properties: {ApiId: !Ref Api, StageName: prod, DefaultRouteSettings: {}}}\n";
    let loaded =
        loaded(Parts { origin: API_ORIGIN, more: &more, ..Parts::default() }, &Options::default());
    assert_eq!(loaded.stack.as_ref().unwrap().apis[0].stages, ["prod"]);
    let inert: Vec<&str> =
        loaded.report.inert().map(|(entry, _)| entry.path.rsplit('.').next().unwrap()).collect();
    for property in
        ["DisableExecuteApiEndpoint", "RequestParameters", "DefaultRouteSettings", "Role"]
    {
        assert!(inert.contains(&property), "{property} is not in {inert:?}");
    }
    assert!(!inert.contains(&"AuthorizationType"));
    stack(loaded);
}

#[test]
fn quick_create_and_function_urls_are_apis_of_one_route() {
    let quick = API
        .split("  Integration:")
        .next()
        .unwrap()
        .replace("ProtocolType: HTTP", "ProtocolType: HTTP, Target: !GetAtt Hello.Arn");
    let more = quick.replace("CODE", "{ZipFile: ''}")
        + "  Url: {Type: 'AWS::Lambda::Url', Properties: {AuthType: NONE, TargetFunctionArn: !GetAtt Hello.Arn}}\n";
    for origin in [API_ORIGIN.to_owned(), API_ORIGIN.replace("Api.ApiEndpoint", "Url.FunctionUrl")]
    {
        let stack = stack(loaded(
            Parts { origin: &origin, more: &more, ..Parts::default() },
            &Options::default(),
        ));
        let routes: Vec<_> = stack.apis[0].routes.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(routes, ["$default"], "{origin}");
    }
}

#[test]
fn an_api_that_cannot_run_says_why() {
    for (from, to, message) in [
        ("CODE", "{S3Bucket: b, S3Key: k}", "write Code: ./directory"),
        ("CODE", "./missing", "is not a directory"),
        ("AWS_PROXY", "HTTP_PROXY", "only AWS_PROXY and MOCK; requests to it fail with 502"),
        ("'ANY /hello/{proxy+}'", "hello", "is not a route"),
        ("${Integration}", "${Api}", "no integration of this template"),
        ("ProtocolType: HTTP", "ProtocolType: WEBSOCKET", "APIs of type WEBSOCKET"),
        (
            "RouteKey",
            "AuthorizationType: JWT, RouteKey",
            "--allow-unprotected Route.AuthorizationType",
        ),
        (
            "AWS::ApiGatewayV2::Api', P",
            "AWS::ApiGateway::RestApi', P",
            "only AWS knows Api.ApiEndpoint",
        ),
    ] {
        let more = API.replace(from, to).replace("CODE", "{ZipFile: ''}");
        problem(
            &loaded(
                Parts { origin: API_ORIGIN, more: &more, ..Parts::default() },
                &Options::default(),
            ),
            message,
        );
    }
    let rest = "  Rest: {Type: 'AWS::ApiGateway::RestApi'}\n";
    let origin = "DomainName: !Sub '${Rest}.execute-api.${AWS::Region}.amazonaws.com'\nCustomOriginConfig: {OriginProtocolPolicy: https-only}";
    problem(
        &loaded(Parts { origin, more: rest, ..Parts::default() }, &Options::default()),
        "this API has no methods",
    );
}

#[test]
fn functions_that_no_origin_leads_to_are_not_looked_at() {
    let more = API.replace("CODE", "{S3Bucket: b, S3Key: k}");
    let stack = stack(loaded(Parts { more: &more, ..Parts::default() }, &Options::default()));
    assert!(stack.functions.is_empty() && stack.apis.is_empty());
}

#[test]
fn what_an_event_says_beside_its_route_is_listed_or_protects() {
    let change = |event: &str, provider: &str, api: &str| {
        let text = SERVICE
            .replace("      - httpApi: '*'\n", &format!("      - {event}\n"))
            .replace("  runtime: nodejs20.x\n", &format!("  runtime: nodejs20.x\n{provider}"))
            .replace("!Ref HttpApi", api);
        service(&[("serverless.yml", &text), ("src/handler.js", "")], &Options::default())
    };
    let http =
        "http: {method: get, path: a, cors: true, async: true, request: {passThrough: NEVER}}";
    let loaded = change(http, "", "!Ref ApiGatewayRestApi");
    let listed: Vec<_> = loaded.report.inert().map(|(entry, _)| entry.path.as_str()).collect();
    let of_event = listed.iter().filter(|path| path.contains(".events[2]"));
    let expected =
        ["functions.my-fn.events[2].http.async", "functions.my-fn.events[2].http.request"];
    assert_eq!(of_event.collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    stack(loaded);

    let loaded = change("httpApi: {method: get, path: /a, timeout: 3}", "", "!Ref HttpApi");
    assert!(
        loaded.report.inert().any(|(entry, _)| entry.path.ends_with("events[2].httpApi.timeout"))
    );
    let policy = "  resourcePolicy: [{Effect: Deny}]\n";
    let loaded = change("http: GET a", policy, "!Ref ApiGatewayRestApi");
    problem(&loaded, "resource policies are not applied yet");
}
