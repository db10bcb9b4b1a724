//! `warmfront purge` and `POST /purge`: what they say, what they refuse, what a restart remembers.

use std::fs;

use super::harness::{PASS_THROUGH, Program, source, talk, warmfront};
use super::origin::Origin;

/// A source that is cached, with one distribution or two.
fn cached(names: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
    let template = PASS_THROUGH
        .replace("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6")
        .replace("          OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3\n", "");
    let (_, resource) = template.split_once("Resources:\n").unwrap();
    let resources = names.iter().enumerate().map(|(index, name)| {
        resource
            .replace("  Edge:\n", &format!("  {name}:\n"))
            .replace("shop.example.com", &format!("shop{index}.example.com"))
    });
    source(&format!("Resources:\n{}", resources.collect::<String>()))
}

/// Exit status, standard output, standard error.
fn purge(program: &Program, arguments: &[&str]) -> (i32, String, String) {
    let admin = program.admin.to_string();
    let output = warmfront().args(["purge", "--admin", &admin]).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn get(program: &Program, host: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    program.talk(&request).to_ascii_lowercase()
}

#[test]
fn purge_tells_what_it_did() {
    let origin = Origin::start();
    let (_directory, template) = cached(&["Edge"]);
    let program = Program::start(&template, &["--origin", &origin.flag()]).unwrap();
    for path in ["/a", "/b/1", "/b/2"] {
        get(&program, "localhost", path);
        assert!(
            get(&program, "localhost", path).contains("x-cache: hit from cloudfront"),
            "{path}"
        );
    }
    let (code, out, err) = purge(&program, &["/b/*", "#tag", "--dry-run"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.starts_with("Would purge in E") && out.contains("(Edge): 2 objects, "), "{out}");
    assert!(get(&program, "localhost", "/b/1").contains("x-cache: hit"));
    let (code, out, err) = purge(&program, &["/b/*", "#tag"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[1].starts_with("  /b/*  2 objects, ") && lines[2] == "  #tag  nothing stored");
    assert!(lines[3].starts_with("Invalidation I") && lines[3].len() == 27, "{out}");
    assert!(get(&program, "localhost", "/b/1").contains("x-cache: miss"));
    assert!(get(&program, "localhost", "/a").contains("x-cache: hit"));
    let (code, out, _) = purge(&program, &["/a", "--soft", "--format", "json"]);
    let receipt: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &receipt["total"]["objects"]), (0, &serde_json::json!(1)), "{out}");
    assert_eq!(receipt["soft"], true);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn what_cannot_work_says_why_and_what_would() {
    let (_directory, template) = cached(&["One", "Two"]);
    let program = Program::start(&template, &["--origin", "site=http://127.0.0.1:9"]).unwrap();
    let (code, _, err) = purge(&program, &["/a"]);
    assert_eq!(code, 1, "{err}");
    for part in ["several distributions", "--distribution E", "  One, d", "  Two, d"] {
        assert!(err.contains(part), "{part} in {err}");
    }
    let (code, _, err) = purge(&program, &["/a", "--distribution", "Three"]);
    assert!(code == 1 && err.contains("\"Three\"") && err.contains("  Two, d"), "{err}");
    for name in ["One", "shop1.example.com"] {
        let (code, out, err) = purge(&program, &["/a", "--distribution", name]);
        assert_eq!((code, err.as_str()), (0, ""), "{out}");
    }
    let (code, _, err) = purge(&program, &["a", "#b*", "/~c"]);
    assert!(code == 2 && err.lines().count() == 3, "{err}");
    let (code, _, err) = purge(&program, &[]);
    assert!(code == 2 && err.contains("PATH|#TAG"), "{err}");

    let admin = program.admin.to_string();
    drop(program);
    let output = warmfront().args(["purge", "/a", "--admin", &admin]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(3) && err.contains(&admin), "{err}");
    let output = warmfront().args(["purge", "/a", "--admin", "off"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_port_takes_orders_from_programs_only() {
    let (_directory, template) = cached(&["Edge"]);
    let program = Program::start(&template, &["--origin", "site=http://127.0.0.1:9"]).unwrap();
    let order = r#"{"items":["/a"]}"#;
    for (host, fields, expected) in [
        ("localhost", "Content-Type: application/json\r\n", "200"),
        ("localhost", "Content-Type: text/plain\r\n", "415"),
        ("localhost", "", "415"),
        ("evil.example", "Content-Type: application/json\r\n", "403"),
        ("localhost", "Content-Type: application/json\r\nOrigin: http://evil.example\r\n", "403"),
    ] {
        let request = format!(
            "POST /purge HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n{order}",
            order.len()
        );
        let reply = talk(program.admin, request.as_bytes());
        assert!(reply.starts_with(&format!("HTTP/1.1 {expected} ")), "{host} {fields}: {reply}");
    }
    assert!(program.admin("GET", "/purge").starts_with("HTTP/1.1 405 "));
}

#[test]
fn a_restart_remembers_and_says_when_it_cannot() {
    let (directory, template) = cached(&["Edge"]);
    let state = directory.path().join("state");
    let start =
        || Program::start_in(&state, &template, &["--origin", "site=http://127.0.0.1:9"]).unwrap();
    let program = start();
    assert_eq!(purge(&program, &["/a/*", "#Tag"]).0, 0);
    // As the system would at its worst.
    program.signal("KILL");
    program.wait();
    let file = state.join("purges");
    let said = fs::read_to_string(&file).unwrap();
    assert!(said.contains(" prefix /a/\n") && said.contains(" tag tag\n"), "{said}");
    let program = start();
    assert!(!program.stderr.text().contains("purges"), "{}", program.stderr.text());
    drop(program);
    assert!(fs::read_to_string(&file).unwrap().starts_with(&said));

    fs::write(&file, said.replace("/a/", "/b/")).unwrap();
    let program = start();
    let told = program.stderr.text();
    assert!(told.contains("warning: the file of purges is damaged at line 4"), "{told}");
    assert!(state.join("purges.damaged").exists());
    assert_eq!(purge(&program, &["/a"]).0, 0);
}

#[test]
fn what_was_purged_does_not_come_back_from_the_disk() {
    let origin = Origin::start();
    let (directory, template) = cached(&["Edge"]);
    let (state, cache) = (directory.path().join("state"), directory.path().join("cache"));
    let (flag, cache) = (origin.flag(), cache.display().to_string());
    // Nothing that is on disk alone fits into this memory for long.
    let arguments = ["--origin", &flag, "--cache-dir", &cache, "--cache-disk", "64MiB"];
    let start = || Program::start_in(&state, &template, &arguments).unwrap();
    let hits = |program: &Program, path: &str| {
        get(program, "localhost", path).contains("x-cache: hit from cloudfront")
    };
    // A restart finds what the disk has as soon as a thread has read where it lies.
    let is_found = |program: &Program, path: &str| {
        let deadline = std::time::Instant::now() + super::harness::PATIENCE;
        loop {
            let (_, out, _) = purge(program, &[path, "--dry-run"]);
            if out.contains("1 object") {
                return true;
            }
            if std::time::Instant::now() > deadline {
                return false;
            }
        }
    };
    let program = start();
    for path in ["/kept", "/purged", "/purged-later"] {
        get(&program, "localhost", path);
        assert!(hits(&program, path), "{path}");
    }
    assert_eq!(purge(&program, &["/purged"]).0, 0);
    program.signal("TERM");
    assert_eq!(program.wait().code(), Some(0));

    let program = start();
    assert!(is_found(&program, "/kept"), "{}", program.stderr.text());
    assert!(is_found(&program, "/purged-later"));
    let (_, out, _) = purge(&program, &["/*", "--dry-run"]);
    assert!(out.contains("2 objects") && out.contains("(2 on disk alone)"), "{out}");
    assert!(hits(&program, "/kept"));
    assert!(!hits(&program, "/purged"));
    // Purged while only the disk has it, and then the power fails.
    assert_eq!(purge(&program, &["/purged-later"]).0, 0);
    program.signal("KILL");
    program.wait();

    let program = start();
    assert!(is_found(&program, "/kept"));
    assert!(hits(&program, "/kept") && !hits(&program, "/purged-later"));
    program.signal("TERM");
    program.wait();

    // Nobody knows any more what was purged.
    fs::remove_file(state.join("purges")).unwrap();
    let program = start();
    let told = program.stderr.text();
    assert!(told.contains("is not there, so nobody knows what was purged"), "{told}");
}
