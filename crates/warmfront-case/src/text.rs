//! Text of a case, with the two things nobody can write down: a date of the virtual clock
//! (`{date+60s}`) and a very long value (`{a*8200}`).

use std::time::{Duration, SystemTime};

/// The longest repetition, in octets.
const LONGEST_REPETITION: usize = 1 << 20;

/// Octets, except for dates that are known only when the text is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Octets(Vec<u8>),
    /// An HTTP date, this many seconds from now.
    Date(i64),
}

impl Text {
    /// Reads the braces of `octets`; braces that hold neither a date nor a repetition stay as they are.
    pub(crate) fn parse(octets: &[u8]) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut rest = octets;
        while let Some((&first, after)) = rest.split_first() {
            let inside = (first == b'{')
                .then(|| rest.iter().position(|&octet| octet == b'}'))
                .flatten()
                .map(|end| &rest[1..end]);
            match inside.map(placeholder).transpose()?.flatten() {
                Some(Placeholder::Date(offset)) => {
                    if !plain.is_empty() {
                        parts.push(Part::Octets(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Date(offset));
                }
                Some(Placeholder::Repeated(text)) => plain.extend_from_slice(&text),
                None => {
                    plain.push(first);
                    rest = after;
                    continue;
                }
            }
            rest = &rest[inside.map_or(0, <[u8]>::len) + 2..];
        }
        if !plain.is_empty() {
            parts.push(Part::Octets(plain));
        }
        Ok(Self(parts))
    }

    /// The octets at `now`.
    pub(crate) fn at(&self, now: SystemTime) -> Vec<u8> {
        let mut octets = Vec::new();
        for part in &self.0 {
            match part {
                Part::Octets(plain) => octets.extend_from_slice(plain),
                Part::Date(offset) => {
                    let distance = Duration::from_secs(offset.unsigned_abs());
                    let date = if *offset < 0 { now - distance } else { now + distance };
                    octets.extend_from_slice(httpdate::fmt_http_date(date).as_bytes());
                }
            }
        }
        octets
    }
}

enum Placeholder {
    Date(i64),
    Repeated(Vec<u8>),
}

fn placeholder(inside: &[u8]) -> Result<Option<Placeholder>, String> {
    let Ok(inside) = std::str::from_utf8(inside) else { return Ok(None) };
    if let Some(offset) = inside.strip_prefix("date") {
        let (sign, distance) = match offset.split_at_checked(1) {
            None => return Ok(Some(Placeholder::Date(0))),
            Some(("+", distance)) => (1, distance),
            Some(("-", distance)) => (-1, distance),
            Some(_) => return Ok(None),
        };
        let distance = duration(distance)
            .filter(|distance| distance.subsec_nanos() == 0 && distance.as_secs() < 1 << 32)
            .ok_or_else(|| format!("{{{inside}}}: write {{date+60s}} or {{date-1h}}"))?;
        return Ok(Some(Placeholder::Date(sign * distance.as_secs() as i64)));
    }
    let Some((text, times)) = inside.rsplit_once('*') else { return Ok(None) };
    let Ok(times) = times.parse::<usize>() else { return Ok(None) };
    match text.len().checked_mul(times) {
        Some(length) if length <= LONGEST_REPETITION && !text.is_empty() => {
            Ok(Some(Placeholder::Repeated(text.repeat(times).into_bytes())))
        }
        _ => Err(format!("{{{inside}}} is longer than {LONGEST_REPETITION} octets, or empty")),
    }
}

/// `60s`, `1500ms`, `2m`, `1h`, `1d`.
pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// `100`, `4KiB`, `2MiB`.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
        let rendered = Text::parse(text.as_bytes()).map(|text| text.at(now));
        assert_eq!(rendered.as_deref(), Ok(expected.as_bytes()), "{text}");
    }

    #[test]
    fn dates_follow_the_clock() {
        check("{date}", "Thu, 01 Jan 1970 01:00:00 GMT");
        check("a {date+60s}", "a Thu, 01 Jan 1970 01:01:00 GMT");
        check("{date-1h}!", "Thu, 01 Jan 1970 00:00:00 GMT!");
    }

    #[test]
    fn repetitions_are_written_out() {
        check("/{ab*3}/", "/ababab/");
        check("{***3}", "******");
    }

    #[test]
    fn other_braces_stay() {
        for text in ["{}", "{\"a\": 1}", "{dated}", "{", "}{", "{a*b}", "{a"] {
            check(text, text);
        }
    }

    #[test]
    fn a_date_that_cannot_be_is_refused() {
        for text in ["{date+}", "{date+5}", "{date-1w}", "{a*99999999}", "{*5}"] {
            assert!(Text::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn units_are_read_and_nothing_else() {
        assert_eq!(duration("1500ms"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(duration("2"), None);
        assert_eq!(size("2KiB"), Some(2048));
        assert_eq!(size("2kb"), None);
    }
}
