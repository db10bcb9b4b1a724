//! AWS SAM templates, written out as SAM would deploy them.

use warmfront_config::{Loaded, Options, render_human};
use warmfront_core::api::{Answer, Api, ApiKind, Payload};
use warmfront_core::function::{Code, Runtime};

use crate::{loaded_as, pairs, problem, stack};

const SAM: &str = "Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Timeout: 7, Runtime: nodejs20.x, Environment: {Variables: {A: global, B: global}}}
  Api: {BinaryMediaTypes: ['image~1png']}
Resources:
  Web: {Type: 'AWS::Serverless::HttpApi', Properties: {StageName: v1, CorsConfiguration: true}}
  Rest: {Type: 'AWS::Serverless::Api', Properties: {StageName: live, Cors: \"'*'\"}}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: 'exports.handler = async () => 1'
      Environment: {Variables: {B: own}}
      AutoPublishAlias: live
      Policies: [AWSLambdaExecute]
      FunctionUrlConfig: {AuthType: AWS_IAM, InvokeMode: RESPONSE_STREAM}
      Events:
        Default: {Type: HttpApi}
        Named: {Type: HttpApi, Properties: {ApiId: !Ref Web, Path: /a, Method: get}}
        Old: {Type: Api, Properties: {Path: '/b/{id}', Method: any}}
        Staged: {Type: Api, Properties: {RestApiId: !Ref Rest, Path: /c, Method: post}}
        Nightly: {Type: Schedule, Properties: {Schedule: rate(1 day)}}
  Snake: {Type: 'AWS::Serverless::Function', Properties: {Runtime: python3.12, Handler: index.handler, InlineCode: 'x = 1'}}
  Url: {Type: 'AWS::Lambda::Url', Properties: {AuthType: NONE, TargetFunctionArn: !Ref Snake}}
  Table: {Type: 'AWS::Serverless::SimpleTable'}
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: app
            DomainName: NAME
            CustomOriginConfig: {OriginProtocolPolicy: https-only}
        DefaultCacheBehavior:
          TargetOriginId: app
          ViewerProtocolPolicy: https-only
          CachePolicyId: CachingDisabled
";

fn load(name: &str, change: (&str, &str), options: &Options) -> Loaded {
    let text = SAM.replace("NAME", name);
    assert!(text.contains(change.0), "{}", change.0);
    loaded_as("template.yml", &text.replace(change.0, change.1), options)
}

const SAME: (&str, &str) = ("", "");

/// The one API behind a host name.
fn api(name: &str) -> Api {
    let stack = stack(load(name, SAME, &Options::default()));
    assert_eq!(stack.apis.len(), 1, "{name}");
    (*stack.apis[0]).clone()
}

/// Its stages and its routes with what answers.
#[track_caller]
fn check(name: &str, kind: ApiKind, stages: &[&str], routes: &[&str]) {
    let api = api(name);
    let answers = |answer: &Answer| match answer {
        Answer::Function { function, payload: Payload::V1 } => {
            format!("{} 1.0", function.logical_id)
        }
        Answer::Function { function, payload: Payload::V2 } => {
            format!("{} 2.0", function.logical_id)
        }
        Answer::Fixed(fixed) => fixed.status.to_string(),
        Answer::NotRun(reason) => reason.clone(),
    };
    let found: Vec<String> = api
        .routes
        .iter()
        .map(|route| {
            let method = route.method.as_ref().map_or("ANY", |method| method.as_str());
            format!("{method} {} {}", route.path, answers(&route.answer))
        })
        .collect();
    assert_eq!((api.kind, &api.stages[..]), (kind, &stages.map_owned()[..]), "{name}");
    assert_eq!(found, routes, "{name}");
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|it| (*it).to_owned()).collect()
    }
}

#[test]
fn events_become_the_apis_that_sam_deploys() {
    check(
        "!Sub '${ServerlessHttpApi}.execute-api.us-east-1.amazonaws.com'",
        ApiKind::Http,
        &["$default"],
        &["ANY $default Hello 2.0"],
    );
    let web = ["GET /a Hello 2.0"];
    check("!Select [2, !Split ['/', !GetAtt Web.ApiEndpoint]]", ApiKind::Http, &["v1"], &web);
    check(
        "!Sub '${ServerlessRestApi}.execute-api.us-east-1.amazonaws.com'",
        ApiKind::Rest,
        &["Prod"],
        &["ANY /b/{id} Hello 1.0"],
    );
    check(
        "!Sub '${Rest}.execute-api.${AWS::Region}.amazonaws.com'",
        ApiKind::Rest,
        &["live"],
        &["POST /c Hello 1.0", "OPTIONS /c 200"],
    );
    for (name, answer) in [
        ("!Select [2, !Split ['/', !GetAtt HelloUrl.FunctionUrl]]", "ANY $default Hello 2.0"),
        ("!Select [2, !Split ['/', !GetAtt Url.FunctionUrl]]", "ANY $default Snake 2.0"),
    ] {
        check(name, ApiKind::Url, &["$default"], &[answer]);
    }
    let web = api("!Select [2, !Split ['/', !GetAtt Web.ApiEndpoint]]");
    assert_eq!(web.cors.unwrap().allow_origins, ["*"]);
    let rest = api("!Sub '${Rest}.execute-api.us-east-1.amazonaws.com'");
    assert_eq!(rest.binary_media_types, ["image/png"]);
}

#[test]
fn globals_are_merged_as_sam_does() {
    let name = "!Select [2, !Split ['/', !GetAtt HelloUrl.FunctionUrl]]";
    let stack = stack(load(name, SAME, &Options::default()));
    let function = &stack.functions[0];
    assert_eq!(function.timeout.as_secs(), 7);
    assert_eq!(function.environment, pairs(&[("A", "global"), ("B", "own")]));
    assert_eq!(function.code, Code::Inline("exports.handler = async () => 1".to_owned()));
    let name = "!Select [2, !Split ['/', !GetAtt Url.FunctionUrl]]";
    let stack = crate::stack(load(name, SAME, &Options::default()));
    assert_eq!(stack.functions[0].runtime, Runtime::Python("python3.12".to_owned()));
}

#[test]
fn what_is_not_run_is_listed() {
    let name = "!Select [2, !Split ['/', !GetAtt HelloUrl.FunctionUrl]]";
    let loaded = load(name, SAME, &Options::default());
    let inert: Vec<String> =
        loaded.report.inert().map(|(entry, reason)| format!("{} {reason}", entry.path)).collect();
    for part in [
        "Resources.Table this does not run here",
        "Events.Nightly only HttpApi and Api events",
        "Properties.Policies has no meaning",
        "InvokeMode answers are not streamed",
        "AuthType the function is reached through this edge alone",
    ] {
        assert!(inert.iter().any(|it| it.contains(part)), "{part} in {inert:#?}");
    }
}

#[test]
fn authorizers_protect_also_those_of_the_whole_api() {
    let name = "!Sub '${Rest}.execute-api.us-east-1.amazonaws.com'";
    for (from, to) in [
        ("StageName: live,", "StageName: live, Auth: {DefaultAuthorizer: Users},"),
        ("StageName: live,", "StageName: live, Auth: {ApiKeyRequired: true},"),
        ("Path: /c,", "Path: /c, Auth: {Authorizer: Users},"),
    ] {
        let name_it = "--allow-unprotected Hello.Staged.Auth";
        problem(&load(name, (from, to), &Options::default()), name_it);
        let allowed = Options {
            allow_unprotected: vec!["Hello.Staged.Auth".to_owned()],
            ..Options::default()
        };
        let loaded = load(name, (from, to), &allowed);
        assert!(!loaded.has_errors(), "{}", render_human(&loaded));
    }
    let both = (
        "StageName: live,",
        "StageName: live, Auth: {ResourcePolicy: {IpRangeWhitelist: ['10.0.0.0/8']}},",
    );
    problem(&load(name, both, &Options::default()), "--allow-unprotected Rest.Policy");
}

#[test]
fn slips_in_events_are_told() {
    for (from, to, expected) in [
        ("Type: Api,", "Type: Apy,", "Did you mean \"Api\"?"),
        ("Path: '/b/{id}', ", "", "needs Path and Method"),
        ("Method: any", "Method: gte", "there is no method \"GTE\""),
    ] {
        let name = "!Sub '${ServerlessRestApi}.execute-api.us-east-1.amazonaws.com'";
        problem(&load(name, (from, to), &Options::default()), expected);
    }
}

#[test]
fn versions_of_functions_are_known_by_their_function() {
    for arn in ["!Ref Hello.Version", "!GetAtt Hello.Version.FunctionArn", "!Sub '${Hello.Arn}:1'"]
    {
        let more = format!(
            "CachingDisabled\n          LambdaFunctionAssociations: [{{EventType: viewer-request, LambdaFunctionARN: {arn}}}]\n"
        );
        let change = ("CachingDisabled\n", more.as_str());
        let loaded = load("www.example.com", change, &Options::default());
        problem(&loaded, "the function Hello on viewer-request may guard");
    }
}

#[test]
fn an_openapi_definition_has_the_routes_of_its_integrations() {
    let body = "DefinitionBody:
        openapi: 3.0.1
        paths:
          /d/{id}:
            get: {x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, uri: !Sub 'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Hello.Arn}/invocations'}}
            options: {x-amazon-apigateway-integration: {type: mock, responses: {default: {statusCode: '204', responseParameters: {method.response.header.X-A: \"'b'\"}}}}}
          /e:
            x-amazon-apigateway-any-method: {x-amazon-apigateway-integration: {type: http_proxy, uri: 'https://example.com'}}
";
    let rest = format!(
        "Rest:\n    Type: AWS::Serverless::Api\n    Properties:\n      StageName: live\n      {body}"
    );
    let from =
        "Rest: {Type: 'AWS::Serverless::Api', Properties: {StageName: live, Cors: \"'*'\"}}\n";
    let name = "!Sub '${Rest}.execute-api.us-east-1.amazonaws.com'";
    let loaded = load(name, (from, &rest), &Options::default());
    problem(&loaded, "integrations of type HTTP_PROXY are not run");
    let stack = stack(loaded);
    let routes = &stack.apis[0].routes;
    assert!(matches!(&routes[0].answer, Answer::Function { payload: Payload::V1, .. }));
    let Answer::Fixed(fixed) = &routes[1].answer else { panic!("{routes:?}") };
    assert_eq!((fixed.status, &fixed.headers[..]), (204, &pairs(&[("X-A", "b")])[..]));
    assert!(matches!(&routes[2].answer, Answer::NotRun(_)) && routes[2].path == "/e");
}

/// A template whose API has its routes in a definition; `API` is its kind, `AUTH` and `BODY` what it says.
const DEFINED: &str = "Transform: AWS::Serverless-2016-10-31
Resources:
  F: {Type: 'AWS::Serverless::Function', Properties: {Runtime: python3.12, Handler: index.h, InlineCode: 'x = 1'}}
  Gate:
    Type: AWS::Serverless::API
    Properties:
      StageName: live
      AUTH
      DefinitionBody:
        openapi: 3.0.1
        BODY
        paths:
          /a: {get: {OPERATION, x-amazon-apigateway-integration: {type: aws_proxy, uri: !GetAtt F.Arn}}}
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: app
            DomainName: !Sub '${Gate}.execute-api.us-east-1.amazonaws.com'
            CustomOriginConfig: {OriginProtocolPolicy: https-only}
        DefaultCacheBehavior: {TargetOriginId: app, ViewerProtocolPolicy: https-only, CachePolicyId: CachingDisabled}
";

fn defined(kind: &str, auth: &str, body: &str, operation: &str) -> Loaded {
    let text = DEFINED
        .replace("Serverless::API", &format!("Serverless::{kind}"))
        .replace(
            "      AUTH\n",
            &if auth.is_empty() { String::new() } else { format!("      {auth}\n") },
        )
        .replace(
            "        BODY\n",
            &if body.is_empty() { String::new() } else { format!("        {body}\n") },
        )
        .replace("OPERATION", operation);
    loaded_as("template.yml", &text, &Options::default())
}

#[test]
fn a_definition_is_no_way_around_who_may_call() {
    let tag = "summary: a";
    for kind in ["HttpApi", "Api"] {
        stack(defined(kind, "", "", tag));
        stack(defined(kind, "Auth: {DefaultAuthorizer: NONE}", "", tag));
        stack(defined(kind, "Auth: {DefaultAuthorizer: J}", "", "security: []"));
        stack(defined(kind, "", "", "x-amazon-apigateway-auth: {type: NONE}"));
        for (auth, body, operation) in [
            ("Auth: {DefaultAuthorizer: J, Authorizers: {J: {UserPoolArn: x}}}", "", tag),
            ("Auth: {ApiKeyRequired: true}", "", tag),
            ("", "security: [{J: []}]", tag),
            ("", "", "security: [{J: []}]"),
            ("", "", "x-amazon-apigateway-auth: {type: AWS_IAM}"),
        ] {
            let loaded = defined(kind, auth, body, operation);
            problem(&loaded, "--allow-unprotected 'Gate.GET /a'");
            assert!(loaded.has_errors(), "{kind} {auth} {body} {operation}");
        }
        let policy = defined(kind, "", "x-amazon-apigateway-policy: {Statement: []}", tag);
        problem(&policy, "--allow-unprotected Gate.Policy");
        let cors = defined(kind, "", "x-amazon-apigateway-cors: {allowOrigins: ['*']}", tag);
        assert!(cors.report.inert().any(|(it, _)| it.path.ends_with("x-amazon-apigateway-cors")));
    }
    let types = "x-amazon-apigateway-binary-media-types: ['image/png']";
    assert_eq!(stack(defined("Api", "", types, tag)).apis[0].binary_media_types, ["image/png"]);
}

#[test]
fn events_whose_names_run_together_stay_apart() {
    let function = |id: &str, event: &str, path: &str| {
        format!(
            "  {id}: {{Type: 'AWS::Serverless::Function', Properties: {{Runtime: python3.12, Handler: index.h,
    InlineCode: 'x = 1', Events: {{
      {event}: {{Type: HttpApi, Properties: {{Path: /{id}, Method: get, TimeoutInMillis: 9}}}},
      {event}1: {{Type: Api, Properties: {{Path: '{path}', Method: get, RequestModel: {{Model: M}}}}}}}}}}}}\n"
        )
    };
    let resources = function("Get", "UserApi", "/a-b") + &function("GetUser", "Api", "/ab");
    let edge = &DEFINED[DEFINED.find("  Edge:").unwrap()..];
    let head = "Transform: AWS::Serverless-2016-10-31
Globals: {Api: {Cors: \"'*'\"}}
Resources:\n";
    for (api, expected) in [
        ("ServerlessHttpApi", &["GET /Get", "GET /GetUser"][..]),
        ("ServerlessRestApi", &["GET /a-b", "OPTIONS /a-b", "GET /ab", "OPTIONS /ab"]),
    ] {
        let text = format!("{head}{resources}{}", edge.replace("Gate", api));
        let loaded = loaded_as("template.yml", &text, &Options::default());
        let listed: Vec<_> = loaded.report.inert().map(|(entry, _)| entry.path.clone()).collect();
        for part in
            ["Events.UserApi.Properties.TimeoutInMillis", "Events.Api1.Properties.RequestModel"]
        {
            assert!(listed.iter().any(|path| path.ends_with(part)), "{part} in {listed:?}");
        }
        let stack = stack(loaded);
        let routes = stack.apis[0].routes.iter().map(|route| {
            format!("{} {}", route.method.as_ref().map_or("ANY", |it| it.as_str()), route.path)
        });
        assert_eq!(routes.collect::<Vec<_>>(), expected, "{api}");
    }
}
