//! `AWS::CloudFront::PublicKey` and `KeyGroup`, and what a behavior's `TrustedKeyGroups` come down to.

use std::collections::HashMap;
use std::sync::Arc;

use warmfront_core::access::signed::{PublicKey, TrustedKey, TrustedKeys};

use super::{Compiler, schema};
use crate::document::{Node, quote};
use crate::report::Status;
use crate::suggest::{did_you_mean, listed};
use crate::template::Resource;

/// Limits of CloudFront (cloudfront.md §1.14, §7).
const MAX_GROUPS: usize = 4;
const MAX_KEYS: usize = 5;

const PUBLIC_KEY: &str = "AWS::CloudFront::PublicKey";
const KEY_GROUP: &str = "AWS::CloudFront::KeyGroup";

/// The key groups of the template.
#[derive(Debug, Default)]
pub(super) struct KeyGroups {
    /// By id; `None` for one that has been reported.
    pub(super) groups: HashMap<String, Option<Vec<TrustedKey>>>,
}

/// What every viewer could do if a behavior were served without its keys.
const OPEN: &str = "so every viewer would be let in";

impl Compiler<'_> {
    pub(super) fn compile_key_groups(&self) -> KeyGroups {
        let keys: HashMap<String, Option<TrustedKey>> = self
            .created(PUBLIC_KEY)
            .into_iter()
            .filter_map(|resource| Some((self.id_of(resource)?, self.public_key(resource))))
            .collect();
        let groups = self.created(KEY_GROUP).into_iter();
        let groups = groups
            .filter_map(|resource| Some((self.id_of(resource)?, self.key_group(resource, &keys))));
        KeyGroups { groups: groups.collect() }
    }

    /// The id that AWS gave, when `--attribute` tells it, or ours.
    fn id_of(&self, resource: &Resource) -> Option<String> {
        let given = |name| self.evaluator.given_attribute(&resource.id, name);
        let given = given("Ref").or_else(|| given("Id")).map(str::to_owned);
        given.or_else(|| self.evaluator.physical_id(resource))
    }

    fn public_key(&self, resource: &Resource) -> Option<TrustedKey> {
        let path = format!("{}.Properties", resource.path);
        let properties =
            self.object(&resource.properties, &resource.place, schema::PUBLIC_KEY, &path);
        let config = properties.get("PublicKeyConfig")?;
        let pem = config.get("EncodedKey")?;
        match PublicKey::from_pem(pem.as_text()?) {
            Ok(key) => Some(TrustedKey { id: self.id_of(resource)?, key }),
            Err(error) => {
                let path = format!("{path}.PublicKeyConfig.EncodedKey");
                self.error(&pem.place, path, format!("{error}"));
                None
            }
        }
    }

    fn key_group(
        &self,
        resource: &Resource,
        keys: &HashMap<String, Option<TrustedKey>>,
    ) -> Option<Vec<TrustedKey>> {
        let path = format!("{}.Properties", resource.path);
        let properties =
            self.object(&resource.properties, &resource.place, schema::KEY_GROUP, &path);
        let config = properties.get("KeyGroupConfig")?;
        let path = format!("{path}.KeyGroupConfig.Items");
        let list = config.get("Items")?;
        let items = list.as_list()?;
        if items.is_empty() {
            let message = "a key group needs a public key; without one nobody could be let in";
            self.error(&list.place, path, message);
            return None;
        }
        if items.len() > MAX_KEYS {
            let message = format!("at most {MAX_KEYS} public keys are allowed in a group");
            self.error(&items[MAX_KEYS].place, format!("{path}[{MAX_KEYS}]"), message);
            return None;
        }
        let found = items.iter().enumerate().map(|(index, item)| {
            let id = item.as_text()?;
            if let Some(key) = keys.get(id) {
                return key.clone();
            }
            self.no_such(item, id, "public key", PUBLIC_KEY, &format!("{path}[{index}]"));
            None
        });
        // All are looked at, so that all problems are told.
        found.collect::<Vec<_>>().into_iter().collect()
    }

    fn no_such(&self, at: &Node, id: &str, what: &str, kind: &str, path: &str) {
        let here = || self.created(kind).into_iter().map(|resource| resource.id.as_str());
        let help = match here().find(|name| *name == id) {
            Some(name) => format!("write !Ref {name}"),
            None => format!(
                "here: {}; one of your account is printed by: {}",
                listed(here()),
                crate::format::aws::printed_by(kind, id).unwrap_or_default()
            ),
        };
        let message = format!("there is no {what} {} here.{}", quote(id), did_you_mean(id, here()));
        let problem = crate::Diagnostic::error(at.place.clone(), path, message).help(help);
        self.problems.add(problem);
    }

    /// Whose signatures a behavior asks for.
    pub(super) fn trusted_keys(
        &self,
        behavior: &Node,
        distribution: &str,
        path: &str,
    ) -> Option<Arc<TrustedKeys>> {
        if let Some(entry) = behavior.set("TrustedSigners") {
            let what = format!(
                "the key pairs of TrustedSigners are in an AWS account and not in a template, {OPEN}; \
                 use TrustedKeyGroups"
            );
            let name = format!("{distribution}.TrustedSigners");
            self.protects(entry, &format!("{path}.TrustedSigners"), &name, &what);
        } else if let Some(entry) = behavior.entry("TrustedSigners") {
            self.ledger.note(&entry.place, &format!("{path}.TrustedSigners"), Status::Effective);
        }
        let entry = behavior.entry("TrustedKeyGroups")?;
        let path = format!("{path}.TrustedKeyGroups");
        let items = behavior.items_at("TrustedKeyGroups");
        if items.len() > MAX_GROUPS {
            let message = format!("at most {MAX_GROUPS} key groups are allowed");
            self.error(&entry.value.place, &*path, message);
        }
        if items.is_empty() {
            self.ledger.note(&entry.place, &path, Status::Effective);
            return None;
        }
        let mut trusted = TrustedKeys::default();
        for item in items {
            let Some(id) = item.as_text() else { continue };
            match self.key_groups.groups.get(id) {
                Some(Some(keys)) => {
                    for key in keys {
                        if !trusted.keys.iter().any(|known| known.id == key.id) {
                            trusted.keys.push(key.clone());
                        }
                    }
                }
                // Reported where it stands; with errors nothing is served.
                Some(None) => {}
                None => {
                    let groups = self.created(KEY_GROUP);
                    let groups = || groups.iter().map(|resource| resource.id.as_str());
                    let what = format!(
                        "the key group {} is not in this template, {OPEN}.{} In this template: {}",
                        quote(id),
                        did_you_mean(id, groups()),
                        listed(groups())
                    );
                    let name = format!("{distribution}.TrustedKeyGroups");
                    self.protects(entry, &path, &name, &what);
                    return None;
                }
            }
        }
        self.ledger.note(&entry.place, &path, Status::Effective);
        Some(Arc::new(trusted))
    }
}
