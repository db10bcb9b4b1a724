//! The files workers need besides the function's own: the bootstrap, and task roots of inline code.
//!
//! All lie in a directory that only its owner may enter. Names carry a hash of the content, so that
//! writing again changes nothing and two versions stand side by side.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use warmfront_core::function::{Code, Runtime};

const BOOTSTRAP: &str = include_str!("bootstrap.js");
const BOOTSTRAP_PYTHON: &str = include_str!("bootstrap.py");

/// The directory, prepared.
#[derive(Debug)]
pub(crate) struct Files {
    directory: PathBuf,
    /// What `node` runs.
    pub(crate) bootstrap: PathBuf,
    /// What `python3` runs.
    pub(crate) bootstrap_python: PathBuf,
}

impl Files {
    /// Makes `directory`, with its parents, and writes the bootstrap.
    pub(crate) fn prepare(directory: &Path) -> io::Result<Self> {
        let named = |error: io::Error| {
            let what =
                format!("the directory for function workers, {}: {error}", directory.display());
            io::Error::new(error.kind(), what)
        };
        private_directory(directory).and_then(|()| only_ours(directory)).map_err(named)?;
        let directory = fs::canonicalize(directory).map_err(named)?;
        let bootstrap = directory.join(format!("bootstrap-{}.cjs", hash(BOOTSTRAP)));
        write_once(&bootstrap, BOOTSTRAP).map_err(named)?;
        let bootstrap_python = directory.join(format!("bootstrap-{}.py", hash(BOOTSTRAP_PYTHON)));
        write_once(&bootstrap_python, BOOTSTRAP_PYTHON).map_err(named)?;
        Ok(Self { directory, bootstrap, bootstrap_python })
    }

    /// The task root of a function: its directory, or one made for its inline code.
    pub(crate) fn task_root(&self, code: &Code, runtime: &Runtime) -> io::Result<PathBuf> {
        match code {
            Code::Directory(directory) => {
                let root = fs::canonicalize(directory);
                match root {
                    Ok(root) if root.is_dir() => Ok(root),
                    Ok(root) => Err(io::Error::other(format!(
                        "the code must be a directory, and {} is a file",
                        root.display()
                    ))),
                    Err(error) => Err(io::Error::new(
                        error.kind(),
                        format!("the code directory {}: {error}", directory.display()),
                    )),
                }
            }
            Code::Inline(text) => {
                let root = self.directory.join(format!("inline-{}", hash(text)));
                private_directory(&root)?;
                if matches!(runtime, Runtime::Python(_)) {
                    write_once(&root.join("index.py"), text)?;
                    return Ok(root);
                }
                // Ends Node's search for the nearest package.json: the project around the state directory
                // must not decide whether index.js is an ES module.
                write_once(&root.join("package.json"), "{}\n")?;
                write_once(&root.join("index.js"), text)?;
                Ok(root)
            }
        }
    }
}

fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Whoever can write here decides what Node runs.
fn only_ours(directory: &Path) -> io::Result<()> {
    if fs::metadata(directory)?.permissions().mode() & 0o022 != 0 {
        let what = "others may write to it; take that right away (chmod go-w) or name another one";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(())
}

/// Writes beside and renames, so that nobody ever reads half a file.
fn write_once(path: &Path, text: &str) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let beside = path.with_extension(format!("{:016x}.tmp", fastrand::u64(..)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn hash(text: &str) -> String {
    Sha256::digest(text)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_and_writing_them_again_changes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("state/functions");
        let files = Files::prepare(&directory).unwrap();
        let mode = fs::metadata(&directory).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let before = fs::metadata(&files.bootstrap).unwrap().modified().unwrap();
        let again = Files::prepare(&directory).unwrap();
        assert_eq!(again.bootstrap, files.bootstrap);
        assert_eq!(fs::metadata(&files.bootstrap).unwrap().modified().unwrap(), before);

        let node = Runtime::Node("nodejs22.x".into());
        let root = files.task_root(&Code::Inline("exports.a = 1".into()), &node).unwrap();
        let other = files.task_root(&Code::Inline("exports.a = 2".into()), &node).unwrap();
        assert_ne!(root, other);
        assert_eq!(fs::read_to_string(root.join("index.js")).unwrap(), "exports.a = 1");
    }

    #[test]
    fn a_code_directory_that_is_not_there_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let files = Files::prepare(parent.path()).unwrap();
        let node = Runtime::Node("nodejs22.x".into());
        let said = files
            .task_root(&Code::Directory("/no/such/code".into()), &node)
            .unwrap_err()
            .to_string();
        assert!(said.contains("the code directory /no/such/code"), "{said}");
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        for (mode, refused) in [(0o777, true), (0o770, true), (0o702, true), (0o755, false)] {
            fs::set_permissions(parent.path(), fs::Permissions::from_mode(mode)).unwrap();
            let prepared = Files::prepare(parent.path());
            assert_eq!(prepared.is_err(), refused, "{mode:o}");
            if let Err(error) = prepared {
                assert!(error.to_string().contains("chmod go-w"), "{error}");
            }
        }
    }
}
