//! What becomes of a request, decision by decision, without sending it.
//!
//! Each line comes from the same function that the engine asks, in the engine's order; this room only
//! puts the answers into words. Where a decision was written in the source is a [`Pointer`], which the
//! configuration can turn into a file and a line.

mod access;
mod compression;
mod deployment;
mod key;
mod lifetime;
mod origin;
mod response_headers;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::SystemTime;

use ::http::{HeaderMap, HeaderName, Method, StatusCode, Version, header};

use crate::access::place::Place;
use crate::access::signed::{SignatureCheck, without_signature};
use crate::caching::CacheRules;
use crate::http::{grpc, upgrade};
use crate::origin::Scheme;
use crate::path_pattern::normalize_path;
use crate::policy::{PolicyKind, is_cacheable_method};
use crate::request_view::RequestView;
use crate::{Behavior, Distribution, Stack};

/// A request to explain.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// How the viewer comes.
    pub scheme: Scheme,
    /// The protocol it speaks.
    pub version: Version,
    /// The host, with its port if it is not the scheme's.
    pub host: String,
    /// The raw path.
    pub path: String,
    /// Without the `?`.
    pub query: Option<String>,
    /// The header fields.
    pub headers: HeaderMap,
    /// Whether it has a body.
    pub has_body: bool,
    /// Where it comes from.
    pub viewer: SocketAddr,
    /// Where that is, if it counts and is known.
    pub place: Option<Place>,
    /// Whether there is anybody who knows places. Without, a distribution that restricts countries serves
    /// nobody.
    pub places_can_be_known: bool,
    /// What the origin would answer; `None`: lifetimes are told for the usual answers.
    pub answer: Option<(StatusCode, HeaderMap)>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it is about.
    pub topic: Topic,
    /// What was decided, and why.
    pub text: String,
    /// Where the reason was written.
    pub at: Option<Pointer>,
}

/// What a decision is about. The names are stable: tools read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Which distribution answers.
    Distribution,
    /// What the path became.
    Path,
    /// Which behavior answers.
    Behavior,
    /// A pattern that does not match.
    PassedOver,
    /// What ends the request at the edge, or lets it go on.
    Admission,
    /// Whether a signature is needed.
    Signature,
    /// Which countries are served.
    Country,
    /// Which policies hold.
    Policy,
    /// One part of the cache key.
    Key,
    /// Whether the cache may answer, and keep the answer.
    Cache,
    /// How long which answer is kept.
    Ttl,
    /// In which coding the answer is sent.
    Compression,
    /// Where the request goes.
    Origin,
    /// One line of the origin request.
    OriginRequest,
    /// What happens when the origin fails.
    Failure,
    /// What the response headers policy does.
    ResponseHeaders,
}

impl Topic {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Topic::Distribution => "distribution",
            Topic::Path => "path",
            Topic::Behavior => "behavior",
            Topic::PassedOver => "passed-over",
            Topic::Admission => "admission",
            Topic::Signature => "signature",
            Topic::Country => "country",
            Topic::Policy => "policy",
            Topic::Key => "key",
            Topic::Cache => "cache",
            Topic::Ttl => "ttl",
            Topic::Compression => "compression",
            Topic::Origin => "origin",
            Topic::OriginRequest => "origin-request",
            Topic::Failure => "failure",
            Topic::ResponseHeaders => "response-headers",
        }
    }
}

/// What in the source a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// A property of `DistributionConfig`.
    Distribution(&'static str),
    /// A property of the behavior with this index.
    Behavior(usize, String),
    /// A property of the origin with this index.
    Origin(usize, &'static str),
    /// A property of a policy, which may be one of AWS's.
    Policy(PolicyKind, String, String),
}

/// Everything decided about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The id of the distribution; empty when none answers.
    pub distribution: String,
    /// The index of the behavior, once one was chosen.
    pub behavior: Option<usize>,
    /// The decisions, in the order in which they are made.
    pub steps: Vec<Step>,
}

impl Explanation {
    fn say(&mut self, topic: Topic, text: impl Into<String>) {
        self.steps.push(Step { topic, text: text.into(), at: None });
    }

    fn say_at(&mut self, topic: Topic, text: impl Into<String>, at: Pointer) {
        self.steps.push(Step { topic, text: text.into(), at: Some(at) });
    }

    /// The texts about one topic.
    pub fn about(&self, topic: Topic) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(move |step| step.topic == topic).map(|step| step.text.as_str())
    }
}

/// Explains what `stack` does with a request. `check` does the arithmetic of signatures; `now` is for
/// their dates and for Expires.
pub fn explain(
    stack: &Stack,
    asked: &Asked,
    check: Option<&dyn SignatureCheck>,
    now: SystemTime,
) -> Explanation {
    let mut told = Explanation { distribution: String::new(), behavior: None, steps: Vec::new() };
    let Some(distribution) = stack.distribution_for(&asked.host) else {
        let names = stack.reachable().map(|it| it.domain_name.as_str()).collect::<Vec<_>>();
        let text = format!(
            "none serves {}: 403. Known are the aliases and {}",
            asked.host,
            names.join(", ")
        );
        told.say(Topic::Distribution, text);
        return told;
    };
    say_distribution(&mut told, stack, distribution, &asked.host);
    let (distribution, headers) = deployment::say(&mut told, stack, distribution, asked, now);
    follow(&mut told, distribution, asked, &headers, check, now);
    told
}

/// The same where it is known which distribution answers.
pub fn explain_in(
    distribution: &Distribution,
    asked: &Asked,
    check: Option<&dyn SignatureCheck>,
    now: SystemTime,
) -> Explanation {
    let mut told = Explanation { distribution: String::new(), behavior: None, steps: Vec::new() };
    let text = format!("{} ({})", distribution.logical_id, distribution.id);
    told.say_at(Topic::Distribution, text, Pointer::Distribution(""));
    follow(&mut told, distribution, asked, &asked.headers, check, now);
    told
}

fn follow(
    told: &mut Explanation,
    distribution: &Distribution,
    asked: &Asked,
    headers: &HeaderMap,
    check: Option<&dyn SignatureCheck>,
    now: SystemTime,
) {
    told.distribution.clone_from(&distribution.id);
    let path = distribution.effective_path(&asked.path);
    if path != asked.path {
        let text = format!("{} becomes {path}", asked.path);
        told.say_at(Topic::Path, text, Pointer::Distribution("DefaultRootObject"));
    }
    let index = say_behavior(told, distribution, &path);
    let behavior = &*distribution.behaviors[index];
    let path = behavior.path_seen(path);
    let mut view = RequestView {
        method: &asked.method,
        scheme: asked.scheme,
        version: asked.version,
        host: &asked.host,
        path: &path,
        query: asked.query.as_deref(),
        headers,
        place: asked.place.as_ref(),
    };
    if !access::say_country(told, distribution, asked) {
        return access::say_page(told, distribution, &view);
    }
    if !access::say_admission(told, distribution, index, &view, asked.has_body) {
        return;
    }
    if !access::say_signature(told, distribution, index, &view, asked, check, now) {
        return access::say_page(told, distribution, &view);
    }
    let own_query = match distribution.trusted_keys_for(behavior, &path) {
        Some(_) => view.query.and_then(without_signature),
        None => view.query.map(Into::into),
    };
    view.query = own_query.as_deref();
    say_policies(told, index, behavior);
    let passing = passing(distribution, behavior, &view);
    if passing.is_none() && is_cacheable_method(behavior, view.method) {
        key::say(told, distribution, index, &view);
        key::say_variant(told, distribution, index, &view, asked.answer.as_ref());
    }
    let may_store = match passing {
        Some(what) => {
            told.say(Topic::Cache, format!("not looked at and not filled: {what}"));
            false
        }
        None => say_cache(told, index, behavior, &view),
    };
    let sent = origin::say(told, distribution, index, &view, asked.viewer);
    if may_store {
        lifetime::say(told, distribution, index, &sent, asked.answer.as_ref(), now);
    }
    if passing.is_none() {
        compression::say(told, index, behavior, &view, asked.answer.as_ref());
    }
    response_headers::say(told, index, behavior, &view, asked.answer.as_ref());
}

/// What never meets the cache, as `flow` decides it.
fn passing(
    distribution: &Distribution,
    behavior: &Behavior,
    view: &RequestView<'_>,
) -> Option<&'static str> {
    if distribution.origins[behavior.origin].may_leave_http() && upgrade::asked(view).is_some() {
        return Some(
            "it asks for a WebSocket, so the origin also gets Connection: Upgrade and \
             Upgrade: websocket",
        );
    }
    let is_call = behavior.grpc && grpc::is_call(view);
    is_call.then_some("it is a gRPC call, which goes on over HTTP/2")
}

fn say_distribution(told: &mut Explanation, stack: &Stack, found: &Distribution, host: &str) {
    let name = crate::http::host::name(host);
    let why = if stack.reachable().count() == 1 {
        "the only one here answers any host".to_owned()
    } else if name.eq_ignore_ascii_case(&found.domain_name) {
        "its own domain name".to_owned()
    } else if let Some(alias) = found.aliases.iter().find(|alias| alias.eq_ignore_ascii_case(name))
    {
        format!("its alias {alias}")
    } else if let Some(alias) = found
        .aliases
        .iter()
        .filter(|alias| crate::distribution::is_under(alias, name))
        .max_by_key(|alias| alias.len())
    {
        format!("its alias {alias}, the longest that matches {name}")
    } else {
        "its local name".to_owned()
    };
    let text = format!("{} ({}): {why}", found.logical_id, found.id);
    told.say_at(Topic::Distribution, text, Pointer::Distribution(""));
}

/// The first pattern that matches, and those before it that do not.
fn say_behavior(told: &mut Explanation, distribution: &Distribution, path: &str) -> usize {
    let chosen = distribution.behavior_for(path);
    let found = distribution.behaviors.iter().position(|it| std::sync::Arc::ptr_eq(it, chosen));
    let index = found.unwrap_or_default();
    let normalized = normalize_path(path);
    if normalized != path {
        let seen = chosen.path_seen(Cow::Borrowed(path));
        told.say(Topic::Path, format!("matched as {normalized}; key and origin see {seen}"));
    }
    for (other, behavior) in distribution.behaviors.iter().enumerate().take(index) {
        let text = format!("{} does not match {normalized}", behavior.path_pattern.as_str());
        told.say_at(Topic::PassedOver, text, at(other, "PathPattern"));
    }
    let is_default = index + 1 == distribution.behaviors.len();
    let (text, property) = if is_default {
        ("the default behavior, which takes what no pattern does".to_owned(), "")
    } else {
        (format!("{}, the first that matches", chosen.path_pattern.as_str()), "PathPattern")
    };
    told.say_at(Topic::Behavior, text, at(index, property));
    let later = distribution.behaviors.iter().enumerate().skip(index + 1);
    for (other, behavior) in later.take_while(|(other, _)| other + 1 < distribution.behaviors.len())
    {
        if behavior.path_pattern.matches(&normalized) {
            let text =
                format!("{} would match, too, and comes later", behavior.path_pattern.as_str());
            told.say_at(Topic::PassedOver, text, at(other, "PathPattern"));
        }
    }
    told.behavior = Some(index);
    index
}

fn say_policies(told: &mut Explanation, index: usize, behavior: &Behavior) {
    let cache = &behavior.cache_policy;
    let ttl = &cache.ttl;
    let bounds = format!(
        "MinTTL {}, DefaultTTL {}, MaxTTL {}",
        ttl.min().as_secs(),
        ttl.default().as_secs(),
        ttl.max().as_secs()
    );
    let (text, property) = if cache.legacy {
        (format!("cache: the legacy ForwardedValues ({bounds})"), "ForwardedValues")
    } else {
        (format!("cache: {} ({bounds})", cache.name), "CachePolicyId")
    };
    told.say_at(Topic::Policy, text, at(index, property));
    let name = &behavior.origin_request_policy.name;
    if !name.is_empty() {
        told.say_at(
            Topic::Policy,
            format!("origin request: {name}"),
            at(index, "OriginRequestPolicyId"),
        );
    }
    if let Some(policy) = &behavior.response_headers_policy {
        told.say_at(
            Topic::Policy,
            format!("response headers: {}", policy.name),
            at(index, "ResponseHeadersPolicyId"),
        );
    }
}

/// Whether the answer may be stored, as far as the request decides.
fn say_cache(
    told: &mut Explanation,
    index: usize,
    behavior: &Behavior,
    view: &RequestView<'_>,
) -> bool {
    if !is_cacheable_method(behavior, view.method) {
        let text = format!("not looked at and not filled: {} is not cached here", view.method);
        told.say_at(Topic::Cache, text, at(index, "CachedMethods"));
        return false;
    }
    if behavior.cache_policy.ttl.disable_caching() {
        let text = "not looked at and not filled: all TTLs are 0";
        told.say_at(Topic::Cache, text, ttl_pointer(behavior, index, "MaxTTL"));
        return false;
    }
    told.say(Topic::Cache, format!("looked up; {}", on_a_miss(behavior, view)));
    if behavior.rules != CacheRules::CLOUDFRONT {
        told.say(Topic::Policy, format!("the cache rules of the profile {}", behavior.rules));
    }
    true
}

fn on_a_miss(behavior: &Behavior, view: &RequestView<'_>) -> &'static str {
    let has = |names: &[HeaderName]| names.iter().any(|name| view.headers.contains_key(name));
    if crate::policy::cookies_forbid_sharing(behavior) {
        "on a miss each viewer asks the origin, because cookies are forwarded"
    } else if *view.method == Method::HEAD {
        "on a miss this HEAD goes to the origin alone, and nothing is stored"
    } else if has(&[header::RANGE]) {
        "on a miss this request asks the origin alone, because it asks for a part"
    } else if !has(&CONDITIONS) {
        "on a miss one request asks the origin for all who wait"
    } else if behavior.rules.forwards_conditions {
        "on a miss this request asks the origin alone, because it sets a condition"
    } else {
        "on a miss one request asks the origin for all who wait, without conditions: they are held \
         against what comes"
    }
}

const CONDITIONS: [HeaderName; 4] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

fn at(index: usize, property: impl Into<String>) -> Pointer {
    Pointer::Behavior(index, property.into())
}

/// Where a TTL was written: in the cache policy, or in the behavior itself.
fn ttl_pointer(behavior: &Behavior, index: usize, name: &str) -> Pointer {
    if behavior.cache_policy.legacy { at(index, name) } else { cache_policy(behavior, name) }
}

fn cache_policy(behavior: &Behavior, property: &str) -> Pointer {
    let name = behavior.cache_policy.name.clone();
    Pointer::Policy(PolicyKind::Cache, name, property.to_owned())
}

#[cfg(test)]
mod tests;
