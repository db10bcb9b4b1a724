//! What published SAM and Serverless samples have that a first reading got wrong.

use warmfront_config::{Loaded, Options, Severity, render_human};
use warmfront_core::api::{Answer, Payload};
use warmfront_core::function::Code;
use warmfront_core::origin::Target;

use crate::services::service;
use crate::{problem, stack};

/// A REST API and, where `SITE` names one, a second origin.
const TEMPLATE: &str = "Transform: AWS::Serverless-2016-10-31
Resources:
  Api: {Type: 'AWS::Serverless::Api', Properties: {StageName: live API}}
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      Runtime: nodejs22.x
      CODE
      Events: {All: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /open, Method: get}}}
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: api
            DomainName: !Sub '${Api}.execute-api.${AWS::Region}.amazonaws.com'
            CustomOriginConfig: {OriginProtocolPolicy: https-only}
SITE
        DefaultCacheBehavior: {TargetOriginId: api, ViewerProtocolPolicy: allow-all, CachePolicyId: CachingDisabled}
";
const SITE: &str = "          - {Id: site, DomainName: www.example.com, CustomOriginConfig: {OriginProtocolPolicy: https-only}}";
const INLINE: &str = "InlineCode: exports.handler = async () => 1";
const DEFINITION: &str = "openapi: 3.0.1
paths:
  /defined:
    get: {x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, uri: !Sub 'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Work.Arn}/invocations'}}
";

fn load(api: &str, code: &str, site: &str, options: &Options) -> Loaded {
    let text = TEMPLATE.replace(" API}}", &format!("{api}}}}}"));
    let text = text.replace("CODE", code).replace("SITE\n", &format!("{site}\n"));
    service(&[("template.yml", &text), ("api.yaml", DEFINITION)], options)
}

/// Where each route of the one API leads: to a function, or to nothing with this reason.
fn routes(loaded: Loaded) -> Vec<(String, String)> {
    let api = stack(loaded).apis[0].clone();
    let answer = |answer: &Answer| match answer {
        Answer::Function { function, payload: Payload::V1 } => function.logical_id.clone(),
        Answer::NotRun(reason) => reason.clone(),
        other => panic!("{other:?}"),
    };
    api.routes.iter().map(|route| (route.path.clone(), answer(&route.answer))).collect()
}

fn route(path: &str, answer: &str) -> (String, String) {
    (path.to_owned(), answer.to_owned())
}

/// What cannot run costs its own requests; a distribution of which nothing runs is refused.
#[track_caller]
fn check_costs_its_own_requests(api: &str, code: &str, reason: &str) {
    let alone = load(api, code, "", &Options::default());
    let refused = problem(&alone, "nothing of this distribution runs here");
    assert_eq!(refused.severity, Severity::Error);
    assert!(refused.help.as_ref().is_some_and(|it| it.contains("--origin api=http://")));

    let beside = load(api, code, SITE, &Options::default());
    assert_eq!(problem(&beside, reason).severity, Severity::Warning);
    for (_, answer) in routes(beside) {
        assert_eq!(answer, reason);
    }

    let origins = vec![("api".to_owned(), "http://localhost:3000".to_owned())];
    let elsewhere = load(api, code, "", &Options { origins, ..Options::default() });
    assert!(!elsewhere.diagnostics.iter().any(|it| it.message.contains(reason)));
    assert!(matches!(stack(elsewhere).distributions[0].origins[0].target, Target::Nodes(_)));
}

#[test]
fn a_function_whose_code_is_elsewhere_costs_its_own_requests_alone() {
    let s3 = "CodeUri: s3://builds/work.zip";
    check_costs_its_own_requests("", s3, "the code of Work is not here");
    let image = "PackageType: Image";
    let reason = "Work is a container image, and images are not run";
    check_costs_its_own_requests("", image, reason);
}

#[test]
fn code_may_be_one_file() {
    let text = TEMPLATE.replace(" API}}", "}}").replace("SITE\n", &format!("{SITE}\n"));
    let check = |uri: &str, files: &[&str]| {
        let text = text.replace("CODE", &format!("CodeUri: {uri}"));
        let files = files.iter().map(|file| (*file, "x"));
        let files: Vec<_> = std::iter::once(("template.yml", text.as_str())).chain(files).collect();
        service(&files, &Options::default())
    };
    let directory = |loaded: Loaded| {
        assert!(loaded.diagnostics.is_empty(), "{}", render_human(&loaded));
        let Code::Directory(path) = &stack(loaded).functions[0].code else {
            panic!("no directory")
        };
        path.file_name().unwrap().to_owned()
    };
    assert_eq!(directory(check("src/index.js", &["src/index.js", "src/other.js"])), "src");
    assert_eq!(
        directory(check("build/work.zip", &["build/work.zip", "build/work/index.js"])),
        "work"
    );
    let packed = check("build/work.zip", &["build/work.zip"]);
    problem(&packed, "unzip -d ");
    assert_eq!(routes(packed)[0].1, "the code of Work is an archive, and archives are not run");
    problem(&check("src/index.js", &[]), "\"src/index.js\" is not a directory");
}

#[test]
fn a_plugin_that_rewrites_names_is_named() {
    let text = TEMPLATE
        .replace(" API}}", "}}")
        .replace("CODE", INLINE)
        .replace("SITE\n", "")
        .replace("!Sub '${Api}", "'#{Api}");
    let loaded = service(&[("template.yml", &text)], &Options::default());
    problem(&loaded, "serverless-pseudo-parameters");
}

#[test]
fn a_definition_that_cannot_be_read_costs_the_requests_of_its_api() {
    let s3 = ", DefinitionUri: 's3://builds/api.yaml'";
    check_costs_its_own_requests(s3, INLINE, "the OpenAPI definition of Api lies on S3");
    let included = ", DefinitionBody: {'Fn::Transform': {Name: AWS::Include, Parameters: {Location: !Sub 's3://${AWS::StackName}/a'}}}";
    let reason = "the OpenAPI definition of Api is put together by AWS";
    check_costs_its_own_requests(included, INLINE, reason);
    // What is hidden may put an authorizer before the route of the event.
    let hidden = "{'Fn::Transform': {Name: AWS::Include, Parameters: {Location: 's3://a/b'}}}";
    for paths in [hidden.to_owned(), format!("{{/open: {hidden}}}")] {
        let body = format!(", DefinitionBody: {{openapi: 3.0.1, paths: {paths}}}");
        check_costs_its_own_requests(&body, INLINE, reason);
    }
}

#[test]
fn a_definition_in_a_file_beside_the_template_is_read() {
    let expected = [route("/defined", "Work"), route("/open", "Work")];
    for named in [
        ", DefinitionUri: ./api.yaml",
        ", DefinitionUri: api.yaml",
        ", DefinitionBody: {'Fn::Transform': {Name: AWS::Include, Parameters: {Location: ./api.yaml}}}",
    ] {
        let loaded = load(named, INLINE, "", &Options::default());
        assert!(loaded.files.iter().any(|file| file.ends_with("api.yaml")), "--watch sees it too");
        assert_eq!(routes(loaded), expected, "{named}");
    }
    let missing = load(", DefinitionUri: ./apu.yaml", INLINE, "", &Options::default());
    assert_eq!(problem(&missing, "apu.yaml cannot be read").severity, Severity::Error);
}

#[test]
fn the_option_for_an_operation_is_quoted_for_the_shell() {
    let guarded = ", DefinitionBody: {openapi: 3.0.1, paths: {/orders: {get: {security: [{pool: []}], x-amazon-apigateway-integration: {type: mock}}}}}";
    let loaded = load(guarded, INLINE, SITE, &Options::default());
    problem(&loaded, "pass --allow-unprotected 'Api.GET /orders'");
    let allow_unprotected = vec!["Api.GET /orders".to_owned()];
    stack(load(guarded, INLINE, SITE, &Options { allow_unprotected, ..Options::default() }));
}

#[test]
fn nobody_looks_for_the_code_of_a_language_that_does_not_run_here() {
    // `sam build` makes the archive; the handler of Go and Rust is no file with an export.
    for code in ["CodeUri: target/work.jar", "CodeUri: s3://builds/work.zip", INLINE] {
        let text = TEMPLATE
            .replace(" API}}", "}}")
            .replace("CODE", code)
            .replace("index.handler", "bootstrap")
            .replace("nodejs22.x", "provided.al2023")
            .replace("SITE\n", &format!("{SITE}\n"));
        let loaded = service(&[("template.yml", &text)], &Options::default());
        problem(&loaded, "functions in \"provided.al2023\" do not run here yet");
        assert_eq!(loaded.diagnostics.len(), 1, "{}", render_human(&loaded));
        assert_eq!(routes(loaded), [route("/open", "Work")]);
    }
}

#[test]
fn names_that_a_framework_makes_lead_to_the_file_that_makes_them() {
    for (name, part) in [
        ("ApiGatewayRestApi", "give the serverless.yml that this file is a part of"),
        ("IndexLambdaFunctionUrl", "give the serverless.yml that this file is a part of"),
        ("ServerlessRestApi", "Api events of functions that name no API"),
    ] {
        let text = TEMPLATE
            .replace(" API}}", "}}")
            .replace("CODE", INLINE)
            .replace("SITE\n", "")
            .replace("${Api}", &format!("${{{name}}}"));
        let loaded = service(&[("template.yml", &text)], &Options::default());
        let found = problem(&loaded, &format!("nothing here is called \"{name}\""));
        assert!(found.help.as_ref().is_some_and(|help| help.contains(part)), "{found:?}");
    }
}

#[test]
fn a_service_for_another_cloud_is_refused_with_one_word() {
    for provider in ["{name: azure}", "google"] {
        let text = format!(
            "service: my_service\nprovider: {provider}\nfunctions: {{a: {{handler: b.c, events: [{{http: true}}]}}}}\n"
        );
        let loaded = service(&[("serverless.yml", &text)], &Options::default());
        problem(&loaded, "not for aws");
        assert_eq!(loaded.diagnostics.len(), 1, "{}", render_human(&loaded));
    }
}
