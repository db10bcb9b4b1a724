//! Where the parts of a distribution were written.

use warmfront_core::policy::PolicyKind;

const TEMPLATE: &str = r#"
Resources:
  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: by-language
        MinTTL: 0
        DefaultTTL: 60
        MaxTTL: 600
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: true
          HeadersConfig:
            HeaderBehavior: whitelist
            Headers:
              - Accept-Language
          CookiesConfig: { CookieBehavior: none }
          QueryStringsConfig: { QueryStringBehavior: all }
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: app
            DomainName: app.example.test
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        CacheBehaviors:
          - PathPattern: /old/*
            TargetOriginId: app
            ViewerProtocolPolicy: allow-all
            MinTTL: 5
            ForwardedValues:
              QueryString: true
              Headers: [Accept]
        DefaultCacheBehavior:
          TargetOriginId: app
          ViewerProtocolPolicy: allow-all
          CachePolicyId: !Ref Policy
"#;

#[test]
fn every_part_knows_its_line() {
    let loaded = super::loaded_as("template.yml", TEMPLATE, &Default::default());
    let id = loaded.stack.as_ref().unwrap().distributions[0].id.as_str();
    let written = &loaded.written;
    let policy = |property: &str| written.policy(PolicyKind::Cache, "by-language", property);
    let key = "ParametersInCacheKeyAndForwardedToOrigin";
    let rows = [
        (policy("Name"), 7),
        (policy("DefaultTTL"), 9),
        (policy(&format!("{key}.HeadersConfig.Headers.accept-language")), 16),
        (policy(&format!("{key}.QueryStringsConfig")), 18),
        (written.distribution(id, "Enabled"), 23),
        (written.origin(id, 0, "DomainName"), 26),
        (written.behavior(id, 0, "PathPattern"), 29),
        (written.behavior(id, 0, "MinTTL"), 32),
        (written.behavior(id, 0, "ForwardedValues.QueryString"), 34),
        (written.behavior(id, 0, "ForwardedValues.Headers.accept"), 35),
        (written.behavior(id, 1, "CachePolicyId"), 39),
    ];
    for (index, (place, line)) in rows.into_iter().enumerate() {
        assert_eq!(place.map(|place| place.line), Some(line), "row {index}");
    }
    assert!(written.behavior(id, 1, "PathPattern").is_none());
    assert!(written.policy(PolicyKind::OriginRequest, "by-language", "Name").is_none());
}

#[test]
fn a_name_that_two_policies_have_leads_to_neither() {
    let directory = tempfile::tempdir().unwrap();
    let [first, second] = ["first.yml", "second.yml"].map(|name| directory.path().join(name));
    std::fs::write(&first, TEMPLATE).unwrap();
    std::fs::write(&second, TEMPLATE.replace("Edge:", "Other:")).unwrap();
    let options = warmfront_config::Options { also: vec![second], ..Default::default() };
    let loaded = warmfront_config::load(&first, &options).unwrap();
    assert_eq!(loaded.stack.unwrap().distributions.len(), 2);
    assert!(loaded.written.policy(PolicyKind::Cache, "by-language", "DefaultTTL").is_none());
}
