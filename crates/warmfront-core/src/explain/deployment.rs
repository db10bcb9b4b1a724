//! Whether a staging distribution answers in the place of the one that the host names.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use ::http::HeaderMap;

use super::{Asked, Explanation, Pointer, Topic};
use crate::continuous_deployment::{Side, Traffic, remove_session};
use crate::{Distribution, Stack};

/// Who answers, and the headers that the rest of the request's life sees. Where a weight decides, chance is
/// not asked: the primary answers, and the share is told.
pub(super) fn say<'a>(
    told: &mut Explanation,
    stack: &'a Stack,
    primary: &'a Arc<Distribution>,
    asked: &'a Asked,
    now: SystemTime,
) -> (&'a Arc<Distribution>, Cow<'a, HeaderMap>) {
    let Some(deployment) = &primary.continuous_deployment else {
        return (primary, Cow::Borrowed(&asked.headers));
    };
    let route = deployment.route(&asked.headers, now, NOBODYS_CHANCE);
    let staging = stack.distribution_with_id(&deployment.staging).unwrap_or(primary);
    let answers = match route.side {
        Side::Primary => primary,
        Side::Staging => staging,
    };
    let share = match &deployment.traffic {
        Traffic::Weight { share, .. } => {
            format!("; {:.1} % of the requests go to {}", share * 100.0, staging.logical_id)
        }
        Traffic::Header { .. } => String::new(),
    };
    let text = format!("{} ({}) answers: {}{share}", answers.logical_id, answers.id, route.reason);
    let at = Pointer::Distribution("ContinuousDeploymentPolicyId");
    told.say_at(Topic::Distribution, text, at);
    let mut headers = Cow::Borrowed(&asked.headers);
    if deployment.has_sessions() {
        remove_session(headers.to_mut());
    }
    (answers, headers)
}

/// No share is as large.
const NOBODYS_CHANCE: f64 = 1.0;
