//! The cache tags of a stored response, from the header that the distribution names (`CacheTagConfig`; CloudFront
//! guide: invalidate by cache tag).

use std::sync::Arc;

use ::http::{HeaderMap, HeaderName};

/// The most tags that an object keeps; what follows them in the header counts for nothing.
pub const MOST_TAGS: usize = 50;
/// The most characters of a tag.
pub const LONGEST_TAG: usize = 256;

/// Where S3 puts an object's tags: what its owner has set is metadata, which S3 sends under this prefix.
const S3_CACHE_TAG: HeaderName = HeaderName::from_static("x-amz-meta-cache-tag");

/// Tags in lower case, none twice, in the order of the header. Cheap to clone; nothing is allocated for none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheTags(
    /// Joined with commas, which no tag has.
    Option<Arc<str>>,
);

impl CacheTags {
    /// None at all.
    pub const NONE: Self = Self(None);

    /// The tags of a response with these headers, of a distribution that reads them from `name`.
    pub fn of(headers: &HeaderMap, name: &HeaderName, is_s3: bool) -> Self {
        let own = headers.get_all(name).iter();
        let also = (is_s3 && *name != S3_CACHE_TAG).then(|| headers.get_all(S3_CACHE_TAG).iter());
        Self::of_values(own.chain(also.into_iter().flatten()).map(|value| value.as_bytes()))
    }

    /// Whether a response with these headers says anything about its tags.
    pub fn are_in(headers: &HeaderMap, name: &HeaderName, is_s3: bool) -> bool {
        headers.contains_key(name) || (is_s3 && headers.contains_key(S3_CACHE_TAG))
    }

    /// The tags in these values of the header: separated by commas, trimmed, the first 50. What is no tag is
    /// skipped.
    pub fn of_values<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut joined = String::new();
        let mut count = 0;
        for written in values.into_iter().flat_map(|value| value.split(|octet| *octet == b',')) {
            let written = written.trim_ascii();
            if written.is_empty() || written.len() > LONGEST_TAG {
                continue;
            }
            let Ok(text) = std::str::from_utf8(written) else { continue };
            if !text.chars().all(is_allowed) {
                continue;
            }
            let tag = text.to_ascii_lowercase();
            if joined.split(',').any(|known| known == tag) {
                continue;
            }
            if count > 0 {
                joined.push(',');
            }
            joined.push_str(&tag);
            count += 1;
            if count == MOST_TAGS {
                break;
            }
        }
        Self((count > 0).then(|| joined.into()))
    }

    /// Each tag.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|joined| joined.split(','))
    }

    /// All of them with commas between, to be kept; [`CacheTags::of_values`] reads it again.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Visible ASCII but the comma, which stands between tags.
pub(super) fn is_allowed(character: char) -> bool {
    character.is_ascii_graphic() && character != ','
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::headers;

    #[track_caller]
    fn check(fields: &[&str], is_s3: bool, expected: &str) {
        let tags = CacheTags::of(&headers(fields), &HeaderName::from_static("cache-tag"), is_s3);
        assert_eq!(tags.as_str(), expected, "{fields:?}");
        assert_eq!(CacheTags::of_values([expected.as_bytes()]), tags, "{expected} is read again");
    }

    #[test]
    fn tags_are_split_trimmed_and_lower_case() {
        check(&["cache-tag: Product:42,  home ,a/b"], false, "product:42,home,a/b");
        check(&["cache-tag: a", "cache-tag: b,c"], false, "a,b,c");
        check(&["cache-tag: a,A,b,a"], false, "a,b");
        check(&["other: a"], false, "");
        check(&["cache-tag: ,, ,"], false, "");
    }

    #[test]
    fn what_is_no_tag_is_skipped_and_the_rest_is_kept() {
        check(&["cache-tag: a b,c"], false, "c");
        check(&["cache-tag: caf\u{e9},c"], false, "c");
        let (longest, longer) = ("x".repeat(LONGEST_TAG), "x".repeat(LONGEST_TAG + 1));
        check(&[&format!("cache-tag: {longer},{longest},c")], false, &format!("{longest},c"));
    }

    #[test]
    fn the_first_fifty_are_kept() {
        let tags: Vec<String> = (0..60).map(|number| format!("t{number}")).collect();
        let field = format!("cache-tag: bad tag,{}", tags.join(","));
        check(&[&field], false, &tags[..MOST_TAGS].join(","));
    }

    #[test]
    fn a_bucket_says_them_as_metadata() {
        check(&["x-amz-meta-cache-tag: a"], true, "a");
        check(&["x-amz-meta-cache-tag: a"], false, "");
        check(&["x-amz-meta-cache-tag: a", "cache-tag: b"], true, "b,a");
    }
}
