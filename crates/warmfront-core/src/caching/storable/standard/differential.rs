//! Held against http-cache-semantics 3.0: with neutral TTLs, what it may store and when that is fresh is the same
//! here, except where the two read the standard differently. Each such reading is listed with its paragraph, and
//! a listed reading that no reply needs any more fails, too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, Request, Response, StatusCode};
use http_cache_semantics::{CacheOptions, CachePolicy};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::caching::cache_control;
use crate::caching::freshness::{Freshness, freshness};
use crate::caching::{CacheRules, ResponseFacts, Storable, storable};
use crate::fixture;
use crate::policy::TtlBounds;

/// How many replies are made up, always the same ones.
const REPLIES: usize = 6000;

/// One reply, and what was asked for.
#[derive(Debug)]
struct Reply {
    status: u16,
    lines: Vec<String>,
    authorization: bool,
    /// When it is looked at: after so many seconds.
    after: u64,
}

/// Sun, 06 Nov 1994 08:49:37 GMT
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(784_111_777)
}

/// What is common on the web, and what is odd.
fn a_reply() -> impl Strategy<Value = Reply> {
    let directive = prop::sample::select(vec![
        "max-age=60",
        "max-age=60",
        "max-age=60",
        "max-age=0",
        "max-age=600",
        "s-maxage=60",
        "s-maxage=0",
        "max-age=\"60\"",
        "max-age=x",
        "max-age=99999999999999999999999",
        "public",
        "private",
        "no-store",
        "no-cache",
        "no-cache=\"set-cookie\"",
        "private=\"set-cookie\"",
        "must-revalidate",
        "proxy-revalidate",
        "immutable",
        "must-understand",
        "x=y",
        "stale-while-revalidate=5",
    ]);
    let control = prop::collection::vec(directive, 0..3).prop_map(|said| said.join(", "));
    let field = prop::sample::select(vec![
        "expires: Sun, 06 Nov 1994 08:50:37 GMT",
        "expires: Sun, 06 Nov 1994 08:48:37 GMT",
        "expires: 0",
        "expires: sun, 06 nov 1994 08:50:37 gmt",
        "expires: Sunday, 06-Nov-94 08:50:37 GMT",
        "last-modified: Sun, 06 Nov 1994 08:39:37 GMT",
        "date: Sun, 06 Nov 1994 08:49:37 GMT",
        "date: Sun, 06 Nov 1994 08:49:17 GMT",
        "date: Sun, 06 Nov 1994 08:59:37 GMT",
        "age: 20",
        "age: 20, 0",
        "age: old",
        "etag: \"a\"",
        "etag: \"a\"",
        "vary: accept",
        "vary: *",
        "set-cookie: a=1",
        "pragma: no-cache",
        "cdn-cache-control: max-age=60",
    ]);
    let status = prop::sample::select(vec![
        200u16, 200, 200, 200, 203, 204, 301, 302, 307, 308, 404, 405, 410, 414, 501, 201, 403,
        500, 503, 599,
    ]);
    (status, control, prop::collection::vec(field, 0..4), prop::bool::weighted(0.1), 0..120u64)
        .prop_map(|(status, control, mut fields, authorization, after)| {
            // One of each: several differing ones are tested elsewhere.
            fields.sort_unstable();
            fields.dedup_by_key(|line| line.split_once(':').map(|(name, _)| name));
            let mut lines: Vec<String> = fields.into_iter().map(str::to_owned).collect();
            if !control.is_empty() {
                lines.push(format!("cache-control: {control}"));
            }
            Reply { status, lines, authorization, after }
        })
}

impl Reply {
    fn headers(&self) -> HeaderMap {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        fixture::headers(&lines)
    }

    /// Whether it is stored, and whether it is fresh when it is looked at.
    fn ours(&self) -> (bool, bool) {
        let headers = self.headers();
        let century = cache_control::MAX_SECONDS;
        let facts = ResponseFacts {
            status: StatusCode::from_u16(self.status).unwrap(),
            headers: &headers,
            ttl: &TtlBounds::new(0, 0, century).unwrap(),
            delay: Duration::ZERO,
            error_caching_min_ttl: Duration::ZERO,
            forwards_cookies: false,
            rules: CacheRules::RFC9111,
            asked_for_range: false,
            authorization_unkeyed: self.authorization,
            s3: false,
        };
        match storable(&facts, now()) {
            Storable::For(lifetime) => {
                let freshness = freshness(&lifetime, Duration::from_secs(self.after));
                (true, freshness == Freshness::Fresh)
            }
            Storable::No(_) => (false, false),
        }
    }

    fn theirs(&self) -> (bool, bool) {
        let mut request = Request::get("https://a.example/");
        if self.authorization {
            request = request.header("authorization", "x");
        }
        let request = request.body(()).unwrap();
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        *response.headers_mut() = self.headers();
        let policy = CachePolicy::new_options(&request, &response, now(), CacheOptions::default());
        let is_stored = policy.is_storable();
        let at = now() + Duration::from_secs(self.after);
        (is_stored, is_stored && !policy.is_stale(at))
    }

    /// Why the two differ about this reply: each reading that explains the difference, in its direction.
    fn readings(&self, ours: (bool, bool), theirs: (bool, bool)) -> Vec<usize> {
        let headers = self.headers();
        let control = cache_control::parse(&headers);
        let text =
            |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let said = text("cache-control");
        let has_validator = headers.contains_key("etag") || headers.contains_key("last-modified");
        let not_kept = !ours.0 && theirs == (true, false);
        let (only_ours, only_theirs) = (ours.1 && !theirs.1, theirs.1 && !ours.1);
        let names_lifetime = control.max_age.is_some() || control.s_maxage.is_some();
        let expires = text("expires");
        let explains = [
            !theirs.0
                && ![200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501]
                    .contains(&self.status),
            not_kept && !has_validator,
            said.contains("=\"set-cookie\""),
            control.must_understand,
            headers.contains_key("cdn-cache-control"),
            only_ours && headers.contains_key("set-cookie"),
            only_ours && control.proxy_revalidate,
            only_theirs && control.immutable && !names_lifetime,
            only_ours && text("pragma") == "no-cache",
            not_kept && text("vary") == "*",
            only_theirs && text("date").contains(":17"),
            only_theirs && text("age").contains(','),
            only_ours && (expires.starts_with("sun,") || expires.starts_with("Sunday")),
            only_ours && said.contains("99999"),
            said.matches("max-age").count() > 1,
        ];
        (0..explains.len()).filter(|reading| explains[*reading]).collect()
    }
}

/// Where the two differ: the paragraph, and how it is read here. In the order of [`Reply::readings`].
const READINGS: [&str; 15] = [
    "RFC 9111 §3: a final status need not be understood to be stored",
    "RFC 9111 §3 only permits: what is stale at once and has no validator is of no use",
    "RFC 9111 §5.2.2.4, §5.2.2.7: with a list, no-cache and private are about its fields",
    "RFC 9111 §5.2.2.3: must-understand lifts no-store, and forbids what is not understood",
    "RFC 9213 §2.1: CDN-Cache-Control stands in for Cache-Control and Expires",
    "RFC 9111 §7.3: Set-Cookie forbids nothing",
    "RFC 9111 §5.2.2.8: proxy-revalidate is about what is stale",
    "RFC 8246 §2: immutable says nothing of a lifetime",
    "RFC 9111 §5.4: Pragma is for requests",
    "RFC 9111 §4.1: what no request matches is of no use",
    "RFC 9111 §4.2.3: a response is at least as old as its Date",
    "RFC 9111 §5.1: of a list the first Age counts",
    "RFC 9110 §5.6.7, RFC 9111 §4.2: dates have three formats and any letter case",
    "RFC 9111 §1.2.2: a number that does not fit is the largest",
    "RFC 9111 §4.2.1: of two lifetimes the shorter counts here, the first there",
];

#[test]
fn whatever_differs_from_http_cache_semantics_is_a_reading_of_the_standard() {
    let mut runner = TestRunner::deterministic();
    let strategy = a_reply();
    // How many replies each reading alone explains.
    let mut needed = [0; READINGS.len()];
    let mut agreed = 0;
    for _ in 0..REPLIES {
        let reply = strategy.new_tree(&mut runner).unwrap().current();
        let (ours, theirs) = (reply.ours(), reply.theirs());
        if ours == theirs {
            agreed += 1;
            continue;
        }
        let readings = reply.readings(ours, theirs);
        assert!(
            !readings.is_empty(),
            "ours {ours:?}, theirs {theirs:?} (stored, fresh): {reply:?}"
        );
        if let [reading] = readings[..] {
            needed[reading] += 1;
        }
    }
    assert!(agreed > REPLIES / 2, "only {agreed} of {REPLIES} agree");
    for (reading, needed) in READINGS.iter().zip(needed) {
        assert!(needed > 0, "no reply needs it any more: {reading}");
    }
}
