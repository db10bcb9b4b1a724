//! Which paths a behavior answers (CloudFront guide: path pattern).
//!
//! Patterns see the normalized path; the cache key and the origin get the raw one.

use std::borrow::Cow;
use std::fmt;

use crate::wildcard;

/// A checked path pattern: `*` is any run of characters, `?` is one, nothing else is special.
///
/// ```
/// use warmfront_core::PathPattern;
/// let pattern = PathPattern::parse("images/*.jp?g")?;
/// assert!(pattern.matches("/images/2026/cat.jpeg"));
/// assert!(!pattern.matches("/Images/cat.jpeg"));
/// # Ok::<(), warmfront_core::path_pattern::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
}

/// Why a text is no path pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Nothing at all.
    #[error("a path pattern cannot be empty; \"*\" answers every path")]
    Empty,
    /// More than [`PathPattern::MAX_LENGTH`] characters.
    #[error("a path pattern has at most 255 characters, this one has {0}")]
    TooLong(usize),
    /// A character that CloudFront does not take.
    #[error("{0:?} cannot stand in a path pattern; letters, digits and _-.*?$/~\"'@:+& can")]
    Character(char),
}

impl PathPattern {
    /// The longest pattern (CloudFront guide: quotas).
    pub const MAX_LENGTH: usize = 255;

    /// Checks `text` as `CreateDistribution` does.
    pub fn parse(text: &str) -> Result<PathPattern, PatternError> {
        let length = text.chars().count();
        if length == 0 {
            return Err(PatternError::Empty);
        }
        if length > Self::MAX_LENGTH {
            return Err(PatternError::TooLong(length));
        }
        match text.chars().find(|&c| !is_allowed(c)) {
            Some(character) => Err(PatternError::Character(character)),
            None => Ok(PathPattern { text: text.to_owned() }),
        }
    }

    /// `*`: the pattern of the default behavior.
    pub fn any() -> PathPattern {
        PathPattern { text: "*".to_owned() }
    }

    /// Whether a path, normalized with [`normalize_path`], is one of these.
    pub fn matches(&self, normalized_path: &str) -> bool {
        let (pattern, path) = (self.text.as_bytes(), normalized_path.as_bytes());
        match pattern.first() {
            Some(b'/' | b'*') => wildcard::matches(pattern, path),
            // CloudFront guide: the leading slash is optional.
            _ => path.strip_prefix(b"/").is_some_and(|path| wildcard::matches(pattern, path)),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The path that patterns are compared with, normalized as RFC 3986 has it (CloudFront guide: path pattern):
/// percent-encoded unreserved characters decoded (§6.2.2.2), dot segments removed (§5.2.4), then repeated
/// slashes collapsed. Borrowed when there is nothing to do.
///
/// `%2F` is no slash here, as for CloudFront: `/private%2Fx` is not below `/private/*`, although some origins
/// read it so: [`Distribution::trusted_keys_for`](crate::Distribution::trusted_keys_for) knows them.
pub fn normalize_path(raw: &str) -> Cow<'_, str> {
    match decoded(raw, is_unreserved) {
        Cow::Borrowed(raw) => without_dot_segments(raw),
        Cow::Owned(decoded) => Cow::Owned(without_dot_segments(&decoded).into_owned()),
    }
}

/// Where an origin that decodes everything, slashes too, finds a path. `None`: where it seems to be.
pub fn as_origins_may_read(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return None;
    }
    let decoded = decoded(raw, is_printable);
    let read = without_dot_segments(&decoded);
    (read != normalize_path(raw)).then(|| read.into_owned())
}

/// Where an origin that decodes everything, slashes too, may take a path that leads up again (`..`, in
/// whatever spelling) and so out of the directory that it seems to be in. `None`: it does not lead up.
pub fn where_it_climbs(raw: &str) -> Option<String> {
    let decoded = decoded(raw, is_printable);
    let climbs = decoded.split('/').any(|segment| segment == "..");
    climbs.then(|| without_dot_segments(&decoded).into_owned())
}

/// RFC 3986 §2.3: these mean the same with and without percent-encoding.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What origins decode, as far as a pattern could say it. Once: `%25` stays.
fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'%'
}

/// `raw` with the percent-encodings of the characters that `is_meant` takes resolved, once.
fn decoded(raw: &str, is_meant: impl Fn(u8) -> bool) -> Cow<'_, str> {
    let mut text = String::new();
    let mut taken = 0;
    for (at, _) in raw.match_indices('%') {
        let digits = raw.get(at + 1..at + 3).filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(plain) = byte.filter(|byte| is_meant(*byte)) {
            text.push_str(&raw[taken..at]);
            text.push(char::from(plain));
            taken = at + 3;
        }
    }
    if taken == 0 {
        return Cow::Borrowed(raw);
    }
    text.push_str(&raw[taken..]);
    Cow::Owned(text)
}

pub(crate) fn without_dot_segments(path: &str) -> Cow<'_, str> {
    if is_normal(path) {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_with_slash = false;
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
        ends_with_slash = matches!(segment, "" | "." | "..");
    }
    let mut normal = String::with_capacity(path.len() + 1);
    for segment in kept.into_iter().filter(|segment| !segment.is_empty()) {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_with_slash || normal.is_empty() {
        normal.push('/');
    }
    Cow::Owned(normal)
}

fn is_normal(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else { return false };
    let mut rest = rest.as_bytes();
    // Only what follows a slash can begin an empty segment or one of dots.
    loop {
        if let [b'/', ..] | [b'.'] | [b'.', b'/', ..] | [b'.', b'.'] | [b'.', b'.', b'/', ..] = rest
        {
            return false;
        }
        match rest.iter().position(|byte| *byte == b'/') {
            Some(slash) => rest = &rest[slash + 1..],
            None => return true,
        }
    }
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || "_-.*?$/~\"'@:+&".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        let pattern = PathPattern::parse(pattern).unwrap();
        for path in matching {
            assert!(pattern.matches(&normalize_path(path)), "{pattern} answers {path}");
        }
        for path in other {
            assert!(!pattern.matches(&normalize_path(path)), "{pattern} does not answer {path}");
        }
    }

    #[test]
    fn a_star_is_any_run_of_characters_slashes_too() {
        check("*.jpg", &["/a.jpg", "/a/b/c.jpg", "/.jpg"], &["/a.jpeg", "/a.jpg/"]);
        check("/a*b*c", &["/abc", "/a/b/c", "/aXbYbZc"], &["/ab", "/acb", "/abcd"]);
        check("*.doc*", &["/x.doc", "/x.docx", "/d.doc/y"], &["/x.do"]);
        check("*", &["/", "/anything/at.all"], &[]);
    }

    #[test]
    fn a_question_mark_is_exactly_one_character() {
        check("a??.js", &["/a12.js", "/a/2.js"], &["/a1.js", "/a123.js", "/b12.js"]);
        check("/?", &["/a"], &["/", "/ab"]);
    }

    #[test]
    fn a_directory_needs_its_slash() {
        check("/dir/*", &["/dir/", "/dir/a"], &["/dir", "/directory"]);
        check("/dir*", &["/dir", "/directory", "/dir/a"], &["/di"]);
    }

    #[test]
    fn the_leading_slash_is_optional() {
        check("images/*", &["/images/a"], &["/x/images/a"]);
        check("a*.jpg", &["/a1.jpg"], &["/b/a1.jpg"]);
    }

    #[test]
    fn letters_are_case_sensitive_and_the_rest_is_literal() {
        check("/Images/*", &["/Images/a"], &["/images/a"]);
        check("/a+b/$x.~'@:&", &["/a+b/$x.~'@:&"], &["/aab/$x.~'@:&", "/a+b/$xx~'@:&"]);
    }

    #[test]
    fn matching_sees_the_normalized_path() {
        check("/api/*", &["//api/x", "/a/../api/x", "/./api//x", "/%2e/api/x"], &["/api/../x"]);
    }

    #[test]
    fn an_encoding_that_means_nothing_makes_no_difference() {
        check(
            "/private/*",
            &["/%70rivate/x", "/public/%2e%2e/private/x", "/private/%2e%2e%2fpublic/x"],
            &["/private", "/privat%65", "/%2570rivate/x", "/private%2Fx", "/public/..%2fprivate/x"],
        );
        check("/@me/*", &["/@me/x", "/@m%65/x"], &["/%40me/x"]);
        check("/a?b", &["/a%7Eb"], &["/a%20b", "/a%C3%A4b", "/a%0Ab", "/a%25b"]);
    }

    #[test]
    fn origins_may_find_an_encoded_slash_in_a_path() {
        for (path, read) in [
            ("/private%2Fx", Some("/private/x")),
            ("/public/..%2fprivate/x", Some("/private/x")),
            ("/%40me/x", Some("/@me/x")),
            ("/a%20b", Some("/a b")),
            ("/private/x", None),
            ("/%70rivate/%2e%2e/x", None),
            ("/private%252Fx", None),
            ("/%c3%a4%", None),
        ] {
            assert_eq!(as_origins_may_read(path).as_deref(), read, "{path}");
        }
    }

    #[test]
    fn a_path_climbs_however_it_says_so() {
        for path in ["/a/..", "/../a", "/a/%2e./b", "/a/..%2fb", "/a%2F%2E%2E", "..", "/.%2E"] {
            assert!(where_it_climbs(path).is_some(), "{path}");
        }
        for path in ["/", "/a/.", "/...", "/a..", "/..a/b", "/a/%252e%252e/b", "/%", "/%2", "/é%c3"]
        {
            assert!(where_it_climbs(path).is_none(), "{path}");
        }
    }

    #[test]
    fn what_cloudfront_refuses_is_no_pattern() {
        assert_eq!(PathPattern::parse(""), Err(PatternError::Empty));
        assert_eq!(PathPattern::parse(&"a".repeat(256)), Err(PatternError::TooLong(256)));
        assert_eq!(PathPattern::parse("/a b"), Err(PatternError::Character(' ')));
        assert_eq!(PathPattern::parse("/ä"), Err(PatternError::Character('ä')));
        assert_eq!(PathPattern::parse("/[a]"), Err(PatternError::Character('[')));
        assert!(PathPattern::parse(&"a".repeat(255)).is_ok());
    }

    #[test]
    fn dot_segments_and_repeated_slashes_go() {
        for (raw, normal) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("/a/./b", "/a/b"),
            ("/a/.", "/a/"),
            ("/a/..", "/"),
            ("/..", "/"),
            ("/../../a", "/a"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/a//../b", "/a/b"),
            ("/%2ea", "/.a"),
            ("/a%2fb", "/a%2fb"),
            ("/%2f../b", "/%2f../b"),
            ("/a%zz%4", "/a%zz%4"),
            ("/%%34%31", "/%41"),
        ] {
            assert_eq!(normalize_path(raw), normal, "{raw}");
        }
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        for path in [
            "/",
            "/a/b/",
            "/.well-known/x",
            "/a/...",
            "/..a",
            "/%25",
            "/%c3%a4",
            "/%0a",
            "/%",
            "/é%2",
        ] {
            assert!(matches!(normalize_path(path), Cow::Borrowed(same) if same == path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing_more(raw in "/?[a./%2eE]{0,20}") {
            let once = normalize_path(&raw).into_owned();
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.contains("//"));
            prop_assert!(once.split('/').all(|segment| !matches!(segment, "." | "..")), "{}", once);
            prop_assert_eq!(normalize_path(&once), once.as_str());
        }

        #[test]
        fn any_text_is_taken(text in any::<String>(), path in any::<String>()) {
            if let Ok(pattern) = PathPattern::parse(&text) {
                pattern.matches(&normalize_path(&path));
            }
            normalize_path(&path);
        }
    }
}
