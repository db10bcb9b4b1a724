//! `--watch`: notices when what is being served was saved: the files of the source, the code of its
//! functions, the directories that play origins. What is done about it is `run`'s.
//!
//! The system tells of changes by directory, so the directories that hold the files are watched and not
//! the files: editors save by renaming another file into place. Under a function's code, hidden
//! directories, `node_modules`, `__pycache__` and files that end in `.log`, `.tmp`, `.swp` or `~` are
//! passed over; after an `npm install`, send SIGHUP.

use std::collections::HashSet;
use std::ffi::OsStr;
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
    trees: Vec<Tree>,
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
        self.trees = trees.iter().map(Tree::absolute).collect();
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
            return Saved { source: true, trees: self.trees.clone() };
        }
        let mut saved = Saved::default();
        for (file, known) in &mut self.files {
            let now = stamp(file);
            saved.source |= now != *known;
            *known = now;
        }
        // A template that lies among a function's code is no code.
        let sources: HashSet<PathBuf> = self.files.iter().map(|(file, _)| absolute(file)).collect();
        let counts = |path: &&PathBuf| {
            !sources.contains(*path) && !self.own.iter().any(|own| path.starts_with(own))
        };
        let paths: Vec<&PathBuf> = heard.paths.iter().filter(counts).collect();
        let changed = self.trees.iter().filter(|tree| paths.iter().any(|path| tree.has(path)));
        saved.trees = changed.cloned().collect();
        if paths.iter().any(|path| path.is_dir()) {
            // New directories; what cannot be watched was said when it was followed.
            self.watch_directories();
        }
        saved
    }

    /// Brings what the system watches for us up to date.
    fn watch_directories(&mut self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut wanted = HashSet::new();
        for (file, _) in &self.files {
            wanted.extend(file.parent().map(absolute).filter(|parent| parent.is_dir()));
        }
        for tree in &self.trees {
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
    part.as_encoded_bytes().starts_with(b".") || part == "node_modules" || part == "__pycache__"
}

fn is_scratch(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    [&b".log"[..], b".tmp", b".swp", b"~"].iter().any(|end| name.ends_with(end)) || name == b"4913"
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
mod tests {
    use super::*;

    /// How long the system may take to tell.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A directory with a template, an imported file, code and a site.
    struct World {
        root: tempfile::TempDir,
        watch: Watch,
        code: Tree,
        site: Tree,
    }

    impl World {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            for directory in ["code/lib", "code/node_modules/x", "code/.state", "site/a"] {
                fs::create_dir_all(root.path().join(directory)).unwrap();
            }
            fs::write(root.path().join("template.yml"), "1").unwrap();
            let (code, site) = (root.path().join("code"), root.path().join("site"));
            let (code, site) = (Tree::Code(code).absolute(), Tree::Content(site).absolute());
            let mut watch = Watch::start(vec![root.path().join("code/own")]).unwrap();
            fs::write(root.path().join("code/inner.yml"), "1").unwrap();
            let files = ["template.yml", "not-there.yml", "code/inner.yml"];
            let files = files.map(|file| root.path().join(file));
            // The files were saved before they were read.
            let read = SystemTime::now() + Duration::from_secs(1);
            let problems = watch.follow(&files, &[code.clone(), site.clone()], read);
            assert_eq!(problems, Vec::<String>::new());
            Self { root, watch, code, site }
        }

        fn write(&self, path: &str, text: &str) {
            fs::write(self.root.path().join(path), text).unwrap();
        }

        #[track_caller]
        fn hears(&mut self, source: bool, trees: &[&Tree]) {
            let saved = runtime().block_on(async { timeout(PATIENCE, self.watch.saved()).await });
            let trees = trees.iter().map(|tree| (*tree).clone()).collect();
            assert_eq!(saved.expect("something was saved"), Saved { source, trees });
        }
    }

    #[test]
    fn each_kind_of_save_is_told_as_what_it_is() {
        let mut world = World::new();
        let (code, site) = (world.code.clone(), world.site.clone());
        world.write("template.yml", "22");
        world.hears(true, &[]);
        world.write("not-there.yml", "now it is");
        world.hears(true, &[]);
        world.write("template.yml.new", "333");
        let there = world.root.path().join("template.yml");
        fs::rename(world.root.path().join("template.yml.new"), there).unwrap();
        world.hears(true, &[]);
        world.write("code/inner.yml", "22");
        world.hears(true, &[]);
        world.write("code/index.js", "1");
        world.hears(false, &[&code]);
        world.write("site/a/index.html", "1");
        world.hears(false, &[&site]);
        fs::remove_file(world.root.path().join("site/a/index.html")).unwrap();
        world.hears(false, &[&site]);
    }

    #[test]
    fn a_new_directory_is_watched_from_its_first_moment() {
        let mut world = World::new();
        let code = world.code.clone();
        fs::create_dir(world.root.path().join("code/new")).unwrap();
        world.hears(false, &[&code]);
        world.write("code/new/part.js", "1");
        world.hears(false, &[&code]);
    }

    #[test]
    fn what_does_not_count_is_passed_over() {
        let mut world = World::new();
        world.write("unrelated.yml", "1");
        for path in [
            "code/node_modules/x/index.js",
            "code/.state/x",
            "code/out.log",
            "code/index.js~",
            "code/own",
        ] {
            world.write(path, "1");
        }
        fs::read(world.root.path().join("template.yml")).unwrap();
        // Told last, and alone: whatever came before would have been told with it.
        world.write("template.yml", "22");
        world.hears(true, &[]);
    }

    #[test]
    fn a_save_between_reading_and_following_is_not_lost() {
        let mut world = World::new();
        let (template, late) =
            (world.root.path().join("template.yml"), world.root.path().join("late.yml"));
        let trees = world.watch.trees.clone();
        world.write("template.yml", "22");
        world.hears(true, &[]);
        let read = SystemTime::now() - Duration::from_secs(1);
        world.write("template.yml", "333");
        world.watch.follow(std::slice::from_ref(&template), &trees, read);
        world.hears(true, &[]);
        // A file that the source names only now.
        world.write("late.yml", "1");
        world.watch.follow(&[template, late], &trees, read);
        world.hears(true, &[]);
    }

    #[test]
    fn a_flood_of_changes_means_that_everything_changed() {
        let mut world = World::new();
        for number in 0..=MAX_PENDING {
            let path = PathBuf::from(format!("/elsewhere/{number}"));
            let kind = EventKind::Create(notify::event::CreateKind::File);
            world.watch.inbox.hear(Ok(Event::new(kind).add_path(path)));
        }
        let (code, site) = (world.code.clone(), world.site.clone());
        world.hears(true, &[&code, &site]);
    }
}
