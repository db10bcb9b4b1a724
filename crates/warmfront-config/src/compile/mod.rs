//! From the template to the [`Stack`]: policy ids resolved, patterns compiled, nothing left to look up.
//!
//! Pure but for one question: whether a directory that an option or a function names exists. All
//! problems are reported; the caller throws the stack away when there were errors.

mod access_control;
mod api;
mod behavior;
mod cache_policy;
mod deployment;
mod distribution;
mod forwarded_values;
mod function;
mod geo;
mod grpc;
pub(crate) mod listing;
mod logging;
mod origin;
mod origin_group;
mod origin_request_policy;
mod protection;
mod reading;
mod response_headers_policy;
mod schema;
mod shape;
mod target;
mod tenant;
mod trusted_keys;
mod uploads;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use warmfront_core::Stack;
use warmfront_core::api::Api;
use warmfront_core::behavior::RealTimeLog;
use warmfront_core::policy::{CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy};

use self::trusted_keys::KeyGroups;
use crate::Options;
use crate::diagnostic::{Diagnostic, Problems};
use crate::document::quote;
use crate::intrinsics::{Evaluator, Exports, report_cycles, report_dangling_names};
use crate::place::Place;
use crate::report::{Ledger, Status};
use crate::suggest::{did_you_mean, listed};
use crate::template::Resource;
use crate::unit::Unit;
use access_control::Control;
use distribution::Draft;
use function::Functions;

/// Compiles the distributions of all units, and everything that they need, into one stack.
pub(crate) fn compile(units: &[Unit], options: &Options, ledger: &Ledger) -> Stack {
    let exports = match units {
        [_] => Exports::default(),
        several => Exports::gather(several, options),
    };
    let evaluators: Vec<Evaluator<'_>> = units
        .iter()
        .map(|unit| Evaluator::new(&unit.template, options, &unit.names, &unit.problems, &exports))
        .collect();
    evaluators.iter().for_each(report_cycles);
    let stacks: Vec<_> = evaluators.iter().zip(units).collect();
    let functions = Functions::default();
    let compilers = (0..units.len()).map(|own| Compiler::new(own, &stacks, &functions, ledger));
    let mut compilers: Vec<Compiler<'_>> = compilers.map(Compiler::with_policies).collect();
    // A stack may use what another one has: ids differ between stacks.
    share(&mut compilers, |compiler| &mut compiler.cache_policies);
    share(&mut compilers, |compiler| &mut compiler.origin_request_policies);
    share(&mut compilers, |compiler| &mut compiler.response_headers_policies);
    share(&mut compilers, |compiler| &mut compiler.access_controls);
    share(&mut compilers, |compiler| &mut compiler.real_time_logs);
    share(&mut compilers, |compiler| &mut compiler.key_groups.groups);

    let mut drafts: Vec<Vec<Draft>> =
        compilers.iter().map(|compiler| compiler.distributions()).collect();
    let mut aliases = HashSet::new();
    for (compiler, drafts) in compilers.iter().zip(&mut drafts) {
        compiler.check_aliases(drafts, &mut aliases);
        compiler.connect(drafts, &compilers);
        compiler.grpc_origins(drafts);
        compiler.report_signing(drafts);
        compiler.deploy(drafts);
        compiler.check_option_names();
    }
    let served = units.iter().zip(&evaluators).filter(|(unit, _)| unit.is_served);
    served.for_each(|(_, evaluator)| report_dangling_names(evaluator));
    report_nothing_to_serve(units, &compilers);
    let mut stack = merged(compilers, drafts);
    stack.functions = functions.in_order();
    stack
}

/// Gives every compiler the entries of all.
fn share<'t, V: Clone>(
    compilers: &mut [Compiler<'t>],
    table: impl for<'c> Fn(&'c mut Compiler<'t>) -> &'c mut HashMap<String, V>,
) {
    if compilers.len() < 2 {
        return;
    }
    let mut all = HashMap::new();
    for compiler in compilers.iter_mut() {
        all.extend(std::mem::take(table(compiler)));
    }
    for compiler in compilers {
        table(compiler).clone_from(&all);
    }
}

/// Where a type is misspelt, or no resource could be read, that has been said.
fn report_nothing_to_serve(units: &[Unit], compilers: &[Compiler<'_>]) {
    let has_distribution = |compiler: &Compiler<'_>| {
        compiler.is_served && !compiler.created("AWS::CloudFront::Distribution").is_empty()
    };
    if compilers.iter().any(has_distribution) || units.iter().any(|it| it.problems.has_errors()) {
        return;
    }
    let Some(first) = units.iter().find(|unit| unit.is_served) else { return };
    let problem = Diagnostic::error(
        first.start.clone(),
        "Resources",
        "there is no AWS::CloudFront::Distribution here, so there is nothing to serve",
    );
    let files: Vec<&str> =
        units.iter().filter(|it| it.is_served).map(|it| &*it.start.file).collect();
    let help = (files.len() > 1).then(|| format!("looked in {}", listed(files)));
    first.problems.add(problem.maybe_help(help));
}

/// One stack of all; it has the names of the first that serves something.
fn merged(compilers: Vec<Compiler<'_>>, drafts: Vec<Vec<Draft>>) -> Stack {
    let first = drafts.iter().position(|drafts| !drafts.is_empty()).unwrap_or(0);
    let names = compilers.get(first).map(|compiler| compiler.evaluator.names);
    let mut stack = Stack {
        name: names.map(|names| names.stack.clone()).unwrap_or_default(),
        region: names.map(|names| names.region.clone()).unwrap_or_default(),
        account: names.map(|names| names.account.clone()).unwrap_or_default(),
        ..Stack::default()
    };
    for (compiler, drafts) in compilers.into_iter().zip(drafts) {
        stack.distributions.extend(drafts.into_iter().map(|draft| Arc::new(draft.distribution)));
        stack.apis.extend(compiler.apis.into_inner());
    }
    stack
}

struct Compiler<'t> {
    /// All stacks of the source, and which of them this one is.
    stacks: &'t [(&'t Evaluator<'t>, &'t Unit)],
    own: usize,
    evaluator: &'t Evaluator<'t>,
    options: &'t Options,
    problems: &'t Problems,
    ledger: &'t Ledger,
    /// Where the source lies: paths in it start there.
    directory: &'t Path,
    /// What a deployment would upload, by its key.
    assets: &'t HashMap<String, PathBuf>,
    /// Whether its distributions are served.
    is_served: bool,
    /// By id.
    cache_policies: HashMap<String, CachePolicy>,
    origin_request_policies: HashMap<String, OriginRequestPolicy>,
    response_headers_policies: HashMap<String, Arc<ResponseHeadersPolicy>>,
    /// `None` for one that does not compile.
    access_controls: HashMap<String, Option<Control>>,
    /// By ARN.
    real_time_logs: HashMap<String, Arc<RealTimeLog>>,
    key_groups: KeyGroups,
    functions: &'t Functions,
    apis: RefCell<Vec<Arc<Api>>>,
    /// The names that `--allow-unprotected` could have.
    protections: RefCell<Vec<String>>,
}

impl<'t> Compiler<'t> {
    fn new(
        own: usize,
        stacks: &'t [(&'t Evaluator<'t>, &'t Unit)],
        functions: &'t Functions,
        ledger: &'t Ledger,
    ) -> Self {
        let (evaluator, unit) = stacks[own];
        Self {
            stacks,
            own,
            evaluator,
            options: evaluator.options,
            problems: evaluator.problems,
            ledger,
            directory: &unit.directory,
            assets: &unit.assets,
            is_served: unit.is_served,
            cache_policies: HashMap::new(),
            origin_request_policies: HashMap::new(),
            response_headers_policies: HashMap::new(),
            access_controls: HashMap::new(),
            real_time_logs: HashMap::new(),
            key_groups: KeyGroups::default(),
            functions,
            apis: RefCell::default(),
            protections: RefCell::default(),
        }
    }

    fn with_policies(mut self) -> Self {
        for resource in self.created("AWS::CloudFront::CachePolicy") {
            if let (Some(id), Some(policy)) =
                (self.evaluator.physical_id(resource), self.cache_policy(resource))
            {
                self.cache_policies.insert(id, policy);
            }
        }
        for resource in self.created("AWS::CloudFront::OriginRequestPolicy") {
            if let (Some(id), Some(policy)) =
                (self.evaluator.physical_id(resource), self.origin_request_policy(resource))
            {
                self.origin_request_policies.insert(id, policy);
            }
        }
        for resource in self.created("AWS::CloudFront::OriginAccessControl") {
            if let Some(id) = self.evaluator.physical_id(resource) {
                let control = self.read_access_control(resource);
                self.access_controls.insert(id, control);
            }
        }
        for resource in self.created(logging::KIND) {
            if let (Some(arn), Some(log)) =
                (self.evaluator.physical_id(resource), self.real_time_log_config(resource))
            {
                self.real_time_logs.insert(arn, Arc::new(log));
            }
        }
        for resource in self.created("AWS::CloudFront::ResponseHeadersPolicy") {
            if let (Some(id), Some(policy)) =
                (self.evaluator.physical_id(resource), self.response_headers_policy(resource))
            {
                self.response_headers_policies.insert(id, Arc::new(policy));
            }
        }
        self.key_groups = self.compile_key_groups();
        self
    }

    /// The distributions that are served, not connected yet.
    fn distributions(&self) -> Vec<Draft> {
        if !self.is_served {
            return Vec::new();
        }
        let resources = self.created("AWS::CloudFront::Distribution");
        let mut drafts =
            resources.iter().filter_map(|resource| self.distribution(resource)).collect();
        self.tenants(&mut drafts);
        self.parameter_constraints();
        self.other_resources();
        self.note_custom_resources();
        drafts
    }

    /// Constraints of parameters that are not held against their values.
    fn parameter_constraints(&self) {
        for parameter in &self.evaluator.template.parameters {
            if let Some(entry) = parameter.value.entry("AllowedPattern") {
                let path = format!("Parameters.{}.AllowedPattern", parameter.key);
                let status = Status::Inert("values are not held against the pattern".to_owned());
                self.ledger.note(&entry.place, &path, status);
            }
        }
    }

    /// CloudFront's other resources: each is listed, with what its absence means.
    fn other_resources(&self) {
        for (place, path, status) in &self.evaluator.template.notes {
            self.ledger.note(place, path, status.clone());
        }
        for resource in &self.evaluator.template.resources {
            if resource.kind.starts_with("AWS::Serverless::") && !resource.is_generated {
                let status = Status::Inert("this does not run here".to_owned());
                self.ledger.note(&resource.place, &resource.path, status);
            }
            if resource.kind.starts_with("AWS::Logs::Delivery") {
                let reason = "deliveries are not read; --standard-log FORMAT=TARGET writes standard logs, version 2";
                self.ledger.note(&resource.place, &resource.path, Status::Inert(reason.to_owned()));
            }
            let Some(kind) = resource.kind.strip_prefix("AWS::CloudFront::") else { continue };
            let reason = match kind {
                "Distribution"
                | "CachePolicy"
                | "OriginRequestPolicy"
                | "OriginAccessControl"
                | "RealtimeLogConfig"
                | "ResponseHeadersPolicy"
                | "ContinuousDeploymentPolicy"
                | "DistributionTenant"
                | "ConnectionGroup"
                | "KeyGroup"
                | "PublicKey" => {
                    continue;
                }
                "Function" | "ConnectionFunction" => "edge functions do not run yet",
                "KeyValueStore" => "edge functions, which would read it, do not run yet",
                "CloudFrontOriginAccessIdentity" => {
                    "requests are signed with your own access key; there is no identity of its own"
                }
                "VpcOrigin" => "the origin is reached over http like any other",
                "MonitoringSubscription" => {
                    "nothing is sent to AWS; the program has metrics of its own"
                }
                _ => "nothing here acts on it yet",
            };
            if self.evaluator.is_created(resource) {
                let status = Status::Inert(reason.to_owned());
                self.ledger.note(&resource.place, &resource.path, status);
            }
        }
    }

    /// The resources of a type whose condition holds.
    fn created(&self, kind: &str) -> Vec<&'t Resource> {
        let resources = self.evaluator.template.resources.iter();
        resources
            .filter(|resource| resource.kind == kind && self.evaluator.is_created(resource))
            .collect()
    }

    /// Options that name something which is not there.
    fn check_option_names(&self) {
        let template = self.evaluator.template;
        for (name, _) in &self.options.parameters {
            let known = || template.parameters.iter().map(|entry| entry.key.as_str());
            if !name.starts_with("AWS::") && known().all(|known| known != name) {
                self.unknown_option("--parameter", name, "parameter", known());
            }
        }
        for (name, _) in &self.options.attributes {
            let logical_id = name.split('.').next().unwrap_or_default();
            let known = || template.resources.iter().map(|resource| resource.id.as_str());
            let is_special = matches!(logical_id, "ImportValue" | "resolve");
            if !is_special && known().all(|known| known != logical_id) {
                self.unknown_option("--attribute", logical_id, "resource", known());
            }
        }
        let functions = self.function_names();
        let known = || functions.iter().map(String::as_str);
        let environment = self.options.function_env.iter().map(|(name, _)| {
            ("--function-env", name.split_once('.').map_or(name.as_str(), |(name, _)| name))
        });
        let concurrency = self.options.function_concurrency.iter();
        let concurrency = concurrency.map(|(name, _)| ("--function-concurrency", name.as_str()));
        for (option, name) in environment.chain(concurrency) {
            if known().all(|known| known != name) {
                self.unknown_option(option, name, "function", known());
            }
        }
        let protections = self.protections.borrow();
        for name in &self.options.allow_unprotected {
            if !protections.contains(name) {
                let problem = Diagnostic::warning(
                    Place::command_line(),
                    format!("--allow-unprotected {name}"),
                    format!(
                        "nothing here needs this permission (needed: {})",
                        listed(protections.iter().map(String::as_str))
                    ),
                );
                self.problems.add(problem);
            }
        }
    }

    fn unknown_option<'n>(
        &self,
        option: &str,
        name: &str,
        what: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) {
        let message = format!(
            "there is no {what} {}.{} (there is: {})",
            quote(name),
            did_you_mean(name, known.clone()),
            listed(known)
        );
        let path = format!("{option} {name}");
        self.problems.add(Diagnostic::error(Place::command_line(), path, message));
    }
}
