//! The order of removing and adding, and who wins.

use super::cors::AllowOrigin;
use super::*;
use crate::fixture;

fn set(name: &'static str, value: &'static str, overrides: bool) -> SetHeader {
    SetHeader {
        name: HeaderName::from_static(name),
        value: HeaderValue::from_static(value),
        overrides,
    }
}

#[track_caller]
fn check(policy: &ResponseHeadersPolicy, request: &[&str], response: &[&str], expected: &[&str]) {
    let mut response = fixture::headers(response);
    apply(policy, &Method::GET, &fixture::headers(request), &mut response);
    assert_eq!(response, fixture::headers(expected));
}

#[test]
fn a_header_is_added_or_stays_or_is_replaced() {
    let policy = ResponseHeadersPolicy {
        set: vec![set("x-a", "policy", false), set("x-b", "policy", true), set("x-c", "", false)],
        ..Default::default()
    };
    check(&policy, &[], &["server: s"], &["server: s", "x-a: policy", "x-b: policy", "x-c:"]);
    check(
        &policy,
        &[],
        &["server: s", "x-a: 1", "x-a: 2", "x-b: 1", "x-b: 2", "x-c: 1"],
        &["server: s", "x-a: 1", "x-a: 2", "x-b: policy", "x-c: 1"],
    );
}

#[test]
fn what_is_removed_and_added_ends_up_added() {
    let policy = ResponseHeadersPolicy {
        remove: vec![HeaderName::from_static("x-a"), HeaderName::from_static("x-gone")],
        set: vec![set("x-a", "policy", false)],
        ..Default::default()
    };
    check(
        &policy,
        &[],
        &["server: s", "x-a: 1", "x-gone: 1", "x-gone: 2", "x-b: 1"],
        &["server: s", "x-a: policy", "x-b: 1"],
    );
}

#[test]
fn a_removed_server_becomes_cloudfronts() {
    let mut policy = ResponseHeadersPolicy { remove: vec![header::SERVER], ..Default::default() };
    check(&policy, &[], &["server: nginx"], &["server: CloudFront"]);
    policy.set.push(set("server", "mine", false));
    check(&policy, &[], &["server: nginx"], &["server: mine"]);
}

fn cors(origins: &[&str]) -> Cors {
    Cors {
        allow_origins: origins.iter().map(|it| AllowOrigin::parse(it).unwrap()).collect(),
        allow_headers: Vec::new(),
        allow_methods: None,
        allow_credentials: false,
        expose_headers: None,
        exposes_to_preflight_only: false,
        max_age: None,
        origin_override: false,
    }
}

#[test]
fn cors_headers_that_were_removed_do_not_keep_the_policys_away() {
    let policy = ResponseHeadersPolicy {
        remove: vec![header::ACCESS_CONTROL_ALLOW_ORIGIN],
        cors: Some(cors(&["*"])),
        ..Default::default()
    };
    check(
        &policy,
        &["origin: https://a.example"],
        &["server: s", "access-control-allow-origin: https://b.example"],
        &["server: s", "access-control-allow-origin: *"],
    );
}

#[test]
fn an_answer_that_depends_on_the_origin_says_so_in_vary() {
    let mut policy =
        ResponseHeadersPolicy { cors: Some(cors(&["https://a.example"])), ..Default::default() };
    let vary = |policy: &ResponseHeadersPolicy, lines: &[&str], expected: &[&str]| {
        let lines: Vec<_> = ["server: s"].iter().chain(lines).copied().collect();
        let expected: Vec<_> = ["server: s"].iter().chain(expected).copied().collect();
        check(policy, &[], &lines, &expected);
    };
    vary(&policy, &[], &["vary: Origin"]);
    vary(&policy, &["vary: Cookie", "vary: X-A"], &["vary: Cookie, X-A, Origin"]);
    vary(&policy, &["vary: Cookie, origin"], &["vary: Cookie, origin"]);
    vary(&policy, &["vary: *"], &["vary: *"]);
    policy.remove.push(header::VARY);
    vary(&policy, &["vary: Cookie"], &[]);
    let any = ResponseHeadersPolicy { cors: Some(cors(&["*"])), ..Default::default() };
    vary(&any, &[], &[]);
}

#[test]
fn what_frames_a_message_or_is_cloudfronts_cannot_be_edited() {
    for name in ["Content-Length", "via", "X-Amz-Cf-Id", "X-Edge-Anything", "X-Cache", "X-Real-Ip"]
    {
        assert!(!is_editable(name), "{name}");
    }
    for name in ["Server", "Date", "X-Powered-By", "X-Amz-Meta-A", "Vary", "X-Amzn-Trace-Id"] {
        assert!(is_editable(name), "{name}");
    }
}
