//! Lines of origins and origin groups.

use super::row::{Flag, GONE, Row, Section, row};

pub(super) const ORIGINS: Section = Section {
    title: "Origins",
    about: "Below `DistributionConfig.Origins[]`.",
    resource: "AWS::CloudFront::Distribution",
    subject: "Edge",
    below: "DistributionConfig.Origins[].",
    rows: ORIGIN,
};

pub(super) const GROUPS: Section = Section {
    title: "Origin groups",
    about: "Below `DistributionConfig.OriginGroups`.",
    resource: "AWS::CloudFront::Distribution",
    subject: "Edge",
    below: "DistributionConfig.OriginGroups.",
    rows: GROUP,
};

const LIMITS: &str = "crates/warmfront/src/origin/tests/limits.rs::a_connection_that_is_never_established_times_out_once_per_attempt";
const POOLING: &str = "crates/warmfront/src/origin/tests/pooling.rs::idle_connections_close_when_the_keep_alive_time_is_over";
const OFF: &str =
    "crates/warmfront-config/tests/config/aws_output.rs::what_is_switched_off_is_not_there";
const PORTS: &str = "crates/warmfront-core/src/origin.rs::the_protocol_policy_says_the_scheme_and_each_scheme_has_its_port";
const OTHERS: &str =
    "crates/warmfront-config/tests/config/compiled.rs::buckets_and_vpc_origins_have_time_outs_too";
const BUCKET: &[(&str, &str)] = &[
    ("CustomOriginConfig", GONE),
    ("S3OriginConfig", "{}"),
    ("DomainName", "site.s3.amazonaws.com"),
];
const VPC: &[(&str, &str)] =
    &[("CustomOriginConfig", GONE), ("VpcOriginConfig.VpcOriginId", "vo_1")];
const CONTROL: &str = r#"{"Fn::GetAtt": ["Control", "Id"]}"#;
const IDENTITY: &str = "origin-access-identity/cloudfront/E1EXAMPLE";

const ORIGIN: &[Row] = &[
    row("ConnectionAttempts", "2"),
    row("ConnectionTimeout", "5").proof(LIMITS),
    row("CustomOriginConfig.HTTPPort", "8080").proof(PORTS),
    row("CustomOriginConfig.HTTPSPort", "8443").proof(PORTS),
    row("CustomOriginConfig.IpAddressType", "ipv4"),
    row("CustomOriginConfig.OriginKeepaliveTimeout", "20").proof(POOLING),
    row("CustomOriginConfig.OriginMtlsConfig", r#"{"ClientCertificateArn": "a"}"#),
    row("CustomOriginConfig.OriginProtocolPolicy", "https-only"),
    row("CustomOriginConfig.OriginReadTimeout", "20"),
    row("CustomOriginConfig.OriginSSLProtocols", r#"["TLSv1.2"]"#),
    row("DomainName", "app.example.com"),
    row("Id", "app"),
    row("OriginAccessControlId", r#""""#).when("empty").proof(OFF),
    row("OriginAccessControlId", CONTROL).when("with an access key").also(BUCKET).flags(&[Flag::AccessKey]),
    row("OriginAccessControlId", CONTROL).when("without an access key").also(BUCKET),
    row("OriginAccessControlId", CONTROL)
        .when("the origin is a directory or a local function")
        .also(BUCKET)
        .flags(&[Flag::AccessKey, Flag::Directory]),
    row("OriginCustomHeaders", r#"[{"HeaderName": "X-From", "HeaderValue": "edge"}]"#),
    row("OriginCustomHeaders[].HeaderName", "X-From").also(&[("OriginCustomHeaders[].HeaderValue", "edge")]),
    row("OriginCustomHeaders[].HeaderValue", "edge").also(&[("OriginCustomHeaders[].HeaderName", "X-From")]),
    row("OriginPath", "/v2"),
    row("OriginShield", r#"{"Enabled": false}"#).when("`Enabled: false`").proof(OFF),
    row("OriginShield", r#"{"Enabled": true, "OriginShieldRegion": "eu-west-1"}"#).when("`Enabled: true`"),
    row("OriginShield.Enabled", "true"),
    row("OriginShield.OriginShieldRegion", "eu-west-1"),
    row("ResponseCompletionTimeout", "60")
        .proof("crates/warmfront/src/origin/tests/limits.rs::the_completion_time_out_covers_attempts_and_body"),
    row("S3OriginConfig.OriginAccessIdentity", r#""""#).when("empty").also(BUCKET).proof("cases/bucket/files.case"),
    row("S3OriginConfig.OriginAccessIdentity", IDENTITY)
        .when("with an access key")
        .also(BUCKET)
        .flags(&[Flag::AccessKey]).proof("cases/signing/identity.case"),
    row("S3OriginConfig.OriginAccessIdentity", IDENTITY).when("without an access key").also(BUCKET),
    row("S3OriginConfig.OriginReadTimeout", "20").also(BUCKET).proof(OTHERS),
    row("VpcOriginConfig.OriginKeepaliveTimeout", "20").also(VPC).proof(OTHERS),
    row("VpcOriginConfig.OriginReadTimeout", "20").also(VPC).proof(OTHERS),
    row("VpcOriginConfig.OwnerAccountId", r#""123456789012""#).also(VPC),
    row("VpcOriginConfig.VpcOriginId", "vo_1").also(VPC),
];

const GROUP_OF_TWO: &[(&str, &str)] = &[
    ("Items[].Id", "both"),
    ("Items[].FailoverCriteria.StatusCodes.Items", "[503]"),
    ("Items[].Members.Items", r#"[{"OriginId": "app"}, {"OriginId": "function"}]"#),
];

const GROUP: &[Row] = &[
    row("Quantity", "1").also(GROUP_OF_TWO),
    row("Items[].Id", "both").also(GROUP_OF_TWO),
    row("Items[].FailoverCriteria.StatusCodes.Quantity", "1").also(GROUP_OF_TWO),
    row("Items[].FailoverCriteria.StatusCodes.Items", "[500, 503]").also(GROUP_OF_TWO),
    row("Items[].Members.Quantity", "2").also(GROUP_OF_TWO),
    row("Items[].Members.Items[].OriginId", "app").also(GROUP_OF_TWO),
    row("Items[].SelectionCriteria", "default").when("`default`").also(GROUP_OF_TWO),
    row("Items[].SelectionCriteria", "media-quality-based")
        .when("`media-quality-based`")
        .also(GROUP_OF_TWO),
];
