//! What properties compile to, and which values are refused (cloudfront.md §1.2-1.12).

use std::time::Duration;

use warmfront_config::{Options, Severity};
use warmfront_core::behavior::{AllowedMethods, ViewerProtocolPolicy};
use warmfront_core::origin::{OriginKind, OriginProtocolPolicy, Target};
use warmfront_core::policy::{HeaderSelection, Selection, TtlBounds};
use warmfront_core::{Behavior, Distribution, Origin};

use crate::{Parts, loaded, loaded_as, pairs, problem, stack};

fn distribution(parts: Parts<'_>) -> Distribution {
    let stack = stack(loaded(parts, &Options::default()));
    (*stack.distributions[0]).clone()
}

fn origin(text: &str) -> Origin {
    (*distribution(Parts { origin: text, ..Parts::default() }).origins[0]).clone()
}

fn behavior(text: &str) -> Behavior {
    (*distribution(Parts { behavior: text, ..Parts::default() }).behaviors[0]).clone()
}

#[test]
fn an_origin_that_says_little_has_the_defaults_of_the_guide() {
    let origin = origin("");
    assert_eq!(origin.domain_name, "app.example.com");
    assert_eq!(origin.connection_attempts, 3);
    assert_eq!(origin.connection_timeout, Duration::from_secs(10));
    assert_eq!(origin.read_timeout, Duration::from_secs(30));
    assert_eq!(origin.keepalive_timeout, Duration::from_secs(5));
    assert_eq!(origin.response_completion_timeout, None);
    assert_eq!(origin.target, Target::Dns);
    let kind = OriginKind::Custom {
        http_port: 80,
        https_port: 443,
        protocol_policy: OriginProtocolPolicy::HttpOnly,
    };
    assert_eq!(origin.kind, kind);
}

#[test]
fn everything_an_origin_can_say_is_kept() {
    let origin = origin(
        "DomainName: App.Example.COM
OriginPath: /v1
ConnectionAttempts: '2'
ConnectionTimeout: 4
ResponseCompletionTimeout: 90
OriginCustomHeaders:
  - {HeaderName: X-Secret, HeaderValue: s3cr3t}
CustomOriginConfig:
  OriginProtocolPolicy: match-viewer
  HTTPPort: '8080'
  HTTPSPort: 8443
  OriginReadTimeout: 60
  OriginKeepaliveTimeout: 15",
    );
    assert_eq!(origin.domain_name, "app.example.com");
    assert_eq!((origin.path.as_str(), origin.connection_attempts), ("/v1", 2));
    assert_eq!(origin.read_timeout, Duration::from_secs(60));
    assert_eq!(origin.response_completion_timeout, Some(Duration::from_secs(90)));
    assert_eq!(origin.custom_headers[0].0, "x-secret");
    assert_eq!(origin.custom_headers[0].1, "s3cr3t");
    let kind = OriginKind::Custom {
        http_port: 8080,
        https_port: 8443,
        protocol_policy: OriginProtocolPolicy::MatchViewer,
    };
    assert_eq!(origin.kind, kind);
}

#[test]
fn buckets_and_vpc_origins_have_time_outs_too() {
    let bucket = "DomainName: b.s3.us-east-1.amazonaws.com\nS3OriginConfig: {OriginReadTimeout: 7}";
    let options = Options { origins: pairs(&[("app", "/")]), ..Options::default() };
    let parts = Parts { origin: bucket, ..Parts::default() };
    let bucket = stack(loaded(parts, &options)).distributions[0].origins[0].clone();
    assert_eq!(bucket.read_timeout, Duration::from_secs(7));
    let vpc = origin(
        "DomainName: a.example.com\nVpcOriginConfig: {VpcOriginId: vo_1, OriginReadTimeout: 8, OriginKeepaliveTimeout: 9}",
    );
    let (read, kept) = (Duration::from_secs(8), Duration::from_secs(9));
    assert_eq!((vpc.read_timeout, vpc.keepalive_timeout), (read, kept));
}

#[test]
fn a_name_with_an_unreplaced_variable_says_what_replaces_it() {
    let origin = "DomainName: '${Bucket}.s3.amazonaws.com'\nS3OriginConfig: {}";
    let config = "Aliases: ['${self:custom.domain}']";
    let loaded = loaded(Parts { origin, config, ..Parts::default() }, &Options::default());
    let said: Vec<_> = loaded.diagnostics.iter().map(|it| it.help.as_deref()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|help| help.is_some_and(|help| help.contains("inside !Sub"))));
}

#[test]
fn a_wrong_origin_is_refused() {
    const CUSTOM: &str = "CustomOriginConfig: {OriginProtocolPolicy: http-only}";
    for (origin, message) in [
        (format!("DomainName: 10.0.0.1\n{CUSTOM}"), "takes no IP addresses"),
        (format!("DomainName: a.example.com:8080\n{CUSTOM}"), "HTTPPort"),
        (format!("DomainName: a.example.com/x\n{CUSTOM}"), "OriginPath"),
        (format!("DomainName: a.example.com\nOriginPath: v1\n{CUSTOM}"), "must begin with a slash"),
        (format!("DomainName: a.example.com\nOriginPath: /v1/\n{CUSTOM}"), "not end with one"),
        (format!("DomainName: a.example.com\nConnectionAttempts: 4\n{CUSTOM}"), "between 1 and 3, found 4"),
        (format!("DomainName: a.example.com\nConnectionTimeout: 0\n{CUSTOM}"), "between 1 and 10, found 0"),
        (format!("DomainName: a.example.com\nResponseCompletionTimeout: 10\n{CUSTOM}"), "at least OriginReadTimeout (30 s)"),
        (format!("DomainName: a.example.com\nOriginCustomHeaders: [{{HeaderName: Host, HeaderValue: x}}]\n{CUSTOM}"), "called Host"),
        (format!("DomainName: a.example.com\nOriginCustomHeaders: [{{HeaderName: 'a b', HeaderValue: x}}]\n{CUSTOM}"), "not a header name"),
        ("DomainName: a.example.com\nCustomOriginConfig: {OriginProtocolPolicy: http-only, HTTPPort: 81}".into(), "80, 443 and 1024-65535"),
        ("DomainName: a.example.com\nCustomOriginConfig: {HTTPPort: 80}".into(), "OriginProtocolPolicy is missing"),
        ("DomainName: a.example.com\nS3OriginConfig: {}".into(), "not the name of an S3 bucket"),
        ("DomainName: a.example.com".into(), "needs S3OriginConfig"),
        (format!("DomainName: a.example.com\nS3OriginConfig: {{}}\n{CUSTOM}"), "one of these, found"),
        (CUSTOM.into(), "DomainName is missing"),
    ] {
        let loaded = loaded(Parts { origin: &origin, ..Parts::default() }, &Options::default());
        assert!(loaded.has_errors(), "{origin}");
        problem(&loaded, message);
    }
}

#[test]
fn methods_come_in_three_sets() {
    const POLICY: &str = "CachePolicyId: CachingOptimized";
    for (methods, allowed) in [
        ("[HEAD, GET]", AllowedMethods::GetHead),
        ("[GET, HEAD, OPTIONS]", AllowedMethods::GetHeadOptions),
        ("[DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT]", AllowedMethods::All),
    ] {
        let behavior = behavior(&format!("{POLICY}\nAllowedMethods: {methods}"));
        assert_eq!(behavior.allowed_methods, allowed, "{methods}");
        assert_eq!(behavior.viewer_protocol_policy, ViewerProtocolPolicy::AllowAll);
    }
    let cached = behavior(&format!(
        "{POLICY}\nAllowedMethods: [GET, HEAD, OPTIONS]\nCachedMethods: [GET, HEAD, OPTIONS]"
    ));
    assert!(cached.caches_options);
    for (text, message) in [
        ("AllowedMethods: [GET, POST]", "three sets"),
        ("CachedMethods: [GET, HEAD, OPTIONS]", "not in AllowedMethods"),
        ("AllowedMethods: [GET, HAED]", "Did you mean \"HEAD\"?"),
    ] {
        let behavior = format!("{POLICY}\n{text}");
        problem(
            &loaded(Parts { behavior: &behavior, ..Parts::default() }, &Options::default()),
            message,
        );
    }
}

#[test]
fn legacy_forwarded_values_become_policies() {
    let with = |text: &str| {
        behavior(&format!("ForwardedValues: {text}\nMinTTL: 0\nDefaultTTL: 60\nMaxTTL: 600"))
    };
    let plain = with("{QueryString: false}");
    assert!(plain.cache_policy.legacy && plain.cache_policy.gzip && !plain.cache_policy.brotli);
    assert_eq!(plain.cache_policy.query_strings, Selection::None);
    assert_eq!(plain.cache_policy.ttl, TtlBounds::new(0, 60, 600).unwrap());

    let keyed = with("{QueryString: true, QueryStringCacheKeys: [a, b]}");
    assert_eq!(keyed.cache_policy.query_strings, Selection::Only(vec!["a".into(), "b".into()]));
    assert_eq!(
        keyed.origin_request_policy.query_strings,
        Selection::All,
        "all are forwarded, two are in the key"
    );

    let cookies = with(
        "{QueryString: true, Cookies: {Forward: whitelist, WhitelistedNames: ['sess*']}, Headers: [Host, X-A]}",
    );
    assert_eq!(cookies.cache_policy.query_strings, Selection::All);
    assert_eq!(cookies.cache_policy.cookies, Selection::Matching(vec!["sess*".into()]));
    assert_eq!(cookies.cache_policy.headers, ["host", "x-a"]);

    let all = with("{QueryString: false, Headers: ['*']}");
    assert!(all.cache_policy.ttl.disable_caching(), "all headers forwarded: nothing is cached");
    assert_eq!(all.origin_request_policy.headers, HeaderSelection::AllViewer);
}

#[test]
fn unspecified_ttls_follow_the_specified_ones() {
    for (ttls, expected) in [
        ("", (0, 86_400, 31_536_000)),
        ("MinTTL: 100000", (100_000, 100_000, 31_536_000)),
        ("DefaultTTL: 40000000", (0, 40_000_000, 40_000_000)),
        ("MinTTL: 10\nDefaultTTL: 20\nMaxTTL: 30", (10, 20, 30)),
    ] {
        let behavior = behavior(&format!("ForwardedValues: {{QueryString: false}}\n{ttls}"));
        let (min, default, max) = expected;
        assert_eq!(behavior.cache_policy.ttl, TtlBounds::new(min, default, max).unwrap(), "{ttls}");
    }
}

#[test]
fn a_policy_that_stores_nothing_has_nothing_in_its_key() {
    let policy = |query_strings: &str| {
        let more = format!(
            "  Policy: {{Type: 'AWS::CloudFront::CachePolicy', Properties: {{CachePolicyConfig: {{Name: p, MinTTL: 0, DefaultTTL: 0, MaxTTL: 0, ParametersInCacheKeyAndForwardedToOrigin: {{EnableAcceptEncodingGzip: false, HeadersConfig: {{HeaderBehavior: none}}, CookiesConfig: {{CookieBehavior: none}}, QueryStringsConfig: {{QueryStringBehavior: {query_strings}}}}}}}}}}}"
        );
        let parts =
            Parts { behavior: "CachePolicyId: !Ref Policy", more: &more, ..Parts::default() };
        loaded(parts, &Options::default())
    };
    assert!(!policy("none").has_errors());
    problem(&policy("all"), "stores nothing and may have nothing in its key");
}

#[test]
fn wrong_behaviors_are_refused() {
    for (behavior, message) in [
        ("", ""),
        (
            "ForwardedValues: {QueryString: false}\nOriginRequestPolicyId: AllViewer",
            "needs a CachePolicyId",
        ),
        (
            "ForwardedValues: {QueryString: false, QueryStringCacheKeys: [a]}",
            "needs QueryString: true",
        ),
        ("ForwardedValues: {QueryString: false, Headers: ['*']}\nMinTTL: 1", "MinTTL must be 0"),
        ("ForwardedValues: {QueryString: false}\nMinTTL: 60\nDefaultTTL: 20", "60 ≤ 20 ≤ 31536000"),
        ("ForwardedValues: {Cookies: {Forward: all}}", "QueryString is missing"),
        ("Compress: true", "needs a CachePolicyId"),
        (
            "CachePolicyId: CachingOptimized\nPathPattern: /a",
            "the default behavior has no PathPattern",
        ),
        (
            "CachePolicyId: CachingOptimized\nResponseHeadersPolicyId: SecurityHeaderPolicy",
            "Did you mean \"SecurityHeadersPolicy\"?",
        ),
        (
            "CachePolicyId: CachingOptimized\nOriginRequestPolicyId: AllViewerExceptHost",
            "no origin request policy",
        ),
        (
            "CachePolicyId: CachingOptimized\nSmoothStreaming: 7",
            "expected true or false, found \"7\"",
        ),
    ] {
        if behavior.is_empty() {
            continue;
        }
        let loaded = loaded(Parts { behavior, ..Parts::default() }, &Options::default());
        assert!(loaded.has_errors(), "{behavior}");
        problem(&loaded, message);
    }
}

#[test]
fn wrong_distributions_are_refused() {
    for (config, message) in [
        ("Aliases: ['*.*.example.com']", "not a host name"),
        ("Aliases: [a.example.com, A.example.com]", "used twice"),
        ("IsIPV6Enabled: true", "Did you mean \"IPV6Enabled\"?"),
        ("CNAMEs: [a.example.com]", "write Aliases"),
        ("HttpVersion: HTTP2", "Did you mean \"http2\"?"),
        ("DefaultRootObject: /index.html", "begins with a slash"),
        ("CustomErrorResponses: [{ErrorCode: 410}]", "values: 400, 403"),
        ("CustomErrorResponses: [{ErrorCode: 404, ResponseCode: 200}]", "belong together"),
        ("CustomErrorResponses: [{ErrorCode: 404}, {ErrorCode: '404'}]", "for the second time"),
        ("CustomErrorResponses: {Quantity: 1, Items: []}", "plain list of Items"),
        (
            "CustomErrorResponses: [{ErrorCode: 404, ResponseCode: 200, ResponsePagePath: '/no page.html'}]",
            "is no path",
        ),
        ("Comment:", "Comment has no value"),
    ] {
        let loaded = loaded(Parts { config, ..Parts::default() }, &Options::default());
        assert!(!loaded.diagnostics.is_empty(), "{config}");
        problem(&loaded, message);
    }
}

#[test]
fn a_distribution_keeps_what_it_says() {
    let distribution = distribution(Parts {
        config: "Aliases: [WWW.Example.com, '*.example.com']
HttpVersion: http2
DefaultRootObject: index.html
CustomErrorResponses: [{ErrorCode: 404, ErrorCachingMinTTL: 30}, {ErrorCode: 503}]
CacheBehaviors:
  - {PathPattern: '*.jpg', TargetOriginId: app, ViewerProtocolPolicy: https-only, CachePolicyId: CachingDisabled}",
        ..Parts::default()
    });
    assert_eq!(distribution.aliases, ["www.example.com", "*.example.com"]);
    assert_eq!(distribution.default_root_object.as_deref(), Some("index.html"));
    let errors: Vec<_> = distribution
        .error_responses
        .iter()
        .map(|it| (it.status, it.caching_min_ttl.as_secs()))
        .collect();
    assert_eq!(errors, [(404, 30), (503, 10)]);
    let patterns: Vec<_> =
        distribution.behaviors.iter().map(|it| it.path_pattern.to_string()).collect();
    assert_eq!(patterns, ["*.jpg", "*"], "the default behavior is the last");
    assert!(
        distribution.enabled && distribution.id.starts_with('E') && distribution.id.len() == 14
    );
}

#[test]
fn policies_of_the_template_are_found_by_ref() {
    let policy = |ttl: &str, key: &str| {
        format!("  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: mine
        {ttl}
        ParametersInCacheKeyAndForwardedToOrigin: {key}
  Forward:
    Type: AWS::CloudFront::OriginRequestPolicy
    Properties:
      OriginRequestPolicyConfig:
        Name: forward
        HeadersConfig: {{HeaderBehavior: allViewerAndWhitelistCloudFront, Headers: [CloudFront-Viewer-Country]}}
        CookiesConfig: {{CookieBehavior: all}}
        QueryStringsConfig: {{QueryStringBehavior: allExcept, QueryStrings: [debug]}}
")
    };
    const TTL: &str = "MinTTL: 1\n        DefaultTTL: '20'\n        MaxTTL: 60.0";
    const KEY: &str = "{EnableAcceptEncodingGzip: 'true', HeadersConfig: {HeaderBehavior: whitelist, Headers: [Accept]}, CookiesConfig: {CookieBehavior: none}, QueryStringsConfig: {QueryStringBehavior: whitelist, QueryStrings: [q]}}";
    let refs = "CachePolicyId: !Ref Policy\nOriginRequestPolicyId: !GetAtt Forward.Id";
    let more = policy(TTL, KEY);
    let parts = Parts { behavior: refs, more: &more, ..Parts::default() };
    let distribution = distribution(parts);
    let cache = &distribution.behaviors[0].cache_policy;
    assert_eq!((cache.name.as_str(), cache.ttl), ("mine", TtlBounds::new(1, 20, 60).unwrap()));
    assert_eq!(cache.headers, ["accept"]);
    assert_eq!(cache.query_strings, Selection::Only(vec!["q".into()]));
    assert!(cache.gzip && !cache.brotli && !cache.legacy);
    let forward = &distribution.behaviors[0].origin_request_policy;
    assert_eq!(forward.query_strings, Selection::AllExcept(vec!["debug".into()]));
    assert!(matches!(&forward.headers, HeaderSelection::AllViewerAnd(names) if names.len() == 1));

    for (ttl, key, message) in [
        ("MinTTL: 1\n        DefaultTTL: 20", KEY.to_owned(), "MaxTTL is missing"),
        (
            "MinTTL: 0\n        DefaultTTL: 0\n        MaxTTL: 0",
            KEY.to_owned(),
            "may have nothing in its key",
        ),
        (TTL, KEY.replace("whitelist, Headers: [Accept]", "whitelist"), "needs a list of Headers"),
        (TTL, KEY.replace("none}, Q", "none, Cookies: [a]}, Q"), "takes no list of Cookies"),
        (TTL, KEY.replace("Accept", "Accept, accept"), "for the second time"),
    ] {
        let more = policy(ttl, &key);
        problem(
            &loaded(Parts { behavior: refs, more: &more, ..Parts::default() }, &Options::default()),
            message,
        );
    }
}

#[test]
fn a_template_in_json_is_the_same_template() {
    let text = r#"{"Resources": {"Edge": {"Type": "AWS::CloudFront::Distribution", "Properties": {"DistributionConfig": {
	"Enabled": "true", "Comment": "\ud83d\ude00 tabs\tare fine",
	"Origins": [{"Id": "app", "DomainName": {"Fn::Join": [".", ["app", "example.com"]]}, "CustomOriginConfig": {"OriginProtocolPolicy": "http-only"}}],
	"DefaultCacheBehavior": {"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"}
}}}}}"#;
    for name in ["template.json", "Stack.template", "template.yml"] {
        // YAML knows neither tabs there nor surrogate pairs; with that name it is YAML.
        let text = if name == "template.yml" {
            text.replace('\t', " ").replace("\\ud83d\\ude00", "")
        } else {
            text.to_owned()
        };
        let stack = stack(crate::loaded_as(name, &text, &Options::default()));
        assert_eq!(stack.distributions[0].origins[0].domain_name, "app.example.com", "{name}");
    }
}

#[test]
fn of_a_key_given_twice_the_last_counts_and_both_are_said() {
    let behavior =
        "CachePolicyId: CachingDisabled\nCompress: false\nCachePolicyId: CachingOptimized";
    let loaded = loaded(Parts { behavior, ..Parts::default() }, &Options::default());
    let said = problem(&loaded, "the key \"CachePolicyId\" is here for the second time");
    assert_eq!((said.severity, said.line), (Severity::Warning, 16));
    assert!(said.help.as_deref().unwrap().contains("the first is at line 14"));
    let policy = &stack(loaded).distributions[0].behaviors[0].cache_policy;
    assert_eq!(policy.ttl.default(), Duration::from_secs(86_400));

    let json = r#"{"Resources": {"A": {"Type": "AWS::CloudFront::Distribution", "Properties":
{"DistributionConfig": {"Enabled": false, "Origins": [{"Id": "a", "DomainName": "a.example",
"CustomOriginConfig": {"OriginProtocolPolicy": "http-only"}}], "Enabled": true, "DefaultCacheBehavior":
{"TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": "CachingDisabled"}}}}}}"#;
    let loaded = loaded_as("template.json", json, &Options::default());
    assert_eq!(problem(&loaded, "for the second time").line, 3);
    assert!(stack(loaded).distributions[0].enabled);
}

#[test]
fn grpc_needs_post_and_http_2_and_warns_of_clear_text() {
    const ALL: &str = "AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]";
    let grpc = |enabled: bool, methods: &str| {
        format!("CachePolicyId: CachingDisabled\n{methods}\nGrpcConfig: {{Enabled: {enabled}}}")
    };
    let load = |config: &str, behavior: &str, options: &Options| {
        loaded(Parts { config, behavior, ..Parts::default() }, options)
    };
    for version in ["HttpVersion: http2", "HttpVersion: http2and3"] {
        let loaded = load(version, &grpc(true, ALL), &Options::default());
        problem(&loaded, "it is http-only");
        assert!(stack(loaded).distributions[0].behaviors[0].grpc);
    }
    let node = Options { origins: pairs(&[("app", "http://localhost:1")]), ..Options::default() };
    let to_a_node = load("", &grpc(true, ALL), &node);
    assert!(to_a_node.diagnostics.is_empty(), "{}", warmfront_config::render_human(&to_a_node));
    let off = load("HttpVersion: http1.1", &grpc(false, ""), &Options::default());
    assert!(!stack(off).distributions[0].behaviors[0].grpc);
    for (config, methods, message) in [
        ("HttpVersion: http1.1", ALL, "HttpVersion does not offer it"),
        ("HttpVersion: http3", ALL, "HttpVersion does not offer it"),
        ("", "AllowedMethods: [GET, HEAD]", "does not let POST through"),
    ] {
        let loaded = load(config, &grpc(true, methods), &Options::default());
        assert!(loaded.has_errors(), "{config} {methods}");
        problem(&loaded, message);
    }
}
