//! From the API's spelling to CloudFormation's (cloudfront.md §1.2).
//!
//! Lists are `{Quantity, Items}` in the API and plain in CloudFormation, some names differ, and an empty
//! text means that a property is not set. Every value keeps its place.

use super::kinds::Kind;
use super::without;
use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value};
use crate::report::{Ledger, Status};

pub(super) struct Translator<'a> {
    pub(super) problems: &'a Problems,
    pub(super) ledger: &'a Ledger,
}

/// Whether `{Quantity, Items}` stays a map.
#[derive(Clone, Copy, PartialEq)]
enum Lists {
    Plain,
    /// As in response headers policies, which have `{Items}`.
    Items,
    /// As in origin groups, which have both.
    QuantityAndItems,
}

impl Translator<'_> {
    /// The `Properties` of a resource; `None` when `config` is no map.
    pub(super) fn properties(&self, kind: &Kind, config: &Node) -> Option<Node> {
        config.as_map()?;
        let lists = match kind.name {
            "ResponseHeadersPolicy" => Lists::Items,
            _ => Lists::Plain,
        };
        // Public keys have a CallerReference in CloudFormation, too.
        let keeps_reference = kind.name == "PublicKey";
        let config =
            if keeps_reference { config.clone() } else { without(config, "CallerReference") };
        let translated = self.value(&config, "", lists);
        Some(match kind.name {
            "FunctionSummary" => without(&without(&translated, "FunctionMetadata"), "Status"),
            "RealtimeLogConfig" => without(&translated, "ARN"),
            _ => Node::map([(kind.config, without_state(&translated))], config.place),
        })
    }

    fn value(&self, node: &Node, key: &str, lists: Lists) -> Node {
        let lists = if key == "OriginGroups" { Lists::QuantityAndItems } else { lists };
        let value = match &node.value {
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.value(item, "", lists)).collect())
            }
            Value::Map(entries) => {
                self.check_quantity(node);
                if key == "GeoRestriction" {
                    self.geo_restriction(node)
                } else if is_list(entries) && lists == Lists::Plain {
                    self.plain(node)
                } else {
                    Value::Map(self.entries(entries, lists))
                }
            }
            // `list-distributions` and old outputs have HTTP2, and AWS takes either.
            Value::Text { text, quoted } if key == "HttpVersion" => {
                Value::Text { text: text.to_ascii_lowercase(), quoted: *quoted }
            }
            other => other.clone(),
        };
        Node { place: node.place.clone(), tag: None, value }
    }

    fn entries(&self, entries: &[Entry], lists: Lists) -> Vec<Entry> {
        let mut translated = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = entry.key.as_str();
            let is_empty = entry.value.as_text() == Some("");
            if entry.value.is_null() || (is_empty && UNSET_WHEN_EMPTY.contains(&key)) {
                continue;
            }
            let mut put = |key: &str, value: Node| {
                let place = entry.place.clone();
                translated.push(Entry { key: key.to_owned(), place, value });
            };
            match key {
                "AllowedMethods" => {
                    put(key, self.value(&without(&entry.value, "CachedMethods"), key, lists));
                    if let Some(cached) = entry.value.entry("CachedMethods") {
                        let place = cached.place.clone();
                        let value = self.value(&cached.value, "CachedMethods", lists);
                        translated.push(Entry { key: cached.key.clone(), place, value });
                    }
                }
                "Logging" if entry.value.get("Enabled").is_some() => {
                    if let Some(logging) = self.logging(&entry.value) {
                        put(key, logging);
                    }
                }
                // A list of groups that is empty needs no map to say so.
                "OriginGroups" if is_empty_list(&entry.value) => {}
                "Certificate" | "CertificateSource" => {
                    let reason = "an old repetition of the properties beside it".to_owned();
                    self.ledger.note(&entry.place, key, Status::Inert(reason));
                }
                "Quantity" if lists == Lists::Items => {}
                _ => put(renamed(key), self.value(&entry.value, key, lists)),
            }
        }
        // `{Quantity: 0}` alone.
        if lists == Lists::Items
            && let [Entry { key, place, .. }] = entries
            && key == "Quantity"
        {
            let none = Node::list(Vec::new(), place.clone());
            translated.push(Entry { key: "Items".to_owned(), place: place.clone(), value: none });
        }
        translated
    }

    /// The items of `{Quantity, Items}`; those of signers and key groups count only when `Enabled`.
    fn plain(&self, node: &Node) -> Value {
        if node.get("Enabled").and_then(Node::as_bool) == Some(false) {
            return Value::List(Vec::new());
        }
        match node.get("Items") {
            Some(items) if !items.is_null() => self.value(items, "Items", Lists::Plain).value,
            _ => Value::List(Vec::new()),
        }
    }

    fn geo_restriction(&self, node: &Node) -> Value {
        let entries = node.as_map().unwrap_or_default().iter();
        let kept = entries.filter(|entry| entry.key != "Quantity").map(|entry| match &*entry.key {
            "Items" => Entry { key: "Locations".to_owned(), ..entry.clone() },
            _ => entry.clone(),
        });
        Value::Map(kept.filter(|entry| !entry.value.is_null()).collect())
    }

    /// CloudFormation: logs are written when the property is there; without a bucket it only says
    /// whether version 2 logs have cookies.
    fn logging(&self, node: &Node) -> Option<Node> {
        let is_on = node.get("Enabled").and_then(Node::as_bool) != Some(false);
        let has_cookies = node.get("IncludeCookies").and_then(Node::as_bool) == Some(true);
        if !is_on && !has_cookies {
            return None;
        }
        let mut logging = without(node, "Enabled");
        if let Value::Map(entries) = &mut logging.value {
            entries.retain(|entry| {
                entry.value.as_text() != Some("") && (is_on || entry.key == "IncludeCookies")
            });
        }
        Some(logging)
    }

    /// AWS refuses a Quantity that is not the number of Items (`InconsistentQuantities`).
    fn check_quantity(&self, node: &Node) {
        let Some(written) = node.get("Quantity") else { return };
        let items = node.get("Items").filter(|items| !items.is_null());
        let count = match items.map(|items| &items.value) {
            Some(Value::List(items)) => items.len(),
            Some(_) => return,
            None => 0,
        };
        if written.as_integer() != i64::try_from(count).ok() {
            let message = format!(
                "Quantity is {}, but Items has {count}",
                written.describe().replace('"', "")
            );
            let problem = Diagnostic::error(written.place.clone(), "Quantity", message)
                .help("CloudFront refuses that (InconsistentQuantities): count the Items again");
            self.problems.add(problem);
        }
    }
}

fn is_list(entries: &[Entry]) -> bool {
    let has = |wanted: &str| entries.iter().any(|entry| entry.key == wanted);
    (has("Quantity") || has("Items"))
        && entries.iter().all(|it| matches!(&*it.key, "Quantity" | "Items" | "Enabled"))
}

fn is_empty_list(node: &Node) -> bool {
    let items = node.get("Items").and_then(Node::as_list).unwrap_or_default();
    items.is_empty() && node.get("Quantity").and_then(Node::as_integer) == Some(0)
}

/// What an item of a list says about itself beside its configuration.
fn without_state(node: &Node) -> Node {
    let mut node = node.clone();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| {
            !matches!(&*entry.key, "Id" | "CreatedTime" | "LastModifiedTime" | "S3CanonicalUserId")
        });
    }
    node
}

fn renamed(key: &str) -> &str {
    match key {
        "ACMCertificateArn" => "AcmCertificateArn",
        "CustomHeaders" => "OriginCustomHeaders",
        "IAMCertificateId" => "IamCertificateId",
        "IsIPV6Enabled" => "IPV6Enabled",
        "OriginSslProtocols" => "OriginSSLProtocols",
        "RoleARN" => "RoleArn",
        "SSLSupportMethod" => "SslSupportMethod",
        "StreamARN" => "StreamArn",
        other => other,
    }
}

/// Properties that outputs always have, empty where they are not set.
const UNSET_WHEN_EMPTY: [&str; 14] = [
    "AnycastIpListId",
    "ContinuousDeploymentPolicyId",
    "DefaultRootObject",
    "FieldLevelEncryptionId",
    "OriginAccessControlId",
    "OriginPath",
    "OriginRequestPolicyId",
    "OriginShieldRegion",
    "RealtimeLogConfigArn",
    "ResponseCode",
    "ResponseHeadersPolicyId",
    "ResponsePagePath",
    "SmoothStreaming",
    "WebACLId",
];
