//! `check`, and what every command does with what it cannot read: exit codes and output.

use std::fs;

use super::harness::{PASS_THROUGH, source, warmfront};

/// Exit status, standard output, standard error.
fn said(arguments: &[&str]) -> (i32, String, String) {
    let output = warmfront().args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn exit_codes_are_the_contracts() {
    let (directory, good) = source(PASS_THROUGH);
    let at = |name: &str, text: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = good.display().to_string();
    let broken = at(
        "broken.yml",
        PASS_THROUGH.replace("TargetOriginId: site", "TargetOriginId: x").as_bytes(),
    );
    let no_yaml = at("no-yaml.yml", b"a: [\n");
    let no_text = at("no-text.yml", b"\xff\xfe\x00");
    let missing = directory.path().join("missing.yml").display().to_string();
    let empty = directory.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.display().to_string();
    let rows = [
        (vec!["check", &good], 0),
        (vec!["check", &broken], 1),
        (vec!["check", &no_yaml], 1),
        (vec!["check", &no_text], 2),
        (vec!["check", &missing], 2),
        (vec!["check", &empty], 2),
        (vec!["run", &broken], 1),
        (vec!["run", &no_yaml], 1),
        (vec!["run", &missing], 2),
        (vec!["run", "--profile", "rfc2616", &good], 2),
        (vec!["run", "--virtual-clock", "--admin", "off", &good], 2),
        (vec!["run", "--virtual-clock", "--admin", "0.0.0.0:0", &good], 2),
        (vec!["explain", &good, "http://localhost/"], 0),
        (vec!["explain", &good, "localhost/"], 2),
        (vec!["explain", &broken, "http://localhost/"], 1),
        (vec!["explain", &missing, "http://localhost/"], 2),
        (vec!["test", &missing], 2),
        (vec!["frobnicate"], 2),
        (vec!["--version"], 0),
    ];
    for (arguments, code) in rows {
        let (status, out, err) = said(&arguments);
        assert_eq!(status, code, "{arguments:?}\n{out}{err}");
        assert!(code == 0 || !(out.is_empty() && err.is_empty()), "{arguments:?} says nothing");
    }
    // What was refused left nothing behind.
    assert!(!directory.path().join(".warmfront").exists());
}

#[test]
fn a_problem_is_told_with_its_place_in_every_format() {
    let (_directory, path) =
        source(&PASS_THROUGH.replace("TargetOriginId: site", "TargetOriginId: siet"));
    let path = path.display().to_string();
    let (_, human, _) = said(&["check", &path]);
    assert!(human.contains("template.yml:15:27") && human.contains("siet"), "{human}");
    let (_, json, _) = said(&["check", &path, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.to_string().contains("siet"));
    let (code, sarif, _) = said(&["check", &path, "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
    assert_eq!((code, &sarif["version"]), (1, &serde_json::json!("2.1.0")));
}

#[test]
fn a_failing_case_fails_and_says_where() {
    let (directory, _) = source(PASS_THROUGH);
    let case = |name: &str, status: u16| {
        let text = format!(
            "# A pass-through.\ndistribution: template.yml\norigin site: GET /a -> 200 \"x\"\n\
             viewer 1: GET /a <- {status}\n"
        );
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (good, bad) = (case("good.case", 200), case("bad.case", 404));
    let (status, out, _) = said(&["test", &good]);
    assert_eq!((status, out.contains("1 passed, 0 failed")), (0, true), "{out}");
    let (status, out, _) = said(&["test", &good, &bad]);
    assert_eq!((status, out.contains("1 passed, 1 failed")), (1, true), "{out}");
    assert!(out.contains("bad.case:4"), "{out}");
}

#[test]
fn each_block_of_a_document_is_told_by_its_line() {
    let (directory, _) = source(PASS_THROUGH);
    let block = "```case\n# One.\ndistribution: template.yml\nviewer 1: TRACE /a <- 403\n```\n";
    let document = directory.path().join("all.md");
    fs::write(&document, format!("# Title\n{block}\n{block}")).unwrap();
    let (status, out, _) = said(&["test", document.to_str().unwrap()]);
    let passed = out.contains("all.md:3: pass") && out.contains("all.md:9: pass");
    assert!(status == 0 && passed, "{out}");
}

#[test]
fn every_case_of_the_project_passes_in_process() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cases");
    let (status, out, _) = said(&["test", cases]);
    assert_eq!(status, 0, "{out}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (_directory, path) = source(PASS_THROUGH);
    let mut child =
        warmfront().arg("check").arg(path).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn explain_tells_each_decision_with_its_line() {
    let (_directory, path) = source(PASS_THROUGH);
    let path = path.display().to_string();
    let url = "https://shop.example.com/a?b=1";
    let (code, human, err) =
        said(&["explain", &path, url, "-X", "POST", "-H", "Cookie: sid=1", "--with-nothing"]);
    assert_eq!((code, human.as_str()), (2, ""), "{err}");
    let (code, human, _) = said(&["explain", &path, url, "-X", "POST", "-H", "Cookie: sid=1"]);
    assert_eq!(code, 0);
    for part in [
        "POST https://shop.example.com/a?b=1\n",
        "behavior         the default behavior, which takes what no pattern does  [",
        "POST over https is let in (allow-all)  [",
        "cache: Managed-CachingDisabled (MinTTL 0, DefaultTTL 0, MaxTTL 0)  [",
        "not looked at and not filled: POST is not cached here",
        "POST /a?b=1",
        "cookie: sid=1",
        "host: shop.example.com",
    ] {
        assert!(human.contains(part), "{part} in\n{human}");
    }
    let line = human.lines().find(|line| line.contains("Managed-CachingDisabled")).unwrap();
    assert!(line.ends_with("template.yml:18:11]"), "{line}");
    let (code, json, _) = said(&["explain", &path, url, "--format", "json"]);
    assert_eq!(code, 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let steps = json["steps"].as_array().unwrap();
    let key = steps.iter().filter(|step| step["topic"] == "key").count();
    assert!(key >= 2, "{json}");
    assert!(
        steps.iter().any(|step| step["place"].as_str().is_some_and(|at| at.contains(":18:11")))
    );
}
