//! `AWS::CloudFront::ContinuousDeploymentPolicy`, and how a primary distribution finds its staging one.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use warmfront_core::continuous_deployment::{ContinuousDeployment, Stickiness, Traffic};
use warmfront_core::distribution::{HttpVersion, Role};

use super::Compiler;
use super::distribution::Draft;
use super::shape::Kind::{Boolean, Choice, Integer, List, Object, Text, TextUpTo};
use super::shape::{Property, effective, parts};
use crate::document::{Node, quote};
use crate::place::Place;
use crate::report::Status;
use crate::suggest::{did_you_mean, listed};
use crate::template::Resource;

/// A policy of the source.
pub(super) struct Policy {
    enabled: bool,
    /// The staging distribution's name, and where it stands.
    staging: Node,
    path: String,
    traffic: Traffic,
}

/// CloudFront guide: at most 15 percent of the requests.
const MAX_WEIGHT: f64 = 0.15;
const PREFIX: &str = "aws-cf-cd-";

impl Compiler<'_> {
    pub(super) fn deployment_policy(&self, resource: &Resource, id: &str) -> Option<Policy> {
        let path = format!("{}.Properties", resource.path);
        let shape = CONTINUOUS_DEPLOYMENT_POLICY;
        let properties = self.object(&resource.properties, &resource.place, shape, &path);
        let config = properties.get("ContinuousDeploymentPolicyConfig")?;
        let path = format!("{path}.ContinuousDeploymentPolicyConfig");
        let names = config.items_at("StagingDistributionDnsNames");
        let names_path = format!("{path}.StagingDistributionDnsNames");
        let [staging] = names else {
            if config.get("StagingDistributionDnsNames").is_some_and(|names| !names.is_unknown()) {
                let message = format!(
                    "a policy names exactly one staging distribution, found {}",
                    names.len()
                );
                self.error(&config.place, names_path, message);
            }
            return None;
        };
        let traffic = self.traffic(config, id, &path)?;
        Some(Policy {
            enabled: config.bool_at("Enabled")?,
            staging: staging.clone(),
            path: format!("{names_path}[0]"),
            traffic,
        })
    }

    /// `TrafficConfig`, or the same settings directly in the policy.
    fn traffic(&self, config: &Node, id: &str, path: &str) -> Option<Traffic> {
        let (at, path) = match config.get("TrafficConfig") {
            Some(traffic) => (traffic, format!("{path}.TrafficConfig")),
            None => (config, path.to_owned()),
        };
        let header = ["SingleHeaderConfig", "SingleHeaderPolicyConfig"];
        let weight = ["SingleWeightConfig", "SingleWeightPolicyConfig"];
        let named = |names: [&str; 2]| names.iter().find_map(|name| at.entry(name));
        let is_header = match at.text_at("Type") {
            Some(kind) => kind == "SingleHeader",
            None => named(header).is_some(),
        };
        let Some(entry) = named(if is_header { header } else { weight }) else {
            if at.as_map().is_some() {
                let message =
                    "a policy needs a Type with its SingleHeaderConfig or SingleWeightConfig";
                self.error(&at.place, path, message);
            }
            return None;
        };
        let path = format!("{path}.{}", entry.key);
        match is_header {
            true => self.single_header(&entry.value, &path),
            false => self.single_weight(&entry.value, id, &path),
        }
    }

    fn single_header(&self, config: &Node, path: &str) -> Option<Traffic> {
        let (name, value) = (config.get("Header")?, config.get("Value")?);
        let (name_text, value_text) = (name.as_text()?, value.as_text()?);
        let lower = name_text.to_ascii_lowercase();
        let name = match HeaderName::from_bytes(lower.as_bytes()) {
            Ok(parsed) if lower.starts_with(PREFIX) => parsed,
            _ => {
                let message =
                    format!("{} is no header name that begins with {PREFIX}", quote(name_text));
                self.error(&name.place, format!("{path}.Header"), message);
                return None;
            }
        };
        match HeaderValue::from_str(value_text) {
            Ok(value) => Some(Traffic::Header { name, value }),
            Err(_) => {
                let message = "a header value is printable ASCII on one line";
                self.error(&value.place, format!("{path}.Value"), message);
                None
            }
        }
    }

    fn single_weight(&self, config: &Node, id: &str, path: &str) -> Option<Traffic> {
        let weight = config.get("Weight")?;
        let text = weight.as_text()?;
        let share = text.parse::<f64>().ok().filter(|share| (0.0..=MAX_WEIGHT).contains(share));
        if share.is_none() {
            let message = format!("must be between 0 and {MAX_WEIGHT}, found {}", quote(text));
            self.error(&weight.place, format!("{path}.Weight"), message);
        }
        let stickiness = config.get("SessionStickinessConfig").and_then(|stickiness| {
            let (idle, maximum) = (
                stickiness.number_at::<u64>("IdleTTL")?,
                stickiness.number_at::<u64>("MaximumTTL")?,
            );
            if idle > maximum {
                let message = format!("IdleTTL ({idle}) is greater than MaximumTTL ({maximum})");
                self.error(&stickiness.place, format!("{path}.SessionStickinessConfig"), message);
            }
            let settings = format!("{id}\n{idle}\n{maximum}");
            let generation = self.evaluator.names.lettered('G', &settings).to_ascii_lowercase();
            let (idle, maximum) = (Duration::from_secs(idle), Duration::from_secs(maximum));
            Some(Stickiness { idle, maximum, generation })
        });
        Some(Traffic::Weight { share: share?, stickiness })
    }

    /// Gives each primary its staging distribution.
    pub(super) fn deploy(&self, drafts: &mut [Draft]) {
        let mut policies = Vec::new();
        for resource in self.created("AWS::CloudFront::ContinuousDeploymentPolicy") {
            if let Some(id) = self.evaluator.physical_id(resource) {
                let policy = self.deployment_policy(resource, &id);
                policies.push((id, policy));
            }
        }
        let mut used: Vec<String> = Vec::new();
        let staging: Vec<(String, String)> = drafts
            .iter()
            .filter(|draft| draft.distribution.role == Role::Staging)
            .map(|draft| (draft.distribution.domain_name.clone(), draft.distribution.id.clone()))
            .collect();
        for draft in &mut *drafts {
            let Some(written) = &draft.deployment else { continue };
            let Some(text) = written.entry.value.as_text() else { continue };
            let Some((id, policy)) = policies.iter().find(|(id, _)| id == text) else {
                let known = || policies.iter().map(|(id, _)| id.as_str());
                let message = format!(
                    "no ContinuousDeploymentPolicy has the id {}.{} (there is: {})",
                    quote(text),
                    did_you_mean(text, known()),
                    listed(known())
                );
                self.error(&written.entry.value.place, &*written.path, message);
                continue;
            };
            let Some(policy) = policy else { continue };
            self.fits_deployment(draft, &written.entry.place, &written.path);
            let name = policy.staging.as_text().unwrap_or_default();
            let found = staging.iter().find(|(domain, _)| domain.eq_ignore_ascii_case(name));
            match found {
                Some((_, staging)) if policy.enabled => {
                    used.push(staging.clone());
                    draft.distribution.continuous_deployment =
                        Some(Arc::new(ContinuousDeployment {
                            policy: id.clone(),
                            staging: staging.clone(),
                            traffic: policy.traffic.clone(),
                        }));
                }
                Some((_, staging)) => used.push(staging.clone()),
                None => self.no_staging(&policy.staging, &policy.path, name, &staging),
            }
        }
        for draft in drafts.iter().filter(|draft| draft.distribution.role == Role::Staging) {
            if let Some((place, path)) = &draft.staging
                && !used.contains(&draft.distribution.id)
            {
                let reason = "no ContinuousDeploymentPolicy that a distribution uses names it, so nobody reaches it";
                self.ledger.note(place, path, Status::Inert(reason.to_owned()));
            }
        }
    }

    fn no_staging(&self, node: &Node, path: &str, name: &str, staging: &[(String, String)]) {
        // What could not be told was reported where it stands.
        if node.is_unknown() {
            return;
        }
        let known = || staging.iter().map(|(domain, _)| domain.as_str());
        let message = format!(
            "no distribution with Staging: true has the name {}.{} (there is: {})",
            quote(name),
            did_you_mean(name, known()),
            listed(known())
        );
        self.error(&node.place, path, message);
    }

    /// What cannot be together with continuous deployment (CloudFront guide: quotas and considerations).
    fn fits_deployment(&self, draft: &Draft, place: &Place, path: &str) {
        let distribution = &draft.distribution;
        let reason = if distribution.role != Role::Standard {
            "a distribution in staging has no staging distribution of its own"
        } else if matches!(distribution.http_version, HttpVersion::Http3 | HttpVersion::Http2And3) {
            "continuous deployment does not work with HTTP/3; HttpVersion can be http2"
        } else if distribution
            .origins
            .iter()
            .any(|origin| origin.response_completion_timeout.is_some())
        {
            "continuous deployment does not work with an origin's ResponseCompletionTimeout"
        } else {
            return;
        };
        self.error(place, path, reason);
    }
}

pub(super) const CONTINUOUS_DEPLOYMENT_POLICY: &[Property] =
    &[parts("ContinuousDeploymentPolicyConfig", Object(CONTINUOUS_DEPLOYMENT_POLICY_CONFIG))
        .required()];

const CONTINUOUS_DEPLOYMENT_POLICY_CONFIG: &[Property] = &[
    effective("Enabled", Boolean).required(),
    parts("SingleHeaderPolicyConfig", Object(SINGLE_HEADER)),
    parts("SingleWeightPolicyConfig", Object(SINGLE_WEIGHT)),
    effective("StagingDistributionDnsNames", List(&Text)).required(),
    parts(
        "TrafficConfig",
        Object(&[
            parts("SingleHeaderConfig", Object(SINGLE_HEADER)),
            parts("SingleWeightConfig", Object(SINGLE_WEIGHT)),
            TRAFFIC_TYPE.required(),
        ]),
    ),
    TRAFFIC_TYPE,
];

const TRAFFIC_TYPE: Property = effective("Type", Choice(&["SingleWeight", "SingleHeader"]));

const SINGLE_HEADER: &[Property] =
    &[effective("Header", TextUpTo(256)).required(), effective("Value", TextUpTo(1783)).required()];

const SINGLE_WEIGHT: &[Property] = &[
    parts(
        "SessionStickinessConfig",
        Object(&[
            effective("IdleTTL", Integer(300, 3600)).required(),
            effective("MaximumTTL", Integer(300, 3600)).required(),
        ]),
    ),
    effective("Weight", Text).required(),
];
