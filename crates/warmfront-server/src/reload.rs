//! What is being served follows its source: read again on SIGHUP, and with `--watch` when it was saved.
//!
//! Requests in flight finish on what they started with. A source with errors changes nothing. Stored
//! responses stay, as they do when a distribution is updated on CloudFront; only what a function or a
//! directory of this program answered is forgotten when that function or directory changed.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use warmfront_config::Loaded;
use warmfront_core::Stack;
use warmfront_core::function::{Code, Function};
use warmfront_core::origin::Target;

use crate::banner::without_effect;
use crate::cli::RunArgs;
use crate::engine::Engine;
use crate::functions::LocalFunctions;
use crate::honesty::{Kind, news, properties};
use crate::observe::Counters;
use crate::run::{Failure, compiled};
use crate::source;
use crate::watch::{Saved, Tree, Watch};

/// The configuration that is being served.
#[derive(Debug)]
pub(crate) struct Live<'a> {
    pub(crate) args: &'a RunArgs,
    pub(crate) source: &'a Path,
    pub(crate) engine: Engine,
    pub(crate) functions: LocalFunctions,
    pub(crate) counters: Arc<Counters>,
    /// What is served.
    pub(crate) stack: Arc<Stack>,
    /// The files it was made of, and when their reading began.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) read: SystemTime,
    /// The properties without effect that were told.
    pub(crate) told: HashSet<String>,
    /// By the id of the distribution; see [`warmfront_core::Distribution::cache_epoch`].
    pub(crate) epochs: HashMap<String, u32>,
}

impl Live<'_> {
    /// Reads the source again.
    pub(crate) fn reload(&mut self) {
        self.read = SystemTime::now();
        let reloaded = source::load(self.source, &self.args.from)
            .map_err(|error| Failure::new(source::UNREADABLE, error))
            .and_then(|loaded| {
                // Also of a source with errors: saving the file that has them must be noticed.
                self.files.clone_from(&loaded.files);
                compiled(loaded)
            });
        self.counters.reloaded(reloaded.is_ok());
        let source = self.source.display();
        match reloaded {
            Ok((stack, loaded)) => {
                let old = self.stack.clone();
                let changed =
                    |function: &Function| !old.functions.iter().any(|known| **known == *function);
                let stack = self.without_answers_of(&stack, &changed, &|_| false);
                self.serve(stack);
                crate::say(&format!("reloaded {source}\n{}", self.news(&loaded)));
            }
            Err(failure) => crate::say(&format!(
                "{}\n{source} was not reloaded: what was served before is still served",
                failure.message.trim_end(),
            )),
        }
    }

    /// Brings what was saved to life.
    pub(crate) fn apply(&mut self, saved: &Saved) {
        if !saved.trees.is_empty() {
            let has = |path: &Path, tree: fn(PathBuf) -> Tree| {
                let tree = tree(path.to_owned());
                saved.trees.iter().any(|saved| tree.is(saved))
            };
            let changed =
                |function: &Function| directory(function).is_some_and(|code| has(code, Tree::Code));
            let content = |root: &Path| has(root, Tree::Content);
            let stack = self.without_answers_of(&self.stack.clone(), &changed, &content);
            self.serve(stack);
            self.counters.reloaded(true);
            let names = saved.trees.iter().map(|tree| tree.path().display().to_string());
            crate::say(&format!("reloaded {}", names.collect::<Vec<_>>().join(", ")));
        }
        if saved.source {
            self.reload();
        }
    }

    /// Tells `watch` what is being served now.
    pub(crate) fn follow(&self, watch: &mut Watch) {
        let code = self.stack.functions.iter().filter_map(|function| directory(function));
        let mut trees: Vec<Tree> = code.map(|code| Tree::Code(code.to_owned())).collect();
        for distribution in &self.stack.distributions {
            trees.extend(distribution.origins.iter().filter_map(|origin| match &origin.target {
                Target::Directory(root) => Some(Tree::Content(root.clone())),
                _ => None,
            }));
        }
        let mut seen = HashSet::new();
        trees.retain(|tree| seen.insert(tree.clone()));
        for problem in watch.follow(&self.files, &trees, self.read) {
            crate::say(&format!("--watch: {problem}"));
        }
    }

    fn serve(&mut self, stack: Stack) {
        let stack = Arc::new(stack);
        // The functions first: the new distributions may call them at once.
        self.functions.swap(stack.clone());
        self.engine.swap(stack.clone());
        self.stack = stack;
    }

    /// `stack`, in which nothing is stored any more of distributions that a changed function or directory
    /// answers for.
    fn without_answers_of(
        &mut self,
        stack: &Stack,
        function: &dyn Fn(&Function) -> bool,
        content: &dyn Fn(&Path) -> bool,
    ) -> Stack {
        let mut stack = stack.clone();
        for distribution in &mut stack.distributions {
            let changed = distribution.origins.iter().any(|origin| match &origin.target {
                Target::Api(api) => api.functions().any(|called| function(called)),
                Target::Directory(root) => content(root),
                Target::Dns | Target::Nodes(_) => false,
            });
            let epoch = self.epochs.entry(distribution.id.clone()).or_default();
            if changed {
                // By chance: a disk cache must not have this one from an earlier run.
                *epoch = fastrand::u32(1..);
            }
            if distribution.cache_epoch != *epoch {
                Arc::make_mut(distribution).cache_epoch = *epoch;
            }
        }
        stack
    }

    /// What has no effect in this source and had none to tell in the one before.
    fn news(&mut self, loaded: &Loaded) -> String {
        let told = std::mem::replace(&mut self.told, properties(loaded));
        without_effect(&news(loaded, Kind::Inert, &told), &news(loaded, Kind::Unprotected, &told))
    }
}

/// Gives each distribution that a function or directory of this program answers for an epoch that no earlier
/// run had: what the disk cache has of an earlier run may be answers of a function that has changed since.
/// Returned are the epochs, by the distribution's id.
pub(crate) fn without_answers_of_earlier_runs(stack: &mut Stack) -> HashMap<String, u32> {
    let mut epochs = HashMap::new();
    for distribution in &mut stack.distributions {
        let answers_itself = distribution
            .origins
            .iter()
            .any(|origin| matches!(origin.target, Target::Api(_) | Target::Directory(_)));
        if answers_itself {
            // Zero is the epoch of all others.
            let epoch = fastrand::u32(1..);
            Arc::make_mut(distribution).cache_epoch = epoch;
            epochs.insert(distribution.id.clone(), epoch);
        }
    }
    epochs
}

fn directory(function: &Function) -> Option<&Path> {
    match &function.code {
        Code::Directory(directory) => Some(directory),
        Code::Inline(_) => None,
    }
}
