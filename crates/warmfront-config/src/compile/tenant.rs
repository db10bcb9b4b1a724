//! Distribution tenants (CloudFront guide: multi-tenant distributions): one configuration, filled in for
//! each tenant.
//!
//! A multi-tenant distribution serves nobody itself. Each tenant becomes a distribution of its own, with
//! the tenant's domains and with its parameters in the names and paths of origins.

use std::collections::HashMap;
use std::sync::Arc;

use warmfront_core::Origin;
use warmfront_core::access::geo::GeoRestriction;
use warmfront_core::distribution::{Distribution, Role};

use super::Compiler;
use super::distribution::Draft;
use super::schema::{DEVELOPMENT_CERTIFICATE, GEO_RESTRICTION};
use super::shape::Kind::{Any, Boolean, List, Object, Text, TextUpTo};
use super::shape::{Property, decided, effective, inert, label, parts};
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, quote};
use crate::place::Place;
use crate::report::Status;
use crate::suggest::{did_you_mean, listed, nearest};
use crate::template::Resource;

/// What a multi-tenant distribution wants to know of its tenants.
#[derive(Clone)]
pub(super) struct Tenancy {
    parameters: Vec<Parameter>,
    place: Place,
    path: String,
}

#[derive(Clone)]
struct Parameter {
    name: String,
    default: Option<String>,
}

const MAX_PARAMETERS: usize = 5;

impl Compiler<'_> {
    /// What `ConnectionMode` and `TenantConfig` make of a distribution; `None`: it serves viewers itself.
    pub(super) fn tenancy(
        &self,
        config: &Node,
        origins: &[Origin],
        places: &[(Place, String)],
        path: &str,
    ) -> Option<Tenancy> {
        let mode = config.entry("ConnectionMode");
        let mode = mode.filter(|mode| mode.value.as_text() == Some("tenant-only"));
        let Some(mode) = mode else {
            if let Some(entry) = config.entry("TenantConfig") {
                let reason = "only a distribution with ConnectionMode: tenant-only has tenants";
                let path = format!("{path}.TenantConfig");
                self.ledger.note(&entry.place, &path, Status::Inert(reason.to_owned()));
            }
            for (origin, (place, path)) in origins.iter().zip(places) {
                if origin.domain_name.contains("{{") || origin.path.contains("{{") {
                    let message = "{{…}} is filled in for tenants; this distribution has none \
                         (ConnectionMode: tenant-only)";
                    self.error(place, path, message);
                }
            }
            return None;
        };
        self.no_template_settings(config, path);
        let definitions = config.get("TenantConfig").map(|it| it.items_at("ParameterDefinitions"));
        let definitions = definitions.unwrap_or_default();
        let at = format!("{path}.TenantConfig.ParameterDefinitions");
        if let Some(extra) = definitions.get(MAX_PARAMETERS) {
            let message = format!("at most {MAX_PARAMETERS} parameters are allowed");
            self.error(&extra.place, at, message);
        }
        let parameters: Vec<Parameter> = definitions.iter().filter_map(parameter).collect();
        let tenancy = Tenancy {
            parameters,
            place: mode.place.clone(),
            path: format!("{path}.ConnectionMode"),
        };
        for (origin, (place, path)) in origins.iter().zip(places) {
            for text in [&origin.domain_name, &origin.path] {
                let known = |name: &str| tenancy.parameter(name).map(|_| "x");
                if let Err(name) = filled_in(text, known) {
                    let names = || tenancy.parameters.iter().map(|known| known.name.as_str());
                    let message = format!(
                        "ParameterDefinitions has no {}.{} (there is: {})",
                        quote(&name),
                        did_you_mean(&name, names()),
                        listed(names())
                    );
                    self.error(place, path, message);
                }
            }
        }
        Some(tenancy)
    }

    /// Settings that a multi-tenant distribution cannot have (CloudFront guide: unsupported features).
    fn no_template_settings(&self, config: &Node, path: &str) {
        let refuse = |entry: &Entry, path: String| {
            let message = format!("a multi-tenant distribution cannot have {}", entry.key);
            self.error(&entry.place, path, message);
        };
        for name in UNSUPPORTED {
            if let Some(entry) = config.set(name) {
                refuse(entry, format!("{path}.{name}"));
            }
        }
        // The guide lists it, too, and yet AWS takes it: CDK deploys two in its integration tests.
        if let Some(entry) = config.set("Logging") {
            let message = "the CloudFront guide says that a multi-tenant distribution has no standard \
                           logs (legacy); here it has";
            let path = format!("{path}.Logging");
            self.problems.add(Diagnostic::warning(entry.place.clone(), path, message));
        }
        let is = |node: Option<&Node>, text: &str| node.and_then(Node::as_text) == Some(text);
        if let Some(entry) = config.entry("Staging").filter(|it| it.value.as_bool() == Some(true)) {
            refuse(entry, format!("{path}.Staging"));
        }
        if let Some(entry) = config.set("WebACLId")
            && entry.value.as_text().is_some_and(|id| !id.starts_with("arn:"))
        {
            let message = "a multi-tenant distribution takes a WAFv2 web ACL, by its ARN";
            self.error(&entry.place, format!("{path}.WebACLId"), message);
        }
        let certificate = config.get("ViewerCertificate");
        for (name, value) in [
            ("IamCertificateId", None),
            ("SslSupportMethod", Some("vip")),
            ("MinimumProtocolVersion", Some("SSLv3")),
        ] {
            if let Some(entry) = certificate.and_then(|certificate| certificate.entry(name))
                && value.is_none_or(|value| is(Some(&entry.value), value))
            {
                refuse(entry, format!("{path}.ViewerCertificate.{name}"));
            }
        }
        for (index, origin) in config.items_at("Origins").iter().enumerate() {
            let s3 = origin.get("S3OriginConfig");
            if let Some(entry) = s3.and_then(|config| config.set("OriginAccessIdentity")) {
                refuse(
                    entry,
                    format!("{path}.Origins[{index}].S3OriginConfig.OriginAccessIdentity"),
                );
            }
        }
        let others = config.items_at("CacheBehaviors").iter().enumerate();
        let others = others.map(|(index, node)| (node, format!("{path}.CacheBehaviors[{index}]")));
        let default = config.get("DefaultCacheBehavior");
        let default = default.map(|node| (node, format!("{path}.DefaultCacheBehavior")));
        for (behavior, path) in others.chain(default) {
            for name in ["ForwardedValues", "MinTTL", "DefaultTTL", "MaxTTL", "TrustedSigners"] {
                if let Some(entry) = behavior.set(name) {
                    refuse(entry, format!("{path}.{name}"));
                }
            }
            let smooth = behavior.entry("SmoothStreaming");
            if let Some(entry) = smooth.filter(|entry| entry.value.as_bool() == Some(true)) {
                refuse(entry, format!("{path}.SmoothStreaming"));
            }
        }
    }

    /// Puts the tenants of each multi-tenant distribution in its place.
    pub(super) fn tenants(&self, drafts: &mut Vec<Draft>) {
        let is_template = |draft: &mut Draft| draft.tenancy.is_some();
        let templates: Vec<Draft> = drafts.extract_if(.., is_template).collect();
        let groups = self.connection_groups();
        let mut served = vec![false; templates.len()];
        for resource in self.created("AWS::CloudFront::DistributionTenant") {
            if let Some((index, draft)) = self.tenant(resource, &templates, &groups) {
                served[index] = true;
                drafts.extend(draft);
            }
        }
        for (template, _) in templates.iter().zip(served).filter(|(_, served)| !served) {
            let Some(tenancy) = &template.tenancy else { continue };
            let message =
                "no DistributionTenant of this source has this distribution, so it serves nobody";
            let problem = Diagnostic::warning(tenancy.place.clone(), &*tenancy.path, message);
            self.problems.add(problem);
        }
    }

    /// By id: whether tenants of the group are served.
    fn connection_groups(&self) -> HashMap<String, bool> {
        let mut groups = HashMap::new();
        for resource in self.created("AWS::CloudFront::ConnectionGroup") {
            let path = format!("{}.Properties", resource.path);
            let shape = CONNECTION_GROUP;
            let group = self.object(&resource.properties, &resource.place, shape, &path);
            if let Some(id) = self.evaluator.physical_id(resource) {
                groups.insert(id, group.bool_at("Enabled").unwrap_or(true));
            }
        }
        groups
    }

    /// The template's index, and the tenant unless it cannot be compiled.
    fn tenant(
        &self,
        resource: &Resource,
        templates: &[Draft],
        groups: &HashMap<String, bool>,
    ) -> Option<(usize, Option<Draft>)> {
        let path = format!("{}.Properties", resource.path);
        let shape = DISTRIBUTION_TENANT;
        let tenant = self.object(&resource.properties, &resource.place, shape, &path);
        let of = tenant.get("DistributionId")?;
        let known = || templates.iter().map(|draft| draft.distribution.id.as_str());
        let Some(index) = known().position(|id| of.as_text() == Some(id)) else {
            if let Some(text) = of.as_text() {
                let message = format!(
                    "no distribution with ConnectionMode: tenant-only has the id {}.{} (there is: {})",
                    quote(text),
                    did_you_mean(text, known()),
                    listed(known())
                );
                self.error(&of.place, format!("{path}.DistributionId"), message);
            }
            return None;
        };
        let group = tenant.set("ConnectionGroupId").map(|entry| &entry.value);
        let group_enabled = match group.and_then(Node::as_text) {
            None => true,
            Some(id) => groups.get(id).copied().unwrap_or_else(|| {
                let (place, known) = (group.map_or(&tenant.place, |it| &it.place), groups.keys());
                let known = || known.clone().map(String::as_str);
                let (meant, there) = (did_you_mean(id, known()), listed(known()));
                let message = format!(
                    "no ConnectionGroup has the id {}.{meant} (there is: {there})",
                    quote(id)
                );
                self.error(place, format!("{path}.ConnectionGroupId"), message);
                true
            }),
        };
        let template = &templates[index];
        let id = resource.id.as_str();
        let names = self.evaluator.names;
        let (aliases, alias_places) = self.host_names(&tenant, "Domains", &path);
        if let Some(entry) = tenant.entry("Domains") {
            self.ledger.note(&entry.place, &format!("{path}.Domains"), Status::Effective);
            if aliases.is_empty() && !entry.value.is_unknown() {
                self.error(&entry.place, format!("{path}.Domains"), "a tenant needs a domain");
            }
        }
        let mut draft = Draft { tenancy: None, alias_places, ..template.clone() };
        draft.distribution = Distribution {
            id: names.tenant_id(id),
            logical_id: id.to_owned(),
            domain_name: names.distribution_domain(id),
            aliases,
            enabled: template.distribution.enabled
                && group_enabled
                && tenant.bool_at("Enabled").unwrap_or(true),
            role: Role::Tenant { template: template.distribution.id.clone() },
            ..template.distribution.clone()
        };
        if let Some(restriction) = self.tenant_countries(&tenant, id, &path) {
            draft.distribution.geo_restriction = restriction;
        }
        let is_whole =
            self.fill_in(&mut draft, template.tenancy.as_ref()?, &tenant, resource, &path);
        Some((index, is_whole.then_some(draft)))
    }

    /// `Customizations.GeoRestrictions` replaces what the template says.
    fn tenant_countries(&self, tenant: &Node, id: &str, path: &str) -> Option<GeoRestriction> {
        let entry = tenant.get("Customizations")?.entry("GeoRestrictions")?;
        Some(self.geo_restriction(entry, id, &format!("{path}.Customizations.GeoRestrictions")))
    }

    /// Fills the tenant's parameters in; `false` when that cannot be done, which was reported.
    fn fill_in(
        &self,
        draft: &mut Draft,
        tenancy: &Tenancy,
        tenant: &Node,
        resource: &Resource,
        path: &str,
    ) -> bool {
        let mut given: HashMap<&str, &str> = HashMap::new();
        for (index, node) in tenant.items_at("Parameters").iter().enumerate() {
            let (Some(name), Some(value)) = (node.text_at("Name"), node.text_at("Value")) else {
                continue;
            };
            let path = format!("{path}.Parameters[{index}].Name");
            if tenancy.parameter(name).is_none() {
                let known = || tenancy.parameters.iter().map(|known| known.name.as_str());
                let message = format!("the distribution has no parameter {}", quote(name));
                let problem = match nearest(name, known()) {
                    Some(near) => Diagnostic::error(
                        node.place.clone(),
                        path,
                        format!("{message}. Did you mean {}?", quote(near)),
                    ),
                    // AWS takes such a value: CDK deploys one in an integration test.
                    None => Diagnostic::warning(
                        node.place.clone(),
                        path,
                        format!("{message}, so nothing reads it (there is: {})", listed(known())),
                    ),
                };
                self.problems.add(problem);
            } else if given.insert(name, value).is_some() {
                self.error(&node.place, path, format!("{} is here twice", quote(name)));
            }
        }
        let value = |name: &str| {
            let default = || tenancy.parameter(name).and_then(|known| known.default.as_deref());
            given.get(name).copied().or_else(default)
        };
        let mut is_whole = true;
        for (origin, (place, origin_path)) in
            draft.distribution.origins.iter_mut().zip(&draft.origin_places)
        {
            let origin = Arc::make_mut(origin);
            let filled = filled_in(&origin.domain_name, value)
                .and_then(|domain| Ok((domain, filled_in(&origin.path, value)?)));
            match filled {
                Ok((domain, origin_path_text)) => {
                    is_whole &= self.fits_origin(&domain, &origin_path_text, resource, path);
                    origin.domain_name = domain.to_ascii_lowercase();
                    origin.path = origin_path_text;
                    self.with_region(origin);
                }
                // An undefined name was reported at the template.
                Err(name) if tenancy.parameter(&name).is_some() => {
                    is_whole = false;
                    let message = format!(
                        "the tenant gives no value for {}, which has no default ({origin_path}, {place})",
                        quote(&name)
                    );
                    self.error(&resource.place, format!("{path}.Parameters"), message);
                }
                Err(_) => is_whole = false,
            }
        }
        is_whole
    }

    /// Whether what a tenant's parameters made is a host name and a path.
    fn fits_origin(
        &self,
        domain: &str,
        origin_path: &str,
        resource: &Resource,
        path: &str,
    ) -> bool {
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        let is_host = domain.split('.').all(is_label);
        let is_path = origin_path.is_empty()
            || (origin_path.starts_with('/')
                && !origin_path.ends_with('/')
                && origin_path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#')));
        for (fits, text, what) in [
            (is_host, domain, "a host name for an origin's DomainName"),
            (
                is_path,
                origin_path,
                "an OriginPath, which begins with a slash and does not end with one",
            ),
        ] {
            if !fits {
                let message =
                    format!("with this tenant's parameters {} is not {what}", quote(text));
                self.error(&resource.place, format!("{path}.Parameters"), message);
            }
        }
        is_host && is_path
    }
}

impl Tenancy {
    fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|known| known.name == name)
    }
}

fn parameter(definition: &Node) -> Option<Parameter> {
    let schema = definition.get("Definition").and_then(|it| it.get("StringSchema"));
    Some(Parameter {
        name: definition.text_at("Name")?.to_owned(),
        default: schema.and_then(|schema| schema.text_at("DefaultValue")).map(str::to_owned),
    })
}

pub(super) const TENANT_CONFIG: &[Property] =
    &[parts("ParameterDefinitions", List(&Object(PARAMETER_DEFINITION)))];

const PARAMETER_DEFINITION: &[Property] = &[
    parts(
        "Definition",
        Object(&[parts(
            "StringSchema",
            Object(&[
                label("Comment"),
                effective("DefaultValue", TextUpTo(256)),
                effective("Required", Boolean).required(),
            ]),
        )]),
    )
    .required(),
    effective("Name", TextUpTo(128)).required(),
];

pub(super) const DISTRIBUTION_TENANT: &[Property] = &[
    effective("ConnectionGroupId", Text),
    parts(
        "Customizations",
        Object(&[
            inert("Certificate", Any, DEVELOPMENT_CERTIFICATE),
            decided("GeoRestrictions", Object(GEO_RESTRICTION)),
            inert("WebAcl", Any, "no web application firewall runs here"),
        ]),
    ),
    effective("DistributionId", Text).required(),
    decided("Domains", List(&TextUpTo(253))).required(),
    effective("Enabled", Boolean),
    inert("ManagedCertificateRequest", Any, DEVELOPMENT_CERTIFICATE),
    label("Name"),
    effective("Parameters", List(&Object(TENANT_PARAMETER))),
    label("Tags"),
];

const TENANT_PARAMETER: &[Property] =
    &[effective("Name", TextUpTo(128)).required(), effective("Value", TextUpTo(256)).required()];

pub(super) const CONNECTION_GROUP: &[Property] = &[
    inert("AnycastIpListId", Any, "the addresses given to --http and --https decide"),
    effective("Enabled", Boolean),
    inert("Ipv6Enabled", Boolean, "the addresses given to --http and --https decide"),
    label("Name"),
    label("Tags"),
];

/// CloudFront guide: what multi-tenant distributions do not support.
const UNSUPPORTED: [&str; 5] =
    ["Aliases", "AnycastIpListId", "ContinuousDeploymentPolicyId", "IPV6Enabled", "PriceClass"];

/// `text` with every `{{name}}` replaced by what `value` says for the name; the name without a value, or
/// the rest of the text behind braces that are never closed, is the error.
pub(super) fn filled_in<'v>(
    text: &str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("{{") {
        filled.push_str(before);
        let (name, after) = inside.split_once("}}").ok_or_else(|| inside.to_owned())?;
        filled.push_str(value(name.trim()).ok_or_else(|| name.trim().to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
