//! What a document says is proved somewhere is there: the files and tests that `docs/checklist.md` names.

use super::Finding;
use super::source::Source;

/// The document whose every pointer is followed.
const CHECKLIST: &str = "docs/checklist.md";

/// Where a name in backticks begins that is a file, a directory, or a test as `file::function`.
const ROOTS: &[&str] = &["cases/", "crates/", "acceptance/"];

/// Every file and every test named in the checklist exists.
pub(crate) fn of_the_checklist(sources: &[Source]) -> Vec<Finding> {
    let Some(list) = sources.iter().find(|source| source.path == CHECKLIST) else {
        return vec![Finding::new(CHECKLIST, "is gone: it says what proves each item")];
    };
    let mut findings = Vec::new();
    for (number, line) in list.text.lines().enumerate() {
        let names = line.split('`').skip(1).step_by(2);
        for name in names.filter(|name| ROOTS.iter().any(|root| name.starts_with(root))) {
            let (path, test) = name.split_once("::").unwrap_or((name, ""));
            if !exists(sources, path, test) {
                let what = format!("names {name:?}, which is not there");
                findings.push(Finding::at(list, number + 1, what));
            }
        }
    }
    findings
}

fn exists(sources: &[Source], path: &str, test: &str) -> bool {
    let below = format!("{path}/");
    let mut found = sources.iter().filter(|s| s.path == path || s.path.starts_with(&below));
    match test {
        "" => found.next().is_some(),
        test => found.any(|source| source.code().contains(&format!("fn {test}("))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_is_not_there_is_found() {
        for (line, expected) in [
            ("`cases/a`, `cases/a/b.case` and `crates/x/t.rs::holds`", 0),
            ("`warmfront test cases` and `Ref`", 0),
            ("`cases/b`", 1),
            ("`cases/a/b`", 1),
            ("`crates/x/t.rs::hold` and `crates/x/t.rs::gone`", 2),
            // In a comment it is no test.
            ("`crates/x/t.rs::said`", 1),
        ] {
            let sources = [
                source(CHECKLIST, line),
                source("cases/a/b.case", ""),
                source("crates/x/t.rs", "fn holds() {} // fn said()"),
            ];
            assert_eq!(of_the_checklist(&sources).len(), expected, "{line}");
        }
        assert_eq!(of_the_checklist(&[]).len(), 1);
    }
}
