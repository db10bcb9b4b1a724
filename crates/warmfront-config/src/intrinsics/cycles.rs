//! Circles of references, which CloudFormation refuses to deploy.
//!
//! Resources form one graph (Ref, GetAtt, Sub, DependsOn), conditions another. Only the branch of an
//! `Fn::If` that is taken counts. The walk keeps its own stack.

use std::collections::{HashMap, HashSet};

use super::{Evaluator, function_call};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, Value};
use crate::place::Place;
use crate::template::Template;

/// Reports every circle once, at the reference that closes it.
pub(crate) fn report_cycles(evaluator: &Evaluator<'_>) {
    let template = evaluator.template;
    let conditions = template.conditions.iter().map(|entry| {
        let mut edges = Vec::new();
        condition_names(&entry.value, &mut edges);
        (entry.key.as_str(), edges)
    });
    report(&conditions.collect(), "conditions", "Conditions", evaluator);
    // A condition that refers to itself has no value; evaluating it now is safe and silent.
    let resources = template.resources.iter().filter(|resource| evaluator.is_created(resource));
    let graph = resources.map(|resource| {
        let mut edges = Vec::new();
        references(&resource.properties, evaluator, &mut edges);
        if let Some(depends_on) = &resource.depends_on {
            dependencies(depends_on, &mut edges);
        }
        (resource.id.as_str(), edges)
    });
    report(&graph.collect(), "resources", "Resources", evaluator);
}

type Graph<'t> = Vec<(&'t str, Vec<(String, Place)>)>;

fn report(graph: &Graph<'_>, what: &str, section: &str, evaluator: &Evaluator<'_>) {
    let edges: HashMap<&str, &[(String, Place)]> =
        graph.iter().map(|(name, edges)| (*name, edges.as_slice())).collect();
    let mut finished: HashSet<&str> = HashSet::new();
    for (start, _) in graph {
        let mut trail: Vec<(&str, usize)> = vec![(start, 0)];
        let mut on_trail: HashSet<&str> = HashSet::from([*start]);
        while let Some((name, next)) = trail.last_mut() {
            let edge = edges.get(name).and_then(|edges| edges.get(*next));
            *next += 1;
            let Some((target, place)) = edge else {
                finished.insert(name);
                on_trail.remove(name);
                trail.pop();
                continue;
            };
            let Some((target, _)) = edges.get_key_value(target.as_str()) else { continue };
            if on_trail.contains(target) {
                let from = trail.iter().position(|(name, _)| name == target).unwrap_or(0);
                let mut names: Vec<&str> = trail[from..].iter().map(|(name, _)| *name).collect();
                let last = names.last().copied().unwrap_or_default();
                let path = format!("{section}.{last}");
                names.push(target);
                let message =
                    format!("these {what} refer to each other in a circle: {}", names.join(" → "));
                let problem = Diagnostic::error(place.clone(), path, message)
                    .help(format!("none of the {what} can come first; take one reference out"));
                evaluator.problems.add(problem);
                if section == "Resources" {
                    // Their values would only say again, less clearly, what was said.
                    let circle = trail[from..].iter().map(|(name, _)| (*name).to_owned());
                    evaluator.circular.borrow_mut().extend(circle);
                }
            } else if !finished.contains(target) {
                on_trail.insert(target);
                trail.push((target, 0));
            }
        }
    }
}

fn references(node: &Node, evaluator: &Evaluator<'_>, found: &mut Vec<(String, Place)>) {
    let template: &Template = evaluator.template;
    let mut add = |name: &str| {
        if template.resource(name).is_some() {
            found.push((name.to_owned(), node.place.clone()));
        }
    };
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| references(item, evaluator, found)),
        Value::Map(entries) => match function_call(entries) {
            Some(("Ref", Node { value: Value::Text { text, .. }, .. })) => add(text),
            Some(("Fn::GetAtt", argument)) => match &argument.value {
                Value::Text { text, .. } => add(text.split('.').next().unwrap_or_default()),
                Value::List(parts) => {
                    parts.first().and_then(Node::as_text).into_iter().for_each(add);
                }
                _ => {}
            },
            Some(("Fn::Sub", argument)) => {
                let (text, variables) = match argument.as_list() {
                    Some([text, variables, ..]) => (text.as_text(), variables.as_map()),
                    _ => (argument.as_text(), None),
                };
                let variables = variables.unwrap_or_default();
                for name in text.unwrap_or_default().split("${").skip(1) {
                    let name = name.split('}').next().unwrap_or_default().trim();
                    if variables.iter().all(|entry| entry.key != name) {
                        add(name.split('.').next().unwrap_or_default());
                    }
                }
                variables.iter().for_each(|entry| references(&entry.value, evaluator, found));
            }
            Some(("Fn::If", Node { value: Value::List(arguments), .. }))
                if arguments.len() == 3 =>
            {
                let name = arguments[0].as_text().unwrap_or_default();
                let is_known = template.conditions.iter().any(|entry| entry.key == name);
                let value =
                    is_known.then(|| evaluator.condition(name, &arguments[0], "")).flatten();
                for (branch, taken) in [(&arguments[1], true), (&arguments[2], false)] {
                    if value.is_none_or(|value| value == taken) {
                        references(branch, evaluator, found);
                    }
                }
            }
            _ => entries.iter().for_each(|entry| references(&entry.value, evaluator, found)),
        },
        _ => {}
    }
}

fn dependencies(node: &Node, found: &mut Vec<(String, Place)>) {
    if let Some(name) = node.as_text() {
        found.push((name.to_owned(), node.place.clone()));
    }
    for item in node.as_list().unwrap_or_default() {
        found.extend(item.as_text().map(|name| (name.to_owned(), item.place.clone())));
    }
}

fn condition_names(node: &Node, found: &mut Vec<(String, Place)>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| condition_names(item, found)),
        Value::Map(entries) => {
            for entry in entries {
                match entry.value.as_text() {
                    Some(name) if entry.key == "Condition" => {
                        found.push((name.to_owned(), entry.value.place.clone()));
                    }
                    _ => condition_names(&entry.value, found),
                }
            }
        }
        _ => {}
    }
}
