//! Functions that run beside the edge: a template's own Lambda functions, on real Node.js.
//!
//! [`lambda`] runs handlers in worker processes and knows nothing of HTTP; [`http_api`] is the API
//! Gateway HTTP API in front of them.

pub mod http_api;
pub mod lambda;

pub use http_api::call_http_api;
pub use lambda::{
    FunctionLog, HostOptions, InvokeError, LambdaHost, LogSource, NoNode, NodeRuntime,
};
