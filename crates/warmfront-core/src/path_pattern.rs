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

/// The path that patterns are compared with: dot segments removed (RFC 3986 §5.2.4, written as `.`
/// or as `%2e`), then repeated slashes collapsed. Borrowed when there is nothing to do.
pub fn normalize_path(raw: &str) -> Cow<'_, str> {
    if is_normal(raw) {
        return Cow::Borrowed(raw);
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_with_slash = false;
    for segment in raw.strip_prefix('/').unwrap_or(raw).split('/') {
        let dots = dots(segment);
        match dots {
            Some(1) => {}
            Some(_) => {
                kept.pop();
            }
            None => kept.push(segment),
        }
        ends_with_slash = dots.is_some() || segment.is_empty();
    }
    let mut path = String::with_capacity(raw.len() + 1);
    for segment in kept.into_iter().filter(|segment| !segment.is_empty()) {
        path.push('/');
        path.push_str(segment);
    }
    if ends_with_slash || path.is_empty() {
        path.push('/');
    }
    Cow::Owned(path)
}

fn is_normal(raw: &str) -> bool {
    let Some(rest) = raw.strip_prefix('/') else { return false };
    let mut from = 0;
    // Only what follows a slash can begin an empty segment or one of dots.
    loop {
        match rest.as_bytes().get(from) {
            Some(b'/') => return false,
            Some(b'.' | b'%') => {
                let segment = rest[from..].split('/').next().unwrap_or_default();
                if dots(segment).is_some() {
                    return false;
                }
            }
            _ => {}
        }
        match rest.as_bytes()[from..].iter().position(|byte| *byte == b'/') {
            Some(slash) => from += slash + 1,
            None => return true,
        }
    }
}

/// How many dots a segment of one or two dots has; `None` for every other segment.
fn dots(segment: &str) -> Option<usize> {
    let mut rest = segment.as_bytes();
    let mut count = 0;
    while !rest.is_empty() {
        rest = match rest {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return None,
        };
        count += 1;
    }
    matches!(count, 1 | 2).then_some(count)
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
        ] {
            assert_eq!(normalize_path(raw), normal, "{raw}");
        }
    }

    #[test]
    fn a_normal_path_is_borrowed() {
        for path in
            ["/", "/a/b/", "/.well-known/x", "/a/...", "/..a", "/%2ea", "/a%2fb", "/%2f..", "/%"]
        {
            assert!(matches!(normalize_path(path), Cow::Borrowed(same) if same == path), "{path}");
        }
    }

    proptest! {
        #[test]
        fn normalizing_twice_changes_nothing_more(raw in "/?[a./%2eE]{0,20}") {
            let once = normalize_path(&raw).into_owned();
            prop_assert!(once.starts_with('/'));
            prop_assert!(!once.contains("//"));
            prop_assert!(once.split('/').all(|segment| dots(segment).is_none()), "{}", once);
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
