//! The files of a store, as a seam: the system's in the program, failing ones in tests.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A file's name, made of numbers alone: no byte of a request ever reaches a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum FileName {
    /// Records.
    Segment(u32),
    /// What the segment of this number holds.
    Index(u32),
}

const SEGMENT: &str = "segment";
const INDEX: &str = "index";

impl FileName {
    fn parse(name: &str) -> Option<Self> {
        let (number, kind) = name.split_once('.')?;
        // Only the one spelling that we write.
        let digits =
            number.len() == 8 && number.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u32::from_str_radix(number, 16).ok().filter(|_| digits)?;
        match kind {
            SEGMENT => Some(FileName::Segment(number)),
            INDEX => Some(FileName::Index(number)),
            _ => None,
        }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Segment(number) => write!(f, "{number:08x}.{SEGMENT}"),
            FileName::Index(number) => write!(f, "{number:08x}.{INDEX}"),
        }
    }
}

/// Where a store keeps its files.
pub(crate) trait Media: fmt::Debug + Send + Sync {
    /// The store's own files and their lengths, in no order. Others are not touched.
    fn list(&self) -> io::Result<Vec<(FileName, u64)>>;
    /// An empty file, in place of one that has this name.
    fn create(&self, name: FileName) -> io::Result<Arc<dyn Medium>>;
    /// A file that exists.
    fn open(&self, name: FileName) -> io::Result<Arc<dyn Medium>>;
    /// Deletes a file; who has it open may go on reading.
    fn remove(&self, name: FileName) -> io::Result<()>;
}

/// One open file.
pub(crate) trait Medium: fmt::Debug + Send + Sync {
    /// Reads at most `buffer`, as `pread`.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Fills both buffers from `offset` on, if the bytes are in memory; `false` when the caller would have
    /// to wait for a device, or the system cannot tell.
    fn read_at_once(&self, first: &mut [u8], second: &mut [u8], offset: u64) -> bool;
    /// Writes at most `bytes`, as `pwrite`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Cuts the file.
    fn set_len(&self, length: u64) -> io::Result<()>;
}

/// Fills `buffer`, whatever pieces the system reads in.
pub(crate) fn read_exact_at(
    file: &dyn Medium,
    mut buffer: &mut [u8],
    mut offset: u64,
) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.read_at(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes`, whatever pieces the system takes.
pub(crate) fn write_all_at(file: &dyn Medium, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A directory of the system. Files in it are readable by their owner only.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// Whether the file system answers reads that must not wait. Many do; where one does not, it is asked once.
    answers_at_once: Arc<AtomicBool>,
}

impl Directory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, answers_at_once: Arc::new(AtomicBool::new(true)) }
    }

    /// One whose file system cannot tell what is in memory.
    #[cfg(test)]
    pub(crate) fn that_waits(path: PathBuf) -> Self {
        Self { path, answers_at_once: Arc::new(AtomicBool::new(false)) }
    }

    fn medium(&self, file: File) -> Arc<dyn Medium> {
        Arc::new(SystemFile { file, answers_at_once: self.answers_at_once.clone() })
    }
}

impl Media for Directory {
    fn list(&self) -> io::Result<Vec<(FileName, u64)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().and_then(FileName::parse) else { continue };
            let metadata = entry.metadata()?;
            if metadata.is_file() {
                files.push((name, metadata.len()));
            }
        }
        Ok(files)
    }

    fn create(&self, name: FileName) -> io::Result<Arc<dyn Medium>> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        Ok(self.medium(options.open(self.path.join(name.to_string()))?))
    }

    fn open(&self, name: FileName) -> io::Result<Arc<dyn Medium>> {
        let file = File::options().read(true).write(true).open(self.path.join(name.to_string()))?;
        Ok(self.medium(file))
    }

    fn remove(&self, name: FileName) -> io::Result<()> {
        fs::remove_file(self.path.join(name.to_string()))
    }
}

#[derive(Debug)]
struct SystemFile {
    file: File,
    answers_at_once: Arc<AtomicBool>,
}

impl Medium for SystemFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    #[cfg(target_os = "linux")]
    fn read_at_once(&self, first: &mut [u8], second: &mut [u8], offset: u64) -> bool {
        use rustix::io::{Errno, IoSliceMut, ReadWriteFlags};

        if !self.answers_at_once.load(Relaxed) {
            return false;
        }
        let wanted = first.len() + second.len();
        let mut buffers = [IoSliceMut::new(first), IoSliceMut::new(second)];
        match rustix::io::preadv2(&self.file, &mut buffers, offset, ReadWriteFlags::NOWAIT) {
            Ok(read) => read == wanted,
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                self.answers_at_once.store(false, Relaxed);
                false
            }
            // AGAIN: not in memory. Anything else the waiting read will meet, too.
            Err(_) => false,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn read_at_once(&self, _: &mut [u8], _: &mut [u8], _: u64) -> bool {
        self.answers_at_once.store(false, Relaxed);
        false
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }
}
