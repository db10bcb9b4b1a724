//! Lines of the resources beside distributions and policies.

use super::row::{Flag, GONE, Row, Section, row};

pub(super) const OTHERS: &[Section] = &[
    Section {
        title: "OriginAccessControl",
        about: "Below `OriginAccessControlConfig`.",
        resource: "AWS::CloudFront::OriginAccessControl",
        subject: "Control",
        below: "OriginAccessControlConfig.",
        rows: &[
            row("Description", "ours"),
            row("Name", "control"),
            row("OriginAccessControlOriginType", "s3"),
            row("SigningBehavior", "no-override"),
            row("SigningProtocol", "sigv4").when("`sigv4`"),
            row("SigningProtocol", "sigv4a").when("`sigv4a`"),
        ],
    },
    Section {
        title: "PublicKey",
        about: "Below `PublicKeyConfig`.",
        resource: "AWS::CloudFront::PublicKey",
        subject: "Key",
        below: "PublicKeyConfig.",
        rows: &[
            row("CallerReference", "key"),
            row("Comment", "ours"),
            row("EncodedKey", KEY),
            row("Name", "key"),
        ],
    },
    Section {
        title: "KeyGroup",
        about: "Below `KeyGroupConfig`.",
        resource: "AWS::CloudFront::KeyGroup",
        subject: "Keys",
        below: "KeyGroupConfig.",
        rows: &[row("Comment", "ours"), row("Items", r#"[{"Ref": "Key"}]"#), row("Name", "keys")],
    },
    Section {
        title: "RealtimeLogConfig",
        about: "",
        resource: "AWS::CloudFront::RealtimeLogConfig",
        subject: "RealTime",
        below: "",
        rows: REAL_TIME_LOG,
    },
    Section {
        title: "ContinuousDeploymentPolicy",
        about: "Below `ContinuousDeploymentPolicyConfig`.",
        resource: "AWS::CloudFront::ContinuousDeploymentPolicy",
        subject: "Deployment",
        below: "ContinuousDeploymentPolicyConfig.",
        rows: DEPLOYMENT,
    },
    Section {
        title: "DistributionTenant",
        about: "",
        resource: "AWS::CloudFront::DistributionTenant",
        subject: "Tenant",
        below: "",
        rows: TENANT,
    },
    Section {
        title: "ConnectionGroup",
        about: "",
        resource: "AWS::CloudFront::ConnectionGroup",
        subject: "Group",
        below: "",
        rows: &[
            row("AnycastIpListId", "an-id"),
            row("Enabled", "false"),
            row("Ipv6Enabled", "true"),
            row("Name", "group"),
            row("Tags", "[]"),
        ],
    },
    Section {
        title: "Lambda functions behind an origin",
        about: "`AWS::Lambda::Function`, where an HTTP API, a REST API or a function URL leads to it.",
        resource: "AWS::Lambda::Function",
        subject: "Handler",
        below: "",
        rows: FUNCTION,
    },
];

const KEY: &str = r#""-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGbp8/9O96UGvntfd4jwZsLcIJCUV\nvRGAefrePXlPDRYQx+lIgcJ3y9yrGsbft75d4p7e0SaknsT8bf5VZ5uZyA==\n-----END PUBLIC KEY-----\n""#;

const WITHOUT: &str = "without `--real-time-log`";
const WITH: &str = "with `--real-time-log`";
const LOG: &[Flag] = &[Flag::RealTimeLog];
const RECORDS: &str = "crates/warmfront-server/tests/program/logs.rs::real_time_records_are_of_their_behavior_and_a_moved_file_is_left_alone";

const REAL_TIME_LOG: &[Row] = &[
    row("EndPoints", "[]").when(WITH).flags(LOG),
    row("Fields", r#"["timestamp", "c-ip"]"#).when(WITHOUT),
    row("Fields", r#"["timestamp", "c-ip"]"#).when(WITH).flags(LOG).proof(RECORDS),
    row("Name", "real-time").when(WITH).flags(LOG).proof(RECORDS),
    row("SamplingRate", "50").when(WITH).flags(LOG).proof(RECORDS),
];

const BY_HEADER: &[(&str, &str)] = &[
    ("TrafficConfig", GONE),
    ("Type", "SingleHeader"),
    ("SingleHeaderPolicyConfig", r#"{"Header": "aws-cf-cd-next", "Value": "please"}"#),
];
const BY_WEIGHT: &[(&str, &str)] = &[
    ("TrafficConfig", GONE),
    ("Type", "SingleWeight"),
    (
        "SingleWeightPolicyConfig",
        r#"{"Weight": 0.1, "SessionStickinessConfig": {"IdleTTL": 300, "MaximumTTL": 600}}"#,
    ),
];
const TRAFFIC_BY_WEIGHT: &[(&str, &str)] = &[(
    "TrafficConfig",
    r#"{"Type": "SingleWeight", "SingleWeightConfig": {"Weight": 0.1, "SessionStickinessConfig": {"IdleTTL": 300, "MaximumTTL": 600}}}"#,
)];
const SHARE: &str = "crates/warmfront/tests/it/deployment.rs::a_share_of_the_requests_goes_to_staging_and_each_side_has_its_own_cache";
const SESSION: &str = "crates/warmfront/tests/it/deployment.rs::a_session_stays_on_its_side_and_its_cookie_reaches_neither_cache_nor_origin";
const READ: &str = "crates/warmfront-config/tests/config/deployment.rs::a_policy_says_which_requests_go_to_staging";

const DEPLOYMENT: &[Row] = &[
    row("Enabled", "true"),
    row("SingleHeaderPolicyConfig.Header", "aws-cf-cd-next").also(BY_HEADER).proof(READ),
    row("SingleHeaderPolicyConfig.Value", "please").also(BY_HEADER).proof(READ),
    row("SingleWeightPolicyConfig.SessionStickinessConfig.IdleTTL", "300")
        .also(BY_WEIGHT)
        .proof(READ),
    row("SingleWeightPolicyConfig.SessionStickinessConfig.MaximumTTL", "600")
        .also(BY_WEIGHT)
        .proof(READ),
    row("SingleWeightPolicyConfig.Weight", "0.1").also(BY_WEIGHT).proof(READ),
    row("StagingDistributionDnsNames", r#"[{"Fn::GetAtt": ["Next", "DomainName"]}]"#),
    row("TrafficConfig.SingleHeaderConfig.Header", "aws-cf-cd-next"),
    row("TrafficConfig.SingleHeaderConfig.Value", "please"),
    row("TrafficConfig.SingleWeightConfig.SessionStickinessConfig.IdleTTL", "300")
        .also(TRAFFIC_BY_WEIGHT)
        .proof(SESSION),
    row("TrafficConfig.SingleWeightConfig.SessionStickinessConfig.MaximumTTL", "600")
        .also(TRAFFIC_BY_WEIGHT)
        .proof(SESSION),
    row("TrafficConfig.SingleWeightConfig.Weight", "0.1").also(TRAFFIC_BY_WEIGHT).proof(SHARE),
    row("TrafficConfig.Type", "SingleHeader"),
    row("Type", "SingleWeight").also(BY_WEIGHT).proof(READ),
];

const TENANT: &[Row] = &[
    row("ConnectionGroupId", r#"{"Fn::GetAtt": ["Group", "Id"]}"#),
    row(
        "Customizations.Certificate",
        r#"{"Arn": "arn:aws:acm:us-east-1:123456789012:certificate/a"}"#,
    ),
    row(
        "Customizations.GeoRestrictions",
        r#"{"RestrictionType": "whitelist", "Locations": ["DE"]}"#,
    )
    .when("without `--geo` and `--geo-database`"),
    row(
        "Customizations.GeoRestrictions",
        r#"{"RestrictionType": "whitelist", "Locations": ["DE"]}"#,
    )
    .when("with `--geo` or `--geo-database`")
    .flags(&[Flag::Geo]),
    row("Customizations.GeoRestrictions.RestrictionType", "blacklist")
        .when("with `--geo` or `--geo-database`")
        .also(&[("Customizations.GeoRestrictions.Locations", r#"["DE"]"#)])
        .flags(&[Flag::Geo]),
    row("Customizations.GeoRestrictions.Locations", r#"["DE"]"#)
        .when("with `--geo` or `--geo-database`")
        .also(&[("Customizations.GeoRestrictions.RestrictionType", "whitelist")])
        .flags(&[Flag::Geo]),
    row("Customizations.WebAcl", r#"{"Action": "disable"}"#),
    row("DistributionId", r#"{"Ref": "Shared"}"#),
    row("Domains", r#"["tenant.example.com"]"#),
    row("Enabled", "true"),
    row("ManagedCertificateRequest", r#"{"ValidationTokenHost": "cloudfront"}"#),
    row("Name", "tenant"),
    row("Parameters", r#"[{"Name": "customer", "Value": "a"}]"#),
    row("Parameters[].Name", "customer").also(&[("Parameters[].Value", "a")]),
    row("Parameters[].Value", "a").also(&[("Parameters[].Name", "customer")]),
    row("Tags", "{}"),
];

const FUNCTION: &[Row] = &[
    row("Architectures", r#"["arm64"]"#),
    row("Code", r#"{"ZipFile": "exports.handler = async () => ({ statusCode: 200 })"}"#),
    row("CodeSigningConfigArn", "arn"),
    row("DeadLetterConfig", "{}"),
    row("Description", "ours"),
    row("Environment", r#"{"Variables": {"A": "b"}}"#),
    row("Environment.Variables", r#"{"A": "b"}"#),
    row("EphemeralStorage", r#"{"Size": 512}"#),
    row("FileSystemConfigs", "[]"),
    row("FunctionName", "handler"),
    row("Handler", "index.handler"),
    row("ImageConfig", "{}"),
    row("KmsKeyArn", "arn"),
    row("Layers", r#"["arn"]"#),
    row("LoggingConfig", "{}"),
    row("MemorySize", "256"),
    row("PackageType", "Zip").when("`Zip`"),
    row("PackageType", "Image").when("`Image`"),
    row("RecursiveLoop", "Terminate"),
    row("ReservedConcurrentExecutions", "5"),
    row("Role", "arn"),
    row("Runtime", "nodejs22.x").when("Node.js or Python"),
    row("Runtime", "java21").when("another"),
    row("RuntimeManagementConfig", "{}"),
    row("SnapStart", "{}"),
    row("Tags", "[]"),
    row("Timeout", "5"),
    row("TracingConfig", "{}"),
    row("VpcConfig", "{}"),
];

/// Types that are not looked into: each with properties that AWS would take.
pub(super) const WHOLE: &[(&str, &str)] = &[
    ("AWS::CloudFront::AnycastIpList", r#"{"Name": "list", "IpCount": 3}"#),
    (
        "AWS::CloudFront::CloudFrontOriginAccessIdentity",
        r#"{"CloudFrontOriginAccessIdentityConfig": {"Comment": "ours"}}"#,
    ),
    (
        "AWS::CloudFront::ConnectionFunction",
        r#"{"Name": "at-handshake", "ConnectionFunctionCode": "x", "ConnectionFunctionConfig": {"Runtime": "cloudfront-js-2.0", "Comment": ""}}"#,
    ),
    ("AWS::CloudFront::FieldLevelEncryptionConfig", r#"{"FieldLevelEncryptionConfig": {}}"#),
    (
        "AWS::CloudFront::FieldLevelEncryptionProfile",
        r#"{"FieldLevelEncryptionProfileConfig": {}}"#,
    ),
    (
        "AWS::CloudFront::Function",
        r#"{"Name": "hello", "AutoPublish": true, "FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"}, "FunctionCode": "x"}"#,
    ),
    ("AWS::CloudFront::KeyValueStore", r#"{"Name": "store"}"#),
    (
        "AWS::CloudFront::MonitoringSubscription",
        r#"{"DistributionId": {"Ref": "Edge"}, "MonitoringSubscription": {}}"#,
    ),
    (
        "AWS::CloudFront::StreamingDistribution",
        r#"{"StreamingDistributionConfig": {}, "Tags": []}"#,
    ),
    ("AWS::CloudFront::TrustStore", r#"{"Name": "store"}"#),
    (
        "AWS::CloudFront::VpcOrigin",
        r#"{"VpcOriginEndpointConfig": {"Name": "inside", "Arn": "arn"}}"#,
    ),
    ("AWS::Logs::Delivery", r#"{"DeliverySourceName": "a", "DeliveryDestinationArn": "b"}"#),
];
