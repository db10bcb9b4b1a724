//! Whether a message is what a line of the case says; every difference is told, not only the first.

use std::time::SystemTime;

use http::HeaderMap;

use crate::outcome::Mismatch;
use crate::script::{BodyMatch, HeaderMatch, StatusMatch, ValueMatch};

/// How much of a body a difference shows, on either side of the first wrong octet.
const AROUND: usize = 40;

pub(crate) fn status(expected: StatusMatch, came: u16) -> Option<Mismatch> {
    let (fits, expected) = match expected {
        StatusMatch::Exactly(status) => (status == came, status.to_string()),
        StatusMatch::Class(class) => (came / 100 == class, format!("{class}xx")),
    };
    (!fits).then(|| mismatch("status", expected, came.to_string()))
}

/// Fields of one name are compared as one value joined with `, `, unless the case writes the name
/// several times: then field by field.
pub(crate) fn headers(
    expected: &[HeaderMatch],
    came: &HeaderMap,
    now: SystemTime,
) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for (index, HeaderMatch { name, value }) in expected.iter().enumerate() {
        let fields: Vec<&[u8]> = came.get_all(name).iter().map(|v| v.as_bytes()).collect();
        let asked = expected.iter().filter(|other| other.name == *name).count();
        if asked == 1 {
            let joined = (!fields.is_empty()).then(|| fields.join(&b", "[..]));
            mismatches.extend(header(name.as_str(), value, joined.as_deref(), now));
            continue;
        }
        let nth = expected[..index].iter().filter(|other| other.name == *name).count();
        let what = format!("{name} ({})", nth + 1);
        mismatches.extend(header(&what, value, fields.get(nth).copied(), now));
        if nth + 1 == asked {
            for extra in fields.iter().skip(asked) {
                mismatches.push(mismatch(&what, "no further field".to_owned(), quoted(extra)));
            }
        }
    }
    mismatches
}

fn header(
    what: &str,
    expected: &ValueMatch,
    came: Option<&[u8]>,
    now: SystemTime,
) -> Option<Mismatch> {
    let (fits, expected) = match expected {
        ValueMatch::Absent => (came.is_none(), "absent".to_owned()),
        ValueMatch::Present => (came.is_some(), "present".to_owned()),
        ValueMatch::Exactly(text) => {
            let text = text.at(now);
            (came == Some(&text[..]), quoted(&text))
        }
        ValueMatch::Matches(regex) => {
            (came.is_some_and(|came| regex.is_match(&String::from_utf8_lossy(came))), shown(regex))
        }
    };
    (!fits).then(|| mismatch(what, expected, came.map_or("absent".to_owned(), quoted)))
}

/// `cut`: the stream broke, so what came need only be the beginning.
pub(crate) fn body(
    expected: &BodyMatch,
    came: &[u8],
    cut: bool,
    now: SystemTime,
) -> Option<Mismatch> {
    let (fits, expected, came) = match expected {
        BodyMatch::Size(size) => {
            let fits = came.len() as u64 == *size || (cut && (came.len() as u64) < *size);
            (fits, format!("{size} bytes"), format!("{} bytes", came.len()))
        }
        BodyMatch::Matches(regex) => {
            let fits = regex.is_match(&String::from_utf8_lossy(came));
            (fits, shown(regex), excerpt(came, 0))
        }
        BodyMatch::Exactly(content) => {
            let content = content.at(now);
            let fits = content == came || (cut && content.starts_with(came));
            let differs = content.iter().zip(came).take_while(|(a, b)| a == b).count();
            (fits, excerpt(&content, differs), excerpt(came, differs))
        }
    };
    (!fits).then(|| mismatch("body", expected, came))
}

fn mismatch(what: &str, expected: String, came: String) -> Mismatch {
    Mismatch { what: what.to_owned(), expected, came }
}

fn shown(regex: &regex_lite::Regex) -> String {
    format!("~/{}/", regex.as_str().replace('/', "\\/"))
}

/// `"text"`, with what cannot be printed escaped.
pub(crate) fn quoted(octets: &[u8]) -> String {
    if octets.len() > 4 * AROUND {
        return excerpt(octets, 0);
    }
    format!("{:?}", String::from_utf8_lossy(octets))
}

fn excerpt(octets: &[u8], at: usize) -> String {
    if octets.len() <= 2 * AROUND {
        return quoted(octets);
    }
    let from = at.saturating_sub(AROUND).min(octets.len());
    let until = (at + AROUND).min(octets.len());
    let part = quoted(&octets[from..until]);
    format!("{} bytes, from {from}: {part}", octets.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Content;
    use crate::text::Text;

    fn exactly(text: &str) -> ValueMatch {
        ValueMatch::Exactly(Text::parse(text.as_bytes()).unwrap())
    }

    fn check(expected: &[ValueMatch], came: &[&'static str], differences: usize) {
        let name = http::header::SET_COOKIE;
        let expected: Vec<HeaderMatch> = expected
            .iter()
            .map(|value| HeaderMatch { name: name.clone(), value: value.clone() })
            .collect();
        let mut map = HeaderMap::new();
        for value in came {
            map.append(&name, value.parse().unwrap());
        }
        let found = headers(&expected, &map, SystemTime::UNIX_EPOCH);
        assert_eq!(found.len(), differences, "{expected:?} {came:?}: {found:?}");
    }

    #[test]
    fn one_expectation_sees_all_fields_joined() {
        check(&[exactly("a, b")], &["a", "b"], 0);
        check(&[exactly("a")], &["a", "b"], 1);
        check(&[exactly("a")], &[], 1);
        check(&[ValueMatch::Absent], &[], 0);
        check(&[ValueMatch::Absent], &["a"], 1);
        check(&[ValueMatch::Present], &["a"], 0);
        check(&[ValueMatch::Present], &[], 1);
    }

    #[test]
    fn several_expectations_go_field_by_field() {
        check(&[exactly("a"), exactly("b")], &["a", "b"], 0);
        check(&[exactly("a"), exactly("b")], &["b", "a"], 2);
        check(&[exactly("a"), exactly("b")], &["a"], 1);
        check(&[exactly("a"), exactly("b")], &["a", "b", "c"], 1);
    }

    #[test]
    fn only_a_cut_body_may_be_a_beginning() {
        let expected = BodyMatch::Exactly(Content::Pattern(0..1000));
        let whole = crate::pattern::slice(0..1000);
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(body(&expected, &whole, false, now), None);
        assert_eq!(body(&expected, &whole[..10], true, now), None);
        assert!(body(&expected, &whole[..10], false, now).is_some());
        let mut wrong = whole.to_vec();
        wrong[500] = b'x';
        let difference = body(&expected, &wrong, false, now).unwrap();
        assert!(difference.came.contains("from 460"), "{difference:?}");
    }
}
