//! HTTP dates as they arrive: the three formats of RFC 9110 §5.6.7 in any letter case, nothing else.
//!
//! Writing dates is left to `httpdate`.

use std::time::SystemTime;

use ::http::HeaderValue;

/// The moment that `value` names; `None` for anything that is not one of the three formats.
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
    httpdate::parse_http_date(std::str::from_utf8(canonical).ok()?).ok()
}

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
