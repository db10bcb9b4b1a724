//! The files of a source: read once, within limits, and remembered for `--watch`.

use std::cell::RefCell;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The largest file that is read. CloudFormation itself stops at 1 MB.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

/// A file that cannot be read; `check` exits with 2.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Missing, a directory, or not ours to read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Above [`MAX_FILE_BYTES`].
    #[error("{} has more than 10 MiB; a template never does", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not text.
    #[error("{}:{line}:{column} is not UTF-8: byte {offset} is {byte:#04x}{hint}", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Where the first byte stands that is no part of a character; counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// The same place in bytes, counted from 0.
        offset: usize,
        /// That byte.
        byte: u8,
        /// What the file seems to be, if it shows.
        hint: &'static str,
    },
    /// A directory without anything in it that could be served.
    #[error("{} has no warmfront.yml, serverless.yml, template.yml or cdk.out", path.display())]
    NothingThere {
        /// The directory.
        path: PathBuf,
    },
}

/// Reads files and keeps their names.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    read: RefCell<Vec<PathBuf>>,
}

impl Sources {
    pub(crate) fn read(&self, path: &Path) -> Result<String, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: path.to_owned(), source };
        {
            let mut read = self.read.borrow_mut();
            if !read.iter().any(|known| known == path) {
                read.push(path.to_owned());
            }
        }
        let file = fs::File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size > MAX_FILE_BYTES {
            return Err(LoadError::TooLarge { path: path.to_owned() });
        }
        // The size is only what the system promised: a pipe has none.
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(LoadError::TooLarge { path: path.to_owned() });
        }
        String::from_utf8(bytes)
            .map_err(|error| not_utf8(path, error.as_bytes(), error.utf8_error().valid_up_to()))
    }

    pub(crate) fn into_files(self) -> Vec<PathBuf> {
        self.read.into_inner()
    }
}

/// `bytes` are text up to `offset`, and the byte there is none.
fn not_utf8(path: &Path, bytes: &[u8], offset: usize) -> LoadError {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    LoadError::NotUtf8 {
        path: path.to_owned(),
        line: 1 + before.matches('\n').count(),
        column: 1 + before.rsplit('\n').next().unwrap_or_default().chars().count(),
        offset,
        byte: bytes[offset],
        hint: match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => " (it looks like UTF-16: save it as UTF-8)",
            [0x1f, 0x8b, ..] => " (it looks like gzip: unpack it first)",
            [b'P', b'K', ..] => " (it looks like a zip archive: unpack it first)",
            _ => "",
        },
    }
}
