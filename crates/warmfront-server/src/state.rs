//! The state directory: one process at a time, readable by its owner only.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// Another process has it.
    #[error(
        "the state directory {} is in use by process {pid}. Stop that process, or give this one its own: \
         --state-dir DIR",
        directory.display()
    )]
    Taken {
        /// Which directory.
        directory: PathBuf,
        /// By whom.
        pid: String,
    },
    /// The system refuses.
    #[error("the state directory {}: cannot {action}: {source}. Another place: --state-dir DIR", directory.display())]
    System {
        /// Which directory.
        directory: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What came of it.
        #[source]
        source: io::Error,
    },
}

/// A state directory that is ours until the value is dropped, or the process ends however it ends.
#[derive(Debug)]
pub(crate) struct State {
    directory: PathBuf,
    _lock: File,
}

impl State {
    /// Where state goes by default: `.warmfront` beside the source.
    pub(crate) fn beside(source: &Path) -> PathBuf {
        // A cdk.out is a directory that a build empties: beside means beside it, too.
        source.parent().unwrap_or(Path::new("")).join(".warmfront")
    }

    /// Opens `directory`, made with mode 0700 when it is not there.
    pub(crate) fn open(directory: PathBuf) -> Result<Self, StateError> {
        let system = |action| {
            let directory = directory.clone();
            move |source| StateError::System { directory, action, source }
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&directory).map_err(system("make it"))?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let path = directory.join("warmfront.pid");
        let mut lock = options.open(&path).map_err(system("open warmfront.pid in it"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = lock.read_to_string(&mut pid);
                let pid = pid.trim();
                let pid = if pid.is_empty() { "unknown" } else { pid }.to_owned();
                return Err(StateError::Taken { directory, pid });
            }
            Err(TryLockError::Error(error)) => {
                return Err(system("lock warmfront.pid in it")(error));
            }
        }
        let written = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(system("write warmfront.pid in it"))?;
        Ok(Self { directory, _lock: lock })
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_second_opening_fails_with_the_first_ones_pid() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/state");
        let first = State::open(directory.clone()).unwrap();
        assert_eq!(fs::metadata(first.directory()).unwrap().permissions().mode() & 0o777, 0o700);
        let error = State::open(directory.clone()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        State::open(directory).unwrap();
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = State::open(file.join("state")).unwrap_err().to_string();
        assert!(error.contains("file/state") && error.contains("--state-dir"), "{error}");
    }

    #[test]
    fn the_default_lies_beside_the_source() {
        let rows = [
            ("serverless.yml", ".warmfront"),
            ("a/b/t.yml", "a/b/.warmfront"),
            ("/x/cdk.out", "/x/.warmfront"),
        ];
        for (source, directory) in rows {
            assert_eq!(State::beside(Path::new(source)), Path::new(directory));
        }
    }
}
