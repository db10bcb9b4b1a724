//! What was found, for people (`human`), for tools (`json`) and for code review (`sarif`).

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::diagnostic::{Diagnostic, Severity};
use crate::place::Place;
use crate::report::{ReportEntry, Status};
use crate::{Loaded, Severity as Level};

/// For a terminal: every problem, then what has no effect, then a line that sums it up.
pub fn render_human(loaded: &Loaded) -> String {
    let mut text = problems(loaded);
    for (entry, reason) in loaded.report.inert() {
        headline(&mut text, &entry.place, &entry.path);
        let _ = writeln!(text, "  inert: {reason}");
    }
    let _ = writeln!(
        text,
        "{}; {} effective, {} inert",
        sums(loaded),
        loaded.report.effective_count(),
        loaded.report.inert().count(),
    );
    text
}

/// For a terminal where somebody wants to start and cannot: the problems alone, and how many they are.
pub fn render_problems(loaded: &Loaded) -> String {
    format!("{}{}\n", problems(loaded), sums(loaded))
}

/// For tools: problems, report and sums as one JSON object. Paths are whole here.
pub fn render_json(loaded: &Loaded) -> String {
    let diagnostics: Vec<Value> = loaded.diagnostics.iter().map(diagnostic_json).collect();
    let report: Vec<Value> = loaded.report.entries.iter().map(entry_json).collect();
    let count = |level| loaded.diagnostics.iter().filter(|it| it.severity == level).count();
    let document = json!({
        "diagnostics": diagnostics,
        "report": report,
        "summary": {
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "effective": loaded.report.effective_count(),
            "inert": loaded.report.inert().count(),
            "refused": loaded.report.refused().count(),
        },
    });
    format!("{document:#}\n")
}

/// For code review: SARIF 2.1.0, with problems as results and inert properties as notes.
pub fn render_sarif(loaded: &Loaded) -> String {
    let problems = loaded.diagnostics.iter().map(|problem| {
        let place =
            Place { file: problem.file.clone(), line: problem.line, column: problem.column };
        let text = match &problem.help {
            Some(help) => format!("{}: {}\n{help}", problem.path, problem.message),
            None => format!("{}: {}", problem.path, problem.message),
        };
        sarif_result(problem.severity.as_str(), "source", &place, &text)
    });
    let inert = loaded.report.inert().map(|(entry, reason)| {
        sarif_result("note", "inert", &entry.place, &format!("{}: {reason}", entry.path))
    });
    let results: Vec<Value> = problems.chain(inert).collect();
    let rule = |id: &str, text: &str| json!({ "id": id, "shortDescription": { "text": text } });
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "warmfront check",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule("source", "Something is wrong in the source."),
                    rule("inert", "A property is accepted and has no effect here."),
                ],
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn problems(loaded: &Loaded) -> String {
    let mut text = String::new();
    for problem in &loaded.diagnostics {
        let place =
            Place { file: problem.file.clone(), line: problem.line, column: problem.column };
        headline(&mut text, &place, &problem.path);
        let _ = writeln!(text, "  {}: {}", problem.severity.as_str(), problem.message);
        if let Some(help) = &problem.help {
            let _ = writeln!(text, "  help: {help}");
        }
    }
    text
}

/// How many errors and warnings there are.
fn sums(loaded: &Loaded) -> String {
    let count = |level| loaded.diagnostics.iter().filter(|it| it.severity == level).count();
    format!(
        "{}, {}",
        counted(count(Level::Error), "error"),
        counted(count(Level::Warning), "warning")
    )
}

fn headline(text: &mut String, place: &Place, path: &str) {
    let _ = match path {
        "" => writeln!(text, "{place}"),
        path => writeln!(text, "{place}  {}", shortened(path)),
    };
}

/// Leaves out the levels that every resource has: `Resources.Edge…DefaultCacheBehavior`.
fn shortened(path: &str) -> String {
    const LEVELS: [&str; 4] = [
        ".Properties.DistributionConfig.",
        ".Properties.CachePolicyConfig.",
        ".Properties.OriginRequestPolicyConfig.",
        ".Properties.",
    ];
    match LEVELS.iter().find_map(|level| path.split_once(level)) {
        Some((before, after)) => format!("{before}…{after}"),
        None => path.to_owned(),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn diagnostic_json(problem: &Diagnostic) -> Value {
    json!({
        "severity": problem.severity.as_str(),
        "file": &*problem.file,
        "line": problem.line,
        "column": problem.column,
        "path": problem.path,
        "message": problem.message,
        "help": problem.help,
    })
}

fn entry_json(entry: &ReportEntry) -> Value {
    let (status, reason) = match &entry.status {
        Status::Effective => ("effective", None),
        Status::Inert(reason) => ("inert", Some(reason)),
        Status::Refused(reason) => ("refused", Some(reason)),
    };
    json!({
        "file": &*entry.place.file,
        "line": entry.place.line,
        "column": entry.place.column,
        "path": entry.path,
        "status": status,
        "reason": reason,
    })
}

fn sarif_result(level: &str, rule: &str, place: &Place, text: &str) -> Value {
    let mut result = json!({ "level": level, "ruleId": rule, "message": { "text": text } });
    // An option has no place in a file.
    if place.line > 0 {
        result["locations"] = json!([{ "physicalLocation": {
            "artifactLocation": { "uri": place.file.replace('\\', "/") },
            "region": { "startLine": place.line, "startColumn": place.column },
        } }]);
    }
    result
}
