//! The one kind of pattern that CloudFront knows: `*` is any run of characters, `?` is exactly one.
//!
//! A character is an octet here: what is not ASCII arrives percent-encoded in a URL.

/// Whether all of `text` is matched by `pattern`.
///
/// Nothing is compiled or allocated. Between two stars the leftmost place is always the best one,
/// so there is no backtracking: the work is at most the length of `text` times the length of the
/// longest piece of `pattern` between stars.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut pieces = pattern.split(|&byte| byte == b'*');
    let first = pieces.next().unwrap_or_default();
    let Some(last) = pieces.next_back() else {
        return text.len() == first.len() && is_at_start(first, text);
    };
    if text.len() < first.len() + last.len() || !is_at_start(first, text) {
        return false;
    }
    let (mut rest, end) = text[first.len()..].split_at(text.len() - first.len() - last.len());
    if !is_at_start(last, end) {
        return false;
    }
    for piece in pieces {
        if piece.is_empty() {
            continue; // `**` is `*`
        }
        let mut places = rest.windows(piece.len());
        let Some(place) = places.position(|window| is_at_start(piece, window)) else {
            return false;
        };
        rest = &rest[place + piece.len()..];
    }
    true
}

/// Whether `text`, which is at least as long, begins with `piece`.
fn is_at_start(piece: &[u8], text: &[u8]) -> bool {
    text.len() >= piece.len()
        && piece.iter().zip(text).all(|(want, have)| want == have || *want == b'?')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word.
    fn oracle(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', pattern)), None) => oracle(pattern, text),
            (Some((b'*', shorter)), Some((_, rest))) => {
                oracle(shorter, text) || oracle(pattern, rest)
            }
            (Some((b'?', pattern)), Some((_, text))) => oracle(pattern, text),
            (Some((want, pattern)), Some((have, text))) => want == have && oracle(pattern, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definition(pattern in "[ab?*]{0,9}", text in "[ab]{0,10}") {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), oracle(pattern, text));
        }

        #[test]
        fn it_ends_for_any_octets(
            pattern in prop::collection::vec(any::<u8>(), 0..40),
            text in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            matches(&pattern, &text);
        }
    }

    #[test]
    fn patterns_that_make_backtracking_matchers_hang_end_at_once() {
        let text = vec![b'a'; 8192];
        assert!(!matches("*a".repeat(127).as_bytes(), b"b"));
        assert!(!matches(("*a".repeat(126) + "*b").as_bytes(), &text));
        assert!(!matches(("*a?a".repeat(62) + "*b*").as_bytes(), &text));
        assert!(matches("*a".repeat(127).as_bytes(), &text));
    }
}
