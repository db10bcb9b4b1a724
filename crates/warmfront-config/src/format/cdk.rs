//! A CDK cloud assembly (`cdk.out`): which stacks it has, and the files they would upload.
//!
//! `manifest.json` names the templates and the manifests of their assets; a stage is an assembly of its
//! own in a directory below. The templates are read like any other.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{self, Entry, Node, Value};
use crate::source::{LoadError, Sources};
use crate::template::Resource;

/// How deep assemblies may nest: stages hold stages in no real project.
const MAX_DEPTH: usize = 8;

/// How many stacks one assembly may have.
pub(crate) const MAX_STACKS: usize = 1_000;

/// How many assemblies one may hold, itself and those within its stages included: a few lines that name
/// a directory over and over must not keep us reading.
const MAX_ASSEMBLIES: usize = 200;

/// One stack of an assembly.
#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub(crate) template: PathBuf,
    pub(crate) name: String,
    /// `None` where the stack is made for any.
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
    /// Files and directories by the key they would have in S3.
    pub(crate) assets: HashMap<String, PathBuf>,
    /// Parameters that name assets, as projects of CDK 1 have them.
    pub(crate) parameters: Vec<(String, String)>,
}

impl Stack {
    /// Whether this is the template of the stack, or of one that it nests: those are assets.
    pub(crate) fn has_template(&self, template: &Path) -> bool {
        self.template == template || self.assets.values().any(|path| path == template)
    }

    /// The stack that a resource of this one is; its template is an asset like any other.
    pub(crate) fn nested(&self, resource: &Resource) -> Option<Self> {
        // Whether a condition holds is not known yet.
        if resource.kind != NESTED || resource.condition.is_some() {
            return None;
        }
        let template = self.asset_of(resource.property("TemplateURL")?)?.clone();
        Some(Self { template, name: nested_name(&self.name, &resource.id), ..self.clone() })
    }

    /// The asset whose key ends a URL, which is put together from several texts.
    fn asset_of(&self, url: &Node) -> Option<&PathBuf> {
        match &url.value {
            Value::Text { text, .. } => self.assets.get(text.rsplit('/').next()?),
            Value::List(items) => items.iter().rev().find_map(|item| self.asset_of(item)),
            Value::Map(entries) => entries.iter().find_map(|entry| self.asset_of(&entry.value)),
            _ => None,
        }
    }
}

/// The type of a stack in a stack.
pub(crate) const NESTED: &str = "AWS::CloudFormation::Stack";

/// The name of a nested stack, which its values are known by, too.
pub(crate) fn nested_name(stack: &str, logical_id: &str) -> String {
    format!("{stack}-{logical_id}")
}

/// The stacks of the assembly in `directory`, those of its stages included, in the manifest's order.
pub(crate) fn stacks(
    directory: &Path,
    sources: &Sources,
    problems: &Problems,
) -> Result<Vec<Stack>, LoadError> {
    let mut found = Vec::new();
    read(directory, sources, problems, (0, &mut 0), &mut found)?;
    Ok(found)
}

fn read(
    directory: &Path,
    sources: &Sources,
    problems: &Problems,
    (depth, assemblies): (usize, &mut usize),
    found: &mut Vec<Stack>,
) -> Result<(), LoadError> {
    *assemblies += 1;
    let manifest = directory.join("manifest.json");
    let Some(root) = parsed(&manifest, sources, problems)? else { return Ok(()) };
    let Some(artifacts) = root.get("artifacts").and_then(Node::as_map) else {
        let message = "this manifest has no artifacts, so it is none of a CDK assembly";
        problems.add(Diagnostic::error(root.place.clone(), "artifacts", message));
        return Ok(());
    };
    let mut assets = HashMap::new();
    for artifact in of_type(artifacts, "cdk:asset-manifest") {
        if let Some(file) = property(artifact, "file") {
            let path = directory.join(file);
            if let Some(manifest) = parsed(&path, sources, problems)? {
                add_assets(&manifest, directory, &mut assets);
            }
        }
    }
    for artifact in of_type(artifacts, "aws:cloudformation:stack") {
        let Some(template) = property(artifact, "templateFile") else { continue };
        if found.len() >= MAX_STACKS {
            let message = format!("an assembly has at most {MAX_STACKS} stacks");
            problems.add(Diagnostic::error(artifact.place.clone(), &*artifact.key, message));
            return Ok(());
        }
        let environment = artifact.value.get("environment").and_then(Node::as_text);
        let place = environment.and_then(|text| text.strip_prefix("aws://")?.split_once('/'));
        let known = |text: &str| (!text.starts_with("unknown-")).then(|| text.to_owned());
        let mut assets = assets.clone();
        let parameters = parameters(artifact, directory, &mut assets);
        found.push(Stack {
            template: directory.join(template),
            name: property(artifact, "stackName").unwrap_or(&artifact.key).to_owned(),
            account: place.and_then(|(account, _)| known(account)),
            region: place.and_then(|(_, region)| known(region)),
            assets,
            parameters,
        });
    }
    for artifact in of_type(artifacts, "cdk:cloud-assembly") {
        let Some(below) = property(artifact, "directoryName") else { continue };
        if depth + 1 >= MAX_DEPTH {
            let message = format!("assemblies are nested more than {MAX_DEPTH} levels deep");
            problems.add(Diagnostic::error(artifact.place.clone(), &*artifact.key, message));
            continue;
        }
        if *assemblies >= MAX_ASSEMBLIES {
            let message = format!("an assembly holds at most {MAX_ASSEMBLIES} others");
            problems.add(Diagnostic::error(artifact.place.clone(), &*artifact.key, message));
            return Ok(());
        }
        read(&directory.join(below), sources, problems, (depth + 1, &mut *assemblies), found)?;
    }
    Ok(())
}

fn parsed(path: &Path, sources: &Sources, problems: &Problems) -> Result<Option<Node>, LoadError> {
    let text = sources.read(path)?;
    let shown: Arc<str> = path.display().to_string().into();
    Ok(document::parse(&text, &shown, problems))
}

fn of_type<'n>(artifacts: &'n [Entry], kind: &'static str) -> impl Iterator<Item = &'n Entry> {
    artifacts
        .iter()
        .filter(move |artifact| artifact.value.get("type").and_then(Node::as_text) == Some(kind))
}

fn property<'n>(artifact: &'n Entry, name: &str) -> Option<&'n str> {
    artifact.value.get("properties")?.get(name)?.as_text()
}

/// `files` of an asset manifest: the same file may have a key in each region.
fn add_assets(manifest: &Node, directory: &Path, assets: &mut HashMap<String, PathBuf>) {
    for file in manifest.get("files").and_then(Node::as_map).unwrap_or_default() {
        let path = file.value.get("source").and_then(|source| source.get("path"));
        let Some(path) = path.and_then(Node::as_text) else { continue };
        let destinations = file.value.get("destinations").and_then(Node::as_map);
        for destination in destinations.unwrap_or_default() {
            if let Some(key) = destination.value.get("objectKey").and_then(Node::as_text) {
                assets.insert(key.to_owned(), directory.join(path));
            }
        }
    }
}

/// CDK 1 passes assets as parameters and puts the key together from the two sides of `||`.
fn parameters(
    artifact: &Entry,
    directory: &Path,
    assets: &mut HashMap<String, PathBuf>,
) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    for entries in artifact.value.get("metadata").and_then(Node::as_map).unwrap_or_default() {
        for entry in entries.value.as_list().unwrap_or_default() {
            if entry.get("type").and_then(Node::as_text) != Some("aws:cdk:asset") {
                continue;
            }
            let Some(data) = entry.get("data") else { continue };
            let text = |name: &str| data.get(name).and_then(Node::as_text);
            let Some(path) = text("path") else { continue };
            for (name, value) in [
                ("s3BucketParameter", "cdk-assets".to_owned()),
                ("s3KeyParameter", format!("||{path}")),
                ("artifactHashParameter", text("sourceHash").unwrap_or_default().to_owned()),
            ] {
                parameters.extend(text(name).map(|name| (name.to_owned(), value)));
            }
            assets.insert(path.to_owned(), directory.join(path));
        }
    }
    parameters
}
