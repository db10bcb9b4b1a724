//! Properties that protect something and are not effective yet: they stop the source from being
//! served, unless the user allows it by name (DESIGN §1, honesty rule).
//!
//! The name is `<distribution>.<property>` (`Edge.TrustedKeyGroups`), the logical id of an associated
//! function, or `<route>.AuthorizationType`. It does not change when behaviors are added or moved.

use super::Compiler;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node};
use crate::format::aws;
use crate::report::Status;

impl Compiler<'_> {
    /// Refuses `entry`, or warns when `name` is allowed.
    pub(super) fn protects(&self, entry: &Entry, path: &str, name: &str, what: &str) {
        self.protects_unless(entry, path, name, what, "");
    }

    /// The same, where `instead` says what would make it effective.
    pub(super) fn protects_unless(
        &self,
        entry: &Entry,
        path: &str,
        name: &str,
        what: &str,
        instead: &str,
    ) {
        self.protections.borrow_mut().push(name.to_owned());
        let place = entry.place.clone();
        if self.options.allow_unprotected.iter().any(|allowed| allowed == name) {
            let message =
                format!("{what}; served all the same, as --allow-unprotected {name} says");
            self.problems.add(Diagnostic::warning(place, path, message));
            let reason = format!("allowed with --allow-unprotected {name}");
            self.ledger.note(&entry.place, path, Status::Inert(reason));
            return;
        }
        let semicolon = if instead.is_empty() { "" } else { "; " };
        // As a shell takes it: `Api.GET /orders` has a space.
        let shown = if name.contains(' ') { format!("'{name}'") } else { name.to_owned() };
        let help = format!(
            "{instead}{semicolon}to serve it without this protection, pass --allow-unprotected {shown}"
        );
        self.problems.add(Diagnostic::error(place, path, what).help(help));
        self.ledger.note(&entry.place, path, Status::Refused(what.to_owned()));
    }

    /// The functions of `FunctionAssociations` and `LambdaFunctionAssociations`.
    pub(super) fn associations(&self, behavior: &Node, list: &str, arn_key: &str, path: &str) {
        let Some(entry) = behavior.set(list) else { return };
        for (index, association) in behavior.items_at(list).iter().enumerate() {
            let path = format!("{path}.{list}[{index}]");
            for required in ["EventType", arn_key] {
                if association.as_map().is_some() && association.get(required).is_none() {
                    self.error(
                        &association.place,
                        format!("{path}.{required}"),
                        format!("{required} is missing"),
                    );
                }
            }
            let (Some(event), Some(arn)) =
                (association.text_at("EventType"), association.text_at(arn_key))
            else {
                continue;
            };
            let function = match self.function_abroad(arn) {
                Some((home, id)) => home.evaluator.names.unique(&id),
                None => self.function_behind(arn),
            };
            let at = association.entry("EventType").unwrap_or(entry);
            if event.ends_with("-request") {
                let mut what = format!(
                    "the function {function} on {event} may guard this path, and edge functions do not run yet"
                );
                // A CloudFront function that the source only names (a Lambda's ARN has `:function:`).
                if arn.contains(":function/") && self.evaluator.names.owner(arn).is_none() {
                    let command = aws::printed_by("AWS::CloudFront::Function", &function);
                    what.push_str("; nor is it here: ");
                    what.push_str(&command.unwrap_or_default());
                }
                self.protects(at, &path, &function, &what);
            } else {
                let reason = format!("edge functions do not run yet ({function} on {event})");
                self.ledger.note(&at.place, &path, Status::Inert(reason));
            }
        }
    }

    /// The logical id of the function that an ARN names, or the name in the ARN.
    pub(super) fn function_behind(&self, arn: &str) -> String {
        let names = self.evaluator.names;
        let without_version = arn.rsplit_once(':').map_or(arn, |(function, _)| function);
        let owner = names.owner(arn).or_else(|| names.owner(without_version));
        owner.unwrap_or_else(|| {
            let last = |arn: &str| arn.rsplit([':', '/']).next().unwrap_or_default().to_owned();
            let name = last(arn);
            let is_version = name.bytes().all(|b| b.is_ascii_digit());
            let name = if is_version { last(without_version) } else { name };
            // `!Sub "arn:…:function:${Hello}"`: the ARN was put together by hand.
            names.owner(&name).unwrap_or(name)
        })
    }
}
