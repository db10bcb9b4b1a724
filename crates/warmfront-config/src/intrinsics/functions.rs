//! The functions that compute: If, Select, Split, Join, FindInMap, Base64, ImportValue.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Evaluator, Offer};
use crate::document::{Node, Value, quote};
use crate::suggest::{did_you_mean, listed};

impl Evaluator<'_> {
    pub(super) fn choose(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let Some([condition, yes, no]) = self.arguments(
            argument,
            path,
            "Fn::If takes [condition, value if true, value if false]",
        ) else {
            return self.unknown(&node.place);
        };
        let Some(name) = condition.as_text() else {
            return self.fail(condition, path, "Fn::If takes the name of a condition first");
        };
        match self.condition(name, condition, path) {
            Some(true) => self.evaluate(yes, path),
            Some(false) => self.evaluate(no, path),
            None => self.unknown(&node.place),
        }
    }

    pub(super) fn select(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let Some([index, list]) = self.arguments(argument, path, "Fn::Select takes [index, list]")
        else {
            return self.unknown(&node.place);
        };
        let index = self.evaluate(index, path);
        let list = self.evaluate(list, path);
        if matches!(index.value, Value::Unknown) {
            return index;
        }
        let items = match &list.value {
            Value::List(items) => items,
            Value::Unknown => return list,
            _ => {
                let message = format!("Fn::Select needs a list, found {}", list.describe());
                return self.fail(&list, path, message);
            }
        };
        let position = index.as_integer().and_then(|index| usize::try_from(index).ok());
        match position.and_then(|position| items.get(position)) {
            Some(item) => Node { place: node.place.clone(), ..item.clone() },
            None => {
                let message = format!(
                    "Fn::Select asks for item {} of a list of {} (the first is 0)",
                    index.describe(),
                    items.len()
                );
                self.fail(&index, path, message)
            }
        }
    }

    pub(super) fn split(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let Some([delimiter, text]) =
            self.arguments(argument, path, "Fn::Split takes [delimiter, text]")
        else {
            return self.unknown(&node.place);
        };
        let delimiter_text = self.text_of(delimiter, path, "the delimiter of Fn::Split");
        let text = self.text_of(text, path, "what Fn::Split splits");
        let (Some(delimiter_text), Some(text)) = (delimiter_text, text) else {
            return self.unknown(&node.place);
        };
        if delimiter_text.is_empty() {
            return self.fail(delimiter, path, "the delimiter of Fn::Split is empty");
        }
        let parts =
            text.split(&delimiter_text).map(|part| Node::text(part, node.place.clone())).collect();
        Node::list(parts, node.place.clone())
    }

    pub(super) fn join(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let Some([delimiter, list]) =
            self.arguments(argument, path, "Fn::Join takes [delimiter, list]")
        else {
            return self.unknown(&node.place);
        };
        let delimiter = self.text_of(delimiter, path, "the delimiter of Fn::Join");
        let list = self.evaluate(list, path);
        let (Some(delimiter), Value::List(items)) = (delimiter, &list.value) else {
            if !matches!(list.value, Value::Unknown | Value::List(_)) {
                let message = format!("Fn::Join needs a list, found {}", list.describe());
                self.fail(&list, path, message);
            }
            return self.unknown(&node.place);
        };
        let mut parts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text { text, .. } => parts.push(text.as_str()),
                Value::Unknown => return self.unknown(&node.place),
                _ => {
                    let message = format!("Fn::Join joins texts, found {}", item.describe());
                    return self.fail(item, path, message);
                }
            }
        }
        self.made(parts.join(&delimiter), node, path)
    }

    pub(super) fn find_in_map(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let Some(arguments) = argument.as_list().filter(|list| matches!(list.len(), 3 | 4)) else {
            return self.fail(node, path, "Fn::FindInMap takes [map, first key, second key]");
        };
        let mut keys = Vec::with_capacity(3);
        for argument in &arguments[..3] {
            match self.text_of(argument, path, "an argument of Fn::FindInMap") {
                Some(key) => keys.push(key),
                None => return self.unknown(&node.place),
            }
        }
        let default = arguments.get(3).and_then(|options| options.get("DefaultValue"));
        let mut candidates = &self.template.mappings[..];
        let mut found = None;
        for (argument, key) in arguments.iter().zip(&keys) {
            match candidates.iter().find(|entry| entry.key == *key) {
                Some(entry) => {
                    found = Some(&entry.value);
                    candidates = entry.value.as_map().unwrap_or_default();
                }
                None if default.is_some() => {
                    found = None;
                    break;
                }
                None => {
                    let known = candidates.iter().map(|entry| entry.key.as_str());
                    let message = format!(
                        "Mappings have no {} here.{} (there is: {})",
                        quote(key),
                        did_you_mean(key, known.clone()),
                        listed(known)
                    );
                    return self.fail(argument, path, message);
                }
            }
        }
        match found.or(default) {
            Some(value) => Node { place: node.place.clone(), ..self.evaluate(value, path) },
            None => self.unknown(&node.place),
        }
    }

    pub(super) fn base64(&self, argument: &Node, node: &Node, path: &str) -> Node {
        match self.text_of(argument, path, "what Fn::Base64 encodes") {
            Some(text) => self.made(STANDARD.encode(text), node, path),
            None => self.unknown(&node.place),
        }
    }

    pub(super) fn import_value(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let Some(name) = self.text_of(argument, path, "the name of an export") else {
            return self.unknown(&node.place);
        };
        let given = self.given_attribute("ImportValue", &name).map(str::to_owned);
        match given.or_else(|| self.exports.get(Offer::Export, &name)) {
            Some(value) => self.made(value, node, path),
            None => {
                let exports = self.exports.names(Offer::Export);
                let meant = did_you_mean(&name, exports.iter().map(String::as_str));
                let message = format!(
                    "the export {} belongs to another stack, which is not here.{meant}",
                    quote(&name)
                );
                let help = format!(
                    "give that stack's template, too: --with TEMPLATE; or the value: --attribute 'ImportValue.{name}=VALUE'"
                );
                self.only_aws(node, path, message, &help)
            }
        }
    }

    /// The arguments of a function that takes exactly `N` of them.
    fn arguments<'n, const N: usize>(
        &self,
        argument: &'n Node,
        path: &str,
        usage: &str,
    ) -> Option<&'n [Node; N]> {
        let arguments = argument.as_list().and_then(|list| list.try_into().ok());
        if arguments.is_none() && !matches!(argument.value, Value::Unknown) {
            let found = match argument.as_list() {
                Some(list) => format!("{} values", list.len()),
                None => argument.describe(),
            };
            self.fail(argument, path, format!("{usage}, found {found}"));
        }
        arguments
    }
}
