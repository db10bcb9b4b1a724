//! Tokens of a statement: words, quoted text, regular expressions, header names and their values.

use std::time::Duration;

use http::HeaderName;
use regex_lite::Regex;

use super::lines::{Block, Statement};
use super::{Parsed, Problem, problem};
use crate::pattern;
use crate::script::{BodyMatch, Content, HeaderMatch, ValueMatch};
use crate::text::{self, Text};

/// Reads a statement from left to right.
pub(super) struct Cursor<'a> {
    statement: &'a Statement,
    position: usize,
}

/// The next thing in a list of clauses.
#[derive(Debug)]
pub(super) enum Token<'a> {
    /// `name:`, whose value has not been read.
    Header(HeaderName),
    /// `"text"`
    Quoted(Text),
    /// `~/expression/`
    Regex(Regex),
    /// Anything else up to a space or `;`.
    Word(&'a str),
}

impl<'a> Cursor<'a> {
    pub(super) fn new(statement: &'a Statement) -> Self {
        Self { statement, position: 0 }
    }

    /// The line this cursor stands at.
    pub(super) fn line(&self) -> usize {
        self.statement.line + self.statement.text[..self.position].matches('\n').count()
    }

    pub(super) fn problem(&self, text: impl Into<String>) -> Problem {
        problem(self.line(), text)
    }

    /// The block of text after `<<`.
    pub(super) fn block(&self) -> Option<&'a Block> {
        self.statement.block.as_ref()
    }

    fn ahead(&self) -> &'a str {
        &self.statement.text[self.position..]
    }

    fn skip(&mut self, skipped: impl Fn(char) -> bool) {
        let ahead = self.ahead();
        self.position += ahead.len() - ahead.trim_start_matches(skipped).len();
    }

    /// Everything up to a space or `;`; empty at the end.
    pub(super) fn word(&mut self) -> &'a str {
        self.skip(char::is_whitespace);
        let ahead = self.ahead();
        let length = ahead.find(|c: char| c.is_whitespace() || c == ';').unwrap_or(ahead.len());
        self.position += length;
        &ahead[..length]
    }

    /// Everything up to a space: a path may hold `;`.
    pub(super) fn path(&mut self) -> &'a str {
        self.skip(char::is_whitespace);
        let ahead = self.ahead();
        let length = ahead.find(char::is_whitespace).unwrap_or(ahead.len());
        self.position += length;
        &ahead[..length]
    }

    /// A name of the case's own.
    pub(super) fn name(&mut self, what: &str) -> Parsed<String> {
        let name = self.word();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(
                self.problem(format!("here comes {what} (letters, digits, - _ .), not {name:?}"))
            );
        }
        Ok(name.to_owned())
    }

    /// The rest of the statement, trimmed.
    pub(super) fn rest(&mut self) -> &'a str {
        let rest = self.ahead().trim();
        self.position = self.statement.text.len();
        rest
    }

    /// Nothing may be left.
    pub(super) fn end(&mut self) -> Parsed<()> {
        self.skip(|c| c.is_whitespace() || c == ';');
        match self.ahead() {
            "" => Ok(()),
            ahead => {
                let first = ahead.split_whitespace().next().unwrap_or_default();
                Err(self.problem(format!("nothing more is expected here, but {first:?} comes")))
            }
        }
    }

    /// Takes `arrow` if it comes next.
    pub(super) fn takes(&mut self, arrow: &str) -> bool {
        self.skip(|c| c.is_whitespace() || c == ';');
        let comes = self.ahead().starts_with(arrow);
        if comes {
            self.position += arrow.len();
        }
        comes
    }

    /// Whether a regular expression comes next.
    pub(super) fn at_regex(&mut self) -> bool {
        self.skip(char::is_whitespace);
        self.ahead().starts_with("~/")
    }

    /// Takes `word` if it comes next.
    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        let before = self.position;
        let comes = self.word() == word;
        if !comes {
            self.position = before;
        }
        comes
    }

    /// The next token; `None` at an arrow or the end.
    pub(super) fn next(&mut self) -> Parsed<Option<Token<'a>>> {
        self.skip(|c| c.is_whitespace() || c == ';');
        let ahead = self.ahead();
        if ahead.is_empty() || ahead.starts_with("->") || ahead.starts_with("<-") {
            return Ok(None);
        }
        if ahead.starts_with('"') {
            return self.quoted().map(Token::Quoted).map(Some);
        }
        if ahead.starts_with("~/") {
            return self.regex().map(Token::Regex).map(Some);
        }
        let before = self.position;
        let word = self.word();
        let Some((name, _)) = word.split_once(':') else { return Ok(Some(Token::Word(word))) };
        self.position = before + name.len() + 1;
        match name.parse() {
            Ok(name) => Ok(Some(Token::Header(name))),
            Err(_) => Err(self.problem(format!("{name:?} is no name of a header"))),
        }
    }

    /// The value after `name:`: quoted, or up to `;`, the end of the line or an arrow.
    pub(super) fn text(&mut self) -> Parsed<Text> {
        self.skip(|c| c == ' ' || c == '\t');
        if self.ahead().starts_with('"') {
            return self.quoted();
        }
        let ahead = self.ahead();
        let length = [";", "\n", " ->", " <-"]
            .iter()
            .filter_map(|end| ahead.find(end))
            .min()
            .unwrap_or(ahead.len());
        self.position += length;
        Text::parse(ahead[..length].trim().as_bytes()).map_err(|text| self.problem(text))
    }

    /// An expected header: its value, `~/expression/`, `absent` or `present`.
    pub(super) fn expected(&mut self, name: HeaderName) -> Parsed<HeaderMatch> {
        self.skip(|c| c == ' ' || c == '\t');
        if self.ahead().starts_with("~/") {
            return Ok(HeaderMatch { name, value: ValueMatch::Matches(self.regex()?) });
        }
        let before = self.position;
        let text = self.text()?;
        let value = match self.statement.text[before..self.position].trim() {
            "absent" => ValueMatch::Absent,
            "present" => ValueMatch::Present,
            "" => {
                return Err(self.problem(format!(
                    "what must {name} be? A value, ~/expression/, absent, present, or \"\""
                )));
            }
            _ => ValueMatch::Exactly(text),
        };
        Ok(HeaderMatch { name, value })
    }

    /// The body a `token` begins to describe, if it does.
    pub(super) fn body(&mut self, token: &mut Option<Token<'a>>) -> Parsed<Option<BodyMatch>> {
        let body = match token.take() {
            Some(Token::Quoted(text)) => BodyMatch::Exactly(Content::Text(text)),
            Some(Token::Regex(regex)) => BodyMatch::Matches(regex),
            Some(Token::Word("bytes")) => BodyMatch::Exactly(self.pattern()?),
            Some(Token::Word("size")) => BodyMatch::Size(self.size()?),
            Some(Token::Word("body")) => {
                *token = self.next()?;
                return match self.body(token)? {
                    Some(body) => Ok(Some(body)),
                    None => Err(self.problem("body is followed by \"text\", bytes N or size N")),
                };
            }
            other => {
                *token = other;
                return Ok(None);
            }
        };
        Ok(Some(body))
    }

    /// `bytes 100` or `bytes 0-99`.
    fn pattern(&mut self) -> Parsed<Content> {
        let word = self.word();
        let range = match word.split_once('-') {
            None => text::size(word).map(|size| 0..size),
            Some((first, last)) => match (first.parse(), last.parse::<u64>()) {
                (Ok(first), Ok(last)) if first <= last && last < u64::MAX => Some(first..last + 1),
                _ => None,
            },
        };
        match range {
            Some(range) if range.end <= pattern::LARGEST => Ok(Content::Pattern(range)),
            Some(_) => {
                Err(self.problem(format!("bytes reach at most {} MiB", pattern::LARGEST >> 20)))
            }
            None => {
                Err(self.problem(format!("bytes 1000, bytes 2MiB or bytes 0-99; not {word:?}")))
            }
        }
    }

    pub(super) fn size(&mut self) -> Parsed<u64> {
        let word = self.word();
        text::size(word).ok_or_else(|| {
            self.problem(format!("here comes a size (100, 4KiB, 2MiB), not {word:?}"))
        })
    }

    pub(super) fn number(&mut self) -> Parsed<u64> {
        let word = self.word();
        word.parse().map_err(|_| self.problem(format!("here comes a number, not {word:?}")))
    }

    pub(super) fn duration(&mut self) -> Parsed<Duration> {
        let word = self.word();
        text::duration(word).ok_or_else(|| {
            self.problem(format!("here comes a time (500ms, 60s, 5m, 1h, 1d), not {word:?}"))
        })
    }

    fn quoted(&mut self) -> Parsed<Text> {
        let ahead = self.ahead();
        let end = closing(ahead, 1, '"').ok_or_else(|| self.problem("a \" is not closed"))?;
        let octets = unescaped(&ahead[1..end]).map_err(|text| self.problem(text))?;
        self.position += end + 1;
        Text::parse(&octets).map_err(|text| self.problem(text))
    }

    pub(super) fn regex(&mut self) -> Parsed<Regex> {
        let ahead = self.ahead();
        let end = closing(ahead, 2, '/').ok_or_else(|| self.problem("a ~/ is not closed by /"))?;
        let expression = ahead[2..end].replace("\\/", "/");
        let regex = Regex::new(&expression)
            .map_err(|error| self.problem(format!("~/{expression}/: {error}")))?;
        self.position += end + 1;
        Ok(regex)
    }
}

/// Where the first unescaped `end` after `from` is, on this line.
fn closing(text: &str, from: usize, end: char) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text[from..].char_indices() {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == end => return Some(from + index),
            _ => {}
        }
    }
    None
}

/// `\n \r \t \0 \" \\ \xNN`; any octet can be written.
pub(super) fn unescaped(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        octets.push(match chars.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('0') => 0,
            Some('"') => b'"',
            Some('\\') => b'\\',
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                u8::from_str_radix(&digits, 16)
                    .map_err(|_| format!("\\x{digits} is no octet; write \\x and two digits"))?
            }
            other => {
                let other = other.map_or(String::new(), |c| c.to_string());
                return Err(format!(
                    "\\{other} is no escape; there are \\n \\r \\t \\0 \\\" \\\\ \\xNN"
                ));
            }
        });
    }
    Ok(octets)
}
