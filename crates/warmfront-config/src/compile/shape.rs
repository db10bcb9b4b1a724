//! Shapes: which properties AWS knows at a place, of which type, and what becomes of each.
//!
//! The tables are in `schema`; here is the one walk that holds a source against them. It evaluates
//! functions on the way, reports every unknown name, wrong type and wrong value, and enters each
//! property into the honesty report. What it returns has only values of the right type, or unknown
//! ones that were reported. Comments and tags ask for nothing and are not listed.

use super::Compiler;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, Value, quote};
use crate::place::Place;
use crate::report::Status;
use crate::suggest::{did_you_mean, listed, nearest};
use crate::template::join;

/// One property that AWS's schema has.
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) role: Role,
    pub(super) is_required: bool,
}

/// What kind of value a property takes.
pub(super) enum Kind {
    /// Any scalar.
    Text,
    /// A scalar of at most so many characters.
    TextUpTo(usize),
    Boolean,
    /// A whole number between the two, both included.
    Integer(i64, i64),
    Choice(&'static [&'static str]),
    List(&'static Kind),
    Object(&'static [Property]),
    /// Not looked into.
    Any,
}

/// What becomes of a property.
pub(super) enum Role {
    Effective,
    /// Its parts are listed one by one.
    Parts,
    /// Has no effect, because …
    Inert(&'static str),
    /// The compiler decides by the value, and lists it.
    Decided,
    /// The same, and no value has an effect: what only AWS could say is no error there.
    Harmless,
    /// A comment, a tag, or a count beside a list.
    Label,
    /// A spelling that AWS has given up; the text says what to write.
    Outdated(&'static str),
}

pub(super) const fn effective(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, role: Role::Effective, is_required: false }
}

pub(super) const fn parts(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, role: Role::Parts, is_required: false }
}

pub(super) const fn inert(name: &'static str, kind: Kind, why: &'static str) -> Property {
    Property { name, kind, role: Role::Inert(why), is_required: false }
}

pub(super) const fn decided(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, role: Role::Decided, is_required: false }
}

pub(super) const fn harmless(name: &'static str, kind: Kind) -> Property {
    Property { name, kind, role: Role::Harmless, is_required: false }
}

pub(super) const fn label(name: &'static str) -> Property {
    Property { name, kind: Kind::Any, role: Role::Label, is_required: false }
}

/// The `Quantity` of a list, which counts for itself.
pub(super) const fn quantity(kind: Kind) -> Property {
    Property { name: "Quantity", kind, role: Role::Label, is_required: false }
}

pub(super) const fn outdated(name: &'static str, instead: &'static str) -> Property {
    Property { name, kind: Kind::Any, role: Role::Outdated(instead), is_required: false }
}

impl Property {
    pub(super) const fn required(self) -> Self {
        Property { is_required: true, ..self }
    }
}

impl Compiler<'_> {
    /// Holds `node` against a table. `at` is the key it belongs to.
    pub(super) fn object(
        &self,
        node: &Node,
        at: &Place,
        shape: &'static [Property],
        path: &str,
    ) -> Node {
        let node = self.evaluated_if_call(node, path);
        let entries = match &node.value {
            Value::Map(entries) => entries,
            Value::Unknown | Value::Absent => return node,
            _ => return self.wrong_type(&node, "a map of properties", path),
        };
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            let path = join(path, &entry.key);
            match shape.iter().find(|property| property.name == entry.key) {
                Some(property) => kept.extend(self.property(entry, property, &path)),
                None => self.unknown_property(entry, shape, &path),
            }
        }
        let is_missing = |property: &&Property| {
            property.is_required && entries.iter().all(|entry| entry.key != property.name)
        };
        for property in shape.iter().filter(is_missing) {
            // A misspelt name was reported where it stands; the same name missing is no second mistake.
            let unknown = entries.iter().filter(|e| shape.iter().all(|p| p.name != e.key));
            if nearest(property.name, unknown.map(|entry| entry.key.as_str())).is_none() {
                let message = format!("{} is missing", property.name);
                self.error(at, join(path, property.name), message);
            }
        }
        Node { place: node.place.clone(), tag: None, value: Value::Map(kept) }
    }

    fn property(&self, entry: &Entry, property: &Property, path: &str) -> Option<Entry> {
        if matches!(entry.value.value, Value::Null) {
            let message =
                format!("{} has no value; write one, or leave the property out", entry.key);
            self.error(&entry.place, path, message);
            return Some(Entry { value: Node::unknown(entry.place.clone()), ..entry.clone() });
        }
        let value = match property.role {
            Role::Inert(_) | Role::Label | Role::Harmless => {
                let value = self.evaluator.evaluate_leniently(&entry.value, path);
                self.checked(value, &entry.place, &property.kind, path)
            }
            Role::Outdated(instead) => {
                self.error(
                    &entry.place,
                    path,
                    format!("{} is an old spelling that is not read; {instead}", entry.key),
                );
                return None;
            }
            _ => self.checked(entry.value.clone(), &entry.place, &property.kind, path),
        };
        if value.value == Value::Absent {
            return None;
        }
        match property.role {
            Role::Effective => self.ledger.note(&entry.place, path, Status::Effective),
            Role::Inert(why) => self.ledger.note(&entry.place, path, Status::Inert(why.to_owned())),
            _ => {}
        }
        Some(Entry { key: entry.key.clone(), place: entry.place.clone(), value })
    }

    fn checked(&self, node: Node, at: &Place, kind: &Kind, path: &str) -> Node {
        match kind {
            Kind::Object(shape) => return self.object(&node, at, shape, path),
            Kind::List(item_kind) => return self.list(&node, item_kind, path),
            _ => {}
        }
        let node = self.evaluator.evaluate(&node, path);
        if matches!(node.value, Value::Unknown | Value::Absent) {
            return node;
        }
        match kind {
            Kind::Any | Kind::Object(_) | Kind::List(_) => node,
            Kind::Text => match node.as_text() {
                Some(_) => node,
                None => self.wrong_type(&node, "text", path),
            },
            Kind::TextUpTo(limit) => match node.as_text().map(|text| text.chars().count()) {
                Some(length) if length <= *limit => node,
                Some(length) => {
                    let message = format!("at most {limit} characters are allowed, found {length}");
                    self.unusable(&node, path, message)
                }
                None => self.wrong_type(&node, "text", path),
            },
            Kind::Boolean => match node.as_bool() {
                Some(_) => node,
                None => self.wrong_type(&node, "true or false", path),
            },
            Kind::Integer(min, max) => match node.as_integer() {
                Some(number) if (*min..=*max).contains(&number) => node,
                Some(number) => {
                    let range = if *max == i64::MAX {
                        format!("at least {min}")
                    } else {
                        format!("between {min} and {max}")
                    };
                    self.unusable(&node, path, format!("must be {range}, found {number}"))
                }
                None => self.wrong_type(&node, "a whole number", path),
            },
            Kind::Choice(choices) => match node.as_text() {
                Some(text) if choices.contains(&text) => node,
                Some(text) => {
                    let message = format!(
                        "{} is not one of the values.{} (values: {})",
                        quote(text),
                        did_you_mean(text, choices.iter().copied()),
                        listed(choices.iter().copied())
                    );
                    self.unusable(&node, path, message)
                }
                None => self.wrong_type(
                    &node,
                    &format!("one of {}", listed(choices.iter().copied())),
                    path,
                ),
            },
        }
    }

    fn list(&self, node: &Node, item_kind: &Kind, path: &str) -> Node {
        let node = self.evaluated_if_call(node, path);
        let items = match &node.value {
            Value::List(items) => items,
            Value::Unknown | Value::Absent => return node,
            Value::Map(_) if node.get("Items").is_some() || node.get("Quantity").is_some() => {
                let problem = Diagnostic::error(
                    node.place.clone(),
                    path,
                    "expected a list, found a map with Quantity and Items",
                )
                .help(
                    "that is the spelling of the API; CloudFormation takes the plain list of Items",
                );
                self.problems.add(problem);
                return Node::unknown(node.place.clone());
            }
            _ => return self.wrong_type(&node, "a list", path),
        };
        let items = items.iter().enumerate().map(|(index, item)| {
            let path = format!("{path}[{index}]");
            if item.is_null() && item.value != Value::Absent {
                return self.unusable(item, &path, "an item of this list is empty".to_owned());
            }
            self.checked(item.clone(), &item.place, item_kind, &path)
        });
        let items = items.filter(|item| item.value != Value::Absent).collect();
        Node::list(items, node.place.clone())
    }

    /// Functions at this level are evaluated; what is inside stays as written for the next level.
    fn evaluated_if_call(&self, node: &Node, path: &str) -> Node {
        let is_call = node.as_map().is_some_and(|entries| {
            matches!(entries, [only] if only.key == "Ref" || only.key.starts_with("Fn::"))
        });
        let is_spread = node.as_list().is_some_and(|items| items.iter().any(|item| {
            matches!(item.as_map(), Some([only]) if only.key == "Ref" || only.key.starts_with("Fn::"))
        }));
        if is_call || is_spread { self.evaluator.evaluate(node, path) } else { node.clone() }
    }

    fn unknown_property(&self, entry: &Entry, shape: &[Property], path: &str) {
        let known = || shape.iter().map(|property| property.name);
        let meant = did_you_mean(&entry.key, known());
        let help = meant.is_empty().then(|| format!("known here: {}", listed(known())));
        let message = format!("there is no property {} here.{meant}", quote(&entry.key));
        self.problems.add(Diagnostic::error(entry.place.clone(), path, message).maybe_help(help));
    }

    fn wrong_type(&self, node: &Node, expected: &str, path: &str) -> Node {
        self.unusable(node, path, format!("expected {expected}, found {}", node.describe()))
    }

    pub(super) fn unusable(&self, node: &Node, path: &str, message: String) -> Node {
        self.error(&node.place, path, message);
        Node::unknown(node.place.clone())
    }

    pub(super) fn error(&self, place: &Place, path: impl Into<String>, message: impl Into<String>) {
        self.problems.add(Diagnostic::error(place.clone(), path, message));
    }
}
