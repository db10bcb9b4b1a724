//! `GrpcConfig`: what else must be so that calls can pass (CloudFront guide: use gRPC with distributions).

use warmfront_core::behavior::AllowedMethods;
use warmfront_core::distribution::HttpVersion;
use warmfront_core::origin::{OriginKind, OriginProtocolPolicy, Target};

use super::Compiler;
use super::distribution::Draft;
use crate::diagnostic::Diagnostic;
use crate::document::Node;

impl Compiler<'_> {
    /// Whether this behavior lets gRPC calls through.
    pub(super) fn grpc(&self, node: &Node, allowed: AllowedMethods, path: &str) -> bool {
        let Some(enabled) = enabled(node) else { return false };
        let path = format!("{path}.GrpcConfig.Enabled");
        if allowed != AllowedMethods::All {
            let problem = Diagnostic::error(
                enabled.place.clone(),
                path.clone(),
                "gRPC calls are POSTs, and AllowedMethods does not let POST through",
            )
            .help("AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]");
            self.problems.add(problem);
        }
        true
    }

    /// Warns of calls that would go to an origin in clear. Targets must be known: a node may.
    pub(super) fn grpc_origins(&self, drafts: &[Draft]) {
        for Draft { distribution, origin_places, .. } in drafts {
            let origins = distribution.origins.iter().zip(origin_places).enumerate();
            for (index, (origin, (place, path))) in origins {
                let mut behaviors = distribution.behaviors.iter();
                let gets_calls =
                    behaviors.any(|behavior| behavior.grpc && behavior.origin == index);
                if !gets_calls || origin.target != Target::Dns || !speaks_only_http(&origin.kind) {
                    continue;
                }
                let problem = Diagnostic::warning(
                    place.clone(),
                    path,
                    "gRPC calls lead to this origin and need https all the way, but it is http-only: \
                     each gets a 502",
                )
                .help(format!(
                    "OriginProtocolPolicy: https-only; or, to a server in development that speaks \
                     HTTP/2 in clear, --origin {}=http://localhost:PORT",
                    origin.id
                ));
                self.problems.add(problem);
            }
        }
    }

    /// Calls come over HTTP/2; without it none ever does.
    pub(super) fn grpc_has_http2(&self, config: &Node, version: HttpVersion, path: &str) {
        if matches!(version, HttpVersion::Http2 | HttpVersion::Http2And3) {
            return;
        }
        let behaviors = config.items_at("CacheBehaviors").iter().enumerate();
        let behaviors =
            behaviors.map(|(index, node)| (node, format!("{path}.CacheBehaviors[{index}]"))).chain(
                config
                    .get("DefaultCacheBehavior")
                    .map(|node| (node, format!("{path}.DefaultCacheBehavior"))),
            );
        for (node, path) in behaviors {
            let Some(enabled) = enabled(node) else { continue };
            let problem = Diagnostic::error(
                enabled.place.clone(),
                format!("{path}.GrpcConfig.Enabled"),
                "gRPC calls come over HTTP/2, and HttpVersion does not offer it",
            )
            .help("HttpVersion: http2, or http2and3");
            self.problems.add(problem);
        }
    }
}

/// The node that switches gRPC on.
fn enabled(behavior: &Node) -> Option<&Node> {
    let config = behavior.get("GrpcConfig")?;
    (config.bool_at("Enabled") == Some(true)).then(|| config.get("Enabled"))?
}

fn speaks_only_http(kind: &OriginKind) -> bool {
    matches!(kind, OriginKind::Custom { protocol_policy: OriginProtocolPolicy::HttpOnly, .. })
}
