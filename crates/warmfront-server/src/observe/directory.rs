//! Logs as files of gzip below a directory, named as CloudFront names them in a bucket.
//!
//! Lines come with the name of their file up to the hour ([`frame`]). Each file is written as
//! `<name>.<unique>.gz.part`, a gzip member for every batch of lines, so what lies on the disk is whole
//! at any moment, also after a crash; it gets its name without `.part` when its hour is over, or when it
//! is five minutes old or large.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::date::hour_of;
use super::sink::Outlet;
use super::trouble::{Trouble, lines};

/// Lines of one file that wait in memory, at most; then they are compressed and written.
const BATCH_BYTES: usize = 256 << 10;
/// Text in one file, at most.
const FILE_BYTES: u64 = 64 << 20;
/// CloudFront delivers several times an hour.
const FILE_AGE: Duration = Duration::from_secs(300);
/// How often lines that wait are written, and the clock is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Directory {
    root: PathBuf,
    header: Vec<u8>,
    /// By name up to the hour. One for each distribution and hour, so there are few.
    open: HashMap<String, OpenFile>,
    trouble: Trouble,
}

#[derive(Debug)]
struct OpenFile {
    hour: u64,
    since: Duration,
    /// With lines once something is on the disk.
    written: Option<Written>,
    waiting: Vec<u8>,
    text_bytes: u64,
}

#[derive(Debug)]
struct Written {
    file: File,
    part: PathBuf,
    path: PathBuf,
    bytes: u64,
}

/// Appends a line that knows its file: name, hour, and what `line` writes.
pub(super) fn frame(
    out: &mut Vec<u8>,
    name: &str,
    finished: SystemTime,
    line: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(&(name.len() as u32).to_le_bytes());
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(&hour_of(finished).to_le_bytes());
    let length = out.len();
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    line(out);
    let line_bytes = (out.len() - start) as u32;
    out[length..start].copy_from_slice(&line_bytes.to_le_bytes());
}

/// Takes one line off the front: its file's name, its hour, and itself.
fn unframed<'a>(bytes: &mut &'a [u8]) -> Option<(&'a str, u64, &'a [u8])> {
    let name_bytes = u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?);
    let name = std::str::from_utf8(bytes.split_off(..name_bytes as usize)?).ok()?;
    let hour = u64::from_le_bytes(*bytes.split_off(..8)?.first_chunk()?);
    let line_bytes = u32::from_le_bytes(*bytes.split_off(..4)?.first_chunk()?);
    Some((name, hour, bytes.split_off(..line_bytes as usize)?))
}

impl Directory {
    /// Files below `root`, each beginning with `header`.
    pub(super) fn open(root: &Path, header: Vec<u8>, trouble: Trouble) -> io::Result<Self> {
        fs::create_dir_all(root).map_err(|error| super::at(root, &error))?;
        Ok(Self { root: root.to_owned(), header, open: HashMap::new(), trouble })
    }

    fn add(&mut self, name: &str, hour: u64, line: &[u8]) {
        let since = self.trouble.monotonic();
        if !self.open.contains_key(name) {
            let new = OpenFile {
                hour,
                since,
                written: None,
                waiting: self.header.clone(),
                text_bytes: 0,
            };
            self.open.insert(name.to_owned(), new);
        }
        let file = self.open.get_mut(name).expect("inserted just above");
        file.waiting.extend_from_slice(line);
        file.text_bytes += line.len() as u64;
        if file.waiting.len() >= BATCH_BYTES {
            self.write(name);
        }
    }

    /// Writes the lines that wait for this file; they are lost when that fails.
    fn write(&mut self, name: &str) {
        let Some(file) = self.open.get_mut(name) else { return };
        if file.waiting.is_empty() {
            return;
        }
        if let Err(error) = file.write(&self.root, name) {
            let header = if file.written.is_none() { lines(&self.header) } else { 0 };
            let lost = lines(&file.waiting).saturating_sub(header);
            self.trouble.lost(lost, super::at(&self.root.join(name), &error));
            if file.written.is_none() {
                // The next line begins the file anew.
                self.open.remove(name);
                return;
            }
        }
        file.waiting.clear();
    }

    fn close(&mut self, name: &str) {
        self.write(name);
        let Some(OpenFile { written: Some(written), .. }) = self.open.remove(name) else { return };
        if let Err(error) = fs::rename(&written.part, &written.path) {
            // The lines are there, under the other name.
            self.trouble.lost(0, super::at(&written.part, &error));
        }
    }

    fn names(&self, which: impl Fn(&OpenFile) -> bool) -> Vec<String> {
        let files = self.open.iter().filter(|(_, file)| which(file));
        files.map(|(name, _)| name.clone()).collect()
    }
}

impl OpenFile {
    fn write(&mut self, root: &Path, name: &str) -> io::Result<()> {
        if self.written.is_none() {
            self.written = Some(Written::create(root, name)?);
        }
        let written = self.written.as_mut().expect("created just above");
        let mut member = GzEncoder::new(Vec::new(), Compression::default());
        member.write_all(&self.waiting)?;
        let member = member.finish()?;
        if let Err(error) = written.file.write_all(&member) {
            // No half member stays.
            let _ = written.file.set_len(written.bytes);
            if written.bytes == 0 {
                let _ = fs::remove_file(&written.part);
                self.written = None;
            }
            return Err(error);
        }
        written.bytes += member.len() as u64;
        Ok(())
    }
}

impl Written {
    fn create(root: &Path, name: &str) -> io::Result<Self> {
        let unique = fastrand::u32(..);
        let path = root.join(format!("{name}.{unique:08x}.gz"));
        let part = root.join(format!("{name}.{unique:08x}.gz.part"));
        if let Some(parent) = part.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = File::options().append(true).create_new(true).open(&part)?;
        Ok(Self { file, part, path, bytes: 0 })
    }
}

impl Outlet for Directory {
    fn take(&mut self, mut bytes: &[u8], dropped: u64) -> bool {
        if dropped > 0 {
            self.trouble.lost(dropped, "they came faster than they could be written");
        }
        while let Some((name, hour, line)) = unframed(&mut bytes) {
            self.add(name, hour, line);
        }
        true
    }

    fn tick(&mut self) {
        let (now, hour) = (self.trouble.monotonic(), hour_of(self.trouble.now()));
        let is_over = |file: &OpenFile| {
            file.hour < hour || file.since + FILE_AGE <= now || file.text_bytes >= FILE_BYTES
        };
        for name in self.names(is_over) {
            self.close(&name);
        }
        for name in self.names(|file| !file.waiting.is_empty()) {
            self.write(&name);
        }
    }

    fn finish(&mut self) {
        for name in self.names(|_| true) {
            self.close(&name);
        }
    }

    fn period(&self) -> Option<Duration> {
        Some(PERIOD)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use flate2::read::MultiGzDecoder;
    use warmfront::VirtualClock;

    use super::super::counters::Counters;
    use super::super::sink::Sink;
    use super::*;

    struct World {
        root: tempfile::TempDir,
        clock: VirtualClock,
        counters: Arc<Counters>,
        log: Directory,
        _notes: super::super::sink::Drain,
    }

    /// Half past ten.
    const BEGINNING: Duration = Duration::from_secs(1_767_225_600 + 10 * 3600 + 1800);

    impl World {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let clock = VirtualClock::starting_at(SystemTime::UNIX_EPOCH + BEGINNING);
            let counters = Arc::new(Counters::default());
            let (notes, drain) = Sink::start("test", io::sink()).unwrap();
            let trouble =
                Trouble::new("standard", notes, counters.clone(), Arc::new(clock.clone()));
            let log = Directory::open(root.path(), b"#head\n".to_vec(), trouble).unwrap();
            Self { root, clock, counters, log, _notes: drain }
        }

        /// A line that was finished at the clock's time, less `ago` seconds.
        fn line(&mut self, name: &str, line: &str, ago: u64) {
            let finished = self.log.trouble.now() - Duration::from_secs(ago);
            let mut framed = Vec::new();
            frame(&mut framed, name, finished, |out| {
                out.extend_from_slice(line.as_bytes());
                out.push(b'\n');
            });
            assert!(self.log.take(&framed, 0));
        }

        fn pass(&mut self, seconds: u64) {
            self.clock.advance(Duration::from_secs(seconds));
            self.log.tick();
        }

        /// Names without their unique part, and what is in the files.
        fn files(&self) -> Vec<(String, String)> {
            let mut found = Vec::new();
            let mut directories = vec![self.root.path().to_owned()];
            while let Some(directory) = directories.pop() {
                for entry in fs::read_dir(directory).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_dir() {
                        directories.push(path);
                        continue;
                    }
                    let name = path.strip_prefix(self.root.path()).unwrap().to_str().unwrap();
                    let (start, end) = name.split_once(".gz").unwrap();
                    let (start, unique) = start.rsplit_once('.').unwrap();
                    assert_eq!(unique.len(), 8);
                    let mut text = String::new();
                    MultiGzDecoder::new(File::open(&path).unwrap())
                        .read_to_string(&mut text)
                        .unwrap();
                    found.push((format!("{start}{end}"), text));
                }
            }
            found.sort();
            found
        }

        #[track_caller]
        fn check(&self, expected: &[(&str, &str)]) {
            let found = self.files();
            let found: Vec<_> =
                found.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            assert_eq!(found, expected);
        }

        fn lost(&self) -> String {
            let text = self.counters.prometheus(&[]);
            let mut lines = text.lines();
            lines
                .find_map(|line| line.strip_prefix("warmfront_log_lines_lost_total "))
                .unwrap()
                .into()
        }
    }

    #[test]
    fn a_file_is_whole_at_any_moment_and_named_when_its_hour_is_over() {
        let mut world = World::new();
        world.line("b/E.10", "one", 0);
        world.check(&[]);
        world.pass(1);
        world.check(&[("b/E.10.part", "#head\none\n")]);
        world.line("b/E.10", "two", 0);
        world.line("b/F.10", "other", 0);
        world.pass(1);
        world.check(&[("b/E.10.part", "#head\none\ntwo\n"), ("b/F.10.part", "#head\nother\n")]);
        world.log.finish();
        world.check(&[("b/E.10", "#head\none\ntwo\n"), ("b/F.10", "#head\nother\n")]);
    }

    #[test]
    fn the_hour_turns() {
        let mut world = World::new();
        world.pass(1700);
        world.line("E.10", "before", 0);
        world.pass(99);
        world.check(&[("E.10.part", "#head\nbefore\n")]);
        world.clock.advance(Duration::from_secs(1));
        world.line("E.11", "after", 0);
        world.line("E.10", "late", 1);
        world.log.tick();
        world.check(&[("E.10", "#head\nbefore\nlate\n"), ("E.11.part", "#head\nafter\n")]);
        // A line of the hour before that comes when its file has its name gets another file.
        world.line("E.10", "later", 1);
        world.pass(1);
        let files = world.files();
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["E.10", "E.10", "E.11.part"]);
    }

    #[test]
    fn a_file_ends_after_five_minutes_or_when_it_is_large() {
        let mut world = World::new();
        world.line("E.10", "one", 0);
        world.pass(299);
        world.check(&[("E.10.part", "#head\none\n")]);
        world.pass(1);
        world.check(&[("E.10", "#head\none\n")]);
        world.line("F.10", &"x".repeat(BATCH_BYTES), 0);
        world.check(&[("E.10", "#head\none\n"), ("F.10.part", &world.files()[1].1)]);
        world.log.open.get_mut("F.10").unwrap().text_bytes = FILE_BYTES;
        world.log.tick();
        assert_eq!(world.files()[1].0, "F.10");
    }

    #[test]
    fn a_directory_that_cannot_be_written_costs_lines_that_are_counted() {
        let mut world = World::new();
        // A file where a directory would have to be.
        fs::write(world.root.path().join("b"), "").unwrap();
        world.line("b/E.10", "one", 0);
        world.line("b/E.10", "two", 0);
        world.line("E.10", "three", 0);
        world.pass(1);
        assert_eq!(world.lost(), "2");
        fs::remove_file(world.root.path().join("b")).unwrap();
        world.line("b/E.10", "four", 0);
        world.pass(1);
        world.check(&[("E.10.part", "#head\nthree\n"), ("b/E.10.part", "#head\nfour\n")]);
        assert!(world.log.take(&[], 5));
        assert_eq!(world.lost(), "7");
    }
}
