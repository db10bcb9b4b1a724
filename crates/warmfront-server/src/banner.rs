//! What the program says when it starts: what is served where, and what is not done.
//!
//! Which request is worth trying first is [`trial`]'s.

mod trial;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use warmfront_core::api::Answer;
use warmfront_core::behavior::{AllowedMethods, Behavior, ViewerProtocolPolicy};
use warmfront_core::function::Runtime;
use warmfront_core::origin::{Origin, OriginKind, OriginProtocolPolicy, Target};
use warmfront_core::policy::forwards_cookies;
use warmfront_core::{Distribution, Stack};

use crate::cli::Size;

/// Where the program listens.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Addresses {
    /// Clear text.
    pub(crate) http: Option<SocketAddr>,
    /// TLS.
    pub(crate) https: Option<SocketAddr>,
    /// The admin port.
    pub(crate) admin: Option<SocketAddr>,
}

/// What the banner tells beside the stack.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    /// The source as the user named it.
    pub(crate) source: &'a Path,
    /// Where the program listens.
    pub(crate) addresses: Addresses,
    /// The certificate to trust, and whether this start made it.
    pub(crate) ca: Option<(&'a Path, bool)>,
    /// What runs the functions, such as `node v22.1.0`, or why nothing does.
    pub(crate) functions: Vec<Result<String, String>>,
    /// Each property without effect, with its place and reason.
    pub(crate) inert: Vec<String>,
    /// Each property that protects, is not effective, and was let through by `--allow-unprotected`.
    pub(crate) unprotected: Vec<String>,
    /// How many threads serve.
    pub(crate) workers: usize,
    /// Memory for stored responses.
    pub(crate) cache: Size,
    /// Disk for them, and where.
    pub(crate) disk: Option<(Size, &'a Path)>,
}

/// The banner as text.
pub(crate) fn banner(stack: &Stack, facts: &Facts<'_>) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "warmfront {} serves {} (stack {}, region {})",
        env!("CARGO_PKG_VERSION"),
        facts.source.display(),
        stack.name,
        stack.region,
    );
    for distribution in &stack.distributions {
        out.push('\n');
        write_distribution(&mut out, stack, distribution, facts.addresses);
    }
    out.push('\n');
    write_functions(&mut out, stack, facts);
    if let (Some((ca, is_new)), Some(https)) = (facts.ca, facts.addresses.https) {
        let made = if is_new { ", made just now" } else { "" };
        let _ = writeln!(out, "Certificates: the development CA {}{made}. Try:", ca.display());
        let _ =
            writeln!(out, "  curl --cacert {} {}", ca.display(), trial::url(stack, "https", https));
    } else if let Some(http) = facts.addresses.http {
        let _ = writeln!(out, "Try:\n  curl {}", trial::url(stack, "http", http));
    }
    if let Some(admin) = facts.addresses.admin {
        let base = format!("http://{admin}");
        let _ = writeln!(out, "Admin: {base}/healthz {base}/readyz {base}/metrics");
    }
    let threads =
        if facts.workers == 1 { "1 thread" } else { &format!("{} threads", facts.workers) };
    let disk = facts.disk.map(|(size, path)| format!(" and {size} of disk in {}", path.display()));
    let disk = disk.unwrap_or_default();
    let _ = writeln!(out, "Cache: {} of memory{disk}. Served by {threads}.", facts.cache);
    out.push_str(&without_effect(&facts.inert, &facts.unprotected));
    out
}

/// What a source says and the edge does not do; empty when there is nothing.
pub(crate) fn without_effect(inert: &[String], unprotected: &[String]) -> String {
    let mut out = String::new();
    write_list(&mut out, "Accepted without effect", inert);
    write_list(&mut out, "NOT PROTECTED, as --allow-unprotected permits", unprotected);
    out
}

/// `https://localhost:8443/`; the port is left out when the scheme implies it.
pub(crate) fn url(scheme: &str, host: &str, address: SocketAddr) -> String {
    match (scheme, address.port()) {
        ("http", 80) | ("https", 443) => format!("{scheme}://{host}/"),
        (_, port) => format!("{scheme}://{host}:{port}/"),
    }
}

fn write_distribution(out: &mut String, stack: &Stack, distribution: &Distribution, at: Addresses) {
    let _ = writeln!(
        out,
        "Distribution {} ({}, {}){}",
        distribution.logical_id,
        distribution.id,
        distribution.domain_name,
        if distribution.enabled { "" } else { ": disabled, every request gets 403" },
    );
    let local = local_name(stack, distribution);
    let names = std::iter::once(&local)
        .chain(distribution.aliases.iter().filter(|alias| !alias.starts_with("*.")));
    for name in names {
        let mut urls = Vec::new();
        urls.extend(at.https.map(|address| url("https", name, address)));
        urls.extend(at.http.map(|address| url("http", name, address)));
        if !urls.is_empty() {
            let _ = writeln!(out, "  {}", urls.join("  "));
        }
    }
    for alias in distribution.aliases.iter().filter(|alias| alias.starts_with("*.")) {
        let _ = writeln!(out, "  and any host of {alias}");
    }
    if let Some(root) = &distribution.default_root_object {
        let _ = writeln!(out, "  / means /{root}");
    }
    out.push_str("  behaviors, the first that matches answers:\n");
    let patterns: Vec<String> =
        distribution.behaviors.iter().map(|behavior| behavior.path_pattern.to_string()).collect();
    let width = patterns.iter().map(|pattern| pattern.chars().count()).max().unwrap_or(0);
    for (behavior, pattern) in distribution.behaviors.iter().zip(&patterns) {
        let origin = distribution.origins.get(behavior.origin);
        let _ = writeln!(
            out,
            "    {pattern:width$}  {}, {}; {}; to {}",
            methods(behavior.allowed_methods),
            protocols(behavior.viewer_protocol_policy),
            caching(behavior),
            origin.map_or_else(|| "no origin".to_owned(), |origin| origin.id.clone()),
        );
    }
    out.push_str("  origins:\n");
    for origin in &distribution.origins {
        let _ = writeln!(
            out,
            "    {}: {}{} {}",
            origin.id,
            origin.domain_name,
            origin.path,
            target(origin)
        );
    }
}

/// The host of this machine that leads to `distribution`: one alone answers any, several are told apart.
fn local_name(stack: &Stack, distribution: &Distribution) -> String {
    match stack.distributions.len() {
        1 => "localhost".to_owned(),
        _ => format!("{}.localhost", distribution.logical_id.to_ascii_lowercase()),
    }
}

fn methods(methods: AllowedMethods) -> &'static str {
    match methods {
        AllowedMethods::GetHead => "GET HEAD",
        AllowedMethods::GetHeadOptions => "GET HEAD OPTIONS",
        AllowedMethods::All => "all methods",
    }
}

fn protocols(policy: ViewerProtocolPolicy) -> &'static str {
    match policy {
        ViewerProtocolPolicy::AllowAll => "http and https",
        ViewerProtocolPolicy::RedirectToHttps => "http is redirected to https",
        ViewerProtocolPolicy::HttpsOnly => "https only",
    }
}

fn caching(behavior: &Behavior) -> String {
    let policy = &behavior.cache_policy;
    if policy.ttl.disable_caching() {
        return format!("not cached ({})", policy.name);
    }
    // CloudFront guide: simultaneous requests for the same object (request collapsing) and cookies.
    let alone = if forwards_cookies(behavior) {
        "; cookies are forwarded, so each miss asks the origin"
    } else {
        ""
    };
    format!(
        "cached by {}: min {}, default {}, max {}{alone}",
        policy.name,
        seconds(policy.ttl.min()),
        seconds(policy.ttl.default()),
        seconds(policy.ttl.max()),
    )
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

/// Where connections to an origin go.
fn target(origin: &Origin) -> String {
    match &origin.target {
        Target::Dns => match &origin.kind {
            OriginKind::S3 => "by DNS".to_owned(),
            OriginKind::Custom { http_port, https_port, protocol_policy } => {
                match protocol_policy {
                    OriginProtocolPolicy::HttpOnly => format!("by DNS, http on port {http_port}"),
                    OriginProtocolPolicy::HttpsOnly => {
                        format!("by DNS, https on port {https_port}")
                    }
                    OriginProtocolPolicy::MatchViewer => {
                        format!(
                            "by DNS, as the viewer came: http on {http_port}, https on {https_port}"
                        )
                    }
                }
            }
        },
        Target::Nodes(nodes) => {
            let nodes: Vec<String> = nodes
                .iter()
                .map(|node| {
                    let host = if node.host.contains(':') {
                        format!("[{}]", node.host)
                    } else {
                        node.host.clone()
                    };
                    format!("{}://{host}:{}", node.scheme.as_str(), node.port)
                })
                .collect();
            format!("at {}", nodes.join(", then "))
        }
        Target::Directory(directory) => {
            let missing = if origin.hides_missing { " (403 for what it has not)" } else { "" };
            format!("from the directory {}{missing}", directory.display())
        }
        Target::Api(api) => format!("from the local {} {}", api.kind.as_str(), api.logical_id),
    }
}

fn write_functions(out: &mut String, stack: &Stack, facts: &Facts<'_>) {
    if stack.functions.is_empty() {
        return;
    }
    for runtime in &facts.functions {
        let _ = match runtime {
            Ok(runtime) => writeln!(out, "Functions, run by {runtime}:"),
            Err(reason) => writeln!(out, "Functions, NOT run: {reason}"),
        };
    }
    if facts.functions.is_empty() {
        out.push_str("Functions, none of them used by an API of this source:\n");
    }
    for function in &stack.functions {
        let runtime = match &function.runtime {
            Runtime::Node(runtime) | Runtime::Python(runtime) => runtime.clone(),
            Runtime::Unsupported(runtime) => format!("{runtime}, which cannot be run yet"),
        };
        let _ = writeln!(
            out,
            "  {} ({}): {}, limit {}",
            function.logical_id,
            runtime,
            function.handler,
            seconds(function.timeout)
        );
    }
    for api in &stack.apis {
        for route in &api.routes {
            let method = route.method.as_ref().map_or("ANY", |method| method.as_str());
            let what = match &route.answer {
                Answer::Function { function, .. } => format!("calls {}", function.name),
                Answer::Fixed(fixed) => format!("answers {} by itself", fixed.status),
                Answer::NotRun(reason) => format!("fails: {reason}"),
            };
            let path = api.public_path(route).unwrap_or_else(|| route.path.clone());
            let _ = writeln!(out, "  {}: {method} {path} {what}", api.logical_id);
        }
    }
}

fn write_list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use warmfront_core::api::{Api, ApiKind};
    use warmfront_core::origin::{Node, Scheme};

    use super::*;

    fn origin(id: &str, target: Target) -> Arc<Origin> {
        Arc::new(Origin {
            id: id.to_owned(),
            domain_name: format!("{id}.example.com"),
            path: String::new(),
            custom_headers: Vec::new(),
            kind: OriginKind::Custom {
                http_port: 80,
                https_port: 443,
                protocol_policy: OriginProtocolPolicy::HttpsOnly,
            },
            connection_attempts: 3,
            connection_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(5),
            response_completion_timeout: None,
            target,
            access_control: None,
            hides_missing: false,
        })
    }

    #[test]
    fn every_kind_of_target_is_told() {
        let node = Node { scheme: Scheme::Http, host: "::1".to_owned(), port: 4000 };
        let api = Api {
            logical_id: "HttpApi".to_owned(),
            domain_name: "httpapi.execute-api.us-east-1.amazonaws.com".to_owned(),
            kind: ApiKind::Http,
            stages: Vec::new(),
            binary_media_types: Vec::new(),
            cors: None,
            routes: Vec::new(),
        };
        let rows = [
            (Target::Dns, "by DNS, https on port 443"),
            (Target::Nodes(vec![node]), "at http://[::1]:4000"),
            (Target::Directory(PathBuf::from("public")), "from the directory public"),
            (Target::Api(Arc::new(api)), "from the local HTTP API HttpApi"),
        ];
        for (kind, text) in rows {
            assert_eq!(target(&origin("a", kind)), text);
        }
    }

    #[test]
    fn urls_leave_the_ports_out_that_their_scheme_implies() {
        let rows = [
            ("http", "127.0.0.1:80", "http://localhost/"),
            ("https", "127.0.0.1:443", "https://localhost/"),
            ("https", "0.0.0.0:8443", "https://localhost:8443/"),
        ];
        for (scheme, address, text) in rows {
            assert_eq!(url(scheme, "localhost", address.parse().unwrap()), text);
        }
    }
}
