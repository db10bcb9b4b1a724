//! docs/case.md is run: every block marked `case` must pass.

use std::path::Path;

use warmfront_case::{Case, corpus, run};

use crate::fake::FakeOpener;
use crate::served::ServedOpener;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[tokio::test]
async fn every_block_of_the_documentation_passes() {
    let name = root().join("docs/case.md");
    let document = std::fs::read_to_string(&name).unwrap();
    let cases = corpus::fenced("docs/case.md", &document);
    assert!(cases.len() >= 9, "only {} blocks are marked as case", cases.len());
    for written in cases {
        let case = Case::parse(&written.name, &written.text).unwrap_or_else(|e| panic!("{e}"));
        let outcome = run(&case, &FakeOpener).await;
        assert!(outcome.passed(), "in process: {outcome}");
        let outcome = run(&case, &ServedOpener).await;
        assert!(outcome.passed(), "over sockets: {outcome}");
    }
}

#[test]
fn every_case_of_the_corpus_can_be_read() {
    let files = corpus::files(&root().join("cases")).unwrap();
    assert!(files.len() >= 60, "only {} cases", files.len());
    let mut problems = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        match Case::parse(&file.display().to_string(), &text) {
            Err(error) => problems.push(error.to_string()),
            Ok(case) => {
                if let Some(warmfront_case::Source::File(source)) = &case.source
                    && !source.exists()
                {
                    problems.push(format!("{}: {} is not there", case.name, source.display()));
                }
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
