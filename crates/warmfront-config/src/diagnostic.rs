//! What is wrong with a source, said to the person who wrote it.
//!
//! Everything that reads a source reports into one [`Problems`] and goes on, so that a user sees all
//! problems at once. How they look on a terminal or in a tool is `render`'s work.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::place::Place;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The source is not served.
    Error,
    /// It is served, and probably not as meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// The file as the user named it; `command line` for an option.
    pub file: Arc<str>,
    /// Counted from 1; 0 for an option.
    pub line: u32,
    /// Counted from 1, in characters; 0 for an option.
    pub column: u32,
    /// How bad it is.
    pub severity: Severity,
    /// The property as the user spelled it, such as `Resources.Edge.Properties.DistributionConfig.Enabled`.
    pub path: String,
    /// What is wrong, and the nearest thing that works.
    pub message: String,
    /// What to do about it, where the message does not say so yet.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A problem that stops the source from being served.
    pub fn error(place: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, place, path.into(), message.into())
    }

    /// A problem that is worth a look.
    pub fn warning(place: Place, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, place, path.into(), message.into())
    }

    /// The same, with what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with what to do if something is known.
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    fn new(severity: Severity, place: Place, path: String, message: String) -> Self {
        let Place { file, line, column } = place;
        Self { file, line, column, severity, path, message, help: None }
    }
}

/// Collects problems from everybody who reads a source.
#[derive(Debug, Default)]
pub struct Problems {
    found: RefCell<Vec<Diagnostic>>,
}

/// How many problems are kept; a file that breaks one rule ten thousand times needs no longer list.
const MAX_PROBLEMS: usize = 1_000;

impl Problems {
    /// Adds one.
    pub fn add(&self, diagnostic: Diagnostic) {
        let mut found = self.found.borrow_mut();
        if found.len() < MAX_PROBLEMS {
            found.push(diagnostic);
        }
    }

    /// Whether so much is wrong that looking for more helps nobody.
    pub(crate) fn is_full(&self) -> bool {
        self.found.borrow().len() >= MAX_PROBLEMS
    }

    /// Whether this was said of this line.
    pub(crate) fn says(&self, place: &Place, message: &str) -> bool {
        let found = self.found.borrow();
        found
            .iter()
            .any(|it| it.line == place.line && it.file == place.file && it.message == message)
    }

    /// Whether an error was among them.
    pub fn has_errors(&self) -> bool {
        self.found.borrow().iter().any(|found| found.severity == Severity::Error)
    }

    /// Makes an error of every warning (`--strict`).
    pub(crate) fn make_strict(&self) {
        self.make_strict_from(0);
    }

    /// The same for what came after the first `count`.
    pub(crate) fn make_strict_from(&self, count: usize) {
        for found in self.found.borrow_mut().iter_mut().skip(count) {
            found.severity = Severity::Error;
        }
    }

    /// The problems of several stacks that were read with the same options. An option that one of
    /// them knows is no mistake, so what is said of it counts only when all say something.
    ///
    /// `refused` is what is wrong with files that could not be read on; they might have known it.
    pub(crate) fn merged(all: Vec<Problems>, refused: Problems) -> Problems {
        let count = all.len() + usize::from(refused.has_errors());
        let (options, mut found): (Vec<_>, Vec<_>) = all
            .into_iter()
            .flat_map(|problems| problems.found.into_inner())
            .partition(|it| it.line == 0 && it.path.starts_with("--"));
        let mut by_option: BTreeMap<String, Vec<Diagnostic>> = BTreeMap::new();
        for option in options {
            by_option.entry(option.path.clone()).or_default().push(option);
        }
        for (_, said) in by_option {
            // Whoever knows something near says more than who knows nothing.
            let best = |it: &Diagnostic| (it.message.contains("Did you mean"), it.message.len());
            if said.len() >= count {
                found.extend(said.into_iter().max_by_key(best));
            }
        }
        found.extend(refused.found.into_inner());
        Problems { found: RefCell::new(found) }
    }

    /// Adds all that somebody else found.
    pub(crate) fn absorb(&self, other: Problems) {
        self.found.borrow_mut().extend(other.found.into_inner());
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.found.borrow().len()
    }

    /// All of them in the order of the files, each once for its place.
    pub fn into_sorted(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort();
        found.dedup();
        // A variable that fails is one mistake, in how many properties it may be used.
        let mut said = HashSet::new();
        found.retain(|it| said.insert((it.file.clone(), it.line, it.column, it.message.clone())));
        found
    }
}
