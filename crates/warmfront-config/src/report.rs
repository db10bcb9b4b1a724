//! The honesty report: what becomes of every property that a source sets.
//!
//! A property we accept is effective, or it is listed here as inert with the reason. Dropping one
//! silently is a defect (DESIGN §1).

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::document::Node;
use crate::place::Place;
use crate::written::Written;

/// What becomes of one property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// The edge does what it says.
    Effective,
    /// Accepted, without effect; the text says why.
    Inert(String),
    /// It protects something and is not effective, so the source is not served without permission.
    Refused(String),
}

/// One property of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportEntry {
    /// Where its key was written.
    pub place: Place,
    /// The property as the user spelled it.
    pub path: String,
    /// What becomes of it.
    pub status: Status,
}

/// Every property that was met, in the order of the files.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The entries.
    pub entries: Vec<ReportEntry>,
}

impl Report {
    /// What has no effect, with the reason.
    pub fn inert(&self) -> impl Iterator<Item = (&ReportEntry, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.status {
            Status::Inert(reason) => Some((entry, reason.as_str())),
            _ => None,
        })
    }

    /// What protects and has no effect, with the reason.
    pub fn refused(&self) -> impl Iterator<Item = (&ReportEntry, &str)> {
        self.entries.iter().filter_map(|entry| match &entry.status {
            Status::Refused(reason) => Some((entry, reason.as_str())),
            _ => None,
        })
    }

    /// How many properties are effective.
    pub fn effective_count(&self) -> usize {
        self.entries.iter().filter(|entry| entry.status == Status::Effective).count()
    }
}

/// Collects the report while the source is compiled.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: RefCell<BTreeMap<(Place, String), Status>>,
    written: RefCell<Written>,
}

impl Ledger {
    /// Notes a property; a later note about the same one replaces the earlier.
    pub(crate) fn note(&self, place: &Place, path: &str, status: Status) {
        self.entries.borrow_mut().insert((place.clone(), path.to_owned()), status);
    }

    /// Remembers where `node` and its parts were written.
    pub(crate) fn written(&self, subject: &str, node: &Node) {
        self.written.borrow_mut().note(subject, node);
    }

    pub(crate) fn into_parts(self) -> (Report, Written) {
        let entries = self.entries.into_inner().into_iter();
        let entries = entries.map(|((place, path), status)| ReportEntry { place, path, status });
        (Report { entries: entries.collect() }, self.written.into_inner())
    }
}
