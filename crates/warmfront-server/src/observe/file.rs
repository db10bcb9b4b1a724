//! A log in one file, opened again when it is told to: whoever rotates logs moves the file and sends SIGHUP.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::sink::Outlet;
use super::trouble::{Trouble, lines};

/// Asks all log files to be opened again. Clones ask the same files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reopen(Arc<AtomicU64>);

impl Reopen {
    /// The next line goes into the file that then has the name.
    pub(crate) fn ask(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    header: Vec<u8>,
    file: Option<File>,
    reopen: Reopen,
    obeyed: u64,
    trouble: Trouble,
}

impl LogFile {
    /// Appends to `path`; an empty file begins with `header`.
    pub(super) fn open(
        path: &Path,
        header: Vec<u8>,
        reopen: Reopen,
        trouble: Trouble,
    ) -> io::Result<Self> {
        let obeyed = reopen.0.load(Relaxed);
        let mut log = Self { path: path.to_owned(), header, file: None, reopen, obeyed, trouble };
        if let Err(error) = log.opened() {
            return Err(super::at(path, &error));
        }
        Ok(log)
    }

    fn opened(&mut self) -> io::Result<&mut File> {
        let asked = self.reopen.0.load(Relaxed);
        if asked != self.obeyed {
            self.obeyed = asked;
            self.file = None;
        }
        if self.file.is_none() {
            let mut file = OpenOptions::new().append(true).create(true).open(&self.path)?;
            // A named pipe has no length, and gets its header each time it is opened.
            if file.metadata()?.len() == 0 {
                file.write_all(&self.header)?;
            }
            self.file = Some(file);
        }
        Ok(self.file.as_mut().expect("opened just above"))
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.opened()?;
        let before = file.metadata()?.len();
        file.write_all(bytes).inspect_err(|_| {
            // No half line stays.
            let _ = file.set_len(before);
        })
    }
}

impl Outlet for LogFile {
    fn take(&mut self, bytes: &[u8], dropped: u64) -> bool {
        if dropped > 0 {
            self.trouble.lost(dropped, "they came faster than they could be written");
        }
        if !bytes.is_empty()
            && let Err(error) = self.append(bytes)
        {
            let error = super::at(&self.path, &error);
            self.trouble.lost(lines(bytes), error);
            self.file = None;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use warmfront::VirtualClock;

    use super::super::counters::Counters;
    use super::super::sink::Sink;
    use super::*;

    /// A log in `path`, and what counts its losses.
    fn log(path: &Path, header: &str, reopen: &Reopen) -> (io::Result<LogFile>, Arc<Counters>) {
        let counters = Arc::new(Counters::default());
        let (notes, _) = Sink::start("test", io::sink()).unwrap();
        let clock = Arc::new(VirtualClock::starting_at(std::time::SystemTime::UNIX_EPOCH));
        let trouble = Trouble::new("standard", notes, counters.clone(), clock);
        (LogFile::open(path, header.into(), reopen.clone(), trouble), counters)
    }

    #[test]
    fn a_file_that_was_moved_away_is_opened_anew_when_asked() {
        let directory = tempfile::tempdir().unwrap();
        let (path, moved) = (directory.path().join("a.log"), directory.path().join("a.log.1"));
        let reopen = Reopen::default();
        let mut file = log(&path, "#head\n", &reopen).0.unwrap();
        assert!(file.take(b"one\n", 0));
        fs::rename(&path, &moved).unwrap();
        assert!(file.take(b"two\n", 0));
        reopen.ask();
        assert!(file.take(b"three\n", 0));
        assert_eq!(fs::read_to_string(&moved).unwrap(), "#head\none\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "#head\nthree\n");
        // A second program, or the next start, appends.
        let mut next = log(&path, "#head\n", &reopen).0.unwrap();
        assert!(next.take(b"four\n", 0));
        assert_eq!(fs::read_to_string(&path).unwrap(), "#head\nthree\nfour\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none/a.log");
        let error = log(&path, "", &Reopen::default()).0.unwrap_err().to_string();
        assert!(error.contains("none/a.log: "), "{error}");
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted() {
        // Linux: every write to it says that the disk is full.
        let path = Path::new("/dev/full");
        if !path.exists() {
            return;
        }
        let (file, counters) = log(path, "", &Reopen::default());
        assert!(file.unwrap().take(b"one\ntwo\n", 1));
        let text = counters.prometheus(&[]);
        assert!(text.contains("warmfront_log_lines_lost_total 3\n"), "{text}");
        // Where not even the header fits, the start says so.
        let error = log(path, "#head\n", &Reopen::default()).0.unwrap_err().to_string();
        assert!(error.contains("/dev/full: "), "{error}");
    }
}
