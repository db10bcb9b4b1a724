//! Lines that are about rules and not about one property, and the spellings of the API.

/// A rule of CloudFront that holds here, and what proves it.
pub(super) struct Feature {
    pub(super) what: &'static str,
    pub(super) proofs: &'static [&'static str],
}

const fn feature(what: &'static str, proofs: &'static [&'static str]) -> Feature {
    Feature { what, proofs }
}

pub(super) const PATTERNS: &[Feature] = &[
    feature(
        "the first pattern that matches decides, the default behavior comes last",
        &["cases/paths/first-match-wins.case"],
    ),
    feature("the leading slash is optional", &["cases/paths/leading-slash-is-optional.case"]),
    feature(
        "`*` is any number of characters, `/` among them; `?` is exactly one; nothing else is special",
        &[
            "cases/paths/question-marks-count.case",
            "crates/warmfront-core/src/path_pattern.rs::a_star_is_any_run_of_characters_slashes_too",
        ],
    ),
    feature(
        "`/dir/*` is a directory, `/dir*` more than that",
        &["crates/warmfront-core/src/path_pattern.rs::a_directory_needs_its_slash"],
    ),
    feature("letters are case-sensitive", &["cases/paths/case-matters.case"]),
    feature("query and cookies take no part", &["cases/paths/query-takes-no-part.case"]),
    feature(
        "at most 255 characters of CloudFront's alphabet; others are refused",
        &["crates/warmfront-core/src/path_pattern.rs::what_cloudfront_refuses_is_no_pattern"],
    ),
    feature(
        "matched on the normalized path; key and origin get the raw one",
        &["cases/paths/matched-normalized-forwarded-raw.case", "cases/key/path-as-it-came.case"],
    ),
    feature(
        "the default root object and error pages find their behaviors by their own paths",
        &["cases/paths/default-root-object.case", "cases/error-pages/page.case"],
    ),
];

pub(super) const LIFETIMES: &[Feature] = &[
    feature(
        "MinTTL ≤ DefaultTTL ≤ MaxTTL; other orders are refused",
        &["crates/warmfront-config/tests/broken/ttl-order.yml"],
    ),
    feature(
        "a DefaultTTL that is not set follows a longer MinTTL, and a MaxTTL a longer DefaultTTL",
        &[
            "crates/warmfront-config/tests/config/compiled.rs::unspecified_ttls_follow_the_specified_ones",
        ],
    ),
    feature(
        "all three 0: nothing is stored, and the key may have nothing in it",
        &[
            "cases/ttl/caching-disabled.case",
            "crates/warmfront-config/tests/config/compiled.rs::a_policy_that_stores_nothing_has_nothing_in_its_key",
        ],
    ),
    feature(
        "`Headers: [\"*\"]` of ForwardedValues: everything is forwarded, nothing stored, MinTTL must be 0",
        &[
            "cases/legacy/all-headers.case",
            "crates/warmfront-config/tests/config/compiled.rs::legacy_forwarded_values_become_policies",
        ],
    ),
    feature(
        "errors stay for 10 seconds unless ErrorCachingMinTTL says otherwise (CloudFormation's schema: 300)",
        &[
            "cases/errors/cached-for-ten-seconds.case",
            "cases/errors/minimum-from-the-template.case",
        ],
    ),
];

pub(super) const NAMES: &[Feature] = &[
    feature(
        "the Host header finds the distribution; upper and lower case are the same",
        &["cases/hosts/aliases.case"],
    ),
    feature(
        "`*.example.com` is any number of labels, the most specific name wins, the apex is not among them",
        &["cases/hosts/aliases.case", "cases/hosts/unknown-host.case"],
    ),
    feature("a host of nobody is 403", &["cases/hosts/unknown-host.case"]),
    feature(
        "one distribution alone answers whatever host it is asked for (CloudFront would not)",
        &["cases/hosts/one-distribution-answers-any-host.case"],
    ),
    feature(
        "a disabled distribution keeps its aliases and refuses every request",
        &["cases/hosts/disabled.case"],
    ),
    feature(
        "an alias belongs to one distribution; a second one is refused",
        &[
            "crates/warmfront-config/tests/config/several.rs::an_alias_belongs_to_one_distribution_of_all_files",
        ],
    ),
    feature("the name at cloudfront.net always works", &["cases/formats/get-distribution.case"]),
    feature(
        "421 for SNI and Host of different accounts: never, one source is one account",
        &["cases/checklist/37-one-source-is-one-account.case"],
    ),
    feature(
        "texts such as \"true\" and \"3600\" are booleans and numbers; Ref and GetAtt give AWS-shaped names",
        &["cases/checklist/34-names-of-a-template.case"],
    ),
];

pub(super) const POLICIES: &[Feature] = &[
    feature(
        "cache policy and origin request policy together, as in the guide's table",
        &[
            "cases/interplay",
            "crates/warmfront-core/src/policy/mod.rs::the_two_policies_work_together_as_in_the_guides_table",
        ],
    ),
    feature(
        "AWS's managed policies, by id and by name",
        &[
            "cases/forwarding/managed-policies-by-name.case",
            "cases/response-headers/managed-policies.case",
        ],
    ),
    feature(
        "`*` in the lists of a policy is a letter; in ForwardedValues' cookies a wildcard",
        &[
            "crates/warmfront-core/src/policy/mod.rs::legacy_cookie_names_may_have_wildcards_and_others_not",
        ],
    ),
];

/// A spelling of the API or of what the AWS CLI prints.
pub(super) struct Spelling {
    pub(super) path: &'static str,
    pub(super) value: &'static str,
    /// What it is where the report has nothing to say of it.
    pub(super) meaning: &'static str,
}

const fn spelling(path: &'static str, value: &'static str) -> Spelling {
    Spelling { path, value, meaning: "" }
}

const fn silent(path: &'static str, value: &'static str, meaning: &'static str) -> Spelling {
    Spelling { path, value, meaning }
}

const NONE: &str = r#"{"Enabled": false, "Quantity": 0}"#;

pub(super) const API: &[Spelling] = &[
    silent(
        "DistributionConfig.CallerReference",
        "made-by-hand",
        "names the request that created the distribution; only AWS asks for it",
    ),
    silent("ETag", "E1EXAMPLE", "guards updates at AWS"),
    spelling("DistributionConfig.Origins.Quantity", "7"),
    spelling("DistributionConfig.Aliases", r#"{"Quantity": 1, "Items": ["www.example.com"]}"#),
    spelling("DistributionConfig.IsIPV6Enabled", "true"),
    spelling("DistributionConfig.ViewerCertificate.ACMCertificateArn", "arn"),
    spelling("DistributionConfig.ViewerCertificate.IAMCertificateId", "ASCAEXAMPLE"),
    spelling("DistributionConfig.ViewerCertificate.SSLSupportMethod", "sni-only"),
    spelling("DistributionConfig.ViewerCertificate.Certificate", "arn"),
    spelling("DistributionConfig.ViewerCertificate.CertificateSource", "acm"),
    spelling(
        "DistributionConfig.Origins.Items[].CustomHeaders",
        r#"{"Quantity": 1, "Items": [{"HeaderName": "X-From", "HeaderValue": "edge"}]}"#,
    ),
    spelling(
        "DistributionConfig.Origins.Items[].CustomOriginConfig.OriginSslProtocols",
        r#"{"Quantity": 1, "Items": ["TLSv1.2"]}"#,
    ),
    spelling(
        "DistributionConfig.Restrictions.GeoRestriction",
        r#"{"RestrictionType": "whitelist", "Quantity": 1, "Items": ["DE"]}"#,
    ),
    spelling(
        "DistributionConfig.DefaultCacheBehavior.AllowedMethods",
        r#"{"Quantity": 3, "Items": ["GET", "HEAD", "OPTIONS"], "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]}}"#,
    ),
    spelling("DistributionConfig.DefaultCacheBehavior.TrustedSigners", NONE),
    spelling("DistributionConfig.DefaultCacheBehavior.TrustedKeyGroups", NONE),
    spelling(
        "DistributionConfig.Logging",
        r#"{"Enabled": true, "IncludeCookies": false, "Bucket": "logs.s3.amazonaws.com", "Prefix": ""}"#,
    ),
    silent(
        "DistributionConfig.Logging",
        r#"{"Enabled": false, "IncludeCookies": false, "Bucket": "", "Prefix": ""}"#,
        "with `Enabled: false` the same as no Logging",
    ),
];
