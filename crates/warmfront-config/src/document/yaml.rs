//! YAML into a [`Node`] tree, event by event, with our own stack.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::quoted;
use super::{
    Entry, MAX_ALIASED_NODES, MAX_DEPTH, MAX_NODES, Node, Value, duplicate_key, too_deep, too_many,
    weight,
};
use crate::diagnostic::{Diagnostic, Problems};
use crate::place::Place;

pub(super) fn parse(text: &str, file: &Arc<str>, problems: &Problems) -> Option<Node> {
    if let Some(control) = control_character(text, file) {
        problems.add(control);
        return None;
    }
    let mut builder = Builder {
        file,
        problems,
        open: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        nodes: 0,
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let step = match event {
            Ok((event, span)) => builder.take(event, span.start),
            Err(error) => match quoted::with_lines_moved(text, &error) {
                // What was found before is found again at the same place, and said once.
                Some(moved) => return parse(&moved, file, problems),
                None => Err(syntax_error(&error, text, file, builder.innermost_open())),
            },
        };
        if let Err(problem) = step {
            problems.add(problem);
            return None;
        }
    }
    if builder.root.is_none() {
        problems.add(Diagnostic::error(Place::start_of(file), "", "the file is empty"));
    }
    builder.root
}

struct Builder<'a> {
    file: &'a Arc<str>,
    problems: &'a Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    aliased: usize,
    nodes: usize,
    root: Option<Node>,
}

/// A list or map whose end has not come yet.
struct Open {
    place: Place,
    tag: Option<Arc<str>>,
    anchor: usize,
    size: usize,
    height: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, seen: HashMap<String, usize>, key: Option<(String, Place)> },
}

struct Anchored {
    node: Node,
    size: usize,
    height: usize,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, at: Marker) -> Result<(), Diagnostic> {
        let place = self.place(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.nodes += 1;
                if self.nodes > MAX_NODES {
                    return Err(too_many(place));
                }
                let size = weight(&text);
                let quoted = style != ScalarStyle::Plain;
                let is_null = !quoted && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null {
                    Value::Null
                } else {
                    Value::Text { text: text.into_owned(), quoted }
                };
                let node = Node { place, tag: tag_text(tag.as_deref()), value };
                self.add(Anchored { node, size, height: 0 }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(place, tag.as_deref(), anchor, Content::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map { entries: Vec::new(), seen: HashMap::new(), key: None };
                self.open(place, tag.as_deref(), anchor, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, place),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(Diagnostic::error(place, "", "a second document begins here")
                    .help("a source is one document; remove the \"---\" and what follows"))
            }
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        place: Place,
        tag: Option<&Tag>,
        anchor: usize,
        content: Content,
    ) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(place, ""));
        }
        if self.open.last().is_some_and(Open::expects_key) {
            return Err(Diagnostic::error(place, "", "a list or map cannot be a key"));
        }
        let tag = tag_text(tag);
        self.open.push(Open { place, tag, anchor, size: 1, height: 1, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Diagnostic> {
        let Some(Open { place, tag, anchor, size, height, content }) = self.open.pop() else {
            return Ok(());
        };
        let value = match content {
            Content::List(items) => Value::List(items),
            Content::Map { entries, .. } => Value::Map(self.merged(entries)),
        };
        self.add(Anchored { node: Node { place, tag, value }, size, height }, anchor)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Diagnostic> {
        let Some(Anchored { node, size, height }) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::error(place, "", "this alias stands inside its own anchor"));
        };
        self.aliased += size;
        if self.aliased > MAX_ALIASED_NODES {
            let message =
                format!("the aliases of this file add more than {MAX_ALIASED_NODES} values");
            return Err(Diagnostic::error(place, "", message)
                .help("aliases of aliases multiply; write the values out where they are needed"));
        }
        if self.open.len() + height > MAX_DEPTH {
            return Err(too_deep(place, ""));
        }
        let copy = Anchored { node: node.clone(), size: *size, height: *height };
        self.add(copy, 0)
    }

    /// Puts a finished node into whatever is open.
    fn add(&mut self, done: Anchored, anchor: usize) -> Result<(), Diagnostic> {
        if anchor != 0 {
            let Anchored { node, size, height } = &done;
            let copy = Anchored { node: node.clone(), size: *size, height: *height };
            self.anchors.insert(anchor, copy);
        }
        let Anchored { node, size, height } = done;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.size += size;
        open.height = open.height.max(height + 1);
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, key } => match key.take() {
                Some((key, place)) => match seen.get(&key) {
                    Some(&first) if key != "<<" => {
                        self.problems.add(duplicate_key(
                            &key,
                            place.clone(),
                            &entries[first].place,
                        ));
                        entries[first] = Entry { key, place, value: node };
                    }
                    _ => {
                        seen.insert(key.clone(), entries.len());
                        entries.push(Entry { key, place, value: node });
                    }
                },
                None => match node.value {
                    Value::Text { text, .. } => *key = Some((text, node.place)),
                    Value::Null => *key = Some(("null".to_owned(), node.place)),
                    _ => {
                        let message = "a list or map cannot be a key";
                        return Err(Diagnostic::error(node.place, "", message));
                    }
                },
            },
        }
        Ok(())
    }

    /// YAML's merge keys, which serverless files use: `<<: *defaults` adds what is not there yet.
    fn merged(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if entries.iter().all(|entry| entry.key != "<<") {
            return entries;
        }
        let (merges, mut kept): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.key == "<<");
        let mut known: HashSet<String> = kept.iter().map(|entry| entry.key.clone()).collect();
        for merge in merges {
            let sources = match merge.value.value {
                Value::List(items) => items,
                _ => vec![merge.value],
            };
            for source in sources {
                let Value::Map(more) = source.value else {
                    let message = format!("\"<<\" merges maps, found {}", source.describe());
                    self.problems.add(Diagnostic::error(source.place, "<<", message));
                    continue;
                };
                for entry in more {
                    if known.insert(entry.key.clone()) {
                        kept.push(entry);
                    }
                }
            }
        }
        kept
    }

    fn innermost_open(&self) -> Option<&Place> {
        self.open.last().map(|open| &open.place)
    }

    fn place(&self, at: Marker) -> Place {
        place(at, self.file)
    }
}

impl Open {
    fn expects_key(&self) -> bool {
        matches!(self.content, Content::Map { key: None, .. })
    }
}

fn place(at: Marker, file: &Arc<str>) -> Place {
    let limited = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { file: file.clone(), line: limited(at.line().max(1)), column: limited(at.col() + 1) }
}

fn tag_text(tag: Option<&Tag>) -> Option<Arc<str>> {
    let tag = tag?;
    // `!!str`, `!!int` and their kind say nothing that we do not read from the text itself.
    if tag.is_yaml_core_schema() {
        return None;
    }
    Some(format!("{}{}", tag.handle, tag.suffix).into())
}

/// YAML allows no control characters but tab and line ends (YAML 1.2 §5.1); they mean a binary file.
fn control_character(text: &str, file: &Arc<str>) -> Option<Diagnostic> {
    // Control characters are single bytes in UTF-8, and bytes are quicker to look through.
    let is_control = |b: u8| b.is_ascii_control() && !matches!(b, b'\t' | b'\n' | b'\r');
    let at = text.bytes().position(is_control)?;
    let before = &text[..at];
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or("").chars().count();
    let limited = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let place = Place { file: file.clone(), line: limited(line), column: limited(column) };
    let code = text[at..].chars().next().map_or(0, u32::from);
    let message = format!("the control character U+{code:04X}: this is not a text file");
    Some(
        Diagnostic::error(place, "", message)
            .help("is this the template, or something it was packed into?"),
    )
}

fn syntax_error(
    error: &ScanError,
    text: &str,
    file: &Arc<str>,
    open: Option<&Place>,
) -> Diagnostic {
    let at = error.marker();
    if let Some((line, column)) = tab_near(text, at.line()) {
        let place = Place { file: file.clone(), line, column };
        let message = "this line is indented with a tab; YAML allows only spaces there";
        return Diagnostic::error(place, "", message);
    }
    let is_at_end = at.index() >= text.trim_end().chars().count();
    let message = format!("this is not valid YAML: {}", error.info());
    let help = if is_at_end {
        Some(match open {
            Some(open) => format!(
                "the file ends in the middle of what begins at {}:{}; was it cut off?",
                open.line, open.column
            ),
            None => "the file ends too early; was it cut off?".to_owned(),
        })
    } else {
        let said = advice(error.info()).map(str::to_owned);
        said.or_else(|| {
            let open = open.filter(|open| is_bracket(open, text))?;
            let (line, column) = (open.line, open.column);
            Some(format!("is the bracket at {line}:{column} not closed, or a comma missing?"))
        })
    };
    Diagnostic::error(place(*at, file), "", message).maybe_help(help)
}

/// Whether a list or map is written in brackets, perhaps behind a tag.
fn is_bracket(open: &Place, text: &str) -> bool {
    let line = text.lines().nth(open.line.saturating_sub(1) as usize).unwrap_or_default();
    let from = line.char_indices().nth(open.column.saturating_sub(1) as usize);
    let from = from.map_or("", |(at, _)| &line[at..]);
    let value = match from.strip_prefix('!') {
        Some(tagged) => tagged.trim_start_matches(|c: char| !c.is_whitespace()).trim_start(),
        None => from,
    };
    value.starts_with(['[', '{'])
}

/// The tab in the indentation of this line or the next, which is what the parser stumbled over.
fn tab_near(text: &str, line: usize) -> Option<(u32, u32)> {
    let lines = text.lines().enumerate().skip(line.saturating_sub(1)).take(2);
    lines
        .filter_map(|(index, line)| {
            let spaces = line.len() - line.trim_start_matches(' ').len();
            let is_tab = line[spaces..].starts_with('\t') && !line.trim().is_empty();
            is_tab.then_some((index + 1, spaces + 1))
        })
        .find_map(|(line, column)| Some((u32::try_from(line).ok()?, u32::try_from(column).ok()?)))
}

/// What the parser's words mean to somebody who does not think in tokens.
fn advice(info: &str) -> Option<&'static str> {
    const ADVICE: [(&str, &str); 9] = [
        ("trailing content", "something follows the closing quotation mark; quote the whole value"),
        ("quoted scalar", "is the quotation mark at the end missing?"),
        ("unknown anchor", "a text that begins with * stands in quotes, as \"*.jpg\" does"),
        ("unexpected character", "a text that begins with this character stands in quotes"),
        (
            "simple key expect",
            "the line above is no \"key: value\"; is the space after its colon missing?",
        ),
        (
            "mapping values are not allowed",
            "is the line indented deeper than its neighbors, or should the value stand in quotes?",
        ),
        ("expected '-' indicator", "is the line indented as its neighbors are?"),
        ("did not find expected key", "is the line indented as its neighbors are?"),
        ("recursion limit", "no template needs that many levels; is a bracket wrong?"),
    ];
    ADVICE.iter().find(|(words, _)| info.contains(words)).map(|(_, advice)| *advice)
}
