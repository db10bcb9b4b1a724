//! docs/compatibility.md is made here: what becomes of every property, as the honesty report has it, and
//! what proves it.
//!
//! `WARMFRONT_WRITE_DOCS=1 cargo test -p warmfront-config compatibility` writes it anew. The lines are data
//! in the files beside this one: a property of the schema without a line fails.

mod behaviors;
mod cases;
mod distributions;
mod features;
mod origins;
mod others;
mod page;
mod policies;
mod row;

use std::collections::BTreeSet;
use std::fs;

use warmfront_config::{RESOURCE_TYPES, known_properties};

use cases::{canonical, top};
use row::Section;

/// The tables of the page, in its order.
fn sections() -> impl Iterator<Item = &'static Section> {
    const FIRST: [Section; 9] = [
        distributions::DISTRIBUTION,
        distributions::TAGS,
        origins::ORIGINS,
        origins::GROUPS,
        behaviors::BEHAVIORS,
        policies::CACHE_POLICY,
        policies::KEY,
        policies::ORIGIN_REQUEST_POLICY,
        policies::RESPONSE_HEADERS_POLICY,
    ];
    FIRST.iter().chain(others::OTHERS)
}

#[test]
fn compatibility_md_is_what_the_report_says() {
    let path = top().join("docs/compatibility.md");
    let made = page::page(&known_properties());
    if std::env::var_os("WARMFRONT_WRITE_DOCS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let (old, new) = (lasting(&written), lasting(&made));
    let first = old.lines().zip(new.lines()).find(|(old, new)| old != new);
    assert!(
        old == new,
        "docs/compatibility.md is out of date: write it anew with \
         WARMFRONT_WRITE_DOCS=1 cargo test -p warmfront-config compatibility; first difference: {first:#?}"
    );
    for name in written.split('`').filter(|name| name.starts_with("cases/")) {
        assert!(
            top().join(name).exists(),
            "docs/compatibility.md names {name}, which is not there"
        );
    }
}

/// A page without how many cases there are and which one is named: every new case may change that, and it
/// need not stop anybody's tests.
fn lasting(page: &str) -> String {
    let mut lasting = String::with_capacity(page.len());
    for line in page.lines() {
        let counted = line.rsplit_once("| ").filter(|(_, proof)| {
            let count = proof.split_once(": `cases/").map_or("", |(count, _)| count);
            !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit())
        });
        lasting.push_str(counted.map_or(line, |(before, _)| before));
        lasting.push_str(if counted.is_some() { "| cases\n" } else { "\n" });
    }
    lasting
}

#[test]
fn how_many_cases_there_are_may_change_and_whether_there_are_any_not() {
    let line = |proof: &str| lasting(&format!("| `Enabled` |  | effective | {proof} |"));
    assert_eq!(line("3: `cases/a.case`"), line("14: `cases/b.case`"));
    assert_ne!(line("3: `cases/a.case`"), line("**not proved by a case**"));
    assert_ne!(line("3: `cases/a.case`"), line("`cases/a.case`"));
}

#[test]
fn every_property_of_the_schema_has_a_line_and_every_line_a_property() {
    let known: BTreeSet<(&str, String)> =
        known_properties().iter().map(|it| (it.resource, canonical(&it.path))).collect();
    let lines: BTreeSet<(&str, String)> = sections()
        .flat_map(|section| section.rows.iter().map(|row| (section.resource, section.path(row))))
        .collect();
    let forgotten: Vec<_> = known.difference(&lines).collect();
    let gone: Vec<_> = lines.difference(&known).collect();
    assert!(
        forgotten.is_empty() && gone.is_empty(),
        "without a line: {forgotten:#?}\nnot in the schema: {gone:#?}"
    );
}

#[test]
fn every_type_of_cloudfront_has_a_table_or_a_line() {
    for kind in RESOURCE_TYPES {
        let has_table = sections().any(|section| section.resource == kind);
        let has_line = others::WHOLE.iter().any(|(whole, _)| *whole == kind);
        assert!(has_table != has_line, "{kind}: table {has_table}, line {has_line}");
    }
}

#[test]
fn what_proves_a_line_is_there() {
    let features = [features::PATTERNS, features::LIFETIMES, features::NAMES, features::POLICIES];
    let of_features = features.into_iter().flatten().flat_map(|feature| feature.proofs).copied();
    let of_rows = sections().flat_map(|section| section.rows.iter().map(|row| row.proof));
    for proof in of_features.chain(of_rows).filter(|proof| !proof.is_empty()) {
        let (file, test) = proof.split_once("::").unwrap_or((proof, ""));
        let path = top().join(file);
        assert!(path.exists(), "{file} is not there");
        if !test.is_empty() {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("fn {test}(")), "{file} has no {test}");
        }
    }
}
