//! The house rules a reader feels: opening lines, length, spelling, and nothing of anyone's machine.

use super::Finding;
use super::source::Source;

/// A file may be longer than this only with a reason.
const LONGEST: usize = 500;

/// Tests are tables; a table may be longer before it needs one.
const LONGEST_TABLE: usize = 800;

/// Files that may be longer, each with the reason it stays in one piece.
pub(crate) const LONG_FILES: &[(&str, &str)] = &[];

/// Identifiers follow AWS and Rust, which are American.
const BRITISH: &[(&str, &str)] = &[
    ("behaviour", "behavior"),
    ("normalis", "normaliz"),
    ("initialis", "initializ"),
    ("colour", "color"),
];

/// Directories that only exist on somebody's machine. Put together here so that this file passes.
const MACHINE_PATHS: &[&str] = &[
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "Users/"),
    concat!("/", "tmp/bash"),
    concat!("/", "home/runner"),
];

/// Every Rust file says first what it is for.
pub(crate) fn opening_lines(sources: &[Source]) -> Vec<Finding> {
    let silent = |source: &&Source| {
        let opening = source.text.lines().next().and_then(|line| line.strip_prefix("//!"));
        opening.is_none_or(|sentence| sentence.trim().is_empty())
    };
    let rust = sources.iter().filter(|s| s.is_rust() && !s.is_test_module());
    rust.filter(silent)
        .map(|source| Finding::at(source, 1, "begins without `//!`: say what the file is for"))
        .collect()
}

/// No file is so long that it must hold two ideas, unless it is listed with a reason.
pub(crate) fn long_files(sources: &[Source], listed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.is_rust()) {
        let lines = source.text.lines().count();
        let longest = if source.is_test_module() { LONGEST_TABLE } else { LONGEST };
        let is_listed = listed.iter().any(|(path, _)| *path == source.path);
        if lines > longest && !is_listed {
            let what =
                format!("has {lines} lines; split it, or list it with a reason in house_style.rs");
            findings.push(Finding::new(&source.path, what));
        } else if lines <= longest && is_listed {
            findings.push(Finding::new(
                &source.path,
                "is short again: take it off the list of long files",
            ));
        }
    }
    for (path, _) in listed.iter().filter(|(path, _)| !sources.iter().any(|s| s.path == *path)) {
        findings.push(Finding::new(*path, "is on the list of long files and does not exist"));
    }
    findings
}

/// Identifiers are spelled the American way.
pub(crate) fn spelling(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.is_rust()) {
        for (index, line) in source.code().to_ascii_lowercase().lines().enumerate() {
            for (british, american) in BRITISH.iter().filter(|(british, _)| line.contains(british))
            {
                let what = format!("identifiers say {american}…, not {british}…");
                findings.push(Finding::at(source, index + 1, what));
            }
        }
    }
    findings
}

/// Nothing names a directory of somebody's machine.
pub(crate) fn machine_paths(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            for path in MACHINE_PATHS.iter().filter(|path| begins_a_path(line, path)) {
                let what = format!("names a directory of somebody's machine: {path}");
                findings.push(Finding::at(source, index + 1, what));
            }
        }
    }
    findings
}

/// Whether `path` occurs in `line` as an absolute path, not as the tail of a longer one.
fn begins_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|c: char| {
            c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '*' | '}' | ')')
        })
    })
}

/// Every package comes from crates.io, never from a mirror or a branch.
pub(crate) fn package_sources(sources: &[Source]) -> Vec<Finding> {
    const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.path == "Cargo.lock") {
        for (index, line) in source.text.lines().enumerate() {
            if line.starts_with("source = ") && line != CRATES_IO {
                findings.push(Finding::at(
                    source,
                    index + 1,
                    format!("not from crates.io: {line}"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        for (path, text, problems) in [
            ("crates/a/src/a.rs", "//! What it is for.\n", 0),
            ("crates/a/src/a.rs", "use b;\n", 1),
            ("crates/a/src/a.rs", "//!\n", 1),
            ("crates/a/src/a.rs", "", 1),
            ("crates/a/tests/a.rs", "use b;\n", 1),
            ("crates/a/src/a/tests.rs", "use super::*;\n", 0),
            ("README.md", "# a\n", 0),
        ] {
            assert_eq!(opening_lines(&[source(path, text)]).len(), problems, "{path} {text:?}");
        }
    }

    #[test]
    fn a_long_file_needs_a_reason() {
        let long = source("crates/a/src/a.rs", &"x\n".repeat(LONGEST + 1));
        let table = |lines| source("crates/a/src/a/tests.rs", &"x\n".repeat(lines));
        let short = source("crates/a/src/a.rs", &"x\n".repeat(LONGEST));
        let listed: &[(&str, &str)] = &[("crates/a/src/a.rs", "a table")];
        for (sources, listed, problems) in [
            (vec![short.clone()], &[] as &[(&str, &str)], 0),
            (vec![long.clone()], &[], 1),
            (vec![long], listed, 0),
            (vec![short], listed, 1),
            (vec![], listed, 1),
            (vec![table(LONGEST_TABLE)], &[], 0),
            (vec![table(LONGEST_TABLE + 1)], &[], 1),
        ] {
            assert_eq!(long_files(&sources, listed).len(), problems);
        }
    }

    #[test]
    fn identifiers_are_american() {
        for (text, problems) in [
            ("fn behavior_for() {}", 0),
            ("// the behaviour\nlet a = \"behaviour\";", 0),
            ("fn behaviour_for() {}", 1),
            ("struct CacheBehaviour;", 1),
            ("fn normalise() {}", 1),
        ] {
            assert_eq!(spelling(&[source("a.rs", text)]).len(), problems, "{text}");
        }
    }

    #[test]
    fn nothing_names_a_machine() {
        let work = MACHINE_PATHS[0];
        for (text, problems) in [
            (format!("cd {work}main"), 1),
            (format!("\"{work}main\""), 1),
            (format!("see docs{work}main"), 0),
            (format!("https://example.com{work}a"), 0),
            ("target/debug".to_owned(), 0),
        ] {
            assert_eq!(machine_paths(&[source("a.md", &text)]).len(), problems, "{text}");
        }
    }

    #[test]
    fn packages_come_from_crates_io() {
        for (line, problems) in [
            ("source = \"registry+https://github.com/rust-lang/crates.io-index\"", 0),
            ("source = \"git+https://github.com/a/b\"", 1),
            ("source = \"registry+https://mirror.example/index\"", 1),
        ] {
            assert_eq!(package_sources(&[source("Cargo.lock", line)]).len(), problems, "{line}");
        }
    }
}
