//! Cache-Control of a response, read tolerantly (RFC 9111 §5.2).
//!
//! Where a directive is damaged, the reading that keeps less is taken: an argument that is not a
//! number of seconds is zero, of two values the smaller one counts, a field list that cannot be
//! read covers everything.

use std::borrow::Cow;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, header};

use super::{CacheRules, targeted};

/// The directives of a response that a shared cache acts on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// There is a Cache-Control field at all, whatever it says.
    pub is_present: bool,
    /// This is what CDN-Cache-Control says: Expires does not count beside it (RFC 9213 §2.1).
    pub is_targeted: bool,
    /// `no-store`
    pub no_store: bool,
    /// `no-cache` without a field list.
    pub no_cache: bool,
    /// `private` without a field list.
    pub private: bool,
    /// `public`
    pub public: bool,
    /// `must-revalidate`
    pub must_revalidate: bool,
    /// `proxy-revalidate`
    pub proxy_revalidate: bool,
    /// `must-understand`: where the cache knows the status, no-store does not count.
    pub must_understand: bool,
    /// `immutable`: a word to browsers (RFC 8246); a shared cache has its lifetime anyway.
    pub immutable: bool,
    /// `no-transform`: what passes on the body leaves it as it is (RFC 9110 §7.7).
    pub no_transform: bool,
    /// `max-age`, at most [`MAX_SECONDS`].
    pub max_age: Option<Duration>,
    /// `s-maxage`, at most [`MAX_SECONDS`].
    pub s_maxage: Option<Duration>,
    /// `stale-while-revalidate`
    pub stale_while_revalidate: Option<Duration>,
    /// `stale-if-error`
    pub stale_if_error: Option<Duration>,
    /// The fields of `no-cache="…"`: not replayed.
    pub no_cache_fields: Vec<HeaderName>,
    /// The fields of `private="…"`: not replayed.
    pub private_fields: Vec<HeaderName>,
}

/// CloudFront guide: max-age is at most 100 years. Larger numbers, however long, mean this.
pub const MAX_SECONDS: u64 = 100 * 365 * 24 * 60 * 60;

/// What a response says to a cache with these rules: its CDN-Cache-Control where that counts and can be
/// read, its Cache-Control otherwise.
pub fn directives(headers: &HeaderMap, rules: CacheRules) -> CacheControl {
    let targeted = if rules.targeted_cache_control { targeted::parse(headers) } else { None };
    targeted.unwrap_or_else(|| parse(headers))
}

/// Reads all Cache-Control fields of a response. Whatever they hold, this ends and never fails.
pub fn parse(headers: &HeaderMap) -> CacheControl {
    let mut control = CacheControl::default();
    for line in headers.get_all(header::CACHE_CONTROL) {
        control.is_present = true;
        Members::of(line.as_bytes()).for_each(|member| control.take(member));
    }
    control
}

impl CacheControl {
    fn take(&mut self, member: &[u8]) {
        let (name, argument) = match member.iter().position(|&byte| byte == b'=') {
            Some(equals) => (&member[..equals], Some(&member[equals + 1..])),
            None => (member, None),
        };
        // No space is allowed around "="; the name is recognized, the argument is then damaged.
        let damaged = name.ends_with(b" ") || name.ends_with(b"\t");
        let argument = argument.map(|argument| if damaged { b"?" } else { argument });
        let is = |directive: &str| name.trim_ascii().eq_ignore_ascii_case(directive.as_bytes());

        if is("max-age") {
            shorten(&mut self.max_age, argument);
        } else if is("s-maxage") {
            shorten(&mut self.s_maxage, argument);
        } else if is("stale-while-revalidate") {
            shorten(&mut self.stale_while_revalidate, argument);
        } else if is("stale-if-error") {
            shorten(&mut self.stale_if_error, argument);
        } else if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            cover(&mut self.no_cache, &mut self.no_cache_fields, argument);
        } else if is("private") {
            cover(&mut self.private, &mut self.private_fields, argument);
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("must-understand") {
            // It permits, too: exactly as in the ABNF.
            self.must_understand |= argument.is_none();
        } else if is("public") {
            self.public |= argument.is_none(); // a word that permits: exactly as in the ABNF
        } else if is("immutable") {
            self.immutable = true;
        } else if is("no-transform") {
            self.no_transform = true;
        }
    }
}

/// Splits a line at the commas outside quoted strings.
pub(super) struct Members<'a> {
    rest: &'a [u8],
    /// False once a quote is never closed: then that quote and all behind it are ordinary
    /// characters, so that a directive behind it is still seen and the work stays linear.
    quoting: bool,
}

impl<'a> Members<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self { rest: line, quoting: true }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let line = self.rest;
        let mut at = 0;
        while at < line.len() && line[at] != b',' {
            if line[at] == b'"' && self.quoting {
                match closing_quote(line, at) {
                    Some(closing) => at = closing,
                    None => self.quoting = false,
                }
            }
            at += 1;
        }
        self.rest = line.get(at + 1..).unwrap_or_default();
        Some(line[..at].trim_ascii())
    }
}

/// Where the quoted text ends that begins at `opening`.
pub(super) fn closing_quote(line: &[u8], opening: usize) -> Option<usize> {
    let mut at = opening + 1;
    while at < line.len() {
        match line[at] {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// RFC 9111 §5.2: recipients take the token and the quoted form of every argument.
pub(super) fn unquoted(argument: &[u8]) -> Cow<'_, [u8]> {
    match argument {
        [b'"', inner @ .., b'"'] if inner.contains(&b'\\') => {
            let mut bytes = inner.iter();
            let mut plain = Vec::with_capacity(inner.len());
            while let Some(&byte) = bytes.next() {
                plain.extend(if byte == b'\\' { bytes.next().copied() } else { Some(byte) });
            }
            plain.into()
        }
        [b'"', inner @ .., b'"'] => inner.into(),
        token => token.into(),
    }
}

/// RFC 9111 §4.2.1: of several values the first, or stale; the smallest is on the safe side of both.
fn shorten(value: &mut Option<Duration>, argument: Option<&[u8]>) {
    let seconds = argument.and_then(|argument| delta_seconds(&unquoted(argument))).unwrap_or(0);
    let given = Duration::from_secs(seconds.min(MAX_SECONDS));
    *value = Some(value.map_or(given, |earlier| earlier.min(given)));
}

/// `1*DIGIT` and nothing else; what does not fit saturates (RFC 9111 §1.2.2).
pub(super) fn delta_seconds(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(n.saturating_mul(10).saturating_add(digit))
    })
}

/// `no-cache` and `private`: about the whole response, or about the fields of a list.
pub(super) fn cover(whole: &mut bool, fields: &mut Vec<HeaderName>, argument: Option<&[u8]>) {
    let Some(argument) = argument else {
        *whole = true;
        return;
    };
    let list = unquoted(argument);
    let mut names = list.split(|&b| b == b',').map(<[u8]>::trim_ascii).filter(|n| !n.is_empty());
    let before = fields.len();
    let readable = names.all(|name| HeaderName::from_bytes(name).map(|n| fields.push(n)).is_ok());
    if !readable || fields.len() == before {
        *whole = true;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &[&str]) -> CacheControl {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::CACHE_CONTROL, line.parse().unwrap());
        }
        parse(&headers)
    }

    /// Reads like the header it came from: only what a cache acts on, in a fixed order.
    pub(in crate::caching) fn told(control: &CacheControl) -> String {
        let mut words = Vec::new();
        for (is_said, word) in [
            (control.no_store, "no-store"),
            (control.no_cache, "no-cache"),
            (control.private, "private"),
            (control.public, "public"),
            (control.must_revalidate, "must-revalidate"),
            (control.proxy_revalidate, "proxy-revalidate"),
            (control.immutable, "immutable"),
            (control.must_understand, "must-understand"),
        ] {
            words.extend(is_said.then(|| word.to_owned()));
        }
        for (seconds, word) in [
            (control.max_age, "max-age"),
            (control.s_maxage, "s-maxage"),
            (control.stale_while_revalidate, "swr"),
            (control.stale_if_error, "sie"),
        ] {
            words.extend(seconds.map(|seconds| format!("{word}={}", seconds.as_secs())));
        }
        for (fields, word) in
            [(&control.no_cache_fields, "no-cache"), (&control.private_fields, "private")]
        {
            words.extend(fields.iter().map(|field| format!("{word}:{field}")));
        }
        words.join(" ")
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(told(&read(&[line])), expected, "Cache-Control: {line}");
    }

    #[test]
    fn every_directive_is_read_in_any_letter_case_and_spacing() {
        check("no-store", "no-store");
        check("No-Cache , PRIVATE", "no-cache private");
        check(
            "public,must-revalidate,\tproxy-revalidate,immutable",
            "public must-revalidate proxy-revalidate immutable",
        );
        check("max-age=60, s-maxage=600", "max-age=60 s-maxage=600");
        check("stale-while-revalidate=5, stale-if-error=10", "swr=5 sie=10");
        check(" ,, max-age=1 ,,", "max-age=1");
        check("no-transform, foo=bar, x", "");
        check("no-store, Must-Understand", "no-store must-understand");
    }

    #[test]
    fn seconds_follow_the_abnf_and_what_does_not_is_stale() {
        check("max-age=0060", "max-age=60");
        check("max-age=\"60\"", "max-age=60");
        check(r#"max-age="\6\0""#, "max-age=60");
        check("max-age='60'", "max-age=0");
        check("max-age=-1", "max-age=0");
        check("max-age=1.5", "max-age=0");
        check("max-age", "max-age=0");
        check("max-age=", "max-age=0");
        check("max-age =60", "max-age=0");
        check("max-age= 60", "max-age=0");
        check("max-age=60;s-maxage=5", "max-age=0");
        check("s-maxage=abc", "s-maxage=0");
        check("stale-if-error=soon", "sie=0");
        check("max-age=99999999999999999999999999", "max-age=3153600000");
    }

    #[test]
    fn of_two_values_the_smaller_counts() {
        check("max-age=10, max-age=20", "max-age=10");
        check("max-age=20, max-age=10", "max-age=10");
        assert_eq!(told(&read(&["max-age=20", "no-cache", "max-age=0"])), "no-cache max-age=0");
    }

    #[test]
    fn quoted_strings_hide_what_they_hold() {
        check("ext=\"no-store, max-age=1\", max-age=60", "max-age=60");
        check(r#"ext="a\", no-store", max-age=60"#, "max-age=60");
        check("ext=\"never closed, no-store", "no-store");
        check(r#"ext="\", private, x="\", no-store"#, "no-store");
    }

    /// Each of these quotes opens a string that is never closed. Looking for the end of each anew
    /// would take minutes here.
    #[test]
    fn quotes_that_are_never_closed_are_looked_for_once() {
        check(&format!("x=\"{}, no-store", r#"\","#.repeat(1 << 18)), "no-store");
    }

    #[test]
    fn a_field_list_is_about_these_fields_and_a_damaged_one_about_everything() {
        check("no-cache=\"Set-Cookie\"", "no-cache:set-cookie");
        check("no-cache=Set-Cookie", "no-cache:set-cookie");
        check("private=\"X-A, x-b\", max-age=5", "max-age=5 private:x-a private:x-b");
        check("no-cache=\"\"", "no-cache");
        check("private=", "private");
        check("private=\"x y\"", "private");
        check("private=\"X-A, x y\"", "private private:x-a");
        check("no-cache=\"Set-Cookie\", no-cache", "no-cache no-cache:set-cookie");
    }

    #[test]
    fn a_permission_is_only_read_as_written_and_a_prohibition_in_any_form() {
        check("public=yes", "");
        check("must-understand=1", "");
        check("no-store=1", "no-store");
        check("must-revalidate=0", "must-revalidate");
    }

    #[test]
    fn an_empty_field_is_a_field() {
        assert!(read(&[""]).is_present);
        assert!(!read(&[]).is_present);
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_reading_ends(
            lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4)
        ) {
            let mut headers = HeaderMap::new();
            for line in &lines {
                if let Ok(value) = HeaderValue::from_bytes(line) {
                    headers.append(header::CACHE_CONTROL, value);
                }
            }
            parse(&headers);
        }

        #[test]
        fn a_prohibition_is_never_lost_among_other_directives(
            before in prop::collection::vec("[a-z=0-9\"\\\\ ]{0,8}", 0..6),
            after in prop::collection::vec("[a-z=0-9 ]{0,8}", 0..6),
        ) {
            // Unless it stands inside a quoted string that was opened before it and closed behind.
            let line = format!("{},no-store,{}", before.join(","), after.join(","));
            let quotes = line.bytes().filter(|&b| b == b'"').count();
            prop_assume!(quotes <= 1 || !line.contains('\\') && quotes.is_multiple_of(2)
                && before.iter().all(|part| part.matches('"').count().is_multiple_of(2)));
            prop_assert!(read(&[&line]).no_store, "{}", line);
        }
    }
}
