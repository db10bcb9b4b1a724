//! Why an invocation has no result, for the log of whoever has to mend it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::frame::FrameError;
use super::node::NoNode;
use super::python::NoPython;

/// Why an invocation has no result. Only the function's name is missing: the caller has it.
#[derive(Debug, Clone, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in each message")]
pub enum InvokeError {
    /// The handler threw, rejected, or answered with an error.
    #[error("{0}")]
    Failed(FunctionError),
    /// The handler's module could not be loaded.
    #[error("does not start: {0}")]
    Init(FunctionError),
    /// The worker process ended before it answered.
    #[error("Runtime.ExitError: the worker ended before it answered ({reason})")]
    Exited { reason: String },
    /// The handler ran into the function's `Timeout`; its worker was ended.
    #[error("timed out after {} s", .after.as_secs_f64())]
    TimedOut { after: Duration },
    /// The worker sent what is no frame.
    #[error("the worker wrote to descriptor 4, which is the edge's: {0}")]
    Garbled(FrameError),
    /// The event is larger than Lambda takes.
    #[error("the event has {bytes} bytes, more than the {limit} that Lambda takes")]
    TooLarge { bytes: usize, limit: usize },
    /// All workers are busy and the queue is full.
    #[error("{waiting} invocations wait already; allow more at once with --function-concurrency")]
    QueueFull { waiting: usize },
    /// All workers stayed busy.
    #[error(
        "no worker was free within {} s; allow more at once with --function-concurrency",
        .waited.as_secs_f64()
    )]
    QueueTimeout { waited: Duration },
    /// There is no Node.js.
    #[error(transparent)]
    NoNode(#[from] NoNode),
    /// There is no Python.
    #[error(transparent)]
    NoPython(#[from] NoPython),
    /// The function is neither for Node.js nor for Python.
    #[error("the runtime {runtime} cannot be run here yet; nodejs… and python3… can")]
    UnsupportedRuntime { runtime: String },
    /// The host was shut down.
    #[error("the functions were shut down")]
    Stopped,
}

/// An error as Lambda tells it, with the place where it happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionError {
    /// `TypeError`, `Runtime.ImportModuleError`.
    pub error_type: String,
    /// What it says.
    pub message: String,
    /// The trace, line by line.
    pub trace: Vec<String>,
    /// `src/handler.js:12:5`, below the function's own code, if the trace names such a place.
    pub location: Option<String>,
}

impl std::fmt::Display for FunctionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)?;
        match &self.location {
            Some(location) => write!(f, " ({location})"),
            None => Ok(()),
        }
    }
}

impl FunctionError {
    /// An error of the edge's own, in the same form.
    pub(crate) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self { error_type: error_type.to_owned(), message: message.into(), ..Self::default() }
    }

    /// Reads `{errorType, errorMessage, trace}`; whatever is missing stays empty.
    pub(crate) fn read(payload: &[u8], root: &Path) -> Self {
        let Ok(value) = serde_json::from_slice::<Value>(payload) else {
            return Self::new("Error", String::from_utf8_lossy(payload));
        };
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let trace: Vec<String> = value["trace"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|line| line.as_str().map(str::to_owned))
            .collect();
        // Python's bootstrap says the place itself: its traces begin at the outer end.
        let told = Some(text("location")).filter(|place| !place.is_empty());
        let location = told.or_else(|| location(&trace, root));
        Self { error_type: text("errorType"), message: text("errorMessage"), trace, location }
    }
}

/// The first place below `root` that a trace names: `file:line` or `file:line:column`.
fn location(trace: &[String], root: &Path) -> Option<String> {
    let mut root = root.to_str()?.to_owned();
    root.push('/');
    trace.iter().find_map(|line| {
        let place = &line[line.find(&root)? + root.len()..];
        let end = place.find([')', ' ', '\'']).unwrap_or(place.len());
        let place = &place[..end];
        let (_, number) = place.split_once(':')?;
        number.starts_with(|c: char| c.is_ascii_digit()).then(|| place.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_first_line_of_the_functions_own_code() {
        for (trace, expected) in [
            (
                &["TypeError: x", "    at exports.handler (/srv/app/src/a.js:12:5)"][..],
                "src/a.js:12:5",
            ),
            (&["/srv/app/bad.js:3", "const = 1", "SyntaxError: Unexpected token"], "bad.js:3"),
            (&["file:///srv/app/bad.mjs:7", "SyntaxError: x"], "bad.mjs:7"),
            (&["Error: x", "    at node:internal/a:1:2", "    at /srv/app/b.js:1:2"], "b.js:1:2"),
            (&["Error: x", "    at file:///srv/app/c.mjs:9:1"], "c.mjs:9:1"),
            (&["Error: no", "    at /srv/other/b.js:1:2"], ""),
            (&["Require stack:", "- /srv/app/index.js"], ""),
            (&[], ""),
        ] {
            let trace: Vec<String> = trace.iter().map(|line| line.to_string()).collect();
            let found = location(&trace, Path::new("/srv/app")).unwrap_or_default();
            assert_eq!(found, expected, "{trace:?}");
        }
    }

    #[test]
    fn an_error_is_told_in_one_sentence_whatever_the_worker_sent() {
        for (payload, expected) in [
            (
                r#"{"errorType":"Error","errorMessage":"no","trace":["at f (/r/a.js:1:2)"]}"#,
                "Error: no (a.js:1:2)",
            ),
            (r#"{"errorType":"string","errorMessage":"no"}"#, "string: no"),
            ("not JSON", "Error: not JSON"),
        ] {
            let error = FunctionError::read(payload.as_bytes(), Path::new("/r"));
            assert_eq!(error.to_string(), expected);
        }
    }
}
