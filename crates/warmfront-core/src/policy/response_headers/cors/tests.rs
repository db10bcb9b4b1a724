//! Origins and names against the guide's tables, and what each kind of request is told.

use proptest::prelude::*;

use super::*;
use crate::fixture;

#[track_caller]
fn origin(pattern: &str, matching: &[&str], other: &[&str]) {
    let pattern = AllowOrigin::parse(pattern).unwrap();
    for text in matching {
        assert!(pattern.matches(text.as_bytes()), "{pattern:?} is to match {text}");
    }
    for text in other {
        assert!(!pattern.matches(text.as_bytes()), "{pattern:?} is not to match {text}");
    }
}

#[test]
fn origins_match_as_in_the_guides_table() {
    origin("*", &["https://example.org", "null", "http://a:1"], &[]);
    origin(
        "http://*.example.org",
        &["http://www.example.org", "http://a.b.example.org", "HTTP://WWW.Example.org"],
        &[
            "https://test.example.org",
            "http://test.example.org:123",
            "http://example.org",
            "http://testexample.org",
            "http://.example.org",
        ],
    );
    origin(
        "*.example.org",
        &[
            "http://test.example.org",
            "https://test.a.example.org",
            "http://test.example.org:123",
            "capacitor://a.example.org",
        ],
        &[
            "http://example.org",
            "http://.example.org",
            "https://test.example.org.evil.net",
            "https://evil.net/.example.org",
            "https://evil.net?.example.org",
            "https://evil.net@a.example.org",
            "https://a..example.org",
        ],
    );
    origin(
        "example.org",
        &["http://example.org", "https://example.org"],
        &["http://example.org:80", "http://a.example.org", "ftp://example.org", "example.org"],
    );
    origin("http://example.org", &["http://example.org"], &["https://example.org"]);
    origin(
        "http://example.org:*",
        &["http://example.org:1", "http://example.org:8080"],
        &[
            "http://example.org",
            "http://example.org:",
            "https://example.org:443",
            "http://example.org:80.example.com",
        ],
    );
    origin(
        "http://example.org:1*3",
        &["http://example.org:13", "http://example.org:1893"],
        &["http://example.org:14", "http://example.org:113x", "http://example.org"],
    );
    origin(
        "*.example.org:1*",
        &["http://a.example.org:123", "https://a.example.org:1"],
        &["http://a.example.org", "http://a.example.org:2", "http://example.org:1"],
    );
    origin("http://[::1]:8080", &["http://[::1]:8080"], &["http://[::1]"]);
    origin("capacitor://localhost", &["capacitor://localhost"], &["http://localhost"]);
    origin("https://example.org", &[], &["null", "", "://", "https://", "https://exämple.org"]);
}

#[test]
fn a_host_that_is_cut_within_a_character_is_no_panic() {
    origin("*.a", &[], &["http://é.b", "http://éa", "http://é"]);
}

proptest! {
    #[test]
    fn an_origin_of_any_octets_is_compared(
        pattern in "(https?://)?(\\*\\.)?[a-zé.:\\[\\]*]{0,12}",
        origin in prop::collection::vec(any::<u8>(), 0..40),
        text in "(https?://)?[a-zé.:\\[\\]/@]{0,12}",
    ) {
        if let Ok(pattern) = AllowOrigin::parse(&pattern) {
            pattern.matches(&origin);
            pattern.matches(text.as_bytes());
        }
    }

    #[test]
    fn an_origin_that_is_written_out_matches_itself(origin in "https?://[a-z0-9]{1,5}(\\.[a-z]{1,3}){0,2}(:[0-9]{1,5})?") {
        let pattern = AllowOrigin::parse(&origin).unwrap();
        prop_assert!(pattern.matches(origin.as_bytes()));
    }
}

#[test]
fn entries_that_cloudfront_does_not_take_are_told_apart() {
    for (text, why) in [
        ("", BadOrigin::Empty),
        ("example.*", BadOrigin::Wildcard),
        ("test.*.org", BadOrigin::Wildcard),
        ("*test.org", BadOrigin::Wildcard),
        ("exa*mple.org", BadOrigin::Wildcard),
        ("http://*", BadOrigin::Wildcard),
        ("*.*.example.org", BadOrigin::Wildcard),
        ("https://example.org/", BadOrigin::Path),
        ("https://user@example.org", BadOrigin::Path),
        ("*://example.org", BadOrigin::Scheme),
        ("://example.org", BadOrigin::Scheme),
        ("http://", BadOrigin::Host),
        ("exa mple.org", BadOrigin::Host),
        ("example..org", BadOrigin::Host),
        ("*.", BadOrigin::Host),
        ("http://example.org:", BadOrigin::Port),
        ("http://example.org:8a", BadOrigin::Port),
        ("http://[1:2]", BadOrigin::Host),
    ] {
        assert_eq!(AllowOrigin::parse(text), Err(why), "{text}");
    }
}

#[track_caller]
fn header_name(pattern: &str, matching: &[&str], other: &[&str]) {
    let pattern = AllowHeader::parse(pattern).unwrap();
    let matches = |name: &&&str| pattern.matches(&name.parse().unwrap());
    assert_eq!(matching.iter().filter(matches).count(), matching.len(), "{pattern:?}");
    assert_eq!(other.iter().filter(matches).count(), 0, "{pattern:?}");
}

#[test]
fn header_names_match_as_in_the_guides_table() {
    header_name("x-amz-*", &["x-amz-test", "X-Amz-1"], &["x-amz-", "x-amz"]);
    header_name("x-*-amz", &["x-test-amz", "x--amz"], &["x-amz", "x-test-amz-"]);
    header_name("*-amz", &["x-amz"], &["-amz"]);
    header_name("*", &["x-a", "content-type"], &["authorization"]);
    header_name("auth*", &["auth-token"], &["Authorization"]);
    header_name("Authorization", &["authorization"], &["auth"]);
    assert_eq!(AllowHeader::parse("x-*-*"), Err(BadHeader::Wildcards));
    assert_eq!(AllowHeader::parse("**"), Err(BadHeader::Wildcards));
    assert_eq!(AllowHeader::parse("x y"), Err(BadHeader::Name));
    assert_eq!(AllowHeader::parse("x (*"), Err(BadHeader::Name));
    assert_eq!(AllowHeader::parse(""), Err(BadHeader::Name));
}

fn cors(origins: &[&str]) -> Cors {
    Cors {
        allow_origins: origins.iter().map(|it| AllowOrigin::parse(it).unwrap()).collect(),
        allow_headers: vec![AllowHeader::parse("x-token").unwrap()],
        allow_methods: Some(HeaderValue::from_static("GET, PUT")),
        allow_credentials: false,
        expose_headers: Some(HeaderValue::from_static("etag")),
        exposes_to_preflight_only: false,
        max_age: Some(HeaderValue::from_static("600")),
        origin_override: false,
    }
}

/// The CORS headers that the viewer sees, without their prefix.
#[track_caller]
fn check(
    cors: &Cors,
    method: Method,
    request: &[&str],
    response: &[&str],
    expected: CorsAnswer,
    headers: &[&str],
) {
    let mut response = fixture::headers(response);
    let answer = cors.answer(&method, &fixture::headers(request), &mut response);
    assert_eq!(answer, expected, "{request:?}");
    let prefix = "access-control-";
    let mut found: Vec<String> = response
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().strip_prefix(prefix)?, value)))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, headers, "{request:?}");
}

const ORIGIN: &str = "origin: https://a.example";
const PREFLIGHT: [&str; 2] = [ORIGIN, "access-control-request-method: PUT"];

#[test]
fn a_response_says_who_may_read_it_and_a_preflight_what_may_be_sent() {
    let any = cors(&["*"]);
    check(&any, Method::GET, &[], &[], CorsAnswer::NoOrigin, &[]);
    let simple = ["allow-origin: *", "expose-headers: etag"];
    check(&any, Method::GET, &[ORIGIN], &[], CorsAnswer::Added, &simple);
    check(&any, Method::OPTIONS, &[ORIGIN], &[], CorsAnswer::Added, &simple);
    check(&any, Method::GET, &PREFLIGHT, &[], CorsAnswer::Added, &simple);
    let all = [
        "allow-headers: x-token",
        "allow-methods: GET, PUT",
        "allow-origin: *",
        "expose-headers: etag",
        "max-age: 600",
    ];
    check(&any, Method::OPTIONS, &PREFLIGHT, &[], CorsAnswer::AddedForPreflight, &all);
    let managed = Cors { exposes_to_preflight_only: true, ..any };
    check(&managed, Method::GET, &[ORIGIN], &[], CorsAnswer::Added, &simple[..1]);
    check(&managed, Method::OPTIONS, &PREFLIGHT, &[], CorsAnswer::AddedForPreflight, &all);
}

#[test]
fn an_origin_of_the_list_is_echoed_and_another_one_gets_nothing() {
    let listed = cors(&["https://b.example", "*.example"]);
    let echoed = ["allow-origin: https://a.example", "expose-headers: etag"];
    check(&listed, Method::GET, &[ORIGIN], &[], CorsAnswer::Added, &echoed);
    for other in ["origin: https://a.example.net", "origin: null"] {
        check(&listed, Method::OPTIONS, &[other, PREFLIGHT[1]], &[], CorsAnswer::NotAllowed, &[]);
    }
    let mut credentials = cors(&["*"]);
    credentials.allow_credentials = true;
    let with = ["allow-credentials: true", echoed[0], echoed[1]];
    check(&credentials, Method::GET, &[ORIGIN], &[], CorsAnswer::Added, &with);
}

#[test]
fn any_cors_header_of_the_origin_keeps_all_of_the_policys_away_unless_it_overrides() {
    let mut policy = cors(&["*"]);
    let own = ["access-control-max-age: 5"];
    check(&policy, Method::GET, &[ORIGIN], &own, CorsAnswer::LeftToOrigin, &["max-age: 5"]);
    policy.origin_override = true;
    let own = ["access-control-allow-origin: https://b.example", "access-control-max-age: 5"];
    let simple = ["allow-origin: *", "expose-headers: etag", "max-age: 5"];
    check(&policy, Method::GET, &[ORIGIN], &own, CorsAnswer::Added, &simple);
    check(&policy, Method::GET, &[], &own[1..], CorsAnswer::NoOrigin, &["max-age: 5"]);
}

#[test]
fn a_name_with_a_wildcard_answers_with_what_was_asked_for() {
    let mut policy = cors(&["*"]);
    policy.allow_methods = None;
    policy.expose_headers = None;
    policy.max_age = None;
    let mut check = |allowed: &[&str], asked: &str, expected: Option<&str>| {
        policy.allow_headers = allowed.iter().map(|it| AllowHeader::parse(it).unwrap()).collect();
        let asked = format!("access-control-request-headers: {asked}");
        let request = [PREFLIGHT[0], PREFLIGHT[1], &asked];
        let expected = expected.map(|names| format!("allow-headers: {names}"));
        let mut headers: Vec<&str> = expected.iter().map(String::as_str).collect();
        headers.push("allow-origin: *");
        check(&policy, Method::OPTIONS, &request, &[], CorsAnswer::AddedForPreflight, &headers);
    };
    check(&["X-Token", "authorization"], "x-other", Some("x-token, authorization"));
    check(&["*", "authorization"], "x-other", Some("*, authorization"));
    check(&["x-amz-*", "x-b"], "x-amz-a,X-Amz-B, x-b,x-c, x y", Some("x-amz-a, X-Amz-B, x-b"));
    check(&["x-amz-*"], "x-b", None);
    check(&["*orization"], "authorization", None);
}
