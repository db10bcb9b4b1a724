//! The honesty report: nothing that a source says is dropped in silence.

use warmfront_config::{Loaded, Options, Severity, Status, load, render_human, render_problems};
use warmfront_core::distribution::ErrorPage;
use warmfront_core::origin::{Failover, Target};

use crate::{Parts, fixture, loaded, pairs, problem, stack};

fn real_world() -> Loaded {
    let options = Options { origins: pairs(&[("Assets", "/")]), ..Options::default() };
    load(&fixture("config/real-world.yml"), &options).unwrap()
}

fn status<'l>(loaded: &'l Loaded, property: &str) -> &'l Status {
    let found = loaded.report.entries.iter().find(|entry| entry.path.ends_with(property));
    &found.unwrap_or_else(|| panic!("{property} is not in the report")).status
}

#[test]
fn a_template_written_by_someone_else_is_served_and_every_property_listed() {
    let loaded = real_world();
    for (property, reason) in [
        ("DefaultCacheBehavior.DefaultTTL", "the cache policy decides"),
        ("DefaultCacheBehavior.MinTTL", "the cache policy decides"),
        ("PriceClass", "no price"),
        ("IPV6Enabled", "--http and --https"),
        (".Logging", "--standard-log DIRECTORY/"),
        ("WebACLId", "no web application firewall"),
        ("ViewerCertificate.AcmCertificateArn", "development certificate"),
        ("ViewerCertificate.MinimumProtocolVersion", "TLS 1.2 and 1.3"),
        ("HttpVersion", "HTTP/3 is not served yet"),
        ("OriginShield", "no second cache layer"),
        ("OriginAccessControlId", "asks for no signature"),
        ("OriginSSLProtocols", "TLS 1.2 and 1.3"),
    ] {
        match status(&loaded, property) {
            Status::Inert(found) => assert!(found.contains(reason), "{property}: {found}"),
            other => panic!("{property} is {other:?}"),
        }
    }
    for property in [
        "Aliases",
        "Enabled",
        "TargetOriginId",
        "CachePolicyId",
        "ResponseHeadersPolicyId",
        "ErrorCachingMinTTL",
        "ResponseCode",
        "ResponsePagePath",
        "OriginGroups.Items[0].Id",
        "FailoverCriteria.StatusCodes.Items",
        "Members.Items[0].OriginId",
        "GeoRestriction",
        "DefaultCacheBehavior.Compress",
        "CacheBehaviors[0].Compress",
        "TrustedSigners",
        "FieldLevelEncryptionId",
        "AllowedMethods",
    ] {
        assert_eq!(*status(&loaded, property), Status::Effective, "{property}");
    }
    let stack = stack(loaded);
    let shop = &stack.distributions[0];
    assert_eq!(shop.origins[1].target, Target::Directory("/".into()));
    assert_eq!(shop.behaviors[0].origin, 1, "the primary member of the group");
    let failover = Failover { group: "group".to_owned(), origin: 0, statuses: vec![503] };
    assert_eq!(shop.behaviors[0].failover, Some(failover));
    let page = ErrorPage { path: "/index.html".to_owned(), status: 200 };
    assert_eq!(shop.error_responses[0].page, Some(page));
    assert_eq!(shop.aliases, ["shop.example.com"]);
}

#[test]
fn every_place_in_the_report_is_a_place_in_the_file() {
    let loaded = real_world();
    let text = std::fs::read_to_string(fixture("config/real-world.yml")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for entry in &loaded.report.entries {
        let name = entry.path.rsplit(['.', '[']).next().unwrap().trim_end_matches(']');
        let line = lines[entry.place.line as usize - 1];
        let here = &line[entry.place.column as usize - 1..];
        assert!(here.starts_with(name) || name.parse::<usize>().is_ok(), "{}: {here}", entry.path);
    }
}

#[test]
fn strict_makes_errors_of_what_has_no_effect() {
    let options =
        Options { strict: true, origins: pairs(&[("Assets", "/")]), ..Options::default() };
    let loaded = load(&fixture("config/real-world.yml"), &options).unwrap();
    assert_eq!(loaded.exit_code(), 1);
    assert!(problem(&loaded, "no price").path.ends_with("PriceClass"));
    assert!(loaded.diagnostics.iter().all(|it| it.severity == Severity::Error));
}

const FUNCTIONS: &str = "  Guard: {Type: 'AWS::CloudFront::Function', Properties: {Name: guard, AutoPublish: true, FunctionCode: x, FunctionConfig: {Comment: '', Runtime: cloudfront-js-2.0}}}
  AtEdge: {Type: 'AWS::Lambda::Function', Properties: {FunctionName: at-edge}}
  AtEdgeVersion: {Type: 'AWS::Lambda::Version', Properties: {FunctionName: !Ref AtEdge}}
";

#[test]
fn what_protects_and_is_not_effective_stops_the_source_until_it_is_allowed() {
    const POLICY: &str = "CachePolicyId: CachingOptimized\n";
    for (config, behavior, name) in [
        ("", "TrustedKeyGroups: [a]", "Edge.TrustedKeyGroups"),
        ("", "TrustedSigners: [self]", "Edge.TrustedSigners"),
        ("", "FieldLevelEncryptionId: ABC", "Edge.FieldLevelEncryptionId"),
        (
            "",
            "FunctionAssociations: [{EventType: viewer-request, FunctionARN: !GetAtt Guard.FunctionARN}]",
            "Guard",
        ),
        (
            "",
            "LambdaFunctionAssociations: [{EventType: origin-request, LambdaFunctionARN: !Ref AtEdgeVersion}]",
            "AtEdge",
        ),
        (
            "",
            "LambdaFunctionAssociations: [{EventType: viewer-request, LambdaFunctionARN: 'arn:aws:lambda:us-east-1:123456789012:function:auth:7'}]",
            "auth",
        ),
        (
            "Restrictions: {GeoRestriction: {RestrictionType: whitelist, Locations: [DE]}}",
            "",
            "Edge.GeoRestriction",
        ),
        ("ViewerMtlsConfig: {Mode: required}", "", "Edge.ViewerMtlsConfig"),
    ] {
        let behavior = format!("{POLICY}{behavior}");
        let parts = Parts { config, behavior: &behavior, more: FUNCTIONS, ..Parts::default() };
        let refused = loaded(parts, &Options::default());
        assert_eq!(refused.exit_code(), 1, "{name}");
        problem(&refused, &format!("--allow-unprotected {name}"));
        assert_eq!(refused.report.refused().count(), 1, "{name}");
        let options = Options { allow_unprotected: vec![name.to_owned()], ..Options::default() };
        let allowed = loaded(parts, &options);
        assert_eq!(problem(&allowed, name).severity, Severity::Warning);
        assert_eq!(allowed.report.refused().count(), 0);
        stack(allowed);
    }
}

#[test]
fn a_function_on_a_response_is_inert_and_does_not_stop_anything() {
    let behavior = "CachePolicyId: CachingOptimized\nFunctionAssociations: [{EventType: viewer-response, FunctionARN: !GetAtt Guard.FunctionARN}]";
    let loaded =
        loaded(Parts { behavior, more: FUNCTIONS, ..Parts::default() }, &Options::default());
    assert!(loaded.report.inert().any(|(_, reason)| reason.contains("Guard on viewer-response")));
    stack(loaded);
}

#[test]
fn what_only_aws_knows_is_no_error_where_it_has_no_effect() {
    for (config, behavior, property) in [
        ("WebACLId: !ImportValue acl", "", "WebACLId"),
        ("Logging: {Bucket: !GetAtt Logs.Outputs.Name}", "", "Logging"),
        ("Logging: {Bucket: !Sub '{{resolve:ssm:/logs}}.s3.amazonaws.com'}", "", "Logging"),
        (
            "ViewerCertificate: {AcmCertificateArn: !Ref Certificate, SslSupportMethod: sni-only}",
            "",
            "AcmCertificateArn",
        ),
    ] {
        let more = "  Logs: {Type: 'AWS::CloudFormation::Stack'}
Parameters:
  Certificate: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /certificate}
";
        let behavior = format!("CachePolicyId: CachingOptimized\n{behavior}");
        let loaded = loaded(
            Parts { config, behavior: &behavior, more, ..Parts::default() },
            &Options::default(),
        );
        assert!(matches!(status(&loaded, property), Status::Inert(_)), "{property}");
        stack(loaded);
    }
}

#[test]
fn a_permission_that_nothing_needs_is_a_warning() {
    let options =
        Options { allow_unprotected: vec!["Edge.TrustedKeyGrups".into()], ..Options::default() };
    let loaded = loaded(Parts::default(), &options);
    assert_eq!(problem(&loaded, "nothing here needs this permission").severity, Severity::Warning);
}

#[test]
fn people_and_tools_read_the_same_facts() {
    let options = Options::default();
    let loaded = load(&fixture("broken/unknown-origin-id.yml"), &options).unwrap();
    let human = warmfront_config::render_human(&loaded);
    let expected = "unknown-origin-id.yml:17:27  Resources.Site…DefaultCacheBehavior.TargetOriginId\n  error: no origin has the id \"api-orgin\". Did you mean \"api-origin\"? (origins: api-origin, site)\n";
    assert!(human.contains(expected), "{human}");
    let json: serde_json::Value =
        serde_json::from_str(&warmfront_config::render_json(&loaded)).unwrap();
    let found = &json["diagnostics"][0];
    assert_eq!((found["line"].as_u64(), found["column"].as_u64()), (Some(17), Some(27)));
    assert_eq!(
        found["path"],
        "Resources.Site.Properties.DistributionConfig.DefaultCacheBehavior.TargetOriginId"
    );
    assert_eq!(json["summary"]["errors"], 1);
    let sarif: serde_json::Value =
        serde_json::from_str(&warmfront_config::render_sarif(&loaded)).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["level"], "error");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 17);
}

#[test]
fn who_cannot_start_is_told_the_problems_alone() {
    let options = Options { origins: pairs(&[("Asets", "/")]), ..Options::default() };
    let loaded = load(&fixture("config/real-world.yml"), &options).unwrap();
    let (problems, all) = (render_problems(&loaded), render_human(&loaded));
    assert!(problems.contains("there is no origin \"Asets\""), "{problems}");
    assert!(problems.lines().last().unwrap().contains(" error"), "{problems}");
    assert!(all.contains("inert: ") && !problems.contains("inert"), "{problems}");
}
