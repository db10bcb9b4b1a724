//! Which header fields of an origin's reply go on to the viewer, and which are kept with the object.
//!
//! Hop-by-hop fields are gone already (`hop_by_hop`); Vary is filtered in `caching::vary`.

use ::http::{HeaderMap, HeaderName, header};

use super::fields;
use crate::Behavior;
use crate::caching::cache_control;
use crate::policy::keeps_set_cookie;

/// Takes off what no viewer gets to see, stored or not (CloudFront guide: response headers).
///
/// Via is written anew by the edge. Set-Cookie goes when the behavior forwards no cookies: what
/// the origin then sets would belong to nobody. S3's own request ids stay between S3 and us. Where the
/// rules keep a response's headers, only what belongs to the connection goes.
pub fn passed_head(headers: &mut HeaderMap, behavior: &Behavior, s3: bool) {
    let keeps_set_cookie = keeps_set_cookie(behavior);
    let hides_ids = s3 && !behavior.rules.keeps_response_headers;
    fields::remove_where(headers, |name| match *name {
        header::VIA | header::TRAILER | header::UPGRADE => true,
        header::SET_COOKIE => !keeps_set_cookie,
        _ => hides_ids && (*name == X_AMZ_ID_2 || *name == X_AMZ_REQUEST_ID),
    });
}

/// Takes off what is not kept with the object: all that [`passed_head`] takes, Age (which is
/// counted on from `Lifetime::initial_age`), and the fields that the origin names in
/// `no-cache="…"` or `private="…"`, which only the viewer who caused the fill may get.
///
/// So `Cache-Control: no-cache="Set-Cookie"` keeps a cookie from being replayed, as CloudFront
/// documents it. Cache-Control itself, Date and Content-Length stay in any case.
pub fn stored_head(headers: &mut HeaderMap, behavior: &Behavior, s3: bool) {
    passed_head(headers, behavior, s3);
    headers.remove(header::AGE);
    let control = cache_control::directives(headers, behavior.rules);
    for name in control.no_cache_fields.iter().chain(&control.private_fields) {
        if !ALWAYS_KEPT.contains(name) {
            headers.remove(name);
        }
    }
}

const X_AMZ_ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");
const X_AMZ_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

/// Without these the object would be read differently from what the origin sent.
const ALWAYS_KEPT: [HeaderName; 5] = [
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caching::CacheRules;
    use crate::fixture;
    use crate::policy::Selection;

    const REPLY: [&str; 8] =
        ["via", "trailer", "upgrade", "set-cookie", "age", "x-amz-id-2", "x-amz-request-id", "x-a"];

    fn reply(cache_control: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in REPLY {
            headers.append(name, "1".parse().unwrap());
        }
        headers.append(header::CACHE_CONTROL, cache_control.parse().unwrap());
        headers
    }

    fn left(headers: &HeaderMap) -> String {
        let left: Vec<_> = REPLY.into_iter().filter(|name| headers.contains_key(*name)).collect();
        left.join(" ")
    }

    #[track_caller]
    fn check(control: &'static str, cookies: bool, s3: bool, passed: &str, stored: &str) {
        let mut behavior = fixture::behavior("*");
        behavior.cache_policy.cookies = if cookies { Selection::All } else { Selection::None };
        check_behind(&behavior, control, s3, passed, stored);
    }

    #[track_caller]
    fn check_behind(
        behavior: &Behavior,
        control: &'static str,
        s3: bool,
        passed: &str,
        stored: &str,
    ) {
        let mut headers = reply(control);
        passed_head(&mut headers, behavior, s3);
        assert_eq!(left(&headers), passed, "passed on, {control}");
        let mut headers = reply(control);
        stored_head(&mut headers, behavior, s3);
        assert_eq!(left(&headers), stored, "stored, {control}");
        assert!(headers.contains_key(header::CACHE_CONTROL));
    }

    #[test]
    fn set_cookie_is_removed_unless_cookies_are_forwarded_and_then_replayed() {
        let s3_ids = "x-amz-id-2 x-amz-request-id x-a";
        let passed = &*format!("age {s3_ids}");
        check("max-age=5", false, false, passed, s3_ids);
        let with_cookie = &*format!("set-cookie age {s3_ids}");
        check("max-age=5", true, false, with_cookie, &format!("set-cookie {s3_ids}"));
        check("no-cache=\"Set-Cookie\"", true, false, with_cookie, s3_ids);
        check("private=\"set-cookie\"", true, false, with_cookie, s3_ids);
    }

    #[test]
    fn the_request_ids_of_s3_stay_between_s3_and_us() {
        check("max-age=5", false, true, "age x-a", "x-a");
    }

    #[test]
    fn rules_that_keep_headers_take_off_only_what_belongs_to_the_connection() {
        let mut behavior = fixture::behavior("*");
        behavior.rules = CacheRules::RFC9111;
        let all = "set-cookie x-amz-id-2 x-amz-request-id x-a";
        let passed = "set-cookie age x-amz-id-2 x-amz-request-id x-a";
        check_behind(&behavior, "max-age=5", true, passed, all);
        let without_cookie = "x-amz-id-2 x-amz-request-id x-a";
        check_behind(&behavior, "private=\"set-cookie\"", true, passed, without_cookie);
    }

    #[test]
    fn fields_that_the_origin_excepts_are_not_kept() {
        check("no-cache=\"X-A\"", true, true, "set-cookie age x-a", "set-cookie");
        check("private=\"X-A, Cache-Control\"", true, true, "set-cookie age x-a", "set-cookie");
    }
}
