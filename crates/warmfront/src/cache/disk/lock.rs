//! One process at a time in a cache directory.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const NAME: &str = "cache.pid";

/// Why a cache directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process has it.
    #[error(
        "the cache directory {} is in use by process {pid}. Stop that process, or give this one a \
         directory of its own",
        directory.display()
    )]
    Taken {
        /// Which directory.
        directory: PathBuf,
        /// By whom; `unknown` when it has not said yet.
        pid: String,
    },
    /// The system refuses.
    #[error("the cache directory {}: cannot {action}: {source}", directory.display())]
    System {
        /// Which directory.
        directory: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What came of it.
        #[source]
        source: io::Error,
    },
    /// So small a store would hold next to nothing.
    #[error("a disk cache of {limit} bytes is too small: it needs {least} at least")]
    TooSmall {
        /// The limit that was asked for, in bytes.
        limit: u64,
        /// The least, in bytes.
        least: u64,
    },
}

/// A directory that is ours until the value is dropped, or the process ends however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Locks `directory`, made with mode 0700 when it is not there.
    pub(crate) fn take(directory: &Path) -> Result<Self, DiskError> {
        let system = |action| {
            let directory = directory.to_owned();
            move |source| DiskError::System { directory, action, source }
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(system("make it"))?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file =
            options.open(directory.join(NAME)).map_err(system("open cache.pid in it"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = (&mut file).take(20).read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() { "unknown" } else { pid.trim() }.to_owned();
                return Err(DiskError::Taken { directory: directory.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(system("lock cache.pid in it")(error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(system("write cache.pid in it"))?;
        Ok(Self { _file: file })
    }
}
