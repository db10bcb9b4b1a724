//! `warmfront test`: plays cases against the engine in this process, on a virtual clock.
//!
//! The language and its runner are the crate `warmfront-case`'s; [`in_process`] is the edge they meet.

mod in_process;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use warmfront_case::corpus::{self, Written};
use warmfront_case::{Case, Outcome};

use crate::cli::TestArgs;
use crate::source::UNREADABLE;
use in_process::InProcess;

/// 0: all pass; 1: a case fails, or is none; 2: a file cannot be read.
pub(crate) fn test(args: &TestArgs) -> ExitCode {
    let (source, paths) = split(&args.paths);
    let written = match read_all(paths) {
        Ok(written) => written,
        Err(message) => {
            crate::say(&format!("error: {message}"));
            return ExitCode::from(UNREADABLE);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            crate::say(&format!("error: cannot start the runtime: {error}"));
            return ExitCode::from(UNREADABLE);
        }
    };
    let opener = InProcess::new(&args.from);
    let mut failed = 0;
    for Written { name, text } in &written {
        let passed = match Case::parse(name, text) {
            Ok(case) => {
                let case = match source {
                    Some(source) => case.with_source(source),
                    None => case,
                };
                let mut outcome: Outcome = runtime.block_on(warmfront_case::run(&case, &opener));
                if outcome.passed() {
                    // Failures name their lines themselves.
                    outcome.case.push_str(&place(text));
                }
                crate::print(&outcome.to_string());
                outcome.passed()
            }
            Err(error) => {
                crate::print(&format!("{error}\n"));
                false
            }
        };
        failed += usize::from(!passed);
    }
    crate::print(&format!("{} passed, {failed} failed\n", written.len() - failed));
    ExitCode::from(u8::from(failed > 0))
}

/// `:` and the line where a block of a document begins, empty for a whole file: [`corpus::fenced`] keeps
/// the lines before a block as empty ones.
fn place(text: &str) -> String {
    match text.lines().position(|line| !line.trim().is_empty()) {
        Some(before) if before > 0 => format!(":{}", before + 1),
        _ => String::new(),
    }
}

/// `[SOURCE] CASE…`: what comes first and neither is nor holds cases is a source.
fn split(paths: &[PathBuf]) -> (Option<&Path>, &[PathBuf]) {
    match paths {
        [first, rest @ ..] if !rest.is_empty() && !holds_cases(first) => (Some(first), rest),
        all => (None, all),
    }
}

fn holds_cases(path: &Path) -> bool {
    if path.is_dir() {
        return corpus::files(path).is_ok_and(|files| !files.is_empty());
    }
    path.extension().is_some_and(|extension| extension == "case" || extension == "md")
}

/// Every case of `paths`: files, directories of them, and the blocks of a document.
fn read_all(paths: &[PathBuf]) -> Result<Vec<Written>, String> {
    let mut written = Vec::new();
    for path in paths {
        let unreadable = |path: &Path, error| format!("{} cannot be read: {error}", path.display());
        let files = corpus::files(path).map_err(|error| unreadable(path, error))?;
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| unreadable(&file, error))?;
            let name = file.display().to_string();
            if file.extension().is_some_and(|extension| extension == "md") {
                written.extend(corpus::fenced(&name, &text));
            } else {
                written.push(Written { name, text });
            }
        }
    }
    if written.is_empty() {
        return Err("there is no case: name .case files, or directories that hold some".to_owned());
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_comes_first_or_not_at_all() {
        let root = tempfile::tempdir().unwrap();
        let cases = root.path().join("cases");
        std::fs::create_dir(&cases).unwrap();
        std::fs::write(cases.join("a.case"), "").unwrap();
        let rows: [(&[&str], Option<&str>, usize); 6] = [
            (&["a.case"], None, 1),
            (&["a.case", "b.case"], None, 2),
            (&["t.yml", "a.case"], Some("t.yml"), 1),
            (&["case.md", "a.case"], None, 2),
            (&["t.yml"], None, 1),
            (&[cases.to_str().unwrap(), "a.case"], None, 2),
        ];
        for (paths, source, count) in rows {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            let (found, rest) = split(&paths);
            assert_eq!((found, rest.len()), (source.map(Path::new), count), "{paths:?}");
        }
    }

    #[test]
    fn unreadable_and_empty_are_told_apart_from_failing() {
        let root = tempfile::tempdir().unwrap();
        let missing = read_all(&[root.path().join("none.case")]).unwrap_err();
        assert!(missing.contains("none.case cannot be read"), "{missing}");
        let empty = read_all(&[root.path().to_owned()]).unwrap_err();
        assert!(empty.contains("there is no case"), "{empty}");
    }
}
