//! Which format a source has. What is not read yet is refused by its name.

pub(crate) mod aws;
pub(crate) mod cdk;
pub(crate) mod included;
pub(crate) mod sam;
pub(crate) mod serverless;

use std::path::Path;
use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node};
use crate::place::Place;
use crate::suggest::nearest;

/// What a document is.
pub(crate) enum Format {
    CloudFormation,
    Serverless,
    /// What the AWS CLI prints about a distribution and its parts.
    AwsOutput,
    /// Known by name, or not at all; the diagnostic says which.
    Refused(Diagnostic),
}

/// Whether a directory is what `cdk synth` leaves behind.
pub(crate) fn is_cdk_assembly(path: &Path) -> bool {
    // Where the empty file cdk.out was left out of a copy, the construct tree tells the manifest from that
    // of a web app.
    let has = |name: &str| path.join(name).is_file();
    has("manifest.json") && (has("cdk.out") || has("tree.json"))
        || path.is_dir() && path.file_name().is_some_and(|name| name == "cdk.out")
}

/// Formats that are neither YAML nor JSON.
pub(crate) fn recognize_text(text: &str, start: &Place) -> Option<Diagnostic> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    if text.starts_with("<?xml") || text.starts_with("<DistributionConfig") {
        return Some(not_read_yet(start.clone(), "DistributionConfig XML", Some(DEPLOYED)));
    }
    let is_hcl = start.file.ends_with(".tf") || start.file.ends_with(".hcl");
    is_hcl.then(|| not_read_yet(start.clone(), "Terraform source", Some(DEPLOYED)))
}

/// What a document's own words say it is.
pub(crate) fn recognize(root: &Node, file: &Arc<str>) -> Format {
    let has = |key: &str| root.get(key).is_some();
    let start = Place::start_of(file);
    let refused =
        |what: &str, help: Option<&str>| Format::Refused(not_read_yet(start.clone(), what, help));
    if root.as_map().is_none() {
        let message =
            format!("this is no template: expected a map of sections, found {}", root.describe());
        return Format::Refused(Diagnostic::error(root.place.clone(), "", message));
    }
    if has("service") && (has("provider") || has("functions") || has("resources")) {
        return Format::Serverless;
    }
    if has("Resources") || has("AWSTemplateFormatVersion") {
        return Format::CloudFormation;
    }
    if has("sites") {
        return refused(
            "warmfront.yml",
            Some("write a CloudFormation template or a serverless.yml for now"),
        );
    }
    if aws::is_output(root) {
        return Format::AwsOutput;
    }
    if has("planned_values") || has("terraform_version") || has("resource_changes") {
        return refused("a Terraform plan", Some(DEPLOYED));
    }
    if has("artifacts") && has("version") {
        let problem = Diagnostic::error(start, "", "this is the manifest of a CDK assembly")
            .help("give the directory it lies in (cdk.out), or one of its templates");
        return Format::Refused(problem);
    }
    let keys = root.as_map().unwrap_or_default();
    let meant = keys.iter().find_map(|entry| {
        nearest(&entry.key, ["Resources", "service", "AWSTemplateFormatVersion"])
            .map(|near| (entry, near))
    });
    let is_resource = |entry: &&Entry| {
        let kind = entry.value.get("Type").and_then(Node::as_text);
        kind.is_some_and(|kind| kind.starts_with("AWS::"))
    };
    if let Some(entry) = keys.iter().find(is_resource) {
        let message =
            "this is a resource outside of Resources, so the file is a part of a template";
        let problem = Diagnostic::error(entry.place.clone(), &*entry.key, message)
            .help("give the template or the serverless.yml that includes it");
        return Format::Refused(problem);
    }
    let problem = match meant {
        Some((entry, near)) => Diagnostic::error(
            entry.place.clone(),
            &*entry.key,
            format!("this is no template that we know. Did you mean \"{near}\" here?"),
        ),
        None => Diagnostic::error(
            root.place.clone(),
            "",
            "this is no template that we know: it has neither Resources (CloudFormation) nor service (serverless.yml) nor DistributionConfig (AWS CLI)",
        ),
    };
    Format::Refused(problem)
}

/// The way that works for a distribution that another tool has deployed.
const DEPLOYED: &str =
    "give the distribution as it is deployed: aws cloudfront get-distribution --id ID > dist.json";

/// The refusal of a format by its name (DESIGN §1: honesty rule).
pub(crate) fn not_read_yet(place: Place, what: &str, help: Option<&str>) -> Diagnostic {
    Diagnostic::error(place, "", format!("this is {what}, which is not read yet"))
        .maybe_help(help.map(str::to_owned))
}
