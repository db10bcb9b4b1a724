//! The table of `AWS::CloudFront::ResponseHeadersPolicy` (cloudfront.md §1.13).

use super::super::shape::Kind::{Boolean, Choice, Integer, List, Object, Text, TextUpTo};
use super::super::shape::{Kind, Property, effective, label, parts};
use super::SECONDS;

pub(in crate::compile) const RESPONSE_HEADERS_POLICY: &[Property] =
    &[parts("ResponseHeadersPolicyConfig", Object(RESPONSE_HEADERS_POLICY_CONFIG)).required()];

const RESPONSE_HEADERS_POLICY_CONFIG: &[Property] = &[
    label("Comment"),
    parts("CorsConfig", Object(CORS)),
    parts(
        "CustomHeadersConfig",
        Object(&[effective(
            "Items",
            List(&Object(&[
                effective("Header", TextUpTo(256)).required(),
                effective("Override", Boolean).required(),
                effective("Value", TextUpTo(1783)).required(),
            ])),
        )
        .required()]),
    ),
    effective("Name", TextUpTo(128)).required(),
    parts(
        "RemoveHeadersConfig",
        Object(&[effective(
            "Items",
            List(&Object(&[effective("Header", TextUpTo(256)).required()])),
        )
        .required()]),
    ),
    parts("SecurityHeadersConfig", Object(SECURITY_HEADERS)),
    parts(
        "ServerTimingHeadersConfig",
        Object(&[effective("Enabled", Boolean).required(), effective("SamplingRate", Text)]),
    ),
];

const NAMES: Kind = Object(&[effective("Items", List(&Text)).required()]);

const CORS: &[Property] = &[
    effective("AccessControlAllowCredentials", Boolean).required(),
    effective("AccessControlAllowHeaders", NAMES).required(),
    effective(
        "AccessControlAllowMethods",
        Object(&[effective(
            "Items",
            List(&Choice(&["GET", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ALL"])),
        )
        .required()]),
    )
    .required(),
    effective("AccessControlAllowOrigins", NAMES).required(),
    effective("AccessControlExposeHeaders", NAMES),
    effective("AccessControlMaxAgeSec", SECONDS),
    effective("OriginOverride", Boolean).required(),
];

const SECURITY_HEADERS: &[Property] = &[
    parts(
        "ContentSecurityPolicy",
        Object(&[
            effective("ContentSecurityPolicy", TextUpTo(1783)).required(),
            effective("Override", Boolean).required(),
        ]),
    ),
    parts("ContentTypeOptions", Object(&[effective("Override", Boolean).required()])),
    parts(
        "FrameOptions",
        Object(&[
            effective("FrameOption", Choice(&["DENY", "SAMEORIGIN"])).required(),
            effective("Override", Boolean).required(),
        ]),
    ),
    parts(
        "ReferrerPolicy",
        Object(&[
            effective("Override", Boolean).required(),
            effective(
                "ReferrerPolicy",
                Choice(&[
                    "no-referrer",
                    "no-referrer-when-downgrade",
                    "origin",
                    "origin-when-cross-origin",
                    "same-origin",
                    "strict-origin",
                    "strict-origin-when-cross-origin",
                    "unsafe-url",
                ]),
            )
            .required(),
        ]),
    ),
    parts(
        "StrictTransportSecurity",
        Object(&[
            effective("AccessControlMaxAgeSec", Integer(0, 2_147_483_647)).required(),
            effective("IncludeSubdomains", Boolean),
            effective("Override", Boolean).required(),
            effective("Preload", Boolean),
        ]),
    ),
    parts(
        "XSSProtection",
        Object(&[
            effective("ModeBlock", Boolean),
            effective("Override", Boolean).required(),
            effective("Protection", Boolean).required(),
            effective("ReportUri", Text),
        ]),
    ),
];
