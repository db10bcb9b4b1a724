//! Functions that run beside the edge: a template's own Lambda functions, on real Node.js.
//!
//! [`lambda`] runs handlers in worker processes and knows nothing of HTTP.

pub mod lambda;

pub use lambda::{
    FunctionLog, HostOptions, InvokeError, LambdaHost, LogSource, NoNode, NodeRuntime,
};
