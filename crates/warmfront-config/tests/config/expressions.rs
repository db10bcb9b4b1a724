//! Intrinsic functions: what the `DomainName` or `Comment` of a distribution evaluates to.

use warmfront_config::Options;

use crate::{Parts, loaded, pairs, problem, stack};

const SECTIONS: &str = "  Site: {Type: 'AWS::S3::Bucket', Properties: {BucketName: My-Site}}
  Api: {Type: 'AWS::ApiGateway::RestApi'}
  Off: {Type: 'AWS::S3::Bucket', Condition: No}
Parameters:
  Host: {Type: String, Default: app}
  Kind: {Type: String, Default: a, AllowedValues: [a, b]}
  Hosts: {Type: CommaDelimitedList, Default: 'one.example, two.example'}
  Count: {Type: Number, Default: 3, MaxValue: 5}
  Needed: {Type: String}
  Secret: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /path}
Mappings:
  Regions: {us-east-1: {host: mapped.example}}
Conditions:
  Yes: !Equals [!Ref Kind, a]
  No: !Not [!Condition Yes]
  Both: !And [!Condition Yes, !Condition No]
  Either: !Or [!Condition Yes, !Condition No]
";

/// Evaluates as the origin's domain name.
fn evaluated(expression: &str, options: &Options) -> warmfront_config::Loaded {
    let origin = format!(
        "DomainName: {expression}\nCustomOriginConfig: {{OriginProtocolPolicy: http-only}}"
    );
    loaded(Parts { origin: &origin, more: SECTIONS, ..Parts::default() }, options)
}

fn check(expression: &str, expected: &str) {
    let mut options =
        Options { origins: pairs(&[("app", "http://localhost:1")]), ..Options::default() };
    options.attributes = pairs(&[
        ("Api.Name", "given"),
        ("ImportValue.shared", "imported"),
        ("resolve.ssm:/x:1", "ssm"),
    ]);
    let stack = stack(evaluated(expression, &options));
    assert_eq!(stack.distributions[0].origins[0].domain_name, expected, "{expression}");
}

#[test]
fn functions_give_what_cloudformation_gives() {
    for (expression, expected) in [
        ("!Ref Host", "app"),
        ("{Ref: Host}", "app"),
        ("!Sub '${Host}.${AWS::Region}.example'", "app.us-east-1.example"),
        ("!Sub ['${a}.${Host}', {a: !Ref Kind}]", "a.app"),
        ("!Join ['.', [!Ref Host, example, com]]", "app.example.com"),
        ("!Select [1, !Ref Hosts]", "two.example"),
        ("!Select ['0', !Split ['/', 'x.example/y']]", "x.example"),
        ("!FindInMap [Regions, !Ref 'AWS::Region', host]", "mapped.example"),
        ("!If [Yes, yes.example, no.example]", "yes.example"),
        ("!If [No, yes.example, no.example]", "no.example"),
        ("!If [Both, yes.example, no.example]", "no.example"),
        ("!If [Either, yes.example, no.example]", "yes.example"),
        ("!GetAtt Site.DomainName", "my-site.s3.amazonaws.com"),
        ("!GetAtt [Site, RegionalDomainName]", "my-site.s3.us-east-1.amazonaws.com"),
        ("{'Fn::GetAtt': Site.RegionalDomainName}", "my-site.s3.us-east-1.amazonaws.com"),
        (
            "!Select [2, !Split ['/', !GetAtt Site.WebsiteURL]]",
            "my-site.s3-website-us-east-1.amazonaws.com",
        ),
        (
            "!Sub '${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}'",
            "api.execute-api.us-east-1.amazonaws.com",
        ),
        (
            "!Sub 'n${Count}.${AWS::AccountId}.${AWS::StackName}.${AWS::Partition}'",
            "n3.000000000000.template.aws",
        ),
        ("!GetAtt Api.Name", "given"),
        ("!ImportValue shared", "imported"),
        ("'{{resolve:ssm:/x:1}}.example'", "ssm.example"),
        ("!Sub '{{resolve:ssm:/x:1}}.${Host}'", "ssm.app"),
        ("!Join ['', ['{{resolve:ssm:/', 'x:1}}.example']]", "ssm.example"),
        ("!Base64 'ab'", "ywi="),
    ] {
        if expression.contains("Base64") {
            continue; // Its result is no host name; below it is the value of a header.
        }
        check(expression, expected);
    }
}

#[test]
fn literals_and_base64_reach_header_values() {
    let origin = "DomainName: a.example
OriginCustomHeaders:
  - {HeaderName: X-Literal, HeaderValue: !Sub '${!Kept} ${Host}'}
  - {HeaderName: X-Base64, HeaderValue: !Base64 ab}
  - !If [No, {HeaderName: X-No, HeaderValue: no}, !Ref 'AWS::NoValue']
CustomOriginConfig: {OriginProtocolPolicy: http-only}";
    let stack =
        stack(loaded(Parts { origin, more: SECTIONS, ..Parts::default() }, &Options::default()));
    let headers = &stack.distributions[0].origins[0].custom_headers;
    let values: Vec<_> = headers.iter().map(|(_, value)| value.to_str().unwrap()).collect();
    assert_eq!(values, ["${Kept} app", "YWI="]);
}

#[test]
fn parameters_are_passed_and_checked() {
    for (parameters, expression, expected) in [
        (&[("Host", "other")][..], "!Ref Host", "other"),
        (&[("AWS::Region", "eu-west-1")], "!Sub 'x.${AWS::Region}'", "x.eu-west-1"),
        (&[("Needed", "given")], "!Ref Needed", "given"),
        (&[("Secret", "given")], "!Ref Secret", "given"),
    ] {
        let options = Options { parameters: pairs(parameters), ..Options::default() };
        let stack = stack(evaluated(expression, &options));
        assert_eq!(stack.distributions[0].origins[0].domain_name, expected);
    }
    for (parameters, expression, message) in [
        (&[("Kind", "c")][..], "!Ref Kind", "Kind may not be \"c\" (allowed: a, b)"),
        (&[("Count", "7")], "!Sub 'n${Count}'", "at most 5"),
        (&[("Count", "many")], "!Sub 'n${Count}'", "is a number"),
        (&[("Hots", "x")], "!Ref Host", "there is no parameter \"Hots\". Did you mean \"Host\"?"),
        (&[], "!Ref Needed", "pass --parameter Needed=VALUE"),
        (&[], "!Ref Secret", "pass --parameter Secret=VALUE"),
    ] {
        let options = Options { parameters: pairs(parameters), ..Options::default() };
        problem(&evaluated(expression, &options), message);
    }
}

#[test]
fn a_wrong_expression_says_what_is_wrong() {
    for (expression, message) in [
        ("!Ref Hots", "nothing here is called \"Hots\". Did you mean"),
        ("!GetAtt Site.DomanName", "Did you mean \"DomainName\"?"),
        ("!GetAtt Site", "LogicalId.Attribute"),
        ("!GetAtt Api.Unheard", "pass --attribute Api.Unheard=VALUE"),
        ("!Ref Off", "its condition No is false"),
        ("!Sub '${Hots}.x'", "nothing here is called \"Hots\""),
        ("!Sub '${Host.x'", "has no \"}\""),
        ("!Sub '${Hosts}'", "Fn::Sub takes texts"),
        ("!Select [2, !Ref Hosts]", "item \"2\" of a list of 2"),
        ("!Select [x, [a]]", "item \"x\""),
        ("!Split ['', a]", "delimiter of Fn::Split is empty"),
        ("!Join ['.']", "takes [delimiter, list], found 1 values"),
        ("!Join ['.', [[a]]]", "joins texts, found a list"),
        ("!FindInMap [Regions, eu-west-1, host]", "Mappings have no \"eu-west-1\" here. "),
        ("!If [Yess, a, b]", "there is no condition \"Yess\". Did you mean \"Yes\"?"),
        ("!If [Yes, a]", "value if true, value if false"),
        ("!ImportValue other", "--attribute 'ImportValue.other=VALUE'"),
        ("'{{resolve:ssm:/y}}'", "--attribute 'resolve.ssm:/y=VALUE'"),
        ("{'Fn::Jion': ['', []]}", "Did you mean \"Fn::Join\"?"),
        ("!GetAZs us-east-1", "is not evaluated here"),
        ("[a]", "expected text, found a list"),
    ] {
        let loaded = evaluated(expression, &Options::default());
        assert!(loaded.has_errors(), "{expression}");
        problem(&loaded, message);
    }
}

#[test]
fn unknown_names_in_options_are_errors() {
    for (options, message) in [
        (
            Options { attributes: pairs(&[("Sit.Arn", "x")]), ..Options::default() },
            "there is no resource \"Sit\". Did you mean \"Site\"?",
        ),
        (
            Options { function_env: pairs(&[("Hello.KEY", "x")]), ..Options::default() },
            "there is no function \"Hello\"",
        ),
        (
            Options { function_concurrency: vec![("Hello".into(), 2)], ..Options::default() },
            "there is no function \"Hello\"",
        ),
    ] {
        problem(&evaluated("a.example", &options), message);
    }
}

#[test]
fn a_name_that_leads_nowhere_is_said_once_wherever_it_stands() {
    let check = |more: &str, expected: &[&str]| {
        let more = format!("{SECTIONS}{more}\n");
        let loaded = loaded(Parts { more: &more, ..Parts::default() }, &Options::default());
        let said: Vec<&str> = loaded.diagnostics.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(said, expected, "{more}");
    };
    let nothing = "nothing here is called \"Gone\".";
    check("Outputs: {A: {Value: {Ref: Gone}}}", &[nothing]);
    check("Outputs: {A: {Value: {'Fn::GetAtt': [Gone, Arn]}}}", &[nothing]);
    check("Outputs: {A: {Value: !Sub 'a-${Gone.Arn}-${!Literal}'}}", &[nothing]);
    check("Outputs: {A: {Value: !Sub ['${B}-${Host}', {B: !Ref Gone}]}}", &[nothing]);
    check("Outputs: {A: {Value: !Sub ['${Gone}', {Gone: !Ref Site}]}}", &[]);
    check("Outputs: {A: {Value: !Sub '${AWS::Region}-${Needed}-${Off}'}}", &[]);
    let macros = "macros are not expanded; the template is read as it stands";
    check("Outputs: {A: {Value: !Ref Gone}}\nTransform: Own-Macro", &[macros]);
}
