//! What methods that change things do to a cache (RFC 9111 §4.4, RFC 9110 §9.3.3): which stored responses they
//! make invalid, and when the answer to a POST is what a GET would bring.

use ::http::header::{CONTENT_LOCATION, LOCATION, VARY};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{CacheRules, Lifetime, TtlSource};
use crate::http::reference::{SameOrigin, resolve};
use crate::request_view::RequestView;

/// Whether the answer `status` to `method` makes invalid what is stored for the target of the request, and for
/// what [`also_changed`] names. An error means that nothing was done.
pub fn invalidates(rules: CacheRules, method: &Method, status: StatusCode) -> bool {
    let is_error = !status.is_success() && !status.is_redirection();
    rules.unsafe_invalidates && !is_safe(method) && !is_error
}

/// What Location and Content-Location of the answer name within the origin of the request: other sites are
/// none of its business.
pub fn also_changed<'a>(
    request: &RequestView<'a>,
    answer: &'a HeaderMap,
) -> impl Iterator<Item = SameOrigin<'a>> {
    named(request, answer, LOCATION).chain(named(request, answer, CONTENT_LOCATION))
}

/// Whether the answer to a request may be stored for those who GET its target later: the answer to a POST that
/// says that it is what is there now, and names its lifetime.
pub fn stands_for_get(
    rules: CacheRules,
    request: &RequestView<'_>,
    status: StatusCode,
    answer: &HeaderMap,
    lifetime: &Lifetime,
) -> bool {
    let names_its_lifetime = matches!(
        lifetime.rule.source,
        TtlSource::SMaxage(_) | TtlSource::MaxAge(_) | TtlSource::Expires(_)
    );
    let target = SameOrigin { path: request.path.into(), query: request.query };
    rules.stores_post
        && *request.method == Method::POST
        && status == StatusCode::OK
        && names_its_lifetime
        && !lifetime.fresh_for.is_zero()
        // What a POST brings along is not what a GET would select by.
        && !answer.contains_key(VARY)
        && answer.get_all(CONTENT_LOCATION).iter().count() == 1
        && named(request, answer, CONTENT_LOCATION).any(|place| place == target)
}

fn named<'a>(
    request: &RequestView<'a>,
    answer: &'a HeaderMap,
    name: HeaderName,
) -> impl Iterator<Item = SameOrigin<'a>> {
    let values = answer.get_all(name).into_iter().map(HeaderValue::to_str);
    values.flatten().filter_map(|reference| resolve(request, reference))
}

/// The methods that IANA's registry calls safe. One that nobody knows may do anything.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
        || matches!(method.as_str(), "PROPFIND" | "QUERY" | "REPORT" | "SEARCH")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ::http::Version;

    use super::*;
    use crate::caching::TtlRule;
    use crate::fixture;
    use crate::origin::Scheme;

    const RFC: CacheRules = CacheRules::RFC9111;

    fn asked<'a>(method: &'a Method, headers: &'a HeaderMap) -> RequestView<'a> {
        RequestView {
            method,
            scheme: Scheme::Https,
            version: Version::HTTP_11,
            host: "a.example",
            path: "/dir/form",
            query: Some("q=1"),
            headers,
            place: None,
        }
    }

    #[test]
    fn what_is_not_known_to_be_safe_invalidates_unless_it_fails() {
        let check = |rules, method: &str, code: u16, expected: bool| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let status = StatusCode::from_u16(code).unwrap();
            assert_eq!(invalidates(rules, &method, status), expected, "{method} {code}");
        };
        for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "MKCOL"] {
            for code in [200, 201, 204, 299, 301, 303, 399] {
                check(RFC, method, code, true);
                check(CacheRules::CLOUDFRONT, method, code, false);
            }
            for code in [400, 404, 409, 500, 503, 599, 999] {
                check(RFC, method, code, false);
            }
        }
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "QUERY"] {
            check(RFC, method, 200, false);
        }
    }

    #[test]
    fn location_and_content_location_of_the_same_origin_are_changed_too() {
        let nothing = HeaderMap::new();
        let answer = fixture::headers(&[
            "location: /new?a",
            "location: https://b.example/other",
            "content-location: item",
        ]);
        let changed: Vec<String> = also_changed(&asked(&Method::POST, &nothing), &answer)
            .map(|place| format!("{} {:?}", place.path, place.query))
            .collect();
        assert_eq!(changed, ["/new Some(\"a\")", "/dir/item None"]);
    }

    #[test]
    fn a_post_stands_for_a_get_when_it_says_so_and_for_how_long() {
        let nothing = HeaderMap::new();
        let check = |method: &Method, code: u16, lines: &[&str], source, expected: bool| {
            let fresh_for = match source {
                TtlSource::MaxAge(fresh_for) => fresh_for,
                _ => Duration::from_secs(60),
            };
            let lifetime = Lifetime {
                fresh_for,
                stale_while_revalidate: Duration::ZERO,
                stale_if_error: Duration::ZERO,
                initial_age: Duration::ZERO,
                rule: TtlRule { source, limit: None },
            };
            let status = StatusCode::from_u16(code).unwrap();
            let answer = fixture::headers(lines);
            let stands =
                |rules| stands_for_get(rules, &asked(method, &nothing), status, &answer, &lifetime);
            assert_eq!(stands(RFC), expected, "{method} {code} {lines:?} {source:?}");
            assert!(!stands(CacheRules::CLOUDFRONT));
        };
        let minute = TtlSource::MaxAge(Duration::from_secs(60));
        let heuristic = TtlSource::Heuristic(Duration::from_secs(600));
        let here = "content-location: /dir/form?q=1";
        check(&Method::POST, 200, &[here], minute, true);
        check(&Method::POST, 200, &["content-location: "], minute, true);
        check(
            &Method::POST,
            200,
            &["content-location: https://a.example/dir/form?q=1"],
            minute,
            true,
        );
        check(&Method::POST, 200, &[here], heuristic, false);
        check(&Method::POST, 200, &[here], TtlSource::MaxAge(Duration::ZERO), false);
        check(&Method::POST, 201, &[here], minute, false);
        check(&Method::PUT, 200, &[here], minute, false);
        for other in [
            "content-location: /dir/form",
            "content-location: https://b.example/dir/form?q=1",
            "location: /dir/form?q=1",
        ] {
            check(&Method::POST, 200, &[other], minute, false);
        }
        check(&Method::POST, 200, &[here, here], minute, false);
        check(&Method::POST, 200, &[here, "vary: accept"], minute, false);
    }
}
