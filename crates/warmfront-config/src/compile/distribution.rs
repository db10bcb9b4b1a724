//! `AWS::CloudFront::Distribution`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Uri};
use warmfront_core::Distribution;
use warmfront_core::distribution::{ErrorPage, ErrorResponse, HttpVersion, Role};

use super::Compiler;
use super::access_control::Written;
use super::origin::NOT_SUBSTITUTED;
use super::origin_group::Targeted;
use super::schema;
use super::tenant::Tenancy;
use crate::diagnostic::Diagnostic;
use crate::document::{Entry, Node, quote};
use crate::place::Place;
use crate::report::Status;
use crate::template::Resource;
use crate::written;

/// A distribution whose origins do not know yet where to connect.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) distribution: Distribution,
    /// The place and path of each origin's `DomainName`.
    pub(super) origin_places: Vec<(Place, String)>,
    /// Where each origin's access control was written.
    pub(super) access_controls: Vec<Option<Written>>,
    /// Where `ContinuousDeploymentPolicyId` was written.
    pub(super) deployment: Option<Written>,
    /// Where `Staging: true` was written.
    pub(super) staging: Option<(Place, String)>,
    /// What a multi-tenant distribution wants to know of its tenants.
    pub(super) tenancy: Option<Tenancy>,
    /// The place and path of each alias.
    pub(super) alias_places: Vec<(Place, String)>,
}

/// The origins of a distribution, in their order.
struct ReadOrigins {
    origins: Vec<warmfront_core::Origin>,
    /// The place and path of each `DomainName`.
    places: Vec<(Place, String)>,
    /// Where the access control of each was written.
    access_controls: Vec<Option<Written>>,
}

/// Limits of CloudFront (cloudfront.md §7).
const MAX_ALIASES: usize = 100;
const MAX_ORIGINS: usize = 100;
const MAX_BEHAVIORS: usize = 75;

/// CloudFront guide: errors stay in the cache for 10 seconds. CloudFormation's schema still says 300.
const ERROR_CACHING_MIN_TTL: Duration = Duration::from_secs(10);

impl Compiler<'_> {
    pub(super) fn distribution(&self, resource: &Resource) -> Option<Draft> {
        let path = format!("{}.Properties", resource.path);
        let properties =
            self.object(&resource.properties, &resource.place, schema::DISTRIBUTION, &path);
        let config = properties.get("DistributionConfig")?;
        config.as_map()?;
        let path = format!("{path}.DistributionConfig");
        let id = resource.id.as_str();
        self.whole_distribution_properties(config, id, &path);

        let ReadOrigins { origins, places: origin_places, access_controls } =
            self.origins(config, &path);
        let groups = self.origin_groups(config, &origins, &path);
        let behaviors = self.behaviors(config, id, &origins, &groups, &path);
        let http_version = self.http_version(config, &path);
        self.grpc_has_http2(config, http_version, &path);
        let tenancy = self.tenancy(config, &origins, &origin_places, &path);
        let is_staging = config.bool_at("Staging") == Some(true);
        let (aliases, alias_places) = self.host_names(config, "Aliases", &path);
        let geo_path = format!("{path}.Restrictions.GeoRestriction");
        let restrictions = config.get("Restrictions");
        let geo_restriction = restrictions
            .and_then(|node| node.entry("GeoRestriction"))
            .map(|entry| self.geo_restriction(entry, id, &geo_path));
        let names = self.evaluator.names;
        let distribution = Distribution {
            id: self.places(config, self.evaluator.physical_id(resource).unwrap_or_default()),
            logical_id: names.unique(id),
            domain_name: self.evaluator.distribution_domain(resource),
            aliases,
            enabled: config.bool_at("Enabled").unwrap_or(true),
            default_root_object: self.default_root_object(config, &path),
            origins: origins.into_iter().map(Arc::new).collect(),
            behaviors: behaviors.into_iter().map(Arc::new).collect(),
            error_responses: self.error_responses(config, &path),
            http_version,
            logging: self.logging(config, &path),
            geo_restriction: geo_restriction.unwrap_or_default(),
            cache_epoch: 0,
            role: if is_staging { Role::Staging } else { Role::Standard },
            continuous_deployment: None,
            cache_tag_header: self.cache_tag_header(config, &path),
        };
        let staging = config.entry("Staging").filter(|_| is_staging);
        Some(Draft {
            distribution,
            origin_places,
            access_controls,
            alias_places,
            deployment: config.set("ContinuousDeploymentPolicyId").map(|entry| Written {
                entry: entry.clone(),
                path: format!("{path}.ContinuousDeploymentPolicyId"),
            }),
            staging: staging.map(|entry| (entry.place.clone(), format!("{path}.Staging"))),
            tenancy,
        })
    }

    /// Remembers where the parts of the distribution `id` were written.
    fn places(&self, config: &Node, id: String) -> String {
        self.ledger.written(&id, config);
        let behaviors = config.items_at("CacheBehaviors").iter();
        for (index, node) in behaviors.chain(config.get("DefaultCacheBehavior")).enumerate() {
            self.ledger.written(&written::behavior(&id, index), node);
        }
        for (index, node) in config.items_at("Origins").iter().enumerate() {
            self.ledger.written(&written::origin(&id, index), node);
        }
        id
    }

    /// One host name belongs to one distribution (CloudFront: `CNAMEAlreadyExists`).
    pub(super) fn check_aliases(&self, drafts: &[Draft], seen: &mut HashSet<String>) {
        for draft in drafts {
            for (alias, (place, path)) in draft.distribution.aliases.iter().zip(&draft.alias_places)
            {
                if !seen.insert(alias.clone()) {
                    self.error(place, path, format!("the alias {} is used twice", quote(alias)));
                }
            }
        }
    }

    /// Properties that are about the distribution as a whole and have no room of their own.
    fn whole_distribution_properties(&self, config: &Node, id: &str, path: &str) {
        let note = |entry: &Entry, name: &str, status: Status| {
            self.ledger.note(&entry.place, &format!("{path}.{name}"), status);
        };
        if let Some(entry) = config.entry("WebACLId") {
            let status = match config.set("WebACLId") {
                Some(_) => Status::Inert("no web application firewall runs here".to_owned()),
                None => Status::Effective,
            };
            note(entry, "WebACLId", status);
        }
        if let Some(entry) = config.entry("Staging") {
            // Whether anybody reaches it is known when its primary is.
            note(entry, "Staging", Status::Effective);
            if let (Some(true), Some(aliases)) = (entry.value.as_bool(), config.set("Aliases")) {
                let message =
                    "a distribution in staging has no aliases; viewers come to it by its primary";
                self.error(&aliases.place, format!("{path}.Aliases"), message);
            }
        }
        if let Some(entry) = config.entry("ConnectionMode") {
            note(entry, "ConnectionMode", Status::Effective);
        }
        if let Some(entry) = config.entry("ViewerMtlsConfig") {
            let what = "client certificates are not asked for yet, so every viewer would be let in";
            let name = format!("{id}.ViewerMtlsConfig");
            self.protects(entry, &format!("{path}.ViewerMtlsConfig"), &name, what);
        }
        if let Some(entry) = config.entry("ConnectionFunctionAssociation") {
            let what = "connection functions do not run yet, so every viewer would be let in";
            let name = format!("{id}.ConnectionFunctionAssociation");
            self.protects(entry, &format!("{path}.ConnectionFunctionAssociation"), &name, what);
        }
    }

    fn origins(&self, config: &Node, path: &str) -> ReadOrigins {
        let items = config.items_at("Origins");
        if let Some(entry) = config.entry("Origins").filter(|entry| !entry.value.is_unknown()) {
            if items.is_empty() {
                self.error(
                    &entry.value.place,
                    format!("{path}.Origins"),
                    "a distribution needs an origin",
                );
            }
            if items.len() > MAX_ORIGINS {
                let message =
                    format!("at most {MAX_ORIGINS} origins are allowed, found {}", items.len());
                self.error(&entry.value.place, format!("{path}.Origins"), message);
            }
        }
        let mut origins = Vec::with_capacity(items.len());
        let mut places = Vec::with_capacity(items.len());
        let mut access_controls = Vec::with_capacity(items.len());
        let mut seen: HashSet<String> = HashSet::new();
        for (index, node) in items.iter().take(MAX_ORIGINS).enumerate() {
            let path = format!("{path}.Origins[{index}]");
            if let Some(id) = node.get("Id")
                && let Some(text) = id.as_text()
                && !seen.insert(text.to_owned())
            {
                self.error(
                    &id.place,
                    format!("{path}.Id"),
                    format!("two origins have the id {}", quote(text)),
                );
            }
            let (mut origin, access_control) = self.origin(node, &path);
            self.with_region(&mut origin);
            let named = (!origin.id.is_empty() && !origin.domain_name.is_empty()).then_some(());
            self.or_said_why(named, &node.place, &path);
            origins.push(origin);
            access_controls.push(access_control);
            let place = node.get("DomainName").map_or(&node.place, |domain| &domain.place);
            places.push((place.clone(), format!("{path}.DomainName")));
        }
        ReadOrigins { origins, places, access_controls }
    }

    /// The host names in the list called `list`, lower-case, with the place of each.
    pub(super) fn host_names(
        &self,
        config: &Node,
        list: &str,
        path: &str,
    ) -> (Vec<String>, Vec<(Place, String)>) {
        let items = config.items_at(list);
        let mut aliases = Vec::with_capacity(items.len());
        let mut places = Vec::with_capacity(items.len());
        for (index, item) in items.iter().take(MAX_ALIASES + 1).enumerate() {
            let path = format!("{path}.{list}[{index}]");
            if index == MAX_ALIASES {
                self.error(&item.place, &path, format!("at most {MAX_ALIASES} names are allowed"));
            }
            let Some(text) = item.as_text() else { continue };
            let name = text.to_ascii_lowercase();
            let plain = name.strip_prefix("*.").unwrap_or(&name);
            let is_host = !plain.is_empty()
                && !plain.starts_with('.')
                && !plain.ends_with('.')
                && plain
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
            if is_host {
                aliases.push(name);
                places.push((item.place.clone(), path));
            } else {
                let message = format!(
                    "{} is not a host name such as www.example.com or *.example.com",
                    quote(text)
                );
                let help = text.contains("${").then(|| NOT_SUBSTITUTED.to_owned());
                let problem = Diagnostic::error(item.place.clone(), &*path, message);
                self.problems.add(problem.maybe_help(help));
            }
        }
        (aliases, places)
    }

    /// Lower-case, as CloudFormation keeps it.
    fn cache_tag_header(&self, config: &Node, path: &str) -> Option<HeaderName> {
        let entry = config.get("CacheTagConfig")?.entry("HeaderName")?;
        let path = format!("{path}.CacheTagConfig.HeaderName");
        let text = entry.value.as_text()?;
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        if name.is_none() {
            self.error(&entry.value.place, path, format!("{} is not a header name", quote(text)));
        }
        name
    }

    fn default_root_object(&self, config: &Node, path: &str) -> Option<String> {
        let entry = config.set("DefaultRootObject")?;
        let object = entry.value.as_text()?;
        if object.starts_with('/') {
            let problem = Diagnostic::error(
                entry.value.place.clone(),
                format!("{path}.DefaultRootObject"),
                format!("{} begins with a slash", quote(object)),
            )
            .help("CloudFront would look for an object with two slashes; write index.html");
            self.problems.add(problem);
        }
        Some(object.to_owned())
    }

    fn error_responses(&self, config: &Node, path: &str) -> Vec<ErrorResponse> {
        let mut responses: Vec<ErrorResponse> = Vec::new();
        for (index, node) in config.items_at("CustomErrorResponses").iter().enumerate() {
            let path = format!("{path}.CustomErrorResponses[{index}]");
            match (node.entry("ResponseCode"), node.entry("ResponsePagePath")) {
                (Some(entry), None) | (None, Some(entry)) => {
                    let message =
                        "ResponseCode and ResponsePagePath belong together; write both or neither";
                    self.error(&entry.place, format!("{path}.{}", entry.key), message);
                }
                (_, Some(page))
                    if page.value.as_text().is_some_and(|text| !text.starts_with('/')) =>
                {
                    let message = format!("{} must begin with a slash", page.value.describe());
                    self.error(&page.value.place, format!("{path}.ResponsePagePath"), message);
                }
                _ => {}
            }
            let Some(status) = node.number_at::<u16>("ErrorCode") else { continue };
            if responses.iter().any(|known| known.status == status) {
                let place = node.get("ErrorCode").map_or(&node.place, |code| &code.place);
                self.error(
                    place,
                    format!("{path}.ErrorCode"),
                    format!("{status} is here for the second time"),
                );
                continue;
            }
            let caching_min_ttl =
                node.seconds_at("ErrorCachingMinTTL").unwrap_or(ERROR_CACHING_MIN_TTL);
            let page = self.error_page(node, &path);
            responses.push(ErrorResponse { status, caching_min_ttl, page });
        }
        responses
    }

    fn error_page(&self, node: &Node, path: &str) -> Option<ErrorPage> {
        let status = node.number_at("ResponseCode")?;
        let page = node.get("ResponsePagePath")?;
        let text = page.as_text()?;
        // What begins wrongly has been said.
        if text.starts_with('/') && Uri::try_from(text).is_err() {
            let message = format!("{} is no path; encode what a URL cannot have", quote(text));
            self.error(&page.place, format!("{path}.ResponsePagePath"), message);
        }
        Some(ErrorPage { path: text.to_owned(), status })
    }

    fn behaviors(
        &self,
        config: &Node,
        id: &str,
        origins: &[warmfront_core::Origin],
        groups: &[Targeted],
        path: &str,
    ) -> Vec<warmfront_core::Behavior> {
        let items = config.items_at("CacheBehaviors");
        if items.len() >= MAX_BEHAVIORS {
            let place = &items[MAX_BEHAVIORS - 1].place;
            let message =
                format!("at most {MAX_BEHAVIORS} behaviors are allowed, the default one included");
            self.error(place, format!("{path}.CacheBehaviors"), message);
        }
        let mut behaviors = Vec::with_capacity(items.len() + 1);
        let mut seen: HashSet<&str> = HashSet::new();
        for (index, node) in items.iter().take(MAX_BEHAVIORS).enumerate() {
            let path = format!("{path}.CacheBehaviors[{index}]");
            if let Some(pattern) = node.get("PathPattern")
                && let Some(text) = pattern.as_text()
                && !seen.insert(text.strip_prefix('/').unwrap_or(text))
            {
                let message = format!(
                    "an earlier behavior has the pattern {} too, so this one is never used",
                    quote(text)
                );
                self.problems.add(Diagnostic::warning(
                    pattern.place.clone(),
                    format!("{path}.PathPattern"),
                    message,
                ));
            }
            let behavior = self.behavior(node, id, false, origins, groups, &path);
            behaviors.extend(self.or_said_why(behavior, &node.place, &path));
        }
        if let Some(default) = config.get("DefaultCacheBehavior") {
            let path = format!("{path}.DefaultCacheBehavior");
            let behavior = self.behavior(default, id, true, origins, groups, &path);
            behaviors.extend(self.or_said_why(behavior, &default.place, &path));
        }
        behaviors
    }

    /// Whatever cannot be compiled has been reported. Should a way around that exist, it ends here:
    /// a distribution that silently lacks a behavior would send requests to the wrong place.
    fn or_said_why<T>(&self, compiled: Option<T>, place: &Place, path: &str) -> Option<T> {
        if compiled.is_none() && !self.problems.has_errors() {
            self.error(place, path, "this cannot be compiled; please report the template as a bug");
        }
        compiled
    }

    fn http_version(&self, config: &Node, path: &str) -> HttpVersion {
        let Some(entry) = config.entry("HttpVersion") else {
            // CloudFormation's schema says http1.1, the API and the console http2; new distributions
            // speak HTTP/2.
            return HttpVersion::default();
        };
        let no_http3 =
            || Status::Inert("HTTP/3 is not served yet; viewers get what lies below".to_owned());
        let (version, status) = match entry.value.as_text() {
            Some("http2") => (HttpVersion::Http2, Status::Effective),
            Some("http3") => (HttpVersion::Http3, no_http3()),
            Some("http2and3") => (HttpVersion::Http2And3, no_http3()),
            _ => (HttpVersion::Http11, Status::Effective),
        };
        self.ledger.note(&entry.place, &format!("{path}.HttpVersion"), status);
        version
    }
}
