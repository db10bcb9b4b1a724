//! What is being served: a stack of distributions, compiled, with nothing left to look up.

use std::borrow::Cow;
use std::sync::Arc;

use ::http::HeaderName;

use crate::access::geo::GeoRestriction;
use crate::access::signed::TrustedKeys;
use crate::api::Api;
use crate::behavior::Behavior;
use crate::caching::CacheRules;
use crate::continuous_deployment::ContinuousDeployment;
use crate::function::Function;
use crate::http::host;
use crate::origin::Origin;
use crate::path_pattern::{as_origins_may_read, normalize_path};

/// Everything one source deploys. Immutable; a reload builds a new one.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// The CloudFormation stack name, the serverless service, or the file's stem.
    pub name: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account: String,
    /// The distributions, in the order of the source.
    pub distributions: Vec<Arc<Distribution>>,
    /// The Lambda functions of the source, which local APIs run.
    pub functions: Vec<Arc<Function>>,
    /// The APIs that origins lead to.
    pub apis: Vec<Arc<Api>>,
}

/// One CloudFront distribution, ready to answer.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// `E` and 13 characters.
    pub id: String,
    /// The name of the resource in the source.
    pub logical_id: String,
    /// `d` and 13 characters and `.cloudfront.net`.
    pub domain_name: String,
    /// Alternate domain names, lower-case, each exact or with a leading `*.`.
    pub aliases: Vec<String>,
    /// A disabled distribution keeps its names and refuses every request (403).
    pub enabled: bool,
    /// What `/` means, without a leading slash.
    pub default_root_object: Option<String>,
    /// Where objects come from. A behavior names one by its index.
    pub origins: Vec<Arc<Origin>>,
    /// In the order of precedence; the last is the default behavior and matches every path.
    pub behaviors: Vec<Arc<Behavior>>,
    /// At most one for each status.
    pub error_responses: Vec<ErrorResponse>,
    /// The highest protocol offered to viewers.
    pub http_version: HttpVersion,
    /// Which countries are served.
    pub geo_restriction: GeoRestriction,
    /// Standard logs; `None`: none are written.
    pub logging: Option<Logging>,
    /// Part of every cache key: what was stored under another number is not found any more.
    pub cache_epoch: u32,
    /// How viewers come to it.
    pub role: Role,
    /// `ContinuousDeploymentPolicyId`, when the policy is enabled: which requests a staging distribution
    /// answers in its place.
    pub continuous_deployment: Option<Arc<ContinuousDeployment>>,
    /// `CacheTagConfig.HeaderName`: where the origin's responses carry their cache tags.
    pub cache_tag_header: Option<HeaderName>,
}

/// How viewers come to a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Role {
    /// By its host names.
    #[default]
    Standard,
    /// By its primary alone, whatever host they ask for (CloudFront guide: continuous deployment).
    Staging,
    /// By the domains of a tenant: a multi-tenant distribution with the tenant's parameters filled in.
    /// [`Distribution::id`] is the tenant's id.
    Tenant {
        /// The id of the multi-tenant distribution.
        template: String,
    },
}

/// One entry of `CustomErrorResponses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The status it is about (`ErrorCode`).
    pub status: u16,
    /// How long such an error stays in the cache at least (`ErrorCachingMinTTL`, seconds; CloudFront guide: default 10).
    pub caching_min_ttl: std::time::Duration,
    /// What the viewer gets instead; `None`: the error as it is.
    pub page: Option<ErrorPage>,
}

/// `ResponsePagePath` and `ResponseCode`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// Where the page is, beginning with a slash; it is matched against the behaviors like any path.
    pub path: String,
    /// The status that the viewer gets with it.
    pub status: u16,
}

/// `Logging`: standard logs, version 1 (CloudFront guide: standard logging).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// `Bucket`, as written: `name.s3.amazonaws.com`.
    pub bucket: String,
    /// `Prefix` of the files' names.
    pub prefix: String,
    /// Whether cookies are logged.
    pub include_cookies: bool,
}

/// `HttpVersion`: the highest protocol that viewers are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/1.1 only.
    Http11,
    /// HTTP/2 and below.
    #[default]
    Http2,
    /// HTTP/3 and HTTP/1.1.
    Http3,
    /// HTTP/3 and below.
    Http2And3,
}

impl Stack {
    /// The distribution that `host` (with or without a port) belongs to.
    ///
    /// The only distribution of a source answers any host; one that is in staging does not count, since
    /// viewers come to it by its primary. Several are told apart by their aliases,
    /// their `d….cloudfront.net` name and `<logicalid>.localhost`; an exact name beats a wildcard,
    /// and of wildcards the longest wins (CloudFront guide: alternate domain names). Letter case,
    /// the port and a trailing dot do not count.
    pub fn distribution_for(&self, host: &str) -> Option<&Arc<Distribution>> {
        let mut reachable = self.reachable();
        if let (Some(only), None) = (reachable.next(), reachable.next()) {
            return Some(only);
        }
        let name = host::name(host);
        let exact = self.reachable().find(|distribution| distribution.is_called(name));
        exact.or_else(|| {
            let wildcards = self.reachable().filter_map(|distribution| {
                let aliases = distribution.aliases.iter();
                let longest = aliases.filter(|alias| is_under(alias, name)).map(String::len).max();
                longest.map(|length| (length, distribution))
            });
            wildcards.max_by_key(|(length, _)| *length).map(|(_, distribution)| distribution)
        })
    }

    /// The distribution with this id, in staging or not.
    pub fn distribution_with_id(&self, id: &str) -> Option<&Arc<Distribution>> {
        self.distributions.iter().find(|distribution| distribution.id == id)
    }

    /// The distributions that a host can lead to.
    pub fn reachable(&self) -> impl Iterator<Item = &Arc<Distribution>> {
        self.distributions.iter().filter(|distribution| distribution.role != Role::Staging)
    }
}

/// CloudFront guide: Error Caching Minimum TTL.
const DEFAULT_ERROR_CACHING_MIN_TTL: std::time::Duration = std::time::Duration::from_secs(10);

impl Distribution {
    /// How long an error of the origin stays in the cache at least (CloudFront guide: Error Caching
    /// Minimum TTL; 10 seconds where nothing else is configured). Zero where the cache rules know none.
    pub fn error_caching_min_ttl(&self, rules: CacheRules, status: u16) -> std::time::Duration {
        if !rules.has_error_caching_min_ttl {
            return std::time::Duration::ZERO;
        }
        let configured = self.error_responses.iter().find(|response| response.status == status);
        configured.map_or(DEFAULT_ERROR_CACHING_MIN_TTL, |response| response.caching_min_ttl)
    }

    /// The page that viewers get in place of an error of this status, if there is one (CloudFront guide:
    /// custom error responses). An object's own error is never replaced by that object.
    pub fn error_page(&self, status: u16, path: &str) -> Option<&ErrorPage> {
        // Nothing to look through for nearly every reply.
        if status < 400 {
            return None;
        }
        let configured = self.error_responses.iter().find(|response| response.status == status)?;
        configured.page.as_ref().filter(|page| page.path != path)
    }

    /// The path that the rest of the request's life sees: the default root object for exactly `/`,
    /// the path itself otherwise (CloudFront guide: default root object).
    ///
    /// Borrowed except for `/` with a default root object.
    pub fn effective_path<'a>(&'a self, path: &'a str) -> Cow<'a, str> {
        match &self.default_root_object {
            Some(object) if path == "/" && !object.is_empty() => Cow::Owned(format!("/{object}")),
            _ => Cow::Borrowed(path),
        }
    }

    /// The behavior for a raw path: the first whose pattern matches, the default one otherwise.
    ///
    /// # Panics
    /// On a distribution without behaviors, which no source compiles to.
    pub fn behavior_for(&self, path: &str) -> &Arc<Behavior> {
        self.first_that_matches(&normalize_path(path))
    }

    /// Whose signature a request for a raw path needs that `behavior` answers: those that the behavior
    /// trusts, or, where it asks for none, those of the behavior that answers for the path as origins may
    /// read it. `/private%2Fx` is not below `/private/*`, but S3 and most servers would answer with what is.
    pub fn trusted_keys_for<'a>(
        &'a self,
        behavior: &'a Behavior,
        path: &str,
    ) -> Option<&'a Arc<TrustedKeys>> {
        behavior.trusted_keys.as_ref().or_else(|| {
            // Nearly no request pays for more than the first of these.
            let is_encoded = path.contains('%');
            if !is_encoded || self.behaviors.iter().all(|it| it.trusted_keys.is_none()) {
                return None;
            }
            let read = as_origins_may_read(path)?;
            self.first_that_matches(&read).trusted_keys.as_ref()
        })
    }

    fn first_that_matches(&self, normalized_path: &str) -> &Arc<Behavior> {
        self.behaviors
            .iter()
            .find(|behavior| behavior.path_pattern.matches(normalized_path))
            .or(self.behaviors.last())
            .expect("a compiled distribution has at least its default behavior")
    }

    /// Whether `name`, without port and trailing dot, is exactly one of this distribution's names.
    fn is_called(&self, name: &str) -> bool {
        let mut names = self.aliases.iter().chain([&self.domain_name]);
        names.any(|own| own.eq_ignore_ascii_case(name)) || self.is_local_name(name)
    }

    /// `<logicalid>.localhost`.
    fn is_local_name(&self, name: &str) -> bool {
        let (id, length) = (self.logical_id.as_bytes(), self.logical_id.len());
        name.as_bytes().split_at_checked(length).is_some_and(|(first, rest)| {
            first.eq_ignore_ascii_case(id) && rest.eq_ignore_ascii_case(b".localhost")
        })
    }
}

/// Whether `name` is below the wildcard `alias`: any number of labels, but not the apex itself.
pub(crate) fn is_under(alias: &str, name: &str) -> bool {
    let Some(suffix) = alias.strip_prefix('*').filter(|suffix| suffix.starts_with('.')) else {
        return false;
    };
    let (name, suffix) = (name.as_bytes(), suffix.as_bytes());
    name.len() > suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn stack(distributions: &[(&str, &[&str])]) -> Stack {
        let build = |(index, (logical_id, aliases)): (usize, &(&str, &[&str]))| {
            Arc::new(Distribution {
                logical_id: (*logical_id).to_owned(),
                domain_name: format!("d{index:013}.cloudfront.net"),
                aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
                ..fixture::distribution()
            })
        };
        Stack {
            distributions: distributions.iter().enumerate().map(build).collect(),
            ..Stack::default()
        }
    }

    #[track_caller]
    fn check(stack: &Stack, host: &str, expected: Option<&str>) {
        let found = stack.distribution_for(host).map(|found| found.logical_id.as_str());
        assert_eq!(found, expected, "{host}");
    }

    #[test]
    fn what_origins_may_read_as_protected_needs_the_signature() {
        let mut distribution = fixture::distribution();
        let mut private = fixture::behavior("/private/*");
        private.trusted_keys = Some(Arc::default());
        distribution.behaviors = vec![Arc::new(private), Arc::new(fixture::behavior("*"))];
        for (path, needs) in [
            ("/private/x", true),
            ("/private%2Fx", true),
            ("/public/..%2fprivate/x", true),
            ("/public%2Fx", false),
            ("/private", false),
            ("/%2570rivate/x", false),
        ] {
            let behavior = distribution.behavior_for(path);
            assert_eq!(distribution.trusted_keys_for(behavior, path).is_some(), needs, "{path}");
        }
    }

    #[test]
    fn a_single_distribution_answers_any_host() {
        let stack = stack(&[("Site", &["www.example.com"])]);
        for host in ["www.example.com", "localhost:8080", "[::1]:8080", "other", ""] {
            check(&stack, host, Some("Site"));
        }
    }

    #[test]
    fn a_staging_distribution_is_never_reached_by_host_and_does_not_count() {
        let mut stack = stack(&[("Site", &["www.example.com"]), ("Next", &["next.example.com"])]);
        Arc::make_mut(&mut stack.distributions[1]).role = Role::Staging;
        for host in ["next.example.com", "next.localhost", "d0000000000001.cloudfront.net"] {
            check(&stack, host, Some("Site"));
        }
        stack.distributions.push(stack.distributions[0].clone());
        Arc::make_mut(&mut stack.distributions[2]).aliases = vec!["x.example.com".to_owned()];
        for host in ["next.example.com", "next.localhost", "d0000000000001.cloudfront.net"] {
            check(&stack, host, None);
        }
    }

    #[test]
    fn several_distributions_are_told_apart_by_name() {
        let stack = stack(&[("Site", &["www.example.com"]), ("Api", &["api.example.com"])]);
        check(&stack, "www.example.com", Some("Site"));
        check(&stack, "API.example.COM:8443", Some("Api"));
        check(&stack, "api.example.com.", Some("Api"));
        check(&stack, "api.example.com.:443", Some("Api"));
        check(&stack, "d0000000000001.cloudfront.net", Some("Api"));
        check(&stack, "api.localhost:8080", Some("Api"));
        check(&stack, "site.localhost", Some("Site"));
        for host in ["localhost", "", ".", "x.api.localhost", "apilocalhost", "api.localhost.org"] {
            check(&stack, host, None);
        }
    }

    #[test]
    fn the_most_specific_name_wins_whatever_the_order() {
        let stack = stack(&[
            ("Any", &["*.example.com", "*.a.two.shop.example.com", "*.com"]),
            ("Shop", &["*.shop.example.com"]),
            ("One", &["one.shop.example.com", "*.other.com"]),
        ]);
        check(&stack, "one.shop.example.com", Some("One"));
        check(&stack, "two.shop.example.com", Some("Shop"));
        check(&stack, "a.b.shop.example.com", Some("Shop"));
        check(&stack, "x.a.two.shop.example.com", Some("Any"));
        check(&stack, "shop.example.com", Some("Any"));
        check(&stack, "example.com", Some("Any"));
        check(&stack, ".com", None);
        check(&stack, "com", None);
        check(&stack, "example.org", None);
        check(&stack, "x.other.com", Some("One"));
    }

    #[test]
    fn a_stack_without_distributions_knows_no_host() {
        check(&Stack::default(), "localhost", None);
    }

    #[test]
    fn the_default_root_object_stands_for_exactly_the_root() {
        let distribution = Distribution {
            default_root_object: Some("dir/index.html".to_owned()),
            ..fixture::distribution()
        };
        assert_eq!(distribution.effective_path("/"), "/dir/index.html");
        for path in ["//", "/dir/", "/a"] {
            assert!(
                matches!(distribution.effective_path(path), Cow::Borrowed(same) if same == path)
            );
        }
        let without = Distribution { default_root_object: None, ..distribution };
        assert_eq!(without.effective_path("/"), "/");
    }

    #[test]
    fn the_first_matching_behavior_answers_and_the_default_one_the_rest() {
        let distribution = Distribution {
            behaviors: ["/api/v1/*", "/api/*", "*.jpg", "*"]
                .map(|pattern| Arc::new(fixture::behavior(pattern)))
                .to_vec(),
            ..fixture::distribution()
        };
        for (path, pattern) in [
            ("/api/v1/x", "/api/v1/*"),
            ("/api/v2/x.jpg", "/api/*"),
            ("/x.jpg", "*.jpg"),
            ("/", "*"),
            ("/API/v1/x", "*"),
            ("/x/..//api/./v1/y", "/api/v1/*"),
        ] {
            assert_eq!(distribution.behavior_for(path).path_pattern.as_str(), pattern, "{path}");
        }
    }
}
