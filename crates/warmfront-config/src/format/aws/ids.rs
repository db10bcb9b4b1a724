//! Which ids a source names, and which of them are AWS's own.

use warmfront_core::policy::managed;

use super::kinds::Kind;
use crate::document::{Node, Value};

/// Properties whose text is the id of something.
const NAMING: [&str; 8] = [
    "CachePolicyId",
    "OriginRequestPolicyId",
    "ResponseHeadersPolicyId",
    "OriginAccessControlId",
    "OriginAccessIdentity",
    "ContinuousDeploymentPolicyId",
    "TrustedKeyGroups",
    "RealtimeLogConfigArn",
];

/// Every id that stands literally in a resource's properties, with the property that names it.
pub(super) fn named(properties: &Node) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    // A walk without recursion: how deep a file nests is the file's choice.
    let mut rest = vec![properties];
    while let Some(node) = rest.pop() {
        match &node.value {
            Value::List(items) => rest.extend(items),
            Value::Map(entries) => {
                for entry in entries {
                    if let Some(naming) = NAMING.iter().find(|naming| **naming == entry.key) {
                        add(naming, &entry.value, &mut found);
                    }
                    if entry.key == "KeyGroupConfig"
                        && let Some(keys) = entry.value.get("Items")
                    {
                        add("KeyGroupConfig.Items", keys, &mut found);
                    }
                    rest.push(&entry.value);
                }
            }
            _ => {}
        }
    }
    found
}

fn add(property: &'static str, value: &Node, found: &mut Vec<(&'static str, String)>) {
    let several = value.as_list().unwrap_or_default();
    let texts = several.iter().chain([value]).filter_map(Node::as_text);
    found.extend(texts.filter(|text| !text.is_empty()).map(|text| {
        // `origin-access-identity/cloudfront/E2…`
        let id = text.rsplit('/').next().unwrap_or(text);
        (property, if property == "OriginAccessIdentity" { id } else { text }.to_owned())
    }));
}

/// Whether AWS has a policy of this id in every account.
pub(super) fn is_managed(kind: &Kind, id: &str) -> bool {
    match kind.name {
        "CachePolicy" => managed::cache_policy(id).is_some(),
        "OriginRequestPolicy" => managed::origin_request_policy(id).is_some(),
        "ResponseHeadersPolicy" => managed::response_headers_policy(id).is_some(),
        _ => false,
    }
}
