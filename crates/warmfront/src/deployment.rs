//! Continuous deployment under way: which of two distributions answers this request.
//!
//! Core decides; here it gets the time and the chance it asks for, and what it says is carried out.

use std::sync::Arc;

use http::HeaderMap;
use warmfront_core::Distribution;
use warmfront_core::continuous_deployment::{ContinuousDeployment, Side, remove_session};

use crate::exchange::Exchange;

/// Who answers, and the viewer's headers as the rest of the request's life sees them.
pub(crate) struct Deployed {
    pub(crate) distribution: Arc<Distribution>,
    /// Without the session's cookie; `None`: as the viewer sent them.
    pub(crate) headers: Option<Box<HeaderMap>>,
}

/// The primary, or the staging distribution in its place. Without one in the stack, the primary.
pub(crate) fn deployed(
    exchange: &mut Exchange,
    primary: Arc<Distribution>,
    deployment: &ContinuousDeployment,
    headers: &HeaderMap,
) -> Deployed {
    let now = exchange.shared().clock.wall();
    let route = deployment.route(headers, now, fastrand::f64());
    exchange.set_cookie(route.set_cookie);
    exchange.came_to(&primary);
    let headers = deployment.has_sessions().then(|| {
        let mut headers = Box::new(headers.clone());
        remove_session(&mut headers);
        headers
    });
    let staging = match route.side {
        Side::Primary => None,
        Side::Staging => exchange.stack.distribution_with_id(&deployment.staging).cloned(),
    };
    Deployed { distribution: staging.unwrap_or(primary), headers }
}
