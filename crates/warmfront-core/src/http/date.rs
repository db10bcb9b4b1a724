//! HTTP dates (RFC 9110 §5.6.7): read in the three formats and any letter case, nothing else; written
//! in the one that is current.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::HeaderValue;

/// The moment that `value` names; `None` for anything that is not one of the three formats.
///
/// The name of the day must be one, but need not be that of the date: it tells nothing that the rest does not
/// (RFC 9110 §5.6.7 asks recipients to be robust).
pub fn parse(value: &HeaderValue) -> Option<SystemTime> {
    let mut canonical = [0; LONGEST];
    let canonical = canonical.get_mut(..value.len())?;
    canonical.copy_from_slice(value.as_bytes());
    let mut in_word = false;
    for byte in canonical.iter_mut() {
        if in_word {
            byte.make_ascii_lowercase();
        } else {
            byte.make_ascii_uppercase();
        }
        in_word = byte.is_ascii_alphabetic();
    }
    if let Some(zone) = canonical.strip_suffix_mut(b"Gmt") {
        zone.copy_from_slice(b"GMT");
    }
    let text = std::str::from_utf8(canonical).ok()?;
    httpdate::parse_http_date(text).ok().or_else(|| on_another_day(text))
}

/// The moment that `text` names once the name of its day is right.
fn on_another_day(text: &str) -> Option<SystemTime> {
    let (day, rest) = text.split_at(text.find(|letter: char| !letter.is_ascii_alphabetic())?);
    let names = [SHORT_DAYS, LONG_DAYS].into_iter().find(|names| names.contains(&day))?;
    names.iter().find_map(|name| httpdate::parse_http_date(&format!("{name}{rest}")).ok())
}

const SHORT_DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// `Sun, 06 Nov 1994 08:49:37 GMT`. A moment outside the years 1970 to 9999, which the format or its
/// readers cannot tell, becomes the nearest that can be told.
pub fn text(moment: SystemTime) -> String {
    httpdate::fmt_http_date(moment.clamp(UNIX_EPOCH, UNIX_EPOCH + LATEST))
}

/// [`text`] as a header's value.
pub fn header_value(moment: SystemTime) -> HeaderValue {
    HeaderValue::try_from(text(moment)).expect("an HTTP date is visible ASCII")
}

/// The last second of the year 9999.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// `Wednesday, 06-Nov-94 08:49:37 GMT`
const LONGEST: usize = 33;

trait StripSuffixMut {
    /// The last bytes of the slice, when they are `suffix`.
    fn strip_suffix_mut(&mut self, suffix: &[u8]) -> Option<&mut [u8]>;
}

impl StripSuffixMut for [u8] {
    fn strip_suffix_mut(&mut self, suffix: &[u8]) -> Option<&mut [u8]> {
        if !self.ends_with(suffix) {
            return None;
        }
        let start = self.len() - suffix.len();
        Some(&mut self[start..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, seconds: Option<u64>) {
        let expected = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(parse(&text.parse().unwrap()), expected, "{text}");
    }

    #[test]
    fn the_three_formats_name_the_same_moment_in_any_letter_case() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("sUN, 06 nOV 1994 08:49:37 gmt", Some(784_111_777));
        check("Sunday, 06-Nov-94 08:49:37 GMT", Some(784_111_777));
        check("SUNDAY, 06-NOV-94 08:49:37 GMT", Some(784_111_777));
        check("Wednesday, 09-Nov-94 08:49:37 GMT", Some(784_370_977));
        check("Sun Nov  6 08:49:37 1994", Some(784_111_777));
        check("sun nov  6 08:49:37 1994", Some(784_111_777));
    }

    #[test]
    fn the_day_of_the_week_is_not_held_against_the_date() {
        check("Mon, 06 Nov 1994 08:49:37 GMT", Some(784_111_777));
        check("saturday, 06-nov-94 08:49:37 gmt", Some(784_111_777));
        check("Thu Nov  6 08:49:37 1994", Some(784_111_777));
        check("Day, 06 Nov 1994 08:49:37 GMT", None);
        check("Mon, 31 Feb 2038 08:49:37 GMT", None);
        check("Monday, 06 Nov 1994 08:49:37 GMT", None);
    }

    #[test]
    fn nothing_else_is_a_date() {
        for text in [
            "",
            "0",
            "-1",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 2038 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "784111777",
            "Sun, 06 Nov 1994 08:49:37 GMT and a long tail behind it",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_reading_ends(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                parse(&value);
            }
        }

        #[test]
        fn what_httpdate_writes_is_read_back(seconds in 0u64..253_402_300_800) {
            let then = UNIX_EPOCH + Duration::from_secs(seconds);
            let text = httpdate::fmt_http_date(then).to_ascii_lowercase();
            prop_assert_eq!(parse(&text.parse().unwrap()), Some(then));
        }
    }

    #[test]
    fn a_moment_that_no_date_can_tell_becomes_the_nearest_that_can() {
        let day = Duration::from_secs(86_400);
        for (moment, expected) in [
            (UNIX_EPOCH, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (UNIX_EPOCH - day, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (UNIX_EPOCH + LATEST, "Fri, 31 Dec 9999 23:59:59 GMT"),
            (UNIX_EPOCH + LATEST + day, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            assert_eq!(text(moment), expected);
        }
    }
}
