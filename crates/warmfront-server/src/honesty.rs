//! The honesty report as lines: what of a source has no effect, and what protects and has none.

use std::collections::HashSet;

use warmfront_config::{Loaded, ReportEntry};

/// Which lines.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// Accepted, without effect.
    Inert,
    /// Protects, and has no effect.
    Unprotected,
}

/// The honesty report's lines of one kind.
pub(crate) fn honest(loaded: &Loaded, kind: Kind) -> Vec<String> {
    entries(loaded, kind).map(line).collect()
}

fn entries(loaded: &Loaded, kind: Kind) -> Box<dyn Iterator<Item = (&ReportEntry, &str)> + '_> {
    match kind {
        Kind::Inert => Box::new(loaded.report.inert()),
        Kind::Unprotected => Box::new(loaded.report.refused()),
    }
}

fn line((entry, reason): (&ReportEntry, &str)) -> String {
    format!("{} {}: {reason}", entry.place, entry.path)
}

/// The properties of both kinds, without their places: those move with every line that is added.
pub(crate) fn properties(loaded: &Loaded) -> HashSet<String> {
    let both = entries(loaded, Kind::Inert).chain(entries(loaded, Kind::Unprotected));
    both.map(|(entry, _)| entry.path.clone()).collect()
}

/// The lines of one kind whose property is not in `told`.
pub(crate) fn news(loaded: &Loaded, kind: Kind, told: &HashSet<String>) -> Vec<String> {
    entries(loaded, kind).filter(|(entry, _)| !told.contains(&entry.path)).map(line).collect()
}
