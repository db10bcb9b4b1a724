//! Variables: `${self:a.b}`, `${opt:x, 'default'}`, `${env:X}`, `${sls:stage}`, `${file(x.yml):key}`,
//! `${param:x}`, nested in each other.
//!
//! What would need AWS, another tool or a program (`${ssm:}`, `${cf:}`, `${file(x.js)}`) is an error
//! that names the option which gives its value; nothing is executed. What `${…}` of CloudFormation
//! means is left alone. Circles, depth and growth are limited.

mod file;
mod lookup;
mod syntax;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::Options;
use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value, quote, weight};
use crate::source::Sources;
use crate::template::join;
use lookup::literal;
use syntax::{closing_brace, is_variable, parts, split_fallbacks};

/// Limits of one source: real ones use a few hundred variables.
const MAX_SUBSTITUTIONS: usize = 5_000;
const MAX_NODES: usize = 200_000;
const MAX_TEXT: usize = 256 * 1024;
const MAX_DEPTH: usize = 96;

pub(super) struct Variables<'a> {
    root: &'a Node,
    directory: &'a Path,
    options: &'a Options,
    sources: &'a Sources,
    problems: &'a Problems,
    /// Addresses that are being resolved, wholly or at the top alone, to find circles.
    visiting: RefCell<Vec<(String, bool)>>,
    files: RefCell<HashMap<PathBuf, Option<Rc<Node>>>>,
    substitutions: Cell<usize>,
    nodes: Cell<usize>,
    depth: Cell<usize>,
    is_quiet: Cell<bool>,
    /// Maps and lists that variables lead to stay as written, and are resolved where they are used.
    is_top_only: Cell<bool>,
    is_exhausted: Cell<bool>,
    stage: RefCell<Option<String>>,
}

/// What one source of a variable says.
enum Outcome {
    Found(Node),
    /// It has no value; a fallback may.
    Missing(Problem),
    /// Reported already.
    Failed,
}

struct Problem {
    message: String,
    help: Option<String>,
    /// Only AWS or a program has the value.
    is_elsewhere: bool,
}

impl<'a> Variables<'a> {
    pub(super) fn new(
        root: &'a Node,
        directory: &'a Path,
        options: &'a Options,
        sources: &'a Sources,
        problems: &'a Problems,
    ) -> Self {
        Self {
            root,
            directory,
            options,
            sources,
            problems,
            visiting: RefCell::default(),
            files: RefCell::default(),
            substitutions: Cell::new(0),
            nodes: Cell::new(0),
            depth: Cell::new(0),
            is_quiet: Cell::new(false),
            is_top_only: Cell::new(false),
            is_exhausted: Cell::new(false),
            stage: RefCell::default(),
        }
    }

    /// `node` with all variables replaced, at every depth.
    pub(super) fn resolve(&self, node: &Node, path: &str) -> Node {
        self.nodes.set(self.nodes.get() + node.as_text().map_or(1, weight));
        if self.nodes.get() > MAX_NODES || self.depth.get() >= MAX_DEPTH {
            return self.exhausted(node, path);
        }
        self.depth.set(self.depth.get() + 1);
        let value = match &node.value {
            Value::Text { text, .. } if text.contains("${") => {
                let resolved = self.resolve_text(text, node, path);
                self.depth.set(self.depth.get() - 1);
                // A tag such as !Sub stays where it was written.
                return Node { tag: node.tag.clone().or(resolved.tag), ..resolved };
            }
            Value::List(_) | Value::Map(_) if self.is_top_only.get() => node.value.clone(),
            Value::List(items) => {
                let items = items.iter().enumerate();
                Value::List(
                    items.map(|(i, item)| self.resolve(item, &format!("{path}[{i}]"))).collect(),
                )
            }
            Value::Map(entries) => {
                let resolved = entries.iter().map(|entry| Entry {
                    value: self.resolve(&entry.value, &join(path, &entry.key)),
                    ..entry.clone_key()
                });
                Value::Map(resolved.collect())
            }
            other => other.clone(),
        };
        self.depth.set(self.depth.get() - 1);
        Node { place: node.place.clone(), tag: node.tag.clone(), value }
    }

    /// `node` resolved only if it is itself a variable; what is inside stays as written. So may a file
    /// that holds all of `custom` refer to `${self:custom.x}`, as in the framework.
    pub(super) fn resolve_top(&self, node: &Node, path: &str) -> Node {
        let before = self.is_top_only.replace(true);
        let resolved = self.resolve(node, path);
        self.is_top_only.set(before);
        resolved
    }

    /// Resolves what nobody may ever need: failures stay silent.
    pub(super) fn resolve_quietly(&self, node: &Node, path: &str) -> Node {
        let before = self.is_quiet.replace(true);
        let resolved = self.resolve(node, path);
        self.is_quiet.set(before);
        resolved
    }

    /// `--opt NAME=VALUE`.
    pub(super) fn option(&self, name: &str) -> Option<String> {
        let given = self.options.opts.iter().rev().find(|(given, _)| given == name);
        given.map(|(_, value)| value.clone())
    }

    /// `--stage`, `--opt stage=`, `provider.stage`, or `dev`.
    pub(super) fn stage(&self) -> String {
        if let Some(known) = &*self.stage.borrow() {
            return known.clone();
        }
        let given = self.options.stage.clone().or_else(|| self.option("stage"));
        let stage = given.or_else(|| {
            let provider = self.resolve_top(self.root.get("provider")?, "provider");
            let stage = self.resolve(provider.get("stage")?, "provider.stage");
            stage.as_text().map(str::to_owned)
        });
        let stage = stage.unwrap_or_else(|| "dev".to_owned());
        *self.stage.borrow_mut() = Some(stage.clone());
        stage
    }

    fn resolve_text(&self, text: &str, at: &Node, path: &str) -> Node {
        let mut done = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let Some(end) = closing_brace(&rest[start + 2..]) else {
                break;
            };
            let inner = &rest[start + 2..start + 2 + end];
            let after = &rest[start + 2 + end + 1..];
            if !is_variable(inner) {
                done.push_str(&rest[..start]);
                done.push_str("${");
                done.push_str(inner);
                done.push('}');
                rest = after;
                continue;
            }
            let found = self.variable(inner, at, path);
            let is_whole = done.is_empty() && start == 0 && after.is_empty();
            match found.value {
                _ if is_whole => return found,
                Value::Text { text, .. } => {
                    done.push_str(&rest[..start]);
                    done.push_str(&text);
                }
                Value::Unknown => return found,
                _ => {
                    let message = format!(
                        "{} is {}, which cannot stand inside a text",
                        quote(&format!("${{{inner}}}")),
                        found.describe()
                    );
                    return self.fail(at, path, message, None);
                }
            }
            if done.len() > MAX_TEXT {
                return self.exhausted(at, path);
            }
            rest = after;
        }
        done.push_str(rest);
        let value = Value::Text { text: done, quoted: true };
        Node { place: at.place.clone(), tag: None, value }
    }

    /// One variable with its fallbacks.
    fn variable(&self, inner: &str, at: &Node, path: &str) -> Node {
        self.substitutions.set(self.substitutions.get() + 1);
        if self.substitutions.get() > MAX_SUBSTITUTIONS || self.depth.get() >= MAX_DEPTH {
            return self.exhausted(at, path);
        }
        self.depth.set(self.depth.get() + 1);
        let node = self.variable_unguarded(inner, at, path);
        self.depth.set(self.depth.get() - 1);
        node
    }

    fn variable_unguarded(&self, inner: &str, at: &Node, path: &str) -> Node {
        let mut first_problem: Option<Problem> = None;
        let sources = split_fallbacks(inner);
        let has_fallback = sources.len() > 1;
        for source in sources {
            match self.source(source.trim(), at, path) {
                Outcome::Found(node) => {
                    if let Some(problem) = first_problem.filter(|problem| problem.is_elsewhere) {
                        let message = format!("{}; the fallback is used", problem.message);
                        if !self.is_quiet.get() {
                            let warning = Diagnostic::warning(at.place.clone(), path, message);
                            self.problems.add(warning.maybe_help(problem.help));
                        }
                    }
                    return match node.value {
                        // Scalars belong to where they are used, maps and lists to where they stand.
                        Value::Text { .. } | Value::Null => {
                            Node { place: at.place.clone(), ..node }
                        }
                        _ => node,
                    };
                }
                Outcome::Missing(problem) => {
                    first_problem.get_or_insert(problem);
                }
                Outcome::Failed => return Node::unknown(at.place.clone()),
            }
        }
        let Some(Problem { message, help, .. }) = first_problem else {
            return Node::unknown(at.place.clone());
        };
        let help = help.or_else(|| {
            (!has_fallback).then(|| format!("write a fallback: ${{{inner}, 'value'}}"))
        });
        self.fail(at, path, message, help)
    }

    /// One source: a literal, a nested variable, or `type(argument):address`.
    fn source(&self, source: &str, at: &Node, path: &str) -> Outcome {
        let quoted = |mark: char| {
            source
                .strip_prefix(mark)
                .and_then(|rest| rest.strip_suffix(mark))
                .filter(|_| source.len() > 1)
        };
        if let Some(literal) = quoted('\'').or_else(|| quoted('"')) {
            return self.expanded(literal, at, path);
        }
        if source.starts_with("${") && closing_brace(&source[2..]) == Some(source.len() - 3) {
            // A nested variable may be missing without being an error: a fallback may follow.
            return self.nested(&source[2..source.len() - 1], at, path);
        }
        let expanded = match self.expanded(source, at, path) {
            Outcome::Found(node) => node,
            other => return other,
        };
        let source = expanded.as_text().unwrap_or_default();
        if let Some(value) = self.option(source) {
            return Outcome::Found(Node::text(value, at.place.clone()));
        }
        let Some((kind, argument, address)) = parts(source) else {
            return literal(source, at);
        };
        self.lookup(source, kind, argument, address, at, path)
    }

    fn nested(&self, inner: &str, at: &Node, path: &str) -> Outcome {
        let mut problem = None;
        for source in split_fallbacks(inner) {
            if self.depth.get() >= MAX_DEPTH {
                self.exhausted(at, path);
                return Outcome::Failed;
            }
            self.depth.set(self.depth.get() + 1);
            let outcome = self.source(source.trim(), at, path);
            self.depth.set(self.depth.get() - 1);
            match outcome {
                Outcome::Missing(missing) => {
                    problem.get_or_insert(missing);
                }
                other => return other,
            }
        }
        problem.map_or(Outcome::Failed, Outcome::Missing)
    }

    /// Text with the variables inside it replaced.
    fn expanded(&self, text: &str, at: &Node, path: &str) -> Outcome {
        if !text.contains("${") {
            return Outcome::Found(Node::text(text, at.place.clone()));
        }
        let node = self.resolve_text(text, at, path);
        if node.as_text().is_some() { Outcome::Found(node) } else { Outcome::Failed }
    }

    fn exhausted(&self, at: &Node, path: &str) -> Node {
        if !self.is_exhausted.replace(true) {
            let message = "the variables of this source multiply beyond all use";
            self.problems.add(
                Diagnostic::error(at.place.clone(), path, message)
                    .help("variables that contain variables several times over grow without end"),
            );
        }
        Node::unknown(at.place.clone())
    }

    fn fail(&self, at: &Node, path: &str, message: String, help: Option<String>) -> Node {
        if !self.is_quiet.get() {
            self.problems.add(Diagnostic::error(at.place.clone(), path, message).maybe_help(help));
        }
        Node::unknown(at.place.clone())
    }
}

impl Entry {
    /// The key without its value.
    fn clone_key(&self) -> Self {
        Self {
            key: self.key.clone(),
            place: self.place.clone(),
            value: Node::unknown(self.place.clone()),
        }
    }
}
