//! What one stack of a source offers to the others: exports of outputs, SSM parameters, and the values
//! that the CDK's custom resources carry into another region.
//!
//! Only what stands in the source is known; the rest is asked of `--attribute`.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use super::Evaluator;
use crate::Options;
use crate::diagnostic::Problems;
use crate::document::{Entry, Node, Value};
use crate::format::cdk::{NESTED, nested_name};
use crate::template::Resource;
use crate::unit::Unit;

/// How many stacks an export may be handed on through. Each pass over the stacks finds one step more.
const MAX_STEPS: usize = 16;

/// Values by what they are and what they are called.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    known: RefCell<HashMap<(Offer, String), String>>,
}

/// How a stack offers a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Offer {
    /// `Outputs.*.Export`, for `Fn::ImportValue`.
    Export,
    /// `AWS::SSM::Parameter`, for `{{resolve:ssm:…}}` and the CDK's readers of parameters.
    SsmParameter,
    /// An entry of the CDK's `Custom::CrossRegionExportWriter`, for its reader.
    CrossRegion,
    /// A parameter that a stack passes to one that it nests: `STACK.PARAMETER`.
    NestedParameter,
    /// An output of a stack, for the one that nests it: `STACK.OUTPUT`.
    Output,
}

impl Exports {
    /// Evaluates what the units offer. What cannot be told is said where it is used.
    pub(crate) fn gather(units: &[Unit], options: &Options) -> Self {
        let exports = Self::default();
        let nested = units.iter().flat_map(|unit| {
            let stacks = unit.template.resources.iter().filter(|resource| resource.kind == NESTED);
            stacks.map(|resource| nested_name(&unit.names.stack, &resource.id))
        });
        let nested: HashSet<String> = nested.collect();
        for _ in 0..units.len().min(MAX_STEPS) {
            let before = exports.known.borrow().len();
            for unit in units {
                let silent = Problems::default();
                let evaluator =
                    Evaluator::new(&unit.template, options, &unit.names, &silent, &exports);
                exports.take_from(&evaluator, &nested);
            }
            if exports.known.borrow().len() == before {
                break;
            }
        }
        exports
    }

    pub(crate) fn get(&self, offer: Offer, name: &str) -> Option<String> {
        self.known.borrow().get(&(offer, name.to_owned())).cloned()
    }

    /// Every name that is offered this way.
    pub(crate) fn names(&self, offer: Offer) -> Vec<String> {
        let known = self.known.borrow();
        let mut names: Vec<String> =
            known.keys().filter(|(kind, _)| *kind == offer).map(|(_, name)| name.clone()).collect();
        names.sort();
        names
    }

    /// `nested` are the stacks whose outputs another one reads.
    fn take_from(&self, evaluator: &Evaluator<'_>, nested: &HashSet<String>) {
        let text = |node: &Node| evaluator.evaluate(node, "").as_text().map(str::to_owned);
        let take = |offer: Offer, name: Option<String>, value: &Node| {
            let Some(name) = name else { return };
            if self.get(offer, &name).is_some() {
                return;
            }
            if let Some(value) = text(value) {
                self.known.borrow_mut().insert((offer, name), value);
            }
        };
        for output in &evaluator.template.outputs {
            let name = output.value.get("Export").and_then(|export| export.get("Name"));
            let Some(value) = output.value.get("Value") else { continue };
            if let Some(name) = name {
                take(Offer::Export, text(name), value);
            }
            if nested.contains(&evaluator.names.stack) {
                let name = format!("{}.{}", evaluator.names.stack, output.key);
                take(Offer::Output, Some(name), value);
            }
        }
        for resource in &evaluator.template.resources {
            match resource.kind.as_str() {
                "AWS::SSM::Parameter" => {
                    let name = resource.property("Name");
                    if let (Some(name), Some(value)) = (name, resource.property("Value")) {
                        take(Offer::SsmParameter, text(name), value);
                    }
                }
                NESTED => {
                    let stack = nested_name(&evaluator.names.stack, &resource.id);
                    let parameters = resource.property("Parameters").and_then(Node::as_map);
                    for Entry { key, value, .. } in parameters.unwrap_or_default() {
                        take(Offer::NestedParameter, Some(format!("{stack}.{key}")), value);
                    }
                }
                "Custom::CrossRegionExportWriter" => {
                    for Entry { key, value, .. } in carried(resource) {
                        take(Offer::CrossRegion, Some(key.clone()), value);
                    }
                }
                _ => {}
            }
        }
    }
}

/// The values of a `Custom::CrossRegionExportWriter`.
fn carried(writer: &Resource) -> &[Entry] {
    let properties = writer.property("WriterProps");
    let exports = properties.and_then(|properties| properties.get("exports"));
    match exports.map(|exports| &exports.value) {
        Some(Value::Map(entries)) => entries,
        _ => &[],
    }
}
