//! Response headers policies: what is compiled, what is refused, what the report says of them.

use http::{HeaderMap, Method};
use warmfront_config::{Loaded, Options, Status};
use warmfront_core::policy::ResponseHeadersPolicy;
use warmfront_core::policy::response_headers::{CorsAnswer, ServerTiming, apply};

use crate::{Parts, loaded, problem, stack};

/// A distribution with a policy of these parts.
fn source(parts: &str) -> Loaded {
    let parts: String = parts.lines().map(|line| format!("        {line}\n")).collect();
    let more = format!(
        "  Headers:
    Type: AWS::CloudFront::ResponseHeadersPolicy
    Properties:
      ResponseHeadersPolicyConfig:
        Name: Headers
{parts}"
    );
    let behavior = "CachePolicyId: CachingOptimized\nResponseHeadersPolicyId: !Ref Headers";
    loaded(Parts { behavior, more: &more, ..Parts::default() }, &Options::default())
}

fn compiled(parts: &str) -> ResponseHeadersPolicy {
    let stack = stack(source(parts));
    let behavior = stack.distributions[0].behavior_for("/");
    (**behavior.response_headers_policy.as_ref().unwrap()).clone()
}

/// What a policy adds to an empty response.
fn added(policy: &ResponseHeadersPolicy, method: Method, request: &[(&str, &str)]) -> Vec<String> {
    let mut headers = HeaderMap::new();
    for (name, value) in request {
        let name: http::HeaderName = name.parse().unwrap();
        headers.append(name, value.parse().unwrap());
    }
    let mut response = HeaderMap::new();
    apply(policy, &method, &headers, &mut response);
    let lines = response.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
    let mut lines: Vec<String> = lines.collect();
    lines.sort_unstable();
    lines
}

#[test]
fn every_part_is_compiled() {
    let policy = compiled(
        "CorsConfig:
  AccessControlAllowCredentials: false
  AccessControlAllowHeaders: {Items: ['*', Authorization]}
  AccessControlAllowMethods: {Items: [ALL]}
  AccessControlAllowOrigins: {Items: [https://a.example]}
  AccessControlExposeHeaders: {Items: ['*']}
  AccessControlMaxAgeSec: 5
  OriginOverride: true
SecurityHeadersConfig:
  ContentSecurityPolicy: {ContentSecurityPolicy: default-src *, Override: false}
  ContentTypeOptions: {Override: false}
  FrameOptions: {FrameOption: SAMEORIGIN, Override: true}
  ReferrerPolicy: {ReferrerPolicy: origin, Override: false}
  StrictTransportSecurity: {AccessControlMaxAgeSec: 1, Override: false}
  XSSProtection: {Protection: true, ModeBlock: true, Override: false}
CustomHeadersConfig: {Items: [{Header: X-A, Value: '', Override: true}]}
RemoveHeadersConfig: {Items: [{Header: X-Powered-By}]}
ServerTimingHeadersConfig: {Enabled: 'true', SamplingRate: 0.5}",
    );
    assert_eq!(policy.name, "Headers");
    assert_eq!(policy.remove, ["x-powered-by"]);
    assert_eq!(policy.server_timing, Some(ServerTiming { rate: 5_000 }));
    let overrides: Vec<_> =
        policy.set.iter().filter(|it| it.overrides).map(|it| it.name.as_str()).collect();
    assert_eq!(overrides, ["x-frame-options", "x-a"]);
    assert!(policy.cors.as_ref().unwrap().origin_override);
    let request = [("origin", "https://a.example"), ("access-control-request-method", "PUT")];
    assert_eq!(
        added(&policy, Method::OPTIONS, &request),
        [
            "access-control-allow-headers: *, authorization",
            "access-control-allow-methods: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
            "access-control-allow-origin: https://a.example",
            "access-control-expose-headers: *",
            "access-control-max-age: 5",
            "content-security-policy: default-src *",
            "referrer-policy: origin",
            "strict-transport-security: max-age=1",
            "vary: Origin",
            "x-a: ",
            "x-content-type-options: nosniff",
            "x-frame-options: SAMEORIGIN",
            "x-xss-protection: 1; mode=block",
        ]
    );
}

#[test]
fn values_are_written_as_browsers_read_them() {
    for (part, line) in [
        (
            "StrictTransportSecurity: {AccessControlMaxAgeSec: 9, IncludeSubdomains: true, Preload: true, Override: true}",
            "strict-transport-security: max-age=9; includeSubDomains; preload",
        ),
        (
            "StrictTransportSecurity: {AccessControlMaxAgeSec: 0, Preload: true, Override: true}",
            "strict-transport-security: max-age=0; preload",
        ),
        (
            "XSSProtection: {Protection: false, ModeBlock: true, Override: true}",
            "x-xss-protection: 0",
        ),
        ("XSSProtection: {Protection: true, Override: true}", "x-xss-protection: 1"),
        (
            "XSSProtection: {Protection: true, ReportUri: 'https://a.example/r', Override: true}",
            "x-xss-protection: 1; report=https://a.example/r",
        ),
    ] {
        let policy = compiled(&format!("SecurityHeadersConfig: {{{part}}}"));
        assert_eq!(added(&policy, Method::GET, &[]), [line]);
    }
}

#[test]
fn a_disabled_server_timing_is_none() {
    let policy = compiled("ServerTimingHeadersConfig: {Enabled: false, SamplingRate: 100}");
    assert_eq!(policy.server_timing, None);
    let policy = compiled("ServerTimingHeadersConfig: {Enabled: true}");
    assert_eq!(policy.server_timing, Some(ServerTiming { rate: 0 }));
}

/// A `CorsConfig` with these lists.
fn cors(credentials: bool, headers: &str, methods: &str, origins: &str) -> String {
    format!(
        "CorsConfig: {{AccessControlAllowCredentials: {credentials}, AccessControlAllowHeaders: {{Items: [{headers}]}}, AccessControlAllowMethods: {{Items: [{methods}]}}, AccessControlAllowOrigins: {{Items: [{origins}]}}, OriginOverride: false}}"
    )
}

#[test]
fn wrong_policies_are_refused_where_they_are_wrong() {
    let eleven: String =
        (0..11).map(|n| format!("{{Header: X-{n}, Value: a, Override: true}}, ")).collect();
    let long = "a".repeat(1784);
    let custom = |header: &str, value: &str| {
        format!(
            "CustomHeadersConfig: {{Items: [{{Header: {header}, Value: {value}, Override: true}}]}}"
        )
    };
    let removed = |header: &str| format!("RemoveHeadersConfig: {{Items: [{{Header: {header}}}]}}");
    let security = |part: &str| format!("SecurityHeadersConfig: {{{part}}}");
    let many = "https://a-long-name-of-an-origin.example.org, ".repeat(45);
    for (parts, message) in [
        (cors(false, "x-a", "GET", "example.*"), "\"example.*\" is not an origin: a * may stand"),
        (cors(false, "x-a", "GET", "https://a.example/"), "without a path"),
        (cors(false, "x-a", "GET", ""), "at least one item is needed"),
        (cors(false, "x-a", "GET", &many), "1783 characters together, found 1980"),
        (cors(false, "", "GET", "'*'"), "at least one item is needed"),
        (cors(false, "x-*-*", "GET", "'*'"), "one * is allowed"),
        (cors(true, "'*'", "GET", "'*'"), "with AccessControlAllowCredentials: true no *"),
        (cors(true, "x-*", "GET", "'*'"), "with AccessControlAllowCredentials: true no *"),
        (cors(false, "x-a", "'*'", "'*'"), "is not one of the values"),
        (cors(false, "x-a", "GET, ALL", "'*'"), "ALL stands for every method"),
        (cors(false, "x-a", "", "'*'"), "at least one item is needed"),
        ("CorsConfig: {OriginOverride: true}".to_owned(), "AccessControlAllowOrigins is missing"),
        (format!("CustomHeadersConfig: {{Items: [{eleven}]}}"), "at most 10 custom headers"),
        (custom("X A", "a"), "\"X A\" is not a header name"),
        (custom("X-A", "\"a\\nb\""), "cannot be a header's value"),
        (custom("X-A", &long), "at most 1783 characters"),
        (custom("Via", "a"), "Via cannot be added by a policy"),
        (custom("X-Frame-Options", "DENY"), "set in SecurityHeadersConfig"),
        (
            "CustomHeadersConfig: {Items: [{Header: X-A, Value: a, Override: true}, {Header: x-a, Value: b, Override: true}]}".to_owned(),
            "x-a is here for the second time",
        ),
        (removed("Content-Length"), "Content-Length cannot be removed by a policy"),
        (removed("X-Amz-Cf-Id"), "X-Amz-Cf-Id cannot be removed"),
        (removed("x-edge-location"), "x-edge-location cannot be removed"),
        (removed("'X*'"), "no header is called so"),
        (
            security(&format!("ContentSecurityPolicy: {{ContentSecurityPolicy: {long}, Override: true}}")),
            "at most 1783 characters",
        ),
        (security("FrameOptions: {FrameOption: ALLOW, Override: true}"), "is not one of the values"),
        (security("ReferrerPolicy: {ReferrerPolicy: orign, Override: true}"), "Did you mean \"origin\"?"),
        (security("StrictTransportSecurity: {Override: true}"), "AccessControlMaxAgeSec is missing"),
        (
            security("XSSProtection: {Protection: true, ModeBlock: true, ReportUri: /a, Override: true}"),
            "exclude each other",
        ),
        (security("ContentTypeOptions: {}"), "Override is missing"),
        ("ServerTimingHeadersConfig: {Enabled: true, SamplingRate: 100.5}".to_owned(), "from 0 to 100"),
        ("ServerTimingHeadersConfig: {Enabled: true, SamplingRate: 0.00001}".to_owned(), "four decimals"),
    ] {
        let loaded = source(&parts);
        assert!(loaded.has_errors(), "{parts}");
        problem(&loaded, message);
    }
}

#[test]
fn credentials_for_every_website_are_worth_a_warning() {
    let loaded = source(&cors(true, "x-a", "GET", "'*'"));
    assert!(!loaded.has_errors());
    problem(&loaded, "every website may read what its visitors may");
    for harmless in [cors(true, "x-a", "GET", "'*.example.org'"), cors(false, "x-a", "GET", "'*'")]
    {
        assert!(source(&harmless).diagnostics.is_empty(), "{harmless}");
    }
}

#[test]
fn a_policy_that_does_not_compile_is_reported_once() {
    let loaded = source(&removed_via());
    assert_eq!(loaded.diagnostics.len(), 1, "{:?}", loaded.diagnostics);
}

fn removed_via() -> String {
    "RemoveHeadersConfig: {Items: [{Header: Via}]}".to_owned()
}

#[test]
fn a_policy_is_found_by_reference_by_id_and_by_name() {
    for id in [
        "SecurityHeadersPolicy",
        "67f7725c-6f97-4210-82d7-5512b31e9d03",
        "Managed-SecurityHeadersPolicy",
    ] {
        let behavior = format!("CachePolicyId: CachingOptimized\nResponseHeadersPolicyId: {id}");
        let loaded = loaded(Parts { behavior: &behavior, ..Parts::default() }, &Options::default());
        let listed =
            loaded.report.entries.iter().find(|it| it.path.ends_with("ResponseHeadersPolicyId"));
        assert_eq!(listed.unwrap().status, Status::Effective);
        let stack = stack(loaded);
        let policy = &stack.distributions[0].behavior_for("/").response_headers_policy;
        assert_eq!(policy.as_ref().unwrap().name, "Managed-SecurityHeadersPolicy");
    }
    let behavior = "CachePolicyId: CachingOptimized\nResponseHeadersPolicyId: Headers";
    let more = "  Headers: {Type: 'AWS::CloudFront::ResponseHeadersPolicy', Properties: {ResponseHeadersPolicyConfig: {Name: Headers}}}\n";
    let loaded = loaded(Parts { behavior, more, ..Parts::default() }, &Options::default());
    problem(&loaded, "to use the policy of this template, write !Ref Headers");
}

#[test]
fn an_id_that_only_aws_knows_is_an_error_that_says_how_to_give_it() {
    let behavior = "CachePolicyId: CachingOptimized\nResponseHeadersPolicyId: !ImportValue headers";
    let loaded = loaded(Parts { behavior, ..Parts::default() }, &Options::default());
    problem(&loaded, "--attribute");
}

#[test]
fn an_origin_that_is_not_listed_gets_nothing() {
    let policy = compiled(&cors(false, "x-a", "GET", "'*.example.org'"));
    let mut response = HeaderMap::new();
    let mut request = HeaderMap::new();
    request.insert("origin", "https://example.org".parse().unwrap());
    let answer = apply(&policy, &Method::GET, &request, &mut response);
    assert_eq!(answer, CorsAnswer::NotAllowed);
}
