//! Where in the source each part of a distribution was written: what `warmfront explain` points at.
//!
//! The compiled model knows no files. Here the places of its behaviors and policies are kept beside it.

use std::collections::{HashMap, HashSet};

use warmfront_core::policy::PolicyKind;

use crate::document::Node;
use crate::place::Place;

/// The places of behaviors, origins and policies, by what they belong to.
#[derive(Debug, Clone, Default)]
pub struct Written {
    places: HashMap<String, Place>,
    /// What was written in two places: policies of two stacks may have one name.
    ambiguous: HashSet<String>,
}

impl Written {
    /// Where `property` of the behavior with this index was written; the behavior itself for `""`.
    ///
    /// `property` is a path such as `PathPattern`, `ForwardedValues.QueryString` or
    /// `ForwardedValues.Headers.accept`: the items of a list are named by their text in lower case.
    pub fn behavior(&self, distribution: &str, index: usize, property: &str) -> Option<&Place> {
        self.place(&behavior(distribution, index), property)
    }

    /// The same for the origin with this index.
    pub fn origin(&self, distribution: &str, index: usize, property: &str) -> Option<&Place> {
        self.place(&origin(distribution, index), property)
    }

    /// The same for what stands directly in `DistributionConfig`.
    pub fn distribution(&self, distribution: &str, property: &str) -> Option<&Place> {
        self.place(distribution, property)
    }

    /// The same for a policy of the source, by its name; nothing where two policies have it: `ParametersInCache….QueryStringsConfig`.
    pub fn policy(&self, kind: PolicyKind, name: &str, property: &str) -> Option<&Place> {
        self.place(&policy(kind, name), property)
    }

    fn place(&self, subject: &str, property: &str) -> Option<&Place> {
        let is_known = !self.ambiguous.contains(subject);
        self.places.get(&joined(subject, property)).filter(|_| is_known)
    }

    /// Remembers all of `node`, evaluated, as `subject`.
    pub(crate) fn note(&mut self, subject: &str, node: &Node) {
        if self.places.get(&joined(subject, "")).is_some_and(|known| *known != node.place) {
            self.ambiguous.insert(subject.to_owned());
        }
        self.note_value(subject.to_owned(), "", node);
    }

    fn note_value(&mut self, subject: String, property: &str, node: &Node) {
        self.places.insert(joined(&subject, property), node.place.clone());
        for entry in node.as_map().unwrap_or_default() {
            let property = join(property, &entry.key);
            self.note_value(subject.clone(), &property, &entry.value);
            // The line of the key, not that of its first value.
            self.places.insert(joined(&subject, &property), entry.place.clone());
        }
        for item in node.as_list().unwrap_or_default() {
            if let Some(text) = item.as_text() {
                let property = join(property, &text.to_ascii_lowercase());
                self.places.insert(joined(&subject, &property), item.place.clone());
            }
        }
    }
}

pub(crate) fn behavior(distribution: &str, index: usize) -> String {
    format!("{distribution} behavior {index}")
}

pub(crate) fn origin(distribution: &str, index: usize) -> String {
    format!("{distribution} origin {index}")
}

pub(crate) fn policy(kind: PolicyKind, name: &str) -> String {
    format!("{kind:?} {name}")
}

fn joined(subject: &str, property: &str) -> String {
    format!("{subject}: {property}")
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
