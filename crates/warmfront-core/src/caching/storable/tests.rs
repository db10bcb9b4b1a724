//! The tables of cloudfront.md §3.1, §3.6 and §3.11, row by row.

use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;
use crate::caching::TtlLimit;

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOW: Duration = Duration::from_secs(784_111_777);
const IN_30: &str = "Expires: Sun, 06 Nov 1994 08:50:07 GMT";
const AGO_30: &str = "Expires: Sun, 06 Nov 1994 08:49:07 GMT";
const YEAR: u64 = 31_536_000;

/// One reply as `STATUS` and header lines; the rest as in most behaviors.
struct Reply {
    status: u16,
    ttl: TtlBounds,
    error_ttl: u64,
    range: bool,
    authorization: bool,
    s3: bool,
}

fn reply(status: u16) -> Reply {
    let ttl = TtlBounds::new(0, 86_400, YEAR).unwrap();
    Reply { status, ttl, error_ttl: 10, range: false, authorization: false, s3: false }
}

impl Reply {
    fn ttl(mut self, min: u64, default: u64, max: u64) -> Self {
        self.ttl = TtlBounds::new(min, default, max).unwrap();
        self
    }

    fn decide(&self, lines: &[&str]) -> Storable {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name = ::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        let facts = ResponseFacts {
            status: StatusCode::from_u16(self.status).unwrap(),
            headers: &headers,
            ttl: &self.ttl,
            delay: Duration::ZERO,
            error_caching_min_ttl: secs(self.error_ttl),
            forwards_cookies: false,
            rules: CacheRules::CLOUDFRONT,
            asked_for_range: self.range,
            authorization_unkeyed: self.authorization,
            s3: self.s3,
        };
        storable(&facts, UNIX_EPOCH + NOW)
    }

    /// Stored, fresh for so many seconds, by the rule that reads so.
    #[track_caller]
    fn check(self, lines: &[&str], fresh_for: u64, rule: &str) {
        match self.decide(lines) {
            Storable::For(lifetime) => {
                assert_eq!(lifetime.fresh_for, secs(fresh_for), "{} {lines:?}", self.status);
                assert_eq!(lifetime.rule.to_string(), rule, "{} {lines:?}", self.status);
            }
            Storable::No(reason) => panic!("{} {lines:?}: not stored: {reason}", self.status),
        }
    }

    #[track_caller]
    fn check_not(self, lines: &[&str], expected: NotStored) {
        let decided = self.decide(lines);
        assert_eq!(decided, Storable::No(expected), "{} {lines:?}", self.status);
    }

    /// The windows after expiry: while revalidating, and for a failing origin.
    #[track_caller]
    fn check_windows(self, lines: &[&str], while_revalidate: u64, if_error: u64) {
        match self.decide(lines) {
            Storable::For(lifetime) => assert_eq!(
                (lifetime.stale_while_revalidate, lifetime.stale_if_error),
                (secs(while_revalidate), secs(if_error)),
                "{lines:?}"
            ),
            Storable::No(reason) => panic!("{lines:?}: not stored: {reason}"),
        }
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

#[test]
fn with_min_ttl_0_the_origin_names_the_lifetime_and_max_ttl_limits_it() {
    let ok = || reply(200).ttl(0, 20, 60);
    ok().check(&["Cache-Control: s-maxage=30"], 30, "s-maxage=30");
    ok().check(&["Cache-Control: s-maxage=30, max-age=5"], 30, "s-maxage=30");
    ok().check(&["Cache-Control: s-maxage=90"], 60, "s-maxage=90, lowered to MaxTTL=60");
    ok().check(&["Cache-Control: max-age=10"], 10, "max-age=10");
    ok().check(&["Cache-Control: max-age=90"], 60, "max-age=90, lowered to MaxTTL=60");
    ok().check(&[IN_30], 30, "Expires in 30 s");
    reply(200).ttl(0, 5, 9).check(&[IN_30], 9, "Expires in 30 s, lowered to MaxTTL=9");
    ok().check(&["Cache-Control: max-age=10", IN_30], 10, "max-age=10");
    ok().check(&["Cache-Control: max-age=10", AGO_30], 10, "max-age=10");
    ok().check(&[], 20, "DefaultTTL=20");
    ok().check(&["Cache-Control: public"], 20, "DefaultTTL=20");
}

#[test]
fn with_min_ttl_above_0_the_lifetime_lies_between_min_and_max_ttl() {
    let ok = || reply(200).ttl(10, 20, 60);
    ok().check(&["Cache-Control: s-maxage=30"], 30, "s-maxage=30");
    ok().check(&["Cache-Control: s-maxage=3"], 10, "s-maxage=3, raised to MinTTL=10");
    ok().check(&["Cache-Control: s-maxage=90"], 60, "s-maxage=90, lowered to MaxTTL=60");
    ok().check(&["Cache-Control: max-age=30"], 30, "max-age=30");
    ok().check(&["Cache-Control: max-age=0"], 10, "max-age=0, raised to MinTTL=10");
    ok().check(&["Cache-Control: max-age=90"], 60, "max-age=90, lowered to MaxTTL=60");
    ok().check(&[IN_30], 30, "Expires in 30 s");
    ok().check(&[AGO_30], 10, "Expires in the past, raised to MinTTL=10");
    ok().check(&["Cache-Control: max-age=30", AGO_30], 30, "max-age=30");
    ok().check(&[], 20, "DefaultTTL=20");
}

#[test]
fn a_prohibition_is_obeyed_with_min_ttl_0_and_outlived_by_a_greater_one() {
    let cases = [
        ("no-store", Forbids::NoStore),
        ("private", Forbids::Private),
        ("no-cache", Forbids::NoCache),
        ("no-cache, max-age=30", Forbids::NoCache),
        ("no-store, s-maxage=30, public", Forbids::NoStore),
    ];
    for (control, forbids) in cases {
        let line = &[&*format!("Cache-Control: {control}")];
        reply(200).check_not(line, NotStored::OriginForbids(forbids));
        let rule = format!("MinTTL=5 although the origin says {forbids}");
        reply(200).ttl(5, 20, 60).check(line, 5, &rule);
    }
    reply(200).check(&["Cache-Control: no-cache=\"Set-Cookie\""], 86_400, "DefaultTTL=86400");
    reply(200).check(&["Pragma: no-cache"], 86_400, "DefaultTTL=86400");
}

#[test]
fn a_lifetime_of_0_is_stored_as_stale_from_the_start() {
    reply(200).check(&["Cache-Control: max-age=0"], 0, "max-age=0");
    reply(200).check(&["Cache-Control: s-maxage=0, max-age=9"], 0, "s-maxage=0");
    reply(200).check(&[AGO_30], 0, "Expires in the past");
    reply(200).ttl(0, 0, 60).check(&[], 0, "DefaultTTL=0");
}

#[test]
fn nothing_is_stored_when_caching_is_disabled() {
    for code in [200, 301, 404, 500] {
        reply(code)
            .ttl(0, 0, 0)
            .check_not(&["Cache-Control: max-age=60"], NotStored::CachingDisabled);
    }
}

#[test]
fn a_century_is_the_longest_lifetime() {
    let forever = || reply(200).ttl(0, 0, u64::MAX);
    let century = 3_153_600_000;
    forever().check(
        &["Cache-Control: max-age=99999999999999999999"],
        century,
        "max-age=3153600000",
    );
    let late = "Expires: Fri, 31 Dec 9999 23:59:59 GMT";
    forever().check(&[late], century, "Expires in 3153600000 s");
}

#[test]
fn what_is_no_date_or_two_different_ones_is_in_the_past() {
    for line in ["Expires: 0", "Expires: -1", "Expires: Sun, 06 Nov 2094 08:50:07 UTC"] {
        reply(200).check(&[line], 0, "Expires in the past");
    }
    reply(200).check(&[IN_30, AGO_30], 0, "Expires in the past");
    reply(200).check(&[IN_30, IN_30], 30, "Expires in 30 s");
    reply(200).check(&["Expires: sunday, 06-nov-94 08:50:07 gmt"], 30, "Expires in 30 s");
}

#[test]
fn age_has_used_up_a_part_of_what_the_origin_granted() {
    let ok = || reply(200).ttl(0, 20, 60);
    ok().check(&["Cache-Control: max-age=30", "Age: 12"], 18, "max-age=30");
    ok().check(&["Cache-Control: max-age=30", "Age: 31"], 0, "max-age=30");
    ok().check(&["Cache-Control: s-maxage=30", "Age: 12, 3"], 18, "s-maxage=30");
    ok().check(&["Cache-Control: max-age=30", "Age: -5"], 30, "max-age=30");
    ok().check(&["Cache-Control: max-age=30", "Age: soon"], 30, "max-age=30");
    ok().check(&["Cache-Control: max-age=30", "Age: 99999999999999999999999"], 0, "max-age=30");
    // MaxTTL limits the stay here, not the time elsewhere; MinTTL is granted in any case.
    let long = "Cache-Control: max-age=1000";
    ok().check(&[long, "Age: 500"], 60, "max-age=1000, lowered to MaxTTL=60");
    reply(200).ttl(10, 20, 60).check(
        &["Cache-Control: max-age=30", "Age: 25"],
        10,
        "max-age=30, raised to MinTTL=10",
    );
    // DefaultTTL is ours, not the origin's.
    ok().check(&["Age: 12"], 20, "DefaultTTL=20");
}

#[test]
fn age_shortens_expires_only_by_what_the_clocks_do_not_say_already() {
    let sent_12_ago = "Date: Sun, 06 Nov 1994 08:49:25 GMT";
    let sent_now = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    reply(200).check(&[IN_30, sent_12_ago, "Age: 12"], 30, "Expires in 30 s");
    reply(200).check(&[IN_30, sent_now, "Age: 12"], 18, "Expires in 30 s");
    reply(200).check(&[IN_30, "Age: 12"], 18, "Expires in 30 s");
    reply(200).check(&[IN_30, sent_12_ago], 30, "Expires in 30 s");
    let after = "Date: Sun, 06 Nov 1994 08:50:07 GMT";
    reply(200).check(&[IN_30, after], 0, "Expires in the past");
}

#[test]
fn the_age_of_the_origin_is_remembered() {
    let Storable::For(lifetime) = reply(200).decide(&["Cache-Control: max-age=30", "Age: 12"])
    else {
        panic!("stored");
    };
    assert_eq!(lifetime.initial_age, secs(12));
    assert_eq!(lifetime.to_string(), "max-age=30: fresh for 18 s (12 s old when it came)");
}

#[test]
fn successes_and_redirects_follow_the_ttl_rules() {
    for code in [200, 203, 204, 300, 301, 302, 303, 305] {
        reply(code).check(&[], 86_400, "DefaultTTL=86400");
        reply(code).check(&["Cache-Control: max-age=5"], 5, "max-age=5");
    }
}

#[test]
fn redirects_that_keep_the_method_are_stored_only_with_cache_control() {
    for code in [307, 308] {
        reply(code).check_not(&[], NotStored::NeedsCacheControl(status(code)));
        reply(code).check_not(&[IN_30], NotStored::NeedsCacheControl(status(code)));
        reply(code).check(&["Cache-Control: max-age=5"], 5, "max-age=5");
        reply(code).check(&["Cache-Control: public"], 86_400, "DefaultTTL=86400");
        let forbidden = NotStored::OriginForbids(Forbids::NoStore);
        reply(code).check_not(&["Cache-Control: no-store"], forbidden);
    }
}

#[test]
fn some_errors_are_always_stored_for_error_caching_min_ttl_at_least() {
    for code in [404, 414, 500, 501, 502, 503, 504] {
        let error = || reply(code).ttl(0, 20, 60);
        error().check(&[], 10, "ErrorCachingMinTTL=10");
        error().check(&["Cache-Control: public"], 10, "ErrorCachingMinTTL=10");
        error().check(
            &["Cache-Control: max-age=3"],
            10,
            "max-age=3, raised to ErrorCachingMinTTL=10",
        );
        error().check(&["Cache-Control: max-age=30"], 30, "max-age=30");
        error().check(&["Cache-Control: s-maxage=30, max-age=3"], 30, "s-maxage=30");
        error().check(&[IN_30], 30, "Expires in 30 s");
        let past = "Expires in the past, raised to ErrorCachingMinTTL=10";
        error().check(&[AGO_30], 10, past);
        let long = "max-age=300, lowered to MaxTTL=60";
        error().check(&["Cache-Control: max-age=300"], 60, long);
    }
    // ErrorCachingMinTTL is a minimum even above MaxTTL, and MinTTL says nothing about errors.
    let slow = Reply { error_ttl: 300, ..reply(404).ttl(0, 20, 60) };
    slow.check(
        &["Cache-Control: max-age=100"],
        300,
        "max-age=100, raised to ErrorCachingMinTTL=300",
    );
    reply(404).ttl(50, 50, 60).check(&[], 10, "ErrorCachingMinTTL=10");
}

#[test]
fn some_errors_are_stored_only_when_the_origin_says_max_age_or_s_maxage() {
    for code in [400, 403, 405, 410, 412, 415] {
        let error = || reply(code).ttl(0, 20, 60);
        error().check_not(&[], NotStored::NeedsMaxAge(status(code)));
        error().check_not(&[IN_30], NotStored::NeedsMaxAge(status(code)));
        error().check_not(&["Cache-Control: public"], NotStored::NeedsMaxAge(status(code)));
        let forbidden = match code {
            410 => NotStored::ErrorForbidden(Forbids::NoStore),
            _ => NotStored::NeedsMaxAge(status(code)),
        };
        error().check_not(&["Cache-Control: no-store"], forbidden);
        error().check(&["Cache-Control: max-age=30"], 30, "max-age=30");
        error().check(&["Cache-Control: s-maxage=30"], 30, "s-maxage=30");
        error().check(
            &["Cache-Control: max-age=3"],
            10,
            "max-age=3, raised to ErrorCachingMinTTL=10",
        );
    }
}

#[test]
fn other_statuses_are_never_stored() {
    let never = [101, 103, 304, 401, 402, 406, 408, 409, 411, 413, 416, 418, 429, 451];
    for code in never.into_iter().chain([505, 507, 511, 599, 600, 999]) {
        for ttl in [0, 5] {
            let says = ["Cache-Control: public, max-age=30"];
            reply(code).ttl(ttl, 20, 60).check_not(&says, NotStored::Status(status(code)));
        }
    }
}

#[test]
fn a_prohibition_on_an_error_is_obeyed_for_some_and_ignored_for_others() {
    for (control, forbids) in [
        ("Cache-Control: no-store, max-age=30", Forbids::NoStore),
        ("Cache-Control: private", Forbids::Private),
        ("Cache-Control: no-cache", Forbids::NoCache),
    ] {
        for code in [404, 414, 501] {
            for min in [0, 5] {
                let forbidden = NotStored::ErrorForbidden(forbids);
                reply(code).ttl(min, 20, 60).check_not(&[control], forbidden);
            }
        }
    }
    for code in [500, 502, 503, 504] {
        reply(code).check(&["Cache-Control: no-store"], 10, "ErrorCachingMinTTL=10");
        reply(code).check(&["Cache-Control: no-cache, max-age=30"], 30, "max-age=30");
    }
    reply(403).check(&["Cache-Control: no-cache, max-age=30"], 30, "max-age=30");
    // S3's 501 in particular, which the guide names on its own.
    let s3 = Reply { s3: true, ..reply(501).ttl(5, 20, 60) };
    s3.check_not(&["Cache-Control: private"], NotStored::ErrorForbidden(Forbids::Private));
}

#[test]
fn error_caching_min_ttl_0_stores_no_error_but_of_s3_for_a_second() {
    let none = || Reply { error_ttl: 0, ..reply(503) };
    none().check_not(&[], NotStored::ErrorTtlZero);
    none().check_not(&["Cache-Control: max-age=0"], NotStored::ErrorTtlZero);
    none().check(&["Cache-Control: max-age=7"], 7, "max-age=7");
    let s3 = || Reply { s3: true, ..none() };
    s3().check(&[], 1, "ErrorCachingMinTTL=1");
    s3().check(&["Cache-Control: max-age=0"], 1, "max-age=0, raised to ErrorCachingMinTTL=1");
    s3().check(&["Cache-Control: max-age=7"], 7, "max-age=7");
}

#[test]
fn stale_windows_are_what_the_origin_says_and_max_ttl_at_most() {
    let ok = || reply(200).ttl(0, 20, 60);
    ok().check_windows(&["Cache-Control: max-age=9, stale-while-revalidate=30"], 30, 60);
    ok().check_windows(&["Cache-Control: max-age=9, stale-while-revalidate=90"], 60, 60);
    ok().check_windows(&["Cache-Control: max-age=9, stale-if-error=30"], 0, 30);
    ok().check_windows(&["Cache-Control: max-age=9, stale-if-error=90"], 0, 60);
    let both = "Cache-Control: max-age=9, stale-while-revalidate=5, stale-if-error=7";
    ok().check_windows(&[both], 5, 7);
    ok().check_windows(&["Cache-Control: stale-while-revalidate=5, stale-if-error=7"], 5, 7);
}

#[test]
fn without_a_directive_a_failing_origin_gets_the_stale_copy_for_max_ttl() {
    reply(200).ttl(0, 20, 60).check_windows(&[], 0, 60);
    reply(200).ttl(0, 20, 60).check_windows(&["Cache-Control: max-age=60"], 0, 60);
    // s-maxage means proxy-revalidate, too, unless something beside it says otherwise.
    reply(200).ttl(0, 20, 60).check_windows(&["Cache-Control: s-maxage=5"], 0, 0);
    let beside = "Cache-Control: s-maxage=5, stale-if-error=7, stale-while-revalidate=3";
    reply(200).ttl(0, 20, 60).check_windows(&[beside], 3, 7);
    reply(200).ttl(0, 0, 60).check_windows(&["Cache-Control: max-age=0"], 0, 60);
    // The guide's warning: even what was marked no-cache answers, unless the origin says 0.
    reply(200).ttl(5, 20, 60).check_windows(&["Cache-Control: no-cache"], 0, 60);
    let never = "Cache-Control: no-cache, stale-if-error=0";
    reply(200).ttl(5, 20, 60).check_windows(&[never], 0, 0);
}

#[test]
fn must_revalidate_and_proxy_revalidate_forbid_stale_answers() {
    for word in ["must-revalidate", "proxy-revalidate"] {
        let control = format!("Cache-Control: max-age=9, {word}");
        reply(200).check_windows(&[&control], 0, 0);
        let despite = format!("{control}, stale-while-revalidate=5, stale-if-error=5");
        reply(200).check_windows(&[&despite], 0, 0);
    }
}

#[test]
fn an_error_never_answers_past_its_time() {
    let says = "Cache-Control: max-age=30, stale-while-revalidate=5, stale-if-error=5";
    for code in [403, 404, 500, 503] {
        reply(code).check_windows(&[says], 0, 0);
    }
}

#[test]
fn vary_star_is_stored_only_with_min_ttl_above_0() {
    reply(200).check_not(&["Vary: Accept, *"], NotStored::VaryStar);
    reply(404).check_not(&["Vary: *"], NotStored::VaryStar);
    reply(200).ttl(5, 20, 60).check(&["Vary: *"], 20, "DefaultTTL=20");
    reply(200).check(&["Vary: Accept"], 86_400, "DefaultTTL=86400");
}

#[test]
fn the_answer_to_credentials_outside_the_key_is_shared_only_when_the_origin_says_so() {
    let known = || Reply { authorization: true, ..reply(200).ttl(5, 20, 60) };
    for control in ["max-age=30", "proxy-revalidate", "public, private", "no-store"] {
        known().check_not(&[&format!("Cache-Control: {control}")], NotStored::Authorization);
    }
    known().check_not(&[], NotStored::Authorization);
    known().check_not(&[IN_30], NotStored::Authorization);
    known().check(&["Cache-Control: public"], 20, "DefaultTTL=20");
    known().check(&["Cache-Control: s-maxage=30"], 30, "s-maxage=30");
    known().check(&["Cache-Control: must-revalidate"], 20, "DefaultTTL=20");
    let error = Reply { authorization: true, ..reply(404) };
    error.check_not(&[], NotStored::Authorization);
}

#[test]
fn a_part_is_never_stored_as_the_whole() {
    let part = "Content-Range: bytes 0-4/10";
    for (range, reason) in [(false, NotStored::UnaskedPart), (true, NotStored::PartialContent)] {
        let answer = |code| Reply { range, ..reply(code) };
        answer(206).check_not(&[part], reason);
        answer(206).check_not(&[], reason);
        answer(200).check_not(&[part], reason);
        answer(200).check_not(&["Content-Range: bytes 0-4/*"], reason);
        answer(200).check_not(&["X-A: b", "Content-Range: x", part], reason);
        for nonsense in ["bytes", "bytes 0-4", "0-4/10", "bytes */10", "bytes a-b/c", "banana"] {
            let line = format!("Content-Range: {nonsense}");
            answer(200).check(&[&line], 86_400, "DefaultTTL=86400");
        }
        answer(200).check(&[], 86_400, "DefaultTTL=86400");
    }
}

#[test]
fn every_reason_is_a_sentence_that_names_its_cause() {
    for (reason, text) in [
        (NotStored::CachingDisabled, "caching is disabled: all TTLs are 0"),
        (NotStored::OriginForbids(Forbids::NoStore), "the origin says no-store, and MinTTL is 0"),
        (NotStored::Status(status(429)), "status 429 is never stored"),
        (NotStored::NeedsMaxAge(status(403)), "status 403 is stored only with max-age or s-maxage"),
    ] {
        assert_eq!(reason.to_string(), text);
    }
}

fn bounds() -> impl Strategy<Value = [u64; 3]> {
    let ttl = prop_oneof![0..100u64, 0..4_000_000_000u64, any::<u64>()];
    [ttl.clone(), ttl.clone(), ttl].prop_map(|mut bounds| {
        bounds.sort_unstable();
        bounds
    })
}

proptest! {
    #[test]
    fn a_lifetime_the_origin_names_lies_between_min_and_max_ttl(
        [min, default, max] in bounds(),
        said in prop_oneof![(0..200u64).prop_map(u128::from), any::<u128>()],
        age in prop_oneof![Just(0), 0..200u128, any::<u128>()],
        directive in prop::sample::select(vec!["max-age", "s-maxage"]),
    ) {
        prop_assume!(max > 0);
        let control = format!("Cache-Control: {directive}={said}");
        let decided = reply(200).ttl(min, default, max).decide(&[&control, &format!("Age: {age}")]);
        let Storable::For(lifetime) = decided else { panic!("{decided:?}") };
        prop_assert!(lifetime.fresh_for >= secs(min) && lifetime.fresh_for <= secs(max));
        prop_assert!(lifetime.stale_if_error <= secs(max));
        if lifetime.rule.limit.is_none() {
            let century = u128::from(cache_control::MAX_SECONDS);
            let left = said.min(century).saturating_sub(age.min(century));
            prop_assert_eq!(u128::from(lifetime.fresh_for.as_secs()), left);
        }
    }

    #[test]
    fn an_error_is_kept_for_error_caching_min_ttl_at_least(
        [min, default, max] in bounds(),
        error_ttl in any::<u64>(),
        said in any::<u128>(),
    ) {
        prop_assume!(max > 0 && error_ttl > 0);
        let error = Reply { error_ttl, ..reply(503).ttl(min, default, max) };
        let Storable::For(lifetime) = error.decide(&[&format!("Cache-Control: max-age={said}")])
        else { panic!("stored") };
        prop_assert!(lifetime.fresh_for >= secs(error_ttl));
        prop_assert!(lifetime.fresh_for <= secs(max.max(error_ttl)));
        let raised = matches!(lifetime.rule.limit, Some(TtlLimit::ErrorCachingMinTtl(_)));
        prop_assert_eq!(raised, said.min(max.into()).min(3_153_600_000) < error_ttl.into());
    }

    #[test]
    fn whatever_the_headers_a_decision_is_made(
        code in 100u16..1000,
        lines in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "cache-control", "expires", "age", "date", "vary", "content-range",
                ]),
                prop::collection::vec(any::<u8>(), 0..40),
            ),
            0..8,
        ),
        [min, default, max] in bounds(),
        now in 0..253_402_300_800u64,
    ) {
        let mut headers = HeaderMap::new();
        for (name, bytes) in &lines {
            if let Ok(value) = HeaderValue::from_bytes(bytes) {
                headers.append(*name, value);
            }
        }
        let ttl = TtlBounds::new(min, default, max).unwrap();
        let facts = ResponseFacts {
            status: status(code),
            headers: &headers,
            ttl: &ttl,
            delay: Duration::ZERO,
            error_caching_min_ttl: secs(10),
            forwards_cookies: true,
            rules: CacheRules::CLOUDFRONT,
            asked_for_range: false,
            authorization_unkeyed: false,
            s3: false,
        };
        let decided = storable(&facts, UNIX_EPOCH + secs(now));
        if code == 206 || max == 0 {
            prop_assert!(matches!(decided, Storable::No(_)));
        }
    }
}
