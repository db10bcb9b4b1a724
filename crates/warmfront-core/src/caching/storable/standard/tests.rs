//! RFC 9111 §3, §4.2 and §5.2.2, and RFC 9213, as tables.

use std::time::UNIX_EPOCH;

use ::http::StatusCode;
use proptest::prelude::*;

use super::*;
use crate::caching::{CacheRules, ResponseFacts, Storable, storable};
use crate::fixture;
use crate::policy::TtlBounds;

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOW: Duration = Duration::from_secs(784_111_777);
const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
const IN_30: &str = "Expires: Sun, 06 Nov 1994 08:50:07 GMT";
const MODIFIED_1000_AGO: &str = "Last-Modified: Sun, 06 Nov 1994 08:32:57 GMT";
const MODIFIED_LONG_AGO: &str = "Last-Modified: Sun, 06 Nov 1983 08:32:57 GMT";
const YEAR: u64 = 31_536_000;
const EVERY: std::ops::Range<u16> = 200..1000;

/// One reply; the rest as for a site that names no lifetimes of its own.
#[derive(Clone, Copy)]
struct Reply {
    status: u16,
    ttl: [u64; 3],
    delay: u64,
    range: bool,
    authorization: bool,
    rules: CacheRules,
}

fn reply(status: u16) -> Reply {
    let rules = CacheRules::RFC9111;
    Reply { status, ttl: [0, 0, YEAR], delay: 0, range: false, authorization: false, rules }
}

impl Reply {
    fn decide(self, lines: &[&str]) -> Storable {
        let headers = fixture::headers(lines);
        let [min, default, max] = self.ttl;
        let facts = ResponseFacts {
            status: status(self.status),
            headers: &headers,
            ttl: &TtlBounds::new(min, default, max).unwrap(),
            delay: secs(self.delay),
            error_caching_min_ttl: secs(10),
            forwards_cookies: true,
            rules: self.rules,
            asked_for_range: self.range,
            authorization_unkeyed: self.authorization,
            s3: true,
        };
        storable(&facts, UNIX_EPOCH + NOW)
    }

    fn lifetime(self, lines: &[&str]) -> Lifetime {
        match self.decide(lines) {
            Storable::For(lifetime) => lifetime,
            Storable::No(reason) => panic!("{} {lines:?}: not stored: {reason}", self.status),
        }
    }

    /// Stored, fresh for so many seconds, by the rule that reads so.
    #[track_caller]
    fn check(self, lines: &[&str], fresh_for: u64, rule: &str) {
        let lifetime = self.lifetime(lines);
        let found = (lifetime.fresh_for, lifetime.rule.to_string());
        assert_eq!(found, (secs(fresh_for), rule.to_owned()), "{} {lines:?}", self.status);
    }

    #[track_caller]
    fn check_not(self, lines: &[&str], expected: NotStored) {
        assert_eq!(self.decide(lines), Storable::No(expected), "{} {lines:?}", self.status);
    }

    /// The windows after expiry: while revalidating, and for a failing origin.
    #[track_caller]
    fn check_windows(self, lines: &[&str], while_revalidate: u64, if_error: u64) {
        let lifetime = self.lifetime(lines);
        let found = (lifetime.stale_while_revalidate, lifetime.stale_if_error);
        assert_eq!(found, (secs(while_revalidate), secs(if_error)), "{lines:?}");
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

#[test]
fn every_final_status_with_a_lifetime_of_its_own_is_stored() {
    for code in EVERY.filter(|code| ![206, 304].contains(code)) {
        reply(code).check(&["Cache-Control: max-age=30"], 30, "max-age=30");
        reply(code).check(&["Cache-Control: s-maxage=30, max-age=5"], 30, "s-maxage=30");
        reply(code).check(&[IN_30], 30, "Expires in 30 s");
    }
    for code in [100, 101, 103, 304] {
        let says = ["Cache-Control: public, max-age=30"];
        reply(code).check_not(&says, NotStored::Status(status(code)));
    }
}

#[test]
fn a_lifetime_is_guessed_only_for_statuses_that_permit_it_or_what_is_public() {
    let guessed = "a tenth of the 1000 s since Last-Modified";
    let permitted = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];
    for code in EVERY.filter(|code| ![206, 304].contains(code)) {
        if permitted.contains(&code) {
            reply(code).check(&[MODIFIED_1000_AGO], 100, guessed);
        } else {
            reply(code).check_not(&[MODIFIED_1000_AGO], NotStored::NeedsLifetime(status(code)));
        }
        reply(code).check(&[MODIFIED_1000_AGO, "Cache-Control: public"], 100, guessed);
    }
}

#[test]
fn a_guess_is_a_tenth_of_what_lies_between_last_modified_and_date() {
    let ok = || reply(200);
    let guessed = "a tenth of the 1000 s since Last-Modified";
    ok().check(&[DATE, MODIFIED_1000_AGO], 100, guessed);
    ok().check(&[DATE, MODIFIED_1000_AGO, "Age: 40"], 60, guessed);
    ok().check(&[DATE, MODIFIED_1000_AGO, "Age: 400"], 0, guessed);
    // By the clock of the origin, which is ten minutes behind; so is the age.
    let behind = ["Date: Sun, 06 Nov 1994 08:49:27 GMT", MODIFIED_1000_AGO];
    ok().check(&behind, 89, "a tenth of the 990 s since Last-Modified");
    let long = "a tenth of the 347156200 s since Last-Modified, a day at most";
    ok().check(&[MODIFIED_LONG_AGO], 86_400, long);
    Reply { ttl: [0, 0, 60], ..ok() }.check(
        &[MODIFIED_1000_AGO],
        60,
        "a tenth of the 1000 s since Last-Modified, lowered to MaxTTL=60",
    );
    let ahead = "Last-Modified: Sun, 06 Nov 1994 10:00:00 GMT";
    ok().check(&[ahead], 0, "a tenth of the 0 s since Last-Modified");
    // DefaultTTL is CloudFront's word for it.
    let default = Reply { ttl: [0, 500, YEAR], ..ok() };
    default.check(&[MODIFIED_1000_AGO], 100, guessed);
    default.check(&["ETag: \"a\""], 0, "no lifetime is named");
    default.check_not(&[], NotStored::StaleAtOnce);
    default.check_not(&["Last-Modified: yesterday-ish", "Cache-Control: private"], FORBIDS_PRIVATE);
}

const FORBIDS_PRIVATE: NotStored = NotStored::Forbidden(Forbids::Private);

#[test]
fn what_is_named_is_not_guessed() {
    reply(200).check(&[MODIFIED_1000_AGO, "Cache-Control: max-age=5"], 5, "max-age=5");
    reply(200).check(&[MODIFIED_1000_AGO, "Expires: 0"], 0, "Expires in the past");
    reply(200).check(&[MODIFIED_1000_AGO, "Cache-Control: max-age=x"], 0, "max-age=0");
}

#[test]
fn expires_is_held_against_the_clock_that_wrote_it() {
    let at = |time: &str| format!("Sun, 06 Nov 1994 {time} GMT");
    let check = |expires: &str, date: &str, age: &str, left: u64| {
        let lines = [
            format!("Expires: {}", at(expires)),
            format!("Date: {}", at(date)),
            format!("Age: {age}"),
            "ETag: \"a\"".to_owned(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let lifetime = reply(200).lifetime(&lines);
        assert_eq!(lifetime.fresh_for, secs(left), "{lines:?}");
    };
    check("08:50:07", "08:49:37", "0", 30);
    // A clock that is ahead grants no more, one that is behind takes no less.
    check("08:59:37", "08:59:07", "0", 30);
    check("08:54:37", "08:56:17", "0", 0);
    check("08:49:47", "08:49:27", "0", 10);
    check("08:49:47", "08:49:27", "25", 0);
    check("08:49:57", "08:49:47", "15", 0);
}

#[test]
fn a_date_that_is_none_is_the_moment_of_arrival() {
    reply(200).check(&[IN_30, "Date: foo"], 30, "Expires in 30 s");
    reply(200).check(
        &[MODIFIED_1000_AGO, "Date: foo"],
        100,
        "a tenth of the 1000 s since Last-Modified",
    );
}

#[test]
fn age_is_what_was_said_and_the_time_on_the_way_or_what_date_says() {
    let slow = Reply { delay: 5, ..reply(200) };
    slow.check(&["Cache-Control: max-age=30", "Age: 12"], 13, "max-age=30");
    slow.check(&["Cache-Control: max-age=30"], 25, "max-age=30");
    let old = "Date: Sun, 06 Nov 1994 08:49:17 GMT";
    slow.check(&["Cache-Control: max-age=30", old], 10, "max-age=30");
    assert_eq!(slow.lifetime(&["Cache-Control: max-age=30", old]).initial_age, secs(20));
}

#[test]
fn no_store_and_private_are_obeyed_whatever_min_ttl_is() {
    let patient = Reply { ttl: [60, 60, YEAR], ..reply(200) };
    for reply in [reply(200), patient, reply(404), reply(503)] {
        let says = ["Cache-Control: no-store, max-age=30", "ETag: \"a\""];
        reply.check_not(&says, NotStored::Forbidden(Forbids::NoStore));
        reply.check_not(&["Cache-Control: private, max-age=30", IN_30], FORBIDS_PRIVATE);
    }
    // About fields, they are about these fields.
    reply(200).check(&["Cache-Control: private=\"set-cookie\", max-age=5"], 5, "max-age=5");
    reply(200).check(&["Cache-Control: no-cache=\"set-cookie\", max-age=5"], 5, "max-age=5");
    // MinTTL raises a lifetime that is named, as whoever runs the site wants it.
    patient.check(&["Cache-Control: max-age=1"], 60, "max-age=1, raised to MinTTL=60");
}

#[test]
fn no_cache_is_stored_if_it_can_be_asked_about_and_never_answers_unasked() {
    let patient = Reply { ttl: [60, 60, YEAR], ..reply(200) };
    for reply in [reply(200), patient] {
        for validator in ["ETag: \"a\"", MODIFIED_1000_AGO] {
            let says =
                "Cache-Control: no-cache, max-age=30, stale-if-error=60, stale-while-revalidate=60";
            reply.check(&[says, validator], 0, "no-cache, so it is asked about each time");
            reply.check_windows(&[says, validator], 0, 0);
        }
        reply.check_not(&["Cache-Control: no-cache, max-age=30"], NotStored::StaleAtOnce);
    }
    let unsaid = ["Cache-Control: no-cache", "ETag: \"a\""];
    reply(201).check_not(&unsaid, NotStored::NeedsLifetime(status(201)));
}

#[test]
fn must_understand_lifts_no_store_for_statuses_that_are_understood() {
    let says = "Cache-Control: max-age=30, no-store, must-understand";
    for code in [200, 203, 301, 404, 503] {
        reply(code).check(&[says], 30, "max-age=30");
    }
    for code in [226, 299, 416, 418, 599, 999] {
        reply(code).check_not(&[says], NotStored::NotUnderstood(status(code)));
        let alone = "Cache-Control: max-age=30, must-understand";
        reply(code).check_not(&[alone], NotStored::NotUnderstood(status(code)));
    }
    let private = "Cache-Control: max-age=30, no-store, private, must-understand";
    reply(200).check_not(&[private], FORBIDS_PRIVATE);
}

#[test]
fn credentials_are_shared_only_where_the_origin_says_so() {
    let known = |lines: &[&str]| Reply { authorization: true, ..reply(200) }.decide(lines);
    for said in ["max-age=30", "proxy-revalidate, max-age=30", "public, private", "immutable"] {
        let decided = known(&[&format!("Cache-Control: {said}")]);
        assert_eq!(decided, Storable::No(NotStored::Authorization), "{said}");
    }
    assert_eq!(known(&[IN_30]), Storable::No(NotStored::Authorization));
    for said in ["public, max-age=30", "must-revalidate, max-age=30", "s-maxage=30"] {
        let decided = known(&[&format!("Cache-Control: {said}")]);
        assert!(matches!(decided, Storable::For(_)), "{said}");
    }
}

#[test]
fn what_was_fresh_stands_in_for_its_failing_origin_unless_a_directive_forbids_it() {
    let ok = || Reply { ttl: [0, 0, 600], ..reply(200) };
    ok().check_windows(&["Cache-Control: max-age=30"], 0, 600);
    ok().check_windows(&["Cache-Control: max-age=30, stale-if-error=5"], 0, 5);
    ok().check_windows(&["Cache-Control: max-age=30, stale-while-revalidate=5"], 5, 600);
    ok().check_windows(&["Cache-Control: max-age=0, stale-while-revalidate=5"], 5, 0);
    ok().check_windows(&["Cache-Control: max-age=0, stale-if-error=5"], 0, 5);
    ok().check_windows(&[IN_30], 0, 600);
    for word in ["must-revalidate", "proxy-revalidate", "s-maxage=9"] {
        let says =
            format!("Cache-Control: max-age=9, {word}, stale-if-error=5, stale-while-revalidate=5");
        ok().check_windows(&[&says], 0, 0);
    }
    // It was never meant for anybody but whoever asked.
    ok().check_windows(&["Cache-Control: max-age=0", "ETag: \"a\""], 0, 0);
    ok().check_windows(&["ETag: \"a\""], 0, 0);
    ok().check_not(&["Cache-Control: max-age=0"], NotStored::StaleAtOnce);
}

#[test]
fn cdn_cache_control_stands_in_for_cache_control_and_expires() {
    let ok = || reply(200);
    ok().check(&["CDN-Cache-Control: max-age=30", "Cache-Control: no-store"], 30, "max-age=30");
    ok().check(&["CDN-Cache-Control: max-age=30", "Expires: 0"], 30, "max-age=30");
    ok().check(&["CDN-Cache-Control: max-age=30", "Cache-Control: max-age=1"], 30, "max-age=30");
    ok().check(&["CDN-Cache-Control: max-age=1", "Cache-Control: max-age=30"], 1, "max-age=1");
    let no_store = NotStored::Forbidden(Forbids::NoStore);
    ok().check_not(&["CDN-Cache-Control: no-store", "Cache-Control: max-age=30"], no_store);
    ok().check_not(&["CDN-Cache-Control: private", IN_30], FORBIDS_PRIVATE);
    // It says nothing of a lifetime, and nothing else may.
    ok().check_not(
        &["CDN-Cache-Control: foo", "Cache-Control: max-age=30", IN_30],
        NotStored::StaleAtOnce,
    );
    // A field that cannot be read is none.
    for broken in ["max-age=10000, &&&&&", "max-age=\"10000\"", "MaX-aGe=10", "max-age =10", ""] {
        let field = format!("CDN-Cache-Control: {broken}");
        ok().check_not(&[&field, "Cache-Control: no-store"], no_store);
        ok().check(&[&field, "Cache-Control: max-age=5"], 5, "max-age=5");
    }
    let cloudfront = Reply { rules: CacheRules::CLOUDFRONT, ..ok() };
    cloudfront.check(
        &["CDN-Cache-Control: max-age=30", "Cache-Control: max-age=5"],
        5,
        "max-age=5",
    );
}

#[test]
fn vary_star_and_parts_are_stored_nowhere() {
    for ttl in [[0, 0, YEAR], [60, 60, YEAR]] {
        let ok = Reply { ttl, ..reply(200) };
        ok.check_not(&["Cache-Control: max-age=30", "Vary: Accept, *"], NotStored::VaryStar);
        ok.check(&["Cache-Control: max-age=90", "Vary: Accept"], 90, "max-age=90");
    }
    let says = ["Cache-Control: max-age=30", "Content-Range: bytes 0-4/10"];
    for code in [206, 200] {
        reply(code).check_not(&says, NotStored::UnaskedPart);
        Reply { range: true, ..reply(code) }.check_not(&says, NotStored::PartialContent);
    }
}

#[test]
fn caching_can_be_disabled() {
    let off = Reply { ttl: [0, 0, 0], ..reply(200) };
    off.check_not(&["Cache-Control: max-age=30"], NotStored::CachingDisabled);
}

#[test]
fn each_switch_works_without_the_others() {
    let none = Reply { ttl: [60, 70, YEAR], ..reply(200) };
    let with = |rules: CacheRules| Reply { rules, ..none };
    let rfc = CacheRules::RFC9111;
    with(CacheRules { min_ttl_overrides_origin: true, ..rfc }).check(
        &["Cache-Control: private"],
        60,
        "MinTTL=60 although the origin says private",
    );
    with(CacheRules { unnamed_lifetime: crate::caching::UnnamedLifetime::DefaultTtl, ..rfc })
        .check(&[MODIFIED_1000_AGO], 70, "DefaultTTL=70");
    with(CacheRules { stores_no_cache: false, ..rfc }).check_not(
        &["Cache-Control: no-cache", "ETag: \"a\""],
        NotStored::Forbidden(Forbids::NoCache),
    );
    with(CacheRules { s_maxage_forbids_stale: false, ..rfc }).check_windows(
        &["Cache-Control: s-maxage=90, stale-if-error=5"],
        0,
        5,
    );
    with(CacheRules { corrects_age: false, ..rfc }).check(
        &["Cache-Control: max-age=90", "Date: Sun, 06 Nov 1994 08:49:17 GMT"],
        90,
        "max-age=90",
    );
}

proptest! {
    #[test]
    fn whatever_the_headers_a_decision_is_made_and_prohibitions_hold(
        code in 100u16..1000,
        lines in prop::collection::vec(
            (
                prop::sample::select(vec![
                    "cache-control", "cdn-cache-control", "expires", "age", "date", "vary",
                    "last-modified", "etag", "content-range",
                ]),
                prop::sample::select(vec![
                    "max-age=60", "no-store", "private", "no-cache", "public", "must-understand",
                    "s-maxage=5", "*", "\"a\"", "Sun, 06 Nov 1994 08:50:07 GMT", "30", "&",
                ]),
            ),
            0..8,
        ),
    ) {
        let lines: Vec<String> = lines.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let decided = reply(code).decide(&lines);
        let said = crate::caching::cache_control::directives(&fixture::headers(&lines), CacheRules::RFC9111);
        let forbidden = said.private || (said.no_store && !said.must_understand);
        match decided {
            Storable::For(lifetime) => {
                prop_assert!(!forbidden);
                prop_assert!(!said.no_cache || lifetime.fresh_for.is_zero());
                prop_assert!(code >= 200 && code != 206 && code != 304);
            }
            Storable::No(reason) => prop_assert!(!reason.to_string().is_empty()),
        }
    }
}
