//! How the user spelled the property at a place, where it was translated.
//!
//! Whoever reads a translated document speaks of it in CloudFormation's words; each value kept its
//! place, so the words of the file can be put back.

use std::collections::HashMap;

use crate::diagnostic::Diagnostic;
use crate::document::{Node, Value};
use crate::place::Place;
use crate::report::ReportEntry;
use crate::template::join;

/// Paths by the place of their key and of their value.
#[derive(Debug, Default)]
pub(crate) struct Spellings {
    paths: HashMap<Place, String>,
}

impl Spellings {
    /// Remembers every path of a document.
    pub(super) fn learn(&mut self, root: &Node) {
        let mut rest = vec![(String::new(), root)];
        while let Some((path, node)) = rest.pop() {
            match &node.value {
                Value::Map(entries) => {
                    for entry in entries {
                        let path = join(&path, &entry.key);
                        self.paths.insert(entry.place.clone(), path.clone());
                        rest.push((path, &entry.value));
                    }
                }
                Value::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        rest.push((format!("{path}[{index}]"), item));
                    }
                }
                _ => {}
            }
            self.paths.insert(node.place.clone(), path);
        }
    }

    /// Puts the file's words back into what is said about it.
    pub(crate) fn respell(&self, diagnostics: &mut [Diagnostic], report: &mut [ReportEntry]) {
        if self.paths.is_empty() {
            return;
        }
        for found in diagnostics {
            let Diagnostic { file, line, column, .. } = &*found;
            let place = Place { file: file.clone(), line: *line, column: *column };
            if let Some(path) = self.paths.get(&place).filter(|path| !path.is_empty()) {
                // What is missing has no place of its own.
                let missing = found.message.strip_suffix(" is missing");
                found.path = missing.map_or_else(|| path.clone(), |name| join(path, name));
            }
        }
        for entry in report {
            if let Some(path) = self.paths.get(&entry.place).filter(|path| !path.is_empty()) {
                entry.path.clone_from(path);
            }
        }
    }
}
