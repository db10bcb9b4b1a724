//! Where the request goes, what of it gets there, and what happens when that fails.

use std::net::SocketAddr;

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Explanation, Pointer, Topic, at};
use crate::origin::{OriginKind, Signing, Target};
use crate::policy::origin_request::{EdgeFacts, origin_request};
use crate::request_view::RequestView;
use crate::{Distribution, Origin};

/// Values that only a real request has.
const MADE_WHEN_SENT: &str = "(made when it is sent)";

/// Returns the header fields that the origin would get.
pub(super) fn say(
    told: &mut Explanation,
    distribution: &Distribution,
    index: usize,
    view: &RequestView<'_>,
    viewer: SocketAddr,
) -> HeaderMap {
    let behavior = &distribution.behaviors[index];
    let origin = &distribution.origins[behavior.origin];
    told.say_at(Topic::Origin, place(origin, view), at(index, "TargetOriginId"));
    let via = HeaderValue::from_static(MADE_WHEN_SENT);
    let edge =
        EdgeFacts { viewer, request_id: MADE_WHEN_SENT, via: &via, tls: None, failing: None };
    let forwarded = origin_request(distribution, behavior, origin, view, &edge);
    let line = format!("{} {}", view.method, forwarded.target);
    told.say_at(Topic::OriginRequest, line, Pointer::Origin(behavior.origin, "OriginPath"));
    for (name, value) in &forwarded.headers {
        // Often a secret that only edge and origin share, and an edge may tell this to its viewers.
        if origin.custom_headers.iter().any(|(own, _)| own == name) {
            let text = format!("{name}: (the value that the source gives it)");
            told.say_at(
                Topic::OriginRequest,
                text,
                Pointer::Origin(behavior.origin, "OriginCustomHeaders"),
            );
            continue;
        }
        let text = format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        told.say(Topic::OriginRequest, text);
    }
    say_signing(told, behavior.origin, origin, &forwarded.headers);
    let dropped = dropped(view.headers, &forwarded.headers);
    if !dropped.is_empty() {
        let text = format!("does not get there: {}", dropped.join(", "));
        told.say(Topic::OriginRequest, text);
    }
    say_failure(told, distribution, index);
    forwarded.headers
}

fn say_signing(told: &mut Explanation, index: usize, origin: &Origin, headers: &HeaderMap) {
    let Some(control) = &origin.access_control else { return };
    let text = match origin.signing(headers.contains_key(header::AUTHORIZATION)) {
        Signing::Sign => format!(
            "signed for {} in {} when it is sent, if there is an access key",
            control.service, control.region
        ),
        Signing::LeaveAlone(reason) => format!("not signed: {reason}"),
    };
    told.say_at(Topic::OriginRequest, text, Pointer::Origin(index, "OriginAccessControlId"));
}

/// The viewer's fields that no field of the same name stands for.
fn dropped(asked: &HeaderMap, forwarded: &HeaderMap) -> Vec<String> {
    let framing = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
    let lost = |name: &&HeaderName| !forwarded.contains_key(*name) && !framing.contains(name);
    asked.keys().filter(lost).map(ToString::to_string).collect()
}

fn place(origin: &Origin, view: &RequestView<'_>) -> String {
    let scheme = origin.scheme_for(view.scheme);
    let name = match &origin.kind {
        OriginKind::S3 => format!("the S3 bucket {}", origin.domain_name),
        OriginKind::Custom { .. } => {
            let port = origin.port_for(scheme);
            format!("{}://{}:{port}", scheme.as_str(), origin.domain_name)
        }
    };
    let target = match &origin.target {
        Target::Dns => String::new(),
        Target::Nodes(nodes) => {
            let nodes = nodes
                .iter()
                .map(|node| format!("{}://{}:{}", node.scheme.as_str(), node.host, node.port));
            format!(", connected at {}", nodes.collect::<Vec<_>>().join(", "))
        }
        Target::Directory(root) => {
            let missing = if origin.hides_missing { 403 } else { 404 };
            format!(", played by the directory {} ({missing} for what it has not)", root.display())
        }
        Target::Api(api) => format!(", the local {} {}", api.kind.as_str(), api.logical_id),
    };
    format!("{}: {name}{target}", origin.id)
}

fn say_failure(told: &mut Explanation, distribution: &Distribution, index: usize) {
    let behavior = &distribution.behaviors[index];
    let origin = &distribution.origins[behavior.origin];
    let limits = format!(
        "{} attempts of {} s to connect; {} s without a byte",
        origin.connection_attempts,
        origin.connection_timeout.as_secs(),
        origin.read_timeout.as_secs()
    );
    let whole = origin.response_completion_timeout;
    let whole = whole.map_or(String::new(), |limit| format!("; {} s in all", limit.as_secs()));
    told.say_at(Topic::Failure, format!("{limits}{whole}"), Pointer::Origin(behavior.origin, ""));
    if let Some(failover) = &behavior.failover {
        let second = &distribution.origins[failover.origin].id;
        let statuses: Vec<String> = failover.statuses.iter().map(u16::to_string).collect();
        let text = format!(
            "GET, HEAD and cached OPTIONS go on to {second} after {} (group {})",
            statuses.join(", "),
            failover.group
        );
        told.say_at(Topic::Failure, text, Pointer::Distribution("OriginGroups"));
    }
    for response in &distribution.error_responses {
        let Some(page) = &response.page else { continue };
        let text = format!("{} becomes {} with {}", response.status, page.status, page.path);
        told.say_at(Topic::Failure, text, Pointer::Distribution("CustomErrorResponses"));
    }
}
