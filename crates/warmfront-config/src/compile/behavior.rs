//! One cache behavior: whom it admits, which policies it has, what on it is not built yet.

use std::sync::Arc;

use warmfront_core::behavior::{AllowedMethods, ViewerProtocolPolicy};
use warmfront_core::policy::{CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy, managed};
use warmfront_core::{Behavior, Origin, PathPattern};

use super::Compiler;
use super::origin_group::Targeted;
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::format::aws;
use crate::report::Status;
use crate::suggest::{did_you_mean, listed};

impl Compiler<'_> {
    pub(super) fn behavior(
        &self,
        node: &Node,
        distribution: &str,
        is_default: bool,
        origins: &[Origin],
        groups: &[Targeted],
        path: &str,
    ) -> Option<Behavior> {
        node.as_map()?;
        let path_pattern = self.path_pattern(node, is_default, path);
        let target = node.get("TargetOriginId").and_then(|id| {
            self.origin_named(id, origins, groups, &format!("{path}.TargetOriginId"))
        });
        let allowed_methods = self.allowed_methods(node, path);
        let caches_options = self.caches_options(node, allowed_methods, path);
        let compress = node.bool_at("Compress").unwrap_or(false);
        let policies = self.policies(node, path);
        self.compress_without_effect(node, policies.as_ref().map(|(cache, _)| cache), path);
        let response_headers_policy = self.response_headers_policy_of(node, path);
        self.protections(node, distribution, path);
        let trusted_keys = self.trusted_keys(node, distribution, path);
        self.parts_without_effect(node, path);
        let grpc = self.grpc(node, allowed_methods, path);
        let (cache_policy, origin_request_policy) = policies?;
        let named = (&cache_policy, &origin_request_policy);
        self.managed_headers_without_value(node, named, path);
        let target = target?;
        Some(Behavior {
            path_pattern: path_pattern?,
            origin: target.origin,
            failover: target.failover,
            viewer_protocol_policy: match node.text_at("ViewerProtocolPolicy")? {
                "redirect-to-https" => ViewerProtocolPolicy::RedirectToHttps,
                "https-only" => ViewerProtocolPolicy::HttpsOnly,
                _ => ViewerProtocolPolicy::AllowAll,
            },
            allowed_methods,
            caches_options,
            cache_policy,
            origin_request_policy,
            compress,
            response_headers_policy,
            trusted_keys,
            grpc,
            real_time_log: self.real_time_log(node, path),
            rules: self.options.rules,
        })
    }

    fn path_pattern(&self, node: &Node, is_default: bool, path: &str) -> Option<PathPattern> {
        let entry = node.entry("PathPattern");
        let path = format!("{path}.PathPattern");
        match entry {
            Some(entry) if is_default => {
                let message = "the default behavior has no PathPattern; it answers what no other behavior does";
                self.error(&entry.place, path, message);
                None
            }
            None if is_default => Some(PathPattern::any()),
            Some(entry) => {
                let text = entry.value.as_text()?;
                match PathPattern::parse(text) {
                    Ok(pattern) => Some(pattern),
                    Err(error) => {
                        self.error(&entry.value.place, path, error.to_string());
                        None
                    }
                }
            }
            None => {
                self.error(&node.place, path, "PathPattern is missing");
                None
            }
        }
    }

    fn allowed_methods(&self, node: &Node, path: &str) -> AllowedMethods {
        let Some(list) = node.get("AllowedMethods") else { return AllowedMethods::GetHead };
        match method_set(list) {
            Some(methods) => methods,
            None => {
                let problem = Diagnostic::error(
                    list.place.clone(),
                    format!("{path}.AllowedMethods"),
                    "CloudFront knows three sets of methods, and this is none of them",
                )
                .help("[GET, HEAD], [GET, HEAD, OPTIONS] or [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]");
                self.problems.add(problem);
                AllowedMethods::GetHead
            }
        }
    }

    fn caches_options(&self, node: &Node, allowed: AllowedMethods, path: &str) -> bool {
        let Some(list) = node.get("CachedMethods") else { return false };
        let path = format!("{path}.CachedMethods");
        match method_set(list) {
            Some(AllowedMethods::GetHead) => false,
            Some(AllowedMethods::GetHeadOptions) => {
                if allowed == AllowedMethods::GetHead {
                    self.error(&list.place, path, "OPTIONS is cached but not in AllowedMethods");
                }
                true
            }
            _ => {
                let message = "only [GET, HEAD] or [GET, HEAD, OPTIONS] can be cached";
                self.error(&list.place, path, message);
                false
            }
        }
    }

    /// Cache policy and origin request policy, or the legacy settings in their place.
    fn policies(&self, node: &Node, path: &str) -> Option<(CachePolicy, OriginRequestPolicy)> {
        match (node.entry("CachePolicyId"), node.entry("ForwardedValues")) {
            (Some(_), Some(legacy)) => {
                let message = "CachePolicyId and ForwardedValues exclude each other; remove one";
                self.error(&legacy.place, format!("{path}.ForwardedValues"), message);
                None
            }
            (Some(id), None) => {
                for name in ["MinTTL", "DefaultTTL", "MaxTTL"] {
                    if let Some(entry) = node.entry(name) {
                        let reason =
                            "the cache policy decides; CloudFront ignores it beside CachePolicyId";
                        self.ledger.note(
                            &entry.place,
                            &format!("{path}.{name}"),
                            Status::Inert(reason.to_owned()),
                        );
                    }
                }
                let cache_policy =
                    self.cache_policy_named(&id.value, &format!("{path}.CachePolicyId"));
                let origin_request_policy = match node.get("OriginRequestPolicyId") {
                    Some(id) => self
                        .origin_request_policy_named(id, &format!("{path}.OriginRequestPolicyId")),
                    None => Some(no_origin_request_policy()),
                };
                Some((cache_policy?, origin_request_policy?))
            }
            (None, Some(legacy)) => {
                if let Some(entry) = node.entry("OriginRequestPolicyId") {
                    let message = "an OriginRequestPolicyId needs a CachePolicyId; it does not go with ForwardedValues";
                    self.error(&entry.place, format!("{path}.OriginRequestPolicyId"), message);
                }
                self.forwarded_values(node, &legacy.value, path)
            }
            (None, None) => {
                let problem = Diagnostic::error(node.place.clone(), path, "a behavior needs a CachePolicyId (or the legacy ForwardedValues)")
                    .help("CachingOptimized is 658327ea-f89d-4fab-a63d-7e88639e58f6, CachingDisabled 4135ea2d-6df8-44a3-9df3-4b5a84be39ad");
                self.problems.add(problem);
                None
            }
        }
    }

    fn cache_policy_named(&self, id: &Node, path: &str) -> Option<CachePolicy> {
        let text = id.as_text()?;
        let found = self.cache_policies.get(text).cloned().or_else(|| managed::cache_policy(text));
        if found.is_none() {
            let kind = "AWS::CloudFront::CachePolicy";
            self.no_such_policy(
                id,
                text,
                "cache policy",
                kind,
                managed::cache_policy_names().collect(),
                path,
            );
        }
        found
    }

    fn origin_request_policy_named(&self, id: &Node, path: &str) -> Option<OriginRequestPolicy> {
        let text = id.as_text()?;
        let found = self.origin_request_policies.get(text).cloned();
        let found = found.or_else(|| managed::origin_request_policy(text));
        if found.is_none() {
            let kind = "AWS::CloudFront::OriginRequestPolicy";
            let names = managed::origin_request_policy_names().collect();
            self.no_such_policy(id, text, "origin request policy", kind, names, path);
        }
        found
    }

    /// What `ResponseHeadersPolicyId` names, if the behavior has one.
    fn response_headers_policy_of(
        &self,
        node: &Node,
        path: &str,
    ) -> Option<Arc<ResponseHeadersPolicy>> {
        let id = &node.set("ResponseHeadersPolicyId")?.value;
        let text = id.as_text()?;
        let found = self.response_headers_policies.get(text).cloned();
        let found = found.or_else(|| managed::response_headers_policy(text).map(Arc::new));
        if found.is_none() {
            let kind = "AWS::CloudFront::ResponseHeadersPolicy";
            let names = managed::response_headers_policy_names().collect();
            let path = format!("{path}.ResponseHeadersPolicyId");
            self.no_such_policy(id, text, "response headers policy", kind, names, &path);
        }
        found
    }

    fn no_such_policy(
        &self,
        id: &Node,
        text: &str,
        what: &str,
        kind: &str,
        managed: Vec<(&'static str, &'static str)>,
        path: &str,
    ) {
        // A policy of this template that did not compile has been reported where it stands.
        if self.evaluator.names.owner(text).is_some_and(|owner| {
            self.evaluator.template.resource(&owner).is_some_and(|resource| resource.kind == kind)
        }) {
            return;
        }
        let resources = self.evaluator.template.resources.iter();
        let here: Vec<&str> = resources
            .filter(|resource| resource.kind == kind)
            .map(|resource| resource.id.as_str())
            .collect();
        // An id is near another id, a name near a name: one list serves both.
        let short = |name: &'static str| name.strip_prefix("Managed-").unwrap_or(name);
        let names = managed.iter().flat_map(|(id, name)| [*id, *name, short(name)]);
        let names = names.chain(here.iter().copied());
        let help = match here.iter().find(|name| **name == text) {
            Some(name) => format!("to use the policy of this template, write !Ref {name}"),
            None => format!(
                "in this template: {}; of AWS: {}; a policy of your account is printed by: {}",
                listed(here.iter().copied()),
                listed(managed.iter().map(|(_, name)| short(name))),
                aws::printed_by(kind, text).unwrap_or_default()
            ),
        };
        let message = format!("there is no {what} {}.{}", quote(text), did_you_mean(text, names));
        self.problems.add(Diagnostic::error(id.place.clone(), path, message).help(help));
    }

    fn protections(&self, node: &Node, distribution: &str, path: &str) {
        for (name, what) in [(
            "FieldLevelEncryptionId",
            "form fields are not encrypted yet, so they would reach the origin in clear",
        )] {
            let Some(entry) = node.entry(name) else { continue };
            let path = format!("{path}.{name}");
            if node.set(name).is_none() {
                self.ledger.note(&entry.place, &path, Status::Effective);
                continue;
            }
            self.protects(entry, &path, &format!("{distribution}.{name}"), what);
        }
        self.associations(node, "FunctionAssociations", "FunctionARN", path);
        self.associations(node, "LambdaFunctionAssociations", "LambdaFunctionARN", path);
    }

    /// CloudFront compresses only what its policy lets vary by encoding, and only where it caches.
    fn compress_without_effect(&self, node: &Node, policy: Option<&CachePolicy>, path: &str) {
        let Some(entry) = node.entry("Compress") else { return };
        let is_on = node.bool_at("Compress") == Some(true);
        let reason = policy.filter(|_| is_on).and_then(|policy| {
            if policy.ttl.disable_caching() {
                Some("all TTLs are 0, and CloudFront compresses only what it may cache")
            } else if !policy.legacy && !policy.gzip && !policy.brotli {
                Some("its cache policy has neither EnableAcceptEncodingGzip nor EnableAcceptEncodingBrotli")
            } else {
                None
            }
        });
        let status = reason.map_or(Status::Effective, |reason| Status::Inert(reason.to_owned()));
        self.ledger.note(&entry.place, &format!("{path}.Compress"), status);
    }

    fn parts_without_effect(&self, node: &Node, path: &str) {
        let note = |name: &str, is_on: bool, reason: &str| {
            if let Some(entry) = node.entry(name) {
                let status =
                    if is_on { Status::Inert(reason.to_owned()) } else { Status::Effective };
                self.ledger.note(&entry.place, &format!("{path}.{name}"), status);
            }
        };
        let is_on = |name: &str| node.bool_at(name) == Some(true);
        note(
            "SmoothStreaming",
            is_on("SmoothStreaming"),
            "Smooth Streaming requests are treated like any other",
        );
    }
}

/// No `OriginRequestPolicyId`: the origin gets the cache key and what CloudFront always sends.
pub(super) fn no_origin_request_policy() -> OriginRequestPolicy {
    OriginRequestPolicy {
        name: String::new(),
        headers: Default::default(),
        cookies: Default::default(),
        query_strings: Default::default(),
    }
}

/// Which of CloudFront's three sets the list is, in any order.
fn method_set(list: &Node) -> Option<AllowedMethods> {
    let items = list.as_list()?;
    // What could not be told may be right.
    if items.iter().any(Node::is_unknown) {
        return Some(AllowedMethods::GetHead);
    }
    let mut methods: Vec<&str> = items.iter().filter_map(Node::as_text).collect();
    methods.sort_unstable();
    methods.dedup();
    match methods.as_slice() {
        ["GET", "HEAD"] => Some(AllowedMethods::GetHead),
        ["GET", "HEAD", "OPTIONS"] => Some(AllowedMethods::GetHeadOptions),
        ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"] => Some(AllowedMethods::All),
        _ => None,
    }
}
