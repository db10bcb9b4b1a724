//! Which cases have a source that sets a property, and where it is effective there.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use warmfront_case::{Case, Source, corpus};
use warmfront_config::{KnownProperty, Options, ReportEntry, Status, load, render_human};
use warmfront_core::caching::CacheRules;

use super::row::without_indexes;

/// For each type and path below `Properties`, the cases.
pub(super) struct Coverage {
    cases: BTreeMap<(&'static str, String), BTreeSet<String>>,
    /// How many properties a case's source sets.
    sizes: BTreeMap<String, usize>,
}

/// What stands for a type where the API's spelling is used.
pub(super) const API: &str = "API";

/// The top of the repository.
pub(super) fn top() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    crates.ancestors().nth(2).expect("the crate lies two levels down").to_owned()
}

impl Coverage {
    /// Loads the source of every case, each with the options that the case has.
    pub(super) fn read(known: &[KnownProperty]) -> Self {
        let mut coverage = Self { cases: BTreeMap::new(), sizes: BTreeMap::new() };
        let mut sources: HashMap<String, Vec<(&'static str, String)>> = HashMap::new();
        for file in corpus::files(&top().join("cases")).unwrap() {
            let text = std::fs::read_to_string(&file).unwrap();
            let case = Case::parse(&file.display().to_string(), &text)
                .unwrap_or_else(|error| panic!("{error}"));
            let setting = format!("{:?} {:?} {:?}", case.source, case.options, case.origins);
            let properties = sources.entry(setting).or_insert_with(|| effective_in(&case, known));
            let name = file.strip_prefix(top()).expect("it was found there").display().to_string();
            coverage.sizes.insert(name.clone(), properties.len());
            for property in properties {
                coverage.cases.entry(property.clone()).or_default().insert(name.clone());
            }
        }
        coverage
    }

    /// How many cases set one of `paths`, and one of them: `example`, or else one that sets little else.
    pub(super) fn of<'c>(
        &'c self,
        resource: &'static str,
        paths: &[String],
        example: &'c str,
    ) -> Option<(usize, &'c str)> {
        let found: BTreeSet<&String> = paths
            .iter()
            .filter_map(|path| self.cases.get(&(resource, path.clone())))
            .flatten()
            .collect();
        if !example.is_empty() {
            let is_one = found.iter().any(|case| *case == example);
            assert!(is_one, "{example} has no effective {paths:?}");
            return Some((found.len(), example));
        }
        let smallest = found.iter().min_by_key(|name| (self.sizes[**name], **name))?;
        Some((found.len(), smallest))
    }
}

/// Types and paths of everything that is effective in the case's source.
fn effective_in(case: &Case, known: &[KnownProperty]) -> Vec<(&'static str, String)> {
    let directory = tempfile::tempdir().unwrap();
    let path = match &case.source {
        None => return Vec::new(),
        Some(Source::File(path)) => path.clone(),
        Some(Source::Inline { text, .. }) => {
            let path = directory.path().join("distribution.yml");
            std::fs::write(&path, text).unwrap();
            path
        }
    };
    let loaded = load(&path, &options(case)).unwrap();
    assert!(!loaded.has_errors(), "{}:\n{}", case.name, render_human(&loaded));
    let mut resources: BTreeMap<&str, Vec<(String, &ReportEntry)>> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for entry in &loaded.report.entries {
        if let Some((resource, path)) = entry.path.split_once(".Properties.") {
            let path = canonical(&without_indexes(path));
            resources.entry(resource).or_default().push((path, entry));
        } else if entry.status == Status::Effective
            && let Some(at) = entry.path.find("DistributionConfig.")
        {
            found.insert((API, without_indexes(&entry.path[at..])));
        }
    }
    for properties in resources.into_values() {
        let Some(kind) = kind_with(&properties, known) else { continue };
        let effective = properties.into_iter().filter(|(_, it)| it.status == Status::Effective);
        found.extend(effective.map(|(path, _)| (kind, path)));
    }
    found.into_iter().collect()
}

/// The type that has most of these properties; the report does not tell types.
fn kind_with(
    properties: &[(String, &ReportEntry)],
    known: &[KnownProperty],
) -> Option<&'static str> {
    let mut scores: BTreeMap<&'static str, usize> = BTreeMap::new();
    for (path, _) in properties {
        for property in known.iter().filter(|it| canonical(&it.path) == *path) {
            *scores.entry(property.resource).or_default() += 1;
        }
    }
    // `Enabled` alone is of the type that has little else.
    let size = |kind| known.iter().filter(|it| it.resource == kind).count();
    let best = scores.into_iter().max_by_key(|(kind, score)| (*score, Reverse(size(*kind))));
    best.map(|(kind, _)| kind)
}

/// The default behavior and the others have the same properties, but for the pattern.
pub(super) fn canonical(path: &str) -> String {
    if path.ends_with(".PathPattern") {
        return path.replace(".DefaultCacheBehavior.", ".CacheBehaviors[].");
    }
    path.replace(".CacheBehaviors[].", ".DefaultCacheBehavior.")
}

/// What the flags of a case mean for the loader.
fn options(case: &Case) -> Options {
    let mut options = Options { can_sign: true, ..Options::default() };
    for origin in &case.origins {
        options.origins.push((origin.clone(), "http://127.0.0.1:1".to_owned()));
    }
    let mut words = case.options.iter();
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag, Some(value)),
            _ => (word.as_str(), None),
        };
        let mut value = || value.or_else(|| words.next().map(String::as_str)).expect("a value");
        let pair = |text: &str| {
            let (name, value) = text.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), value.to_owned())
        };
        match flag {
            "--parameter" => options.parameters.push(pair(value())),
            "--attribute" => options.attributes.push(pair(value())),
            "--origin" => options.origins.push(pair(value())),
            "--function-env" => options.function_env.push(pair(value())),
            "--opt" => options.opts.push(pair(value())),
            "--stage" => options.stage = Some(value().to_owned()),
            "--with" => options.with.push(value().into()),
            "--allow-unprotected" => options.allow_unprotected.push(value().to_owned()),
            "--geo" | "--geo-database" => {
                value();
                options.knows_countries = true;
            }
            "--profile" => {
                let profile = CacheRules::named(value()).expect("a profile's name");
                let honors_viewer = options.rules.honors_viewer;
                options.rules = CacheRules { honors_viewer, ..profile };
            }
            "--honor-viewer-cache-control" => options.rules.honors_viewer = true,
            // What a viewer may say or ask is nothing to the loader.
            "--geo-header" | "--explain" => {}
            other => panic!("{}: what does {other} mean for the loader? Add it here", case.name),
        }
    }
    options
}
