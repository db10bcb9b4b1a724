//! Which bytes of a stored object a Range request gets (RFC 9110 §14, CloudFront guide: range GETs).
//!
//! For GET requests and objects with status 200 only; whether those are at hand is the caller's
//! knowledge. Writing 206, 416 and multipart bodies is `respond`'s work.

use std::ops::Range;

use ::http::{HeaderMap, HeaderValue, header};

use super::date;
use crate::compression::head::varies_by_encoding;

/// What a request with a Range header is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeAnswer {
    /// The whole object with status 200: no range asked for, or one that is not honored.
    Whole,
    /// 206 with these bytes; never empty, always inside the object.
    Part(Range<u64>),
    /// 206 as multipart/byteranges: 2 to [`MAX_RANGES`] parts, ascending, none overlapping.
    Parts(Vec<Range<u64>>),
    /// 416: the request is well-formed and names no byte of the object.
    Unsatisfiable,
}

/// A request with more ranges gets the whole object ("Apache killer": many ranges cost the server
/// far more than the viewer).
pub const MAX_RANGES: usize = 10;

/// The bytes that `request` asks of an object of `length` bytes with the headers `stored`.
///
/// As CloudFront does, ranges that descend, overlap or are malformed get the whole object
/// (CloudFront guide: range GETs). So the parts together are never longer than the object.
pub fn resolve(request: &HeaderMap, stored: &HeaderMap, length: u64) -> RangeAnswer {
    let mut fields = request.get_all(header::RANGE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return RangeAnswer::Whole;
    };
    if !if_range_holds(request, stored) {
        return RangeAnswer::Whole;
    }
    let Some(specs) = byte_range_specs(field) else { return RangeAnswer::Whole };

    let mut parts: [Range<u64>; MAX_RANGES] = std::array::from_fn(|_| 0..0);
    let (mut seen, mut satisfiable) = (0, 0);
    for spec in specs.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
        if spec.is_empty() {
            continue; // RFC 9110 §5.6.1.2: empty list members are ignored
        }
        seen += 1;
        let Some(asked) = Spec::parse(spec).filter(|_| seen <= MAX_RANGES) else {
            return RangeAnswer::Whole;
        };
        match asked.within(length) {
            Within::Bytes(part) => {
                if satisfiable > 0 && part.start < parts[satisfiable - 1].end {
                    return RangeAnswer::Whole;
                }
                parts[satisfiable] = part;
                satisfiable += 1;
            }
            Within::NoSuchBytes => {}
            Within::EmptyObject => return RangeAnswer::Whole,
        }
    }
    match satisfiable {
        0 if seen == 0 => RangeAnswer::Whole,
        0 => RangeAnswer::Unsatisfiable,
        1 => RangeAnswer::Part(parts[0].clone()),
        n => RangeAnswer::Parts(parts[..n].to_vec()),
    }
}

/// RFC 9110 §13.1.5: without If-Range, or when it names exactly the stored object.
fn if_range_holds(request: &HeaderMap, stored: &HeaderMap) -> bool {
    let mut fields = request.get_all(header::IF_RANGE).iter();
    let Some(condition) = fields.next() else { return true };
    if fields.next().is_some() {
        return false;
    }
    if condition.as_bytes().starts_with(b"\"") {
        // Strong comparison: a weak stored ETag begins with W/ and so never equals it.
        return stored.get(header::ETAG) == Some(condition);
    }
    if stored.contains_key(header::CONTENT_ENCODING) && varies_by_encoding(stored) {
        // All codings of a version have its date, and compressing it again may give other bytes.
        return false;
    }
    let time = |name| stored.get(name).and_then(date::parse);
    match (date::parse(condition), time(header::LAST_MODIFIED), time(header::DATE)) {
        // RFC 9110 §8.8.2.2: a modification time is a strong validator only when the object was
        // sent at least a second later; before, it might have changed again within that second.
        (Some(condition), Some(modified), Some(sent)) => {
            condition == modified && sent.duration_since(modified).is_ok_and(|d| d.as_secs() >= 1)
        }
        _ => false,
    }
}

/// What follows `bytes=`; `None` for other units, which are ignored (RFC 9110 §14.2).
fn byte_range_specs(field: &HeaderValue) -> Option<&[u8]> {
    let (unit, specs) = field.as_bytes().split_at_checked(6)?;
    unit.eq_ignore_ascii_case(b"bytes=").then_some(specs)
}

/// One member of a range set, as written.
enum Spec {
    From { first: u64, last: Option<u64> },
    Last(u64),
}

enum Within {
    Bytes(Range<u64>),
    NoSuchBytes,
    /// `-n` of an empty object: satisfiable (RFC 9110 §14.1.2), but no Content-Range can say so.
    EmptyObject,
}

impl Spec {
    fn parse(spec: &[u8]) -> Option<Spec> {
        let dash = spec.iter().position(|&byte| byte == b'-')?;
        let (first, last) = (&spec[..dash], &spec[dash + 1..]);
        if first.is_empty() {
            return number(last).map(Spec::Last);
        }
        let first = number(first)?;
        let last = if last.is_empty() { None } else { Some(number(last)?) };
        last.is_none_or(|last| first <= last).then_some(Spec::From { first, last })
    }

    fn within(&self, length: u64) -> Within {
        match *self {
            Spec::Last(0) => Within::NoSuchBytes,
            Spec::Last(_) if length == 0 => Within::EmptyObject,
            Spec::Last(n) => Within::Bytes(length.saturating_sub(n)..length),
            Spec::From { first, .. } if first >= length => Within::NoSuchBytes,
            Spec::From { first, last } => {
                Within::Bytes(first..last.map_or(length, |last| last.saturating_add(1).min(length)))
            }
        }
    }
}

/// Digits only; a number beyond 64 bits is as good as the largest.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |n, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        Some(n.saturating_mul(10).saturating_add(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap();
            let name = ::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn parts(parts: &[Range<u64>]) -> RangeAnswer {
        RangeAnswer::Parts(parts.to_vec())
    }

    /// `Range: …` of an object of 100 bytes.
    #[track_caller]
    fn check(range: &str, expected: RangeAnswer) {
        let request = headers(&[&format!("Range: {range}")]);
        assert_eq!(resolve(&request, &HeaderMap::new(), 100), expected, "{range}");
    }

    use RangeAnswer::{Part, Unsatisfiable, Whole};

    #[test]
    fn one_range_gets_its_bytes() {
        check("bytes=0-0", Part(0..1));
        check("bytes=10-19", Part(10..20));
        check("bytes=90-", Part(90..100));
        check("bytes=90-500", Part(90..100));
        check("bytes=99-99999999999999999999999999", Part(99..100));
        check("bytes=-10", Part(90..100));
        check("bytes=-500", Part(0..100));
        check("bytes=0-", Part(0..100));
        check("BYTES=0-4", Part(0..5));
        check("bytes= 0-4 ,", Part(0..5));
    }

    #[test]
    fn several_ascending_ranges_get_parts() {
        check("bytes=0-4,10-14", parts(&[0..5, 10..15]));
        check("bytes=0-4, 5-9 ,-10", parts(&[0..5, 5..10, 90..100]));
        check("bytes=0-4,200-300", Part(0..5));
        check("bytes=200-300,0-4", Part(0..5));
    }

    #[test]
    fn descending_overlapping_and_malformed_ranges_get_the_whole_object() {
        for range in [
            "bytes=10-14,0-4",
            "bytes=0-9,9-14",
            "bytes=0-9,0-9",
            "bytes=0-,0-",
            "bytes=0-50,-60",
            "bytes=5-4",
            "bytes=0-4,5-4",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=4",
            "bytes=a-b",
            "bytes=0-4,x",
            "bytes=+1-4",
            "bytes=0 - 4",
            "bytes=0-4-5",
            "bytes 0-4",
            "bytes =0-4",
            "items=0-4",
            "0-4",
            "",
        ] {
            check(range, Whole);
        }
    }

    #[test]
    fn a_range_without_a_byte_of_the_object_is_unsatisfiable() {
        check("bytes=100-", Unsatisfiable);
        check("bytes=100-200", Unsatisfiable);
        check("bytes=99999999999999999999999999-", Unsatisfiable);
        check("bytes=-0", Unsatisfiable);
        check("bytes=100-,200-", Unsatisfiable);
    }

    #[test]
    fn more_than_ten_ranges_get_the_whole_object() {
        let ranges = |n: u64| {
            let specs: Vec<_> = (0..n).map(|i| format!("{0}-{0}", i * 2)).collect();
            format!("bytes={}", specs.join(","))
        };
        let ten: Vec<_> = (0..10).map(|i| i * 2..i * 2 + 1).collect();
        check(&ranges(10), RangeAnswer::Parts(ten));
        check(&ranges(11), Whole);
        check(&format!("bytes={}0-0", "900-,".repeat(10)), Whole);
    }

    #[test]
    fn an_empty_object_has_no_bytes_to_name() {
        let of_empty = |range| resolve(&headers(&[range]), &HeaderMap::new(), 0);
        assert_eq!(of_empty("Range: bytes=0-"), Unsatisfiable);
        assert_eq!(of_empty("Range: bytes=-5"), Whole);
    }

    #[test]
    fn no_range_or_two_fields_of_it_get_the_whole_object() {
        assert_eq!(resolve(&HeaderMap::new(), &HeaderMap::new(), 100), Whole);
        let twice = headers(&["Range: bytes=0-4", "Range: bytes=0-4"]);
        assert_eq!(resolve(&twice, &HeaderMap::new(), 100), Whole);
    }

    #[track_caller]
    fn check_if_range(condition: &str, stored: &[&str], holds: bool) {
        let if_range = format!("If-Range: {condition}");
        let request = headers(&["Range: bytes=0-4", &if_range]);
        let expected = if holds { Part(0..5) } else { Whole };
        assert_eq!(resolve(&request, &headers(stored), 100), expected, "{condition} {stored:?}");
    }

    #[test]
    fn if_range_wants_exactly_the_stored_object() {
        check_if_range("\"a\"", &["ETag: \"a\""], true);
        check_if_range("\"b\"", &["ETag: \"a\""], false);
        check_if_range("W/\"a\"", &["ETag: W/\"a\""], false);
        check_if_range("\"a\"", &["ETag: W/\"a\""], false);
        check_if_range("\"a\"", &[], false);
        let modified = "Last-Modified: Sun, 06 Nov 1994 08:30:00 GMT";
        let later = "Date: Sun, 06 Nov 1994 08:30:01 GMT";
        let at_once = "Date: Sun, 06 Nov 1994 08:30:00 GMT";
        check_if_range("Sun, 06 Nov 1994 08:30:00 GMT", &[modified, later], true);
        check_if_range("Sun, 06 Nov 1994 08:30:01 GMT", &[modified, later], false);
        check_if_range("Sun, 06 Nov 1994 08:29:59 GMT", &[modified, later], false);
        check_if_range("Sun, 06 Nov 1994 08:30:00 GMT", &[modified, at_once], false);
        check_if_range("Sun, 06 Nov 1994 08:30:00 GMT", &[modified], false);
        check_if_range("yesterday", &[modified, later], false);
        let (gzip, varies) = ("Content-Encoding: gzip", "Vary: Origin, accept-encoding");
        check_if_range("Sun, 06 Nov 1994 08:30:00 GMT", &[modified, later, gzip], true);
        check_if_range("Sun, 06 Nov 1994 08:30:00 GMT", &[modified, later, gzip, varies], false);
        let twice = headers(&["Range: bytes=0-4", "If-Range: \"a\"", "If-Range: \"a\""]);
        assert_eq!(resolve(&twice, &headers(&["ETag: \"a\""]), 100), Whole);
    }

    proptest! {
        #[test]
        fn parts_lie_inside_the_object_ascend_and_do_not_overlap(
            specs in prop::collection::vec(
                prop_oneof![
                    (0..300u64, 0..300u64).prop_map(|(a, b)| format!("{a}-{}", a + b)),
                    (0..40u64).prop_map(|a| format!("{a}-")),
                    (0..40u64).prop_map(|n| format!("-{n}")),
                    (any::<u128>(), any::<u128>()).prop_map(|(a, b)| format!("{a}-{b}")),
                ],
                1..13,
            ),
            sorted in any::<bool>(),
            length in prop_oneof![Just(0), 1..500u64, any::<u64>()],
        ) {
            let mut specs = specs;
            if sorted {
                specs.sort_by_key(|spec| spec.split('-').next().and_then(|n| n.parse::<u128>().ok()));
            }
            let request = headers(&[&format!("Range: bytes={}", specs.join(","))]);
            let parts = match resolve(&request, &HeaderMap::new(), length) {
                Whole | Unsatisfiable => return Ok(()),
                Part(part) => vec![part],
                RangeAnswer::Parts(parts) => {
                    prop_assert!((2..=MAX_RANGES).contains(&parts.len()));
                    parts
                }
            };
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            prop_assert!(parts.windows(2).all(|pair| pair[0].end <= pair[1].start));
            prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= length);
        }

        #[test]
        fn whatever_the_bytes_a_range_is_resolved(
            bytes in prop::collection::vec(any::<u8>(), 0..80),
            length in any::<u64>(),
        ) {
            let mut request = HeaderMap::new();
            for prefix in [&b""[..], b"bytes="] {
                if let Ok(value) = HeaderValue::from_bytes(&[prefix, &bytes].concat()) {
                    request.insert(header::RANGE, value.clone());
                    request.insert(header::IF_RANGE, value);
                    resolve(&request, &HeaderMap::new(), length);
                    request.remove(header::IF_RANGE);
                    resolve(&request, &HeaderMap::new(), length);
                }
            }
        }
    }
}
