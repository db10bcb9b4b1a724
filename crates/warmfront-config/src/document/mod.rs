//! A document as it was written: a tree in which every value knows its file, line and column.
//!
//! YAML and JSON end in the same [`Node`]. Scalars stay text, so that account ids keep their zeros and
//! whoever reads a value decides what it means. Intrinsic functions and variables are still plain
//! nodes here; `intrinsics` and `format` give them their meaning.
//!
//! Reading is bounded: [`MAX_DEPTH`] levels, [`MAX_NODES`] values, [`MAX_ALIASED_NODES`] of them made
//! by aliases; what is beyond is refused at its place. Nothing here recurses on what a file says.

mod json;
mod quoted;
mod yaml;

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Problems};
use crate::place::Place;

/// How deep maps and lists may be nested. CloudFormation's own templates stay far below.
pub const MAX_DEPTH: usize = 64;

/// How many nodes all aliases of a file may add: real files add hundreds, a "billion laughs" 10⁹.
pub const MAX_ALIASED_NODES: usize = 50_000;

/// How many values a file may have. CloudFormation's largest template (1 MB) has a fraction of it.
pub const MAX_NODES: usize = 250_000;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// A YAML tag such as `!Ref`, with its exclamation mark.
    pub tag: Option<Arc<str>>,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Any scalar; `quoted` ones are never numbers or truth values of the file's language.
    Text {
        /// The text without quotes and escapes.
        text: String,
        /// Whether it was quoted or a block.
        quoted: bool,
    },
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file, keys unique.
    Map(Vec<Entry>),
    /// A value that could not be determined; why has been reported already.
    Unknown,
    /// `AWS::NoValue`: lists and maps leave it out.
    Absent,
}

/// One key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as written.
    pub key: String,
    /// Where the key begins.
    pub place: Place,
    /// The value.
    pub value: Node,
}

/// Reads YAML, or JSON when the name or the first character says so. What is wrong goes to `problems`;
/// `None` when nothing usable is left.
pub fn parse(text: &str, file: &Arc<str>, problems: &Problems) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    let is_json = match file.rsplit('.').next() {
        Some("json") => true,
        Some("yml" | "yaml") => false,
        _ => looks_like_json,
    };
    if is_json { json::parse(text, file, problems) } else { yaml::parse(text, file, problems) }
}

impl Node {
    /// A text node that somebody computed.
    pub fn text(text: impl Into<String>, place: Place) -> Self {
        Self { place, tag: None, value: Value::Text { text: text.into(), quoted: true } }
    }

    /// A map node that somebody computed.
    pub fn map(entries: impl IntoIterator<Item = (&'static str, Node)>, place: Place) -> Self {
        let entries = entries
            .into_iter()
            .map(|(key, value)| Entry { key: key.to_owned(), place: value.place.clone(), value })
            .collect();
        Self { place, tag: None, value: Value::Map(entries) }
    }

    /// A list node that somebody computed.
    pub fn list(items: Vec<Node>, place: Place) -> Self {
        Self { place, tag: None, value: Value::List(items) }
    }

    /// A value that could not be determined.
    pub fn unknown(place: Place) -> Self {
        Self { place, tag: None, value: Value::Unknown }
    }

    /// The text of a scalar.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a map.
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entry of a map with this key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_map()?.iter().find(|entry| entry.key == key)
    }

    /// The value of a map's key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Whether there is a value at all.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null | Value::Absent)
    }

    /// `true` or `false`, also quoted, as templates often have it, and YAML 1.1's bare `yes` and `on`.
    pub fn as_bool(&self) -> Option<bool> {
        let Value::Text { text, quoted } = &self.value else { return None };
        match text.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            "yes" | "Yes" | "YES" | "on" | "On" | "ON" if !quoted => Some(true),
            "no" | "No" | "NO" | "off" | "Off" | "OFF" if !quoted => Some(false),
            _ => None,
        }
    }

    /// A whole number, also quoted or with an empty fraction (`60.0`).
    pub fn as_integer(&self) -> Option<i64> {
        let text = self.as_text()?;
        let whole = match text.split_once('.') {
            Some((whole, fraction))
                if !fraction.is_empty() && fraction.bytes().all(|b| b == b'0') =>
            {
                whole
            }
            Some(_) => return None,
            None => text,
        };
        whole.parse().ok()
    }

    /// What the value is, in the words of an error message.
    pub fn describe(&self) -> String {
        match &self.value {
            Value::Null | Value::Absent => "nothing".to_owned(),
            Value::Text { text, .. } => quote(text),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Unknown => "an unknown value".to_owned(),
        }
    }
}

/// Text in quotation marks for a message, shortened so that no message grows with its input.
pub fn quote(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

fn too_deep(place: Place, path: &str) -> Diagnostic {
    Diagnostic::error(place, path, format!("nested more than {MAX_DEPTH} levels deep"))
        .help("no template needs that; is a bracket or an indentation wrong?")
}

fn too_many(place: Place) -> Diagnostic {
    Diagnostic::error(place, "", format!("the file has more than {MAX_NODES} values"))
}

/// What a text weighs against a limit on values: long texts count more than once.
pub(crate) fn weight(text: &str) -> usize {
    1 + text.len() / 256
}

/// CloudFormation deploys such a template and takes the last; who reads for the Serverless Framework,
/// which refuses it, makes an error of the warning.
fn duplicate_key(key: &str, place: Place, first: &Place) -> Diagnostic {
    let message = format!("the key {} is here for the second time", quote(key));
    let help = format!(
        "the first is at line {}; keep one (CloudFormation takes the last, the Serverless Framework none)",
        first.line
    );
    Diagnostic::warning(place, key, message).help(help)
}
