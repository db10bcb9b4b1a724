//! The APIs in front of local functions: HTTP APIs, REST APIs and function URLs, payload formats 1.0
//! and 2.0, both ways.
//!
//! Which route answers is [`Api::route`]'s decision; running the function is [`LambdaHost`]'s work.
//! A handler that throws, exits or runs out of time is an [`OriginError`] here, so that the viewer gets the
//! edge's own 502 or 504 and the log the reason; API Gateway would hide both behind a 500.

mod answer;
mod event;
mod payload_v1;
mod payload_v2;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use warmfront_core::api::{Answer, Api, ApiKind, NoRoute, Payload};
use warmfront_core::function::Function;

use super::lambda::{InvokeError, LambdaHost};
use crate::body::Body;
use crate::clock::Clock;
use crate::origin::{OriginError, OriginRequest, OriginResponse};
use answer::Asked;

/// Largest request body (API Gateway quotas: payload size); beyond it the answer is 413. The event
/// made of it must also keep within Lambda's 6 MB, with the same answer.
pub const REQUEST_BODY_LIMIT: usize = 10 * 1024 * 1024;

/// Runs the function behind the route of `api` that answers `request`.
///
/// Dropping the future gives up a request that waits
/// for a worker; a running invocation is finished and its answer dropped.
pub async fn call_api(
    host: &LambdaHost,
    api: &Api,
    request: OriginRequest,
    clock: &dyn Clock,
) -> Result<OriginResponse, OriginError> {
    let OriginRequest { head, body, viewer, request_id } = request;
    let asked = Asked { api, request: &head, request_id: &request_id, now: clock.wall() };
    if let Some(origin) = preflight_of(&head)
        && let Some(answer) = answer::preflight(origin, asked)
    {
        return Ok(answer);
    }
    let found = match api.route(&head.method, head.uri.path()) {
        Ok(found) => found,
        Err(reason) => return Ok(not_routed(reason, asked)),
    };
    let (function, payload) = match &found.route.answer {
        Answer::Function { function, payload } => (function, *payload),
        Answer::Fixed(fixed) => return Ok(answer::fixed(fixed, asked)),
        Answer::NotRun(reason) => {
            let origin = api.domain_name.clone();
            let reason = format!("{}: {reason}", event::route_key(found.route));
            return Err(OriginError::NotRun { origin, reason });
        }
    };
    let too_large = || {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        let message = "Request Entity Too Large";
        answer::message(status, message, "RequestEntityTooLargeException", asked)
    };
    let body = match collect(body).await {
        Ok(body) => body,
        Err(Refused::TooLarge) => return Ok(too_large()),
        Err(Refused::Broken) => return Err(OriginError::ViewerBody),
    };
    let event = event::Event {
        api,
        found: &found,
        account: host.account(),
        viewer: viewer.ip(),
        request_id: &request_id,
        now: asked.now,
        head: &head,
        body: &body,
    };
    let event = Bytes::from(match payload {
        Payload::V1 => event.to_json_v1(),
        Payload::V2 => event.to_json_v2(),
    });
    drop(body);
    match host.invoke(function, event, &request_id).await {
        Ok(result) => {
            let asked = Asked { now: clock.wall(), ..asked };
            answer::read(result, payload, asked).map_err(|reason| {
                let function = function.name.clone();
                OriginError::Function { function, reason, timed_out: false }
            })
        }
        Err(InvokeError::TooLarge { .. }) => Ok(too_large()),
        Err(error) => Err(failure(function, api, &error)),
    }
}

/// Whose preflight a request is.
fn preflight_of(head: &http::request::Parts) -> Option<&str> {
    let is_one =
        head.method == Method::OPTIONS && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    head.headers.get(ORIGIN).filter(|_| is_one)?.to_str().ok()
}

/// What each kind of API says where it has no route.
fn not_routed(reason: NoRoute, asked: Asked<'_>) -> OriginResponse {
    let (status, text, kind) = match (asked.api.kind, reason) {
        (ApiKind::Rest, NoRoute::Stage) => (403, "Forbidden", "ForbiddenException"),
        // REST APIs take what is not there for what must be signed.
        (ApiKind::Rest, NoRoute::Route) => {
            (403, "Missing Authentication Token", "MissingAuthenticationTokenException")
        }
        (ApiKind::Http | ApiKind::Url, _) => (404, "Not Found", "ResourceNotFoundException"),
    };
    let status = StatusCode::from_u16(status).expect("both are statuses");
    answer::message(status, text, kind, asked)
}

fn failure(function: &Function, api: &Api, error: &InvokeError) -> OriginError {
    match error {
        InvokeError::QueueFull { .. } | InvokeError::QueueTimeout { .. } | InvokeError::Stopped => {
            OriginError::Unavailable {
                origin: api.domain_name.clone(),
                reason: format!("function {}: {error}", function.name),
            }
        }
        _ => OriginError::Function {
            function: function.name.clone(),
            reason: error.to_string(),
            timed_out: matches!(error, InvokeError::TimedOut { .. }),
        },
    }
}

enum Refused {
    TooLarge,
    Broken,
}

async fn collect(body: Body) -> Result<Bytes, Refused> {
    match Limited::new(body, REQUEST_BODY_LIMIT).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refused::TooLarge),
        Err(_) => Err(Refused::Broken),
    }
}
