//! Functions that run beside the edge: a template's own Lambda functions, on real Node.js or Python.
//!
//! [`lambda`] runs handlers in worker processes and knows nothing of HTTP; [`api`] is the HTTP API,
//! REST API or function URL in front of them.

pub mod api;
pub mod lambda;

pub use api::call_api;
pub use lambda::{
    FunctionLog, HostOptions, InvokeError, LambdaHost, LogSource, NoNode, NoPython, NodeRuntime,
    PythonRuntime,
};
