//! Lines of cache policies, origin request policies and response headers policies.

use super::row::{Flag, Row, Section, row};

pub(super) const CACHE_POLICY: Section = Section {
    title: "CachePolicy",
    about: "Below `CachePolicyConfig`.",
    resource: "AWS::CloudFront::CachePolicy",
    subject: "Policy",
    below: "CachePolicyConfig.",
    rows: &[
        row("Comment", "ours"),
        row("DefaultTTL", "60").example("cases/ttl/default.case"),
        row("MaxTTL", "3600").example("cases/ttl/max-caps.case"),
        row("MinTTL", "1").example("cases/ttl/min-raises.case"),
        row("Name", "policy"),
    ],
};

pub(super) const KEY: Section = Section {
    title: "What a cache policy takes into the key",
    about: "Below `CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin`.",
    resource: "AWS::CloudFront::CachePolicy",
    subject: "Policy",
    below: "CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.",
    rows: &[
        row("CookiesConfig.CookieBehavior", "all").example("cases/key/cookies.case"),
        row("CookiesConfig.Cookies", r#"["session"]"#)
            .example("cases/key/cookies.case")
            .also(&[("CookiesConfig.CookieBehavior", "whitelist")]),
        row("EnableAcceptEncodingBrotli", "true").example("cases/encoding/gzip-and-brotli.case"),
        row("EnableAcceptEncodingGzip", "true").example("cases/encoding/gzip-and-brotli.case"),
        row("HeadersConfig.HeaderBehavior", "whitelist")
            .example("cases/key/headers.case")
            .also(&[("HeadersConfig.Headers", r#"["X-Tenant"]"#)]),
        row("HeadersConfig.Headers", r#"["X-Tenant"]"#)
            .example("cases/key/headers.case")
            .when("headers of viewers")
            .also(WHITELIST),
        row("HeadersConfig.Headers", r#"["CloudFront-Viewer-Country"]"#)
            .when(PLACES_UNKNOWN)
            .also(WHITELIST),
        row("HeadersConfig.Headers", r#"["CloudFront-Viewer-Country"]"#)
            .when(PLACES_KNOWN)
            .also(WHITELIST)
            .flags(&[Flag::Geo])
            .proof("cases/geo/cache-key.case"),
        row("HeadersConfig.Headers", r#"["CloudFront-Viewer-JA3-Fingerprint"]"#)
            .when("fingerprints of the viewer's TLS")
            .also(WHITELIST),
        row("QueryStringsConfig.QueryStringBehavior", "all").example("cases/key/queries-all.case"),
        row("QueryStringsConfig.QueryStrings", r#"["page"]"#)
            .example("cases/key/queries-listed.case")
            .also(&[("QueryStringsConfig.QueryStringBehavior", "whitelist")]),
    ],
};

const WHITELIST: &[(&str, &str)] = &[("HeadersConfig.HeaderBehavior", "whitelist")];
const PLACES_UNKNOWN: &str =
    "headers that tell a viewer's place, without `--geo` and `--geo-database`";
const PLACES_KNOWN: &str = "headers that tell a viewer's place, with `--geo` or `--geo-database`";

pub(super) const ORIGIN_REQUEST_POLICY: Section = Section {
    title: "OriginRequestPolicy",
    about: "Below `OriginRequestPolicyConfig`.",
    resource: "AWS::CloudFront::OriginRequestPolicy",
    subject: "ToOrigin",
    below: "OriginRequestPolicyConfig.",
    rows: &[
        row("Comment", "ours"),
        row("CookiesConfig.CookieBehavior", "all")
            .example("cases/forwarding/cookies-of-the-request-policy.case"),
        row("CookiesConfig.Cookies", r#"["session"]"#)
            .example("cases/forwarding/cookies-of-the-request-policy.case")
            .also(&[("CookiesConfig.CookieBehavior", "whitelist")]),
        row("HeadersConfig.HeaderBehavior", "allViewer")
            .example("cases/forwarding/all-viewer.case"),
        row("HeadersConfig.Headers", r#"["X-Tenant"]"#).when("headers of viewers").also(WHITELIST),
        row("HeadersConfig.Headers", r#"["CloudFront-Viewer-City"]"#)
            .when(PLACES_UNKNOWN)
            .also(WHITELIST),
        row("HeadersConfig.Headers", r#"["CloudFront-Viewer-City"]"#)
            .when(PLACES_KNOWN)
            .also(WHITELIST)
            .flags(&[Flag::Geo])
            .proof("cases/geo/headers.case"),
        row("HeadersConfig.Headers", r#"["CloudFront-Viewer-JA3-Fingerprint"]"#)
            .when("fingerprints of the viewer's TLS")
            .also(WHITELIST),
        row("Name", "to-origin"),
        row("QueryStringsConfig.QueryStringBehavior", "all")
            .example("cases/interplay/cache-policy-none.case"),
        row("QueryStringsConfig.QueryStrings", r#"["page"]"#)
            .also(&[("QueryStringsConfig.QueryStringBehavior", "whitelist")]),
    ],
};

pub(super) const RESPONSE_HEADERS_POLICY: Section = Section {
    title: "ResponseHeadersPolicy",
    about: "Below `ResponseHeadersPolicyConfig`.",
    resource: "AWS::CloudFront::ResponseHeadersPolicy",
    subject: "Headers",
    below: "ResponseHeadersPolicyConfig.",
    rows: RESPONSE_HEADERS,
};

const CORS: &[(&str, &str)] = &[
    ("CorsConfig.AccessControlAllowCredentials", "false"),
    ("CorsConfig.AccessControlAllowHeaders", r#"{"Items": ["X-Token"]}"#),
    ("CorsConfig.AccessControlAllowMethods", r#"{"Items": ["GET"]}"#),
    ("CorsConfig.AccessControlAllowOrigins", r#"{"Items": ["https://www.example.org"]}"#),
    ("CorsConfig.OriginOverride", "true"),
];
const CUSTOM: &[(&str, &str)] =
    &[("CustomHeadersConfig.Items", r#"[{"Header": "X-A", "Value": "a", "Override": true}]"#)];
const POLICY: &[(&str, &str)] = &[(
    "SecurityHeadersConfig.ContentSecurityPolicy",
    r#"{"ContentSecurityPolicy": "default-src 'self'", "Override": true}"#,
)];
const FRAMES: &[(&str, &str)] =
    &[("SecurityHeadersConfig.FrameOptions", r#"{"FrameOption": "DENY", "Override": true}"#)];
const REFERRER: &[(&str, &str)] = &[(
    "SecurityHeadersConfig.ReferrerPolicy",
    r#"{"ReferrerPolicy": "no-referrer", "Override": true}"#,
)];
const HSTS: &[(&str, &str)] = &[(
    "SecurityHeadersConfig.StrictTransportSecurity",
    r#"{"AccessControlMaxAgeSec": 60, "Override": true}"#,
)];
const XSS: &[(&str, &str)] =
    &[("SecurityHeadersConfig.XSSProtection", r#"{"Protection": true, "Override": true}"#)];
const TIMING: &[(&str, &str)] = &[("ServerTimingHeadersConfig.Enabled", "true")];

const RESPONSE_HEADERS: &[Row] = &[
    row("Comment", "ours"),
    row("CorsConfig.AccessControlAllowCredentials", "false").also(CORS),
    row("CorsConfig.AccessControlAllowHeaders", r#"{"Items": ["X-Token"]}"#)
        .example("cases/response-headers/preflight.case")
        .also(CORS),
    row("CorsConfig.AccessControlAllowHeaders.Items", r#"["X-Token"]"#)
        .example("cases/response-headers/preflight.case")
        .also(CORS),
    row("CorsConfig.AccessControlAllowMethods", r#"{"Items": ["GET"]}"#)
        .example("cases/response-headers/preflight.case")
        .also(CORS),
    row("CorsConfig.AccessControlAllowMethods.Items", r#"["GET"]"#)
        .example("cases/response-headers/preflight.case")
        .also(CORS),
    row("CorsConfig.AccessControlAllowOrigins", r#"{"Items": ["https://www.example.org"]}"#)
        .also(CORS),
    row("CorsConfig.AccessControlAllowOrigins.Items", r#"["https://www.example.org"]"#).also(CORS),
    row("CorsConfig.AccessControlExposeHeaders", r#"{"Items": ["ETag"]}"#).also(CORS),
    row("CorsConfig.AccessControlExposeHeaders.Items", r#"["ETag"]"#).also(CORS),
    row("CorsConfig.AccessControlMaxAgeSec", "600")
        .example("cases/response-headers/preflight.case")
        .also(CORS),
    row("CorsConfig.OriginOverride", "true")
        .example("cases/response-headers/origin-override.case")
        .also(CORS),
    row("CustomHeadersConfig.Items", r#"[{"Header": "X-A", "Value": "a", "Override": true}]"#)
        .example("cases/response-headers/custom-and-removed.case"),
    row("CustomHeadersConfig.Items[].Header", "X-A")
        .example("cases/response-headers/custom-and-removed.case")
        .also(CUSTOM),
    row("CustomHeadersConfig.Items[].Override", "true")
        .example("cases/response-headers/custom-and-removed.case")
        .also(CUSTOM),
    row("CustomHeadersConfig.Items[].Value", "a")
        .example("cases/response-headers/custom-and-removed.case")
        .also(CUSTOM),
    row("Name", "headers"),
    row("RemoveHeadersConfig.Items", r#"[{"Header": "X-Powered-By"}]"#)
        .example("cases/response-headers/custom-and-removed.case"),
    row("RemoveHeadersConfig.Items[].Header", "X-Powered-By")
        .example("cases/response-headers/custom-and-removed.case"),
    row("SecurityHeadersConfig.ContentSecurityPolicy.ContentSecurityPolicy", "default-src 'self'")
        .example("cases/response-headers/security-headers.case")
        .also(POLICY),
    row("SecurityHeadersConfig.ContentSecurityPolicy.Override", "true")
        .example("cases/response-headers/security-headers.case")
        .also(POLICY),
    row("SecurityHeadersConfig.ContentTypeOptions.Override", "true")
        .example("cases/response-headers/security-headers.case"),
    row("SecurityHeadersConfig.FrameOptions.FrameOption", "DENY")
        .example("cases/response-headers/security-headers.case")
        .also(FRAMES),
    row("SecurityHeadersConfig.FrameOptions.Override", "true")
        .example("cases/response-headers/security-headers.case")
        .also(FRAMES),
    row("SecurityHeadersConfig.ReferrerPolicy.Override", "true")
        .example("cases/response-headers/security-headers.case")
        .also(REFERRER),
    row("SecurityHeadersConfig.ReferrerPolicy.ReferrerPolicy", "no-referrer")
        .example("cases/response-headers/security-headers.case")
        .also(REFERRER),
    row("SecurityHeadersConfig.StrictTransportSecurity.AccessControlMaxAgeSec", "60")
        .example("cases/response-headers/security-headers.case")
        .also(HSTS),
    row("SecurityHeadersConfig.StrictTransportSecurity.IncludeSubdomains", "true")
        .example("cases/response-headers/security-headers.case")
        .also(HSTS),
    row("SecurityHeadersConfig.StrictTransportSecurity.Override", "true")
        .example("cases/response-headers/security-headers.case")
        .also(HSTS),
    row("SecurityHeadersConfig.StrictTransportSecurity.Preload", "true")
        .example("cases/response-headers/security-headers.case")
        .also(HSTS),
    row("SecurityHeadersConfig.XSSProtection.ModeBlock", "true")
        .example("cases/response-headers/security-headers.case")
        .also(XSS),
    row("SecurityHeadersConfig.XSSProtection.Override", "true")
        .example("cases/response-headers/security-headers.case")
        .also(XSS),
    row("SecurityHeadersConfig.XSSProtection.Protection", "true")
        .example("cases/response-headers/security-headers.case")
        .also(XSS),
    row("SecurityHeadersConfig.XSSProtection.ReportUri", "/report")
        .example("cases/response-headers/security-headers.case")
        .also(XSS),
    row("ServerTimingHeadersConfig.Enabled", "true")
        .example("cases/response-headers/server-timing.case")
        .also(&[("ServerTimingHeadersConfig.SamplingRate", "50")]),
    row("ServerTimingHeadersConfig.SamplingRate", "50")
        .example("cases/response-headers/server-timing-on-request.case")
        .also(TIMING),
];
