//! `Conditions`: Equals, And, Or, Not and names of other conditions.

use super::Evaluator;
use crate::document::{Entry, Node, Value, quote};
use crate::suggest::did_you_mean;
use crate::template::Resource;

impl Evaluator<'_> {
    /// Whether the resource is created. A condition that cannot be told has been reported; the
    /// resource counts as created, so that its own problems show too.
    pub(crate) fn is_created(&self, resource: &Resource) -> bool {
        let Some(condition) = &resource.condition else { return true };
        let path = format!("{}.Condition", resource.path);
        match condition.as_text() {
            Some(name) => self.condition(name, condition, &path).unwrap_or(true),
            None => {
                self.fail(condition, &path, "Condition takes the name of a condition");
                true
            }
        }
    }

    /// The value of a named condition; `at` is where the name was used.
    pub(super) fn condition(&self, name: &str, at: &Node, path: &str) -> Option<bool> {
        if let Some(known) = self.conditions.borrow().get(name) {
            return *known;
        }
        let Some(entry) = self.template.conditions.iter().find(|entry| entry.key == name) else {
            let known = self.template.conditions.iter().map(|entry| entry.key.as_str());
            let message =
                format!("there is no condition {}.{}", quote(name), did_you_mean(name, known));
            self.fail(at, path, message);
            return None;
        };
        // Unknown while it is being evaluated: a circle ends here, and `cycles` has named it.
        self.conditions.borrow_mut().insert(name.to_owned(), None);
        let value = self.condition_value(&entry.value, &format!("Conditions.{name}"));
        self.conditions.borrow_mut().insert(name.to_owned(), value);
        value
    }

    /// The value of an expression.
    pub(super) fn condition_value(&self, node: &Node, path: &str) -> Option<bool> {
        if self.depth.get() >= super::MAX_EVALUATION_DEPTH {
            self.fail(node, path, "conditions are nested too deeply here");
            return None;
        }
        self.depth.set(self.depth.get() + 1);
        let value = self.condition_value_unguarded(node, path);
        self.depth.set(self.depth.get() - 1);
        value
    }

    fn condition_value_unguarded(&self, node: &Node, path: &str) -> Option<bool> {
        if matches!(node.value, Value::Unknown) {
            return None;
        }
        let Some([Entry { key, value: argument, .. }]) = node.as_map() else {
            self.fail(
                node,
                path,
                format!("expected a condition such as !Equals, found {}", node.describe()),
            );
            return None;
        };
        let operands = argument.as_list().unwrap_or_default();
        match (key.as_str(), operands.len()) {
            ("Condition", _) => match argument.as_text() {
                Some(name) => self.condition(name, argument, path),
                None => {
                    self.fail(argument, path, "Condition takes the name of a condition");
                    None
                }
            },
            ("Fn::Equals", 2) => {
                let left = self.evaluate(&operands[0], path);
                let right = self.evaluate(&operands[1], path);
                if matches!(left.value, Value::Unknown) || matches!(right.value, Value::Unknown) {
                    return None;
                }
                Some(match (left.as_text(), right.as_text()) {
                    (Some(left), Some(right)) => left == right,
                    _ => left.value == right.value,
                })
            }
            ("Fn::Not", 1) => self.condition_value(&operands[0], path).map(|value| !value),
            ("Fn::And", 2..=10) => {
                let values = operands.iter().map(|operand| self.condition_value(operand, path));
                values.collect::<Option<Vec<_>>>().map(|values| values.into_iter().all(|v| v))
            }
            ("Fn::Or", 2..=10) => {
                let values = operands.iter().map(|operand| self.condition_value(operand, path));
                values.collect::<Option<Vec<_>>>().map(|values| values.into_iter().any(|v| v))
            }
            ("Fn::Equals", found) => {
                self.fail(argument, path, format!("Fn::Equals compares 2 values, found {found}"));
                None
            }
            ("Fn::Not", found) => {
                self.fail(
                    argument,
                    path,
                    format!("Fn::Not takes 1 condition in a list, found {found}"),
                );
                None
            }
            (name @ ("Fn::And" | "Fn::Or"), found) => {
                self.fail(
                    argument,
                    path,
                    format!("{name} takes 2 to 10 conditions, found {found}"),
                );
                None
            }
            (name, _) => {
                const KNOWN: [&str; 5] =
                    ["Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or", "Condition"];
                let meant = did_you_mean(name, KNOWN);
                self.fail(node, path, format!("{name} is not a condition.{meant}"));
                None
            }
        }
    }
}
