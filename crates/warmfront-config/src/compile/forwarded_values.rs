//! Legacy `ForwardedValues` (cloudfront.md §1.7), as a cache policy and an origin request policy.

use warmfront_core::policy::{
    CachePolicy, HeaderSelection, OriginRequestPolicy, Selection, TtlBounds,
};

use super::Compiler;
use super::behavior::no_origin_request_policy;
use crate::document::Node;
use crate::report::Status;

const MAX_NAMES: usize = 10;

impl Compiler<'_> {
    pub(super) fn forwarded_values(
        &self,
        behavior: &Node,
        legacy: &Node,
        behavior_path: &str,
    ) -> Option<(CachePolicy, OriginRequestPolicy)> {
        for name in ["MinTTL", "DefaultTTL", "MaxTTL"] {
            if let Some(entry) = behavior.entry(name) {
                self.ledger.note(
                    &entry.place,
                    &format!("{behavior_path}.{name}"),
                    Status::Effective,
                );
            }
        }
        let ttl = self.ttl_bounds(behavior, behavior_path);
        legacy.as_map()?;
        let path = format!("{behavior_path}.ForwardedValues");
        let mut to_origin = no_origin_request_policy();
        let query_strings = self.legacy_query_strings(legacy, &mut to_origin, &path);
        let cookies = self.legacy_cookies(legacy, &path);
        let names = legacy.items_at("Headers");
        let forwards_all = names.iter().any(|name| name.as_text() == Some("*"));
        self.limit(names, "headers", &format!("{path}.Headers"));
        let mut ttl = ttl?;
        let mut headers = Vec::new();
        if forwards_all {
            // CloudFront guide: forwarding all headers means that nothing is cached.
            if names.len() > 1 {
                self.error(
                    &names[0].place,
                    format!("{path}.Headers"),
                    "\"*\" stands alone: it means all headers",
                );
            }
            if !ttl.min().is_zero() {
                let place = behavior.get("MinTTL").map_or(&legacy.place, |min| &min.place);
                let message = "MinTTL must be 0 where all headers are forwarded (Headers: [\"*\"])";
                self.error(place, format!("{behavior_path}.MinTTL"), message);
            }
            ttl = TtlBounds::new(0, 0, 0).ok()?;
            to_origin.headers = HeaderSelection::AllViewer;
        } else {
            let names = &names[..names.len().min(MAX_NAMES)];
            headers = self.header_names(names, &format!("{path}.Headers"));
        }
        let cache_policy = CachePolicy {
            name: "ForwardedValues".to_owned(),
            ttl,
            headers,
            cookies,
            query_strings,
            // Without a policy CloudFront normalizes Accept-Encoding to gzip and never to br.
            gzip: true,
            brotli: false,
            legacy: true,
        };
        Some((cache_policy, to_origin))
    }

    fn legacy_query_strings(
        &self,
        legacy: &Node,
        to_origin: &mut OriginRequestPolicy,
        path: &str,
    ) -> Selection {
        let keys = legacy.texts_at("QueryStringCacheKeys");
        let path = format!("{path}.QueryStringCacheKeys");
        self.limit(legacy.items_at("QueryStringCacheKeys"), "query strings", &path);
        match legacy.bool_at("QueryString") {
            Some(true) if keys.is_empty() => Selection::All,
            Some(true) => {
                to_origin.query_strings = Selection::All;
                Selection::Only(keys)
            }
            _ => {
                if let Some(entry) = legacy.set("QueryStringCacheKeys") {
                    self.error(&entry.place, path, "QueryStringCacheKeys needs QueryString: true");
                }
                Selection::None
            }
        }
    }

    fn legacy_cookies(&self, legacy: &Node, path: &str) -> Selection {
        let Some(cookies) = legacy.get("Cookies") else { return Selection::None };
        let names = cookies.texts_at("WhitelistedNames");
        let path = format!("{path}.Cookies.WhitelistedNames");
        self.limit(cookies.items_at("WhitelistedNames"), "cookies", &path);
        match cookies.text_at("Forward") {
            Some("all") => Selection::All,
            Some("whitelist") => {
                if names.is_empty() {
                    self.error(
                        &cookies.place,
                        path,
                        "Forward: whitelist needs a list of WhitelistedNames",
                    );
                }
                Selection::Matching(names)
            }
            _ => Selection::None,
        }
    }

    fn limit(&self, names: &[Node], what: &str, path: &str) {
        if names.len() > MAX_NAMES {
            let message = format!("at most {MAX_NAMES} {what} are allowed, found {}", names.len());
            self.error(&names[MAX_NAMES].place, path, message);
        }
    }
}
