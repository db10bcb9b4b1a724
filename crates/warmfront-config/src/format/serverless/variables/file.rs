//! `${file(x.yml):key}`: files beside the source, read once. Programs are never run, and nothing
//! outside of the source's directory is opened.

use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::{Outcome, Problem, Variables};
use crate::document::{self, Node, quote};
use crate::place::Place;

impl Variables<'_> {
    pub(super) fn file(
        &self,
        name: &str,
        address: &str,
        source: &str,
        at: &Node,
        path: &str,
    ) -> Outcome {
        let extension = Path::new(name).extension().and_then(|it| it.to_str()).unwrap_or_default();
        if matches!(extension, "js" | "cjs" | "mjs" | "ts") {
            return Outcome::Missing(Problem {
                message: format!("{} is a program, and nothing in a source is run", quote(name)),
                help: Some(format!(
                    "pass the value: --opt '{source}=VALUE'; a map or list goes into a .yml file, for ${{file(…)}}"
                )),
                is_elsewhere: true,
            });
        }
        let relative = clean(Path::new(name));
        let Some(relative) = relative else {
            let message = format!("{} lies outside of the directory of the source", quote(name));
            self.fail(
                at,
                path,
                message,
                Some("copy it into the directory, or link it there by its content".to_owned()),
            );
            return Outcome::Failed;
        };
        let file = self.directory.join(&relative);
        let is_inside = match (file.canonicalize(), self.directory.canonicalize()) {
            (Ok(file), Ok(directory)) => file.starts_with(directory),
            _ => true,
        };
        if !is_inside {
            let message = format!("{} leads outside of the directory of the source", quote(name));
            self.fail(at, path, message, None);
            return Outcome::Failed;
        }
        let shown = if self.directory == Path::new(".") { relative } else { file.clone() };
        let tree = match self.read_file(&file, &shown, extension) {
            Ok(Some(tree)) => tree,
            Ok(None) => return Outcome::Failed,
            Err(message) => {
                return Outcome::Missing(Problem { message, help: None, is_elsewhere: false });
            }
        };
        self.in_tree(&tree, address, source, at, path)
    }

    fn read_file(
        &self,
        file: &Path,
        shown: &Path,
        extension: &str,
    ) -> Result<Option<Rc<Node>>, String> {
        if let Some(known) = self.files.borrow().get(file) {
            return Ok(known.clone());
        }
        let text = self.sources.read(file).map_err(|error| error.to_string())?;
        let name: Arc<str> = shown.display().to_string().into();
        let tree = match extension {
            "yml" | "yaml" | "json" => {
                let before = self.problems.count();
                let tree = document::parse(&text, &name, self.problems);
                self.problems.make_strict_from(before);
                tree
            }
            _ => Some(Node::text(text, Place::start_of(&name))),
        };
        let tree = tree.map(Rc::new);
        self.files.borrow_mut().insert(file.to_owned(), tree.clone());
        Ok(tree)
    }
}

/// The path without `.` and `..`; `None` when it leaves its directory.
fn clean(path: &Path) -> Option<PathBuf> {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => cleaned.push(name),
            Component::ParentDir if cleaned.pop() => {}
            _ => return None,
        }
    }
    Some(cleaned)
}
