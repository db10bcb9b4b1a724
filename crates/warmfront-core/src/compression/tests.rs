use super::*;
use crate::fixture;
use crate::policy::{CachePolicy, TtlBounds};

fn behavior(gzip: bool, brotli: bool) -> Behavior {
    let mut behavior = fixture::behavior("*");
    behavior.compress = true;
    behavior.cache_policy.gzip = gzip;
    behavior.cache_policy.brotli = brotli;
    behavior
}

#[track_caller]
fn wants(behavior: &Behavior, field: &str, expected: Result<Coding, NotCompressed>) {
    let headers = match field {
        "" => HeaderMap::new(),
        field => fixture::headers(&[&format!("accept-encoding: {field}")]),
    };
    for method in [Method::GET, Method::HEAD] {
        let found = wanted(behavior, &method, Version::HTTP_11, &headers);
        assert_eq!(found, expected, "{method} {field:?}");
    }
}

const GZIP: Result<Coding, NotCompressed> = Ok(Coding::Gzip);
const BROTLI: Result<Coding, NotCompressed> = Ok(Coding::Brotli);
const NOT_ACCEPTED: Result<Coding, NotCompressed> = Err(NotCompressed::NotAccepted);

#[test]
fn brotli_comes_first_where_policy_and_viewer_have_it() {
    wants(&behavior(true, true), "gzip, deflate, br", BROTLI);
    wants(&behavior(true, true), "br;q=0.1, gzip;q=1", BROTLI);
    wants(&behavior(true, true), "gzip", GZIP);
    wants(&behavior(true, true), "br", BROTLI);
    wants(&behavior(true, true), "br;q=0, gzip", GZIP);
    wants(&behavior(true, false), "gzip, br", GZIP);
    wants(&behavior(true, false), "br", NOT_ACCEPTED);
    wants(&behavior(false, true), "gzip, br", BROTLI);
    wants(&behavior(false, true), "gzip", NOT_ACCEPTED);
    wants(&behavior(true, true), "deflate, *", NOT_ACCEPTED);
    wants(&behavior(true, true), "", NOT_ACCEPTED);
}

#[test]
fn legacy_settings_know_gzip_only_and_need_no_flag() {
    let legacy = |headers: Vec<::http::HeaderName>| {
        let mut behavior = behavior(false, false);
        behavior.cache_policy = CachePolicy { legacy: true, headers, ..behavior.cache_policy };
        behavior
    };
    wants(&legacy(vec![]), "gzip, br", GZIP);
    wants(&legacy(vec![]), "br", NOT_ACCEPTED);
    wants(&legacy(vec![header::ACCEPT_ENCODING]), "br, gzip", GZIP);
}

#[test]
fn zstd_comes_first_where_the_rules_know_it() {
    let mut behavior = behavior(true, true);
    wants(&behavior, "zstd", NOT_ACCEPTED);
    behavior.rules.knows_zstd = true;
    wants(&behavior, "gzip, br, zstd", Ok(Coding::Zstd));
    wants(&behavior, "gzip, br, zstd;q=0", BROTLI);
    behavior.cache_policy.brotli = false;
    wants(&behavior, "zstd", Ok(Coding::Zstd));
    behavior.cache_policy.gzip = false;
    wants(&behavior, "zstd", Err(NotCompressed::NoCodingEnabled));
}

#[test]
fn what_the_behavior_forbids_is_named_first() {
    let mut off = behavior(true, true);
    off.compress = false;
    wants(&off, "br", Err(NotCompressed::Off));
    wants(&behavior(false, false), "br", Err(NotCompressed::NoCodingEnabled));
    let mut never = behavior(true, true);
    never.cache_policy.ttl = TtlBounds::new(0, 0, 0).unwrap();
    wants(&never, "br", Err(NotCompressed::CachingDisabled));
}

#[test]
fn other_methods_and_http_1_0_get_the_origins_bytes() {
    let headers = fixture::headers(&["accept-encoding: br"]);
    let asked = |method, version| wanted(&behavior(true, true), &method, version, &headers);
    for method in [Method::POST, Method::OPTIONS, Method::PUT] {
        assert_eq!(asked(method, Version::HTTP_2), Err(NotCompressed::Method));
    }
    assert_eq!(asked(Method::GET, Version::HTTP_10), Err(NotCompressed::Http10));
    assert_eq!(asked(Method::GET, Version::HTTP_2), BROTLI);
    let hidden = fixture::headers(&["accept-encoding: br", "connection: accept-encoding"]);
    let found = wanted(&behavior(true, true), &Method::GET, Version::HTTP_11, &hidden);
    assert_eq!(found, NOT_ACCEPTED);
}

#[track_caller]
fn check(status: u16, lines: &[&str], length: Option<u64>, expected: Result<(), NotCompressed>) {
    let status = StatusCode::from_u16(status).unwrap();
    let headers = fixture::headers(lines);
    let found = compression(BROTLI, status, &headers, length);
    let expected = expected.map_or_else(Compression::Not, |()| Compression::With(Coding::Brotli));
    assert_eq!(found, expected, "{status} {lines:?} {length:?}");
}

const TEXT: &str = "content-type: text/plain";

#[test]
fn the_window_is_from_1000_to_10_000_000_bytes() {
    for (length, fits) in [
        (0, false),
        (999, false),
        (1_000, true),
        (10_000_000, true),
        (10_000_001, false),
        (u64::MAX, false),
    ] {
        let expected = if fits { Ok(()) } else { Err(NotCompressed::Size(length)) };
        check(200, &[TEXT], Some(length), expected);
    }
    check(200, &[TEXT], None, Err(NotCompressed::NoLength));
}

#[test]
fn only_200_403_and_404_are_compressed() {
    for status in [200, 403, 404] {
        check(status, &[TEXT], Some(2000), Ok(()));
    }
    for status in [201, 204, 206, 301, 304, 400, 416, 500, 503] {
        let reason = NotCompressed::Status(StatusCode::from_u16(status).unwrap());
        check(status, &[TEXT], Some(2000), Err(reason));
    }
}

#[test]
fn what_is_encoded_or_must_not_be_changed_stays() {
    check(200, &[TEXT, "content-encoding: gzip"], Some(2000), Err(NotCompressed::Encoded));
    check(200, &[TEXT, "content-encoding: identity"], Some(2000), Err(NotCompressed::Encoded));
    check(200, &[TEXT, "content-encoding:"], Some(2000), Err(NotCompressed::Encoded));
    check(200, &["content-type: image/png"], Some(2000), Err(NotCompressed::ContentType));
    check(200, &[], Some(2000), Err(NotCompressed::ContentType));
    for (field, forbids) in [
        ("no-transform", true),
        ("max-age=5, No-Transform", true),
        ("no-transform=1", true),
        ("max-age=5", false),
        ("private=\"no-transform\"", false),
    ] {
        let expected = if forbids { Err(NotCompressed::NoTransform) } else { Ok(()) };
        check(200, &[TEXT, &format!("cache-control: {field}")], Some(2000), expected);
    }
}

#[test]
fn caches_behind_us_learn_of_the_other_coding_from_either_one() {
    let headers = fixture::headers(&[TEXT]);
    let check = |wanted, length, expected| {
        assert_eq!(is_negotiated(wanted, StatusCode::OK, &headers, Some(length)), expected);
    };
    check(BROTLI, 2000, true);
    check(NOT_ACCEPTED, 2000, true);
    check(Err(NotCompressed::Http10), 2000, true);
    check(NOT_ACCEPTED, 10, false);
    check(BROTLI, 10, false);
    check(Err(NotCompressed::Off), 2000, false);
    check(Err(NotCompressed::Method), 2000, false);
}
