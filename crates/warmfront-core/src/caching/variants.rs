//! Which of several responses of one URI answers a request (RFC 9111 §4.1): the fields that Vary names, and
//! one spelling for all values that mean the same.
//!
//! How the origin sees those fields of a request is `policy::presented`'s knowledge; keeping and finding
//! variants is the engine's.

use ::http::{HeaderMap, HeaderName, header};

use super::cache_control::closing_quote;
use super::vary;

/// A response that varies by more fields is treated as one with `Vary: *`.
pub const MAX_FIELDS: usize = 32;

/// The fields by which a response was selected; sorted, each once. Empty without Vary. `None`: it answers no
/// other request, because Vary is `*`, names what is no field, or more than [`MAX_FIELDS`].
pub fn selecting_fields(response: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut fields = Vec::new();
    for line in response.get_all(header::VARY) {
        for member in vary::members(line) {
            if member == b"*" {
                return None;
            }
            fields.push(HeaderName::from_bytes(member).ok()?);
        }
    }
    fields.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
    fields.dedup();
    (fields.len() <= MAX_FIELDS).then_some(fields)
}

/// Appends what `fields` of a request select by. Equal octets for two requests mean that one may have the
/// response of the other; what differs in meaning differs here.
///
/// `present` appends the value of a field to a buffer, its lines combined, and says whether the request has
/// it: an absent field matches absence only.
pub fn write_selecting(
    out: &mut Vec<u8>,
    fields: &[HeaderName],
    mut present: impl FnMut(&HeaderName, &mut Vec<u8>) -> bool,
) {
    let mut value = Vec::new();
    for name in fields {
        value.clear();
        if !present(name, &mut value) {
            out.push(ABSENT);
            continue;
        }
        out.push(PRESENT);
        // Its length stands before the value, so that no two lists of values are the same octets.
        let start = out.len();
        out.extend_from_slice(&[0; size_of::<u64>()]);
        normalize(name, &value, out);
        let (length, value) = out[start..].split_at_mut(size_of::<u64>());
        length.copy_from_slice(&(value.len() as u64).to_be_bytes());
    }
}

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;

/// The value of a field in the one spelling for all that mean the same.
pub fn normalized(name: &HeaderName, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    normalize(name, value, &mut out);
    out
}

/// The one language that a request wants before all others, in lower case: `None` where two share the first
/// place, where it is `*`, or where the field cannot be read.
pub fn first_language(accept_language: &[u8]) -> Option<Vec<u8>> {
    let mut wanted = preferences(accept_language, Syntax::Tokens);
    wanted.sort_by_key(|preference| std::cmp::Reverse(preference.weight));
    let (first, second) = (wanted.first()?, wanted.get(1));
    let is_alone = second.is_none_or(|second| second.weight < first.weight);
    let is_tag = !first.text.is_empty()
        && first.text.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'-');
    (is_alone && is_tag && first.weight > 0).then(|| first.text.clone())
}

/// The one language of a response, in lower case.
pub fn language_of(response: &HeaderMap) -> Option<Vec<u8>> {
    let mut lines = response.get_all(header::CONTENT_LANGUAGE).iter();
    let (Some(only), None) = (lines.next(), lines.next()) else { return None };
    let tag = only.as_bytes().trim_ascii();
    let is_tag = !tag.is_empty() && tag.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'-');
    is_tag.then(|| tag.to_ascii_lowercase())
}

/// How the value of a field is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    /// Tokens in any letter case, each with a weight; their order means nothing (RFC 9110 §12.5).
    Tokens,
    /// Media ranges with a weight.
    MediaRanges,
    /// One value, in which a comma is like any character.
    One,
    /// Whatever it is, lines may be combined with commas, and space around a comma means nothing (RFC 9110
    /// §5.6.1): so new fields should be written (§16.3.2.2).
    List,
}

fn syntax(name: &HeaderName) -> Syntax {
    match *name {
        header::ACCEPT_ENCODING | header::ACCEPT_LANGUAGE | header::ACCEPT_CHARSET => {
            Syntax::Tokens
        }
        header::ACCEPT => Syntax::MediaRanges,
        header::AUTHORIZATION
        | header::COOKIE
        | header::DATE
        | header::FROM
        | header::HOST
        | header::IF_MODIFIED_SINCE
        | header::IF_UNMODIFIED_SINCE
        | header::IF_RANGE
        | header::ORIGIN
        | header::REFERER
        | header::USER_AGENT => Syntax::One,
        _ => Syntax::List,
    }
}

fn normalize(name: &HeaderName, value: &[u8], out: &mut Vec<u8>) {
    match syntax(name) {
        Syntax::One => out.extend_from_slice(value.trim_ascii()),
        Syntax::List => {
            for (index, member) in split(value, b',').enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(member.trim_ascii());
            }
        }
        syntax @ (Syntax::Tokens | Syntax::MediaRanges) => {
            let mut wanted = preferences(value, syntax);
            wanted.sort_by(|a, b| b.weight.cmp(&a.weight).then_with(|| a.text.cmp(&b.text)));
            wanted.dedup();
            for (index, Preference { text, weight }) in wanted.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(text);
                if *weight != WHOLE {
                    out.extend_from_slice(format!(";q=0.{weight:03}").as_bytes());
                }
            }
        }
    }
}

/// A member of an Accept field.
#[derive(Debug, PartialEq, Eq)]
struct Preference {
    /// In lower case, with its parameters.
    text: Vec<u8>,
    /// Thousandths.
    weight: u16,
}

/// `q=1`, or none.
const WHOLE: u16 = 1000;

fn preferences(value: &[u8], syntax: Syntax) -> Vec<Preference> {
    // RFC 9110 §5.6.1.2: empty members are ignored.
    let members = split(value, b',').map(<[u8]>::trim_ascii).filter(|member| !member.is_empty());
    members.map(|member| preference(member, syntax)).collect()
}

fn preference(member: &[u8], syntax: Syntax) -> Preference {
    let mut parts = split(member, b';').map(<[u8]>::trim_ascii);
    let mut text = parts.next().unwrap_or_default().to_ascii_lowercase();
    // RFC 9110 §8.4.1: recipients take x-gzip and x-compress for gzip and compress.
    if matches!(&*text, b"x-gzip" | b"x-compress") {
        text.drain(..2);
    }
    let mut weight = None;
    for part in parts {
        if weight.is_none()
            && let Some(said) = thousandths(part)
        {
            weight = Some(said);
            continue;
        }
        text.push(b';');
        match part.iter().position(|&byte| byte == b'=') {
            // The value of a media type's parameter may be told apart by letter case (RFC 9110 §5.6.6).
            Some(equals) if syntax == Syntax::MediaRanges => {
                text.extend(part[..equals].to_ascii_lowercase());
                text.extend_from_slice(&part[equals..]);
            }
            _ => text.extend(part.to_ascii_lowercase()),
        }
    }
    Preference { text, weight: weight.unwrap_or(WHOLE) }
}

/// `q=0.5` (RFC 9110 §12.4.2). What is no weight stays a parameter as it was written.
fn thousandths(parameter: &[u8]) -> Option<u16> {
    let [b'q' | b'Q', b'=', whole @ (b'0' | b'1'), rest @ ..] = parameter else { return None };
    let digits = match rest {
        [] => &[][..],
        [b'.', digits @ ..] if digits.len() <= 3 => digits,
        _ => return None,
    };
    let mut weight = u16::from(whole - b'0');
    for place in 0..3 {
        let digit = digits.get(place).copied().unwrap_or(b'0');
        weight = weight * 10 + digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
    }
    (weight <= WHOLE).then_some(weight)
}

/// The parts between separators that stand outside quoted strings. A quote that is never closed is a
/// character like any other.
fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(value);
    let mut quoting = true;
    std::iter::from_fn(move || {
        let line = rest?;
        let mut at = 0;
        while at < line.len() && line[at] != separator {
            if line[at] == b'"' && quoting {
                match closing_quote(line, at) {
                    Some(closing) => at = closing,
                    None => quoting = false,
                }
            }
            at += 1;
        }
        rest = line.get(at + 1..);
        Some(&line[..at])
    })
}

#[cfg(test)]
mod tests;
