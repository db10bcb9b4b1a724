//! Access logs as CloudFront writes them, from real exchanges.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Instant;

use flate2::read::MultiGzDecoder;

use super::harness::{PATIENCE, Program, source};
use super::origin::Origin;

const LOGGED: &str = r#"
Resources:
  Watch:
    Type: AWS::CloudFront::RealtimeLogConfig
    Properties:
      Name: watch
      SamplingRate: 100
      EndPoints: [{StreamType: Kinesis, KinesisStreamConfig: {RoleArn: a, StreamArn: b}}]
      Fields: [sc-status, cs-uri-stem, cs-cookie, cmcd-encoded-bitrate]
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Logging: {Bucket: my-logs.s3.amazonaws.com, Prefix: shop, IncludeCookies: true}
        Origins:
          - Id: site
            DomainName: site.example.com
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
          - Id: nowhere
            DomainName: nowhere.example.com
            ConnectionAttempts: 1
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        CacheBehaviors:
          - PathPattern: /secure/*
            TargetOriginId: site
            ViewerProtocolPolicy: redirect-to-https
            CachePolicyId: CachingDisabled
          - PathPattern: /nowhere
            TargetOriginId: nowhere
            ViewerProtocolPolicy: allow-all
            CachePolicyId: CachingDisabled
          - PathPattern: /watched
            TargetOriginId: site
            ViewerProtocolPolicy: allow-all
            CachePolicyId: CachingDisabled
            RealtimeLogConfigArn: !GetAtt Watch.Arn
        DefaultCacheBehavior:
          TargetOriginId: site
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: CachingOptimized
"#;

struct World {
    program: Program,
    origin: Origin,
    logs: tempfile::TempDir,
    _source: tempfile::TempDir,
}

/// The program with `arguments`, in which LOGS is a directory of its own.
fn world(arguments: &[&str]) -> World {
    let (origin, logs) = (Origin::start(), tempfile::tempdir().unwrap());
    let (directory, template) = source(LOGGED);
    let place = logs.path().to_str().unwrap();
    let arguments: Vec<String> = arguments.iter().map(|it| it.replace("LOGS", place)).collect();
    let flag = origin.flag();
    let mut all = vec!["--origin", &flag, "--origin", "nowhere=http://127.0.0.1:9"];
    all.extend(["--access-log", "off"]);
    all.extend(arguments.iter().map(String::as_str));
    let program = Program::start(&template, &all).unwrap();
    World { program, origin, logs, _source: directory }
}

impl World {
    /// Sends `request` (its first line and headers) with a Host, and gives the whole reply.
    fn ask(&self, request: &str, body: &str) -> String {
        let request =
            format!("{request}\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n{body}");
        self.program.talk(&request)
    }
}

/// A line of version 1 by the names of its fields.
fn fields(line: &str) -> BTreeMap<&'static str, String> {
    const NAMES: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem \
        sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type \
        x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol \
        ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields \
        c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len \
        sc-range-start sc-range-end";
    let names: Vec<_> = NAMES.split_ascii_whitespace().collect();
    let values: Vec<_> = line.split('\t').collect();
    assert_eq!((names.len(), values.len()), (33, 33), "{line}");
    names.into_iter().zip(values.into_iter().map(str::to_owned)).collect()
}

#[test]
fn version_1_tells_of_every_kind_of_request() {
    let world = world(&["--standard-log", "-"]);
    let get = "GET /a?b=c HTTP/1.1\r\nCookie: k=v\r\nUser-Agent: a b";
    let replies = [
        world.ask(get, ""),
        world.ask("GET /a?b=c HTTP/1.1", ""),
        world.ask("HEAD /a HTTP/1.1", ""),
        world.ask("POST /a HTTP/1.1\r\nContent-Length: 5", "hello"),
        world.ask("GET /secure/a HTTP/1.1", ""),
        world.ask("GET /nowhere HTTP/1.1", ""),
        world.ask("BREW /a HTTP/1.1", ""),
    ];
    let mut viewer = TcpStream::connect(world.program.http).unwrap();
    viewer.write_all(b"GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    world.origin.await_request("/held");
    viewer.shutdown(Shutdown::Both).unwrap();
    assert!(world.program.stdout.wait_for("\t/held\t"), "{}", world.program.stdout.text());
    let log = world.program.stdout.text();
    let mut lines = log.lines();
    assert_eq!(lines.next(), Some("#Version: 1.0"));
    assert!(lines.next().unwrap().starts_with("#Fields: date time x-edge-location "));
    let lines: Vec<_> = lines.map(fields).collect();
    let rows = [
        ("GET", "/a", "200", "Miss", "Miss"),
        ("GET", "/a", "200", "Hit", "Hit"),
        ("HEAD", "/a", "200", "Hit", "Hit"),
        ("POST", "/a", "200", "Miss", "Miss"),
        ("GET", "/secure/a", "301", "Redirect", "Redirect"),
        ("GET", "/nowhere", "502", "Error", "OriginConnectError"),
        ("BREW", "/a", "403", "Error", "InvalidRequestMethod"),
        ("GET", "/held", "000", "Error", "ClientHungUpRequest"),
    ];
    for ((line, reply), row) in lines.iter().zip(replies.iter().map(Some).chain([None])).zip(rows) {
        let (method, stem, status, result, detailed) = row;
        for (name, expected) in [
            ("cs-method", method),
            ("cs-uri-stem", stem),
            ("sc-status", status),
            ("x-edge-result-type", result),
            ("x-edge-response-result-type", result),
            ("x-edge-detailed-result-type", detailed),
            ("cs-protocol", "http"),
            ("cs-protocol-version", "HTTP/1.1"),
            ("c-ip", "127.0.0.1"),
            ("ssl-protocol", "-"),
        ] {
            assert_eq!(line[name], expected, "{name} of {row:?}");
        }
        let Some(reply) = reply else { continue };
        assert!(reply.contains(&line["x-edge-request-id"]), "{row:?}");
        assert_eq!(line["x-host-header"], "shop.example.com");
        assert!(line["cs(Host)"].ends_with(".cloudfront.net"));
        // All that was sent but `Connection: close`, which the connection adds.
        let added = "Connection: close\r\n".len();
        let sent: usize = line["sc-bytes"].parse().unwrap();
        assert!([reply.len(), reply.len() - added].contains(&sent), "{sent} of {reply}");
    }
    assert_eq!(lines.len(), rows.len());
    let first = &lines[0];
    assert_eq!((&*first["cs(Cookie)"], &*first["cs-uri-query"]), ("k=v", "b=c"));
    assert_eq!(first["cs(User-Agent)"], "a%20b");
    let host = "\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n";
    assert_eq!(first["cs-bytes"], (get.len() + host.len()).to_string());
    let post = "POST /a HTTP/1.1\r\nContent-Length: 5".len() + host.len() + "hello".len();
    assert_eq!(lines[3]["cs-bytes"], post.to_string());
    assert_eq!(lines[7]["sc-bytes"], "0");
    world.origin.release();
}

/// Every file below `root`, with `*` for the unique part of its name, and its text.
fn files(root: &Path) -> Vec<(String, String)> {
    let (mut found, mut directories) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map_while(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let mut text = String::new();
            let file = File::open(&path).ok();
            let _ = file.map(|file| MultiGzDecoder::new(file).read_to_string(&mut text));
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let (start, end) = name.split_once(".gz").unwrap();
            let (start, _unique) = start.rsplit_once('.').unwrap();
            found.push((format!("{start}.*.gz{end}"), text));
        }
    }
    found.sort();
    found
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn a_directory_has_the_files_of_the_bucket_and_they_end_with_their_hour() {
    let world = world(&["--standard-log", "LOGS/", "--virtual-clock"]);
    world.ask("GET /first HTTP/1.1", "");
    let root = world.logs.path().to_owned();
    let is_written = || files(&root).iter().any(|(_, text)| text.contains("/first\t"));
    wait_until("the line is on the disk while the hour goes on", is_written);
    assert!(files(&root)[0].0.ends_with(".*.gz.part"), "{:?}", files(&root));
    let turned = world.program.admin("POST", "/clock/advance?ms=3600000");
    assert!(turned.starts_with("HTTP/1.1 200 "), "{turned}");
    wait_until("the hour is over", || files(&root)[0].0.ends_with(".*.gz"));
    world.ask("GET /second HTTP/1.1", "");
    world.program.signal("TERM");
    assert_eq!(world.program.wait().code(), Some(0));
    let files = files(&root);
    assert_eq!(files.len(), 2, "{files:?}");
    for ((name, text), stem) in files.iter().zip(["/first", "/second"]) {
        let name = name.strip_prefix("my-logs/shop/E").unwrap();
        // 13 characters, the date, the hour.
        assert_eq!(name.len(), "234567890ABCD.2026-01-01-00.*.gz".len(), "{name}");
        assert!(name.ends_with(".*.gz"), "{name}");
        assert!(text.starts_with("#Version: 1.0\n#Fields: ") && text.contains(stem), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
        let line = fields(text.lines().nth(2).unwrap());
        assert!(name.contains(&format!(".{}-{}", line["date"], &line["time"][..2])), "{name}");
    }
}

#[test]
fn version_2_has_chosen_fields_and_a_path_of_its_own() {
    let world = world(&[
        "--standard-log",
        "json=LOGS/",
        "--standard-log-fields",
        "cs-uri-stem,cs-uri-query,sc-status,cache-behavior-path-pattern",
        "--standard-log-path",
        "{accountid}/{yyyy}",
        "--redact-query",
        "token",
    ]);
    world.ask("GET /watched?token=geheim&Signature=geheim HTTP/1.1", "");
    world.program.signal("TERM");
    let root = world.logs.path().to_owned();
    assert_eq!(world.program.wait().code(), Some(0));
    let files = files(&root);
    let [(name, text)] = files.as_slice() else { panic!("{files:?}") };
    assert!(name.starts_with("AWSLogs/000000000000/CloudFront/000000000000/2"), "{name}");
    assert_eq!(
        text,
        "{\"cs-uri-stem\":\"/watched\",\"cs-uri-query\":\"token=REDACTED&Signature=REDACTED\",\
         \"sc-status\":\"200\",\"cache-behavior-path-pattern\":\"/watched\"}\n"
    );
}

#[test]
fn real_time_records_are_of_their_behavior_and_a_moved_file_is_left_alone() {
    let world = world(&["--real-time-log", "LOGS/live.log"]);
    let path = world.logs.path().join("live.log");
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    world.ask("GET /other HTTP/1.1", "");
    world.ask("GET /watched?a HTTP/1.1\r\nCookie: k=v\r\nCMCD-Object: br=3200,d=4", "");
    let expected = "200\t/watched?a\tk=v\t3200\n";
    wait_until("the record", || read(&path) == expected);
    let moved = world.logs.path().join("live.log.1");
    fs::rename(&path, &moved).unwrap();
    world.program.signal("HUP");
    assert!(world.program.stderr.wait_for("\nreloaded "));
    world.ask("GET /watched?b HTTP/1.1", "");
    wait_until("a new file", || read(&path) == "200\t/watched?b\t-\t-\n");
    assert_eq!(read(&moved), expected);
}

#[test]
fn a_log_that_stays_empty_or_cannot_be_opened_is_said() {
    let (_directory, template) = source(super::harness::PASS_THROUGH);
    let logs = tempfile::tempdir().unwrap();
    let place = logs.path().to_str().unwrap();
    let start = |flag: &str, target: &str| {
        Program::start(&template, &["--origin", "site=http://127.0.0.1:9", flag, target])
    };
    let program = start("--standard-log", place).unwrap();
    assert!(program.stderr.text().contains("no distribution of the source has a Logging"));
    let program = start("--real-time-log", "-").unwrap();
    assert!(program.stderr.text().contains("no behavior of the source has a RealtimeLogConfigArn"));
    let error = start("--standard-log", &format!("{place}/none/a.log")).err().unwrap();
    assert!(error.contains("cannot open a log: ") && error.contains("none/a.log"), "{error}");
}
