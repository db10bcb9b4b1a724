//! Variables: `${self:a.b}`, `${opt:x, 'default'}`, `${env:X}`, `${sls:stage}`, `${file(x.yml):key}`,
//! `${param:x}`, nested in each other.
//!
//! What would need AWS, another tool or a program (`${ssm:}`, `${cf:}`, `${file(x.js)}`) is an error
//! that names the option which gives its value; nothing is executed. What `${…}` of CloudFormation
//! means is left alone. Circles, depth and growth are limited.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use crate::Options;
use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{self, Entry, Node, Value, quote, weight};
use crate::names::{DEFAULT_ACCOUNT, DEFAULT_REGION};
use crate::place::Place;
use crate::source::Sources;
use crate::suggest::did_you_mean;
use crate::template::join;

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
    /// Addresses that are being resolved, to find circles.
    visiting: RefCell<Vec<String>>,
    files: RefCell<HashMap<PathBuf, Option<Rc<Node>>>>,
    substitutions: Cell<usize>,
    nodes: Cell<usize>,
    depth: Cell<usize>,
    is_quiet: Cell<bool>,
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

    /// `node` resolved only if it is itself a variable; what is inside stays as written.
    pub(super) fn resolve_top(&self, node: &Node, path: &str) -> Node {
        match &node.value {
            Value::Text { text, .. } if text.contains("${") => self.resolve(node, path),
            _ => node.clone(),
        }
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

    fn lookup(
        &self,
        source: &str,
        kind: &str,
        argument: Option<&str>,
        address: &str,
        at: &Node,
        path: &str,
    ) -> Outcome {
        let text = |text: String| Outcome::Found(Node::text(text, at.place.clone()));
        let missing = |message: String| {
            Outcome::Missing(Problem { message, help: None, is_elsewhere: false })
        };
        match kind {
            "self" => self.in_tree(self.root, address, source, at, path),
            "opt" if address == "stage" && self.options.stage.is_some() => text(self.stage()),
            "opt" => match self.option(address) {
                Some(value) => text(value),
                None => Outcome::Missing(Problem {
                    message: format!("the option {} is not given", quote(address)),
                    help: Some(format!("pass --opt {address}=VALUE, or write a fallback")),
                    is_elsewhere: false,
                }),
            },
            "env" => match self.options.env.get(address) {
                Some(value) => text(value.clone()),
                None => missing(format!("the environment variable {} is not set", quote(address))),
            },
            "sls" if address == "stage" => self.stage_variable(at, path),
            "sls" if address == "instanceId" => text("local".to_owned()),
            "aws" if address == "accountId" => text(
                self.pseudo_parameter("AWS::AccountId")
                    .unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned()),
            ),
            "aws" if address == "region" => text(
                self.pseudo_parameter("AWS::Region")
                    .or_else(|| self.option("region"))
                    .or_else(|| {
                        self.root.get("provider")?.get("region")?.as_text().map(str::to_owned)
                    })
                    .filter(|region| !region.contains("${"))
                    .unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            ),
            "param" => self.parameter(address, at, path),
            "file" => self.file(argument.unwrap_or_default(), address, source, at, path),
            "strToBool" => match argument.unwrap_or_default() {
                "true" | "1" => literal("true", at),
                "false" | "0" => literal("false", at),
                other => {
                    self.fail(
                        at,
                        path,
                        format!("{} is neither true nor false", quote(other)),
                        None,
                    );
                    Outcome::Failed
                }
            },
            "ssm" | "cf" | "s3" | "aws" | "sls" | "git" | "vault" | "output" | "terraform"
            | "doppler" => Outcome::Missing(Problem {
                message: format!(
                    "{} has no value here: nothing is fetched or run",
                    quote(&format!("${{{source}}}"))
                ),
                help: Some(format!("pass its value: --opt '{source}=VALUE'")),
                is_elsewhere: true,
            }),
            _ => {
                const KNOWN: [&str; 9] =
                    ["self", "opt", "env", "sls", "file", "param", "ssm", "cf", "aws"];
                let message = format!(
                    "there is no variable source {}.{}",
                    quote(kind),
                    did_you_mean(kind, KNOWN)
                );
                self.fail(at, path, message, None);
                Outcome::Failed
            }
        }
    }

    fn stage_variable(&self, at: &Node, path: &str) -> Outcome {
        self.visit("sls:stage", at, path, || {
            Outcome::Found(Node::text(self.stage(), at.place.clone()))
        })
    }

    /// `params.<stage>.x`, then `params.default.x`.
    fn parameter(&self, name: &str, at: &Node, path: &str) -> Outcome {
        self.visit(&format!("param:{name}"), at, path, || {
            let stage = self.stage();
            let params = self.root.get("params").map(|params| self.resolve_top(params, "params"));
            for section in [stage.as_str(), "default"] {
                let found = params.as_ref().and_then(|params| params.get(section)?.get(name));
                if let Some(node) = found {
                    return Outcome::Found(self.resolve(node, &format!("params.{section}.{name}")));
                }
            }
            Outcome::Missing(Problem {
                message: format!(
                    "the parameter {} is not in params of stage {}",
                    quote(name),
                    quote(&stage)
                ),
                help: Some(format!("pass --opt 'param:{name}=VALUE'")),
                is_elsewhere: false,
            })
        })
    }

    fn file(&self, name: &str, address: &str, source: &str, at: &Node, path: &str) -> Outcome {
        let extension = Path::new(name).extension().and_then(|it| it.to_str()).unwrap_or_default();
        if matches!(extension, "js" | "cjs" | "mjs" | "ts") {
            return Outcome::Missing(Problem {
                message: format!("{} is a program, and nothing in a source is run", quote(name)),
                help: Some(format!("pass the value: --opt '{source}=VALUE'")),
                is_elsewhere: true,
            });
        }
        let relative = clean(Path::new(name));
        let Some(relative) = relative else {
            let message = format!("{} lies outside of the directory of the source", quote(name));
            self.fail(
                at,
                path,
                message,
                Some("copy it into the directory, or link it there by its content".to_owned()),
            );
            return Outcome::Failed;
        };
        let file = self.directory.join(&relative);
        let is_inside = match (file.canonicalize(), self.directory.canonicalize()) {
            (Ok(file), Ok(directory)) => file.starts_with(directory),
            _ => true,
        };
        if !is_inside {
            let message = format!("{} leads outside of the directory of the source", quote(name));
            self.fail(at, path, message, None);
            return Outcome::Failed;
        }
        let shown = if self.directory == Path::new(".") { relative } else { file.clone() };
        let tree = match self.read_file(&file, &shown, extension) {
            Ok(Some(tree)) => tree,
            Ok(None) => return Outcome::Failed,
            Err(message) => {
                return Outcome::Missing(Problem { message, help: None, is_elsewhere: false });
            }
        };
        self.in_tree(&tree, address, source, at, path)
    }

    fn read_file(
        &self,
        file: &Path,
        shown: &Path,
        extension: &str,
    ) -> Result<Option<Rc<Node>>, String> {
        if let Some(known) = self.files.borrow().get(file) {
            return Ok(known.clone());
        }
        let text = self.sources.read(file).map_err(|error| error.to_string())?;
        let name: Arc<str> = shown.display().to_string().into();
        let tree = match extension {
            "yml" | "yaml" | "json" => document::parse(&text, &name, self.problems),
            _ => Some(Node::text(text, Place::start_of(&name))),
        };
        let tree = tree.map(Rc::new);
        self.files.borrow_mut().insert(file.to_owned(), tree.clone());
        Ok(tree)
    }

    /// The node at `a.b.0` of a tree, resolved.
    fn in_tree(&self, tree: &Node, address: &str, source: &str, at: &Node, path: &str) -> Outcome {
        self.visit(source, at, path, || {
            let mut current = Cow::Borrowed(tree);
            for step in address.split('.').filter(|step| !step.is_empty()) {
                if current.as_text().is_some_and(|text| text.contains("${")) {
                    current = Cow::Owned(self.resolve(&current, path));
                }
                let next = match current {
                    Cow::Borrowed(node) => child(node, step).map(Cow::Borrowed),
                    Cow::Owned(ref node) => child(node, step).cloned().map(Cow::Owned),
                };
                if current.value == Value::Unknown {
                    return Outcome::Failed;
                }
                match next {
                    Some(node) => current = node,
                    None => return Outcome::Missing(self.no_such_key(&current, step, source)),
                }
            }
            let resolved = self.resolve(&current, path);
            match resolved.value {
                Value::Unknown => Outcome::Failed,
                Value::Null => Outcome::Missing(Problem {
                    message: format!("{} has no value", quote(&format!("${{{source}}}"))),
                    help: None,
                    is_elsewhere: false,
                }),
                _ => Outcome::Found(resolved),
            }
        })
    }

    fn no_such_key(&self, node: &Node, step: &str, source: &str) -> Problem {
        let known = node.as_map().unwrap_or_default().iter().map(|entry| entry.key.as_str());
        Problem {
            message: format!(
                "{} leads nowhere: there is no {}.{}",
                quote(&format!("${{{source}}}")),
                quote(step),
                did_you_mean(step, known)
            ),
            help: None,
            is_elsewhere: false,
        }
    }

    /// Runs `resolve` unless the address is being resolved already: then it is a circle.
    fn visit(
        &self,
        address: &str,
        at: &Node,
        path: &str,
        resolve: impl FnOnce() -> Outcome,
    ) -> Outcome {
        if self.visiting.borrow().iter().any(|visited| visited == address) {
            let mut circle = self.visiting.borrow().clone();
            circle.push(address.to_owned());
            let message =
                format!("these variables refer to each other in a circle: {}", circle.join(" → "));
            self.fail(at, path, message, None);
            return Outcome::Failed;
        }
        self.visiting.borrow_mut().push(address.to_owned());
        let outcome = resolve();
        self.visiting.borrow_mut().pop();
        outcome
    }

    fn pseudo_parameter(&self, name: &str) -> Option<String> {
        let given = self.options.parameters.iter().rev().find(|(given, _)| given == name);
        given.map(|(_, value)| value.clone())
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

/// The value of a map's key, or the item of a list at an index.
fn child<'n>(node: &'n Node, step: &str) -> Option<&'n Node> {
    match &node.value {
        Value::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => node.get(step),
    }
}

/// The index of the `}` that closes a `${` just opened.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            b'$' if bytes.get(index + 1) == Some(&b'{') => {
                open += 1;
                index += 1;
            }
            b'}' if open == 0 => return Some(index),
            b'}' => open -= 1,
            _ => {}
        }
        index += 1;
    }
    None
}

/// Splits at the commas that stand outside of quotes, parentheses and nested variables.
fn split_fallbacks(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut depth = 0usize;
    let mut quote: Option<char> = None;
    for (index, c) in text.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(mark)) if c == mark => quote = None,
            ('{' | '(', None) => depth += 1,
            ('}' | ')', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// `${AWS::Region}`, `${Bucket}` and `${!Literal}` are CloudFormation's; `${type:…}` is ours.
fn is_variable(inner: &str) -> bool {
    parts(inner.trim_start()).is_some() || inner.trim_start().starts_with("${")
}

/// `type(argument):address` taken apart.
fn parts(source: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = source.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')?;
    let (kind, rest) = source.split_at(end);
    if kind.is_empty() || rest.starts_with("::") {
        return None;
    }
    if let Some(address) = rest.strip_prefix(':') {
        return Some((kind, None, address));
    }
    let inside = rest.strip_prefix('(')?;
    let close = inside.find(')')?;
    let after = &inside[close + 1..];
    let address = after.strip_prefix(':').unwrap_or("");
    (after.is_empty() || after.starts_with(':') || after.starts_with(',')).then_some((
        kind,
        Some(inside[..close].trim()),
        address,
    ))
}

/// A fallback without quotes: a number, a truth value, null.
fn literal(text: &str, at: &Node) -> Outcome {
    let is_literal = matches!(text, "true" | "false") || text.parse::<f64>().is_ok();
    let node = |value| Node { place: at.place.clone(), tag: None, value };
    if text == "null" {
        return Outcome::Found(node(Value::Null));
    }
    if is_literal {
        return Outcome::Found(node(Value::Text { text: text.to_owned(), quoted: false }));
    }
    Outcome::Missing(Problem {
        message: format!("{} is no variable and no value", quote(text)),
        help: Some(format!("a text stands in quotes: '{text}'")),
        is_elsewhere: false,
    })
}

/// The path without `.` and `..`; `None` when it leaves its directory.
fn clean(path: &Path) -> Option<PathBuf> {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir if cleaned.pop() => {}
            _ => return None,
        }
    }
    Some(cleaned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallbacks_are_split_outside_of_quotes_and_variables() {
        for (text, expected) in [
            ("opt:a", &["opt:a"][..]),
            ("opt:a, 'x, y'", &["opt:a", " 'x, y'"]),
            ("opt:a, ${opt:b, 'c'}, 1", &["opt:a", " ${opt:b, 'c'}", " 1"]),
            ("file(a,b.yml):c, d", &["file(a,b.yml):c", " d"]),
        ] {
            assert_eq!(split_fallbacks(text), expected, "{text}");
        }
    }

    #[test]
    fn variables_of_cloudformation_are_left_alone() {
        for (inner, ours) in [
            ("self:custom.a", true),
            ("opt:stage, 'dev'", true),
            ("file(./x.yml):a", true),
            ("file(x.yml)", true),
            ("strToBool(true)", true),
            ("AWS::Region", false),
            ("HttpApi", false),
            ("Bucket.Arn", false),
            ("!Literal", false),
        ] {
            assert_eq!(is_variable(inner), ours, "{inner}");
        }
    }
}
