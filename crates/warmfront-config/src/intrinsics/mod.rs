//! Intrinsic functions and references, evaluated as CloudFormation would, with names made up locally.
//!
//! [`Evaluator::evaluate`] takes a node as written and gives one without functions in it. What cannot
//! be evaluated is reported where it was written and becomes [`Value::Unknown`], which every reader
//! passes over in silence, so that one mistake gives one message. Results are limited in length and
//! depth: a template cannot make the evaluator run away.

mod conditions;
mod cycles;
mod dangling;
mod exports;
mod functions;
mod parameters;
mod references;
mod sub;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use crate::Options;
use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value, quote};
use crate::names::Names;
use crate::place::Place;
use crate::suggest::did_you_mean;
use crate::template::{Template, join};

pub(crate) use cycles::report_cycles;
pub(crate) use dangling::report_dangling_names;
pub(crate) use exports::{Exports, Offer};

/// How deep functions, references and values may nest in each other while they are evaluated.
const MAX_EVALUATION_DEPTH: usize = 128;

/// The longest text a function may produce. A CloudFront function, the longest text we read, has 10 KB.
const MAX_TEXT: usize = 256 * 1024;

/// How much text one template may produce in all, however it multiplies.
const MAX_PRODUCED: usize = 64 * 1024 * 1024;

/// Evaluates the nodes of one template.
pub(crate) struct Evaluator<'t> {
    pub(crate) template: &'t Template,
    pub(crate) options: &'t Options,
    pub(crate) names: &'t Names,
    pub(crate) problems: &'t Problems,
    /// What the stacks of the source offer each other.
    pub(crate) exports: &'t Exports,
    conditions: RefCell<HashMap<String, Option<bool>>>,
    missing_parameters: RefCell<HashSet<String>>,
    /// Resources that refer to each other in a circle, which was reported.
    circular: RefCell<HashSet<String>>,
    depth: Cell<usize>,
    produced: Cell<usize>,
    lenient: Cell<bool>,
}

impl<'t> Evaluator<'t> {
    pub(crate) fn new(
        template: &'t Template,
        options: &'t Options,
        names: &'t Names,
        problems: &'t Problems,
        exports: &'t Exports,
    ) -> Self {
        Self {
            template,
            options,
            names,
            problems,
            exports,
            conditions: RefCell::default(),
            missing_parameters: RefCell::default(),
            circular: RefCell::default(),
            depth: Cell::new(0),
            produced: Cell::new(0),
            lenient: Cell::new(false),
        }
    }

    /// The node without functions. `path` is where it stands, for messages.
    pub(crate) fn evaluate(&self, node: &Node, path: &str) -> Node {
        if self.problems.is_full() {
            return Node::unknown(node.place.clone());
        }
        if self.depth.get() >= MAX_EVALUATION_DEPTH {
            return self.fail(node, path, "functions and references are nested too deeply here");
        }
        self.depth.set(self.depth.get() + 1);
        let evaluated = self.evaluate_unguarded(node, path);
        self.depth.set(self.depth.get() - 1);
        let before = self.produced.get();
        self.produced.set(before + evaluated.as_text().map_or(1, str::len));
        if self.produced.get() > MAX_PRODUCED {
            // Said once; what follows stays unknown.
            if before <= MAX_PRODUCED {
                self.fail(node, path, "the values of this template multiply beyond all use");
            }
            return Node::unknown(node.place.clone());
        }
        evaluated
    }

    /// The same for a property that has no effect here: what only AWS could say is no error there.
    pub(crate) fn evaluate_leniently(&self, node: &Node, path: &str) -> Node {
        let before = self.lenient.replace(true);
        let evaluated = self.evaluate(node, path);
        self.lenient.set(before);
        evaluated
    }

    fn evaluate_unguarded(&self, node: &Node, path: &str) -> Node {
        let value = match &node.value {
            Value::Text { text, .. } if text.contains("{{resolve:") => {
                return self.dynamic_reference(node, text, path);
            }
            Value::List(items) => Value::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.evaluate(item, &format!("{path}[{index}]")))
                    .filter(|item| item.value != Value::Absent)
                    .collect(),
            ),
            Value::Map(entries) => match function_call(entries) {
                Some((name, argument)) => {
                    let made = self.call(name, argument, node, path);
                    return match &made.value {
                        // CloudFormation resolves what functions put together, too.
                        Value::Text { text, .. } if text.contains("{{resolve:") => {
                            self.dynamic_reference(&made, text, path)
                        }
                        _ => made,
                    };
                }
                None => Value::Map(
                    entries
                        .iter()
                        .map(|Entry { key, place, value }| Entry {
                            key: key.clone(),
                            place: place.clone(),
                            value: self.evaluate(value, &join(path, key)),
                        })
                        .filter(|entry| entry.value.value != Value::Absent)
                        .collect(),
                ),
            },
            other => other.clone(),
        };
        Node { place: node.place.clone(), tag: None, value }
    }

    fn call(&self, name: &str, argument: &Node, node: &Node, path: &str) -> Node {
        match name {
            "Ref" => self.reference(argument, node, path),
            "Fn::GetAtt" => self.get_att(argument, node, path),
            "Fn::Sub" => self.sub(argument, node, path),
            "Fn::If" => self.choose(argument, node, path),
            "Fn::Select" => self.select(argument, node, path),
            "Fn::Split" => self.split(argument, node, path),
            "Fn::Join" => self.join(argument, node, path),
            "Fn::FindInMap" => self.find_in_map(argument, node, path),
            "Fn::Base64" => self.base64(argument, node, path),
            "Fn::ImportValue" => self.import_value(argument, node, path),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                match self.condition_value(node, path) {
                    Some(value) => Node::text(value.to_string(), node.place.clone()),
                    None => Node::unknown(node.place.clone()),
                }
            }
            "Fn::Cidr" | "Fn::GetAZs" | "Fn::Length" | "Fn::ToJsonString" | "Fn::Transform" => self
                .only_aws(
                    node,
                    path,
                    format!("{name} is not evaluated here"),
                    "write its result out",
                ),
            _ => {
                let meant = did_you_mean(name, LONG_FORMS.iter().copied());
                self.fail(node, path, format!("there is no intrinsic function {name}.{meant}"))
            }
        }
    }

    /// `{{resolve:ssm:/name:1}}`: only AWS has the value.
    fn dynamic_reference(&self, node: &Node, text: &str, path: &str) -> Node {
        let mut done = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("{{resolve:") {
            let inside = &rest[start + "{{resolve:".len()..];
            let Some(end) = inside.find("}}") else { break };
            let name = &inside[..end];
            let Some(value) = self.resolved(name) else {
                let help = format!("pass --attribute 'resolve.{name}=VALUE'");
                let message = format!("only AWS can resolve {}", quote(&rest[start..][..end + 12]));
                return self.only_aws(node, path, message, &help);
            };
            done.push_str(&rest[..start]);
            done.push_str(&value);
            rest = &inside[end + 2..];
        }
        done.push_str(rest);
        Node::text(done, node.place.clone())
    }

    /// What stands between `{{resolve:` and `}}`: given with an option, or a parameter of the source.
    fn resolved(&self, name: &str) -> Option<String> {
        if let Some(value) = self.given_attribute("resolve", name) {
            return Some(value.to_owned());
        }
        // A version at the end does not change which parameter it is.
        let parameter = name.strip_prefix("ssm:")?;
        let plain = parameter.rsplit_once(':').map_or(parameter, |(plain, _)| plain);
        let known = |name| self.exports.get(Offer::SsmParameter, name);
        known(parameter).or_else(|| known(plain))
    }

    /// What `--attribute LOGICALID.ATTR=VALUE` says.
    pub(crate) fn given_attribute(&self, logical_id: &str, attribute: &str) -> Option<&'t str> {
        let wanted = |name: &str| {
            name.strip_prefix(logical_id).and_then(|rest| rest.strip_prefix('.')) == Some(attribute)
        };
        let found = self.options.attributes.iter().rev().find(|(name, _)| wanted(name))?;
        Some(&found.1)
    }

    /// Evaluates `node` and insists on text.
    fn text_of(&self, node: &Node, path: &str, what: &str) -> Option<String> {
        let evaluated = self.evaluate(node, path);
        match evaluated.value {
            Value::Text { text, .. } => Some(text),
            Value::Unknown => None,
            _ => {
                self.fail(
                    node,
                    path,
                    format!("{what} must be text, found {}", evaluated.describe()),
                );
                None
            }
        }
    }

    /// Text that a function made, unless it has grown beyond all use.
    fn made(&self, text: String, node: &Node, path: &str) -> Node {
        if text.len() > MAX_TEXT {
            let message = format!("the result has more than {} KiB", MAX_TEXT / 1024);
            return self.fail(node, path, message);
        }
        Node::text(text, node.place.clone())
    }

    fn fail(&self, node: &Node, path: &str, message: impl Into<String>) -> Node {
        self.problems.add(Diagnostic::error(node.place.clone(), path, message));
        Node::unknown(node.place.clone())
    }

    fn only_aws(&self, node: &Node, path: &str, message: String, help: &str) -> Node {
        if !self.lenient.get() {
            let problem = Diagnostic::error(node.place.clone(), path, message).help(help);
            self.problems.add(problem);
        }
        Node::unknown(node.place.clone())
    }

    fn unknown(&self, place: &Place) -> Node {
        Node::unknown(place.clone())
    }
}

/// A map with one key that names a function is a call of it.
fn function_call(entries: &[Entry]) -> Option<(&str, &Node)> {
    match entries {
        [Entry { key, value, .. }] if key == "Ref" || key.starts_with("Fn::") => {
            Some((key.as_str(), value))
        }
        _ => None,
    }
}

const LONG_FORMS: [&str; 14] = [
    "Fn::And",
    "Fn::Base64",
    "Fn::Equals",
    "Fn::FindInMap",
    "Fn::GetAtt",
    "Fn::If",
    "Fn::ImportValue",
    "Fn::Join",
    "Fn::Not",
    "Fn::Or",
    "Fn::Select",
    "Fn::Split",
    "Fn::Sub",
    "Ref",
];
