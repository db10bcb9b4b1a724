//! Which Node.js runs the functions, and what to say when there is none.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The oldest Node.js the bootstrap runs on.
pub const OLDEST_NODE: u32 = 20;

/// How long `node` may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Node.js that can run functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRuntime {
    /// The program itself, behind any version manager's wrapper.
    pub path: PathBuf,
    /// `v22.3.0`.
    pub version: String,
    /// util-linux' `setpriv`, where it is there and works: a worker started through it is ended by the
    /// kernel when the edge is killed. Without it, a worker notices at its next read.
    pub(crate) guard: Option<PathBuf>,
}

/// Why no function can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoNode {
    /// There is no such program.
    #[error(
        "no Node.js to run functions with: looked for {looked_for}. \
         Install Node.js {OLDEST_NODE} or newer (apt install nodejs, https://nodejs.org) so that PATH leads to it"
    )]
    Missing {
        /// What was looked for, and where.
        looked_for: String,
    },
    /// There is one, and it is too old.
    #[error(
        "{path} is Node.js {version}, and functions need {OLDEST_NODE} or newer. \
         Install a newer one (https://nodejs.org) and put it first on PATH"
    )]
    TooOld {
        /// Where it was found.
        path: String,
        /// What it said.
        version: String,
    },
    /// The program is there and does not behave like Node.js.
    #[error("{path} does not run as Node.js: {reason}. Install Node.js {OLDEST_NODE} or newer")]
    Broken {
        /// Where it was found.
        path: String,
        /// What happened.
        reason: String,
    },
}

impl NodeRuntime {
    /// Looks for `node` on `PATH` and asks it for its version: takes as long as Node needs to start (about
    /// 50 ms), at most ten seconds.
    pub fn find() -> Result<Self, NoNode> {
        Self::find_at(None)
    }

    /// Like [`find`](NodeRuntime::find), with `program` instead of `node` on `PATH`, if it is given.
    pub fn find_at(program: Option<&Path>) -> Result<Self, NoNode> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = match program {
            Some(program) if program.is_file() => program.to_owned(),
            Some(program) => {
                return Err(NoNode::Missing { looked_for: program.display().to_string() });
            }
            None => on_path("node", &path).ok_or_else(|| NoNode::Missing {
                looked_for: format!("node on PATH ({})", Path::new(&path).display()),
            })?,
        };
        // The version manager's wrapper on PATH needs the user's environment; workers get the real program.
        let answer = ask(Command::new(&program))
            .map_err(|reason| NoNode::Broken { path: program.display().to_string(), reason })?;
        let mut lines = answer.lines();
        let (Some(version), Some(real)) = (lines.next(), lines.next()) else {
            let reason = format!("asked for its version, it printed {answer:?}");
            return Err(NoNode::Broken { path: program.display().to_string(), reason });
        };
        if major(version).is_none_or(|major| major < OLDEST_NODE) {
            let path = program.display().to_string();
            return Err(NoNode::TooOld { path, version: version.to_owned() });
        }
        let real = PathBuf::from(real);
        Ok(Self { path: real, version: version.to_owned(), guard: guard(&path) })
    }
}

/// What `setpriv` is told before the program's own command line.
pub(crate) const GUARD_ARGUMENTS: [&str; 3] = ["--pdeathsig", "KILL", "--"];

/// `setpriv`, where it is there and works.
pub(crate) fn guard(path: &std::ffi::OsStr) -> Option<PathBuf> {
    on_path("setpriv", path).filter(|guard| {
        let mut command = Command::new(guard);
        command.args(GUARD_ARGUMENTS).arg("true");
        run(command).is_ok()
    })
}

pub(crate) fn on_path(name: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    // An empty entry would mean the current directory: nobody's intention here.
    std::env::split_paths(path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn ask(mut command: Command) -> Result<String, String> {
    command.args(["-p", "process.version + '\\n' + process.execPath"]);
    run(command)
}

/// What a program that prints a line or two printed.
pub(crate) fn run(mut command: Command) -> Result<String, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let started = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("no answer within {} s", PATIENCE.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
        }
    };
    if !status.success() {
        return Err(status.to_string());
    }
    let mut stdout = child.stdout.take().expect("stdout was piped");
    std::io::read_to_string(&mut stdout).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn script(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("node");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn the_node_of_this_machine_is_found() {
        let found = NodeRuntime::find().unwrap();
        assert!(major(&found.version).unwrap() >= OLDEST_NODE, "{found:?}");
        assert!(found.path.is_absolute());
    }

    #[test]
    fn what_helps_is_said_as_it_works() {
        let missing = NoNode::Missing { looked_for: "node on PATH (/bin)".to_owned() };
        let too_old = NoNode::TooOld { path: "/bin/node".to_owned(), version: "v1".to_owned() };
        for said in [missing.to_string(), too_old.to_string()] {
            let (_, advice) = said.split_once("Install ").unwrap();
            assert!(advice.contains("PATH") && !advice.contains("name"), "{said}");
        }
    }

    #[test]
    fn a_node_that_cannot_run_functions_is_refused_with_its_reason() {
        let directory = tempfile::tempdir().unwrap();
        let check = |text: &str, expected: &str| {
            let program = script(directory.path(), text);
            let said = NodeRuntime::find_at(Some(&program)).unwrap_err().to_string();
            assert!(said.contains(expected), "{text}: {said}");
            assert!(said.contains("node") && said.contains("20 or newer"), "{said}");
        };
        check("printf 'v18.20.4\\n/usr/bin/node\\n'", "is Node.js v18.20.4");
        check("echo busybox", "it printed \"busybox\\n\"");
        check("exit 3", "exit status: 3");
        let nowhere = directory.path().join("nowhere");
        let said = NodeRuntime::find_at(Some(&nowhere)).unwrap_err().to_string();
        assert!(said.contains("looked for") && said.contains("nowhere"), "{said}");
    }
}
