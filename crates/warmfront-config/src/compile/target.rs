//! Where each origin's connections go: `--origin`, a local API of the template, or DNS.
//!
//! A KEY is an origin's Id, else a DomainName, else the logical id of the resource behind the name
//! (DESIGN §1). A target replaces only where we connect.

use std::path::PathBuf;
use std::sync::Arc;

use warmfront_core::api::{Answer, Route};
use warmfront_core::function::Runtime;
use warmfront_core::origin::{Node as Server, OriginKind, Scheme, Target};

use super::Compiler;
use super::distribution::Draft;
use super::origin::is_s3_name;
use crate::diagnostic::Diagnostic;
use crate::document::quote;
use crate::place::Place;
use crate::suggest::{did_you_mean, listed};
use crate::template::Resource;

/// All targets given for one KEY, and what the KEY turned out to be.
struct Given {
    key: String,
    target: Option<Target>,
    means: Means,
}

#[derive(PartialEq)]
enum Means {
    Id,
    DomainName,
    LogicalId,
    Nothing,
}

impl Compiler<'_> {
    /// Gives every origin its target.
    pub(super) fn connect(&self, drafts: &mut [Draft], all: &[Compiler<'_>]) {
        let given = self.given_targets(drafts, all);
        for draft in drafts {
            // A bucket answers 403 for what it has not, unless its policy lets the distribution list it. Who
            // wrote a page for 403 and none for 404 has such a bucket.
            let has_page = |status| {
                let responses = draft.distribution.error_responses.iter();
                responses.filter(|response| response.page.is_some()).any(|r| r.status == status)
            };
            let hides_missing = has_page(403) && !has_page(404);
            for (origin, (place, path)) in
                draft.distribution.origins.iter_mut().zip(&draft.origin_places)
            {
                let owner = self.resource_behind(&origin.domain_name, all);
                let owner_id = owner.map(|(_, resource)| resource.id.as_str());
                let chosen = given.iter().find(|given| match given.means {
                    Means::Id => given.key == origin.id,
                    Means::DomainName => given.key.eq_ignore_ascii_case(&origin.domain_name),
                    Means::LogicalId => owner_id == Some(given.key.as_str()),
                    Means::Nothing => false,
                });
                let target = match chosen {
                    Some(given) => given.target.clone().unwrap_or_default(),
                    None => {
                        match owner.and_then(|(home, bucket)| home.deployed_into(bucket, all)) {
                            Some(directory) => Target::Directory(directory),
                            None => {
                                self.own_target(&origin.id, &origin.domain_name, owner, place, path)
                            }
                        }
                    }
                };
                let origin = Arc::make_mut(origin);
                origin.target = target;
                origin.hides_missing = origin.kind == OriginKind::S3 && hides_missing;
            }
            self.require_an_answer(draft);
        }
    }

    /// A function or API that does not run here costs its own requests alone, but a distribution of which
    /// nothing could be answered is not served at all.
    fn require_an_answer(&self, draft: &Draft) {
        let is_dead = |target: &Target| match target {
            Target::Api(api) => !api.routes.is_empty() && api.routes.iter().all(never_answers),
            _ => false,
        };
        let origins = &draft.distribution.origins;
        if origins.iter().all(|origin| is_dead(&origin.target))
            && let (Some(origin), Some((place, path))) =
                (origins.first(), draft.origin_places.first())
        {
            let message = "nothing of this distribution runs here, so every request would fail";
            let help = format!(
                "the warnings say why; or send an origin elsewhere: --origin {}=http://localhost:PORT",
                origin.id
            );
            self.problems.add(Diagnostic::error(place.clone(), path, message).help(help));
        }
    }

    /// The target of an origin that no option speaks of.
    fn own_target(
        &self,
        id: &str,
        domain: &str,
        owner: Option<(&Compiler<'_>, &Resource)>,
        place: &Place,
        path: &str,
    ) -> Target {
        let needs_target = |what: String| {
            let help = format!(
                "say where it is: --origin {id}=DIRECTORY, or --origin {id}=http://localhost:PORT"
            );
            self.problems.add(Diagnostic::error(place.clone(), path, what).help(help));
            Target::Dns
        };
        let home = owner.map_or(self, |(home, _)| home);
        match owner.map(|(_, resource)| (resource, resource.kind.as_str())) {
            Some((
                resource,
                "AWS::ApiGatewayV2::Api" | "AWS::ApiGateway::RestApi" | "AWS::Lambda::Url",
            )) => Target::Api(home.local_api(resource)),
            _ if is_s3_name(domain) => {
                needs_target(format!("the bucket {} is not here", quote(domain)))
            }
            Some((resource, _)) if domain.ends_with(".amazonaws.com") => needs_target(format!(
                "{} is a name made up for {}; it leads nowhere",
                quote(domain),
                resource.id
            )),
            _ => Target::Dns,
        }
    }

    /// The resource that a host name was made for, in this stack or, failing that, in another one, and
    /// the compiler of its stack.
    fn resource_behind<'c>(
        &'c self,
        domain: &str,
        all: &'c [Compiler<'_>],
    ) -> Option<(&'c Compiler<'c>, &'c Resource)> {
        let own = self.own_resource_behind(domain).map(|resource| (self, resource));
        own.or_else(|| all.iter().find_map(|home| Some((home, home.own_resource_behind(domain)?))))
    }

    fn own_resource_behind(&self, domain: &str) -> Option<&Resource> {
        let evaluator = self.evaluator;
        let names = evaluator.names;
        let resources = &evaluator.template.resources;
        let api = resources.iter().find(|resource| match resource.kind.as_str() {
            "AWS::ApiGatewayV2::Api" | "AWS::ApiGateway::RestApi" => {
                names.api_domain(&resource.id).eq_ignore_ascii_case(domain)
            }
            "AWS::Lambda::Url" => {
                names.function_url_domain(&resource.id).eq_ignore_ascii_case(domain)
            }
            _ => false,
        });
        // `!Sub "${Bucket}.s3.amazonaws.com"`: the name was put together by hand.
        let bucket = domain.find(".s3").and_then(|at| names.owner(&domain[..at]));
        let owner = names.owner(domain).or(bucket);
        api.or_else(|| evaluator.template.resource(&owner?))
    }

    /// The options, grouped by KEY in the order in which the keys came first.
    fn given_targets(&self, drafts: &[Draft], all: &[Compiler<'_>]) -> Vec<Given> {
        let mut given: Vec<Given> = Vec::new();
        for (key, text) in &self.options.origins {
            let place = format!("--origin {key}={text}");
            let target = match parse_target(text) {
                Ok(target) => Some(target),
                Err(message) => {
                    self.problems.add(Diagnostic::error(Place::command_line(), &place, message));
                    None
                }
            };
            match given.iter_mut().find(|known| known.key == *key) {
                Some(known) => match (&mut known.target, target) {
                    (Some(Target::Nodes(nodes)), Some(Target::Nodes(more))) => nodes.extend(more),
                    (Some(_), Some(_)) => {
                        let message = "a key takes several servers, or one directory";
                        self.problems.add(Diagnostic::error(
                            Place::command_line(),
                            &place,
                            message,
                        ));
                    }
                    _ => {}
                },
                None => {
                    let means = self.meaning(key, &place, drafts, all);
                    given.push(Given { key: key.clone(), target, means });
                }
            }
        }
        given
    }

    fn meaning(&self, key: &str, option: &str, drafts: &[Draft], all: &[Compiler<'_>]) -> Means {
        let origins = || drafts.iter().flat_map(|draft| &draft.distribution.origins);
        if origins().any(|origin| origin.id == key) {
            return Means::Id;
        }
        if origins().any(|origin| origin.domain_name.eq_ignore_ascii_case(key)) {
            return Means::DomainName;
        }
        let owned_by =
            |domain: &str| self.resource_behind(domain, all).is_some_and(|(_, it)| it.id == key);
        if origins().any(|origin| owned_by(&origin.domain_name)) {
            return Means::LogicalId;
        }
        let known =
            || origins().flat_map(|origin| [origin.id.as_str(), origin.domain_name.as_str()]);
        let meant = did_you_mean(key, known());
        if key.contains('.') && meant.is_empty() {
            // DESIGN §1: the name of an origin that only a function sets.
            let message = "no origin of the source has this name; functions that could set it do not run yet, so nothing uses the target";
            self.problems.add(Diagnostic::warning(Place::command_line(), option, message));
        } else {
            let ids = origins().map(|origin| origin.id.as_str());
            let message =
                format!("there is no origin {}.{meant} (origins: {})", quote(key), listed(ids));
            self.problems.add(Diagnostic::error(Place::command_line(), option, message));
        }
        Means::Nothing
    }
}

/// Whether a route is not run; preflights that are answered beside it help nobody.
fn never_answers(route: &Route) -> bool {
    match &route.answer {
        Answer::Function { function, .. } => matches!(function.runtime, Runtime::Unsupported(_)),
        Answer::Fixed(_) => route.method == Some(http::Method::OPTIONS),
        Answer::NotRun(_) => true,
    }
}

/// `http://host:port`, `https://host`, or a directory that exists.
fn parse_target(text: &str) -> Result<Target, String> {
    let (scheme, default_port, rest) = if let Some(rest) = text.strip_prefix("http://") {
        (Scheme::Http, 80, rest)
    } else if let Some(rest) = text.strip_prefix("https://") {
        (Scheme::Https, 443, rest)
    } else {
        return directory(text);
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return Err(
            "a target is a server, without a path; a path belongs into OriginPath".to_owned()
        );
    }
    if rest.contains('@') {
        return Err("a target takes no user name".to_owned());
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => {
            let Some((host, after)) = bracketed.split_once(']') else {
                return Err(format!("{} has no closing bracket", quote(rest)));
            };
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(format!("{} is not an IPv6 address", quote(host)));
            }
            (host, after.strip_prefix(':'))
        }
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'));
    if !is_host {
        return Err(format!("{} is not a host name", quote(host)));
    }
    let port = match port {
        None => default_port,
        Some(port) => match port.parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(format!("{} is not a port", quote(port))),
        },
    };
    Ok(Target::Nodes(vec![Server { scheme, host: host.to_owned(), port }]))
}

fn directory(text: &str) -> Result<Target, String> {
    let directory = PathBuf::from(text);
    if directory.is_dir() {
        return Ok(Target::Directory(directory));
    }
    let looks_like_server = text.split('/').next().is_some_and(|host| {
        host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok())
    });
    Err(match (text.split_once("://"), looks_like_server) {
        (Some((scheme, _)), _) => format!("targets are http:// or https://, not {scheme}://"),
        (None, true) => format!("{} needs a scheme: http://{text}", quote(text)),
        (None, false) => {
            format!("{} is not a directory, and no http:// or https:// URL", quote(text))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<(&str, u16), &str>) {
        match (parse_target(text), expected) {
            (Ok(Target::Nodes(nodes)), Ok((host, port))) => {
                assert_eq!((nodes[0].host.as_str(), nodes[0].port), (host, port), "{text}");
            }
            (Err(message), Err(part)) => assert!(message.contains(part), "{text}: {message}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_target_is_a_server_or_a_directory() {
        check("http://localhost:3000", Ok(("localhost", 3000)));
        check("http://localhost/", Ok(("localhost", 80)));
        check("https://www.example.com", Ok(("www.example.com", 443)));
        check("http://[::1]:8080", Ok(("::1", 8080)));
        check("http://localhost:3000/api", Err("without a path"));
        check("http://localhost:0", Err("not a port"));
        check("http://localhost:99999", Err("not a port"));
        check("http://", Err("not a host name"));
        check("http://me@localhost", Err("user name"));
        check("http://[::1", Err("closing bracket"));
        check("localhost:3000", Err("needs a scheme: http://localhost:3000"));
        check("ftp://localhost", Err("not ftp://"));
        check("./no-such-directory", Err("is not a directory"));
    }
}
