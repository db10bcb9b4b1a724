use std::sync::Arc;

use super::*;
use crate::Origin;
use crate::access::geo::{Country, GeoRestriction};
use crate::access::place::Place;
use crate::access::signed::TrustedKeys;
use crate::behavior::ViewerProtocolPolicy;
use crate::caching::CacheRules;
use crate::distribution::{ErrorPage, ErrorResponse};
use crate::fixture;
use crate::origin::Failover;
use crate::policy::{HeaderSelection, Selection, TtlBounds};

fn stack(change: impl FnOnce(&mut Distribution)) -> Stack {
    let mut distribution = fixture::distribution();
    change(&mut distribution);
    Stack { distributions: vec![Arc::new(distribution)], ..Stack::default() }
}

fn asked(method: &str, target: &str, fields: &[&str]) -> Asked {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    Asked {
        method: method.parse().unwrap(),
        scheme: Scheme::Https,
        version: Version::HTTP_11,
        host: "www.example.com".to_owned(),
        path: path.to_owned(),
        query,
        headers: fixture::headers(fields),
        has_body: false,
        viewer: "203.0.113.7:40000".parse().unwrap(),
        place: None,
        places_can_be_known: true,
        answer: None,
    }
}

fn told(stack: &Stack, asked: &Asked) -> Explanation {
    explain(stack, asked, None, SystemTime::UNIX_EPOCH)
}

/// All lines, each as `topic: text`.
fn lines(told: &Explanation) -> Vec<String> {
    told.steps.iter().map(|step| format!("{}: {}", step.topic.as_str(), step.text)).collect()
}

#[track_caller]
fn says(told: &Explanation, line: &str) {
    assert!(lines(told).iter().any(|said| said == line), "{line:?} in\n{}", lines(told).join("\n"));
}

fn behaviors(patterns: &[&str]) -> impl FnOnce(&mut Distribution) {
    let behaviors = patterns.iter().map(|pattern| Arc::new(fixture::behavior(pattern))).collect();
    |distribution| distribution.behaviors = behaviors
}

#[test]
fn the_behavior_is_told_with_those_that_lost() {
    let stack = stack(behaviors(&["/img/*", "/api/*", "*.jpg", "/api/v1/*", "*"]));
    let found = told(&stack, &asked("GET", "/x/..//api/v1/a", &[]));
    assert_eq!(found.behavior, Some(1));
    says(&found, "path: matched as /api/v1/a; key and origin see /x/..//api/v1/a");
    says(&found, "passed-over: /img/* does not match /api/v1/a");
    says(&found, "behavior: /api/*, the first that matches");
    says(&found, "passed-over: /api/v1/* would match, too, and comes later");
    assert_eq!(found.about(Topic::PassedOver).count(), 2, "*.jpg does not match, and comes later");
    let found = told(&stack, &asked("GET", "/", &[]));
    says(&found, "behavior: the default behavior, which takes what no pattern does");
}

#[test]
fn each_decision_points_at_what_it_rests_on() {
    let stack = stack(|distribution| {
        distribution.default_root_object = Some("index.html".to_owned());
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.cache_policy.query_strings = Selection::All;
        behavior.cache_policy.headers = vec![::http::header::ACCEPT];
    });
    let found = told(&stack, &asked("GET", "/?a=1", &["accept: b"]));
    let policy = |property: &str| {
        Pointer::Policy(PolicyKind::Cache, "nothing".to_owned(), property.to_owned())
    };
    let key = "ParametersInCacheKeyAndForwardedToOrigin";
    for (text, pointer) in [
        ("/ becomes /index.html", Pointer::Distribution("DefaultRootObject")),
        ("query string a=1", policy(&format!("{key}.QueryStringsConfig"))),
        ("header accept: b", policy(&format!("{key}.HeadersConfig.Headers.accept"))),
        (
            "200 without Cache-Control and Expires: DefaultTTL=60: fresh for 60 s, then stale for 3600 s while the origin fails",
            policy("DefaultTTL"),
        ),
    ] {
        let step = found.steps.iter().find(|step| step.text == text);
        let step = step.unwrap_or_else(|| panic!("{text} in\n{}", lines(&found).join("\n")));
        assert_eq!(step.at.as_ref(), Some(&pointer), "{text}");
    }
}

#[test]
fn what_ends_at_the_edge_is_not_followed_further() {
    let stack = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.viewer_protocol_policy = ViewerProtocolPolicy::RedirectToHttps;
    });
    let http = Asked { scheme: Scheme::Http, ..asked("GET", "/", &[]) };
    let found = told(&stack, &http);
    says(&found, "admission: 301 to the same URL with https (redirect-to-https)");
    let found_post = told(&stack, &asked("POST", "/", &[]));
    assert!(lines(&found_post).iter().any(|line| line.starts_with("admission: 403: ")));
    for found in [found, found_post] {
        assert_eq!(found.about(Topic::Key).count() + found.about(Topic::Origin).count(), 0);
    }
}

#[test]
fn an_unknown_host_is_told_with_the_known_ones() {
    let mut two = stack(|_| {});
    let other = Distribution {
        logical_id: "Other".to_owned(),
        domain_name: "d1.cloudfront.net".to_owned(),
        aliases: vec!["*.example.org".to_owned()],
        ..fixture::distribution()
    };
    two.distributions.push(Arc::new(other));
    let found = told(&two, &asked("GET", "/", &[]));
    assert!(found.distribution.is_empty() && found.steps.len() == 1);
    let text = &found.steps[0].text;
    assert!(text.contains("403") && text.contains("d1.cloudfront.net"), "{text}");
    let named = Asked { host: "a.example.org:8443".to_owned(), ..asked("GET", "/", &[]) };
    let found = told(&two, &named);
    says(
        &found,
        "distribution: Other (E0123456789ABC): its alias *.example.org, the longest that matches a.example.org",
    );
}

#[test]
fn what_the_key_leaves_out_is_told() {
    let stack = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.cache_policy.query_strings = Selection::Only(vec!["a".to_owned()]);
    });
    let found = told(&stack, &asked("GET", "/?utm=1&a=2", &["cookie: sid=1; b=2"]));
    says(&found, "key: query parameter a=2");
    says(&found, "key: not in it: the query parameters utm");
    says(&found, "key: not in it: the cookies b, sid");
    says(&found, "origin-request: GET /?a=2");
    says(&found, "origin-request: host: origin.example.com");
    says(&found, "origin-request: user-agent: Amazon CloudFront");
    says(&found, "origin-request: does not get there: cookie");
}

#[test]
fn lifetimes_are_told_for_the_usual_answers_or_for_the_one_given() {
    let stack = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.cache_policy.ttl = TtlBounds::new(5, 60, 600).unwrap();
        behavior.origin_request_policy.headers = HeaderSelection::AllViewer;
    });
    let found = told(&stack, &asked("GET", "/", &[]));
    says(
        &found,
        "ttl: 200 cache-control: max-age=3600: max-age=3600, lowered to MaxTTL=600: fresh for 600 s, then stale for 600 s while the origin fails",
    );
    says(
        &found,
        "ttl: 200 cache-control: no-cache: MinTTL=5 although the origin says no-cache: fresh for 5 s, then stale for 600 s while the origin fails",
    );
    says(
        &found,
        "ttl: 307 without Cache-Control and Expires: not stored, status 307 is stored only with Cache-Control",
    );
    let answer = (StatusCode::OK, fixture::headers(&["cache-control: max-age=30", "age: 10"]));
    let given = Asked { answer: Some(answer.clone()), ..asked("GET", "/", &[]) };
    let found = told(&stack, &given);
    assert_eq!(
        found.about(Topic::Ttl).collect::<Vec<_>>(),
        [
            "200 cache-control: max-age=30; age: 10: max-age=30: fresh for 20 s (10 s old when it came), then stale for 600 s while the origin fails"
        ]
    );
    // Credentials reach the origin and are not in the key.
    let personal = Asked { headers: fixture::headers(&["authorization: x"]), ..given };
    let said = told(&stack, &personal);
    let ttl = said.about(Topic::Ttl).next().unwrap();
    assert!(ttl.contains("not stored, the request carried Authorization"), "{ttl}");
}

#[test]
fn failover_and_error_pages_are_told() {
    let stack = stack(|distribution| {
        let second = Origin { id: "second".to_owned(), ..fixture::origin() };
        distribution.origins.push(Arc::new(second));
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.failover =
            Some(Failover { group: "both".to_owned(), origin: 1, statuses: vec![500, 503] });
        distribution.error_responses.push(ErrorResponse {
            status: 404,
            caching_min_ttl: std::time::Duration::from_secs(10),
            page: Some(ErrorPage { path: "/404.html".to_owned(), status: 200 }),
        });
    });
    let found = told(&stack, &asked("GET", "/", &[]));
    says(&found, "failure: 3 attempts of 10 s to connect; 30 s without a byte");
    says(
        &found,
        "failure: GET, HEAD and cached OPTIONS go on to second after 500, 503 (group both)",
    );
    says(&found, "failure: 404 becomes 200 with /404.html");
    // Both live for ten seconds; only for one of them the source says so.
    for (status, at) in
        [("404 ", Some(Pointer::Distribution("CustomErrorResponses"))), ("500 ", None)]
    {
        let is_lifetime = |step: &&Step| step.topic == Topic::Ttl && step.text.starts_with(status);
        let step = found.steps.iter().find(is_lifetime).unwrap();
        assert_eq!(step.at, at, "{}", step.text);
    }
}

#[test]
fn what_the_response_headers_policy_does_is_told_line_by_line() {
    let stack = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        let mut policy =
            crate::policy::managed::response_headers_policy("CORS-and-SecurityHeadersPolicy")
                .unwrap();
        policy.remove = vec![::http::header::SERVER, ::http::header::PRAGMA];
        policy.server_timing = Some(crate::policy::response_headers::ServerTiming { rate: 5_000 });
        behavior.response_headers_policy = Some(Arc::new(policy));
    });
    let said = |asked: &Asked| {
        let found = told(&stack, asked);
        found.about(Topic::ResponseHeaders).map(str::to_owned).collect::<Vec<_>>()
    };
    let timing = "server-timing is added to 0.5 % of responses, and to each that is asked for with Pragma: server-timing";
    let mut request = asked("GET", "/", &[]);
    assert_eq!(
        said(&request),
        [
            "no CORS headers, because the request has no Origin",
            "referrer-policy: strict-origin-when-cross-origin is added",
            "strict-transport-security: max-age=31536000 is added",
            "x-content-type-options: nosniff is added",
            "x-frame-options: SAMEORIGIN is added",
            "x-xss-protection: 1; mode=block is added",
            "server: CloudFront is added",
            timing,
        ]
    );
    request.headers = fixture::headers(&["origin: https://a.example"]);
    let answer = [
        "pragma: a",
        "server: nginx",
        "x-content-type-options: sniff",
        "x-frame-options: DENY",
        "referrer-policy: origin",
        "strict-transport-security: max-age=1",
        "x-xss-protection: 0",
    ];
    request.answer = Some((StatusCode::OK, fixture::headers(&answer)));
    let mut said = said(&request);
    said[1..].sort_unstable();
    assert_eq!(
        said,
        [
            "CORS headers of a response are added",
            "access-control-allow-origin: * is added",
            "pragma is removed",
            "referrer-policy stays the origin's, because Override is false",
            timing,
            "server: CloudFront takes the place of the origin's",
            "strict-transport-security stays the origin's, because Override is false",
            "x-content-type-options: nosniff takes the place of the origin's",
            "x-frame-options stays the origin's, because Override is false",
            "x-xss-protection stays the origin's, because Override is false",
        ]
    );
}

#[test]
fn a_staging_distribution_that_answers_is_told_with_the_reason() {
    use crate::continuous_deployment::{ContinuousDeployment, Traffic};
    use crate::distribution::Role;
    let staged = |traffic| {
        let mut stack = stack(|distribution| {
            distribution.continuous_deployment = Some(Arc::new(ContinuousDeployment {
                policy: "policy".to_owned(),
                staging: "ENEXT".to_owned(),
                traffic,
            }));
        });
        let mut next = fixture::distribution();
        (next.id, next.logical_id) = ("ENEXT".to_owned(), "Next".to_owned());
        next.role = Role::Staging;
        stack.distributions.push(Arc::new(next));
        stack
    };
    let (name, value) = ("aws-cf-cd-x".parse().unwrap(), "1".parse().unwrap());
    let stack = staged(Traffic::Header { name, value });
    let found = told(&stack, &asked("GET", "/", &["aws-cf-cd-x: 1"]));
    assert_eq!(found.distribution, "ENEXT");
    says(
        &found,
        "distribution: Next (ENEXT) answers: the request carries the policy's header with its value",
    );
    assert_ne!(told(&stack, &asked("GET", "/", &[])).distribution, "ENEXT");
    let stack = staged(Traffic::Weight { share: 0.15, stickiness: None });
    let found = told(&stack, &asked("GET", "/", &[]));
    let line = found.about(Topic::Distribution).last().unwrap();
    assert!(
        line.ends_with("the policy's weight decided; 15.0 % of the requests go to Next"),
        "{line}"
    );
}

#[test]
fn whether_a_request_is_signed_is_told_with_the_reason() {
    use crate::origin::{OriginAccessControl, SigningBehavior};
    let controlled = |signing| {
        stack(|distribution| {
            Arc::make_mut(&mut distribution.origins[0]).access_control =
                Some(OriginAccessControl {
                    signing,
                    service: "s3".to_owned(),
                    region: "eu-west-1".to_owned(),
                });
        })
    };
    let found = told(&controlled(SigningBehavior::Always), &asked("GET", "/", &[]));
    says(
        &found,
        "origin-request: signed for s3 in eu-west-1 when it is sent, if there is an access key",
    );
    let found = told(&controlled(SigningBehavior::Never), &asked("GET", "/", &[]));
    says(&found, "origin-request: not signed: SigningBehavior is never");
}

#[test]
fn who_may_not_ask_is_told_why() {
    let germany = Country::parse("DE").unwrap();
    let restricted = stack(|distribution| {
        distribution.geo_restriction = GeoRestriction::AllBut(vec![germany]);
        let page = Some(ErrorPage { path: "/sorry.html".to_owned(), status: 404 });
        let caching_min_ttl = std::time::Duration::from_secs(10);
        distribution.error_responses = vec![ErrorResponse { status: 403, caching_min_ttl, page }];
    });
    let there = Asked { place: Some(Place::in_country(germany)), ..asked("GET", "/", &[]) };
    let found = told(&restricted, &there);
    says(&found, "country: a viewer in DE gets 403 (blacklist)");
    says(&found, "failure: 403 becomes 404 with /sorry.html, which is fetched instead");
    assert_eq!(found.about(Topic::Origin).count(), 0);
    let found = told(&restricted, &asked("GET", "/", &[]));
    says(&found, "country: a viewer of unknown country is served (blacklist)");

    let signed = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.trusted_keys = Some(Arc::new(TrustedKeys { keys: Vec::new() }));
    });
    let found = told(&signed, &asked("GET", "/", &[]));
    assert_eq!(
        (found.about(Topic::Signature).count(), found.about(Topic::Failure).count()),
        (2, 0)
    );
    assert!(found.about(Topic::Signature).any(|text| text.starts_with("403: ")));
    assert_eq!(found.about(Topic::Origin).count(), 0);
}

#[test]
fn a_secret_of_edge_and_origin_is_not_told() {
    let stack = stack(|distribution| {
        let origin = Arc::make_mut(&mut distribution.origins[0]);
        let secret = ::http::HeaderValue::from_static("hunter2");
        origin.custom_headers = vec![("x-origin-verify".parse().unwrap(), secret)];
    });
    let found = told(&stack, &asked("GET", "/", &[]));
    says(&found, "origin-request: x-origin-verify: (the value that the source gives it)");
    assert!(!lines(&found).join("\n").contains("hunter2"));
}

#[test]
fn an_edge_that_knows_no_places_serves_nobody_where_countries_are_restricted() {
    let germany = Country::parse("DE").unwrap();
    let stack = stack(|distribution| {
        distribution.geo_restriction = GeoRestriction::AllBut(vec![germany]);
    });
    let blind = Asked { places_can_be_known: false, ..asked("GET", "/", &[]) };
    let found = told(&stack, &blind);
    says(&found, "country: every viewer gets 403 (blacklist): nothing here knows where they are");
    assert_eq!(found.about(Topic::Origin).count(), 0);
}

#[test]
fn what_passes_by_the_cache_is_told_so() {
    let stack = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.grpc = true;
        behavior.allowed_methods = crate::behavior::AllowedMethods::All;
    });
    let upgrade = asked("GET", "/", &["connection: upgrade", "upgrade: websocket"]);
    let call = asked("POST", "/", &["content-type: application/grpc"]);
    let call = Asked { version: Version::HTTP_2, has_body: true, ..call };
    for (asked, what) in [(upgrade, "it asks for a WebSocket"), (call, "it is a gRPC call")] {
        let found = told(&stack, &asked);
        let cache: Vec<&str> = found.about(Topic::Cache).collect();
        assert_eq!(cache.len(), 1);
        assert!(cache[0].starts_with("not looked at and not filled: "), "{cache:?}");
        assert!(cache[0].contains(what), "{cache:?}");
        assert_eq!((found.about(Topic::Key).count(), found.about(Topic::Ttl).count()), (0, 0));
    }
}

#[test]
fn what_a_miss_leads_to_depends_on_what_is_asked() {
    let [cloudfront, standard] = [CacheRules::CLOUDFRONT, CacheRules::RFC9111].map(|rules| {
        stack(|distribution| Arc::make_mut(&mut distribution.behaviors[0]).rules = rules)
    });
    let check = |stack: &Stack, method: &str, fields: &[&str], expected: &str| {
        let found = told(stack, &asked(method, "/", fields));
        let cache: Vec<&str> = found.about(Topic::Cache).collect();
        assert!(cache.len() == 1 && cache[0].contains(expected), "{method} {fields:?}: {cache:?}");
    };
    check(&cloudfront, "GET", &[], "one request asks the origin for all who wait");
    check(&cloudfront, "GET", &["if-none-match: *"], "alone, because it sets a condition");
    check(&standard, "GET", &["if-none-match: *"], "without conditions: they are held against");
    check(&standard, "GET", &["range: bytes=0-"], "alone, because it asks for a part");
    check(&cloudfront, "HEAD", &[], "this HEAD goes to the origin alone");
}

#[test]
fn what_vary_adds_to_the_key_is_told() {
    let stack = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.rules = CacheRules::RFC9111;
        behavior.origin_request_policy.headers = HeaderSelection::AllViewer;
    });
    let request = asked("GET", "/", &["accept-language: DE ;q=0.5, en"]);
    let check = |vary: Option<&str>, expected: &[&str]| {
        let answer = vary
            .map(|vary| (StatusCode::OK, fixture::headers(&["cache-control: max-age=60", vary])));
        let found = told(&stack, &Asked { answer, ..request.clone() });
        for text in expected {
            assert!(found.about(Topic::Key).any(|told| told == *text), "{text} in {found:#?}");
        }
    };
    check(None, &["and the fields that Vary of a stored answer names"]);
    check(
        Some("vary: Accept-Language, Foo"),
        &["Vary accept-language: en,de;q=0.500", "Vary foo: absent"],
    );
    let star = "Vary names what no other request can be compared by, so the answer is for this one";
    check(Some("vary: *"), &[star]);
}

#[test]
fn a_spelling_that_leads_to_a_signed_path_is_told() {
    let stack = stack(|distribution| {
        let mut private = fixture::behavior("/private/*");
        private.trusted_keys = Some(Arc::default());
        distribution.behaviors = vec![Arc::new(private), Arc::new(fixture::behavior("*"))];
    });
    let found = told(&stack, &asked("GET", "/private%2Fx", &[]));
    assert_eq!(found.behavior, Some(1));
    let why = ", because origins may read the path as /private/x";
    assert!(found.about(Topic::Signature).any(|text| text.ends_with(why)));
    assert_eq!(found.about(Topic::Origin).count(), 0);
}

#[test]
fn the_profile_and_its_lifetimes_are_told() {
    let stack = stack(|distribution| {
        let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
        behavior.rules = crate::caching::CacheRules::RFC9111;
        behavior.cache_policy.ttl = TtlBounds::new(0, 60, 600).unwrap();
    });
    let found = told(&stack, &asked("GET", "/", &[]));
    says(&found, "policy: the cache rules of the profile rfc9111");
    let ttl: Vec<_> = found.about(Topic::Ttl).collect();
    assert!(ttl[0].contains("since Last-Modified: fresh for"), "{ttl:?}");
    let obeys = |text: &&str| text.ends_with("not stored, the origin says private");
    assert!(ttl.iter().any(obeys), "{ttl:?}");
    let lines =
        ["date: Mon, 07 Nov 1994 08:49:37 GMT", "last-modified: Sun, 06 Nov 1994 08:49:37 GMT"];
    let answer = Some((StatusCode::OK, fixture::headers(&lines)));
    let found = told(&stack, &Asked { answer, ..asked("GET", "/", &[]) });
    let tenth =
        "a tenth of the 86400 s since Last-Modified, lowered to MaxTTL=600: fresh for 600 s";
    assert!(found.about(Topic::Ttl).next().unwrap().contains(tenth));
    let lines = ["cdn-cache-control: max-age=30", "cache-control: no-store"];
    let answer = Some((StatusCode::OK, fixture::headers(&lines)));
    let found = told(&stack, &Asked { answer, ..asked("GET", "/", &[]) });
    assert_eq!(
        found.about(Topic::Ttl).collect::<Vec<_>>(),
        [
            "200 cdn-cache-control: max-age=30; cache-control: no-store: max-age=30: fresh for 30 s, then stale for 600 s while the origin fails"
        ]
    );
}
