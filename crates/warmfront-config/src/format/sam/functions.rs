//! `AWS::Serverless::Function` as the function that Lambda runs, its URL and its alias.

use super::{Expander, FUNCTION, VERSION, get_att, merged, reference};
use crate::document::{Entry, Node, Value};
use crate::report::Status;
use crate::template::Resource;

/// Shorthands of SAM that are read here, or whose own expansion is.
const READ: [&str; 6] =
    ["AutoPublishAlias", "CodeUri", "Events", "FunctionUrlConfig", "ImageUri", "InlineCode"];

/// Shorthands of SAM that mean something to AWS alone.
const INERT: [&str; 20] = [
    "AssumeRolePolicyDocument",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CapacityProviderConfig",
    "DeadLetterQueue",
    "DeploymentPreference",
    "DurableConfig",
    "EventInvokeConfig",
    "FunctionScalingConfig",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "PublishToLatestPublished",
    "RolePath",
    "SourceKMSKeyArn",
    "TenancyConfig",
    "Tracing",
    "VersionDeletionPolicy",
    "VersionDescription",
];

impl Expander<'_> {
    pub(super) fn function(&mut self, written: Resource) {
        debug_assert_eq!(written.kind, FUNCTION);
        let properties = merged(self.function_globals, &written.properties);
        let place = written.place.clone();
        let entries = properties.as_map().unwrap_or_default();
        let mut kept: Vec<Entry> = Vec::new();
        for entry in entries {
            let key = entry.key.as_str();
            if INERT.contains(&key) {
                let reason = "has no meaning for a local function";
                self.inert(&entry.place, written.property_path(key), reason);
            } else if READ.contains(&key) {
                let is_listed = key == "Events";
                if !is_listed {
                    self.note(&entry.place, written.property_path(key), Status::Effective);
                }
            } else {
                kept.push(entry.clone());
            }
        }
        if let Some(code) = code(&properties, &written) {
            kept.push(Entry { key: "Code".to_owned(), place: code.place.clone(), value: code });
        }
        if properties.get("ImageUri").is_some() && properties.get("PackageType").is_none() {
            let image = Node::text("Image", place.clone());
            kept.push(Entry { key: "PackageType".to_owned(), place: place.clone(), value: image });
        }
        let function = Resource {
            kind: "AWS::Lambda::Function".to_owned(),
            properties: Node { value: Value::Map(kept), ..properties.clone() },
            ..written.clone()
        };
        self.made.push(function);
        let id = &written.id;
        let path = &written.path;
        let empty = || Node::map([], place.clone());
        self.add(&format!("{id}Role"), "AWS::IAM::Role", path, empty(), &written);
        for word in ["Alias", "Version"] {
            self.add(&format!("{id}.{word}"), VERSION, path, empty(), &written);
        }
        if let Some(alias) = properties.get("AutoPublishAlias") {
            let name = alias.as_text().unwrap_or_default().to_owned();
            let parts = [("FunctionName", reference(id, &place)), ("Name", alias.clone())];
            let parts = Node::map(parts, place.clone());
            self.add(&format!("{id}Alias{name}"), "AWS::Lambda::Alias", path, parts, &written);
        }
        if let Some(url) = properties.get("FunctionUrlConfig") {
            let mut parts = url.clone();
            if let Value::Map(entries) = &mut parts.value {
                let target = get_att(id, "Arn", &place);
                entries.push(Entry {
                    key: "TargetFunctionArn".to_owned(),
                    place: place.clone(),
                    value: target,
                });
            }
            let path = written.property_path("FunctionUrlConfig");
            self.add(&format!("{id}Url"), "AWS::Lambda::Url", &path, parts, &written);
        }
        if let Some(events) = properties.get("Events") {
            for event in events.as_map().unwrap_or_default() {
                let path = format!("{}.{}", written.property_path("Events"), event.key);
                self.event(&written, event, &path);
            }
        }
    }
}

/// `Code` of the function: `InlineCode`, else `CodeUri`, else the template's own directory.
fn code(properties: &Node, written: &Resource) -> Option<Node> {
    if let Some(text) = properties.get("InlineCode") {
        return Some(Node::map([("ZipFile", text.clone())], text.place.clone()));
    }
    if properties.get("Code").is_some() {
        return None;
    }
    // A bucket and a key, or s3://…: only AWS has it, and the compiler says so.
    let on_s3 = |uri: &Node| uri.as_text().is_some_and(|text| text.starts_with("s3://"));
    Some(match properties.get("CodeUri") {
        Some(uri) if on_s3(uri) => Node::map([("S3Key", uri.clone())], uri.place.clone()),
        Some(uri) => uri.clone(),
        None => Node::text(".", written.place.clone()),
    })
}
