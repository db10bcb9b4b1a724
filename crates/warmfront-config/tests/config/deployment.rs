//! Continuous deployment, tenants and the header of cache tags: what they compile to, and what is refused.

use std::time::Duration;

use warmfront_config::{Loaded, Options, Status};
use warmfront_core::continuous_deployment::{Stickiness, Traffic};
use warmfront_core::distribution::Role;

use super::{Parts, loaded, loaded_as, problem, stack};

const STAGING: &str = "  Next:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Staging: true
        Origins: [{Id: next, DomainName: next.example.com, CustomOriginConfig: {OriginProtocolPolicy: http-only}}]
        DefaultCacheBehavior: {TargetOriginId: next, ViewerProtocolPolicy: allow-all, CachePolicyId: CachingDisabled}
  Policy:
    Type: AWS::CloudFront::ContinuousDeploymentPolicy
    Properties:
      ContinuousDeploymentPolicyConfig:
        Enabled: true
        StagingDistributionDnsNames: [!GetAtt Next.DomainName]
";

fn staged(policy: &str, config: &str) -> Loaded {
    let more = format!("{STAGING}        {policy}");
    let config = format!("ContinuousDeploymentPolicyId: !GetAtt Policy.Id\n{config}");
    loaded(Parts { config: &config, more: &more, ..Parts::default() }, &Options::default())
}

#[test]
fn a_policy_says_which_requests_go_to_staging() {
    let header = || Traffic::Header {
        name: "aws-cf-cd-next".parse().unwrap(),
        value: "yes".parse().unwrap(),
    };
    let weight = |share| Traffic::Weight { share, stickiness: None };
    for (policy, expected) in [
        ("SingleHeaderPolicyConfig: {Header: AWS-CF-CD-Next, Value: 'yes'}", header()),
        (
            "TrafficConfig: {Type: SingleHeader, SingleHeaderConfig: {Header: aws-cf-cd-next, Value: 'yes'}}",
            header(),
        ),
        ("TrafficConfig: {Type: SingleWeight, SingleWeightConfig: {Weight: 0.15}}", weight(0.15)),
        ("Type: SingleWeight\n        SingleWeightPolicyConfig: {Weight: 0}", weight(0.0)),
    ] {
        let stack = stack(staged(policy, ""));
        let [site, next] = &stack.distributions[..] else { panic!("there are two") };
        assert_eq!((&site.role, &next.role), (&Role::Standard, &Role::Staging));
        let deployment = site.continuous_deployment.as_ref().unwrap();
        assert_eq!((&deployment.traffic, &deployment.staging), (&expected, &next.id), "{policy}");
    }
}

#[test]
fn sessions_of_other_settings_are_others() {
    let stickiness = |idle: u64| {
        let policy = format!(
            "TrafficConfig: {{Type: SingleWeight, SingleWeightConfig: {{Weight: 0.1, SessionStickinessConfig: {{IdleTTL: {idle}, MaximumTTL: 600}}}}}}"
        );
        let stack = stack(staged(&policy, ""));
        match &stack.distributions[0].continuous_deployment.as_ref().unwrap().traffic {
            Traffic::Weight { stickiness: Some(stickiness), .. } => stickiness.clone(),
            other => panic!("{other:?}"),
        }
    };
    let Stickiness { idle, maximum, generation } = stickiness(300);
    assert_eq!((idle, maximum), (Duration::from_secs(300), Duration::from_secs(600)));
    assert!(generation.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_ne!(generation, stickiness(301).generation);
}

#[test]
fn a_policy_that_cannot_work_is_refused() {
    let header = "SingleHeaderPolicyConfig: {Header: aws-cf-cd-next, Value: 'yes'}";
    for (policy, config, part) in [
        ("SingleHeaderPolicyConfig: {Header: x-next, Value: 'yes'}", "", "begins with aws-cf-cd-"),
        ("SingleWeightPolicyConfig: {Weight: 0.16}", "", "between 0 and 0.15"),
        ("SingleWeightPolicyConfig: {Weight: nan}", "", "between 0 and 0.15"),
        ("Type: SingleWeight", "", "a policy needs a Type"),
        (
            "SingleWeightPolicyConfig: {Weight: 0.1, SessionStickinessConfig: {IdleTTL: 600, MaximumTTL: 300}}",
            "",
            "greater than MaximumTTL",
        ),
        (header, "HttpVersion: http2and3", "does not work with HTTP/3"),
        (header, "Staging: true", "no staging distribution of its own"),
        (header, "Staging: true\nAliases: [a.example.com]", "has no aliases"),
    ] {
        let loaded = staged(policy, config);
        problem(&loaded, part);
        assert!(loaded.has_errors(), "{part}");
    }
    let elsewhere = staged(header, "");
    assert!(!elsewhere.has_errors());
    let more = STAGING.replace("!GetAtt Next.DomainName", "d0000000000000.cloudfront.net");
    let more = format!("{more}        {header}");
    let config = "ContinuousDeploymentPolicyId: !Ref Policy";
    let loaded = loaded(Parts { config, more: &more, ..Parts::default() }, &Options::default());
    problem(&loaded, "no distribution with Staging: true has the name");
}

#[test]
fn staging_that_nobody_leads_to_is_inert() {
    let more = STAGING.split("  Policy:").next().unwrap();
    let loaded = loaded(Parts { more, ..Parts::default() }, &Options::default());
    let entry =
        loaded.report.entries.iter().find(|entry| entry.path.ends_with(".Staging")).unwrap();
    assert!(matches!(&entry.status, Status::Inert(reason) if reason.contains("nobody reaches it")));
}

const SHARED: &str = "Resources:
  Shared:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        ConnectionMode: tenant-only
        TenantConfig:
          ParameterDefinitions:
            - {Name: customer, Definition: {StringSchema: {Required: true}}}
        {config}
        Origins: [{Id: app, DomainName: '{domain}', OriginAccessControlId: !Ref Control, S3OriginConfig: {{origin}}}]
        DefaultCacheBehavior: {TargetOriginId: app, ViewerProtocolPolicy: allow-all, {behavior}}
  Control:
    Type: AWS::CloudFront::OriginAccessControl
    Properties: {OriginAccessControlConfig: {Name: c, OriginAccessControlOriginType: s3, SigningBehavior: always, SigningProtocol: sigv4}}
  One:
    Type: AWS::CloudFront::DistributionTenant
    Properties:
      DistributionId: !Ref Shared
      Name: one
      Domains: [ONE.example.com]
      Parameters: [{Name: {parameter}, Value: {value}}]
      {tenant}
";

fn tenants(changes: &[(&str, &str)]) -> Loaded {
    let defaults = [
        ("{config}", "Comment: c"),
        ("{domain}", "{{customer}}.s3.eu-west-1.amazonaws.com"),
        ("{origin}", ""),
        ("{behavior}", "CachePolicyId: CachingDisabled"),
        ("{parameter}", "customer"),
        ("{value}", "one"),
        ("{tenant}", "Enabled: true"),
    ];
    let text = defaults.iter().fold(SHARED.to_owned(), |text, (name, default)| {
        let change = changes.iter().find(|(changed, _)| changed == name);
        text.replacen(name, change.map_or(default, |(_, value)| value), 1)
    });
    let text = text.replace("S3OriginConfig: {}", "S3OriginConfig: {OriginReadTimeout: 30}");
    let origins = super::pairs(&[("app", "http://localhost:9000")]);
    loaded_as("template.yml", &text, &Options { origins, can_sign: true, ..Options::default() })
}

#[test]
fn each_tenant_is_a_distribution_of_its_own() {
    let stack = stack(tenants(&[]));
    let [one] = &stack.distributions[..] else { panic!("the shared one serves nobody") };
    assert!(one.id.starts_with("dt_") && one.id.len() == 30, "{}", one.id);
    assert!(matches!(&one.role, Role::Tenant { template } if template.starts_with('E')));
    assert_eq!(one.aliases, ["one.example.com"]);
    let origin = &one.origins[0];
    assert_eq!(origin.domain_name, "one.s3.eu-west-1.amazonaws.com");
    assert_eq!(origin.access_control.as_ref().unwrap().region, "eu-west-1");
}

#[test]
fn a_tenant_that_does_not_fit_is_refused() {
    for (changes, part) in [
        (&[("{parameter}", "customr")][..], "Did you mean \"customer\"?"),
        (&[("{value}", "a/b")], "is not a host name for an origin's DomainName"),
        (&[("{value}", "a..b")], "is not a host name for an origin's DomainName"),
        (&[("{domain}", "{{other}}.s3.amazonaws.com")], "ParameterDefinitions has no \"other\""),
        (&[("{tenant}", "ConnectionGroupId: none")], "no ConnectionGroup has the id"),
        (&[("{config}", "Aliases: [a.example.com]")], "cannot have Aliases"),
        (&[("{config}", "PriceClass: PriceClass_100")], "cannot have PriceClass"),
        (&[("{config}", "WebACLId: 473e64fd-f30b-4765-81a0-62ad96dd167a")], "takes a WAFv2"),
        (
            &[("{config}", "ViewerCertificate: {IamCertificateId: x}")],
            "cannot have IamCertificateId",
        ),
        (
            &[("{origin}", "OriginAccessIdentity: origin-access-identity/cloudfront/E1")],
            "cannot have OriginAccessIdentity",
        ),
        (&[("{behavior}", "ForwardedValues: {QueryString: false}")], "cannot have ForwardedValues"),
    ] {
        let loaded = tenants(changes);
        problem(&loaded, part);
        assert!(loaded.has_errors(), "{part}");
    }
}

#[test]
fn what_the_guide_forbids_a_tenant_and_aws_takes_is_a_warning() {
    let two = "one}, {Name: plan, Value: gold";
    for (changes, part) in [
        (&[("{config}", "Logging: {Bucket: logs.s3.amazonaws.com}")][..], "no standard logs"),
        (&[("{value}", two)], "so nothing reads it"),
    ] {
        let loaded = tenants(changes);
        problem(&loaded, part);
        assert_eq!(stack(loaded).distributions.len(), 1);
    }
}

#[test]
fn parameters_are_for_tenants_alone() {
    let origin = "DomainName: '{{customer}}.example.com'\nCustomOriginConfig: {OriginProtocolPolicy: http-only}";
    let loaded = loaded(Parts { origin, ..Parts::default() }, &Options::default());
    problem(&loaded, "is filled in for tenants");
}

#[test]
fn the_header_of_cache_tags_is_kept_in_lower_case() {
    let config = "CacheTagConfig: {HeaderName: X-Cache-Tags}";
    let stack = stack(loaded(Parts { config, ..Parts::default() }, &Options::default()));
    let name = stack.distributions[0].cache_tag_header.as_ref().unwrap();
    assert_eq!(name.as_str(), "x-cache-tags");
    let config = "CacheTagConfig: {HeaderName: 'not a name'}";
    problem(
        &loaded(Parts { config, ..Parts::default() }, &Options::default()),
        "is not a header name",
    );
}
