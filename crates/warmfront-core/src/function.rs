//! Lambda functions that a source brings along. The APIs in front of them are `api`'s.

use std::path::PathBuf;
use std::time::Duration;

/// A Lambda function of the source, ready to be run in a worker process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name of the resource in the template.
    pub logical_id: String,
    /// The function's name: for the log, `AWS_LAMBDA_FUNCTION_NAME` and `--function-env`.
    pub name: String,
    /// The language that runs it.
    pub runtime: Runtime,
    /// `file.export`, relative to the code.
    pub handler: String,
    /// Where the code is.
    pub code: Code,
    /// Environment variables of the function, in the order of the source.
    pub environment: Vec<(String, String)>,
    /// Limit of one invocation (1-900 s; Lambda's default is 3 s, serverless' is 6 s).
    pub timeout: Duration,
    /// `MemorySize` in MiB.
    pub memory_mib: u32,
    /// How many invocations may run at once; `None`: the host's default.
    pub concurrency: Option<usize>,
}

/// Which program runs a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// Any `nodejs…`; the value is kept as written, for the log.
    Node(String),
    /// Any `python3…`, as written.
    Python(String),
    /// A runtime that cannot be run yet, as written.
    Unsupported(String),
}

/// Where a function's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A directory: the task root.
    Directory(PathBuf),
    /// `ZipFile` in a template: the text of `index.js`, or `index.py`.
    Inline(String),
}

impl Runtime {
    /// The runtime as the source has it, such as `python3.12`.
    pub fn as_written(&self) -> &str {
        match self {
            Runtime::Node(text) | Runtime::Python(text) | Runtime::Unsupported(text) => text,
        }
    }
}
