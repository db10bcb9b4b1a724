//! What the origin is asked: target and header fields of the origin request (CloudFront guide:
//! request and response behavior; control origin requests with a policy).
//!
//! Framing is the client's work: no Content-Length and no Transfer-Encoding come from here. Nor are
//! connections upgraded: Upgrade never travels.

use std::net::SocketAddr;

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::generated::Generated;
use super::{Selection, is_cacheable_method, managed};
use crate::http::{cookie, encoding, hop_by_hop, query};
use crate::origin::OriginKind;
use crate::request_view::RequestView;
use crate::{Behavior, Distribution, Origin};

/// What the edge itself knows about a request.
#[derive(Debug, Clone, Copy)]
pub struct EdgeFacts<'a> {
    /// The viewer's address and port.
    pub viewer: SocketAddr,
    /// The value of X-Amz-Cf-Id.
    pub request_id: &'a str,
    /// `1.1 <32 hex>.cloudfront.net (CloudFront)`, with the version that the viewer spoke.
    pub via: &'a HeaderValue,
}

/// An origin request without its method and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Path and query as the origin gets them, `OriginPath` included.
    pub target: String,
    /// All header fields, Host included; no Content-Length and no Transfer-Encoding.
    pub headers: HeaderMap,
}

/// The request for `origin` that `behavior` makes of the viewer's.
pub fn origin_request(
    _distribution: &Distribution,
    behavior: &Behavior,
    origin: &Origin,
    request: &RequestView<'_>,
    edge: &EdgeFacts<'_>,
) -> Forwarded {
    let rules = Rules { behavior, origin, request };
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 8);
    headers.insert(header::HOST, rules.host());
    for (name, value) in request.headers {
        if rules.forwards(name) {
            headers.append(name, value.clone());
        }
    }
    if let Some(accepted) =
        encoding::normalized(&behavior.cache_policy, request.version, request.headers)
        && let Some(value) = accepted.for_origin()
    {
        headers.insert(header::ACCEPT_ENCODING, value);
    }
    if let Some(cookies) = cookie::field(&rules.cookies()) {
        headers.insert(header::COOKIE, cookies);
    }
    if !rules.names(&header::USER_AGENT) {
        headers.insert(header::USER_AGENT, AMAZON_CLOUDFRONT);
    }
    rules.generate(&mut headers, edge.viewer);
    let address = HeaderValue::try_from(edge.viewer.ip().to_canonical().to_string())
        .expect("an IP address is ASCII");
    headers.insert(X_FORWARDED_FOR, appended(request.headers, &X_FORWARDED_FOR, &address));
    headers.insert(header::VIA, appended(request.headers, &header::VIA, edge.via));
    if let Ok(id) = HeaderValue::from_str(edge.request_id) {
        headers.insert(X_AMZ_CF_ID, id);
    }
    for (name, _) in &origin.custom_headers {
        headers.remove(name);
    }
    for (name, value) in &origin.custom_headers {
        headers.append(name, value.clone());
    }
    Forwarded { target: rules.target(), headers }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");
const AMAZON_CLOUDFRONT: HeaderValue = HeaderValue::from_static("Amazon CloudFront");

struct Rules<'a> {
    behavior: &'a Behavior,
    origin: &'a Origin,
    request: &'a RequestView<'a>,
}

impl<'a> Rules<'a> {
    /// Whether one of the two policies names this viewer header.
    fn names(&self, name: &HeaderName) -> bool {
        self.behavior.cache_policy.headers.contains(name)
            || self.behavior.origin_request_policy.headers.contains(name)
    }

    /// Whether one of the two policies asks for this header by its name.
    fn lists(&self, name: &HeaderName) -> bool {
        self.behavior.cache_policy.headers.contains(name)
            || self.behavior.origin_request_policy.headers.listed().contains(name)
    }

    /// Whether a viewer's field travels on as it is.
    fn forwards(&self, name: &HeaderName) -> bool {
        if is_never_forwarded(name)
            || is_made_anew(name)
            || hop_by_hop::is_hop_by_hop(self.request.headers, name)
        {
            return false;
        }
        match *name {
            header::ACCEPT_ENCODING if encoding::is_normalized(&self.behavior.cache_policy) => {
                false
            }
            header::AUTHORIZATION => self.names(name) || self.keeps_authorization(),
            _ if Generated::named(name).is_some() && self.lists(name) => false,
            _ if self.names(name) => true,
            // CloudFront guide: only legacy settings forward what they do not know.
            _ if self.behavior.cache_policy.legacy => !LEGACY_NEEDS_LISTING.contains(name),
            header::CONTENT_TYPE | header::CONTENT_ENCODING => self.may_have_body(),
            _ => ALWAYS_FORWARDED.contains(name),
        }
    }

    /// Authorization without a policy: for methods whose answer is never stored.
    fn keeps_authorization(&self) -> bool {
        !is_cacheable_method(self.behavior, self.request.method)
    }

    /// Fields about a body travel with one, but not where they could reach the cache unkeyed.
    fn may_have_body(&self) -> bool {
        !is_cacheable_method(self.behavior, self.request.method)
    }

    fn host(&self) -> HeaderValue {
        let is_s3 = self.origin.kind == OriginKind::S3;
        if !is_s3
            && self.names(&header::HOST)
            && !self.request.host.is_empty()
            && let Ok(host) = HeaderValue::from_str(self.request.host)
        {
            return host;
        }
        HeaderValue::from_str(&self.origin.domain_name)
            .expect("a compiled origin has a DNS name as its domain name")
    }

    fn cookies(&self) -> Vec<cookie::Cookie<'a>> {
        let cache = &self.behavior.cache_policy.cookies;
        let other = &self.behavior.origin_request_policy.cookies;
        if (cache.is_empty() && other.is_empty())
            || hop_by_hop::is_listed(self.request.headers, &header::COOKIE)
        {
            return Vec::new();
        }
        cookie::sorted(self.request.headers, |name| cache.forwards_with(other, name))
    }

    fn generate(&self, headers: &mut HeaderMap, viewer: SocketAddr) {
        let policies = [
            self.behavior.cache_policy.headers.as_slice(),
            self.behavior.origin_request_policy.headers.listed(),
        ];
        for name in policies.into_iter().flatten() {
            let generated = Generated::named(name);
            if let Some(value) = generated.and_then(|made| made.value(self.request, Some(viewer))) {
                headers.insert(name, value);
            }
        }
    }

    fn target(&self) -> String {
        let RequestView { path, query, .. } = *self.request;
        let text = query.unwrap_or_default();
        let mut target =
            String::with_capacity(self.origin.path.len() + path.len() + text.len() + 1);
        target.push_str(&self.origin.path);
        target.push_str(path);
        self.push_query(&mut target, text);
        target
    }

    fn push_query(&self, target: &mut String, text: &str) {
        let cache = &self.behavior.cache_policy.query_strings;
        let other = &self.behavior.origin_request_policy.query_strings;
        let without_response = self.withholds_response_parameters();
        let all = |selection: &Selection| *selection == Selection::All;
        if text.is_empty() {
            return;
        }
        if all(cache) || (all(other) && !without_response) {
            target.push('?');
            target.push_str(text);
            return;
        }
        let mut separator = '?';
        for parameter in query::parameters(text) {
            let name = query::name(parameter);
            let is_withheld = without_response && managed::RESPONSE_PARAMETERS.contains(&name);
            let is_forwarded =
                if is_withheld { cache.contains(name) } else { cache.forwards_with(other, name) };
            if is_forwarded {
                target.push(separator);
                target.push_str(parameter);
                separator = '&';
            }
        }
    }

    /// CloudFront guide: four managed policies do not let viewers choose what S3 says of an object.
    fn withholds_response_parameters(&self) -> bool {
        self.origin.kind == OriginKind::S3
            && managed::withholds_response_parameters(&self.behavior.origin_request_policy.name)
    }
}

/// What a viewer sent under this name, and `own` behind it (observed separator: `, `).
fn appended(viewer: &HeaderMap, name: &HeaderName, own: &HeaderValue) -> HeaderValue {
    if hop_by_hop::is_listed(viewer, name) || !viewer.contains_key(name) {
        return own.clone();
    }
    let mut list = Vec::new();
    for value in viewer.get_all(name).iter().filter(|value| !value.is_empty()) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(own.as_bytes());
    HeaderValue::from_bytes(&list).expect("header values and commas form a header value")
}

/// Fields that no policy can let through.
fn is_never_forwarded(name: &HeaderName) -> bool {
    match *name {
        header::CONTENT_LENGTH | header::EXPECT | header::TRAILER => true,
        _ => {
            let name = name.as_str();
            matches!(name, "x-real-ip" | "x-forwarded-proto")
                || name.starts_with("x-edge-")
                || name.starts_with("x-amz-cf-")
        }
    }
}

/// Fields that are built from what the viewer sent.
fn is_made_anew(name: &HeaderName) -> bool {
    matches!(*name, header::HOST | header::COOKIE | header::VIA) || *name == X_FORWARDED_FOR
}

/// Policy mode, without any policy naming them: what asks for a part of the object, or for it under
/// a condition. (The guide's table is written for legacy settings; with policies it promises path,
/// body and the automatic headers only.)
const ALWAYS_FORWARDED: [HeaderName; 6] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
];

/// Legacy settings: removed unless listed (CloudFront guide: request headers table).
const LEGACY_NEEDS_LISTING: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_LANGUAGE,
    header::REFERER,
    header::USER_AGENT,
    header::ACCEPT_ENCODING,
    HeaderName::from_static("x-http-method-override"),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::http::{Method, Version};
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;
    use crate::origin::Scheme;
    use crate::policy::{CachePolicy, HeaderSelection, OriginRequestPolicy};

    /// One question: what reaches this origin of that request?
    #[derive(Debug, Clone)]
    struct Case {
        behavior: Behavior,
        origin: Origin,
        method: Method,
        version: Version,
        url: &'static str,
        fields: Vec<&'static str>,
    }

    fn case() -> Case {
        Case {
            behavior: fixture::behavior("*"),
            origin: fixture::origin(),
            method: Method::GET,
            version: Version::HTTP_11,
            url: "/a",
            fields: Vec::new(),
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
            };
            let edge = EdgeFacts {
                viewer: "192.0.2.7:4711".parse().unwrap(),
                request_id: "id==",
                via: &HeaderValue::from_static("1.1 ours"),
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
        let all =
            Case::get("/a", &fields).also(|policy| policy.headers = HeaderSelection::AllViewer);
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
        let only =
            |names: &[&str]| Selection::Only(names.iter().map(|n| (*n).to_owned()).collect());
        Case::get("/a", &fields)
            .cache(|policy| policy.cookies = only(&["b"]))
            .sends(&["cookie: b=2"]);
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
    fn custom_headers_win() {
        let mut case = Case::get("/a", &["x-key: viewer", "x-key: viewer2"])
            .managed("AllViewerExceptHostHeader");
        case.origin.custom_headers = vec![
            (HeaderName::from_static("x-key"), HeaderValue::from_static("origin")),
            (header::USER_AGENT, HeaderValue::from_static("mine")),
        ];
        case.sends(&["x-key: origin", "user-agent: mine"]);
    }

    #[test]
    fn generated_headers_go_when_asked_for_and_forged_ones_do_not() {
        let names = [
            "cloudfront-forwarded-proto",
            "cloudfront-viewer-country",
            "cloudfront-viewer-address",
        ];
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
    fn the_target_is_origin_path_raw_path_and_the_chosen_query() {
        let mut case = Case::get("//x/../a%2f?b=2&a=1&&c", &[]);
        case.asks("//x/../a%2f");
        case.origin.path = "/prod".to_owned();
        case.asks("/prod//x/../a%2f");
        let only =
            |names: &[&str]| Selection::Only(names.iter().map(|n| (*n).to_owned()).collect());
        let keyed = case.clone().cache(|policy| policy.query_strings = only(&["a"]));
        keyed.asks("/prod//x/../a%2f?a=1");
        keyed
            .clone()
            .also(|policy| policy.query_strings = only(&["c"]))
            .asks("/prod//x/../a%2f?a=1&c");
        keyed
            .also(|policy| policy.query_strings = Selection::All)
            .asks("/prod//x/../a%2f?b=2&a=1&&c");
        case.cache(|policy| policy.query_strings = Selection::All)
            .asks("/prod//x/../a%2f?b=2&a=1&&c");
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
            let edge = EdgeFacts { viewer: "[::1]:1".parse().unwrap(), request_id: "\n", via: &HeaderValue::from_static("v") };
            let view = RequestView {
                method: &Method::GET, scheme: Scheme::Http, version: Version::HTTP_11, host: "h", path: "/", query: Some(&query), headers: &headers,
            };
            let made = origin_request(&fixture::distribution(), &behavior, &fixture::origin(), &view, &edge);
            prop_assert!(!made.headers.contains_key(header::TRANSFER_ENCODING));
            prop_assert!(!made.headers.contains_key(header::CONTENT_LENGTH));
            prop_assert!(!made.headers.contains_key(header::CONNECTION));
            prop_assert_eq!(made.headers.get_all(header::HOST).iter().count(), 1);
        }
    }
}
