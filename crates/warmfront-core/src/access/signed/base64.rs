//! Base64, standard and with CloudFront's three substitutes: `-` for `+`, `~` for `/`, `_` for `=`.

/// The octets of `text`, which may also be written with the standard alphabet.
///
/// `None` for other characters, padding that does not fit, and bits left over that are not zero: an
/// octet string has one spelling, so a changed last character is noticed.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|&&byte| matches!(byte, b'_' | b'=')).count();
    if padding > 2 {
        return None;
    }
    let mut octets = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut held) = (0u32, 0u32);
    for &byte in &text[..text.len() - padding] {
        bits = bits << 6 | u32::from(value(byte)?);
        held += 6;
        if held >= 8 {
            held -= 8;
            octets.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    (bits == 0).then_some(octets)
}

fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'~' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_are_read_and_nothing_else() {
        let rows: [(&str, Option<&[u8]>); 12] = [
            ("aGVsbG8_", Some(b"hello")),
            ("aGVsbG8=", Some(b"hello")),
            ("aGVsbG8h", Some(b"hello!")),
            ("aA__", Some(b"h")),
            ("-~-~", Some(&[0xfb, 0xff, 0xbf])),
            ("+/+/", Some(&[0xfb, 0xff, 0xbf])),
            ("", None),
            ("aGVsbG8", None),
            ("aGV_bG8_", None),
            ("a___", None),
            ("aGVs bG8", None),
            // `h` again, but for a bit that no octet holds.
            ("aB__", None),
        ];
        for (text, octets) in rows {
            assert_eq!(decoded(text).as_deref(), octets, "{text}");
        }
    }
}
