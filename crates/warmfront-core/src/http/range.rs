//! Which bytes of a stored object a Range request gets (RFC 9110 §14, CloudFront guide: range GETs).
//!
//! For GET requests and objects with status 200 only; whether those are at hand is the caller's
//! knowledge. Writing 206, 416 and multipart bodies is `respond`'s work.

use std::ops::Range;

use ::http::{HeaderMap, HeaderValue, header};

use super::date;

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
