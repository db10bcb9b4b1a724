//! Who may depend on whom: our crates among each other, core's guests, and the one TLS provider.

use super::Finding;
use super::source::Source;

/// Each crate and which of ours it is built with. Config and engine never see each other.
const OURS: &[(&str, &[&str])] = &[
    ("warmfront-core", &[]),
    ("warmfront-config", &["warmfront-core"]),
    ("warmfront", &["warmfront-core"]),
    ("warmfront-case", &["warmfront-core"]),
    ("warmfront-server", &["warmfront-core", "warmfront-config", "warmfront", "warmfront-case"]),
    ("xtask", &[]),
];

/// The tests of every crate may speak the case language.
const FOR_TESTS: &[&str] = &["warmfront-case", "warmfront-core"];

/// What core does not carry, directly or through a guest: async, sockets, serialization, logs, chance.
const NOT_IN_CORE: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "futures",
    "futures-core",
    "futures-util",
    "hyper",
    "mio",
    "socket2",
    "libc",
    "rustls",
    "serde",
    "serde_core",
    "serde_json",
    "log",
    "tracing",
    "tracing-core",
    "rand",
    "rand_core",
    "fastrand",
    "getrandom",
    "chrono",
    "time",
    "reqwest",
    "quick_cache",
    "saphyr",
];

/// Providers and wrappers that must not stand beside aws-lc-rs.
const OTHER_PROVIDERS: &[&str] =
    &["ring", "openssl", "openssl-sys", "native-tls", "boring", "boring-sys", "mbedtls"];

/// Our crates depend on each other in one direction only.
pub(crate) fn between_crates(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.path.ends_with("/Cargo.toml")) {
        let manifest = Manifest::read(&source.text);
        let Some((_, allowed)) = OURS.iter().find(|(name, _)| *name == manifest.package) else {
            findings.push(Finding::new(
                &source.path,
                format!(
                    "the crate {} has no place in tidy's map; add it to borders.rs",
                    manifest.package
                ),
            ));
            continue;
        };
        for dependency in &manifest.dependencies {
            let is_ours = OURS.iter().any(|(name, _)| *name == dependency.name);
            let is_allowed = allowed.contains(&dependency.name.as_str())
                || (dependency.for_tests && FOR_TESTS.contains(&dependency.name.as_str()));
            if is_ours && !is_allowed {
                findings.push(Finding::at(
                    source,
                    dependency.line,
                    format!("{} must not depend on {}", manifest.package, dependency.name),
                ));
            }
        }
    }
    findings
}

/// Core stays free of async, sockets, serde and logging. `tree`: its packages, one a line.
pub(crate) fn guests_of_core(tree: &str) -> Vec<Finding> {
    let finds = |name: &str| {
        Finding::new("warmfront-core", format!("is built with {name}; core stays pure"))
    };
    packages(tree)
        .filter(|(name, _)| NOT_IN_CORE.contains(name))
        .map(|(name, _)| finds(name))
        .collect()
}

/// The program holds exactly one TLS provider. The lock file may name others, as options of guests.
pub(crate) fn tls_providers(tree: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = packages(tree)
        .filter(|(name, _)| OTHER_PROVIDERS.contains(name))
        .map(|(name, _)| {
            Finding::new("warmfront-server", format!("is built with {name} beside aws-lc-rs"))
        })
        .collect();
    let mut versions: Vec<&str> =
        packages(tree).filter(|p| p.0 == "aws-lc-rs").map(|p| p.1).collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() != 1 {
        let what = format!("needs exactly one aws-lc-rs, has {versions:?}");
        findings.push(Finding::new("warmfront-server", what));
    }
    findings
}

/// `name v1.2.3 …` for each line of `cargo tree --prefix none`.
fn packages(tree: &str) -> impl Iterator<Item = (&str, &str)> {
    tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    })
}

/// What we need of a Cargo.toml. Ours are plain: one dependency a line, or a table of its own.
struct Manifest {
    package: String,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    name: String,
    for_tests: bool,
    line: usize,
}

impl Manifest {
    fn read(text: &str) -> Self {
        let mut manifest = Manifest { package: String::new(), dependencies: Vec::new() };
        let mut section = String::new();
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()))
        {
            if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned();
                // [dependencies.name]
                if let Some((kind, name)) = section.rsplit_once("dependencies.") {
                    manifest.add(name, kind, line, number);
                }
                continue;
            }
            let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            if section == "package" && key.trim() == "name" {
                manifest.package = value.trim().trim_matches('"').to_owned();
            } else if let Some(kind) = section.strip_suffix("dependencies") {
                let name = key.trim().split('.').next().expect("split gives at least one part");
                manifest.add(name, kind, value, number);
            } else if section.contains("dependencies.") && key.trim() == "package" {
                let renamed = manifest.dependencies.last_mut().expect("the table's head added it");
                renamed.name = value.trim().trim_matches('"').to_owned();
            }
        }
        manifest
    }

    fn add(&mut self, name: &str, kind: &str, value: &str, line: usize) {
        // { package = "other" } gives the crate's real name.
        let renamed = value.split_once("package").and_then(|(_, rest)| rest.split('"').nth(1));
        let name = renamed.unwrap_or(name).trim_matches('"').to_owned();
        self.dependencies.push(Dependency { name, for_tests: kind.ends_with("dev-"), line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(manifest: &str, expected: &[&str]) {
        let source = Source { path: "crates/x/Cargo.toml".to_owned(), text: manifest.to_owned() };
        let found: Vec<String> = between_crates(&[source]).iter().map(Finding::to_string).collect();
        assert_eq!(found, expected, "{manifest}");
    }

    #[test]
    fn our_crates_depend_one_way() {
        let package = |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\n{rest}");
        for (name, rest, expected) in [
            (
                "warmfront-server",
                "[dependencies]\nwarmfront.workspace = true\nwarmfront-config.workspace = true",
                None,
            ),
            (
                "warmfront",
                "[dependencies]\nwarmfront-core.workspace = true\nhttp.workspace = true",
                None,
            ),
            ("warmfront", "[dev-dependencies]\nwarmfront-case.workspace = true", None),
            (
                "warmfront",
                "[dependencies]\nwarmfront-config.workspace = true",
                Some((4, "warmfront-config")),
            ),
            (
                "warmfront",
                "[dev-dependencies]\nwarmfront-config.workspace = true",
                Some((4, "warmfront-config")),
            ),
            (
                "warmfront",
                "[dependencies]\nwarmfront-case.workspace = true",
                Some((4, "warmfront-case")),
            ),
            (
                "warmfront-config",
                "[dependencies]\nwarmfront = { path = \"../warmfront\" }",
                Some((4, "warmfront")),
            ),
            ("warmfront-config", "[dependencies.warmfront]\npath = \"x\"", Some((3, "warmfront"))),
            (
                "warmfront-config",
                "[dependencies]\ne = { package = \"warmfront\" }",
                Some((4, "warmfront")),
            ),
            (
                "warmfront-config",
                "[dependencies.e]\npackage = \"warmfront\"",
                Some((3, "warmfront")),
            ),
            (
                "warmfront-core",
                "[target.'cfg(unix)'.dependencies]\nwarmfront = \"1\"",
                Some((4, "warmfront")),
            ),
            (
                "warmfront-case",
                "[build-dependencies]\nwarmfront-config = \"1\"",
                Some((4, "warmfront-config")),
            ),
        ] {
            let expected = expected.map(|(line, other)| {
                format!("crates/x/Cargo.toml:{line}  {name} must not depend on {other}")
            });
            check(&package(name, rest), &expected.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_new_crate_must_find_its_place() {
        check(
            "[package]\nname = \"warmfront-new\"",
            &[
                "crates/x/Cargo.toml  the crate warmfront-new has no place in tidy's map; add it to borders.rs",
            ],
        );
    }

    #[test]
    fn core_carries_nothing_async() {
        assert_eq!(guests_of_core("warmfront-core v0.1.0 (/x)\nhttp v1.5.0\nbytes v1.12.0\n"), []);
        let found = guests_of_core("http v1.5.0\ntokio v1.54.0 (*)\nserde_json v1.0.1");
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn there_is_one_tls_provider() {
        for (tree, problems) in [
            ("aws-lc-rs v1.19.0\nrustls v0.23.46\naws-lc-rs v1.19.0 (*)", 0),
            ("aws-lc-rs v1.19.0\nring v0.17.14", 1),
            ("aws-lc-rs v1.19.0\naws-lc-rs v2.0.0", 1),
            ("rustls v0.23.46", 1),
            ("openssl v0.10.0", 2),
        ] {
            assert_eq!(tls_providers(tree).len(), problems, "{tree}");
        }
    }
}
