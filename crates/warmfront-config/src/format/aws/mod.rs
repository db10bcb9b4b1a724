//! What the AWS CLI prints and takes: `get-distribution-config`, `get-distribution`, and the policies,
//! keys and functions that a distribution only names.
//!
//! Each output becomes a resource as a CloudFormation template would have it, so that everything behind
//! it works alike; [`translate`] knows how the spellings differ. Ids are the ones that AWS gave.
//! Together all outputs of a source are one unit.

mod ids;
mod kinds;
mod spelling;
mod translate;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value, quote};
use crate::place::Place;
use crate::report::Ledger;
use crate::source::Sources;
use crate::suggest::listed;
use crate::template::{Known, Resource, Template};

pub(crate) use kinds::printed_by;
use kinds::{BARE, DISTRIBUTION, KINDS, Kind};
pub(crate) use spelling::Spellings;
use translate::Translator;

/// Everything that was found in outputs of the AWS CLI.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    found: Vec<Found>,
    /// Where each of `found` that has an id stands, by its kind and id.
    places: HashMap<(&'static str, String), Place>,
    pub(crate) problems: Problems,
    pub(crate) spellings: Spellings,
}

/// One resource of an output.
#[derive(Debug)]
struct Found {
    kind: &'static Kind,
    /// `None` in the outputs of `get-…-config`, which leave it out.
    id: Option<String>,
    domain_name: Option<String>,
    /// The stem of the file's name.
    stem: String,
    /// The key that the resource stands under, or the start of the file.
    at: Entry,
    properties: Node,
}

/// Whether a document is such an output.
pub(crate) fn is_output(root: &Node) -> bool {
    let has = |key: &str| root.get(key).is_some();
    KINDS.iter().any(|kind| has(kind.name) || has(kind.config) || has(kind.list))
        || has("DistributionConfigWithTags")
        || bare(root).is_some()
}

/// The kind of a configuration that stands in a file alone, as `create-…` commands take it.
fn bare(root: &Node) -> Option<&'static Kind> {
    let (config, _) = BARE.iter().find(|(_, keys)| keys.iter().all(|it| root.get(it).is_some()))?;
    KINDS.iter().find(|kind| kind.config == *config)
}

impl Outputs {
    pub(crate) fn has_distribution(&self) -> bool {
        self.found.iter().any(|found| found.kind.resource == DISTRIBUTION)
    }

    /// Takes the resources of one file; `root` is an output.
    ///
    /// The code of a function lies beside its description, as `get-function` writes it: `NAME.js`.
    pub(crate) fn take(&mut self, root: &Node, path: &Path, ledger: &Ledger, sources: &Sources) {
        self.spellings.learn(root);
        let before = self.found.len();
        self.take_parts(root, path, ledger);
        for found in self.found[before..].iter_mut().filter(|it| it.kind.name == "FunctionSummary")
        {
            found.add_code(path, sources);
        }
    }

    fn take_parts(&mut self, root: &Node, path: &Path, ledger: &Ledger) {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let whole = |key: &str| Entry {
            key: key.to_owned(),
            place: root.place.clone(),
            value: root.clone(),
        };
        // `--query Distribution` leaves the resource without the key it stands under.
        let resource = |kind: &&Kind| root.get(kind.config).is_some() && root.get("Id").is_some();
        if let Some(kind) = KINDS.iter().find(resource) {
            return self.add(kind, whole(kind.name), &stem, ledger);
        }
        if let Some(kind) = bare(root) {
            return self.add(kind, whole(kind.config), &stem, ledger);
        }
        let parts = root.get("DistributionConfigWithTags").unwrap_or(root);
        for entry in parts.as_map().unwrap_or_default() {
            for kind in &KINDS {
                if entry.key == kind.name || entry.key == kind.config {
                    self.add(kind, entry.clone(), &stem, ledger);
                } else if entry.key == kind.list {
                    self.add_list(kind, entry, &stem, ledger);
                }
            }
        }
    }

    fn add_list(&mut self, kind: &'static Kind, list: &Entry, stem: &str, ledger: &Ledger) {
        if kind.resource == DISTRIBUTION {
            let message =
                "list-distributions prints summaries, without DefaultRootObject, Logging and more";
            let problem = Diagnostic::error(list.place.clone(), &*list.key, message)
                .help("print the whole: aws cloudfront get-distribution --id ID > dist.json");
            self.problems.add(problem);
            return;
        }
        for item in list.value.get("Items").and_then(Node::as_list).unwrap_or_default() {
            // Policies and key groups stand one level deeper than keys and functions.
            let value = item.get(kind.name).unwrap_or(item).clone();
            let entry = Entry { key: kind.name.to_owned(), place: item.place.clone(), value };
            self.add(kind, entry, stem, ledger);
        }
    }

    fn add(&mut self, kind: &'static Kind, at: Entry, stem: &str, ledger: &Ledger) {
        let translator = Translator { problems: &self.problems, ledger };
        let text = |key: &str| at.value.get(key).and_then(Node::as_text).map(str::to_owned);
        let name = || text("Name");
        let id = match kind.name {
            "FunctionSummary" => name(),
            "RealtimeLogConfig" => text("ARN"),
            _ => text("Id"),
        };
        // A summary of a list has the parts of the configuration beside its Id.
        let config = at.value.get(kind.config).unwrap_or(&at.value);
        let properties = match translator.properties(kind, config) {
            Some(properties) => properties,
            None => {
                let message = format!("expected a map, found {}", config.describe());
                self.problems.add(Diagnostic::error(config.place.clone(), "", message));
                return;
            }
        };
        let arn = at.value.get("FunctionMetadata").and_then(|it| it.get("FunctionARN"));
        let id = match kind.name {
            "FunctionSummary" => arn.and_then(Node::as_text).map(str::to_owned).or(id),
            _ => id,
        };
        let domain_name = text("DomainName").filter(|_| kind.resource == DISTRIBUTION);
        let known = id.as_ref().and_then(|id| self.places.get(&(kind.name, id.clone())));
        if let (Some(known), Some(id)) = (known, &id) {
            let message = format!("{} was given already, at {known}", quote(id));
            let place = at.place.clone();
            let problem = match kind.resource == DISTRIBUTION {
                true => Diagnostic::error(place, &*at.key, message),
                false => Diagnostic::warning(place, &*at.key, message + "; this one is not used"),
            };
            self.problems.add(problem);
            return;
        }
        if let Some(id) = &id {
            self.places.insert((kind.name, id.clone()), at.place.clone());
        }
        self.found.push(Found { kind, id, domain_name, stem: stem.to_owned(), at, properties });
    }

    /// The resources, each under a name that no other has. `named` are the ids that the rest of the
    /// source names, with the property that does.
    pub(crate) fn into_parts(
        mut self,
        named: &[(&'static str, String)],
    ) -> (Vec<Resource>, Problems, Spellings) {
        let own = self.found.iter().flat_map(|found| ids::named(&found.properties));
        let named: Vec<(&str, String)> = own.chain(named.iter().cloned()).collect();
        self.give_ids(&named);
        let mut taken = HashSet::new();
        // The number that the last of each name got, so that many of one name need no search.
        let mut last: HashMap<String, usize> = HashMap::new();
        let resources = self.found.into_iter().map(|found| {
            let short = match (found.kind.name, &found.id) {
                // An ARN is no name that an option could have.
                ("FunctionSummary" | "RealtimeLogConfig", Some(arn)) => {
                    arn.rsplit('/').next().map(str::to_owned)
                }
                (_, id) => id.clone(),
            };
            let wanted = short.unwrap_or_else(|| found.stem.clone());
            let mut name = wanted.clone();
            let count = last.entry(wanted.clone()).or_insert(1);
            while !taken.insert(name.clone()) {
                *count += 1;
                name = format!("{wanted}-{count}");
            }
            Resource {
                id: name,
                place: found.at.place,
                kind: found.kind.resource.to_owned(),
                path: found.at.key,
                properties: found.properties,
                condition: None,
                depends_on: None,
                is_generated: false,
                known: Known { id: found.id, domain_name: found.domain_name, asset: None },
            }
        });
        (resources.collect(), self.problems, self.spellings)
    }

    /// `get-cache-policy-config` and its kind print no Id. It is the file's name, or the only id that is
    /// named and that nothing else has.
    fn give_ids(&mut self, named: &[(&str, String)]) {
        let mut waiting: HashMap<&'static str, Vec<usize>> = HashMap::new();
        for (index, found) in self.found.iter().enumerate() {
            if found.id.is_none() && found.kind.resource != DISTRIBUTION {
                waiting.entry(found.kind.name).or_default().push(index);
            }
        }
        for indexes in waiting.into_values() {
            let kind = self.found[indexes[0]].kind;
            let mut open: Vec<&str> = named
                .iter()
                .filter(|(property, id)| kind.named_by == *property && !ids::is_managed(kind, id))
                .map(|(_, id)| id.as_str())
                .filter(|id| !self.places.contains_key(&(kind.name, (*id).to_owned())))
                .collect();
            open.sort_unstable();
            open.dedup();
            let (by_name, rest): (Vec<_>, Vec<_>) =
                indexes.into_iter().partition(|&index| open.contains(&&*self.found[index].stem));
            for index in by_name {
                open.retain(|id| *id != self.found[index].stem);
                self.found[index].id = Some(self.found[index].stem.clone());
            }
            match (rest.as_slice(), open.as_slice()) {
                (&[only], &[id]) => self.found[only].id = Some(id.to_owned()),
                (rest, open) => {
                    for &index in rest {
                        let at = &self.found[index].at;
                        let message = format!(
                            "this output has no Id, so which {} it is cannot be told (named and not here: {})",
                            kind.words,
                            listed(open.iter().copied())
                        );
                        let problem =
                            Diagnostic::error(at.place.clone(), &*at.key, message).help(format!(
                                "print it with its Id: {}; or call the file ID.json",
                                kind.command("ID")
                            ));
                        self.problems.add(problem);
                    }
                }
            }
        }
    }
}

impl Found {
    fn add_code(&mut self, description: &Path, sources: &Sources) {
        let Some(name) = self.properties.get("Name").and_then(Node::as_text) else { return };
        // A name with other characters is none of AWS's, and might lead out of the directory.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
            return;
        }
        let path = description.with_file_name(format!("{name}.js"));
        let Ok(text) = sources.read(&path) else { return };
        let place = Place::start_of(&path.display().to_string().into());
        if let Value::Map(entries) = &mut self.properties.value {
            let code = Node::text(text, place.clone());
            entries.push(Entry { key: "FunctionCode".to_owned(), place, value: code });
        }
    }
}

/// The ids that a template names literally.
pub(crate) fn named_in(template: &Template) -> Vec<(&'static str, String)> {
    template.resources.iter().flat_map(|resource| ids::named(&resource.properties)).collect()
}

/// A map node without this key.
fn without(node: &Node, key: &str) -> Node {
    let mut node = node.clone();
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| entry.key != key);
    }
    node
}
