//! `--watch`: what is saved is served, and nobody notices but those who ask again.

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use super::harness::{PASS_THROUGH, PATIENCE, Program, source};
use super::origin::Origin;

const SAVES: usize = 200;

/// The distribution with a version in two places, which must always agree.
fn version(number: usize) -> String {
    let headers = format!(
        "DomainName: site.example.com\n            OriginCustomHeaders:\n              \
         - {{ HeaderName: X-One, HeaderValue: v{number} }}\n              \
         - {{ HeaderName: X-Two, HeaderValue: v{number} }}"
    );
    PASS_THROUGH.replace("DomainName: site.example.com", &headers)
}

/// Half of all editors write the file, half put another one in its place.
fn save(path: &Path, text: &str, number: usize) {
    if number.is_multiple_of(2) {
        fs::write(path, text).unwrap();
    } else {
        let beside = path.with_extension("new");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, path).unwrap();
    }
}

/// Asks over one connection until it is told to stop; every request must be answered.
fn keep_asking(address: SocketAddr, stop: &AtomicBool, answered: &AtomicUsize) {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(&stream);
    while !stop.load(Relaxed) {
        (&stream).write_all(b"GET /load HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        reader.read_exact(&mut [0; 4]).unwrap();
        answered.fetch_add(1, Relaxed);
    }
}

#[test]
fn many_saves_under_load_lose_no_request_and_mix_no_versions() {
    let origin = Origin::start();
    let (directory, template) = source(&version(0));
    let program = Program::start(&template, &["--watch", "--origin", &origin.flag()]).unwrap();
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (address, stop, answered) = (program.http, stop.clone(), answered.clone());
            std::thread::spawn(move || keep_asking(address, &stop, &answered))
        })
        .collect();
    for number in 1..=SAVES {
        save(&directory.path().join("template.yml"), &version(number), number);
        let deadline = Instant::now() + PATIENCE;
        let wanted = format!("x-one: v{number}\n");
        loop {
            let ask = format!(
                "GET /probe-{number} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            );
            assert!(program.talk(&ask).starts_with("HTTP/1.1 200 "));
            let seen = origin.seen(&format!("/probe-{number}"));
            if seen.last().unwrap().head.contains(&wanted) {
                break;
            }
            assert!(Instant::now() < deadline, "version {number}:\n{}", program.stderr.text());
        }
    }
    stop.store(true, Relaxed);
    for client in clients {
        client.join().expect("every request was answered");
    }
    assert!(answered.load(Relaxed) >= SAVES);
    let mut versions = HashSet::new();
    for seen in origin.seen("/load") {
        let value = |name: &str| {
            let line = seen.head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.to_owned()
        };
        assert_eq!(value("x-one: "), value("x-two: "));
        versions.insert(value("x-one: "));
    }
    assert!(versions.len() > 2, "{versions:?}");
    assert!(program.admin("GET", "/metrics").contains("warmfront_reload_failures_total 0"));
}

#[test]
fn a_broken_save_says_why_and_changes_nothing_until_it_is_mended() {
    let origin = Origin::start();
    let (directory, template) = source(&version(0));
    let program = Program::start(&template, &["--watch", "--origin", &origin.flag()]).unwrap();
    let ask = || program.talk("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");

    let path = directory.path().join("template.yml");
    fs::write(&path, version(1).replace("TargetOriginId: site", "TargetOriginId: siet")).unwrap();
    assert!(program.stderr.wait_for("was not reloaded"));
    let said = program.stderr.text();
    assert!(said.contains("template.yml:") && said.contains("siet"), "{said}");
    assert!(ask().starts_with("HTTP/1.1 200 "));
    assert!(origin.seen("/a")[0].head.contains("x-one: v0"));

    fs::write(&path, version(2)).unwrap();
    assert!(program.stderr.wait_for("\nreloaded "));
    assert!(ask().starts_with("HTTP/1.1 200 "));
    assert!(origin.seen("/a")[1].head.contains("x-one: v2"));
}

const SERVICE: &str = r#"
service: watched
provider: { name: aws, runtime: nodejs20.x }
functions:
  hello:
    handler: src/handler.hello
    events: [{ httpApi: GET /hello }]
resources:
  Resources:
    Edge:
      Type: AWS::CloudFront::Distribution
      Properties:
        DistributionConfig:
          Enabled: true
          Origins:
            - Id: api
              DomainName: !Select [2, !Split ["/", !GetAtt HttpApi.ApiEndpoint]]
              CustomOriginConfig: { OriginProtocolPolicy: https-only }
            - Id: site
              DomainName: site.example.com
              CustomOriginConfig: { OriginProtocolPolicy: http-only }
          CacheBehaviors:
            - PathPattern: /site/*
              TargetOriginId: site
              ViewerProtocolPolicy: allow-all
              CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
          DefaultCacheBehavior:
            TargetOriginId: api
            ViewerProtocolPolicy: allow-all
            CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
"#;

/// A service with a function in two files, and a site.
fn service() -> (tempfile::TempDir, Program) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("src")).unwrap();
    fs::create_dir_all(root.path().join("public/site")).unwrap();
    let write = |path: &str, text: &str| fs::write(root.path().join(path), text).unwrap();
    write("serverless.yml", SERVICE);
    write("src/word.js", "module.exports = 'first'");
    write("src/handler.js", "exports.hello = async () => 'it is ' + require('./word')");
    write("public/site/index.html", "old page");
    let site = format!("site={}", root.path().join("public").display());
    let program =
        Program::start(&root.path().join("serverless.yml"), &["--watch", "--origin", &site]);
    (root, program.unwrap())
}

fn get(program: &Program, path: &str) -> String {
    program.talk(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
}

#[test]
fn a_saved_function_answers_at_once_also_where_its_old_answer_was_stored() {
    let (root, program) = service();
    assert!(get(&program, "/hello").ends_with("it is first"));
    let hit = get(&program, "/hello");
    assert!(hit.contains("X-Cache: Hit") && hit.ends_with("it is first"), "{hit}");
    // A file that the handler only loads, by the way.
    fs::write(root.path().join("src/word.js"), "module.exports = 'second'").unwrap();
    assert!(program.stderr.wait_for("\nreloaded "));
    let fresh = get(&program, "/hello");
    assert!(fresh.contains("X-Cache: Miss") && fresh.ends_with("it is second"), "{fresh}");
}

#[test]
fn a_saved_page_of_a_directory_is_served_at_once() {
    let (root, program) = service();
    assert!(get(&program, "/site/index.html").ends_with("old page"));
    assert!(get(&program, "/site/index.html").contains("X-Cache: Hit"));
    fs::write(root.path().join("public/site/index.html"), "new page").unwrap();
    assert!(program.stderr.wait_for("\nreloaded "));
    assert!(get(&program, "/site/index.html").ends_with("new page"));
}
