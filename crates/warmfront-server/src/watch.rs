//! `--watch`: notices when what is being served was saved: the files of the source, the code of its
//! functions, the directories that play origins. What is done about it is `run`'s.
//!
//! The system tells of changes by directory, so the directories that hold the files are watched and not
//! the files: editors save by renaming another file into place. So are those that hold a symbolic link on
//! the way to a file, or from where a directory that is gone would come back. Under a function's code, hidden
//! directories, `node_modules`, `__pycache__` and files that end in `.log`, `.tmp`, `.swp` or `~` are
//! passed over; after an `npm install`, send SIGHUP.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use notify::event::ModifyKind;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// A save is over when nothing more was heard for so long …
const QUIET: Duration = Duration::from_millis(30);
/// … and at the latest after this time: a directory that never rests is acted on all the same.
const LONGEST: Duration = Duration::from_millis(300);
/// Directories that are watched at most; the system has a limit of its own.
const MAX_DIRECTORIES: usize = 8192;
/// Symbolic links on the way to a file that are followed at most, as many as the system's own limit.
const MAX_LINKS: usize = 40;
/// Changed paths that are remembered until somebody looks; beyond, everything counts as changed.
const MAX_PENDING: usize = 4096;

/// A directory that counts with everything below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Tree {
    /// The code of a function.
    Code(PathBuf),
    /// A directory that plays an origin.
    Content(PathBuf),
}

/// What was saved.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Saved {
    /// A file of the source.
    pub(crate) source: bool,
    /// The trees in which something changed.
    pub(crate) trees: Vec<Tree>,
}

/// Watches until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    inbox: Arc<Inbox>,
    watched: HashSet<PathBuf>,
    files: Vec<(PathBuf, Stamp)>,
    /// As they were named, and where that led to: a link on the way may come to lead elsewhere.
    trees: Vec<(Tree, Tree)>,
    /// Written by this program itself.
    own: Vec<PathBuf>,
}

/// What tells one version of a file from the next; `None`: there is no such file.
type Stamp = Option<(SystemTime, u64)>;

/// Where the watcher's thread leaves what it heard.
#[derive(Debug, Default)]
struct Inbox {
    heard: Mutex<Heard>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Heard {
    paths: HashSet<PathBuf>,
    /// Something was missed.
    incomplete: bool,
}

impl Watch {
    /// Watches nothing yet. Changes below `own`, which this program writes, do not count.
    pub(crate) fn start(own: Vec<PathBuf>) -> notify::Result<Self> {
        let inbox = Arc::new(Inbox::default());
        let ear = inbox.clone();
        let watcher = notify::recommended_watcher(move |event| ear.hear(event))?;
        let (watched, files, trees) = (HashSet::new(), Vec::new(), Vec::new());
        let own = own.iter().chain(&terminals()).map(|path| absolute(path)).collect();
        Ok(Self { watcher, inbox, watched, files, trees, own })
    }

    /// Watches `files` and `trees` from now on, and nothing else. The files have been read since `read`:
    /// one that was saved again meanwhile counts as saved. Returns what cannot be watched, and why.
    pub(crate) fn follow(
        &mut self,
        files: &[PathBuf],
        trees: &[Tree],
        read: SystemTime,
    ) -> Vec<String> {
        let old = std::mem::take(&mut self.files);
        for file in files {
            let known = old.iter().find(|(known, _)| known == file).map(|(_, stamp)| *stamp);
            // Of a file that is known, what was found before it was read: a save in between shows.
            let stamp = known.unwrap_or_else(|| stamp(file).filter(|(saved, _)| *saved < read));
            self.files.push((file.clone(), stamp));
        }
        self.trees = trees.iter().map(|tree| (tree.clone(), tree.absolute())).collect();
        let problems = self.watch_directories();
        if let Some((file, _)) = self.files.iter().find(|(file, known)| stamp(file) != *known) {
            self.inbox.hear_of(file);
        }
        problems
    }

    /// Waits until something was saved. May be dropped and called again; nothing is lost.
    pub(crate) async fn saved(&mut self) -> Saved {
        loop {
            if self.inbox.is_empty() {
                self.inbox.wake.notified().await;
            }
            let begun = Instant::now();
            while timeout(QUIET, self.inbox.wake.notified()).await.is_ok()
                && begun.elapsed() < LONGEST
            {}
            let heard = self.inbox.take();
            let saved = self.meaning_of(&heard);
            if saved != Saved::default() {
                return saved;
            }
        }
    }

    fn meaning_of(&mut self, heard: &Heard) -> Saved {
        if heard.incomplete {
            self.watch_directories();
            let trees = self.trees.iter().map(|(named, _)| named.absolute()).collect();
            return Saved { source: true, trees };
        }
        // A directory that was made, removed, moved, or replaced by another of its name: what the system
        // watched may be gone, and what is watched under its name now may be another. What cannot be
        // watched was said when it was followed.
        let mut moved = false;
        for path in &heard.paths {
            if self.watched.remove(path) {
                let _ = self.watcher.unwatch(path);
                moved = true;
            }
            moved |= path.is_dir() || path.is_symlink();
        }
        if moved {
            self.watch_directories();
        }
        let mut saved = Saved::default();
        for (file, known) in &mut self.files {
            let now = stamp(file);
            saved.source |= now != *known;
            *known = now;
        }
        // A template that lies among a function's code is no code.
        let sources: HashSet<PathBuf> = self.files.iter().map(|(file, _)| absolute(file)).collect();
        // What lies somewhere below the logs is not written by us for that.
        let is_own = |path: &PathBuf, tree: &Tree| {
            let mut own = self.own.iter().filter(|own| !tree.path().starts_with(own));
            own.any(|own| path.starts_with(own))
        };
        let paths: Vec<&PathBuf> =
            heard.paths.iter().filter(|path| !sources.contains(*path)).collect();
        for (named, tree) in &self.trees {
            let now = named.absolute();
            if now != *tree || paths.iter().any(|path| tree.has(path) && !is_own(path, tree)) {
                saved.trees.push(now);
            }
        }
        saved
    }

    /// Brings what the system watches for us up to date.
    fn watch_directories(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut wanted = HashSet::new();
        for (file, _) in &self.files {
            collect_holders(file, &mut wanted);
        }
        for (named, tree) in &self.trees {
            collect_holders(named.path(), &mut wanted);
            if !tree.collect(&mut wanted) {
                problems.push(format!(
                    "{} has too many directories ({MAX_DIRECTORIES} are watched at most): \
                     send SIGHUP after changes in the others",
                    tree.path().display()
                ));
            }
        }
        for gone in self.watched.difference(&wanted) {
            // It may have been removed, and with it the watch.
            let _ = self.watcher.unwatch(gone);
        }
        self.watched.retain(|directory| wanted.contains(directory) && directory.is_dir());
        for directory in wanted {
            if self.watched.contains(&directory) {
                continue;
            }
            match self.watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory);
                }
                Err(error) => {
                    problems.push(format!("{} cannot be watched: {error}", directory.display()));
                }
            }
        }
        problems
    }
}

impl Tree {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Tree::Code(path) | Tree::Content(path) => path,
        }
    }

    fn absolute(&self) -> Self {
        match self {
            Tree::Code(path) => Tree::Code(absolute(path)),
            Tree::Content(path) => Tree::Content(absolute(path)),
        }
    }

    /// Whether `tree`, as it was followed, is this one.
    pub(crate) fn is(&self, tree: &Tree) -> bool {
        self.absolute() == *tree
    }

    /// Whether a change of `path` is a change of this tree.
    fn has(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(self.path()) else { return false };
        match self {
            Tree::Content(_) => true,
            Tree::Code(_) => {
                let parts: Vec<&OsStr> = below.iter().collect();
                !parts.iter().any(|part| is_passed_over(part))
                    && !parts.last().is_some_and(|name| is_scratch(name))
            }
        }
    }

    /// Adds this directory and those below it; `false` when there are too many. Links are not followed.
    fn collect(&self, directories: &mut HashSet<PathBuf>) -> bool {
        let mut waiting = vec![self.path().to_owned()];
        while let Some(directory) = waiting.pop() {
            if directories.len() >= MAX_DIRECTORIES {
                return false;
            }
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            let below = entries.flatten().filter(|entry| {
                entry.file_type().is_ok_and(|kind| kind.is_dir()) && self.has(&entry.path())
            });
            waiting.extend(below.map(|entry| entry.path()));
            directories.insert(directory);
        }
        true
    }
}

impl Inbox {
    fn hear(&self, event: notify::Result<Event>) {
        {
            let mut heard = self.lock();
            match event {
                Ok(event) if event.need_rescan() => heard.incomplete = true,
                Ok(event) if is_change(&event.kind) => heard.paths.extend(event.paths),
                Ok(_) => return,
                Err(_) => heard.incomplete = true,
            }
            if heard.paths.len() > MAX_PENDING {
                *heard = Heard { paths: HashSet::new(), incomplete: true };
            }
        }
        self.wake.notify_one();
    }

    fn hear_of(&self, path: &Path) {
        self.lock().paths.insert(path.to_owned());
        self.wake.notify_one();
    }

    fn is_empty(&self) -> bool {
        let heard = self.lock();
        heard.paths.is_empty() && !heard.incomplete
    }

    fn take(&self) -> Heard {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reading a file is told, too, and so are new rights and times.
fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Create(_) | EventKind::Remove(_) => true,
        EventKind::Modify(modified) => !matches!(modified, ModifyKind::Metadata(_)),
        EventKind::Any | EventKind::Access(_) | EventKind::Other => false,
    }
}

fn is_passed_over(part: &OsStr) -> bool {
    let is_hidden = part.as_encoded_bytes().starts_with(b".");
    // Kubernetes turns this link when a ConfigMap has changed whose files are mounted there.
    (is_hidden && part != "..data") || part == "node_modules" || part == "__pycache__"
}

fn is_scratch(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    [&b".log"[..], b".tmp", b".swp", b"~"].iter().any(|end| name.ends_with(end)) || name == b"4913"
}

/// Adds the directories in which an entry could change that leads to `path`: the one it is in, those of
/// symbolic links on the way, and where something on the way is missing, the one where it would appear.
fn collect_holders(path: &Path, directories: &mut HashSet<PathBuf>) {
    let parts = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|part| part.as_os_str().to_owned()).collect()
    };
    let mut at = PathBuf::new();
    let mut to_go = parts(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    let mut links = 0;
    while let Some(part) = to_go.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        match fs::read_link(&next) {
            Ok(target) if links < MAX_LINKS => {
                links += 1;
                directories.insert(at.clone());
                to_go.extend(parts(&target));
            }
            _ if !to_go.is_empty() && next.is_dir() => at = next,
            _ => {
                directories.insert(at);
                return;
            }
        }
    }
}

/// What tells that a file was saved. Follows links, so it also sees one that was pointed elsewhere.
fn stamp(file: &Path) -> Stamp {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// The way the system names it in its events.
fn absolute(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// Files that our own output goes to, as in `warmfront run > access.txt`.
fn terminals() -> Vec<PathBuf> {
    let target = |descriptor| fs::read_link(format!("/proc/self/fd/{descriptor}")).ok();
    [1, 2].into_iter().filter_map(target).filter(|path| path.is_file()).collect()
}

#[cfg(test)]
mod tests;
