//! AWS SAM (`Transform: AWS::Serverless-2016-10-31`): CloudFormation with shorthands of its own.
//!
//! Functions, HTTP APIs and REST APIs are written out as the resources that SAM would deploy, under
//! its logical ids where templates use them (`ServerlessHttpApi`, `HelloUrl`, `Hello.Version`). Other
//! shorthands stay as they are and are listed as inert. `Globals` are merged first.

mod apis;
mod events;
mod functions;

use std::collections::{HashMap, HashSet};

use crate::diagnostic::{Diagnostic, Problems};
use crate::document::{Entry, Node, Value};
use crate::place::Place;
use crate::report::Status;
use crate::template::Resource;

/// What SAM makes of `!Ref Hello.Version` and `!Ref Hello.Alias`.
pub(crate) const VERSION: &str = "AWS::Serverless::FunctionVersion";
/// What SAM makes of `!Ref Api.Stage`.
pub(crate) const STAGE: &str = "AWS::Serverless::ApiStage";

const FUNCTION: &str = "AWS::Serverless::Function";
const HTTP_API: &str = "AWS::Serverless::HttpApi";
const REST_API: &str = "AWS::Serverless::Api";

const IMPLICIT_HTTP_API: &str = "ServerlessHttpApi";
const IMPLICIT_REST_API: &str = "ServerlessRestApi";

/// What becomes of one part of a shorthand.
pub(crate) type Note = (Place, String, Status);

/// Whether a `Transform` mentions SAM.
pub(crate) fn is_sam(transform: &Node) -> bool {
    let mentions =
        |node: &Node| node.as_text().is_some_and(|text| text.starts_with("AWS::Serverless-"));
    mentions(transform) || transform.as_list().unwrap_or_default().iter().any(mentions)
}

/// The resources that SAM would deploy for `resources`, and what is to be said of the shorthands.
pub(crate) fn expand(
    resources: Vec<Resource>,
    globals: Option<&Node>,
    problems: &Problems,
) -> (Vec<Resource>, Vec<Note>) {
    let empty = |place: &Place| Node::map([], place.clone());
    let section = |key: &str| globals.and_then(|globals| globals.get(key));
    let mut apis = HashMap::new();
    for resource in &resources {
        let key = match resource.kind.as_str() {
            HTTP_API => "HttpApi",
            REST_API => "Api",
            _ => continue,
        };
        apis.insert(resource.id.clone(), merged(section(key), &resource.properties));
    }
    if let Some(globals) = globals {
        for (id, key) in [(IMPLICIT_HTTP_API, "HttpApi"), (IMPLICIT_REST_API, "Api")] {
            let own = empty(&globals.place);
            apis.entry(id.to_owned()).or_insert_with(|| merged(section(key), &own));
        }
    }
    let mut expander = Expander {
        function_globals: section("Function"),
        apis,
        problems,
        known: resources.iter().map(|resource| resource.id.clone()).collect(),
        made: Vec::new(),
        notes: Vec::new(),
        counts: HashMap::new(),
        paths: HashMap::new(),
        preflights: HashSet::new(),
    };
    for resource in resources {
        match resource.kind.as_str() {
            FUNCTION => expander.function(resource),
            HTTP_API => expander.http_api(resource),
            REST_API => expander.rest_api(resource),
            _ => expander.made.push(resource),
        }
    }
    (expander.made, expander.notes)
}

struct Expander<'a> {
    function_globals: Option<&'a Node>,
    /// Properties of each API, with what `Globals` say of it.
    apis: HashMap<String, Node>,
    problems: &'a Problems,
    /// Logical ids that are taken.
    known: HashSet<String>,
    made: Vec<Resource>,
    notes: Vec<Note>,
    /// The last number behind each logical id that was taken.
    counts: HashMap<String, usize>,
    /// The resource of each REST API's path.
    paths: HashMap<(String, String), String>,
    /// Paths of REST APIs that have their OPTIONS method.
    preflights: HashSet<(String, String)>,
}

impl Expander<'_> {
    /// Adds a resource of SAM's own making, unless the template has one of that name.
    fn add(&mut self, id: &str, kind: &str, path: &str, properties: Node, like: &Resource) {
        if !self.known.insert(id.to_owned()) {
            return;
        }
        self.made.push(Resource {
            id: id.to_owned(),
            kind: kind.to_owned(),
            path: path.to_owned(),
            properties,
            depends_on: None,
            is_generated: true,
            known: Default::default(),
            ..like.clone()
        });
    }

    /// `wanted`, or with a number behind it where it is taken: logical ids have letters and digits only,
    /// so that different things would want the same.
    fn free_id(&mut self, wanted: String) -> String {
        let mut id = wanted.clone();
        if self.known.contains(&id) {
            // From the last number on, so that many of one name need no search.
            let count = self.counts.entry(wanted.clone()).or_insert(1);
            while self.known.contains(&id) {
                *count += 1;
                id = format!("{wanted}{count}");
            }
        }
        id
    }

    fn note(&mut self, place: &Place, path: String, status: Status) {
        self.notes.push((place.clone(), path, status));
    }

    fn inert(&mut self, place: &Place, path: String, reason: &str) {
        self.note(place, path, Status::Inert(reason.to_owned()));
    }

    fn error(&self, place: &Place, path: String, message: String) {
        self.problems.add(Diagnostic::error(place.clone(), path, message));
    }
}

/// `own` over `globals`, as SAM merges them: maps by key, lists one after the other.
fn merged(globals: Option<&Node>, own: &Node) -> Node {
    let Some(globals) = globals else { return own.clone() };
    let is_call = |entries: &[Entry]| matches!(entries, [only] if only.key == "Ref" || only.key.starts_with("Fn::"));
    match (&globals.value, &own.value) {
        (Value::Map(general), Value::Map(special)) if !is_call(general) && !is_call(special) => {
            let mut entries = general.clone();
            for entry in special {
                match entries.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => {
                        known.place = entry.place.clone();
                        known.value = merged(Some(&known.value), &entry.value);
                    }
                    None => entries.push(entry.clone()),
                }
            }
            Node { value: Value::Map(entries), ..own.clone() }
        }
        (Value::List(general), Value::List(special)) => {
            let items = general.iter().chain(special).cloned().collect();
            Node { value: Value::List(items), ..own.clone() }
        }
        _ => own.clone(),
    }
}

fn call(name: &'static str, argument: &str, place: &Place) -> Node {
    Node::map([(name, Node::text(argument, place.clone()))], place.clone())
}

fn reference(id: &str, place: &Place) -> Node {
    call("Ref", id, place)
}

fn get_att(id: &str, attribute: &str, place: &Place) -> Node {
    call("Fn::GetAtt", &format!("{id}.{attribute}"), place)
}

/// Letters and digits of a text, for logical ids.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}
