//! Lines of cache behaviors.

use super::row::{Flag, GONE, Row, Section, row};

pub(super) const BEHAVIORS: Section = Section {
    title: "Cache behaviors",
    about: "Of `DistributionConfig.DefaultCacheBehavior` and of each of `CacheBehaviors`.",
    resource: "AWS::CloudFront::Distribution",
    subject: "Edge",
    below: "DistributionConfig.DefaultCacheBehavior.",
    rows: BEHAVIOR,
};

const ALL: &str = r#"["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]"#;
const LEGACY: &[(&str, &str)] = &[("CachePolicyId", GONE), ("ForwardedValues.QueryString", "true")];
const COOKIES: &[(&str, &str)] = &[
    ("CachePolicyId", GONE),
    ("ForwardedValues.QueryString", "true"),
    ("ForwardedValues.Cookies.Forward", "whitelist"),
    ("ForwardedValues.Cookies.WhitelistedNames", r#"["session"]"#),
];
const COMPRESSED: &[(&str, &str)] =
    &[("CachePolicyId", r#""658327ea-f89d-4fab-a63d-7e88639e58f6""#)];
const NO_CODING: &[(&str, &str)] =
    &[("CachePolicyId", r#""b2884449-e4de-46a7-ac36-70bc7f1ddd6d""#)];
const NO_TTL: &[(&str, &str)] = &[("CachePolicyId", r#""4135ea2d-6df8-44a3-9df3-4b5a84be39ad""#)];
const WITH_LEGACY: &str = "with `ForwardedValues`";
const WITH_POLICY: &str = "with `CachePolicyId`";
const GUARD: &str = r#"{"Fn::GetAtt": ["Guard", "FunctionARN"]}"#;
const AT_EDGE: &str = r#"{"Ref": "AtEdgeVersion"}"#;
const ON_REQUEST: &str = "on a request event";
const ON_RESPONSE: &str = "on a response event";
const OFF: &str = "crates/warmfront-config/tests/config/honesty.rs::a_template_written_by_someone_else_is_served_and_every_property_listed";
const REAL_TIME: &str = "crates/warmfront-server/tests/program/logs.rs::real_time_records_are_of_their_behavior_and_a_moved_file_is_left_alone";

const BEHAVIOR: &[Row] = &[
    row("AllowedMethods", ALL).example("cases/methods/all-seven.case"),
    row("CachePolicyId", r#"{"Ref": "Policy"}"#).example("cases/key/headers.case"),
    row("CachedMethods", r#"["GET", "HEAD", "OPTIONS"]"#).example("cases/methods/cached-options.case").also(&[("AllowedMethods", ALL)]),
    row("Compress", "true").example("cases/compression/brotli-comes-first.case").also(COMPRESSED),
    row("Compress", "true").when("with a policy that enables no coding").also(NO_CODING),
    row("Compress", "true").when("with a policy whose TTLs are all 0").also(NO_TTL),
    row("DefaultTTL", "60").when(WITH_LEGACY).example("cases/legacy/default-lifetimes.case").also(LEGACY),
    row("DefaultTTL", "60").when(WITH_POLICY),
    row("FieldLevelEncryptionId", r#""""#).when("empty").proof(OFF),
    row("FieldLevelEncryptionId", "E1EXAMPLE").when("a configuration"),
    row("ForwardedValues.Cookies", r#"{"Forward": "all"}"#).example("cases/legacy/cookies.case").also(LEGACY),
    row("ForwardedValues.Cookies.Forward", "whitelist").example("cases/legacy/cookies.case").also(COOKIES),
    row("ForwardedValues.Cookies.WhitelistedNames", r#"["session"]"#).example("cases/legacy/cookies.case").also(COOKIES),
    row("ForwardedValues.Headers", r#"["X-Tenant"]"#).example("cases/legacy/headers.case").also(LEGACY),
    row("ForwardedValues.QueryString", "true").example("cases/legacy/query-strings.case").also(LEGACY),
    row("ForwardedValues.QueryStringCacheKeys", r#"["page"]"#).example("cases/legacy/query-strings.case").also(LEGACY),
    row("FunctionAssociations", r#"[{"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["Guard", "FunctionARN"]}}]"#)
        .when(ON_REQUEST),
    row("FunctionAssociations", r#"[{"EventType": "viewer-response", "FunctionARN": {"Fn::GetAtt": ["Guard", "FunctionARN"]}}]"#)
        .when(ON_RESPONSE),
    row("FunctionAssociations[].EventType", "viewer-response")
        .when(ON_RESPONSE)
        .also(&[("FunctionAssociations[].FunctionARN", GUARD)]),
    row("FunctionAssociations[].FunctionARN", GUARD)
        .when(ON_RESPONSE)
        .also(&[("FunctionAssociations[].EventType", "viewer-response")]),
    row("GrpcConfig.Enabled", "true").also(&[("AllowedMethods", ALL)]).proof(
        "crates/warmfront-server/tests/program/grpc.rs::a_call_streams_both_ways_at_once_and_ends_with_its_trailers",
    ),
    row("LambdaFunctionAssociations", r#"[{"EventType": "origin-request", "LambdaFunctionARN": {"Ref": "AtEdgeVersion"}}]"#)
        .when(ON_REQUEST),
    row("LambdaFunctionAssociations", r#"[{"EventType": "origin-response", "LambdaFunctionARN": {"Ref": "AtEdgeVersion"}}]"#)
        .when(ON_RESPONSE),
    row("LambdaFunctionAssociations[].EventType", "viewer-response")
        .when(ON_RESPONSE)
        .also(&[("LambdaFunctionAssociations[].LambdaFunctionARN", AT_EDGE)]),
    row("LambdaFunctionAssociations[].IncludeBody", "true").when(ON_REQUEST).also(&[
        ("LambdaFunctionAssociations[].LambdaFunctionARN", AT_EDGE),
        ("LambdaFunctionAssociations[].EventType", "origin-request"),
    ]),
    row("LambdaFunctionAssociations[].LambdaFunctionARN", AT_EDGE)
        .when(ON_RESPONSE)
        .also(&[("LambdaFunctionAssociations[].EventType", "origin-response")]),
    row("MaxTTL", "3600").when(WITH_LEGACY).example("cases/legacy/default-lifetimes.case").also(&[
        ("CachePolicyId", GONE),
        ("ForwardedValues.QueryString", "true"),
        ("DefaultTTL", "60"),
    ]),
    row("MaxTTL", "60").when(WITH_POLICY),
    row("MinTTL", "10").when(WITH_LEGACY).example("cases/legacy/default-lifetimes.case").also(LEGACY),
    row("MinTTL", "60").when(WITH_POLICY),
    row("OriginRequestPolicyId", r#"{"Ref": "ToOrigin"}"#).when("a policy of the source").example("cases/forwarding/request-policy-does-not-split-the-cache.case"),
    row("OriginRequestPolicyId", "Managed-AllViewer").when("one of AWS's own").proof("cases/forwarding/managed-policies-by-name.case"),
    row("RealtimeLogConfigArn", r#"{"Fn::GetAtt": ["RealTime", "Arn"]}"#)
        .when("with `--real-time-log`")
        .flags(&[Flag::RealTimeLog])
        .proof(REAL_TIME),
    row("RealtimeLogConfigArn", r#"{"Fn::GetAtt": ["RealTime", "Arn"]}"#).when("without `--real-time-log`"),
    row("RealtimeLogConfigArn", "arn:aws:cloudfront::123456789012:realtime-log-config/elsewhere")
        .when("a configuration that the source does not have"),
    row("ResponseHeadersPolicyId", r#"{"Ref": "Headers"}"#).example("cases/response-headers/no-policy.case"),
    row("SmoothStreaming", "false").when("`false`").proof(OFF),
    row("SmoothStreaming", "true").when("`true`"),
    row("TargetOriginId", "app").example("cases/paths/first-match-wins.case"),
    row("TrustedKeyGroups", r#"[{"Ref": "Keys"}]"#).when("key groups of the source").example("cases/signed/algorithms.case"),
    row("TrustedKeyGroups", r#"["K1EXAMPLE"]"#).when("a key group that the source does not have"),
    row("TrustedSigners", "[]").when("empty").proof(OFF),
    row("TrustedSigners", r#"["self"]"#).when("an account"),
    row("ViewerProtocolPolicy", "redirect-to-https").example("cases/viewer-protocol/redirect-to-https.case"),
];
