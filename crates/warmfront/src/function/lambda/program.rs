//! The program that runs a function's workers, and how it is told to.

use std::ffi::OsString;
use std::path::PathBuf;

use super::files::Files;
use super::node::NodeRuntime;
use super::python::PythonRuntime;

/// What a worker process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Program {
    Node(NodeRuntime),
    Python(PythonRuntime),
}

/// Part of the function's memory that V8's old space may take, as on Lambda: the rest is for buffers,
/// code and Node itself. What lies outside of V8's heap (buffers) is not limited, and Python's is not.
const HEAP_PERCENT: u32 = 75;

impl Program {
    pub(crate) fn path(&self) -> &PathBuf {
        match self {
            Program::Node(node) => &node.path,
            Program::Python(python) => &python.path,
        }
    }

    pub(crate) fn guard(&self) -> Option<&PathBuf> {
        match self {
            Program::Node(node) => node.guard.as_ref(),
            Program::Python(python) => python.guard.as_ref(),
        }
    }

    /// Its command line, up to and with the bootstrap.
    pub(crate) fn arguments(&self, files: &Files, memory_mib: u32) -> Vec<OsString> {
        match self {
            Program::Node(_) => {
                let heap = u64::from(memory_mib) * u64::from(HEAP_PERCENT) / 100;
                let heap = format!("--max-old-space-size={}", heap.max(32));
                vec![heap.into(), files.bootstrap.clone().into()]
            }
            // Unbuffered; and nothing is written beside the function's code, which Lambda's is read-only.
            Program::Python(_) => {
                vec!["-u".into(), "-B".into(), files.bootstrap_python.clone().into()]
            }
        }
    }
}
