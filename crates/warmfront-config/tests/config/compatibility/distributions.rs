//! Lines of `AWS::CloudFront::Distribution`, without origins and behaviors.

use super::row::{Flag, GONE, Row, Section, row};

const TYPE: &str = "AWS::CloudFront::Distribution";

pub(super) const DISTRIBUTION: Section = Section {
    title: "Distribution",
    about: "Below `DistributionConfig`; in the reasons the distribution is called `Edge`.",
    resource: TYPE,
    subject: "Edge",
    below: "DistributionConfig.",
    rows: ROWS,
};

pub(super) const TAGS: Section = Section {
    title: "Beside the configuration",
    about: "",
    resource: TYPE,
    subject: "Edge",
    below: "",
    rows: &[row("Tags", r#"[{"Key": "a", "Value": "b"}]"#)],
};

const LOGGING: &[(&str, &str)] = &[("Logging.Bucket", "logs.s3.amazonaws.com")];
const TENANTS: &[(&str, &str)] = &[
    ("ConnectionMode", "tenant-only"),
    ("TenantConfig.ParameterDefinitions[].Name", "customer"),
    ("TenantConfig.ParameterDefinitions[].Definition.StringSchema.Required", "true"),
];
const ANY_LOG: &str = "crates/warmfront-server/tests/program/logs.rs::a_directory_has_the_files_of_the_bucket_and_they_end_with_their_hour";
const FILES: &[Flag] = &[Flag::LogToDirectory];
const FILES_WHEN: &str = "with `--standard-log DIRECTORY/`";
const STREAM: &[Flag] = &[Flag::LogToStream];
const STREAM_WHEN: &str = "with `--standard-log` to one file or stream";

const ROWS: &[Row] = &[
    row("Aliases", r#"["www.example.com"]"#),
    row("AnycastIpListId", "an-id"),
    row("CNAMEs", r#"["www.example.com"]"#),
    row("CacheBehaviors[].PathPattern", "/a/*").also(&[
        ("CacheBehaviors[].TargetOriginId", "app"),
        ("CacheBehaviors[].ViewerProtocolPolicy", "allow-all"),
        ("CacheBehaviors[].CachePolicyId", "CachingOptimized"),
    ]),
    row("CacheTagConfig.HeaderName", "x-tags"),
    row("Comment", "ours"),
    row("ConnectionFunctionAssociation", r#"{"Id": "a-function"}"#),
    row("ConnectionFunctionAssociation.Id", "a-function"),
    row("ConnectionMode", "direct").when("`direct`").proof(
        "crates/warmfront-config/tests/config/deployment.rs::parameters_are_for_tenants_alone",
    ),
    row("ConnectionMode", "tenant-only").when("`tenant-only`"),
    row("ContinuousDeploymentPolicyId", r#"{"Ref": "Deployment"}"#),
    row("CustomErrorResponses[].ErrorCode", "404"),
    row("CustomErrorResponses[].ErrorCachingMinTTL", "30")
        .also(&[("CustomErrorResponses[].ErrorCode", "404")]),
    row("CustomErrorResponses[].ResponseCode", "200").also(&[
        ("CustomErrorResponses[].ErrorCode", "404"),
        ("CustomErrorResponses[].ResponsePagePath", "/index.html"),
    ]),
    row("CustomErrorResponses[].ResponsePagePath", "/index.html").also(&[
        ("CustomErrorResponses[].ErrorCode", "404"),
        ("CustomErrorResponses[].ResponseCode", "200"),
    ]),
    row("CustomOrigin", "{}"),
    row("DefaultRootObject", "index.html"),
    row("Enabled", "true"),
    row("HttpVersion", "http1.1")
        .when("`http1.1`")
        .proof("crates/warmfront-server/tests/program/serving.rs::http_1_distributions_are_not_offered_http_2"),
    row("HttpVersion", "http2")
        .when("`http2`")
        .proof("crates/warmfront-server/tests/program/serving.rs::curl_trusts_the_development_ca_and_speaks_http_2"),
    row("HttpVersion", "http3").when("`http3`"),
    row("HttpVersion", "http2and3").when("`http2and3`"),
    row("IPV6Enabled", "true"),
    row("Logging", r#"{"Bucket": "logs.s3.amazonaws.com"}"#).when("without `--standard-log`"),
    row("Logging", r#"{"Bucket": "logs.s3.amazonaws.com"}"#).when(FILES_WHEN).flags(FILES).proof(ANY_LOG),
    row("Logging.Bucket", "logs.s3.amazonaws.com").when(FILES_WHEN).flags(FILES).proof(ANY_LOG),
    row("Logging.Bucket", "logs.s3.amazonaws.com").when(STREAM_WHEN).flags(STREAM),
    row("Logging.IncludeCookies", "true")
        .when("with `--standard-log`")
        .also(LOGGING)
        .flags(FILES)
        .proof("crates/warmfront-server/tests/program/logs.rs::version_1_tells_of_every_kind_of_request"),
    row("Logging.Prefix", "shop").when(FILES_WHEN).also(LOGGING).flags(FILES).proof(ANY_LOG),
    row("Logging.Prefix", "shop").when(STREAM_WHEN).also(LOGGING).flags(STREAM),
    row("PriceClass", "PriceClass_100"),
    row("Restrictions.GeoRestriction", r#"{"RestrictionType": "none"}"#).when("`none`").proof(
        "crates/warmfront-config/tests/config/access.rs::countries_are_restricted_once_somebody_knows_where_viewers_are",
    ),
    row("Restrictions.GeoRestriction", r#"{"RestrictionType": "whitelist", "Locations": ["DE"]}"#)
        .when("`whitelist` or `blacklist`, without `--geo` and `--geo-database`"),
    row("Restrictions.GeoRestriction", r#"{"RestrictionType": "whitelist", "Locations": ["DE"]}"#)
        .when("`whitelist` or `blacklist`, with `--geo` or `--geo-database`")
        .flags(&[Flag::Geo]),
    row("Restrictions.GeoRestriction.RestrictionType", "blacklist")
        .when("with `--geo` or `--geo-database`")
        .also(&[("Restrictions.GeoRestriction.Locations", r#"["DE"]"#)])
        .flags(&[Flag::Geo]),
    row("Restrictions.GeoRestriction.Locations", r#"["DE"]"#)
        .when("with `--geo` or `--geo-database`")
        .also(&[("Restrictions.GeoRestriction.RestrictionType", "whitelist")])
        .flags(&[Flag::Geo]),
    row("S3Origin", "{}"),
    row("Staging", "true").when("`true`, no policy in use names it"),
    row("Staging", "true").when("`true`, a policy in use names it").also(&[
        ("/Next.Properties.DistributionConfig.Staging", GONE),
        ("/Next.Properties.DistributionConfig.ContinuousDeploymentPolicyId", r#"{"Ref": "Deployment"}"#),
        (
            "/Deployment.Properties.ContinuousDeploymentPolicyConfig.StagingDistributionDnsNames",
            r#"[{"Fn::GetAtt": ["Edge", "DomainName"]}]"#,
        ),
    ]),
    row("TenantConfig", r#"{"ParameterDefinitions": []}"#).when("without `ConnectionMode: tenant-only`"),
    row("TenantConfig", r#"{"ParameterDefinitions": [{"Name": "customer", "Definition": {"StringSchema": {"Required": true}}}]}"#)
        .when("with `ConnectionMode: tenant-only`")
        .also(&[("ConnectionMode", "tenant-only")]),
    row("TenantConfig.ParameterDefinitions[].Name", "customer").also(TENANTS),
    row("TenantConfig.ParameterDefinitions[].Definition.StringSchema.Comment", "who").also(TENANTS),
    row("TenantConfig.ParameterDefinitions[].Definition.StringSchema.DefaultValue", "x").also(TENANTS),
    row("TenantConfig.ParameterDefinitions[].Definition.StringSchema.Required", "true").also(TENANTS),
    row("ViewerCertificate.AcmCertificateArn", "arn:aws:acm:us-east-1:123456789012:certificate/a"),
    row("ViewerCertificate.CloudFrontDefaultCertificate", "true"),
    row("ViewerCertificate.IamCertificateId", "ASCAEXAMPLE"),
    row("ViewerCertificate.MinimumProtocolVersion", "TLSv1.2_2021"),
    row("ViewerCertificate.SslSupportMethod", "sni-only"),
    row("ViewerMtlsConfig", r#"{"Mode": "required"}"#),
    row("WebACLId", r#""""#).when("empty").proof(
        "crates/warmfront-config/tests/config/aws_output.rs::the_spellings_of_the_api_mean_what_cloudformations_do",
    ),
    row("WebACLId", "arn:aws:wafv2:us-east-1:123456789012:global/webacl/a/b").when("a web ACL"),
];
