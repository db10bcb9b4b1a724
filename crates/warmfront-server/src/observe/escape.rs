//! Whatever a viewer sent, one line stays one line and secrets stay out of it.

use std::fmt::{self, Write as _};

/// Query parameters and cookies whose values let a reader of the log act as the viewer: CloudFront's
/// signed URLs and cookies, and SigV4's presigned URLs.
const SECRETS: [&str; 9] = [
    "Signature",
    "Policy",
    "Key-Pair-Id",
    "CloudFront-Signature",
    "CloudFront-Policy",
    "CloudFront-Key-Pair-Id",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
];

/// What stands for a value that is not shown.
pub(crate) const REDACTED: &str = "REDACTED";

/// Which values are not shown: the signatures above, and what `--redact-query` names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redaction {
    names: Vec<String>,
}

impl Redaction {
    /// Hides the values of these, too; letter case does not count.
    pub(crate) fn new(names: &[String]) -> Self {
        Self { names: names.to_vec() }
    }

    /// Whether the value of this parameter or cookie is not shown.
    pub(crate) fn hides(&self, name: &str) -> bool {
        let mut all = SECRETS.iter().copied().chain(self.names.iter().map(String::as_str));
        all.any(|secret| secret.eq_ignore_ascii_case(name))
    }

    /// Shows a path and query with secrets replaced by `REDACTED`.
    pub(crate) fn target<'a>(&'a self, path_and_query: &'a str) -> Target<'a> {
        Target { text: path_and_query, redaction: self }
    }

    /// A list of `name=value` with secrets replaced by `REDACTED`, otherwise as it came. None where
    /// there is nothing to hide.
    pub(crate) fn pairs(&self, text: &str, separator: char) -> Option<String> {
        let name_of = |pair: &str| pair.split_once('=').map(|(name, _)| name.trim().to_owned());
        let is_hidden = |pair: &str| name_of(pair).is_some_and(|name| self.hides(&name));
        if !text.split(separator).any(is_hidden) {
            return None;
        }
        let pairs = text.split(separator).map(|pair| match pair.split_once('=') {
            Some((name, _)) if self.hides(name.trim()) => format!("{name}={REDACTED}"),
            _ => pair.to_owned(),
        });
        Some(pairs.collect::<Vec<_>>().join(&separator.to_string()))
    }
}

/// Shows bytes as CloudFront's logs do: 0-32, 127 and above, and ``< > " { } | \ ^ [ ] ` '`` as `%XX`.
/// `#`, `%` and `~` stay, so that a target reads as it was sent.
pub(crate) fn escaped(bytes: &[u8]) -> Escaped<'_> {
    Escaped(bytes)
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

/// See [`Redaction::target`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    text: &'a str,
    redaction: &'a Redaction,
}

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
        let (path, query) = match self.text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (self.text, None),
        };
        write!(f, "{}", escaped(path.as_bytes()))?;
        let Some(query) = query else { return Ok(()) };
        for (index, parameter) in query.split('&').enumerate() {
            f.write_char(if index == 0 { '?' } else { '&' })?;
            match parameter.split_once('=') {
                // A name that hides is one of a few words, or what the command line says.
                Some((name, _)) if self.redaction.hides(name) => {
                    write!(f, "{}={REDACTED}", escaped(name.as_bytes()))?;
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
        assert_eq!(cut(Redaction::default().target(&secret), 16), "/?Signature=REDA…");
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
            assert_eq!(Redaction::default().target(sent).to_string(), shown);
        }
    }

    #[test]
    fn what_the_command_line_names_is_hidden_too() {
        let redaction = Redaction::new(&["token".to_owned()]);
        assert_eq!(
            redaction.target("/a?Token=x&tokens=y&Signature=z").to_string(),
            "/a?Token=REDACTED&tokens=y&Signature=REDACTED"
        );
        let rows = [
            (
                "a=1; token=x; CloudFront-Signature=y",
                ';',
                Some("a=1; token=REDACTED; CloudFront-Signature=REDACTED"),
            ),
            ("a=1; tokens=x", ';', None),
            ("TOKEN=x=y&b", '&', Some("TOKEN=REDACTED&b")),
        ];
        for (sent, separator, shown) in rows {
            assert_eq!(redaction.pairs(sent, separator).as_deref(), shown, "{sent}");
        }
    }
}
