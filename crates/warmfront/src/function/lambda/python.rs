//! Which Python runs the functions, and what to say when there is none.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::node::{guard, on_path, run};

/// The oldest Python the bootstrap runs on.
pub const OLDEST_PYTHON: (u32, u32) = (3, 8);

/// A Python that can run functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonRuntime {
    /// The program itself, behind any version manager's wrapper. That of a virtual environment stays
    /// what it is, so that its packages are found.
    pub path: PathBuf,
    /// `3.11.7`.
    pub version: String,
    /// As of [`NodeRuntime`](super::NodeRuntime).
    pub(crate) guard: Option<PathBuf>,
}

/// Why no Python function can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPython {
    /// There is no such program.
    #[error(
        "no Python to run functions with: looked for {looked_for}. \
         Install Python 3.8 or newer (apt install python3, https://www.python.org) so that PATH leads to it"
    )]
    Missing {
        /// What was looked for, and where.
        looked_for: String,
    },
    /// There is one, and it is too old.
    #[error(
        "{path} is Python {version}, and functions need 3.8 or newer; put a newer one first on PATH"
    )]
    TooOld {
        /// Where it was found.
        path: String,
        /// What it said.
        version: String,
    },
    /// The program is there and does not behave like Python.
    #[error("{path} does not run as Python: {reason}. Install Python 3.8 or newer")]
    Broken {
        /// Where it was found.
        path: String,
        /// What happened.
        reason: String,
    },
}

impl PythonRuntime {
    /// Looks for `python3` on `PATH` and asks it for its version: takes as long as Python needs to
    /// start (about 30 ms), at most ten seconds.
    pub fn find() -> Result<Self, NoPython> {
        Self::find_at(None)
    }

    /// Like [`find`](PythonRuntime::find), with `program` instead of `python3` on `PATH`, if it is given.
    pub fn find_at(program: Option<&Path>) -> Result<Self, NoPython> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = match program {
            Some(program) if program.is_file() => program.to_owned(),
            Some(program) => {
                return Err(NoPython::Missing { looked_for: program.display().to_string() });
            }
            None => on_path("python3", &path).ok_or_else(|| NoPython::Missing {
                looked_for: format!("python3 on PATH ({})", Path::new(&path).display()),
            })?,
        };
        let shown = || program.display().to_string();
        let mut command = Command::new(&program);
        command.args(["-c", ASK]);
        let answer = run(command).map_err(|reason| NoPython::Broken { path: shown(), reason })?;
        let mut lines = answer.lines();
        let (Some(version), Some(real)) = (lines.next(), lines.next()) else {
            let reason = format!("asked for its version, it printed {answer:?}");
            return Err(NoPython::Broken { path: shown(), reason });
        };
        if numbers(version).is_none_or(|numbers| numbers < OLDEST_PYTHON) {
            return Err(NoPython::TooOld { path: shown(), version: version.to_owned() });
        }
        let version = version.to_owned();
        Ok(Self { path: PathBuf::from(real), version, guard: guard(&path) })
    }
}

const ASK: &str =
    "import sys; print('.'.join(map(str, sys.version_info[:3]))); print(sys.executable)";

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_python_of_this_machine_is_found() {
        let found = PythonRuntime::find().unwrap();
        assert!(numbers(&found.version).unwrap() >= OLDEST_PYTHON, "{found:?}");
        assert!(found.path.is_absolute());
    }

    #[test]
    fn a_python_that_cannot_run_functions_is_refused_with_its_reason() {
        let directory = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: &str| {
            let program = directory.path().join("python3");
            std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
            let said = PythonRuntime::find_at(Some(&program)).unwrap_err().to_string();
            assert!(said.contains(expected) && said.contains("3.8 or newer"), "{text}: {said}");
        };
        check("printf '3.7.9\\n/usr/bin/python3\\n'", "is Python 3.7.9");
        check("echo busybox", "it printed \"busybox\\n\"");
        check("exit 3", "exit status: 3");
        let nowhere = directory.path().join("nowhere");
        let said = PythonRuntime::find_at(Some(&nowhere)).unwrap_err().to_string();
        assert!(said.contains("looked for") && said.contains("nowhere"), "{said}");
    }
}
