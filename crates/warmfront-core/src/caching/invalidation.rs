//! What an invalidation names: one path, every path that begins as it does, or a cache tag (CloudFront guide:
//! invalidate files to remove content).
//!
//! A path is compared in one spelling, [`spelled`]: characters that a URL must encode are encoded, and the
//! digits of escapes are upper-case (RFC 3986 §6.2.2.1), in the item and in the key alike. Nothing else is
//! decoded or encoded: `/a` and `/%61` are two objects, as they are on CloudFront. Who remembers what was
//! invalidated is the engine's work.

use std::borrow::Cow;
use std::fmt;

use super::CacheTags;
use super::cache_tags::{self, LONGEST_TAG};
use crate::Distribution;

/// The most characters of an item (CloudFront guide: quotas).
pub const LONGEST_ITEM: usize = 4000;
/// The most items of one invalidation (CloudFront guide: quotas, active paths).
pub const MOST_ITEMS: usize = 3000;

/// One item of an invalidation, checked and spelled as keys are compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Invalidation {
    /// The object with this path and, where the key has one, query: all its variants.
    Path(String),
    /// Every object whose path and query begin so: what was written with a `*` at its end.
    Prefix(String),
    /// Every object with this tag, in lower case.
    Tag(String),
}

/// Why a text names nothing that could be invalidated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidationError {
    /// Nothing at all.
    #[error(
        "an item cannot be empty: write a path (/a), a path with * at its end (/a/*) or a cache tag (#a)"
    )]
    Empty,
    /// A URL, or a path without its slash.
    #[error("a path begins with a slash: write {0:?}")]
    NoSlash(String),
    /// More than [`LONGEST_ITEM`] characters.
    #[error(
        "an item has at most 4,000 characters, this one has {0}: end it earlier with * to name what begins so"
    )]
    TooLong(usize),
    /// A line feed, a tab and the like.
    #[error("{0:?} cannot stand in a path: an item is one path, and each path an item of its own")]
    Control(char),
    /// CloudFront guide: `~` is not supported in invalidation paths, encoded or not.
    #[error(
        "CloudFront takes no ~ in an invalidation, encoded or not: end the path before it with *, as in {0:?}"
    )]
    Tilde(String),
    /// `#` alone.
    #[error("a cache tag follows the #, as in #product:42")]
    EmptyTag,
    /// Tags have no wildcards.
    #[error(
        "a cache tag is matched whole, so it has no *: name each tag, or give the objects a common one"
    )]
    TagWildcard,
    /// Longer than a tag can be.
    #[error("a cache tag has at most 256 characters, this one has {0}")]
    TagTooLong(usize),
    /// A comma, a space, or what is not visible ASCII.
    #[error(
        "{0:?} cannot stand in a cache tag, which is visible ASCII without commas: each tag is an item of its own"
    )]
    TagCharacter(char),
}

impl Invalidation {
    /// Reads an item: `/path`, `/path*` or `#tag`. Only a `*` at the end is a wildcard.
    ///
    /// ```
    /// use warmfront_core::caching::Invalidation;
    /// let item = Invalidation::parse("/img/*")?;
    /// assert!(item.covers("/img/cat.jpg?w=100", &Default::default()));
    /// assert!(!item.covers("/img", &Default::default()));
    /// # Ok::<(), warmfront_core::caching::InvalidationError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidationError> {
        let length = text.chars().count();
        if length > LONGEST_ITEM {
            return Err(InvalidationError::TooLong(length));
        }
        match text.as_bytes().first() {
            None => Err(InvalidationError::Empty),
            Some(b'#') => tag(&text[1..]).map(Self::Tag),
            Some(b'/') => path(text),
            Some(_) => Err(InvalidationError::NoSlash(with_slash(text))),
        }
    }

    /// The same item as `distribution` keys its objects: `/` is its default root object, as in a request.
    pub fn within(self, distribution: &Distribution) -> Self {
        match self {
            Self::Path(path) => {
                let (root, query) = path.split_once('?').unwrap_or((&path, ""));
                match distribution.effective_path(root) {
                    Cow::Borrowed(_) => Self::Path(path),
                    Cow::Owned(object) => Self::Path(address(&object, query).into_owned()),
                }
            }
            other => other,
        }
    }

    /// Whether an object is meant that has this [`address`] and these tags.
    pub fn covers(&self, address: &str, tags: &CacheTags) -> bool {
        match self {
            Self::Path(path) => path == address,
            Self::Prefix(prefix) => address.starts_with(prefix.as_str()),
            Self::Tag(tag) => tags.iter().any(|own| own == tag),
        }
    }
}

/// As it is written, in the spelling that is compared.
impl fmt::Display for Invalidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Tag(tag) => write!(f, "#{tag}"),
        }
    }
}

/// What invalidations compare of an object: its raw path, and behind a `?` the query that its key has.
/// Borrowed where there is no query and the path is spelled as it is compared.
pub fn address<'a>(path: &'a str, keyed_query: &str) -> Cow<'a, str> {
    if keyed_query.is_empty() {
        return spelled(path);
    }
    Cow::Owned(format!("{}?{}", spelled(path), spelled(keyed_query)))
}

/// `text` in the one spelling that is compared.
pub fn spelled(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|octet| octet == b'%' || must_be_encoded(octet)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    let octets = text.as_bytes();
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let escape = match octets.get(at + 1..octets.len().min(at + 3)) {
            // What is cut off within an escape is the beginning of one: `/caf%c*`.
            Some(digits) if octet == b'%' && digits.iter().all(u8::is_ascii_hexdigit) => digits,
            _ => &[],
        };
        if must_be_encoded(octet) {
            out.push('%');
            out.push(char::from(HEX[usize::from(octet >> 4)]));
            out.push(char::from(HEX[usize::from(octet & 15)]));
        } else {
            out.push(char::from(octet));
            out.extend(escape.iter().map(|digit| char::from(digit.to_ascii_uppercase())));
        }
        at += 1 + escape.len();
    }
    Cow::Owned(out)
}

/// Not ASCII, or unsafe by RFC 1738 §2.2; `%` begins an escape, and `~` is refused where it counts.
fn must_be_encoded(octet: u8) -> bool {
    !octet.is_ascii_graphic()
        || matches!(
            octet,
            b'"' | b'#' | b'<' | b'>' | b'[' | b'\\' | b']' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

fn path(text: &str) -> Result<Invalidation, InvalidationError> {
    if let Some(control) = text.chars().find(|character| character.is_control()) {
        return Err(InvalidationError::Control(control));
    }
    if let Some(at) = tilde(text) {
        return Err(InvalidationError::Tilde(format!("{}*", &text[..at])));
    }
    if let Some(prefix) = text.strip_suffix('*') {
        return Ok(Invalidation::Prefix(spelled(prefix).into_owned()));
    }
    // A request for `/a?` has no query to key.
    let text = match text.split_once('?') {
        Some((path, "")) => path,
        _ => text,
    };
    Ok(Invalidation::Path(spelled(text).into_owned()))
}

fn tilde(text: &str) -> Option<usize> {
    let escaped = text.as_bytes().windows(3).position(|it| it.eq_ignore_ascii_case(b"%7e"));
    text.find('~').into_iter().chain(escaped).min()
}

/// The path that a text without a leading slash stands for: of a URL, what follows the host.
fn with_slash(text: &str) -> String {
    match text.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]).to_owned(),
        None => format!("/{}", text.trim_start().trim_start_matches('/')),
    }
}

fn tag(text: &str) -> Result<String, InvalidationError> {
    let length = text.chars().count();
    if text.is_empty() {
        return Err(InvalidationError::EmptyTag);
    }
    if text.contains('*') {
        return Err(InvalidationError::TagWildcard);
    }
    if let Some(character) = text.chars().find(|&character| !cache_tags::is_allowed(character)) {
        return Err(InvalidationError::TagCharacter(character));
    }
    if length > LONGEST_TAG {
        return Err(InvalidationError::TagTooLong(length));
    }
    Ok(text.to_ascii_lowercase())
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

#[cfg(test)]
mod tests;
