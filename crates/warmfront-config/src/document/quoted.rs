//! Quoted text that goes on at the left margin of its key.
//!
//! YAML 1.2 (§7.3) wants the further lines of a quoted text indented deeper than the map around it. The
//! readers behind CloudFormation and the Serverless Framework take them anywhere, and templates that
//! people deploy have them. Indentation inside quotes never reaches the text, so such lines are moved
//! to the right and read again. A line that looks like a key stays: there a quotation mark is missing.

use saphyr_parser::{Parser, ScanError};

/// How much text may be read again for one file; a template of 50 KB has room for 600 such texts.
const MAX_READ_AGAIN: usize = 32 * 1024 * 1024;

/// `text` with the lines moved that `error` is about; `None` when the error stands.
pub(super) fn with_lines_moved(text: &str, error: &ScanError) -> Option<String> {
    let mut moved = move_lines(text, error)?;
    let mut budget = MAX_READ_AGAIN;
    loop {
        budget = budget.checked_sub(moved.len())?;
        match Parser::new_from_str(&moved).find_map(Result::err) {
            None => return Some(moved),
            Some(error) => moved = move_lines(&moved, &error)?,
        }
    }
}

fn move_lines(text: &str, error: &ScanError) -> Option<String> {
    if !error.info().contains("invalid indentation in quoted scalar") {
        return None;
    }
    let (start, quote) = text.char_indices().nth(error.marker().index())?;
    let length = closing_quote(&text[start + 1..], quote)?;
    let (before, rest) = text.split_at(start);
    let (inside, after) = rest.split_at(length + 1);
    let margin = " ".repeat(error.marker().col() + 1);
    let mut moved = String::with_capacity(text.len() + 4 * margin.len());
    moved.push_str(before);
    for (index, line) in inside.split_inclusive('\n').enumerate() {
        if index > 0 && looks_like_key(line) {
            return None;
        }
        if index > 0 {
            moved.push_str(&margin);
        }
        moved.push_str(line);
    }
    moved.push_str(after);
    Some(moved)
}

/// Where the text ends that `quote` began. `text` begins after the quotation mark.
fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => {
                chars.next();
            }
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => {
                chars.next();
            }
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

/// `Key:` or `- Key: value`, as in the lines of a template.
fn looks_like_key(line: &str) -> bool {
    let line = line.trim().trim_start_matches("- ");
    let key = line.split(':').next().unwrap_or_default();
    let after = &line[key.len()..];
    !key.is_empty()
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && (after == ":" || after.starts_with(": "))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::diagnostic::Problems;
    use crate::document::{Node, parse};

    fn check(text: &str, expected: Result<(&str, u32), (u32, &str)>) {
        let file: Arc<str> = "template.yml".into();
        let problems = Problems::default();
        let root = parse(text, &file, &problems);
        let problems = problems.into_sorted();
        match (root, expected) {
            (Some(root), Ok((value, line))) => {
                assert_eq!(root.get("A").and_then(Node::as_text), Some(value), "{text}");
                let after = root.entry("Z").expect("every row ends in a key Z");
                assert_eq!((after.place.line, after.place.column), (line, 1), "{text}");
            }
            (None, Err((line, message))) => {
                assert_eq!(problems[0].line, line, "{text}: {problems:?}");
                assert!(problems[0].message.contains(message), "{text}: {problems:?}");
            }
            (root, _) => panic!("{text}: {root:?} {problems:?}"),
        }
    }

    #[test]
    fn quoted_text_may_go_on_at_the_left_margin() {
        check("A: \"one\ntwo\"\nZ: 1\n", Ok(("one two", 3)));
        check("A: \"one \n\ntwo\nthree\"\nZ: 1\n", Ok(("one\ntwo three", 5)));
        check("A: 'it''s one\ntwo'\nZ: 1\n", Ok(("it's one two", 3)));
        check("A: \"a \\\" and\nb\" # why\nB: 'c\nd'\nZ: 1\n", Ok(("a \" and b", 5)));
        check("B:\n  C: \"one\n  two\"\nA: 3\nZ: 1\n", Ok(("3", 5)));
    }

    #[test]
    fn a_missing_quotation_mark_is_still_found_where_the_text_begins() {
        check("A: \"one\nB: \"two\"\nZ: 1\n", Err((1, "quoted scalar")));
        check("A: \"one\nB: two\nC: \"three\nZ: 1\n", Err((1, "quoted scalar")));
        check("A: 'one\n  - B: two'\n  C: 3\nZ: 1\n", Err((3, "")));
        check("A: \"one\ntwo\nZ: 1\n", Err((1, "quoted scalar")));
    }
}
