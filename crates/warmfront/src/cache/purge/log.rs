//! Purges on disk, so that none is forgotten when the process ends, however it ends.
//!
//! A file of lines, each with a checksum over everything before it in the file and itself. A line is added and
//! brought to the disk (fsync) before its purge is acknowledged. When most lines say nothing any more, the file
//! is written anew beside and renamed. A last line without its end was never acknowledged and is cut off. Anything
//! else that does not fit means damage: then nobody knows what was purged, and everything stored before is.
//!
//! ```text
//! warmfront-purges 1
//! 3f0c2b8a91d4e657 1767225600000000 reserved
//! 9a61e0f2c37b5d18 1767225600000001 gone E2EXAMPLE00001 path /a?b=1
//! 07d5b9c4f1a8e362 1767225600000002 soft E2EXAMPLE00001 tag product:42
//! ```

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use warmfront_core::caching::{Invalidation, invalidation};

use super::Record;

/// What a log keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A purge.
    Purge(Record),
    /// What was stored before this epoch is gone.
    Floor(u64),
    /// Epochs up to this one may have been used.
    Reserved(u64),
}

impl Entry {
    /// The epoch that it names.
    pub(super) fn epoch(&self) -> u64 {
        match self {
            Entry::Purge(record) => record.epoch,
            Entry::Floor(epoch) | Entry::Reserved(epoch) => *epoch,
        }
    }
}

/// Keeps entries over the end of the process: the seam behind which the file lives.
pub trait PurgeLog: std::fmt::Debug + Send {
    /// Adds `entries`. They are safe when this returns, also if the power fails then. After an error the next
    /// call is [`PurgeLog::rewrite`].
    fn append(&mut self, entries: &[Entry]) -> io::Result<()>;

    /// Keeps `entries` instead of everything before.
    fn rewrite(&mut self, entries: &mut dyn Iterator<Item = Entry>) -> io::Result<()>;

    /// How many entries there are, those that say nothing any more included.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A log in a file.
#[derive(Debug)]
pub struct FileLog {
    path: PathBuf,
    file: File,
    /// Over all lines.
    sum: Sum,
    /// Octets of whole lines.
    length: u64,
    entries: usize,
}

/// What a file said.
#[derive(Debug)]
pub struct Read {
    /// Its entries, the oldest first.
    pub entries: Vec<Entry>,
    /// Why it cannot be relied on: it was not there, or it is damaged.
    pub trouble: Option<Trouble>,
}

/// Why a file of purges cannot be relied on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It was not there.
    #[error("there was no file of purges")]
    Missing,
    /// It is damaged, and lies under another name now.
    #[error(
        "the file of purges is damaged at line {line}, so everything stored before this start counts as purged; \
         the file was kept as {kept}"
    )]
    Damaged {
        /// Which line, from 1.
        line: usize,
        /// Where it lies.
        kept: String,
    },
}

const HEADER: &str = "warmfront-purges 1\n";
/// A file is written anew before it grows to this size, and a larger one is no file of ours.
const LARGEST: u64 = 256 << 20;

impl FileLog {
    /// Opens the log at `path`, and makes it where it is missing or damaged.
    pub fn open(path: &Path) -> io::Result<(Self, Read)> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        let mut octets = Vec::new();
        let length = file.metadata()?.len();
        if length <= LARGEST {
            file.read_to_end(&mut octets)?;
        }
        let read = match length {
            0 => Err(Trouble::Missing),
            1..=LARGEST => Lines::read(&octets).map_err(|line| damaged(path, line)),
            _ => Err(damaged(path, 1)),
        };
        let mut log =
            Self { path: path.to_owned(), file, sum: Sum::default(), length: 0, entries: 0 };
        match read {
            Ok(lines) => {
                (log.sum, log.length, log.entries) = (lines.sum, lines.length, lines.entries.len());
                log.cut()?;
                Ok((log, Read { entries: lines.entries, trouble: None }))
            }
            Err(trouble) => {
                if let Trouble::Damaged { kept, .. } = &trouble {
                    fs::rename(path, kept)?;
                }
                log.rewrite(&mut std::iter::empty())?;
                Ok((log, Read { entries: Vec::new(), trouble: Some(trouble) }))
            }
        }
    }

    /// Takes off what comes after the last whole line.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        Ok(())
    }
}

fn damaged(path: &Path, line: usize) -> Trouble {
    let mut kept = path.as_os_str().to_owned();
    kept.push(".damaged");
    Trouble::Damaged { line, kept: PathBuf::from(kept).display().to_string() }
}

impl PurgeLog for FileLog {
    fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut sum = self.sum;
        let text: String = entries.iter().map(|entry| sum.line(entry)).collect();
        let added = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = added {
            // What was written of it must not stand before what comes next.
            let _ = self.cut();
            return Err(error);
        }
        (self.sum, self.length) = (sum, self.length + text.len() as u64);
        self.entries += entries.len();
        Ok(())
    }

    fn rewrite(&mut self, entries: &mut dyn Iterator<Item = Entry>) -> io::Result<()> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&new)?;
        let mut out = io::BufWriter::new(file);
        let (mut sum, mut length, mut count) = (Sum::default(), HEADER.len() as u64, 0);
        out.write_all(HEADER.as_bytes())?;
        for entry in entries {
            let line = sum.line(&entry);
            out.write_all(line.as_bytes())?;
            (length, count) = (length + line.len() as u64, count + 1);
        }
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The new name must be as safe as what it names.
        if let Some(directory) = self.path.parent() {
            let directory =
                if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            File::open(directory)?.sync_all()?;
        }
        (self.file, self.sum, self.length, self.entries) = (file, sum, length, count);
        Ok(())
    }

    fn len(&self) -> usize {
        self.entries
    }
}

/// FNV-1a over every octet so far: any single change, lost or swapped line changes all that follow.
#[derive(Debug, Clone, Copy)]
struct Sum(u64);

impl Default for Sum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Sum {
    fn add(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The line of `entry`, with its end.
    fn line(&mut self, entry: &Entry) -> String {
        let said = said(entry);
        self.add(said.as_bytes());
        format!("{:016x} {said}\n", self.0)
    }
}

fn said(entry: &Entry) -> String {
    match entry {
        Entry::Floor(epoch) => format!("{epoch} floor"),
        Entry::Reserved(epoch) => format!("{epoch} reserved"),
        Entry::Purge(Record { epoch, distribution, item, soft }) => {
            let how = if *soft { "soft" } else { "gone" };
            let (kind, text) = match item {
                Invalidation::Path(text) => ("path", text),
                Invalidation::Prefix(text) => ("prefix", text),
                Invalidation::Tag(text) => ("tag", text),
            };
            // Without spaces, all of them.
            let distribution = invalidation::spelled(distribution);
            format!("{epoch} {how} {distribution} {kind} {text}")
        }
    }
}

fn heard(said: &str) -> Option<Entry> {
    let mut words = said.split(' ');
    let epoch = words.next()?.parse().ok()?;
    let soft = match (words.next()?, words.next()) {
        ("floor", None) => return Some(Entry::Floor(epoch)),
        ("reserved", None) => return Some(Entry::Reserved(epoch)),
        ("gone", Some(distribution)) => (false, distribution),
        ("soft", Some(distribution)) => (true, distribution),
        _ => return None,
    };
    let (kind, text) = (words.next()?, words.next()?.to_owned());
    let item = match kind {
        "path" => Invalidation::Path(text),
        "prefix" => Invalidation::Prefix(text),
        "tag" => Invalidation::Tag(text),
        _ => return None,
    };
    let (soft, distribution) = (soft.0, soft.1.to_owned());
    words.next().is_none().then_some(Entry::Purge(Record { epoch, distribution, item, soft }))
}

/// A file, read.
struct Lines {
    entries: Vec<Entry>,
    sum: Sum,
    /// Octets of whole lines.
    length: u64,
}

impl Lines {
    /// `Err`: the line that is damaged.
    fn read(octets: &[u8]) -> Result<Self, usize> {
        let Some(mut rest) = octets.strip_prefix(HEADER.as_bytes()) else { return Err(1) };
        let mut lines =
            Self { entries: Vec::new(), sum: Sum::default(), length: HEADER.len() as u64 };
        let mut number = 1;
        while !rest.is_empty() {
            number += 1;
            let Some(end) = rest.iter().position(|octet| *octet == b'\n') else {
                // Torn, unless only its end was changed.
                let whole = rest.len().checked_sub(1).map(|end| &rest[..end]);
                return match whole.and_then(|line| Self::entry(line, lines.sum)) {
                    Some(_) => Err(number),
                    None => Ok(lines),
                };
            };
            let (entry, sum) = Self::entry(&rest[..end], lines.sum).ok_or(number)?;
            lines.entries.push(entry);
            lines.sum = sum;
            lines.length += end as u64 + 1;
            rest = &rest[end + 1..];
        }
        Ok(lines)
    }

    fn entry(line: &[u8], mut sum: Sum) -> Option<(Entry, Sum)> {
        let (written, said) = std::str::from_utf8(line).ok()?.split_once(' ')?;
        sum.add(said.as_bytes());
        (written == format!("{:016x}", sum.0)).then_some(())?;
        Some((heard(said)?, sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let purge = |epoch, text: &str, soft| {
            let item = Invalidation::parse(text).unwrap();
            Entry::Purge(Record { epoch, distribution: "E1".to_owned(), item, soft })
        };
        vec![
            Entry::Reserved(100),
            Entry::Floor(7),
            purge(101, "/a?b=1", false),
            purge(102, "/caf\u{e9} x/*", true),
            purge(103, "#Tag", false),
        ]
    }

    /// A log with these entries, and its file.
    fn written() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("purges");
        let (mut log, read) = FileLog::open(&path).unwrap();
        assert_eq!((read.entries, read.trouble), (Vec::new(), Some(Trouble::Missing)));
        for entry in entries() {
            log.append(&[entry]).unwrap();
        }
        (root, path)
    }

    fn read(path: &Path) -> (FileLog, Read) {
        FileLog::open(path).unwrap()
    }

    #[test]
    fn what_was_written_is_read_again() {
        let (_root, path) = written();
        let (mut log, said) = read(&path);
        assert_eq!((said.entries, said.trouble), (entries(), None));
        assert_eq!(log.len(), 5);
        log.rewrite(&mut entries().drain(2..)).unwrap();
        log.append(&entries()[..1]).unwrap();
        let (log, said) = read(&path);
        let expected = [&entries()[2..], &entries()[..1]].concat();
        assert_eq!((said.entries, said.trouble, log.len()), (expected, None, 4));
    }

    #[test]
    fn a_torn_last_line_is_cut_off_wherever_it_is_torn() {
        let (_root, path) = written();
        let whole = fs::read(&path).unwrap();
        let last = whole[..whole.len() - 1].iter().rposition(|octet| *octet == b'\n').unwrap() + 1;
        for length in last..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            // Only the end of the line is missing: it reads as if it had been changed, which is safe.
            let (mut log, said) = read(&path);
            assert_eq!((&said.entries[..], said.trouble), (&entries()[..4], None), "{length}");
            log.append(&entries()[4..]).unwrap();
            let (_, said) = read(&path);
            assert_eq!((said.entries, said.trouble), (entries(), None), "{length}");
        }
        // As some file systems leave it: longer, and empty there.
        fs::write(&path, [&whole[..last], &[0; 50]].concat()).unwrap();
        assert_eq!(read(&path).1.entries, entries()[..4]);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_damage_and_is_kept_aside() {
        let (root, path) = written();
        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut octets = whole.clone();
            octets[place] ^= 1 << (place % 8);
            fs::write(&path, &octets).unwrap();
            let (_, said) = read(&path);
            assert!(matches!(said.trouble, Some(Trouble::Damaged { .. })), "octet {place}");
            assert_eq!(fs::read(root.path().join("purges.damaged")).unwrap(), octets);
            assert_eq!(read(&path).1.trouble, None, "a new file was begun");
        }
    }

    #[test]
    fn a_lost_line_is_damage() {
        let (_root, path) = written();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        for lost in 1..lines.len() - 1 {
            let mut left = lines.clone();
            left.remove(lost);
            fs::write(&path, left.concat()).unwrap();
            assert!(matches!(read(&path).1.trouble, Some(Trouble::Damaged { .. })), "line {lost}");
        }
    }
}
