//! What each source of a variable says: `self`, `opt`, `env`, `sls`, `param`, `aws` and the rest.

use std::borrow::Cow;

use super::{Outcome, Problem, Variables};
use crate::document::{Node, Value, quote};
use crate::names::{DEFAULT_ACCOUNT, DEFAULT_REGION};
use crate::suggest::did_you_mean;

impl Variables<'_> {
    pub(super) fn lookup(
        &self,
        source: &str,
        kind: &str,
        argument: Option<&str>,
        address: &str,
        at: &Node,
        path: &str,
    ) -> Outcome {
        let text = |text: String| Outcome::Found(Node::text(text, at.place.clone()));
        match kind {
            "self" => self.in_tree(self.root, address, source, at, path),
            "opt" if address == "stage" && self.options.stage.is_some() => text(self.stage()),
            "opt" => match self.option(address) {
                Some(value) => text(value),
                None => Outcome::Missing(Problem {
                    message: format!("the option {} is not given", quote(address)),
                    help: Some(format!("pass --opt {address}=VALUE, or write a fallback")),
                    is_elsewhere: false,
                }),
            },
            "env" => match self.options.env.get(address) {
                Some(value) => text(value.clone()),
                None => Outcome::Missing(Problem {
                    message: format!("the environment variable {} is not set", quote(address)),
                    help: Some(format!("set it, or write a fallback: ${{{source}, 'value'}}")),
                    is_elsewhere: false,
                }),
            },
            "sls" if address == "stage" => self.stage_variable(at, path),
            "sls" if address == "instanceId" => text("local".to_owned()),
            "aws" if address == "accountId" => text(
                self.pseudo_parameter("AWS::AccountId")
                    .unwrap_or_else(|| DEFAULT_ACCOUNT.to_owned()),
            ),
            "aws" if address == "region" => self.region_variable(at, path),
            "param" => self.parameter(address, at, path),
            "file" => self.file(argument.unwrap_or_default(), address, source, at, path),
            "strToBool" => match argument.unwrap_or_default() {
                "true" | "1" => literal("true", at),
                "false" | "0" => literal("false", at),
                other => {
                    self.fail(
                        at,
                        path,
                        format!("{} is neither true nor false", quote(other)),
                        None,
                    );
                    Outcome::Failed
                }
            },
            "ssm" | "cf" | "s3" | "aws" | "sls" | "git" | "vault" | "output" | "terraform"
            | "doppler" => Outcome::Missing(Problem {
                message: format!(
                    "{} has no value here: nothing is fetched or run",
                    quote(&format!("${{{source}}}"))
                ),
                help: Some(format!("pass its value: --opt '{source}=VALUE'")),
                is_elsewhere: true,
            }),
            _ => {
                const KNOWN: [&str; 9] =
                    ["self", "opt", "env", "sls", "file", "param", "ssm", "cf", "aws"];
                let message = format!(
                    "there is no variable source {}.{}",
                    quote(kind),
                    did_you_mean(kind, KNOWN)
                );
                self.fail(at, path, message, None);
                Outcome::Failed
            }
        }
    }

    fn stage_variable(&self, at: &Node, path: &str) -> Outcome {
        self.visit("sls:stage", at, path, || {
            Outcome::Found(Node::text(self.stage(), at.place.clone()))
        })
    }

    fn region_variable(&self, at: &Node, path: &str) -> Outcome {
        self.visit("aws:region", at, path, || {
            let given = self.pseudo_parameter("AWS::Region").or_else(|| self.option("region"));
            let written = || {
                let provider = self.resolve_top(self.root.get("provider")?, "provider");
                let region = self.resolve(provider.get("region")?, "provider.region");
                region.as_text().map(str::to_owned)
            };
            let region = given.or_else(written).unwrap_or_else(|| DEFAULT_REGION.to_owned());
            Outcome::Found(Node::text(region, at.place.clone()))
        })
    }

    /// `params.<stage>.x`, then `params.default.x`.
    fn parameter(&self, name: &str, at: &Node, path: &str) -> Outcome {
        self.visit(&format!("param:{name}"), at, path, || {
            let stage = self.stage();
            let params = self.root.get("params").map(|params| self.resolve_top(params, "params"));
            for section in [stage.as_str(), "default"] {
                let found = params.as_ref().and_then(|params| params.get(section)?.get(name));
                if let Some(node) = found {
                    return Outcome::Found(self.resolve(node, &format!("params.{section}.{name}")));
                }
            }
            Outcome::Missing(Problem {
                message: format!(
                    "the parameter {} is not in params of stage {}",
                    quote(name),
                    quote(&stage)
                ),
                help: Some(format!("pass --opt 'param:{name}=VALUE'")),
                is_elsewhere: false,
            })
        })
    }

    /// The node at `a.b.0` of a tree, resolved.
    pub(super) fn in_tree(
        &self,
        tree: &Node,
        address: &str,
        source: &str,
        at: &Node,
        path: &str,
    ) -> Outcome {
        self.visit(source, at, path, || {
            let mut current = Cow::Borrowed(tree);
            for step in address.split('.').filter(|step| !step.is_empty()) {
                if current.as_text().is_some_and(|text| text.contains("${")) {
                    current = Cow::Owned(self.resolve_top(&current, path));
                }
                let next = match current {
                    Cow::Borrowed(node) => child(node, step).map(Cow::Borrowed),
                    Cow::Owned(ref node) => child(node, step).cloned().map(Cow::Owned),
                };
                if current.value == Value::Unknown {
                    return Outcome::Failed;
                }
                match next {
                    Some(node) => current = node,
                    None => return Outcome::Missing(self.no_such_key(&current, step, source)),
                }
            }
            let resolved = self.resolve(&current, path);
            match resolved.value {
                Value::Unknown => Outcome::Failed,
                Value::Null => Outcome::Missing(Problem {
                    message: format!("{} has no value", quote(&format!("${{{source}}}"))),
                    help: None,
                    is_elsewhere: false,
                }),
                _ => Outcome::Found(resolved),
            }
        })
    }

    fn no_such_key(&self, node: &Node, step: &str, source: &str) -> Problem {
        let known = node.as_map().unwrap_or_default().iter().map(|entry| entry.key.as_str());
        Problem {
            message: format!(
                "{} leads nowhere: there is no {}.{}",
                quote(&format!("${{{source}}}")),
                quote(step),
                did_you_mean(step, known)
            ),
            help: None,
            is_elsewhere: false,
        }
    }

    /// Runs `resolve` unless the address is being resolved already: then it is a circle.
    fn visit(
        &self,
        address: &str,
        at: &Node,
        path: &str,
        resolve: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let visit = (address.to_owned(), self.is_top_only.get());
        if self.visiting.borrow().contains(&visit) {
            let visiting = self.visiting.borrow();
            let names = visiting.iter().map(|(visited, _)| visited.as_str());
            let circle = names.skip_while(|visited| *visited != address).chain([address]);
            let mut circle: Vec<&str> = circle.collect();
            circle.dedup();
            let message =
                format!("these variables refer to each other in a circle: {}", circle.join(" → "));
            self.fail(at, path, message, None);
            return Outcome::Failed;
        }
        self.visiting.borrow_mut().push(visit);
        let outcome = resolve();
        self.visiting.borrow_mut().pop();
        outcome
    }

    fn pseudo_parameter(&self, name: &str) -> Option<String> {
        let given = self.options.parameters.iter().rev().find(|(given, _)| given == name);
        given.map(|(_, value)| value.clone())
    }
}

/// The value of a map's key, or the item of a list at an index.
fn child<'n>(node: &'n Node, step: &str) -> Option<&'n Node> {
    match &node.value {
        Value::List(items) => items.get(step.parse::<usize>().ok()?),
        _ => node.get(step),
    }
}

/// A fallback without quotes: a number, a truth value, null.
pub(super) fn literal(text: &str, at: &Node) -> Outcome {
    let is_literal = matches!(text, "true" | "false") || text.parse::<f64>().is_ok();
    let node = |value| Node { place: at.place.clone(), tag: None, value };
    if text == "null" {
        return Outcome::Found(node(Value::Null));
    }
    if is_literal {
        return Outcome::Found(node(Value::Text { text: text.to_owned(), quoted: false }));
    }
    Outcome::Missing(Problem {
        message: format!("{} is no variable and no value", quote(text)),
        help: Some(format!("a text stands in quotes: '{text}'")),
        is_elsewhere: false,
    })
}
