//! An API Gateway HTTP API in front of local functions: payload format 2.0, both ways.
//!
//! Which route answers is [`HttpApi::route`]'s decision; running the function is [`LambdaHost`]'s work.
//! A handler that throws, exits or runs out of time is an [`OriginError`] here, so that the viewer gets the
//! edge's own 502 or 504 and the log the reason; API Gateway would hide both behind a 500.

mod answer;
mod event;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use warmfront_core::function::{Function, HttpApi};

use super::lambda::{InvokeError, LambdaHost};
use crate::body::Body;
use crate::clock::Clock;
use crate::origin::{OriginError, OriginRequest, OriginResponse};

/// Largest request body (API Gateway quotas: HTTP API payload size); beyond it the answer is 413. The event
/// made of it must also keep within Lambda's 6 MB, with the same answer.
pub const REQUEST_BODY_LIMIT: usize = 10 * 1024 * 1024;

/// Runs the function behind the route of `api` that answers `request`.
///
/// Dropping the future gives up a request that waits
/// for a worker; a running invocation is finished and its answer dropped.
pub async fn call_http_api(
    host: &LambdaHost,
    api: &HttpApi,
    request: OriginRequest,
    clock: &dyn Clock,
) -> Result<OriginResponse, OriginError> {
    let OriginRequest { head, body, viewer, request_id } = request;
    let now = clock.wall();
    let Some((route, path_parameters)) = api.route(&head.method, head.uri.path()) else {
        return Ok(answer::message(StatusCode::NOT_FOUND, "Not Found", &head, &request_id, now));
    };
    let function = &route.function;
    let too_large = |head: &http::request::Parts| {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        answer::message(status, "Request Entity Too Large", head, &request_id, now)
    };
    let body = match collect(body).await {
        Ok(body) => body,
        Err(Refused::TooLarge) => return Ok(too_large(&head)),
        Err(Refused::Broken) => return Err(OriginError::ViewerBody),
    };
    let event = event::Event {
        api,
        route,
        path_parameters: &path_parameters,
        account: host.account(),
        viewer: viewer.ip(),
        request_id: &request_id,
        now,
        head: &head,
        body: &body,
    };
    let payload = Bytes::from(event.to_json());
    drop(body);
    match host.invoke(function, payload, &request_id).await {
        Ok(result) => answer::read(result, &head, &request_id, clock.wall()).map_err(|reason| {
            let function = function.name.clone();
            OriginError::Function { function, reason, timed_out: false }
        }),
        Err(InvokeError::TooLarge { .. }) => Ok(too_large(&head)),
        Err(error) => Err(failure(function, api, &error)),
    }
}

fn failure(function: &Function, api: &HttpApi, error: &InvokeError) -> OriginError {
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
