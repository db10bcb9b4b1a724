//! Names that nothing here has, in the parts of a template that the edge never evaluates.
//!
//! CloudFormation refuses such a template before it deploys anything ("Unresolved resource
//! dependencies"), so a slip in an output or in another service's resource is worth a word here, too.
//! What the edge does evaluate has been reported by then and is not reported again. A template with a
//! macro is left alone: the macro may bring the names.

use super::{Evaluator, function_call};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, Value, quote};
use crate::place::Place;
use crate::suggest::did_you_mean;
use crate::template::join;

/// Reports every name in `Ref`, `Fn::GetAtt`, `Fn::Sub` and `DependsOn` that leads nowhere.
pub(crate) fn report_dangling_names(evaluator: &Evaluator<'_>) {
    let template = evaluator.template;
    if template.has_macro {
        return;
    }
    for resource in &template.resources {
        evaluator.look_for_names(&resource.properties, &format!("{}.Properties", resource.path));
        let path = join(&resource.path, "DependsOn");
        let Some(depends_on) = &resource.depends_on else { continue };
        let one = depends_on.as_text().map(|_| depends_on);
        for name in depends_on.as_list().unwrap_or_default().iter().chain(one) {
            if let Some(text) = name.as_text()
                && template.resource(text).is_none()
                && !evaluator.is_unreadable(text)
            {
                let known = template.resources.iter().map(|resource| resource.id.as_str());
                evaluator.leads_nowhere(text, did_you_mean(text, known), &name.place, &path);
            }
        }
    }
    for section in [&template.conditions, &template.outputs] {
        for entry in section {
            evaluator.look_for_names(&entry.value, &entry.key);
        }
    }
}

impl Evaluator<'_> {
    fn look_for_names(&self, node: &Node, path: &str) {
        match &node.value {
            Value::List(items) => items.iter().for_each(|item| self.look_for_names(item, path)),
            Value::Map(entries) => match function_call(entries) {
                Some(("Ref", Node { value: Value::Text { text, .. }, .. })) => {
                    self.look_for_name(text, &node.place, path);
                }
                Some(("Fn::GetAtt", argument)) => {
                    let text = match &argument.value {
                        Value::List(parts) => parts.first().and_then(Node::as_text),
                        _ => argument.as_text(),
                    };
                    let name = text.unwrap_or_default().split('.').next().unwrap_or_default();
                    self.look_for_name(name, &node.place, path);
                }
                Some(("Fn::Sub", argument)) => self.look_for_names_in_text(argument, path),
                _ => entries.iter().for_each(|entry| self.look_for_names(&entry.value, path)),
            },
            _ => {}
        }
    }

    fn look_for_names_in_text(&self, argument: &Node, path: &str) {
        let (text, variables) = match argument.as_list() {
            Some([text, variables, ..]) => (text, variables.as_map().unwrap_or_default()),
            Some([text]) => (text, [].as_slice()),
            _ => (argument, [].as_slice()),
        };
        for name in text.as_text().unwrap_or_default().split("${").skip(1) {
            let Some((name, _)) = name.split_once('}') else { continue };
            let name = name.trim();
            if !name.starts_with('!') && variables.iter().all(|entry| entry.key != name) {
                let name = name.split('.').next().unwrap_or_default();
                self.look_for_name(name, &text.place, path);
            }
        }
        variables.iter().for_each(|entry| self.look_for_names(&entry.value, path));
    }

    fn look_for_name(&self, name: &str, place: &Place, path: &str) {
        let is_given = || {
            let mut given = self.options.attributes.iter();
            given.any(|(key, _)| key.split('.').next() == Some(name))
        };
        if !name.is_empty() && !self.is_name(name) && !self.is_unreadable(name) && !is_given() {
            self.leads_nowhere(name, did_you_mean(name, self.known_names()), place, path);
        }
    }

    pub(super) fn is_unreadable(&self, name: &str) -> bool {
        self.template.unreadable.iter().any(|unreadable| unreadable == name)
    }

    fn leads_nowhere(&self, name: &str, meant: String, place: &Place, path: &str) {
        let message = format!("nothing here is called {}.{meant}", quote(name));
        if !self.problems.says(place, &message) {
            let problem = Diagnostic::error(place.clone(), path, message);
            self.problems.add(problem.maybe_help(made_elsewhere(name).map(str::to_owned)));
        }
    }
}

/// What to do about a name that no template writes itself.
pub(super) fn made_elsewhere(name: &str) -> Option<&'static str> {
    // The framework's own logical ids (Serverless guide: AWS CloudFormation resource reference).
    let of_serverless = ["ApiGatewayRestApi", "HttpApi", "ServerlessDeploymentBucket"];
    let of_functions = ["LambdaFunction", "LambdaFunctionUrl"];
    if of_serverless.contains(&name) || of_functions.iter().any(|end| name.ends_with(end)) {
        return Some(
            "the Serverless Framework makes it: give the serverless.yml that this file is a part of",
        );
    }
    matches!(name, "ServerlessHttpApi" | "ServerlessRestApi").then_some(
        "AWS SAM makes it for HttpApi and Api events of functions that name no API of their own, and here is none; events of state machines are not read: send such an origin elsewhere with its name written out, and --origin ID=http://localhost:PORT",
    )
}
