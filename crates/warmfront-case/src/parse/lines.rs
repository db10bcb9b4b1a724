//! Statements: a line, the indented lines that continue it, and the block of text it may own.

use super::{Parsed, problem};

/// One statement. Its text keeps the line feeds, which separate clauses as `;` does.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) block: Option<Block>,
}

/// Text that is taken as it stands, without the indentation it has in common.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) line: usize,
    pub(super) text: String,
}

pub(super) fn statements(text: &str) -> Parsed<Vec<Statement>> {
    let mut statements: Vec<Statement> = Vec::new();
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).peekable();
    while let Some((number, line)) = lines.next() {
        let content = without_comment(line).trim_end();
        if content.trim_start().is_empty() {
            continue;
        }
        if !content.starts_with([' ', '\t']) {
            statements.push(Statement { line: number, text: content.to_owned(), block: None });
        } else {
            let Some(statement) = statements.last_mut() else {
                return Err(problem(
                    number,
                    "an indented line continues a statement; none is open",
                ));
            };
            // A comment line between keeps the count of lines right.
            let written = statement.text.matches('\n').count();
            let missing = (number - statement.line).saturating_sub(written);
            statement.text.push_str(&"\n".repeat(missing));
            statement.text.push_str(content);
        }
        let statement = statements.last_mut().expect("one was just pushed or found");
        let owns_block = statement.text.ends_with("<<") || statement.text == "distribution:";
        if owns_block {
            let shortened = statement.text.strip_suffix("<<").unwrap_or(&statement.text).len();
            statement.text.truncate(shortened);
            let mut own = Vec::new();
            while let Some(&(_, next)) = lines.peek() {
                if !next.trim().is_empty() && !next.starts_with([' ', '\t']) {
                    break;
                }
                own.push(next);
                lines.next();
            }
            let block = Block { line: number + 1, text: dedented(&own) };
            if block.text.is_empty() {
                return Err(problem(number, "an indented block of text must follow here"));
            }
            statement.block = Some(block);
        }
    }
    Ok(statements)
}

/// A comment begins with `#` at the start of a line, or after a space and before one, outside of quotes
/// and regular expressions.
fn without_comment(line: &str) -> &str {
    let mut closing = None;
    let mut before = ' ';
    let mut escaped = false;
    for (index, c) in line.char_indices() {
        match closing {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(end) if c == end => closing = None,
            Some(_) => {}
            None => match c {
                '"' => closing = Some('"'),
                '/' if before == '~' => closing = Some('/'),
                '#' if index == 0 => return "",
                '#' if before.is_whitespace() && !line[index + 1..].starts_with(is_written) => {
                    return &line[..index];
                }
                _ => {}
            },
        }
        before = c;
    }
    line
}

fn is_written(c: char) -> bool {
    !c.is_whitespace()
}

fn dedented(lines: &[&str]) -> String {
    let written = || lines.iter().filter(|line| !line.trim().is_empty());
    let common =
        written().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    let last = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    let mut text = String::new();
    for line in &lines[..last] {
        text.push_str(line.get(common..).unwrap_or_default().trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_needs_air_around_it() {
        for (line, kept) in [
            ("# all", ""),
            ("viewer 1: GET /a # why", "viewer 1: GET /a "),
            ("viewer 1: GET /a#b", "viewer 1: GET /a#b"),
            ("origin a: GET / -> 200 \"a # b\"", "origin a: GET / -> 200 \"a # b\""),
            ("x: ~/a # b/ # c", "x: ~/a # b/ "),
            ("purge #tag", "purge #tag"),
        ] {
            assert_eq!(without_comment(line), kept);
        }
    }

    #[test]
    fn a_block_loses_its_common_indentation() {
        let text = "distribution:\n    A:\n      B: 1\n\n    C: 2\n\nadvance 1s\n";
        let statements = statements(text).map_err(|problem| problem.text).unwrap();
        assert_eq!(statements.len(), 2);
        assert_eq!(statements[0].block.as_ref().unwrap().text, "A:\n  B: 1\n\nC: 2\n");
        assert_eq!(statements[1].line, 7);
    }
}
