//! AWS's schema as tables (cloudfront.md §1.2-1.12), and what becomes of each property today.
//!
//! A feature that is built changes its line here from inert to effective.

use super::shape::Kind::{Any, Boolean, Choice, Integer, List, Object, Text, TextUpTo};
use super::shape::{
    Kind, Property, decided, effective, harmless, inert, label, outdated, parts, quantity,
};
use super::tenant::TENANT_CONFIG;

mod response_headers;

pub(super) use response_headers::RESPONSE_HEADERS_POLICY;

const SECONDS: Kind = Integer(0, i64::MAX);

pub(super) const DISTRIBUTION: &[Property] =
    &[parts("DistributionConfig", Object(DISTRIBUTION_CONFIG)).required(), label("Tags")];

const DISTRIBUTION_CONFIG: &[Property] = &[
    effective("Aliases", List(&TextUpTo(253))),
    inert("AnycastIpListId", Text, "the addresses given to --http and --https decide"),
    outdated("CNAMEs", "write Aliases"),
    parts("CacheBehaviors", List(&Object(CACHE_BEHAVIOR))),
    parts("CacheTagConfig", Object(&[effective("HeaderName", TextUpTo(256)).required()])),
    label("Comment"),
    decided("ConnectionFunctionAssociation", Object(&[decided("Id", Text)])),
    decided("ConnectionMode", Choice(&["direct", "tenant-only"])),
    effective("ContinuousDeploymentPolicyId", Text),
    parts("CustomErrorResponses", List(&Object(ERROR_RESPONSE))),
    outdated("CustomOrigin", "write Origins"),
    parts("DefaultCacheBehavior", Object(CACHE_BEHAVIOR)).required(),
    effective("DefaultRootObject", TextUpTo(255)),
    effective("Enabled", Boolean).required(),
    decided("HttpVersion", Choice(&["http1.1", "http2", "http3", "http2and3"])),
    inert("IPV6Enabled", Boolean, "the addresses given to --http and --https decide"),
    harmless("Logging", Object(LOGGING)),
    parts("OriginGroups", Object(ORIGIN_GROUPS)),
    parts("Origins", List(&Object(ORIGIN))).required(),
    inert(
        "PriceClass",
        Choice(&["PriceClass_100", "PriceClass_200", "PriceClass_All", "PriceClass_None"]),
        "there is one edge here and no price",
    ),
    parts("Restrictions", Object(&[decided("GeoRestriction", Object(GEO_RESTRICTION))])),
    outdated("S3Origin", "write Origins"),
    decided("Staging", Boolean),
    decided("TenantConfig", Object(TENANT_CONFIG)),
    parts("ViewerCertificate", Object(VIEWER_CERTIFICATE)),
    decided("ViewerMtlsConfig", Any),
    harmless("WebACLId", Text),
];

const LOGGING: &[Property] = &[
    harmless("Bucket", Text),
    harmless("IncludeCookies", Boolean),
    harmless("Prefix", TextUpTo(256)),
];

pub(super) const GEO_RESTRICTION: &[Property] = &[
    decided("RestrictionType", Choice(&["none", "whitelist", "blacklist"])).required(),
    decided("Locations", List(&Text)),
];

const VIEWER_CERTIFICATE: &[Property] = &[
    inert("AcmCertificateArn", Text, DEVELOPMENT_CERTIFICATE),
    inert("CloudFrontDefaultCertificate", Boolean, DEVELOPMENT_CERTIFICATE),
    inert("IamCertificateId", Text, DEVELOPMENT_CERTIFICATE),
    inert(
        "MinimumProtocolVersion",
        Choice(&[
            "SSLv3",
            "TLSv1",
            "TLSv1_2016",
            "TLSv1.1_2016",
            "TLSv1.2_2018",
            "TLSv1.2_2019",
            "TLSv1.2_2021",
            "TLSv1.2_2025",
            "TLSv1.3_2025",
        ]),
        "TLS 1.2 and 1.3 are offered, whatever it says",
    ),
    inert(
        "SslSupportMethod",
        Choice(&["sni-only", "vip", "static-ip"]),
        "certificates are chosen by SNI",
    ),
];

pub(super) const DEVELOPMENT_CERTIFICATE: &str = "the development certificate is served";

const ERROR_RESPONSE: &[Property] = &[
    effective(
        "ErrorCode",
        Choice(&["400", "403", "404", "405", "414", "416", "500", "501", "502", "503", "504"]),
    )
    .required(),
    effective("ErrorCachingMinTTL", SECONDS),
    effective(
        "ResponseCode",
        Choice(&[
            "200", "400", "403", "404", "405", "414", "416", "500", "501", "502", "503", "504",
        ]),
    ),
    effective("ResponsePagePath", TextUpTo(4096)),
];

const ORIGIN_GROUPS: &[Property] =
    &[quantity(Integer(0, 10)), parts("Items", List(&Object(ORIGIN_GROUP)))];

const ORIGIN_GROUP: &[Property] = &[
    effective("Id", Text).required(),
    parts("FailoverCriteria", Object(FAILOVER_CRITERIA)).required(),
    parts(
        "Members",
        Object(&[
            quantity(Integer(2, 2)),
            parts("Items", List(&Object(&[effective("OriginId", Text).required()]))).required(),
        ]),
    )
    .required(),
    decided("SelectionCriteria", Choice(&["default", "media-quality-based"])),
];

const FAILOVER_CRITERIA: &[Property] = &[parts(
    "StatusCodes",
    Object(&[
        quantity(Integer(1, 9)),
        effective(
            "Items",
            List(&Choice(&["400", "403", "404", "416", "429", "500", "502", "503", "504"])),
        )
        .required(),
    ]),
)
.required()];

const ORIGIN: &[Property] = &[
    effective("ConnectionAttempts", Integer(1, 3)),
    effective("ConnectionTimeout", Integer(1, 10)),
    parts("CustomOriginConfig", Object(CUSTOM_ORIGIN)),
    effective("DomainName", TextUpTo(253)).required(),
    effective("Id", Text).required(),
    decided("OriginAccessControlId", Text),
    effective("OriginCustomHeaders", List(&Object(CUSTOM_HEADER))),
    effective("OriginPath", Text),
    decided(
        "OriginShield",
        Object(&[decided("Enabled", Boolean), decided("OriginShieldRegion", Text)]),
    ),
    effective("ResponseCompletionTimeout", Integer(1, 86_400)),
    parts("S3OriginConfig", Object(S3_ORIGIN)),
    parts("VpcOriginConfig", Object(VPC_ORIGIN)),
];

const CUSTOM_HEADER: &[Property] = &[
    effective("HeaderName", TextUpTo(256)).required(),
    effective("HeaderValue", TextUpTo(1783)).required(),
];

const CUSTOM_ORIGIN: &[Property] = &[
    effective("HTTPPort", Integer(1, 65_535)),
    effective("HTTPSPort", Integer(1, 65_535)),
    inert(
        "IpAddressType",
        Choice(&["ipv4", "ipv6", "dualstack"]),
        "the addresses that DNS gives are tried",
    ),
    effective("OriginKeepaliveTimeout", Integer(1, 120)),
    inert("OriginMtlsConfig", Any, "no client certificate is presented to origins yet"),
    effective("OriginProtocolPolicy", Choice(&["http-only", "https-only", "match-viewer"]))
        .required(),
    effective("OriginReadTimeout", Integer(1, 120)),
    inert(
        "OriginSSLProtocols",
        List(&Choice(&["SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"])),
        "TLS 1.2 and 1.3 are spoken to origins, whatever it says",
    ),
];

const S3_ORIGIN: &[Property] =
    &[decided("OriginAccessIdentity", Text), effective("OriginReadTimeout", Integer(1, 120))];

const VPC_ORIGIN: &[Property] = &[
    effective("OriginKeepaliveTimeout", Integer(1, 120)),
    effective("OriginReadTimeout", Integer(1, 120)),
    inert("OwnerAccountId", Text, "there are no accounts here"),
    inert("VpcOriginId", Text, "the origin is reached over http like any other").required(),
];

const VIEWER_PROTOCOL_POLICY: Property =
    effective("ViewerProtocolPolicy", Choice(&["allow-all", "redirect-to-https", "https-only"]))
        .required();
const METHODS: Kind = List(&Choice(&["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]));

/// Of the default behavior too, which alone has no `PathPattern`.
const CACHE_BEHAVIOR: &[Property] = &[
    effective("AllowedMethods", METHODS),
    effective("CachePolicyId", Text),
    effective("CachedMethods", METHODS),
    decided("Compress", Boolean),
    decided("DefaultTTL", SECONDS),
    decided("FieldLevelEncryptionId", Text),
    parts("ForwardedValues", Object(FORWARDED_VALUES)),
    decided("FunctionAssociations", List(&Object(FUNCTION_ASSOCIATION))),
    parts("GrpcConfig", Object(&[effective("Enabled", Boolean)])),
    decided("LambdaFunctionAssociations", List(&Object(LAMBDA_ASSOCIATION))),
    decided("MaxTTL", SECONDS),
    decided("MinTTL", SECONDS),
    effective("OriginRequestPolicyId", Text),
    effective("PathPattern", TextUpTo(255)),
    harmless("RealtimeLogConfigArn", Text),
    effective("ResponseHeadersPolicyId", Text),
    decided("SmoothStreaming", Boolean),
    effective("TargetOriginId", Text).required(),
    decided("TrustedKeyGroups", List(&Text)),
    decided("TrustedSigners", List(&Text)),
    VIEWER_PROTOCOL_POLICY,
];

const FORWARDED_VALUES: &[Property] = &[
    effective(
        "Cookies",
        Object(&[
            effective("Forward", Choice(&["none", "whitelist", "all"])).required(),
            effective("WhitelistedNames", List(&Text)),
        ]),
    ),
    effective("Headers", List(&Text)),
    effective("QueryString", Boolean).required(),
    effective("QueryStringCacheKeys", List(&Text)),
];

const FUNCTION_ASSOCIATION: &[Property] = &[
    decided("EventType", Choice(&["viewer-request", "viewer-response"])),
    decided("FunctionARN", Text),
];

const LAMBDA_ASSOCIATION: &[Property] = &[
    decided(
        "EventType",
        Choice(&["viewer-request", "viewer-response", "origin-request", "origin-response"]),
    ),
    decided("IncludeBody", Boolean),
    decided("LambdaFunctionARN", Text),
];

pub(super) const CACHE_POLICY: &[Property] =
    &[parts("CachePolicyConfig", Object(CACHE_POLICY_CONFIG)).required()];

const CACHE_POLICY_CONFIG: &[Property] = &[
    label("Comment"),
    effective("DefaultTTL", SECONDS).required(),
    effective("MaxTTL", SECONDS).required(),
    effective("MinTTL", SECONDS).required(),
    effective("Name", TextUpTo(128)).required(),
    parts("ParametersInCacheKeyAndForwardedToOrigin", Object(CACHE_KEY)).required(),
];

const CACHE_KEY: &[Property] = &[
    parts(
        "CookiesConfig",
        Object(&[
            effective("CookieBehavior", Choice(&["none", "whitelist", "allExcept", "all"]))
                .required(),
            effective("Cookies", List(&Text)),
        ]),
    )
    .required(),
    effective("EnableAcceptEncodingBrotli", Boolean),
    effective("EnableAcceptEncodingGzip", Boolean).required(),
    parts(
        "HeadersConfig",
        Object(&[
            effective("HeaderBehavior", Choice(&["none", "whitelist"])).required(),
            effective("Headers", List(&Text)),
        ]),
    )
    .required(),
    parts(
        "QueryStringsConfig",
        Object(&[
            effective("QueryStringBehavior", Choice(&["none", "whitelist", "allExcept", "all"]))
                .required(),
            effective("QueryStrings", List(&Text)),
        ]),
    )
    .required(),
];

pub(super) const ORIGIN_REQUEST_POLICY: &[Property] =
    &[parts("OriginRequestPolicyConfig", Object(ORIGIN_REQUEST_POLICY_CONFIG)).required()];

const ORIGIN_REQUEST_POLICY_CONFIG: &[Property] = &[
    label("Comment"),
    parts(
        "CookiesConfig",
        Object(&[
            effective("CookieBehavior", Choice(&["none", "whitelist", "all", "allExcept"]))
                .required(),
            effective("Cookies", List(&Text)),
        ]),
    )
    .required(),
    parts(
        "HeadersConfig",
        Object(&[
            effective(
                "HeaderBehavior",
                Choice(&[
                    "none",
                    "whitelist",
                    "allViewer",
                    "allViewerAndWhitelistCloudFront",
                    "allExcept",
                ]),
            )
            .required(),
            effective("Headers", List(&Text)),
        ]),
    )
    .required(),
    effective("Name", TextUpTo(128)).required(),
    parts(
        "QueryStringsConfig",
        Object(&[
            effective("QueryStringBehavior", Choice(&["none", "whitelist", "all", "allExcept"]))
                .required(),
            effective("QueryStrings", List(&Text)),
        ]),
    )
    .required(),
];

pub(super) const REAL_TIME_LOG: &[Property] = &[
    harmless("EndPoints", Any).required(),
    decided("Fields", List(&Text)).required(),
    decided("Name", Text).required(),
    decided("SamplingRate", Integer(1, 100)).required(),
];
pub(super) const PUBLIC_KEY: &[Property] = &[parts(
    "PublicKeyConfig",
    Object(&[
        label("CallerReference").required(),
        label("Comment"),
        effective("EncodedKey", Text).required(),
        effective("Name", TextUpTo(128)).required(),
    ]),
)
.required()];

pub(super) const KEY_GROUP: &[Property] = &[parts(
    "KeyGroupConfig",
    Object(&[
        label("Comment"),
        effective("Items", List(&Text)).required(),
        effective("Name", TextUpTo(128)).required(),
    ]),
)
.required()];

/// What a local function takes from `AWS::Lambda::Function`.
pub(super) const FUNCTION: &[Property] = &[
    inert("Architectures", Any, LOCAL_FUNCTION),
    effective("Code", Any).required(),
    inert("CodeSigningConfigArn", Any, LOCAL_FUNCTION),
    inert("DeadLetterConfig", Any, LOCAL_FUNCTION),
    label("Description"),
    effective("Environment", Object(&[effective("Variables", Any)])),
    inert("EphemeralStorage", Any, LOCAL_FUNCTION),
    inert("FileSystemConfigs", Any, "no file system is mounted for a local function"),
    effective("FunctionName", Text),
    effective("Handler", TextUpTo(128)),
    inert("ImageConfig", Any, LOCAL_FUNCTION),
    inert("KmsKeyArn", Any, LOCAL_FUNCTION),
    inert("Layers", Any, "layers are not loaded for a local function"),
    inert("LoggingConfig", Any, LOCAL_FUNCTION),
    effective("MemorySize", Integer(128, 32_768)),
    effective("PackageType", Choice(&["Zip", "Image"])),
    inert("RecursiveLoop", Any, LOCAL_FUNCTION),
    effective("ReservedConcurrentExecutions", Integer(0, 100_000)),
    inert("Role", Any, "a local function runs with your own rights"),
    effective("Runtime", Text),
    inert("RuntimeManagementConfig", Any, LOCAL_FUNCTION),
    inert("SnapStart", Any, LOCAL_FUNCTION),
    label("Tags"),
    effective("Timeout", Integer(1, 900)),
    inert("TracingConfig", Any, LOCAL_FUNCTION),
    inert("VpcConfig", Any, LOCAL_FUNCTION),
];

const LOCAL_FUNCTION: &str = "has no meaning for a local function";
