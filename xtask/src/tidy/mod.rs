//! The rules that no compiler checks, each with a test that shows it can fail.
//!
//! A rule reads text and returns findings; only [`check_repository`] touches files and runs cargo.

mod borders;
mod house_style;
mod pointers;
mod purity;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use source::Source;

/// One thing to repair: where, what, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) place: String,
    pub(crate) what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    fn at(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{}:{line}", source.path), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.place, self.what)
    }
}

/// What a run over the whole repository saw.
#[derive(Debug)]
pub(crate) struct Report {
    files: usize,
    findings: Vec<Finding>,
}

impl Report {
    /// Prints the findings and says how the program ends.
    pub(crate) fn print(&self) -> ExitCode {
        for finding in &self.findings {
            eprintln!("{finding}");
        }
        eprintln!("tidy: {} files read, {} to repair", self.files, self.findings.len());
        if self.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Applies every rule to the repository that this program was built from.
///
/// # Errors
/// When a file cannot be read, or `cargo tree` does not run.
pub(crate) fn check_repository() -> Result<Report, String> {
    let root = repository();
    let sources = source::read_tree(&root)?;
    let mut findings = Vec::new();
    findings.extend(borders::between_crates(&sources));
    findings.extend(borders::guests_of_core(&cargo_tree(&root, "warmfront-core")?));
    findings.extend(borders::tls_providers(&cargo_tree(&root, "warmfront-server")?));
    findings.extend(purity::pure_core(&sources));
    findings.extend(purity::unsafe_rooms(&sources, purity::UNSAFE_ROOMS));
    findings.extend(house_style::opening_lines(&sources));
    findings.extend(house_style::long_files(&sources, house_style::LONG_FILES));
    findings.extend(house_style::spelling(&sources));
    findings.extend(house_style::machine_paths(&sources));
    findings.extend(house_style::package_sources(&sources));
    findings.extend(pointers::of_the_checklist(&sources));
    Ok(Report { files: sources.len(), findings })
}

fn repository() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().expect("xtask lies in the repository").to_path_buf()
}

/// The packages that `package` is built with on this machine, one `name version` a line.
fn cargo_tree(root: &Path, package: &str) -> Result<String, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--package", package])
        .output()
        .map_err(|e| format!("cargo tree does not start: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("cargo tree --package {package} failed: {said}"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let report = check_repository().expect("every file is readable and cargo tree runs");
        assert!(report.files > 50, "only {} files were read", report.files);
        let findings: Vec<String> = report.findings.iter().map(Finding::to_string).collect();
        assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    }
}
