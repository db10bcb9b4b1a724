//! What a viewer asks of the cache with Cache-Control and Pragma (RFC 9111 §5.2.1), where that counts.
//!
//! A wish moves the decision between what is stored and the origin; it never makes a cache serve what the origin
//! forbids. Where a directive is damaged, the reading that asks the origin sooner is taken.

use std::fmt;
use std::time::Duration;

use ::http::{HeaderMap, header};

use super::cache_control::{MAX_SECONDS, Members, delta_seconds, unquoted};
use super::freshness::{Freshness, freshness};
use super::{CacheRules, Lifetime};

/// The directives of a request that a shared cache acts on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ViewerControl {
    /// `no-cache`, or `Pragma: no-cache` where there is no Cache-Control (§5.4).
    pub no_cache: bool,
    /// `no-store`: an answer that the cache has is as good as any; one that it must fetch is not stored.
    pub no_store: bool,
    /// `only-if-cached`
    pub only_if_cached: bool,
    /// `max-age`: of several the smallest; 0 where it is damaged.
    pub max_age: Option<Duration>,
    /// `min-fresh`: of several the largest; the largest of all where it is damaged.
    pub min_fresh: Option<Duration>,
    /// `max-stale`: of several the smallest; any time where it has no value, none where that is damaged.
    pub max_stale: Option<Duration>,
}

/// What the wishes of a viewer make of a stored response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: it answers, or does not, as for anybody.
    AsForAnybody,
    /// The origin must confirm it first.
    Confirmed(Demand),
    /// It is stale, and this viewer takes it.
    Stale,
}

/// The directive that a stored response does not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// `no-cache`
    NoCache,
    /// `max-age`: it is older, or stale (§5.2.1.1).
    MaxAge,
    /// `min-fresh`: it is not fresh for long enough.
    MinFresh,
    /// `max-stale`: it is stale for longer.
    MaxStale,
}

/// What the viewer asks of a cache with these rules; `None` where it asks nothing or that does not count.
pub fn viewer_control(rules: CacheRules, headers: &HeaderMap) -> Option<ViewerControl> {
    if !rules.honors_viewer {
        return None;
    }
    let control = parse(headers);
    (control != ViewerControl::default()).then_some(control)
}

/// Reads Cache-Control and Pragma of a request. Whatever they hold, this ends and never fails.
pub fn parse(headers: &HeaderMap) -> ViewerControl {
    let mut control = ViewerControl::default();
    for line in headers.get_all(header::CACHE_CONTROL) {
        Members::of(line.as_bytes()).for_each(|member| control.take(member));
    }
    // RFC 9111 §5.4: Pragma is the word of those who do not know Cache-Control.
    if !headers.contains_key(header::CACHE_CONTROL) {
        let mut pragmas = headers.get_all(header::PRAGMA).iter();
        control.no_cache = pragmas.any(|line| {
            Members::of(line.as_bytes()).any(|member| member.eq_ignore_ascii_case(b"no-cache"))
        });
    }
    control
}

impl ViewerControl {
    fn take(&mut self, member: &[u8]) {
        let (name, argument) = match member.iter().position(|&byte| byte == b'=') {
            Some(equals) => (&member[..equals], Some(&member[equals + 1..])),
            None => (member, None),
        };
        let damaged = name.ends_with(b" ") || name.ends_with(b"\t");
        let seconds = argument.filter(|_| !damaged).and_then(|it| delta_seconds(&unquoted(it)));
        let given = seconds.map(|seconds| Duration::from_secs(seconds.min(MAX_SECONDS)));
        let is = |directive: &str| name.trim_ascii().eq_ignore_ascii_case(directive.as_bytes());
        let smaller = |known: Option<Duration>, given: Duration| {
            Some(known.map_or(given, |known| known.min(given)))
        };

        if is("no-cache") {
            self.no_cache = true;
        } else if is("no-store") {
            self.no_store = true;
        } else if is("only-if-cached") {
            self.only_if_cached = true;
        } else if is("max-age") {
            self.max_age = smaller(self.max_age, given.unwrap_or_default());
        } else if is("min-fresh") {
            self.min_fresh = self.min_fresh.max(Some(given.unwrap_or(Duration::MAX)));
        } else if is("max-stale") {
            let any = if argument.is_none() { Duration::MAX } else { Duration::ZERO };
            self.max_stale = smaller(self.max_stale, given.unwrap_or(any));
        }
    }

    /// Whether nothing but an answer of the origin to this very request will do: not even one that is on its way
    /// for somebody else, who asked before.
    pub fn insists(&self) -> bool {
        self.no_cache || self.max_age.is_some_and(|age| age.is_zero())
    }

    /// What this viewer makes of a response with `lifetime` after `resident`. `is_outdated`: a purge made it
    /// stale before its time.
    ///
    /// A stale response is taken only as far as it may answer stale at all: not where must-revalidate and its
    /// like forbid that (§5.2.2.2), and no longer than for a failing origin, or while it is revalidated.
    pub fn wish(&self, lifetime: &Lifetime, resident: Duration, is_outdated: bool) -> Wish {
        if self.no_cache {
            return Wish::Confirmed(Demand::NoCache);
        }
        let age = lifetime.initial_age.saturating_add(resident);
        // An age of 0 s is not young enough for 0: that is how browsers reload.
        if self.max_age.is_some_and(|most| most.is_zero() || age > most) {
            return Wish::Confirmed(Demand::MaxAge);
        }
        let is_fresh = !is_outdated && freshness(lifetime, resident) == Freshness::Fresh;
        let left =
            if is_fresh { lifetime.fresh_for.saturating_sub(resident) } else { Duration::ZERO };
        // Nothing stale is fresh for any time, not even for none.
        if self.min_fresh.is_some_and(|least| !is_fresh || left < least) {
            return Wish::Confirmed(Demand::MinFresh);
        }
        if is_fresh {
            return Wish::AsForAnybody;
        }
        let stale_for = resident.saturating_sub(lifetime.fresh_for);
        let may_be_stale_for = lifetime.stale_while_revalidate.max(lifetime.stale_if_error);
        match (self.max_stale, self.max_age) {
            (Some(most), _) if stale_for > most => Wish::Confirmed(Demand::MaxStale),
            (Some(_), _) if !is_outdated && stale_for < may_be_stale_for => Wish::Stale,
            // Whoever names an age wants nothing stale, unless max-stale says so.
            (None, Some(_)) => Wish::Confirmed(Demand::MaxAge),
            _ => Wish::AsForAnybody,
        }
    }
}

impl fmt::Display for Demand {
    /// The name of the directive.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Demand::NoCache => "no-cache",
            Demand::MaxAge => "max-age",
            Demand::MinFresh => "min-fresh",
            Demand::MaxStale => "max-stale",
        })
    }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderName;
    use proptest::prelude::*;

    use super::*;
    use crate::caching::{TtlRule, TtlSource};

    /// `Name: value` lines.
    fn read(lines: &[&str]) -> ViewerControl {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        parse(&headers)
    }

    /// Reads like the field it came from.
    fn told(control: ViewerControl) -> String {
        let mut words = Vec::new();
        for (is_said, word) in [
            (control.no_cache, "no-cache"),
            (control.no_store, "no-store"),
            (control.only_if_cached, "only-if-cached"),
        ] {
            words.extend(is_said.then(|| word.to_owned()));
        }
        for (said, word) in [
            (control.max_age, "max-age"),
            (control.min_fresh, "min-fresh"),
            (control.max_stale, "max-stale"),
        ] {
            words.extend(said.map(|it| match it {
                Duration::MAX => format!("{word}=any"),
                it => format!("{word}={}", it.as_secs()),
            }));
        }
        words.join(", ")
    }

    #[test]
    fn directives_are_read_tolerantly_and_the_damaged_ask_sooner() {
        let rows: &[(&[&str], &str)] = &[
            (&[], ""),
            (&["cache-control: "], ""),
            (
                &["cache-control: No-Cache, NO-STORE,only-if-cached"],
                "no-cache, no-store, only-if-cached",
            ),
            (
                &["cache-control: max-age=5, min-fresh=\"7\"", "cache-control: max-stale=9"],
                "max-age=5, min-fresh=7, max-stale=9",
            ),
            (&["cache-control: max-age=5, max-age=3, max-age=4"], "max-age=3"),
            (&["cache-control: min-fresh=5, min-fresh=3"], "min-fresh=5"),
            (&["cache-control: max-stale, max-stale=3"], "max-stale=3"),
            (&["cache-control: max-stale"], "max-stale=any"),
            (
                &["cache-control: max-stale=, max-age=x, min-fresh"],
                "max-age=0, min-fresh=any, max-stale=0",
            ),
            (&["cache-control: max-age =5, max-stale= 5"], "max-age=0, max-stale=0"),
            (&["cache-control: max-age=99999999999999999999"], "max-age=3153600000"),
            (&["cache-control: x=\"no-cache, max-age=0\", s-maxage=1"], ""),
            (&["cache-control: x=\"no-cache, no-store"], "no-store"),
            (&["pragma: x, No-Cache"], "no-cache"),
            (&["pragma: no-cache=1"], ""),
            (&["pragma: no-cache", "cache-control: max-stale=1"], "max-stale=1"),
            (&["pragma: no-cache", "cache-control: "], ""),
        ];
        for (lines, expected) in rows {
            assert_eq!(told(read(lines)), *expected, "{lines:?}");
        }
    }

    #[test]
    fn nothing_counts_where_the_switch_is_off() {
        let headers = HeaderMap::from_iter([(header::CACHE_CONTROL, "no-cache".parse().unwrap())]);
        for rules in [CacheRules::CLOUDFRONT, CacheRules::RFC9111] {
            assert_eq!(viewer_control(rules, &headers), None);
            let rules = CacheRules { honors_viewer: true, ..rules };
            assert!(viewer_control(rules, &headers).is_some_and(|control| control.no_cache));
            assert_eq!(viewer_control(rules, &HeaderMap::new()), None);
        }
    }

    fn lifetime(fresh: u64, while_revalidate: u64, if_error: u64, age: u64) -> Lifetime {
        let secs = Duration::from_secs;
        Lifetime {
            fresh_for: secs(fresh),
            stale_while_revalidate: secs(while_revalidate),
            stale_if_error: secs(if_error),
            initial_age: secs(age),
            rule: TtlRule { source: TtlSource::MaxAge(secs(fresh)), limit: None },
        }
    }

    #[test]
    fn wishes_against_a_stored_response() {
        use Demand::{MaxAge, MaxStale, MinFresh, NoCache};
        use Wish::{AsForAnybody, Confirmed, Stale};
        /// Fresh for 10 s, then stale for 20 s while it is revalidated or for a failing origin.
        const LOOSE: (u64, u64) = (20, 20);
        /// must-revalidate: no stale answers.
        const STRICT: (u64, u64) = (0, 0);
        let rows = [
            // Directives, windows, resident, Age when it came, expected.
            ("no-cache", LOOSE, 0, 0, Confirmed(NoCache)),
            ("no-cache, max-stale", LOOSE, 15, 0, Confirmed(NoCache)),
            ("no-store", LOOSE, 5, 0, AsForAnybody),
            ("only-if-cached", LOOSE, 15, 0, AsForAnybody),
            ("max-age=0", LOOSE, 0, 0, Confirmed(MaxAge)),
            ("max-age=5", LOOSE, 5, 0, AsForAnybody),
            ("max-age=5", LOOSE, 6, 0, Confirmed(MaxAge)),
            ("max-age=5", LOOSE, 3, 3, Confirmed(MaxAge)),
            ("max-age=99", LOOSE, 9, 0, AsForAnybody),
            ("max-age=99", LOOSE, 10, 0, Confirmed(MaxAge)),
            ("max-age=99, max-stale", LOOSE, 10, 0, Stale),
            ("max-age=12, max-stale", LOOSE, 13, 0, Confirmed(MaxAge)),
            ("min-fresh=3", LOOSE, 7, 0, AsForAnybody),
            ("min-fresh=4", LOOSE, 7, 0, Confirmed(MinFresh)),
            ("min-fresh=0", LOOSE, 10, 0, Confirmed(MinFresh)),
            ("min-fresh=0, max-stale", LOOSE, 10, 0, Confirmed(MinFresh)),
            ("max-stale", LOOSE, 9, 0, AsForAnybody),
            ("max-stale", LOOSE, 29, 0, Stale),
            ("max-stale", LOOSE, 30, 0, AsForAnybody),
            ("max-stale=5", LOOSE, 15, 0, Stale),
            ("max-stale=5", LOOSE, 16, 0, Confirmed(MaxStale)),
            ("max-stale=0", LOOSE, 10, 0, Stale),
            ("max-stale", (0, 20), 20, 0, Stale),
            ("max-stale", (20, 0), 20, 0, Stale),
            ("max-stale", STRICT, 9, 0, AsForAnybody),
            ("max-stale", STRICT, 10, 0, AsForAnybody),
            ("max-stale=5", STRICT, 12, 0, AsForAnybody),
        ];
        for (directives, (swr, sie), resident, age, expected) in rows {
            let control = read(&[&format!("cache-control: {directives}")]);
            let lifetime = lifetime(10, swr, sie, age);
            let wish = control.wish(&lifetime, Duration::from_secs(resident), false);
            assert_eq!(wish, expected, "{directives} after {resident} s, windows {swr} and {sie}");
        }
    }

    #[test]
    fn what_a_purge_made_stale_is_stale_to_all_wishes() {
        let rows = [
            ("max-stale", Wish::AsForAnybody),
            ("max-age=99", Wish::Confirmed(Demand::MaxAge)),
            ("min-fresh=1", Wish::Confirmed(Demand::MinFresh)),
        ];
        for (directives, expected) in rows {
            let control = read(&[&format!("cache-control: {directives}")]);
            let wish = control.wish(&lifetime(10, 20, 20, 0), Duration::ZERO, true);
            assert_eq!(wish, expected, "{directives}");
        }
    }

    proptest! {
        /// No word of a viewer gets it a stale answer that the origin forbids, and a wish for a younger answer
        /// is never met by an older one.
        #[test]
        fn wishes_keep_what_the_origin_forbids(
            words in proptest::collection::vec(
                ("(no-cache|no-store|max-age|min-fresh|max-stale)", "(|=|=[0-9]{1,3}|=x)"), 0..5),
            fresh in 0u64..200, window in 0u64..200, resident in 0u64..500, is_outdated: bool,
        ) {
            let line: Vec<_> = words.iter().map(|(name, value)| format!("{name}{value}")).collect();
            let control = read(&[&format!("cache-control: {}", line.join(", "))]);
            let lifetime = lifetime(fresh, 0, window, 0);
            let at = Duration::from_secs(resident);
            match control.wish(&lifetime, at, is_outdated) {
                Wish::Stale => {
                    prop_assert!(!is_outdated && resident >= fresh && resident < fresh + window);
                    let most = control.max_stale.expect("only max-stale takes what is stale");
                    prop_assert!(Duration::from_secs(resident - fresh) <= most);
                }
                Wish::AsForAnybody => prop_assert!(!control.insists()),
                Wish::Confirmed(_) => {}
            }
        }

        #[test]
        fn any_octets_are_read(line in "[ -~\\t]{0,60}") {
            read(&[&format!("cache-control: {line}"), &format!("pragma: {line}")]);
        }
    }
}
