//! JSON (RFC 8259) into a [`Node`] tree. Not read as YAML: JSON has surrogate pairs and tabs, YAML not.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Entry, MAX_DEPTH, MAX_NODES, Node, Value, duplicate_key, too_deep, too_many};
use crate::diagnostic::{Diagnostic, Problems};
use crate::place::Place;

pub(super) fn parse(text: &str, file: &Arc<str>, problems: &Problems) -> Option<Node> {
    let mut reader = Reader { rest: text, line: 1, column: 1, nodes: 0, file, problems };
    match reader.document() {
        Ok(node) => Some(node),
        Err(problem) => {
            problems.add(problem);
            None
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
    nodes: usize,
    file: &'a Arc<str>,
    problems: &'a Problems,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        let node = self.value(0)?;
        self.skip_space();
        if !self.rest.is_empty() {
            return Err(self.error("something follows after the end of the document"));
        }
        Ok(node)
    }

    /// Recurses at most [`MAX_DEPTH`] deep.
    fn value(&mut self, depth: usize) -> Result<Node, Diagnostic> {
        self.skip_space();
        let place = self.place();
        if depth > MAX_DEPTH {
            return Err(too_deep(place, ""));
        }
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_many(place));
        }
        let value = match self.peek() {
            Some('{') => self.map(depth)?,
            Some('[') => self.list(depth)?,
            Some('"') => Value::Text { text: self.string()?, quoted: true },
            Some('-' | '0'..='9' | 'a'..='z') => self.word()?,
            Some(_) => return Err(self.error("expected a value")),
            None => return Err(self.cut_off("a value")),
        };
        Ok(Node { place, tag: None, value })
    }

    fn map(&mut self, depth: usize) -> Result<Value, Diagnostic> {
        self.bump();
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        loop {
            self.skip_space();
            let place = self.place();
            match self.peek() {
                Some('}') if entries.is_empty() && seen.is_empty() => break,
                Some('"') => {}
                Some(_) => return Err(self.error("expected a key in double quotes")),
                None => return Err(self.cut_off("a key or '}'")),
            }
            let key = self.string()?;
            self.expect(':')?;
            let value = self.value(depth + 1)?;
            match seen.get(&key) {
                Some(&first) => {
                    self.problems.add(duplicate_key(&key, place.clone(), &entries[first].place));
                    entries[first] = Entry { key, place, value };
                }
                None => {
                    seen.insert(key.clone(), entries.len());
                    entries.push(Entry { key, place, value });
                }
            }
            if self.ends('}')? {
                return Ok(Value::Map(entries));
            }
        }
        self.bump();
        Ok(Value::Map(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Diagnostic> {
        self.bump();
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(']') {
            self.bump();
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.ends(']')? {
                return Ok(Value::List(items));
            }
        }
    }

    /// After an item: whether the bracket closes, or a comma promises more.
    fn ends(&mut self, bracket: char) -> Result<bool, Diagnostic> {
        self.skip_space();
        match self.peek() {
            Some(',') => {
                self.bump();
                Ok(false)
            }
            Some(c) if c == bracket => {
                self.bump();
                Ok(true)
            }
            Some(_) => Err(self.error(&format!("expected ',' or '{bracket}'"))),
            None => Err(self.cut_off(&format!("',' or '{bracket}'"))),
        }
    }

    fn string(&mut self) -> Result<String, Diagnostic> {
        self.bump();
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(self.cut_off("the end of a text")),
                Some('"') => {
                    self.bump();
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                Some(c) if c.is_ascii_control() => {
                    return Err(
                        self.error("a text ends on the line it began on; a '\"' is missing")
                    );
                }
                Some(c) => {
                    text.push(c);
                    self.bump();
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, Diagnostic> {
        let start = self.error("unknown escape in a text");
        self.bump();
        let escaped = self.peek().ok_or_else(|| self.cut_off("the rest of a text"))?;
        self.bump();
        match escaped {
            '"' | '\\' | '/' => Ok(escaped),
            'b' => Ok('\u{8}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'u' => self.unicode_escape().ok_or(start),
            _ => Err(start),
        }
    }

    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.hex4()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        (self.peek()? == '\\').then(|| self.bump())?;
        (self.peek()? == 'u').then(|| self.bump())?;
        let second = self.hex4()?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + low)
    }

    fn hex4(&mut self) -> Option<u32> {
        let digits = self.rest.get(..4)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(digits, 16).ok()?;
        (0..4).for_each(|_| self.bump());
        Some(number)
    }

    /// `true`, `false`, `null` or a number; kept as text.
    fn word(&mut self) -> Result<Value, Diagnostic> {
        let start = self.error("expected a value: a text stands in double quotes");
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.')))
            .unwrap_or(self.rest.len());
        let word = self.rest[..end].to_owned();
        (0..end).for_each(|_| self.bump());
        match word.as_str() {
            "null" => Ok(Value::Null),
            "true" | "false" => Ok(Value::Text { text: word, quoted: false }),
            number
                if number.parse::<f64>().is_ok_and(f64::is_finite) && !number.starts_with('+') =>
            {
                Ok(Value::Text { text: word, quoted: false })
            }
            _ => Err(start),
        }
    }

    fn expect(&mut self, wanted: char) -> Result<(), Diagnostic> {
        self.skip_space();
        match self.peek() {
            Some(c) if c == wanted => {
                self.bump();
                Ok(())
            }
            Some(_) => Err(self.error(&format!("expected '{wanted}'"))),
            None => Err(self.cut_off(&format!("'{wanted}'"))),
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.bump();
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) {
        let mut chars = self.rest.chars();
        match chars.next() {
            Some('\n') => {
                self.line = self.line.saturating_add(1);
                self.column = 1;
            }
            Some(_) => self.column = self.column.saturating_add(1),
            None => {}
        }
        self.rest = chars.as_str();
    }

    fn place(&self) -> Place {
        Place { file: self.file.clone(), line: self.line, column: self.column }
    }

    fn error(&self, what: &str) -> Diagnostic {
        Diagnostic::error(self.place(), "", format!("this is not valid JSON: {what}"))
    }

    fn cut_off(&self, missing: &str) -> Diagnostic {
        self.error(&format!("the file ends where {missing} should be"))
            .help("the file ends too early; was it cut off?")
    }
}
