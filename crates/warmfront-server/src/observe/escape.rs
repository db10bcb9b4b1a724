//! Whatever a viewer sent, one line stays one line and secrets stay out of it.

use std::fmt::{self, Write as _};

/// Query parameters whose values let a reader of the log act as the viewer: CloudFront's signed URLs
/// and SigV4's presigned ones.
const SECRETS: [&str; 6] = [
    "Signature",
    "Policy",
    "Key-Pair-Id",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
];

/// Shows bytes as CloudFront's logs do: 0-32, 127 and above, and ``< > " { } | \ ^ [ ] ` '`` as `%XX`.
/// `#`, `%` and `~` stay, so that a target reads as it was sent.
pub(crate) fn escaped(bytes: &[u8]) -> Escaped<'_> {
    Escaped(bytes)
}

/// Shows a path and query with secrets replaced by `REDACTED`.
pub(crate) fn target(path_and_query: &str) -> Target<'_> {
    Target(path_and_query)
}

/// Shows at most `limit` bytes of `text`, which is ASCII, and an ellipsis for the rest. Nothing that
/// [`escaped`] shows looks like it.
pub(crate) fn cut(text: impl fmt::Display, limit: usize) -> String {
    let mut cut = Cut { shown: String::new(), limit };
    // The only error is our own: what is behind the limit need not be made.
    let _ = write!(cut, "{text}");
    cut.shown
}

struct Cut {
    shown: String,
    limit: usize,
}

impl fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.limit - self.shown.len();
        if let Some(fits) = text.get(..room).filter(|fits| fits.len() < text.len()) {
            self.shown.push_str(fits);
            self.shown.push('…');
            return Err(fmt::Error);
        }
        self.shown.push_str(text);
        Ok(())
    }
}

/// See [`escaped`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Escaped<'a>(&'a [u8]);

/// See [`target`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_char('-');
        }
        let mut rest = self.0;
        while let Some(at) = rest.iter().position(|byte| !is_plain(*byte)) {
            f.write_str(std::str::from_utf8(&rest[..at]).expect("plain bytes are ASCII"))?;
            write!(f, "%{:02X}", rest[at])?;
            rest = &rest[at + 1..];
        }
        f.write_str(std::str::from_utf8(rest).expect("plain bytes are ASCII"))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"<>\"{}|\\^[]`'".contains(&byte)
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, query) = match self.0.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.0, None),
        };
        write!(f, "{}", escaped(path.as_bytes()))?;
        let Some(query) = query else { return Ok(()) };
        for (index, parameter) in query.split('&').enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            match parameter.split_once('=') {
                Some((name, _))
                    if SECRETS.iter().any(|secret| secret.eq_ignore_ascii_case(name)) =>
                {
                    write!(f, "{name}=REDACTED")?;
                }
                _ if parameter.is_empty() => {}
                _ => write!(f, "{}", escaped(parameter.as_bytes()))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_viewer_sends_breaks_a_line() {
        let rows: [(&[u8], &str); 7] = [
            (b"", "-"),
            (b"/a/b.html?x=1#~%20", "/a/b.html?x=1#~%20"),
            (b"a b", "a%20b"),
            (b"a\r\nb\tc\0", "a%0D%0Ab%09c%00"),
            (b"\x1b[31m", "%1B%5B31m"),
            (b"\"'<>{}|\\^`", "%22%27%3C%3E%7B%7D%7C%5C%5E%60"),
            ("ä\u{7f}".as_bytes(), "%C3%A4%7F"),
        ];
        for (bytes, text) in rows {
            assert_eq!(escaped(bytes).to_string(), text);
        }
        for byte in 0..=255u8 {
            let text = escaped(&[byte]).to_string();
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{byte}");
        }
    }

    #[test]
    fn long_text_is_cut_and_marked() {
        let rows = [
            ("", "-"),
            ("abcd", "abcd"),
            ("abcde", "abcd…"),
            ("a\n\nb", "a%0A…"),
            ("abc\n", "abc%…"),
        ];
        for (sent, shown) in rows {
            assert_eq!(cut(escaped(sent.as_bytes()), 4), shown);
        }
        let secret = format!("/?Signature={}", "s".repeat(100));
        assert_eq!(cut(target(&secret), 16), "/?Signature=REDA…");
    }

    #[test]
    fn signatures_are_redacted() {
        let rows = [
            ("/a", "/a"),
            ("/a?", "/a?"),
            ("/a?b=c&&d", "/a?b=c&&d"),
            (
                "/f.mp4?v=1&Expires=17&Signature=s3cr~et_&Key-Pair-Id=KABC",
                "/f.mp4?v=1&Expires=17&Signature=REDACTED&Key-Pair-Id=REDACTED",
            ),
            ("/?policy=p&SIGNATURE=x", "/?policy=REDACTED&SIGNATURE=REDACTED"),
            (
                "/?X-Amz-Signature=1&X-Amz-Security-Token=2",
                "/?X-Amz-Signature=REDACTED&X-Amz-Security-Token=REDACTED",
            ),
            ("/?Signatures=kept", "/?Signatures=kept"),
        ];
        for (sent, shown) in rows {
            assert_eq!(target(sent).to_string(), shown);
        }
    }
}
