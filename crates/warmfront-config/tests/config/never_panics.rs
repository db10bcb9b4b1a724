//! Whatever is in a file: an answer, with places inside the file, and no panic.

use std::fs;

use proptest::prelude::*;
use warmfront_config::{Loaded, Options, load};

use crate::{Parts, fixture, loaded_as};

/// What must hold for every source that could be read.
fn check(loaded: &Loaded) {
    assert_eq!(loaded.stack.is_none(), loaded.has_errors(), "a stack or errors, never neither");
    for distribution in loaded.stack.iter().flat_map(|stack| &stack.distributions) {
        assert!(!distribution.behaviors.is_empty(), "the default behavior is always there");
        for behavior in &distribution.behaviors {
            assert!(!distribution.origins[behavior.origin].domain_name.is_empty());
        }
    }
    for problem in &loaded.diagnostics {
        assert!(problem.line == 0 || problem.column > 0, "{problem:?}");
        assert!(problem.message.len() < 4_000, "a message does not grow with its input");
    }
    let _ = warmfront_config::render_human(loaded);
    serde_json::from_str::<serde_json::Value>(&warmfront_config::render_json(loaded)).unwrap();
    serde_json::from_str::<serde_json::Value>(&warmfront_config::render_sarif(loaded)).unwrap();
}

fn seeds() -> Vec<String> {
    let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap();
    vec![
        read(fixture("config/real-world.yml")),
        read(fixture("config/two-origins.yml")),
        read(fixture("broken/condition-circle.yml")),
        read(fixture("../../../examples/serverless-cache/serverless.yml")),
        Parts::default().template(),
    ]
}

/// Pieces that mean something somewhere.
const PIECES: &[&str] = &[
    "!Ref ",
    "!Sub '${",
    "!GetAtt A.B",
    "${self:",
    "${file(x.yml):a}",
    "}",
    "{",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "\t",
    "'",
    "\"",
    "&a ",
    "*a",
    "<<: ",
    "|\n",
    "Fn::If: ",
    "null",
    "~",
    "true",
    "-1",
    "9223372036854775808",
    "AWS::NoValue",
    "é",
    "🙂",
    "\u{feff}",
    "#",
    "...",
    "---",
    "%YAML",
    "!!str ",
    "? ",
    "{{resolve:",
    "}}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_get_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..400), json in any::<bool>()) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(if json { "a.json" } else { "a.yml" });
        fs::write(&path, bytes).unwrap();
        if let Ok(loaded) = load(&path, &Options::default()) {
            check(&loaded);
        }
    }

    #[test]
    fn any_text_of_meaningful_pieces_gets_an_answer(pieces in proptest::collection::vec(0..PIECES.len(), 0..60), serverless in any::<bool>()) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let head = if serverless { "service: a\nprovider: {name: aws}\nresources: " } else { "Resources: " };
        check(&loaded_as("a.yml", &format!("{head}{text}"), &Options::default()));
        check(&loaded_as("a.json", &text, &Options::default()));
    }

    #[test]
    fn a_template_with_something_put_in_or_cut_out_gets_an_answer(
        seed in 0..5usize,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..PIECES.len(), 0..12usize), 1..5),
    ) {
        let mut chars: Vec<char> = seeds()[seed].chars().collect();
        for (at, piece, cut) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, PIECES[piece].chars());
        }
        let text: String = chars.into_iter().collect();
        check(&loaded_as("a.yml", &text, &Options::default()));
    }

    #[test]
    fn a_template_cut_off_anywhere_gets_an_answer(seed in 0..5usize, at in any::<prop::sample::Index>()) {
        let text = &seeds()[seed];
        let end = text.char_indices().map(|(index, _)| index).nth(at.index(text.chars().count())).unwrap_or(0);
        check(&loaded_as("a.yml", &text[..end], &Options::default()));
    }

    #[test]
    fn values_of_every_kind_at_every_property_get_an_answer(line in any::<prop::sample::Index>(), value in 0..8usize) {
        let values = ["[]", "{}", "[{}]", "''", "!Ref 'AWS::NoValue'", "[[[]]]", "-1", "!If [A, 1, 2]"];
        let text = &seeds()[0];
        let lines: Vec<&str> = text.lines().collect();
        let line = line.index(lines.len());
        let changed: Vec<String> = lines.iter().enumerate().map(|(index, text)| match text.split_once(": ") {
            Some((key, _)) if index == line => format!("{key}: {}", values[value]),
            _ => (*text).to_owned(),
        }).collect();
        check(&loaded_as("a.yml", &changed.join("\n"), &Options::default()));
    }
}
