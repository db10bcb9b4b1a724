//! The text of the repository, and Rust text with comments and literals blanked out.

use std::fs;
use std::path::Path;

/// One text file. `path` is relative to the repository, with `/` between its parts.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Directories that hold nothing we wrote; `.git` is a file in a linked work tree.
const NOT_OURS: &[&str] = &[".git", "node_modules", ".warmfront", ".venv", "__pycache__", "out"];

/// Every text file of the repository. Binary files are left out.
pub(crate) fn read_tree(root: &Path) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        let entries =
            fs::read_dir(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("{}: {e}", directory.display()))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().map_err(|e| format!("{name}: {e}"))?;
            if NOT_OURS.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                if !name.starts_with("target") {
                    directories.push(entry.path());
                }
            } else if kind.is_file() {
                let bytes = fs::read(entry.path()).map_err(|e| format!("{name}: {e}"))?;
                let path = entry.path();
                let path = path.strip_prefix(root).expect("the walk began at the root");
                let path = path.to_string_lossy().replace('\\', "/");
                if let Ok(text) = String::from_utf8(bytes) {
                    sources.push(Source { path, text });
                }
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

impl Source {
    /// Whether this is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is tests of its neighbor (`mod tests;`).
    pub(crate) fn is_test_module(&self) -> bool {
        self.path.ends_with("/tests.rs")
            || (self.path.contains("/src/") && self.path.contains("/tests/"))
    }

    /// The code: comments and the insides of literals become spaces, so that lines keep their numbers.
    pub(crate) fn code(&self) -> String {
        blank(&self.text)
    }

    /// The code before the tests, which the style guide puts last.
    pub(crate) fn code_without_tests(&self) -> String {
        if self.is_test_module() || self.path.contains("/tests/") || self.path.contains("/benches/")
        {
            return String::new();
        }
        let code = self.code();
        let end = code
            .match_indices("#[cfg(test)]")
            .find(|(at, attribute)| code[at + attribute.len()..].trim_start().starts_with("mod "));
        code[..end.map_or(code.len(), |(at, _)| at)].to_owned()
    }
}

/// Replaces comments and the insides of string and character literals with spaces.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'"' => string_end(bytes, at + 1),
            b'r' if !is_word(bytes, at) => raw_string_end(bytes, at).unwrap_or(at),
            b'\'' => char_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(bytes[at..end].iter().map(|&b| if b == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    // Blanking replaces whole literals and comments, so what is left is still UTF-8.
    String::from_utf8(out).expect("only whole characters were replaced")
}

/// Whether the byte before `at` continues a word, as the `r` in `for"`.
fn is_word(bytes: &[u8], at: usize) -> bool {
    at > 0
        && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
        && !(bytes[at - 1] == b'b' && (at < 2 || !bytes[at - 2].is_ascii_alphanumeric()))
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| at + n)
}

fn comment_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let found = bytes[open + 1..].windows(close.len()).position(|window| window == close);
    Some(found.map_or(bytes.len(), |n| open + 1 + n + close.len()))
}

/// The end of a character literal; `None` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes.get(at + 3..)?.iter().position(|&b| b == b'\'')?;
        return Some(at + 3 + close + 1);
    }
    // One character of up to four bytes, then the closing quote.
    (2..=5).map(|n| at + n).find(|&n| bytes.get(n) == Some(&b'\'')).and_then(|close| {
        let inside = std::str::from_utf8(&bytes[at + 1..close]).ok()?;
        (inside.chars().count() == 1).then_some(close + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        for (text, code) in [
            ("a // unsafe\nb", "a          \nb"),
            ("a /* x /* y */ z */ b", "a                   b"),
            (r#"f("unsafe \" x") + g"#, "f(             ) + g"),
            ("r#\"un\"safe\"# + b", "              + b"),
            ("br\"x\\\" + b", "b      + b"),
            ("for x in 'a'..'b'", "for x in    ..   "),
            ("'\\'' + b", "     + b"),
            ("'\\u{41}' + b", "         + b"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("\"ä\n\" + b", "  \n  + b"),
        ] {
            let got = blank(text);
            assert_eq!(got.replace(' ', ""), code.replace(' ', ""), "{text}");
            assert_eq!(got.lines().count(), text.lines().count(), "{text}");
        }
    }

    #[test]
    fn code_ends_where_the_tests_begin() {
        let source = |path: &str| Source {
            path: path.to_owned(),
            text: "fn a() {}\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests { zz }".to_owned(),
        };
        let code = source("crates/x/src/a.rs").code_without_tests();
        assert!(code.contains("fn a") && code.contains("use b") && !code.contains("zz"), "{code}");
        assert_eq!(source("crates/x/src/a/tests.rs").code_without_tests(), "");
    }
}
