//! Where cases come from: files, directories of files, and the fenced blocks of a document.

use std::path::{Path, PathBuf};

/// Directories deeper than this are not searched.
const DEEPEST: usize = 16;

/// The text of one case and the name it is reported under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file; for a block of a document, the lines before it are kept empty so that line numbers fit.
    pub name: String,
    /// What to give to [`Case::parse`](crate::Case::parse).
    pub text: String,
}

/// Every `.case` file under `path`, sorted; `path` itself if it is a file.
pub fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(path, DEEPEST, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        // Also one that does not exist: reading it tells the reason.
        found.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?.path();
        let is_case = entry.extension().is_some_and(|extension| extension == "case");
        if (entry.is_dir() && depth > 0) || is_case {
            collect(&entry, depth - 1, found)?;
        }
    }
    Ok(())
}

/// The fenced blocks of `document` that are marked as `case`.
pub fn fenced(name: &str, document: &str) -> Vec<Written> {
    let mut cases = Vec::new();
    let mut open: Option<String> = None;
    for (index, line) in document.lines().enumerate() {
        match &mut open {
            None if line.trim_end() == "```case" => open = Some("\n".repeat(index + 1)),
            None => {}
            Some(_) if line.trim_end() == "```" => {
                let text = open.take().unwrap_or_default();
                cases.push(Written { name: name.to_owned(), text });
            }
            Some(text) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_keeps_its_line_numbers() {
        let document = "# Title\n```case\nfirst\n```\n```yaml\nno\n```\n```case\nsecond\n```\n";
        let cases = fenced("a.md", document);
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[1].text.lines().position(|line| line == "second"), Some(8));
    }

    #[test]
    fn directories_are_searched_and_files_are_taken_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        for file in ["b/two.case", "one.case", "notes.txt"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let found = files(dir.path()).unwrap();
        assert_eq!(found, [dir.path().join("b/two.case"), dir.path().join("one.case")]);
        assert_eq!(files(&dir.path().join("notes.txt")).unwrap().len(), 1);
    }
}
