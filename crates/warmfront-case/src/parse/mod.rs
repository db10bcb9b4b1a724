//! From the text of a case to its steps.
//!
//! `lines` makes statements of lines, `cursor` makes tokens of a statement, `origin` and `viewer` read
//! the two large statements, `check` holds what must be true of the whole. The grammar for people is
//! `docs/case.md`.

mod check;
mod cursor;
mod lines;
mod origin;
mod purge;
mod suggest;
mod viewer;

use std::path::Path;

use crate::script::{Action, Case, Source, Step};
use cursor::{Cursor, Token};
use lines::Statement;

/// A longer case is refused: it is meant to be read.
const LONGEST_CASE: usize = 1 << 20;

const STATEMENTS: &[&str] = &[
    "distribution:",
    "option",
    "origin",
    "viewer",
    "viewers",
    "advance",
    "release",
    "await",
    "expect",
    "purge",
];

/// What is wrong with a case, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}:{line}: {problem}")]
pub struct ParseError {
    /// The file.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what would work.
    pub problem: String,
}

/// A problem before it knows its file.
#[derive(Debug)]
pub(crate) struct Problem {
    line: usize,
    text: String,
}

type Parsed<T> = Result<T, Problem>;

impl Case {
    /// Reads a case. `name` is shown in messages; files named inside are looked for beside it.
    pub fn parse(name: &str, text: &str) -> Result<Self, ParseError> {
        parse(name, text).map_err(|Problem { line, text }| ParseError {
            name: name.to_owned(),
            line,
            problem: text,
        })
    }
}

fn parse(name: &str, text: &str) -> Parsed<Case> {
    if text.len() > LONGEST_CASE {
        return Err(problem(1, format!("a case is at most {LONGEST_CASE} bytes long")));
    }
    let mut case = Case {
        name: name.to_owned(),
        source: None,
        options: Vec::new(),
        origins: Vec::new(),
        steps: Vec::new(),
        lines: text.lines().map(str::to_owned).collect(),
    };
    for statement in lines::statements(text)? {
        read(&mut case, &statement)?;
    }
    check::whole(&case)?;
    Ok(case)
}

fn read(case: &mut Case, statement: &Statement) -> Parsed<()> {
    let mut cursor = Cursor::new(statement);
    let line = cursor.line();
    let keyword = cursor.word();
    let step = |action| Step { line, action };
    match keyword {
        "distribution:" => {
            if case.source.is_some() {
                return Err(problem(line, "a case has one distribution"));
            }
            case.source = Some(source(&case.name, &mut cursor)?);
        }
        "option" => {
            while let Some(token) = cursor.next()? {
                match token {
                    Token::Word(word) => case.options.push(beside(&case.name, word)),
                    _ => return Err(cursor.problem("an option is words: --parameter Min=1")),
                }
            }
        }
        "origin" => {
            let (name, action) = origin::statement(&mut cursor)?;
            remember(&mut case.origins, &name);
            case.steps.push(step(action));
        }
        "viewer" | "viewers" => {
            case.steps.extend(viewer::statement(&mut cursor)?.into_iter().map(step));
        }
        "advance" => case.steps.push(step(Action::Advance(cursor.duration()?))),
        "release" => case.steps.push(step(Action::Release(cursor.name("the name of a gate")?))),
        "await" | "expect" => {
            let action = origin_state(keyword, &mut cursor)?;
            if let Action::AwaitHold { origin, .. }
            | Action::AwaitCount { origin, .. }
            | Action::ExpectCount { origin, .. } = &action
            {
                remember(&mut case.origins, origin);
            }
            case.steps.push(step(action));
        }
        "purge" => case.steps.push(step(purge::statement(&mut cursor)?)),
        other => {
            let hint = suggest::did_you_mean(other, STATEMENTS);
            return Err(problem(line, format!("no statement begins with {other:?}.{hint}")));
        }
    }
    cursor.end()
}

fn source(case: &str, cursor: &mut Cursor<'_>) -> Parsed<Source> {
    if let Some(block) = cursor.block() {
        return Ok(Source::Inline { text: block.text.clone(), line: block.line });
    }
    let file = cursor.rest();
    if file.is_empty() {
        return Err(cursor.problem("distribution: needs a file, or an indented block below"));
    }
    Ok(Source::File(directory(case).join(file)))
}

/// `--origin site=../files` and `--with ../policy.json` mean paths as seen from the case, wherever it is
/// run.
fn beside(case: &str, option: &str) -> String {
    match option.split_once('=') {
        Some((key, path)) if path.starts_with("./") || path.starts_with("../") => {
            format!("{key}={}", directory(case).join(path).display())
        }
        None if option.starts_with("./") || option.starts_with("../") => {
            directory(case).join(option).display().to_string()
        }
        _ => option.to_owned(),
    }
}

fn directory(case: &str) -> &Path {
    Path::new(case).parent().unwrap_or(Path::new(""))
}

/// `await origin NAME holds GATE`, `await origin NAME count N`, `expect origin NAME count N`.
fn origin_state(keyword: &str, cursor: &mut Cursor<'_>) -> Parsed<Action> {
    let example = "write: await origin NAME holds GATE, await origin NAME count 2, \
                   or expect origin NAME count 2";
    if cursor.word() != "origin" {
        return Err(cursor.problem(example));
    }
    let origin = cursor.name("the name of an origin")?;
    match (keyword, cursor.word()) {
        ("await", "holds") => {
            Ok(Action::AwaitHold { origin, gate: cursor.name("the name of a gate")? })
        }
        ("await", "count") => Ok(Action::AwaitCount { origin, count: cursor.number()? }),
        ("expect", "count") => Ok(Action::ExpectCount { origin, count: cursor.number()? }),
        _ => Err(cursor.problem(example)),
    }
}

fn remember(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

fn problem(line: usize, text: impl Into<String>) -> Problem {
    Problem { line, text: text.into() }
}

#[cfg(test)]
mod tests;
