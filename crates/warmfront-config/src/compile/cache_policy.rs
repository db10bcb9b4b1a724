//! `AWS::CloudFront::CachePolicy`, and what it shares with origin request policies.

use http::HeaderName;
use warmfront_core::policy::{CachePolicy, PolicyKind, Selection, TtlBounds};

use super::{Compiler, schema};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::template::Resource;
use crate::written;

/// CloudFront: so many headers, cookies and query strings may each policy name.
const MAX_NAMES: usize = 10;

/// CloudFront guide: a policy that does not say.
pub(super) const DEFAULT_TTL: u64 = 86_400;
pub(super) const MAX_TTL: u64 = 31_536_000;

impl Compiler<'_> {
    pub(super) fn cache_policy(&self, resource: &Resource) -> Option<CachePolicy> {
        let path = format!("{}.Properties", resource.path);
        let properties =
            self.object(&resource.properties, &resource.place, schema::CACHE_POLICY, &path);
        let config = properties.get("CachePolicyConfig")?;
        config.as_map()?;
        let path = format!("{path}.CachePolicyConfig");
        self.policy_name(config, &path);
        let name = config.text_at("Name").unwrap_or_default().to_owned();
        self.ledger.written(&written::policy(PolicyKind::Cache, &name), config);
        let ttl = self.ttl_bounds(config, &path);
        let key = config.get("ParametersInCacheKeyAndForwardedToOrigin")?;
        let path = format!("{path}.ParametersInCacheKeyAndForwardedToOrigin");
        let headers = self.listed_names(key, "HeadersConfig", "HeaderBehavior", "Headers", &path);
        let headers = self.header_names(&headers, &format!("{path}.HeadersConfig.Headers"));
        let policy = CachePolicy {
            name,
            ttl: ttl?,
            headers,
            cookies: self.selection(key, "CookiesConfig", "CookieBehavior", "Cookies", &path),
            query_strings: self.selection(
                key,
                "QueryStringsConfig",
                "QueryStringBehavior",
                "QueryStrings",
                &path,
            ),
            gzip: key.bool_at("EnableAcceptEncodingGzip").unwrap_or(false),
            brotli: key.bool_at("EnableAcceptEncodingBrotli").unwrap_or(false),
            legacy: false,
        };
        let has_key = policy.gzip
            || policy.brotli
            || !policy.headers.is_empty()
            || policy.cookies != Selection::None
            || policy.query_strings != Selection::None;
        if policy.ttl.disable_caching() && has_key {
            let problem = Diagnostic::error(
                key.place.clone(),
                path,
                "a cache policy whose TTLs are all 0 stores nothing and may have nothing in its key",
            )
            .help("set the behaviors to none and EnableAcceptEncoding… to false, and forward with an origin request policy");
            self.problems.add(problem);
        }
        Some(policy)
    }

    /// `MinTTL`, `DefaultTTL` and `MaxTTL` of a policy or of legacy settings, in order.
    ///
    /// CloudFront guide: with a MinTTL above the default of a day, an unspecified DefaultTTL is MinTTL,
    /// and with a DefaultTTL above a year an unspecified MaxTTL is DefaultTTL.
    pub(super) fn ttl_bounds(&self, config: &Node, path: &str) -> Option<TtlBounds> {
        let names = ["MinTTL", "DefaultTTL", "MaxTTL"];
        if names.iter().any(|name| config.get(name).is_some_and(Node::is_unknown)) {
            return None;
        }
        let min = config.number_at("MinTTL").unwrap_or(0);
        let default = config.number_at("DefaultTTL").unwrap_or(DEFAULT_TTL.max(min));
        let max = config.number_at("MaxTTL").unwrap_or(MAX_TTL.max(default));
        match TtlBounds::new(min, default, max) {
            Ok(bounds) => Some(bounds),
            Err(error) => {
                let wrong =
                    if min > default { ["MinTTL", "DefaultTTL"] } else { ["DefaultTTL", "MaxTTL"] };
                let found = wrong.iter().find_map(|name| config.entry(name));
                let (place, path) = match found {
                    Some(entry) => (&entry.value.place, format!("{path}.{}", entry.key)),
                    None => (&config.place, path.to_owned()),
                };
                self.error(place, path, error.to_string());
                None
            }
        }
    }

    pub(super) fn policy_name(&self, config: &Node, path: &str) {
        let Some(name) = config.get("Name") else { return };
        let Some(text) = name.as_text() else { return };
        if text.is_empty()
            || !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        {
            let message = format!(
                "{} is not a policy name: letters, digits, - and _ are allowed",
                quote(text)
            );
            self.error(&name.place, format!("{path}.Name"), message);
        }
    }

    /// Which cookies or query strings a policy means.
    pub(super) fn selection(
        &self,
        parent: &Node,
        config: &str,
        behavior: &str,
        list: &str,
        path: &str,
    ) -> Selection {
        let names = self.listed_names(parent, config, behavior, list, path);
        let names = names.iter().filter_map(Node::as_text).map(str::to_owned).collect();
        match parent.get(config).and_then(|config| config.text_at(behavior)) {
            Some("whitelist") => Selection::Only(names),
            Some("allExcept") => Selection::AllExcept(names),
            Some("all") => Selection::All,
            _ => Selection::None,
        }
    }

    /// The names in a policy's list, which is there exactly when its behavior speaks of a list.
    pub(super) fn listed_names(
        &self,
        parent: &Node,
        config: &str,
        behavior: &str,
        list: &str,
        path: &str,
    ) -> Vec<Node> {
        let Some(node) = parent.get(config) else { return Vec::new() };
        let path = format!("{path}.{config}");
        let Some(behavior_text) = node.text_at(behavior) else { return Vec::new() };
        let takes_list =
            matches!(behavior_text, "whitelist" | "allExcept" | "allViewerAndWhitelistCloudFront");
        let names = node.items_at(list);
        match node.entry(list) {
            Some(entry) if !takes_list && !names.is_empty() => {
                let message = format!("{behavior} {behavior_text} takes no list of {list}");
                self.error(&entry.place, format!("{path}.{list}"), message);
                return Vec::new();
            }
            Some(entry) if entry.value.is_unknown() => {}
            _ if takes_list && names.is_empty() => {
                let message = format!("{behavior} {behavior_text} needs a list of {list}");
                self.error(&node.place, format!("{path}.{list}"), message);
            }
            _ => {}
        }
        if names.len() > MAX_NAMES {
            let message = format!("at most {MAX_NAMES} {list} are allowed, found {}", names.len());
            self.error(&names[MAX_NAMES].place, format!("{path}.{list}[{MAX_NAMES}]"), message);
        }
        names.iter().take(MAX_NAMES).cloned().collect()
    }

    pub(super) fn header_names(&self, names: &[Node], path: &str) -> Vec<HeaderName> {
        self.headers_without_value(names, path);
        let mut headers = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let Some(text) = name.as_text() else { continue };
            match HeaderName::from_bytes(text.as_bytes()) {
                Ok(header) if headers.contains(&header) => {
                    self.error(
                        &name.place,
                        format!("{path}[{index}]"),
                        format!("{text} is here for the second time"),
                    );
                }
                Ok(header) => headers.push(header),
                Err(_) => {
                    let message = format!("{} is not a header name", quote(text));
                    self.error(&name.place, format!("{path}[{index}]"), message);
                }
            }
        }
        headers
    }
}
