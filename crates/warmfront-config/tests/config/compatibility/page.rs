//! The page as Markdown.

use std::fmt::Write as _;

use warmfront_config::{KnownProperty, Status};

use super::cases::{API as API_TYPE, Coverage, canonical};
use super::features::{API, Feature, LIFETIMES, NAMES, PATTERNS, POLICIES};
use super::row::{Outcome, Row, Section, of_resource, of_spelling};
use super::{others::WHOLE, sections};

const HEAD: &str = "\
# What becomes of each property

Made by a test: it sets every property that AWS's schema has, one by one, and writes down what `warmfront check`
says of it. `WARMFRONT_WRITE_DOCS=1 cargo test -p warmfront-config compatibility` writes this page anew.

- *effective*: the edge does what the property says. Then come how many `.case` files had it in their
  configuration when this was written, whatever its value, and one of them; or, where the value decides or no case
  has it, what proves it.
- *inert*: accepted, without effect, for the reason given. `check` and the start tell so.
- **refused**: the source is not served; behind the semicolon stands what allows it, if anything does.

Comments, tags and counts ask for nothing, and `check` leaves them out. A property has several lines where its
value or a flag decides. `[]` stands for any item of a list.
";

/// The whole page.
pub(super) fn page(known: &[KnownProperty]) -> String {
    let coverage = Coverage::read(known);
    let mut page = HEAD.to_owned();
    for section in sections() {
        table(&mut page, section, known, &coverage);
    }
    heading(&mut page, "Other resources", "Each as a whole; its properties are not looked into.");
    page.push_str("| resource | here |\n|---|---|\n");
    for (kind, properties) in WHOLE {
        let _ = writeln!(page, "| `{kind}` | {} |", said(&of_resource(kind, properties)));
    }
    heading(
        &mut page,
        "Spellings of the API",
        "In what `aws cloudfront get-distribution-config` prints; here with `--geo`. All else of it is spelled as above.",
    );
    page.push_str("| property | here | proved by |\n|---|---|---|\n");
    for spelling in API {
        let (here, proof) = match of_spelling(spelling.path, spelling.value) {
            None => (spelling.meaning.to_owned(), String::new()),
            Some(outcome) => {
                let cases = coverage.of(API_TYPE, &outcome.said_at, "");
                (said(&outcome), proof(&outcome, cases, ""))
            }
        };
        let _ = writeln!(page, "| `{}` | {here} | {proof} |", spelling.path);
    }
    features(&mut page, "Path patterns", PATTERNS);
    features(&mut page, "Lifetimes", LIFETIMES);
    features(&mut page, "Names", NAMES);
    features(&mut page, "Policies", POLICIES);
    page
}

fn heading(page: &mut String, title: &str, about: &str) {
    let _ = writeln!(page, "\n## {title}\n");
    if !about.is_empty() {
        let _ = writeln!(page, "{about}\n");
    }
}

fn table(page: &mut String, section: &Section, known: &[KnownProperty], coverage: &Coverage) {
    heading(page, section.title, section.about);
    page.push_str("| property | when | here | proved by |\n|---|---|---|---|\n");
    for row in section.rows {
        let path = section.path(row);
        let is_told = known
            .iter()
            .any(|it| it.resource == section.resource && canonical(&it.path) == path && it.is_told);
        let (here, proof) = match section.outcome(row, is_told) {
            None => ("asks for nothing".to_owned(), String::new()),
            Some(outcome) => (said(&outcome), proved(section, row, &outcome, coverage)),
        };
        let _ = writeln!(page, "| `{}` | {} | {here} | {proof} |", row.path, row.when);
    }
}

fn proved(section: &Section, row: &Row, outcome: &Outcome, coverage: &Coverage) -> String {
    let root = format!("Resources.{}.Properties.", section.subject);
    let at = outcome.said_at.iter().filter_map(|path| path.strip_prefix(&root));
    let at: Vec<String> = at.map(canonical).collect();
    proof(outcome, coverage.of(section.resource, &at, row.example), row.proof)
}

fn proof(outcome: &Outcome, cases: Option<(usize, &str)>, own: &str) -> String {
    match cases {
        _ if outcome.status != Status::Effective => String::new(),
        _ if !own.is_empty() => format!("`{own}`"),
        Some((count, example)) => format!("{count}: `{example}`"),
        None => "**not proved by a case**".to_owned(),
    }
}

fn said(outcome: &Outcome) -> String {
    let text = match &outcome.status {
        Status::Effective => "effective".to_owned(),
        Status::Inert(why) => format!("inert: {why}"),
        Status::Refused(why) => format!("**refused**: {why}"),
    };
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

fn features(page: &mut String, title: &str, features: &[Feature]) {
    heading(page, title, "");
    page.push_str("| rule | proved by |\n|---|---|\n");
    for feature in features {
        let proofs: Vec<String> = feature.proofs.iter().map(|proof| format!("`{proof}`")).collect();
        let _ = writeln!(page, "| {} | {} |", feature.what, proofs.join(", "));
    }
}
