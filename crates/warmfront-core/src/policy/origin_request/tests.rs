use std::sync::Arc;

use ::http::{Method, Version};
use proptest::prelude::*;

use super::*;
use crate::fixture;
use crate::origin::Scheme;
use crate::policy::{CachePolicy, OriginRequestPolicy};

/// One question: what reaches this origin of that request?
#[derive(Debug, Clone)]
struct Case {
    behavior: Behavior,
    origin: Origin,
    method: Method,
    version: Version,
    url: &'static str,
    fields: Vec<&'static str>,
    failing: Option<Failing<'static>>,
}

fn case() -> Case {
    Case {
        behavior: fixture::behavior("*"),
        origin: fixture::origin(),
        method: Method::GET,
        version: Version::HTTP_11,
        url: "/a",
        fields: Vec::new(),
        failing: None,
    }
}

impl Case {
    fn get(url: &'static str, fields: &[&'static str]) -> Case {
        Case { url, fields: fields.to_vec(), ..case() }
    }

    fn method(mut self, method: Method) -> Case {
        self.method = method;
        self
    }

    fn s3(mut self) -> Case {
        self.origin.kind = OriginKind::S3;
        self.origin.domain_name = "bucket.s3.us-east-1.amazonaws.com".to_owned();
        self
    }

    fn cache(mut self, change: impl FnOnce(&mut CachePolicy)) -> Case {
        change(&mut self.behavior.cache_policy);
        self
    }

    fn also(mut self, change: impl FnOnce(&mut OriginRequestPolicy)) -> Case {
        change(&mut self.behavior.origin_request_policy);
        self
    }

    fn managed(mut self, name: &str) -> Case {
        self.behavior.origin_request_policy = managed::origin_request_policy(name).unwrap();
        self
    }

    fn ask(&self) -> Forwarded {
        let mut distribution = fixture::distribution();
        distribution.origins = vec![Arc::new(self.origin.clone())];
        let (path, query) = match self.url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.url, None),
        };
        let headers = fixture::headers(&self.fields);
        let view = RequestView {
            method: &self.method,
            scheme: Scheme::Https,
            version: self.version,
            host: "viewer.example:8443",
            path,
            query,
            headers: &headers,
            place: None,
        };
        let edge = EdgeFacts {
            viewer: "192.0.2.7:4711".parse().unwrap(),
            request_id: "id==",
            via: &HeaderValue::from_static("1.1 ours"),
            tls: None,
            failing: self.failing,
        };
        origin_request(&distribution, &self.behavior, &self.origin, &view, &edge)
    }

    /// Header fields beside the automatic ones of every origin request.
    #[track_caller]
    fn sends(&self, expected: &[&str]) {
        let mut headers = self.ask().headers;
        let automatic = [
            ("host", self.origin.domain_name.as_str()),
            ("user-agent", "Amazon CloudFront"),
            ("x-forwarded-for", "192.0.2.7"),
            ("via", "1.1 ours"),
            ("x-amz-cf-id", "id=="),
        ];
        let expected_headers = fixture::headers(expected);
        for (name, value) in automatic {
            if !expected_headers.contains_key(name) {
                assert_eq!(
                    headers.get(name).map(HeaderValue::as_bytes),
                    Some(value.as_bytes()),
                    "{name}"
                );
                headers.remove(name);
            }
        }
        assert_eq!(headers, expected_headers, "{:?}", self.fields);
    }

    #[track_caller]
    fn asks(&self, target: &str) {
        assert_eq!(self.ask().target, target, "{}", self.url);
    }
}

const BROWSER: [&str; 14] = [
    "host: ignored.example",
    "user-agent: Browser",
    "accept: text/html",
    "accept-language: de",
    "accept-encoding: gzip, br",
    "referer: r",
    "origin: https://o",
    "cookie: b=2; a=1",
    "cache-control: no-cache",
    "pragma: no-cache",
    "x-own: 1",
    "authorization: secret",
    "connection: keep-alive",
    "dnt: 1",
];

#[test]
fn without_policies_only_the_automatic_headers_go() {
    Case::get("/a", &BROWSER).sends(&[]);
    Case::get("/a", &BROWSER).method(Method::HEAD).sends(&[]);
}

#[test]
fn parts_and_conditions_always_go() {
    let fields = [
        "range: bytes=0-1",
        "if-range: \"x\"",
        "if-none-match: \"x\"",
        "if-match: \"y\"",
        "if-modified-since: z",
        "if-unmodified-since: z",
    ];
    Case::get("/a", &fields).sends(&fields);
}

#[test]
fn fields_about_a_body_go_where_a_body_may_be() {
    let fields = [
        "content-type: text/plain",
        "content-encoding: gzip",
        "content-md5: x",
        "content-length: 3",
    ];
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        Case::get("/a", &fields).method(method).sends(&fields[..2]);
    }
    Case::get("/a", &fields).sends(&[]);
    let mut options = Case::get("/a", &fields).method(Method::OPTIONS);
    options.sends(&fields[..2]);
    options.behavior.caches_options = true;
    options.sends(&[]);
}

#[test]
fn authorization_goes_with_methods_that_are_never_cached() {
    let fields = ["authorization: secret"];
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        Case::get("/a", &fields).method(method).sends(&fields);
    }
    Case::get("/a", &fields).sends(&[]);
    Case::get("/a", &fields).method(Method::HEAD).sends(&[]);
    let mut options = Case::get("/a", &fields).method(Method::OPTIONS);
    options.behavior.caches_options = true;
    options.sends(&[]);
    Case::get("/a", &fields)
        .cache(|policy| policy.headers = vec![header::AUTHORIZATION])
        .sends(&fields);
    let all = Case::get("/a", &fields).also(|policy| policy.headers = HeaderSelection::AllViewer);
    assert!(all.ask().headers.contains_key(header::AUTHORIZATION));
    let but = HeaderSelection::AllExcept(vec![header::AUTHORIZATION]);
    let all_but = Case::get("/a", &fields).also(|policy| policy.headers = but);
    assert!(!all_but.ask().headers.contains_key(header::AUTHORIZATION));
}

#[test]
fn host_is_the_origins_unless_a_policy_names_it() {
    let host = |case: &Case| {
        let headers = case.ask().headers;
        assert_eq!(headers.get_all(header::HOST).iter().count(), 1);
        headers[header::HOST].to_str().unwrap().to_owned()
    };
    let plain = Case::get("/a", &["host: field.example"]);
    assert_eq!(host(&plain), "origin.example.com");
    let keyed = plain.clone().cache(|policy| policy.headers = vec![header::HOST]);
    assert_eq!(host(&keyed), "viewer.example:8443");
    for (policy, expected) in [
        ("AllViewer", "viewer.example:8443"),
        ("HostHeaderOnly", "viewer.example:8443"),
        ("AllViewerAndCloudFrontHeaders-2022-06", "viewer.example:8443"),
        ("AllViewerExceptHostHeader", "origin.example.com"),
        ("CORS-CustomOrigin", "origin.example.com"),
    ] {
        assert_eq!(host(&plain.clone().managed(policy)), expected, "{policy}");
        let s3 = plain.clone().managed(policy).s3();
        assert_eq!(host(&s3), "bucket.s3.us-east-1.amazonaws.com", "{policy}");
    }
}

#[test]
fn all_viewer_lets_everything_through_that_may_travel() {
    let sent = [
        "user-agent: Browser",
        "accept: text/html",
        "accept-encoding: gzip, br",
        "x-own: 1",
        "cache-control: no-cache",
        "authorization: secret",
        "date: d",
        "content-md5: x",
    ];
    let dropped = [
        "connection: close, x-listed",
        "keep-alive: 5",
        "x-listed: 1",
        "te: trailers",
        "trailer: x",
        "upgrade: h2c",
        "transfer-encoding: chunked",
        "content-length: 3",
        "expect: 100-continue",
        "proxy: x",
        "proxy-authorization: x",
        "proxy-connection: x",
        "x-real-ip: 1.2.3.4",
        "x-forwarded-proto: https",
        "x-edge-location: X",
        "x-amz-cf-id: forged",
    ];
    let fields = [&sent[..], &dropped[..]].concat();
    let expected = [&["host: viewer.example:8443"], &sent[..]].concat();
    Case::get("/a", &fields).managed("AllViewer").sends(&expected);
}

#[test]
fn a_list_lets_through_what_it_names() {
    let expected = ["user-agent: Browser", "referer: r"];
    Case::get("/a", &BROWSER).managed("UserAgentRefererHeaders").sends(&expected);
    let keyed = |policy: &mut CachePolicy| policy.headers = vec![header::ACCEPT_LANGUAGE];
    let both = Case::get("/a", &BROWSER).managed("CORS-CustomOrigin").cache(keyed);
    both.sends(&["origin: https://o", "accept-language: de"]);
}

#[test]
fn accept_encoding_goes_normalized_or_as_any_other_header() {
    let fields = ["accept-encoding: deflate, gzip, br"];
    let flags = |gzip, brotli| {
        move |policy: &mut CachePolicy| (policy.gzip, policy.brotli) = (gzip, brotli)
    };
    let lists = |policy: &mut OriginRequestPolicy| {
        policy.headers = HeaderSelection::Only(vec![header::ACCEPT_ENCODING]);
    };
    Case::get("/a", &fields).cache(flags(true, true)).sends(&["accept-encoding: br,gzip"]);
    Case::get("/a", &fields)
        .cache(flags(true, false))
        .also(lists)
        .sends(&["accept-encoding: gzip"]);
    Case::get("/a", &["accept-encoding: zstd"])
        .cache(flags(true, true))
        .sends(&["accept-encoding: identity"]);
    Case::get("/a", &[]).cache(flags(true, true)).sends(&[]);
    Case::get("/a", &fields).also(lists).sends(&fields);
    Case { version: Version::HTTP_10, ..Case::get("/a", &fields).cache(flags(true, true)) }
        .sends(&[]);
}

#[test]
fn cookies_go_by_the_cookie_settings_alone() {
    let fields = ["cookie: b=2; a=1; c=3; $x=1; lonely"];
    let only = |names: &[&str]| Selection::Only(names.iter().map(|n| (*n).to_owned()).collect());
    Case::get("/a", &fields).cache(|policy| policy.cookies = only(&["b"])).sends(&["cookie: b=2"]);
    Case::get("/a", &fields)
        .cache(|policy| policy.cookies = only(&["b"]))
        .also(|policy| policy.cookies = only(&["a"]))
        .sends(&["cookie: a=1; b=2"]);
    let no_cookies =
        Case::get("/a", &fields).also(|policy| policy.headers = HeaderSelection::AllViewer);
    assert!(!no_cookies.ask().headers.contains_key(header::COOKIE));
    let all = Case::get("/a", &fields).managed("AllViewerExceptHostHeader");
    assert_eq!(all.ask().headers[header::COOKIE], "a=1; b=2; c=3");
}

#[test]
fn the_path_of_proxies_grows_at_its_end() {
    let fields = [
        "x-forwarded-for: 203.0.113.1, 203.0.113.2",
        "x-forwarded-for: 203.0.113.3",
        "via: 1.0 theirs",
    ];
    Case::get("/a", &fields).sends(&[
        "x-forwarded-for: 203.0.113.1, 203.0.113.2, 203.0.113.3, 192.0.2.7",
        "via: 1.0 theirs, 1.1 ours",
    ]);
    Case::get("/a", &["connection: x-forwarded-for", "x-forwarded-for: forged"]).sends(&[]);
}

#[test]
fn the_hash_of_a_body_travels_with_it_to_an_origin_that_wants_a_signature() {
    let fields = ["x-amz-content-sha256: 00ff"];
    let upload = Case::get("/a", &fields).method(Method::PUT);
    upload.sends(&[]);
    let mut signed = upload;
    signed.origin.access_control = Some(crate::origin::OriginAccessControl {
        signing: crate::origin::SigningBehavior::Always,
        service: "lambda".to_owned(),
        region: "us-east-1".to_owned(),
    });
    signed.sends(&fields);
    signed.method(Method::GET).sends(&[]);
}

#[test]
fn custom_headers_win() {
    let mut case =
        Case::get("/a", &["x-key: viewer", "x-key: viewer2"]).managed("AllViewerExceptHostHeader");
    case.origin.custom_headers = vec![
        (HeaderName::from_static("x-key"), HeaderValue::from_static("origin")),
        (header::USER_AGENT, HeaderValue::from_static("mine")),
    ];
    case.sends(&["x-key: origin", "user-agent: mine"]);
}

#[test]
fn generated_headers_go_when_asked_for_and_forged_ones_do_not() {
    let names =
        ["cloudfront-forwarded-proto", "cloudfront-viewer-country", "cloudfront-viewer-address"];
    let list = || names.map(HeaderName::from_static).to_vec();
    let forged = [
        "cloudfront-forwarded-proto: forged",
        "cloudfront-viewer-country: XX",
        "cloudfront-viewer-address: forged",
    ];
    let expected =
        ["cloudfront-forwarded-proto: https", "cloudfront-viewer-address: 192.0.2.7:4711"];
    Case::get("/a", &forged)
        .also(|policy| policy.headers = HeaderSelection::Only(list()))
        .sends(&expected);
    Case::get("/a", &forged).cache(|policy| policy.headers = list()).sends(&expected);
    let and = Case::get("/a", &forged).managed("AllViewerAndCloudFrontHeaders-2022-06").ask();
    assert_eq!(and.headers["cloudfront-forwarded-proto"], "https");
    assert_eq!(and.headers["cloudfront-is-desktop-viewer"], "true");
    assert!(!and.headers.contains_key("cloudfront-viewer-country"));
    // Not asked for: a header like any other (CloudFront guide: request headers).
    Case::get("/a", &forged).sends(&[]);
}

#[test]
fn legacy_settings_forward_what_they_do_not_know() {
    let legacy = |policy: &mut CachePolicy| policy.legacy = true;
    Case::get("/a", &BROWSER).cache(legacy).sends(&[
        "accept-encoding: gzip",
        "origin: https://o",
        "cache-control: no-cache",
        "pragma: no-cache",
        "x-own: 1",
        "dnt: 1",
    ]);
    let listed = |policy: &mut CachePolicy| {
        policy.legacy = true;
        policy.headers = vec![header::REFERER, header::USER_AGENT, header::AUTHORIZATION];
    };
    let fields = ["referer: r", "user-agent: Browser", "authorization: secret"];
    Case::get("/a", &fields).cache(listed).sends(&fields);
    Case::get("/a", &fields[2..]).cache(legacy).method(Method::POST).sends(&fields[2..]);
}

#[test]
fn legacy_settings_with_a_star_forward_everything() {
    let fields = ["accept-encoding: gzip, br", "accept: x", "user-agent: Browser", "x-own: 1"];
    let legacy = |policy: &mut CachePolicy| policy.legacy = true;
    let star = |policy: &mut OriginRequestPolicy| policy.headers = HeaderSelection::AllViewer;
    let expected = [&["host: viewer.example:8443"], &fields[..]].concat();
    Case::get("/a", &fields).cache(legacy).also(star).sends(&expected);
}

#[test]
fn the_target_is_origin_path_raw_path_and_the_chosen_query() {
    let mut case = Case::get("//x/../a%2f?b=2&a=1&&c", &[]);
    case.asks("//x/../a%2f");
    case.origin.path = "/prod".to_owned();
    case.asks("/prod//x/../a%2f");
    let only = |names: &[&str]| Selection::Only(names.iter().map(|n| (*n).to_owned()).collect());
    let keyed = case.clone().cache(|policy| policy.query_strings = only(&["a"]));
    keyed.asks("/prod//x/../a%2f?a=1");
    keyed.clone().also(|policy| policy.query_strings = only(&["c"])).asks("/prod//x/../a%2f?a=1&c");
    keyed.also(|policy| policy.query_strings = Selection::All).asks("/prod//x/../a%2f?b=2&a=1&&c");
    case.cache(|policy| policy.query_strings = Selection::All).asks("/prod//x/../a%2f?b=2&a=1&&c");
    Case::get("/a?", &[]).cache(|policy| policy.query_strings = Selection::All).asks("/a");
}

#[test]
fn four_managed_policies_keep_response_parameters_from_s3() {
    let url = "/a?x=1&response-content-type=text/html&response-content-language=de&y";
    for name in [
        "AllViewer",
        "AllViewerAndCloudFrontHeaders-2022-06",
        "AllViewerExceptHostHeader",
        "Elemental-MediaTailor-PersonalizedManifests",
    ] {
        Case::get(url, &[]).managed(name).s3().asks("/a?x=1&response-content-language=de&y");
        Case::get(url, &[]).managed(name).asks(url);
    }
    let own = |policy: &mut OriginRequestPolicy| policy.query_strings = Selection::All;
    Case::get(url, &[]).also(own).s3().asks(url);
    let keyed = |policy: &mut CachePolicy| {
        policy.query_strings = Selection::Only(vec!["response-content-type".to_owned()]);
    };
    Case::get(url, &[]).managed("AllViewer").cache(keyed).s3().asks(url);
}

proptest! {
    #[test]
    fn any_fields_and_any_query_are_taken(
        query in any::<String>(),
        fields in prop::collection::vec(("[a-z-]{1,12}|cookie|via|connection|x-forwarded-for|accept-encoding", prop::collection::vec(any::<u8>(), 0..16)), 0..8),
        policy in prop::sample::select(managed::origin_request_policy_names().map(|(id, _)| id).collect::<Vec<_>>()),
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) {
                headers.append(name, value);
            }
        }
        let mut behavior = fixture::behavior("*");
        behavior.origin_request_policy = managed::origin_request_policy(policy).unwrap();
        let edge = EdgeFacts { viewer: "[::1]:1".parse().unwrap(), request_id: "\n", via: &HeaderValue::from_static("v"), tls: None, failing: None };
        let view = RequestView {
            method: &Method::GET, scheme: Scheme::Http, version: Version::HTTP_11, host: "h", path: "/", query: Some(&query), headers: &headers, place: None,
        };
        let made = origin_request(&fixture::distribution(), &behavior, &fixture::origin(), &view, &edge);
        prop_assert!(!made.headers.contains_key(header::TRANSFER_ENCODING));
        prop_assert!(!made.headers.contains_key(header::CONTENT_LENGTH));
        prop_assert!(!made.headers.contains_key(header::CONNECTION));
        prop_assert_eq!(made.headers.get_all(header::HOST).iter().count(), 1);
    }
}

#[test]
fn an_address_is_written_as_everybody_writes_it() {
    for octet in 0..=255u8 {
        let ip = IpAddr::from([octet, 255 - octet, octet / 10, 0]);
        assert_eq!(address(ip), ip.to_string());
    }
    assert_eq!(address("2001:db8::1".parse().unwrap()), "2001:db8::1");
}

#[test]
fn an_error_pages_origin_learns_what_failed_when_its_policy_asks() {
    let asks = |case: Case| {
        case.also(|policy| {
            policy.headers = HeaderSelection::Only(vec![
                HeaderName::from_static("cloudfront-error-uri"),
                HeaderName::from_static("cloudfront-error-args"),
            ]);
        })
    };
    let failing = |path, query| Some(Failing { path, query });
    let page = || Case::get("/404.html", &["cloudfront-error-uri: /forged"]);
    asks(Case { failing: failing("/a%20b", Some("c=1&d")), ..page() })
        .sends(&["cloudfront-error-uri: /a%20b", "cloudfront-error-args: c=1&d"]);
    asks(Case { failing: failing("/a", None), ..page() }).sends(&["cloudfront-error-uri: /a"]);
    asks(page()).sends(&[]);
    Case { failing: failing("/a", None), ..page() }.sends(&[]);
}
