//! Asking an origin for a part of an object, and what came of it (RFC 9110 §14).
//!
//! What a viewer gets of an object whose length is known is `range`'s work.

use std::ops::Range;

use ::http::{HeaderMap, HeaderValue, header};

/// The only range that a request asks for, of an object whose length nobody knows yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SoleRange {
    /// From the first octet to the last one, or to the end.
    From {
        /// The first.
        first: u64,
        /// The last; `None` is the end of the object.
        last: Option<u64>,
    },
    /// So many octets at the end.
    Last(u64),
}

impl SoleRange {
    /// The range that `request` asks for. `None` where it asks for none, for several, or for something that
    /// an origin may read otherwise: then the header goes to the origin as it is.
    pub fn asked(request: &HeaderMap) -> Option<Self> {
        let mut fields = request.get_all(header::RANGE).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return None };
        let (unit, spec) = field.as_bytes().split_at_checked(6)?;
        if !unit.eq_ignore_ascii_case(b"bytes=") {
            return None;
        }
        let dash = spec.iter().position(|octet| *octet == b'-')?;
        let (first, last) = (&spec[..dash], &spec[dash + 1..]);
        if first.is_empty() {
            return number(last).map(Self::Last);
        }
        let first = number(first)?;
        let last = if last.is_empty() { None } else { Some(number(last)?) };
        last.is_none_or(|last| first <= last).then_some(Self::From { first, last })
    }

    /// The same with every fragment of `size` octets whole that it touches.
    pub fn aligned(self, size: u64) -> Self {
        match self {
            Self::From { first, last } => Self::From {
                first: first / size * size,
                last: last.map(|last| (last / size).saturating_add(1).saturating_mul(size) - 1),
            },
            Self::Last(_) => self,
        }
    }

    /// Its octets in an object of this length; `None` when there are none.
    pub fn within(self, length: u64) -> Option<Range<u64>> {
        match self {
            Self::From { first, last } => {
                let end = last.map_or(length, |last| last.saturating_add(1).min(length));
                (first < length).then_some(first..end)
            }
            Self::Last(count) => {
                (count > 0 && length > 0).then(|| length.saturating_sub(count)..length)
            }
        }
    }

    /// As the value of a Range field.
    pub fn value(self) -> HeaderValue {
        let text = match self {
            Self::From { first, last: Some(last) } => format!("bytes={first}-{last}"),
            Self::From { first, last: None } => format!("bytes={first}-"),
            Self::Last(count) => format!("bytes=-{count}"),
        };
        HeaderValue::try_from(text).expect("digits are visible ASCII")
    }
}

/// The part of an object that a 206 brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its octets; never empty, and inside the object.
    pub range: Range<u64>,
    /// The length of the object.
    pub length: u64,
}

impl Part {
    /// What the headers of a 206 say that it brings. `None` when they do not say it once and clearly: several
    /// parts, a length that the origin does not know, numbers that contradict each other.
    pub fn brought(response: &HeaderMap) -> Option<Self> {
        let mut fields = response.get_all(header::CONTENT_RANGE).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else { return None };
        let (unit, rest) = field.as_bytes().split_at_checked(6)?;
        if !unit.eq_ignore_ascii_case(b"bytes ") {
            return None;
        }
        let mut halves = rest.trim_ascii().splitn(2, |octet| *octet == b'/');
        let (range, length) = (halves.next()?, number(halves.next()?)?);
        let mut ends = range.splitn(2, |octet| *octet == b'-');
        let (first, last) = (number(ends.next()?)?, number(ends.next()?)?);
        (first <= last && last < length).then(|| Self { range: first..last + 1, length })
    }
}

/// The ETag, if it is a strong one: only octets of responses with the same one may be put together
/// (RFC 9110 §15.3.7.3). Last-Modified is taken for weak, since two versions may be of the same second.
pub fn strong_etag(response: &HeaderMap) -> Option<&HeaderValue> {
    let mut fields = response.get_all(header::ETAG).iter();
    let (Some(etag), None) = (fields.next(), fields.next()) else { return None };
    let octets = etag.as_bytes();
    (octets.len() >= 2 && octets.starts_with(b"\"") && octets.ends_with(b"\"")).then_some(etag)
}

/// Digits only, and not so many that octets could not be counted.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str) -> Option<SoleRange> {
        let mut request = HeaderMap::new();
        request.insert(header::RANGE, range.parse().unwrap());
        SoleRange::asked(&request)
    }

    #[test]
    fn one_range_is_read_and_anything_else_is_left_to_the_origin() {
        for range in ["bytes=0-0", "bytes=10-19", "bytes=90-", "bytes=-10"] {
            assert_eq!(asked(range).unwrap().value(), range);
        }
        for range in [
            "bytes=",
            "bytes=-",
            "bytes=5-4",
            "bytes=0-4,6-9",
            "bytes=0-4,",
            "bytes= 0-4",
            "items=0-4",
            "bytes=1-9999999999999999999",
        ] {
            assert_eq!(asked(range), None, "{range}");
        }
        assert_eq!(SoleRange::asked(&HeaderMap::new()), None);
    }

    #[test]
    fn a_range_grows_to_whole_fragments() {
        for (range, aligned) in [
            ("bytes=0-0", "bytes=0-99"),
            ("bytes=99-100", "bytes=0-199"),
            ("bytes=100-199", "bytes=100-199"),
            ("bytes=250-", "bytes=200-"),
            ("bytes=-10", "bytes=-10"),
        ] {
            assert_eq!(asked(range).unwrap().aligned(100).value(), aligned, "{range}");
        }
    }

    #[test]
    fn a_range_has_the_octets_that_the_object_has() {
        for (range, within) in [
            ("bytes=0-9", Some(0..10)),
            ("bytes=40-99", Some(40..50)),
            ("bytes=49-", Some(49..50)),
            ("bytes=50-", None),
            ("bytes=-10", Some(40..50)),
            ("bytes=-99", Some(0..50)),
            ("bytes=-0", None),
        ] {
            assert_eq!(asked(range).unwrap().within(50), within, "{range}");
        }
    }

    #[test]
    fn a_part_is_taken_only_if_its_place_is_clear() {
        let brought = |fields: &[&str]| {
            let mut response = HeaderMap::new();
            for field in fields {
                response.append(header::CONTENT_RANGE, field.parse().unwrap());
            }
            Part::brought(&response)
        };
        assert_eq!(brought(&["bytes 0-9/50"]), Some(Part { range: 0..10, length: 50 }));
        assert_eq!(brought(&["Bytes 49-49/50"]), Some(Part { range: 49..50, length: 50 }));
        for unclear in [
            "bytes 0-9/*",
            "bytes */50",
            "bytes 0-50/50",
            "bytes 9-0/50",
            "bytes 0-9",
            "bytes=0-9/50",
            "bytes 0-9/50/50",
            "bytes 0--9/50",
            "items 0-9/50",
            "bytes 0-9/99999999999999999999",
        ] {
            assert_eq!(brought(&[unclear]), None, "{unclear}");
        }
        assert_eq!(brought(&[]), None);
        assert_eq!(brought(&["bytes 0-9/50", "bytes 0-9/50"]), None);
    }

    #[test]
    fn only_one_strong_etag_names_a_version() {
        let strong = |fields: &[&str]| {
            let mut response = HeaderMap::new();
            for field in fields {
                response.append(header::ETAG, field.parse().unwrap());
            }
            strong_etag(&response).is_some()
        };
        assert!(strong(&["\"a\""]));
        for fields in [&[][..], &["W/\"a\""], &["a"], &["\"a"], &["\""], &["\"a\"", "\"a\""]] {
            assert!(!strong(fields), "{fields:?}");
        }
    }
}
