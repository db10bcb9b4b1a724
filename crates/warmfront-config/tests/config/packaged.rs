//! The template that `serverless package` writes, and archives that lie beside a template.

use std::fs;

use warmfront_config::{Loaded, Options, load};
use warmfront_core::function::Code;

use crate::{problem, stack};

const TEMPLATE: &str = r#"{"Resources": {
  "HelloLambdaFunction": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs22.x",
    "Handler": "src/hello.handler", "Code": {"S3Bucket": {"Ref": "ServerlessDeploymentBucket"},
      "S3Key": "serverless/shop/dev/1767225600000-2026-01-01T00:00:00.000Z/shop.zip"}}},
  "ServerlessDeploymentBucket": {"Type": "AWS::S3::Bucket"},
  "Url": {"Type": "AWS::Lambda::Url", "Properties": {"AuthType": "NONE",
    "TargetFunctionArn": {"Fn::GetAtt": ["HelloLambdaFunction", "Arn"]}}},
  "Edge": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {
    "Enabled": true,
    "Origins": [{"Id": "api",
      "DomainName": {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Url", "FunctionUrl"]}]}]},
      "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"}}],
    "DefaultCacheBehavior": {"TargetOriginId": "api", "ViewerProtocolPolicy": "allow-all",
      "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"}}}}}}"#;

/// Loads the packaged template of a service that has these files.
fn packaged(files: &[&str]) -> (tempfile::TempDir, Loaded) {
    let root = tempfile::tempdir().unwrap();
    let template = root.path().join(".serverless/cloudformation-template-update-stack.json");
    fs::create_dir(template.parent().unwrap()).unwrap();
    fs::write(&template, TEMPLATE).unwrap();
    for file in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let loaded = load(&template, &Options::default()).unwrap();
    (root, loaded)
}

#[test]
fn code_is_found_unpacked_or_in_the_service_directory() {
    let zip = ".serverless/shop.zip";
    let unpacked = ".serverless/shop/src/hello.js";
    for (files, directory) in [
        (&[zip, "src/hello.js"][..], ""),
        (&[zip, unpacked], ".serverless/shop"),
        (&[zip, unpacked, "src/hello.js"], ".serverless/shop"),
    ] {
        let (root, loaded) = packaged(files);
        let stack = stack(loaded);
        let Code::Directory(code) = &stack.functions[0].code else { panic!() };
        let expected = root.path().join(directory).canonicalize().unwrap();
        assert_eq!(code.canonicalize().unwrap(), expected, "{files:?}");
    }
}

#[test]
fn an_archive_alone_says_how_to_unpack_it() {
    let (_root, loaded) = packaged(&[".serverless/shop.zip", "src/hello.ts"]);
    problem(&loaded, "unzip -d ");
    problem(&packaged(&[]).1, "the code of HelloLambdaFunction is not here");
}
