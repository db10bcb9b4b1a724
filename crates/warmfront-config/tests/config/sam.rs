//! AWS SAM templates: what is read of them, and what is said of the rest.

use warmfront_config::Options;

use crate::{loaded_as, pairs};

#[test]
fn a_sam_template_is_read_but_for_what_sam_would_make() {
    const SAM: &str = "Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Timeout: 3}}
Resources:
  Site: {Type: 'AWS::S3::Bucket'}
  Web: {Type: 'AWS::Serverless::HttpApi'}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Handler: app.handler
      FunctionUrlConfig: {AuthType: NONE}
      Events: {Any: {Type: HttpApi}, Old: {Type: Api, Properties: {Path: /, Method: get}}}
  Url: {Type: 'AWS::Lambda::Url', Properties: {AuthType: NONE, TargetFunctionArn: !Ref Hello}}
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
    let check = |name: &str, more: &str, options: &Options, expected: &[&str]| {
        let text = SAM
            .replace("NAME", name)
            .replace("CachingDisabled\n", &format!("CachingDisabled\n{more}"));
        let loaded = loaded_as("template.yml", &text, options);
        let said: Vec<&str> = loaded.diagnostics.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(said.len(), expected.len() + 1, "{name}: {said:?}");
        assert!(said[0].starts_with("AWS SAM is not expanded"), "{said:?}");
        for (said, expected) in said[1..].iter().zip(expected) {
            assert!(said.contains(expected), "{said:?}, expected {expected:?}");
        }
        loaded
    };
    let none = Options::default();
    let loaded = check("www.example.com", "", &none, &[]);
    assert!(loaded.stack.is_some());
    let inert: Vec<&str> = loaded.report.inert().map(|(entry, _)| &*entry.path).collect();
    assert_eq!(inert, ["Resources.Web", "Resources.Hello"]);

    let origin = Options { origins: pairs(&[("app", "http://localhost:1")]), ..none.clone() };
    for (name, made) in [
        ("!Sub '${Web}.execute-api.${AWS::Region}.amazonaws.com'", "of Web"),
        ("!Sub '${ServerlessHttpApi}.execute-api.us-east-1.amazonaws.com'", "of ServerlessHttpApi"),
        ("!Sub '${ServerlessRestApi}.execute-api.us-east-1.amazonaws.com'", "of ServerlessRestApi"),
        ("!Select [2, !Split ['/', !GetAtt Web.ApiEndpoint]]", "of Web"),
        ("!Select [2, !Split ['/', !GetAtt HelloUrl.FunctionUrl]]", "of HelloUrl"),
        ("!Select [2, !Split ['/', !GetAtt Url.FunctionUrl]]", "AWS SAM (Hello) do not run"),
    ] {
        check(name, "", &none, &[made]);
        check(name, "", &origin, &[]);
    }
    for arn in ["!Ref Hello.Version", "!GetAtt Hello.Version.FunctionArn", "!Sub '${Hello.Arn}:1'"]
    {
        let more = format!(
            "          LambdaFunctionAssociations: [{{EventType: viewer-request, LambdaFunctionARN: {arn}}}]\n"
        );
        check("www.example.com", &more, &none, &["the function Hello on viewer-request may guard"]);
    }
}
