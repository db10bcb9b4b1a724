//! `Parameters` and pseudo parameters: what was passed, or the default, within what is allowed.

use super::{Evaluator, Offer};
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, Value, quote};
use crate::place::Place;
use crate::suggest::listed;

impl Evaluator<'_> {
    /// The value of a parameter of the template, at the place where it is used.
    pub(super) fn parameter(&self, parameter: &Entry, at: &Node) -> Node {
        let name = &parameter.key;
        let path = format!("Parameters.{name}");
        let kind = parameter.value.get("Type").and_then(Node::as_text).unwrap_or("String");
        let given = self.options.parameters.iter().rev().find(|(given, _)| given == name);
        let default = parameter.value.get("Default");
        let of_nested = format!("{}.{name}", self.names.stack);
        let passed = self.exports.get(Offer::NestedParameter, &of_nested);
        let (text, place) = match (given, default) {
            (Some((_, value)), _) => (value.clone(), Place::command_line()),
            _ if let Some(value) = passed => (value, at.place.clone()),
            (None, Some(_)) if kind.starts_with("AWS::SSM::Parameter::Value") => {
                self.missing(parameter, format!("only AWS can read the {kind} {name}"));
                return self.unknown(&at.place);
            }
            (None, Some(Node { value: Value::Text { text, .. }, place, .. })) => {
                (text.clone(), place.clone())
            }
            (None, Some(Node { value: Value::Null, place, .. })) => (String::new(), place.clone()),
            (None, Some(other)) => {
                if !matches!(other.value, Value::Unknown) {
                    let message =
                        format!("a default is text or a number, found {}", other.describe());
                    self.fail(other, &format!("{path}.Default"), message);
                }
                return self.unknown(&at.place);
            }
            (None, None) => {
                self.missing(parameter, format!("the parameter {name} has no default"));
                return self.unknown(&at.place);
            }
        };
        if !self.is_allowed(parameter, kind, &text, &place, &path) {
            return self.unknown(&at.place);
        }
        if kind.starts_with("List<") || kind == "CommaDelimitedList" || kind.contains("<List<") {
            let items = text.split(',').map(|item| Node::text(item.trim(), at.place.clone()));
            return Node::list(items.collect(), at.place.clone());
        }
        let value = Value::Text { text, quoted: false };
        Node { place: at.place.clone(), tag: None, value }
    }

    /// The value of `AWS::Region` and its kind.
    pub(super) fn pseudo_parameter(&self, name: &str, at: &Node) -> Option<Node> {
        if !name.starts_with("AWS::") {
            return None;
        }
        let names = self.names;
        let given = self.options.parameters.iter().rev().find(|(given, _)| given == name);
        let text = match (given, name) {
            (_, "AWS::NoValue") => {
                return Some(Node { place: at.place.clone(), tag: None, value: Value::Absent });
            }
            (Some((_, value)), _) => value.clone(),
            (None, "AWS::Region") => names.region.clone(),
            (None, "AWS::AccountId") => names.account.clone(),
            (None, "AWS::StackName") => names.stack.clone(),
            (None, "AWS::StackId") => {
                let resource = format!("stack/{}/{}", names.stack, names.uuid("AWS::StackId"));
                names.arn("cloudformation", &names.region, &resource)
            }
            (None, "AWS::Partition") => "aws".to_owned(),
            (None, "AWS::URLSuffix") => "amazonaws.com".to_owned(),
            (None, "AWS::NotificationARNs") => {
                return Some(Node::list(Vec::new(), at.place.clone()));
            }
            _ => return None,
        };
        Some(Node::text(text, at.place.clone()))
    }

    fn is_allowed(
        &self,
        parameter: &Entry,
        kind: &str,
        text: &str,
        place: &Place,
        path: &str,
    ) -> bool {
        let name = &parameter.key;
        let refuse = |message: String| {
            self.problems.add(Diagnostic::error(place.clone(), path, message));
            false
        };
        let items: Vec<&str> = if kind.starts_with("List<") || kind == "CommaDelimitedList" {
            text.split(',').map(str::trim).collect()
        } else {
            vec![text]
        };
        if let Some(allowed) = parameter.value.get("AllowedValues").and_then(Node::as_list) {
            let allowed: Vec<&str> = allowed.iter().filter_map(Node::as_text).collect();
            if let Some(wrong) = items.iter().find(|item| !allowed.contains(item)) {
                let message =
                    format!("{name} may not be {} (allowed: {})", quote(wrong), listed(allowed));
                return refuse(message);
            }
        }
        if kind == "Number" || kind == "List<Number>" {
            if let Some(wrong) = items.iter().find(|item| item.parse::<f64>().is_err()) {
                return refuse(format!("{name} is a number, found {}", quote(wrong)));
            }
            let value = text.parse::<f64>().ok();
            let bound =
                |name| parameter.value.get(name).and_then(Node::as_text)?.parse::<f64>().ok();
            if let (Some(value), Some(min)) = (value, bound("MinValue"))
                && value < min
            {
                return refuse(format!("{name} must be at least {min}, found {value}"));
            }
            if let (Some(value), Some(max)) = (value, bound("MaxValue"))
                && value > max
            {
                return refuse(format!("{name} must be at most {max}, found {value}"));
            }
        }
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let bound = |name| parameter.value.get(name).and_then(Node::as_integer);
        if bound("MinLength").is_some_and(|min| length < min)
            || bound("MaxLength").is_some_and(|max| length > max)
        {
            return refuse(format!("{name} has the wrong length: {length} characters"));
        }
        true
    }

    /// Said once for each parameter, at its definition.
    fn missing(&self, parameter: &Entry, message: String) {
        if self.lenient.get() {
            return;
        }
        let name = &parameter.key;
        if self.missing_parameters.borrow_mut().insert(name.clone()) {
            let path = format!("Parameters.{name}");
            let problem = Diagnostic::error(parameter.place.clone(), path, message)
                .help(format!("pass --parameter {name}=VALUE"));
            self.problems.add(problem);
        }
    }
}
