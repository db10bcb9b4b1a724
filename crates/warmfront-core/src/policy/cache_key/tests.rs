mod whole_url;

use ::http::{HeaderMap, Version};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::fixture;
use crate::origin::Scheme;
use crate::policy::key_parts::{KeyKind, KeyPart, key_parts};

/// A request that tests change where they need to.
#[derive(Debug, Clone)]
struct Asked {
    method: Method,
    scheme: Scheme,
    version: Version,
    host: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
}

fn get(path: &str, fields: &[&str]) -> Asked {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (path, None),
    };
    Asked {
        method: Method::GET,
        scheme: Scheme::Https,
        version: Version::HTTP_11,
        host: "a.example".to_owned(),
        path: path.to_owned(),
        query,
        headers: fixture::headers(fields),
    }
}

impl Asked {
    fn view(&self) -> RequestView<'_> {
        RequestView {
            method: &self.method,
            scheme: self.scheme,
            version: self.version,
            host: &self.host,
            path: &self.path,
            query: self.query.as_deref(),
            headers: &self.headers,
            place: None,
        }
    }

    fn key(&self, policy: &CachePolicy) -> Vec<u8> {
        let behavior = Behavior { cache_policy: policy.clone(), ..fixture::behavior("*") };
        let mut key = Vec::new();
        write_cache_key(&mut key, &fixture::distribution(), &behavior, &self.view());
        key
    }

    fn parts(&self, policy: &CachePolicy) -> Vec<KeyPart> {
        let behavior = Behavior { cache_policy: policy.clone(), ..fixture::behavior("*") };
        key_parts(&fixture::distribution(), &behavior, &self.view())
    }
}

fn nothing() -> CachePolicy {
    fixture::behavior("*").cache_policy
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[track_caller]
fn same(policy: &CachePolicy, one: &Asked, other: &Asked) {
    assert_eq!(one.key(policy), other.key(policy), "{one:?} and {other:?}");
}

#[track_caller]
fn different(policy: &CachePolicy, one: &Asked, other: &Asked) {
    assert_ne!(one.key(policy), other.key(policy), "{one:?} and {other:?}");
}

#[test]
fn scheme_host_version_and_head_make_no_difference() {
    let one = get("/a", &[]);
    same(&nothing(), &one, &Asked { scheme: Scheme::Http, ..one.clone() });
    same(&nothing(), &one, &Asked { host: "b.example".to_owned(), ..one.clone() });
    same(&nothing(), &one, &Asked { version: Version::HTTP_2, ..one.clone() });
    same(&nothing(), &one, &Asked { method: Method::HEAD, ..one.clone() });
    same(&nothing(), &one, &get("/a?x=1", &["cookie: a=1", "accept: b", "accept-encoding: gzip"]));
}

#[test]
fn the_raw_path_does_and_options_is_kept_apart() {
    let one = get("/a", &[]);
    for path in ["/A", "//a", "/./a", "/%61", "/a/"] {
        different(&nothing(), &one, &get(path, &[]));
    }
    different(&nothing(), &one, &Asked { method: Method::OPTIONS, ..one.clone() });
}

#[test]
fn two_distributions_or_epochs_never_share() {
    let mut keys = [Vec::new(), Vec::new(), Vec::new()];
    let headers = HeaderMap::new();
    let asked = get("/a", &[]);
    for (key, (id, cache_epoch)) in keys.iter_mut().zip([("E1", 0), ("E2", 0), ("E1", 1)]) {
        let distribution =
            Distribution { id: id.to_owned(), cache_epoch, ..fixture::distribution() };
        let view = RequestView {
            method: &asked.method,
            scheme: asked.scheme,
            version: asked.version,
            host: &asked.host,
            path: &asked.path,
            query: None,
            headers: &headers,
            place: None,
        };
        write_cache_key(key, &distribution, &fixture::behavior("*"), &view);
    }
    assert_ne!(keys[0], keys[1]);
    assert_ne!(keys[0], keys[2]);
}

#[test]
fn the_query_counts_as_the_policy_says() {
    let all = CachePolicy { query_strings: Selection::All, ..nothing() };
    different(&all, &get("/a?x=1&y=2", &[]), &get("/a?y=2&x=1", &[]));
    different(&all, &get("/a?x=1", &[]), &get("/a?X=1", &[]));
    different(&all, &get("/a?x=1", &[]), &get("/a", &[]));
    same(&all, &get("/a?", &[]), &get("/a", &[]));
    let only = CachePolicy { query_strings: Selection::Only(names(&["x"])), ..nothing() };
    same(&only, &get("/a?x=1&y=2", &[]), &get("/a?y=3&x=1", &[]));
    different(&only, &get("/a?x=1&y=2", &[]), &get("/a?x=2&y=2", &[]));
    different(&only, &get("/a?x=1&x=2", &[]), &get("/a?x=2&x=1", &[]));
    let except = CachePolicy { query_strings: Selection::AllExcept(names(&["x"])), ..nothing() };
    same(&except, &get("/a?x=1&y=2", &[]), &get("/a?y=2&x=2", &[]));
    different(&except, &get("/a?y=2", &[]), &get("/a?y=3", &[]));
}

#[test]
fn headers_count_when_they_are_listed() {
    let listed = vec![header::ACCEPT, header::HOST];
    let policy = CachePolicy { headers: listed, ..nothing() };
    let one = get("/a", &["accept: x"]);
    same(&policy, &one, &get("/a", &["ACCEPT: x", "referer: y"]));
    different(&policy, &one, &get("/a", &["accept: X"]));
    different(&policy, &one, &get("/a", &[]));
    different(&policy, &one, &get("/a", &["accept: x", "accept: x"]));
    different(&policy, &get("/a", &["accept:"]), &get("/a", &[]));
    different(&policy, &one, &Asked { host: "b.example".to_owned(), ..one.clone() });
    // The host that counts is the checked one, not a field beside an absolute URL.
    same(&policy, &one, &get("/a", &["accept: x", "host: evil.example"]));
}

#[test]
fn a_header_that_connection_takes_away_does_not_count() {
    let policy =
        CachePolicy { headers: vec![header::ACCEPT], cookies: Selection::All, ..nothing() };
    let bare = get("/a", &[]);
    same(&policy, &bare, &get("/a", &["accept: x", "connection: close, Accept"]));
    same(&policy, &bare, &get("/a", &["cookie: a=1", "connection: cookie"]));
    let gzip = CachePolicy { gzip: true, ..nothing() };
    same(&gzip, &bare, &get("/a", &["accept-encoding: gzip", "connection: accept-encoding"]));
}

#[test]
fn generated_headers_count_with_our_value() {
    let policy = CachePolicy {
        headers: vec![
            HeaderName::from_static("cloudfront-is-mobile-viewer"),
            HeaderName::from_static("cloudfront-forwarded-proto"),
            HeaderName::from_static("cloudfront-viewer-country"),
        ],
        ..nothing()
    };
    let one = get("/a", &["user-agent: curl"]);
    same(&policy, &one, &get("/a", &["user-agent: wget"]));
    different(&policy, &one, &get("/a", &["user-agent: iPhone"]));
    different(&policy, &one, &Asked { scheme: Scheme::Http, ..one.clone() });
    let lies =
        ["user-agent: curl", "cloudfront-is-mobile-viewer: true", "cloudfront-viewer-country: DE"];
    same(&policy, &one, &get("/a", &lies));
}

#[test]
fn what_belongs_to_one_part_never_passes_for_another() {
    let listed = vec![
        HeaderName::from_static("x"),
        HeaderName::from_static("xy"),
        HeaderName::from_static("xa"),
    ];
    let policy = CachePolicy {
        headers: listed,
        cookies: Selection::All,
        query_strings: Selection::All,
        gzip: true,
        ..nothing()
    };
    different(&policy, &get("/a", &["x: y1"]), &get("/a", &["xy: 1"]));
    different(&policy, &get("/a", &["cookie: a=b1"]), &get("/a", &["cookie: ab=1"]));
    different(&policy, &get("/a", &["cookie: a=1; b=2"]), &get("/a", &["cookie: a=1b=2"]));
    // `a` and `` ` `` are also the numbers 97 and 96, so a value could pose as name and length.
    let tail = "t".repeat(96);
    let long = get("/a", &[&format!("cookie: n=`{tail}")]);
    different(&policy, &long, &get("/a", &[&format!("cookie: na={tail}")]));
    let long = get("/a", &[&format!("x: `{tail}")]);
    different(&policy, &long, &get("/a", &[&format!("xa: {tail}")]));
    different(&policy, &get("/a?gzip", &[]), &get("/a", &["accept-encoding: gzip"]));
    different(&policy, &get("/a", &["x: 1", "x: 2"]), &get("/a", &["x: 12"]));
    different(&policy, &get("/a", &["x: 1"]), &get("/a", &["cookie: x=1"]));
}

#[test]
fn cookies_count_in_any_order() {
    let policy = CachePolicy { cookies: Selection::Only(names(&["a", "b"])), ..nothing() };
    let one = get("/a", &["cookie: a=1; b=2; c=3"]);
    same(&policy, &one, &get("/a", &["cookie: c=4; b=2", "cookie: a=1"]));
    different(&policy, &one, &get("/a", &["cookie: a=1; b=3"]));
    different(&policy, &one, &get("/a", &["cookie: a=1"]));
    different(&policy, &one, &get("/a", &["cookie: A=1; b=2"]));
    different(&policy, &get("/a", &["cookie: a=1; a=2"]), &get("/a", &["cookie: a=2; a=1"]));
}

#[test]
fn accept_encoding_counts_normalized() {
    let policy = CachePolicy {
        gzip: true,
        brotli: true,
        headers: vec![header::ACCEPT_ENCODING],
        ..nothing()
    };
    let both = get("/a", &["accept-encoding: gzip, br"]);
    same(&policy, &both, &get("/a", &["accept-encoding: br;q=0.9, deflate, gzip"]));
    different(&policy, &both, &get("/a", &["accept-encoding: gzip"]));
    same(&policy, &get("/a", &["accept-encoding: deflate"]), &get("/a", &[]));
    let listed = CachePolicy { gzip: false, brotli: false, ..policy };
    different(&listed, &both, &get("/a", &["accept-encoding: br, gzip"]));
}

#[test]
fn get_head_and_cached_options_may_be_stored() {
    let plain = fixture::behavior("*");
    let caching = Behavior { caches_options: true, ..plain.clone() };
    for (method, in_plain, in_caching) in [
        (Method::GET, true, true),
        (Method::HEAD, true, true),
        (Method::OPTIONS, false, true),
        (Method::POST, false, false),
        (Method::TRACE, false, false),
    ] {
        assert_eq!(is_cacheable_method(&plain, &method), in_plain, "{method}");
        assert_eq!(is_cacheable_method(&caching, &method), in_caching, "{method}");
    }
}

#[test]
fn either_policy_may_forward_cookies() {
    let plain = fixture::behavior("*");
    assert!(!forwards_cookies(&plain));
    let mut keyed = plain.clone();
    keyed.cache_policy.cookies = Selection::Only(names(&["a"]));
    assert!(forwards_cookies(&keyed));
    let mut forwarded = plain.clone();
    forwarded.origin_request_policy.cookies = Selection::All;
    assert!(forwards_cookies(&forwarded));
    let mut empty = plain;
    empty.cache_policy.cookies = Selection::Only(Vec::new());
    assert!(!forwards_cookies(&empty));
}

#[test]
fn a_plain_request_needs_no_room_beyond_the_key() {
    let asked = get("/a/long/enough/path?x=1&y=2", &["accept: x", "accept-encoding: gzip, br"]);
    let policy = CachePolicy {
        query_strings: Selection::Only(names(&["x"])),
        headers: vec![header::ACCEPT],
        gzip: true,
        ..nothing()
    };
    assert!(asked.key(&policy).len() < 80, "a key is little more than its parts");
}

fn a_selection() -> impl Strategy<Value = Selection> {
    let list = || prop::collection::vec("[ab]", 0..2);
    prop_oneof![
        Just(Selection::None),
        Just(Selection::All),
        list().prop_map(Selection::Only),
        list().prop_map(Selection::AllExcept),
    ]
}

fn a_policy() -> impl Strategy<Value = CachePolicy> {
    let names = prop::collection::vec(select(vec!["x", "y", "accept"]), 0..3);
    (a_selection(), a_selection(), names, any::<bool>(), any::<bool>()).prop_map(
        |(query_strings, cookies, mut names, gzip, brotli)| {
            names.sort_unstable();
            names.dedup();
            let headers = names.into_iter().map(HeaderName::from_static).collect();
            CachePolicy { query_strings, cookies, headers, gzip, brotli, ..nothing() }
        },
    )
}

fn a_request() -> impl Strategy<Value = Asked> {
    let field = || {
        let name = select(vec!["x", "y", "accept", "cookie", "accept-encoding"]);
        (name, "[ab]=[12]|[ab]=1; [ab]=2|gzip|br|gzip,br|x1x|")
            .prop_map(|(n, v)| format!("{n}: {v}"))
    };
    let fields = prop::collection::vec(field(), 0..3);
    ("/[ab]?", prop::option::of("([ab]=[12]&?){0,3}"), fields, any::<bool>()).prop_map(
        |(path, query, fields, options)| {
            let lines: Vec<_> = fields.iter().map(String::as_str).collect();
            let method = if options { Method::OPTIONS } else { Method::GET };
            Asked { query, method, ..get(&path, &lines) }
        },
    )
}

#[test]
fn the_parts_of_a_key_have_names() {
    let policy = CachePolicy {
        headers: vec![header::ACCEPT, header::HOST],
        cookies: Selection::Only(names(&["sid"])),
        query_strings: Selection::Only(names(&["a"])),
        gzip: true,
        ..nothing()
    };
    let fields = ["accept: text/html", "cookie: x=1; sid=7", "accept-encoding: br, gzip"];
    let asked = Asked { method: Method::OPTIONS, ..get("/p?b=1&a=2&a", &fields) };
    let parts = asked.parts(&policy);
    let found: Vec<_> =
        parts.iter().map(|part| (part.kind, part.name.as_str(), part.value.as_str())).collect();
    let expected = [
        (KeyKind::Distribution, "", "E0123456789ABC"),
        (KeyKind::Path, "", "/p"),
        (KeyKind::Options, "", "OPTIONS"),
        (KeyKind::QueryParameter, "a", "a=2"),
        (KeyKind::QueryParameter, "a", "a"),
        (KeyKind::AcceptEncoding, "", "gzip"),
        (KeyKind::Header, "accept", "text/html"),
        (KeyKind::Header, "host", "a.example"),
        (KeyKind::Cookie, "sid", "7"),
    ];
    assert_eq!(found, expected);
}

/// All that may count, told apart by the types.
type Inputs =
    (String, bool, Vec<String>, Vec<(String, Vec<String>)>, Vec<(String, String)>, String);

fn means(selection: &Selection, name: &str) -> bool {
    match selection {
        Selection::None => false,
        Selection::All => true,
        Selection::Only(names) | Selection::Matching(names) => names.iter().any(|n| n == name),
        Selection::AllExcept(names) => names.iter().all(|n| n != name),
    }
}

fn inputs(policy: &CachePolicy, asked: &Asked) -> Inputs {
    let texts = |name: &str| -> Vec<String> {
        asked.headers.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect()
    };
    let query = asked.query.clone().unwrap_or_default();
    let query = match &policy.query_strings {
        Selection::All => vec![query],
        chosen => query
            .split('&')
            .filter(|p| !p.is_empty() && means(chosen, p.split('=').next().unwrap()))
            .map(str::to_owned)
            .collect(),
    };
    let query = if query == [""] { Vec::new() } else { query };
    let listed = policy.headers.iter().map(|name| (name.to_string(), texts(name.as_str())));
    let headers = listed.filter(|(_, values)| !values.is_empty()).collect();
    let mut cookies = Vec::new();
    for pair in texts("cookie").iter().flat_map(|field| field.split(';')) {
        if let Some((name, value)) = pair.trim().split_once('=')
            && means(&policy.cookies, name)
        {
            cookies.push((name.to_owned(), value.to_owned()));
        }
    }
    cookies.sort_by(|one, other| one.0.cmp(&other.0));
    let accepted = texts("accept-encoding").join(",");
    let accepted: Vec<_> = accepted
        .split(',')
        .filter(|&coding| (coding == "gzip" && policy.gzip) || (coding == "br" && policy.brotli))
        .collect();
    let has = |coding| accepted.contains(&coding);
    let accepted = format!("{} {}", has("br"), has("gzip"));
    (asked.path.clone(), asked.method == Method::OPTIONS, query, headers, cookies, accepted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn keys_are_equal_exactly_when_all_that_counts_is(
        policy in a_policy(), one in a_request(), other in a_request(),
    ) {
        let expected = inputs(&policy, &one) == inputs(&policy, &other);
        prop_assert_eq!(one.key(&policy) == other.key(&policy), expected);
        prop_assert_eq!(one.parts(&policy) == other.parts(&policy), expected);
    }

    #[test]
    fn a_key_tells_its_address_whatever_else_it_has(
        policy in a_policy(), asked in a_request(), cut in any::<proptest::sample::Index>(),
    ) {
        let key = asked.key(&policy);
        let mut query = Vec::new();
        let behavior = Behavior { cache_policy: policy, ..fixture::behavior("*") };
        write_query(&mut query, &behavior, asked.query.as_deref().unwrap_or_default());
        let address = KeyAddress::read(&key).expect("it is a key");
        prop_assert_eq!(address.distribution, &fixture::distribution().id);
        prop_assert_eq!(address.path, asked.path.as_str());
        let mut keyed = Vec::new();
        part(&mut keyed, address.query.as_bytes());
        prop_assert_eq!(keyed, query);
        // What a damaged disk gives back is refused or read, and never a reason to stop.
        let _ = KeyAddress::read(&key[..cut.index(key.len())]);
    }

    #[test]
    fn no_bytes_are_a_reason_to_stop(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = KeyAddress::read(&bytes);
    }
}
