//! CDK assemblies: stacks, stages, what crosses between them, and assets.

use std::fs;
use std::path::Path;

use warmfront_config::{Loaded, Options, load};
use warmfront_core::api::Answer;
use warmfront_core::function::Code;
use warmfront_core::origin::Target;

use crate::{pairs, problem, stack};

/// A manifest with these stacks and one stage below; `{env}` is the stack's environment.
fn manifest(stacks: &[(&str, &str)], stage: Option<&str>) -> String {
    let mut artifacts: Vec<String> = stacks
        .iter()
        .flat_map(|(name, env)| {
            [
                format!(
                    r#""{name}": {{"type": "aws:cloudformation:stack", "environment": "aws://{env}",
                        "properties": {{"templateFile": "{name}.template.json"}}}}"#
                ),
                format!(
                    r#""{name}.assets": {{"type": "cdk:asset-manifest",
                        "properties": {{"file": "{name}.assets.json"}}}}"#
                ),
            ]
        })
        .collect();
    artifacts.push(r#""Tree": {"type": "cdk:tree", "properties": {"file": "tree.json"}}"#.into());
    artifacts.extend(stage.map(|directory| {
        format!(
            r#""{directory}": {{"type": "cdk:cloud-assembly",
                "properties": {{"directoryName": "{directory}"}}}}"#
        )
    }));
    format!(r#"{{"version": "55.0.0", "artifacts": {{{}}}}}"#, artifacts.join(","))
}

/// The manifest of two assets, one directory above or here.
fn assets(up: &str) -> String {
    let file = |hash: &str| {
        format!(
            r#""{hash}": {{"source": {{"path": "{up}asset.{hash}", "packaging": "zip"}},
                "destinations": {{"here": {{"bucketName": "b", "objectKey": "{hash}.zip"}}}}}}"#
        )
    };
    format!(r#"{{"version": "55.0.0", "files": {{{}, {}}}}}"#, file("c0de"), file("51fe"))
}

const API: &str = r#"{"Resources": {
  "Fn": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs22.x",
    "Handler": "index.handler",
    "Code": {"S3Bucket": {"Fn::Sub": "assets-${AWS::Region}"}, "S3Key": "c0de.zip"}}},
  "Url": {"Type": "AWS::Lambda::Url",
    "Properties": {"AuthType": "NONE", "TargetFunctionArn": {"Fn::GetAtt": ["Fn", "Arn"]}}},
  "Carry": {"Type": "Custom::CrossRegionExportWriter", "Properties": {"WriterProps": {"exports": {
    "/cdk/exports/web/url": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}}}}},
 "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}, "Export": {"Name": "{stack}:Url"}}}}"#;

const WEB: &str = r#"{"Resources": {
  "Site": {"Type": "AWS::S3::Bucket"},
  "Read": {"Type": "Custom::CrossRegionExportReader", "Properties": {}},
  "Empty": {"Type": "Custom::S3AutoDeleteObjects", "Properties": {"BucketName": {"Ref": "Site"}}},
  "Deploy": {"Type": "Custom::CDKBucketDeployment", "Properties": {
    "SourceObjectKeys": ["51fe.zip"], "DestinationBucketName": {"Ref": "Site"}{prefix}}},
  "Edge": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {
    "Enabled": true,
    "Origins": [
      {"Id": "site", "DomainName": {"Fn::GetAtt": ["Site", "RegionalDomainName"]}, "S3OriginConfig": {}},
      {"Id": "api", "DomainName": {"Fn::Select": [2, {"Fn::Split": ["/", {url}]}]},
       "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"}}],
    "DefaultCacheBehavior": {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all",
      "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}}}}}}"#;

const CARRIED: &str = r#"{"Fn::GetAtt": ["Read", "/cdk/exports/web/url"]}"#;

fn web(url: &str) -> String {
    WEB.replace("{url}", url).replace("{prefix}", "")
}

fn write(directory: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// An assembly in which Web reads `url`; with it a stage that has both stacks once more.
fn assembly(root: &Path, url: &str, prefix: &str) {
    let stacks = [("Api", "unknown-account/eu-west-1"), ("Web", "111122223333/us-east-1")];
    let imported = web(r#"{"Fn::ImportValue": "Prod-Api:Url"}"#);
    write(
        root,
        &[
            ("cdk.out", "{}"),
            ("manifest.json", &manifest(&stacks, Some("assembly-Prod"))),
            ("Api.template.json", &API.replace("{stack}", "Api")),
            ("Api.assets.json", &assets("")),
            ("Web.template.json", &WEB.replace("{url}", url).replace("{prefix}", prefix)),
            ("Web.assets.json", &assets("")),
            ("asset.c0de/index.js", "exports.handler = async () => 'hello';"),
            ("asset.51fe/index.html", "hello"),
            ("assembly-Prod/manifest.json", &manifest(&stacks, None)),
            ("assembly-Prod/Api.template.json", &API.replace("{stack}", "Prod-Api")),
            ("assembly-Prod/Api.assets.json", &assets("../")),
            ("assembly-Prod/Web.template.json", &imported),
            ("assembly-Prod/Web.assets.json", &assets("../")),
        ],
    );
    let renamed = manifest(&stacks, None)
        .replace(r#""templateFile": "#, r#""stackName": "Prod", "templateFile": "#);
    fs::write(root.join("assembly-Prod/manifest.json"), renamed).unwrap();
}

fn loaded(url: &str, prefix: &str, source: &str) -> (tempfile::TempDir, Loaded) {
    let root = tempfile::tempdir().unwrap();
    let cdk = root.path().join("cdk.out");
    assembly(&cdk, url, prefix);
    let loaded = load(&root.path().join(source), &Options::default()).unwrap();
    (root, loaded)
}

#[test]
fn all_stacks_of_an_assembly_and_of_its_stages_are_served() {
    for source in ["cdk.out", "."] {
        let (root, loaded) = loaded(CARRIED, "", source);
        let listed: Vec<_> = loaded.report.inert().map(|(entry, _)| entry.path.as_str()).collect();
        assert!(listed.contains(&"Resources.Empty") && listed.contains(&"Resources.Deploy"));
        let stack = stack(loaded);
        assert_eq!(stack.distributions.len(), 2);
        assert_eq!(stack.functions.len(), 2);
        for distribution in &stack.distributions {
            let [site, api] = distribution.origins.as_slice() else { panic!() };
            let Target::Directory(directory) = &site.target else { panic!("{:?}", site.target) };
            assert!(directory.join("index.html").is_file(), "{}", directory.display());
            assert!(matches!(api.target, Target::Api(_)), "{:?}", api.target);
        }
        for function in &stack.functions {
            let Code::Directory(code) = &function.code else { panic!("{:?}", function.code) };
            assert!(code.join("index.js").is_file(), "{}", code.display());
        }
        drop(root);
    }
}

#[test]
fn an_assembly_is_known_by_the_file_cdk_out_or_by_its_tree() {
    let root = tempfile::tempdir().unwrap();
    let copy = root.path().join("copy");
    assembly(&copy, CARRIED, "");
    fs::rename(copy.join("cdk.out"), copy.join("tree.json")).unwrap();
    assert_eq!(stack(load(&copy, &Options::default()).unwrap()).distributions.len(), 2);
    fs::remove_file(copy.join("tree.json")).unwrap();
    assert!(load(&copy, &Options::default()).is_err());
}

#[test]
fn a_stack_that_is_chosen_is_served_alone_with_what_it_refers_to() {
    let (_root, loaded) = loaded(CARRIED, "", "cdk.out/Web.template.json");
    let stack = stack(loaded);
    assert_eq!((stack.name.as_str(), stack.account.as_str()), ("Web", "111122223333"));
    assert_eq!((stack.distributions.len(), stack.functions.len()), (1, 1));
    let api = &stack.distributions[0].origins[1];
    // The API's own region, not that of the distribution.
    assert!(api.domain_name.ends_with(".lambda-url.eu-west-1.on.aws"), "{}", api.domain_name);
}

#[test]
fn what_crosses_from_nowhere_and_a_bucket_that_is_not_copied_whole_are_told() {
    let nowhere = r#"{"Fn::GetAtt": ["Read", "/cdk/exports/web/other"]}"#;
    problem(&loaded(nowhere, "", "cdk.out").1, "only AWS knows Read./cdk/exports/web/other");
    let prefix = r#", "DestinationBucketKeyPrefix": "v1""#;
    problem(&loaded(CARRIED, prefix, "cdk.out").1, "is not here");
}

/// Three stacks as the CDK writes them: functions, the APIs in front of them, and the distribution.
#[test]
fn an_api_calls_functions_of_another_stack() {
    let functions = r#"{"Resources": {"Fn": {"Type": "AWS::Lambda::Function", "Properties": {
        "Runtime": "nodejs22.x", "Handler": "index.handler", "Code": {"ZipFile": "exports.handler = 1;"}{name}}},
      "Live": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}}}},
     "Outputs": {"Arn": {"Value": {"{value}": {of}}, "Export": {"Name": "Functions:Arn"}}}}"#;
    let apis = r#"{"Resources": {
      "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {"ProtocolType": "HTTP", "Target": {arn}}},
      "Url": {"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE", "TargetFunctionArn": {arn}}}},
     "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["{api}", "{attribute}"]}, "Export": {"Name": "Apis:Url"}}}}"#;
    let import = r#"{"Fn::ImportValue": "Functions:Arn"}"#;
    let by_hand =
        r#"{"Fn::Sub": "arn:${AWS::Partition}:lambda:eu-west-1:111122223333:function:orders"}"#;
    let named = r#", "FunctionName": "orders""#;
    let whole = ("Fn::GetAtt", r#"["Fn", "Arn"]"#);
    for (name, (value, of), arn, api, attribute) in [
        ("", whole, import, "Api", "ApiEndpoint"),
        ("", whole, import, "Url", "FunctionUrl"),
        ("", ("Ref", r#""Live""#), import, "Api", "ApiEndpoint"),
        (named, whole, by_hand, "Api", "ApiEndpoint"),
    ] {
        let root = tempfile::tempdir().unwrap();
        let functions = functions.replace("{name}", name).replace("{value}", value);
        let [edge, home] = ["111122223333/us-east-1", "111122223333/eu-west-1"];
        let stacks = [("Web", edge), ("Apis", home), ("Functions", home)];
        let apis = apis.replace("{api}", api).replace("{attribute}", attribute);
        write(
            root.path(),
            &[
                ("cdk.out", "{}"),
                ("manifest.json", &manifest(&stacks, None)),
                ("Web.template.json", &web(r#"{"Fn::ImportValue": "Apis:Url"}"#)),
                ("Apis.template.json", &apis.replace("{arn}", arn)),
                ("Functions.template.json", &functions.replace("{of}", of)),
                ("Web.assets.json", &assets("")),
                ("Apis.assets.json", &assets("")),
                ("Functions.assets.json", &assets("")),
                ("asset.51fe/index.html", "hello"),
            ],
        );
        let stack = stack(load(root.path(), &Options::default()).unwrap());
        let [function] = &stack.functions[..] else { panic!("{:?}", stack.functions) };
        let Target::Api(api) = &stack.distributions[0].origins[1].target else { panic!() };
        let Answer::Function { function: called, .. } = &api.routes[0].answer else { panic!() };
        assert_eq!((called, function.logical_id.as_str()), (function, "Fn"));
    }
}

#[test]
fn a_function_that_no_stack_has_is_told() {
    let url = r#"{"Resources": {"Url": {"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE",
        "TargetFunctionArn": "arn:aws:lambda:us-east-1:111122223333:function:orders"}}, "#;
    let text = web(r#"{"Fn::GetAtt": ["Url", "FunctionUrl"]}"#);
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &[("web.json", &text.replacen(r#"{"Resources": {"#, url, 1))]);
    let loaded = load(&root.path().join("web.json"), &Options::default()).unwrap();
    let told = problem(&loaded, "function:orders\" is no function of this source");
    assert!(told.help.as_ref().unwrap().contains("--with TEMPLATE"));
}

/// An assembly whose stack passes a value to the one it nests, and reads one of its outputs.
fn nesting(root: &Path) {
    let outer = r#"{"Resources": {
      "Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {
        "Parameters": {"Host": {"Fn::Join": [".", ["api", "example.com"]]}},
        "TemplateURL": {"Fn::Join": ["", ["https://s3.", {"Ref": "AWS::URLSuffix"}, "/assets/ne57.json"]]}}},
      "Edge": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {
        "Enabled": true,
        "Origins": [{"Id": "site", "DomainName": {"Fn::GetAtt": ["Inner", "Outputs.Site"]}, "S3OriginConfig": {}}],
        "DefaultCacheBehavior": {"TargetOriginId": "site", "ViewerProtocolPolicy": "allow-all",
          "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}}}}}}"#;
    let more = r#"{"Parameters": {"Host": {"Type": "String"}}, "Outputs": {"Site": {"Value": {
      "Fn::GetAtt": ["Site", "RegionalDomainName"]}}}, "#;
    let inner = web(r#"{"Fn::Sub": "https://${Host}/"}"#).replacen('{', more, 1);
    let asset = r#""ne57": {"source": {"path": "Inner.nested.template.json", "packaging": "file"},
        "destinations": {"here": {"bucketName": "b", "objectKey": "ne57.json"}}}, "c0de": "#;
    write(
        root,
        &[
            ("cdk.out", "{}"),
            ("manifest.json", &manifest(&[("Outer", "111122223333/eu-west-1")], None)),
            ("Outer.template.json", outer),
            ("Outer.assets.json", &assets("").replacen(r#""c0de": "#, asset, 1)),
            ("Inner.nested.template.json", &inner),
            ("asset.51fe/index.html", "hello"),
        ],
    );
}

#[test]
fn a_nested_stack_is_served_with_the_one_that_nests_it() {
    let root = tempfile::tempdir().unwrap();
    nesting(root.path());
    for (source, count) in [("", 2), ("Outer.template.json", 2), ("Inner.nested.template.json", 1)]
    {
        let loaded = load(&root.path().join(source), &Options::default()).unwrap();
        assert!(loaded.report.inert().all(|(entry, _)| entry.path != "Resources.Inner"));
        let stack = stack(loaded);
        assert_eq!(stack.distributions.len(), count, "{source}");
        for distribution in &stack.distributions {
            let target = &distribution.origins[0].target;
            assert!(matches!(target, Target::Directory(_)), "{source}: {target:?}");
        }
        let nested = stack.distributions.last().unwrap();
        assert_eq!(nested.origins[1].domain_name, "api.example.com");
    }
}

#[test]
fn a_nested_stack_that_is_not_here_is_told() {
    let root = tempfile::tempdir().unwrap();
    nesting(root.path());
    write(root.path(), &[("Outer.assets.json", &assets(""))]);
    let loaded = load(root.path(), &Options::default()).unwrap();
    problem(&loaded, "only AWS knows Inner.Outputs.Site");
    assert!(loaded.report.inert().any(|(entry, _)| entry.path == "Resources.Inner"));
    // One that would nest itself.
    nesting(root.path());
    let outer = root.path().join("Outer.template.json");
    fs::copy(&outer, root.path().join("Inner.nested.template.json")).unwrap();
    problem(&load(root.path(), &Options::default()).unwrap(), "nested too deep");
}

#[test]
fn a_stack_without_resources_is_a_stack() {
    let root = tempfile::tempdir().unwrap();
    let cdk = root.path().join("cdk.out");
    assembly(&cdk, CARRIED, "");
    let stacks = [("Api", "1/eu-west-1"), ("Web", "1/us-east-1"), ("Checks", "1/us-east-1")];
    let rules = r#"{"Parameters": {"BootstrapVersion": {"Type": "String", "Default": "21"}}}"#;
    for template in [rules, "{}"] {
        write(
            &cdk,
            &[
                ("manifest.json", &manifest(&stacks, None)),
                ("Checks.template.json", template),
                ("Checks.assets.json", r#"{"files": {}}"#),
            ],
        );
        assert_eq!(stack(load(&cdk, &Options::default()).unwrap()).distributions.len(), 1);
    }
}

/// The longest names that CDK's own tests have make a bucket whose label would be too long.
#[test]
fn a_bucket_of_a_stack_with_a_long_name_can_be_served_from_a_directory() {
    let root = tempfile::tempdir().unwrap();
    let template = "a_shop-with-an-encrypted-bucket-for-its-origin-and-access.template.json";
    let host = r#""api.example.com""#;
    let select = format!(r#"{{"Fn::Select": [2, {{"Fn::Split": ["/", {host}]}}]}}"#);
    write(root.path(), &[(template, &web(host).replace(&select, host))]);
    let site = root.path().to_string_lossy().into_owned();
    let options = Options { origins: pairs(&[("site", &site)]), ..Options::default() };
    let stack = stack(load(&root.path().join(template), &options).unwrap());
    let host = &stack.distributions[0].origins[0].domain_name;
    let label = host.split('.').next().unwrap();
    assert!(label.len() <= 63 && label.starts_with("a-shop-with-an-encrypted-site-"), "{host}");
}

#[test]
fn a_value_of_a_stack_in_another_region_is_asked_for_with_its_assembly() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &[("Web.template.json", &web(CARRIED))]);
    let loaded = load(&root.path().join("Web.template.json"), &Options::default()).unwrap();
    problem(&loaded, "give the whole cdk.out with that stack, or pass --attribute Read.");
}

#[test]
fn assemblies_that_are_none_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let cdk = root.path().join("cdk.out");
    write(&cdk, &[("manifest.json", r#"{"version": "1", "artifacts": {}}"#)]);
    problem(&load(&cdk, &Options::default()).unwrap(), "has no stacks");
    problem(&load(&cdk.join("manifest.json"), &Options::default()).unwrap(), "give the directory");
    write(&cdk, &[("manifest.json", "{}")]);
    problem(&load(&cdk, &Options::default()).unwrap(), "no artifacts");
    // A stage that holds itself.
    write(&cdk, &[("manifest.json", &manifest(&[], Some(".")))]);
    problem(&load(&cdk, &Options::default()).unwrap(), "more than 8 levels deep");
    // Each names the next one eight times: without a limit, 8⁶ readings.
    for depth in 0..7 {
        let stage = |n| {
            format!(
                r#""S{n}": {{"type": "cdk:cloud-assembly", "properties": {{"directoryName": "next"}}}}"#
            )
        };
        let stages: Vec<_> = (0..if depth < 6 { 8 } else { 0 }).map(stage).collect();
        let text = format!(r#"{{"version": "1", "artifacts": {{{}}}}}"#, stages.join(","));
        write(&cdk.join("next/".repeat(depth)), &[("manifest.json", &text)]);
    }
    problem(&load(&cdk, &Options::default()).unwrap(), "holds at most 200 others");
    fs::remove_file(cdk.join("manifest.json")).unwrap();
    assert!(load(&cdk, &Options::default()).unwrap_err().to_string().contains("manifest.json"));
}
