//! Cache-Control of a response, read tolerantly (RFC 9111 §5.2).
//!
//! Where a directive is damaged, the reading that keeps less is taken: an argument that is not a
//! number of seconds is zero, of two values the smaller one counts, a field list that cannot be
//! read covers everything.

use std::borrow::Cow;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, header};

/// The directives of a response that a shared cache acts on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CacheControl {
    /// There is a Cache-Control field at all, whatever it says.
    pub is_present: bool,
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
    /// `immutable`: a word to browsers (RFC 8246); a shared cache has its lifetime anyway.
    pub immutable: bool,
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

/// Reads all Cache-Control fields of a response. Whatever they hold, this ends and never fails.
pub fn parse(headers: &HeaderMap) -> CacheControl {
    let mut control = CacheControl::default();
    for line in headers.get_all(header::CACHE_CONTROL) {
        control.is_present = true;
        let mut rest = line.as_bytes();
        while let Some(member) = next_member(&mut rest) {
            control.take(member);
        }
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
        } else if is("public") {
            self.public = argument.is_none(); // the one word that permits: exactly as in the ABNF
        } else if is("immutable") {
            self.immutable = true;
        }
    }
}

/// The next member of a comma-separated list, without the space around it. A comma inside a quoted
/// string does not separate; a quote that is never closed is an ordinary character.
fn next_member<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    if rest.is_empty() {
        return None;
    }
    let line = *rest;
    let mut at = 0;
    while at < line.len() && line[at] != b',' {
        at = match line[at] {
            b'"' => closing_quote(line, at).unwrap_or(at) + 1,
            _ => at + 1,
        };
    }
    *rest = line.get(at + 1..).unwrap_or_default();
    Some(line[..at].trim_ascii())
}

fn closing_quote(line: &[u8], opening: usize) -> Option<usize> {
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
fn unquoted(argument: &[u8]) -> Cow<'_, [u8]> {
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
fn cover(whole: &mut bool, fields: &mut Vec<HeaderName>, argument: Option<&[u8]>) {
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
