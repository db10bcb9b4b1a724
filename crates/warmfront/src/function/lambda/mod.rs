//! Lambda functions on real Node.js and Python: worker processes, kept warm, reached over pipes.
//!
//! [`LambdaHost`] owns every worker on one I/O thread of its own, so that the same warm worker serves
//! callers on any runtime and any core. It takes JSON and gives JSON; what the JSON means is the
//! business of whoever calls.

mod environment;
mod error;
mod files;
mod frame;
mod host;
mod log;
mod node;
mod pool;
mod process;
mod program;
mod python;
#[cfg(test)]
mod tests;
mod worker;

pub use error::{FunctionError, InvokeError};
pub use frame::FrameError;
pub use host::{HostOptions, LambdaHost};
pub use log::{FunctionLog, LINE_LIMIT, LogSink, LogSource, OUTPUT_LIMIT};
pub use node::{NoNode, NodeRuntime, OLDEST_NODE};
pub use python::{NoPython, OLDEST_PYTHON, PythonRuntime};
