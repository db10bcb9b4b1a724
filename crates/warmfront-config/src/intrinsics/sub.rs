//! `Fn::Sub`: names in `${…}` inside a text; `${!Literal}` stays `${Literal}`.

use std::collections::HashMap;

use super::Evaluator;
use super::dangling::made_elsewhere;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, Value, quote};
use crate::suggest::did_you_mean;

impl Evaluator<'_> {
    pub(super) fn sub(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let (template, variables): (&Node, &[Entry]) = match &argument.value {
            Value::Text { .. } => (argument, &[]),
            Value::List(items) => match items.as_slice() {
                [template, variables] if variables.as_map().is_some() => {
                    (template, variables.as_map().unwrap_or_default())
                }
                _ => {
                    return self.fail(
                        node,
                        path,
                        "Fn::Sub takes a text, or [text, map of variables]",
                    );
                }
            },
            Value::Unknown => return self.unknown(&node.place),
            _ => return self.fail(node, path, "Fn::Sub takes a text, or [text, map of variables]"),
        };
        let Some(text) = template.as_text() else {
            return self.fail(
                template,
                path,
                format!("Fn::Sub takes a text, found {}", template.describe()),
            );
        };
        let mut done = String::with_capacity(text.len());
        let mut rest = text;
        let mut is_known = true;
        let mut values: HashMap<&str, Option<String>> = HashMap::new();
        while let Some(start) = rest.find("${") {
            done.push_str(&rest[..start]);
            let inside = &rest[start + 2..];
            let Some(end) = inside.find('}') else {
                let message = format!("the \"${{\" of {} has no \"}}\"", quote(&rest[start..]));
                return self.fail(template, path, message);
            };
            let name = inside[..end].trim();
            rest = &inside[end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                done.push_str("${");
                done.push_str(literal);
                done.push('}');
                continue;
            }
            // Each name is evaluated once, or nested texts would take exponential time.
            let value = match values.get(name) {
                Some(value) => value.clone(),
                None => {
                    let value = self.substitute(name, variables, template, path);
                    values.insert(name, value.clone());
                    value
                }
            };
            match value {
                Some(value) => done.push_str(&value),
                None => is_known = false,
            }
            if done.len() > super::MAX_TEXT {
                break;
            }
        }
        done.push_str(rest);
        if is_known { self.made(done, node, path) } else { self.unknown(&node.place) }
    }

    fn substitute(
        &self,
        name: &str,
        variables: &[Entry],
        template: &Node,
        path: &str,
    ) -> Option<String> {
        let value = if let Some(variable) = variables.iter().find(|entry| entry.key == name) {
            self.evaluate(&variable.value, path)
        } else if let Some((logical_id, attribute)) = name.split_once('.') {
            self.attribute(logical_id, attribute, template, path)
        } else if self.is_name(name) {
            self.named(name, template, path)
        } else {
            let known = self.known_names().chain(variables.iter().map(|entry| entry.key.as_str()));
            let meant = did_you_mean(name, known);
            let message = format!("nothing here is called {}.{meant}", quote(name));
            let problem = Diagnostic::error(template.place.clone(), path, message);
            self.problems.add(problem.maybe_help(made_elsewhere(name).map(str::to_owned)));
            return None;
        };
        match value.value {
            Value::Text { text, .. } => Some(text),
            Value::Unknown => None,
            _ => {
                let message =
                    format!("{} is {}; Fn::Sub takes texts", quote(name), value.describe());
                self.fail(template, path, message);
                None
            }
        }
    }
}
