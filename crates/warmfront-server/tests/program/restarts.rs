//! What the disk brings back after a restart beside plain objects: variants, parts, compressed bodies, and what was
//! purged or changed of them meanwhile.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::crashes::await_index;
use super::harness::{Program, source};

const TEMPLATE: &str = r#"
Resources:
  Policy:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: Policy
        MinTTL: 0
        DefaultTTL: 600
        MaxTTL: 3600
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: true
          HeadersConfig: { HeaderBehavior: none }
          CookiesConfig: { CookieBehavior: none }
          QueryStringsConfig: { QueryStringBehavior: all }
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        CacheTagConfig: { HeaderName: Cache-Tag }
        Origins:
          - Id: site
            DomainName: site.example.com
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        DefaultCacheBehavior:
          TargetOriginId: site
          ViewerProtocolPolicy: allow-all
          AllowedMethods: [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]
          CachePolicyId: !Ref Policy
          OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3 # AllViewer
          Compress: true
"#;

const LENGTH: usize = 600_000;

fn octets() -> Vec<u8> {
    (0..LENGTH).map(|at| (at / 251 + at) as u8).collect()
}

/// Answers `/vary…` in the language that is asked for, `/part` in ranges, `/text` with what can be compressed, and
/// writes down the heads of requests.
struct Origin {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let for_threads = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = for_threads.clone();
                std::thread::spawn(move || while answer(&stream, &seen).is_some() {});
            }
        });
        Self { address, seen }
    }

    /// The requests since the last look.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn answer(mut stream: &TcpStream, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    let head = head.to_ascii_lowercase();
    let field = |name: &str| {
        head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
    };
    let (mut status, mut fields, mut body) = ("200 OK", String::new(), Vec::new());
    if head.starts_with("get /vary") {
        body = format!("in {}", field("accept-language").unwrap_or_default()).into_bytes();
        fields = "Vary: Accept-Language\r\nCache-Tag: words\r\n".into();
    } else if head.starts_with("get /part") {
        let range = field("range")?;
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        let last = last.min(LENGTH - 1);
        body = octets()[first..=last].to_vec();
        status = "206 Partial Content";
        fields = format!("Content-Range: bytes {first}-{last}/{LENGTH}\r\nETag: \"p\"\r\n");
    } else if head.starts_with("get /text") {
        body = b"all work and no play ".repeat(200);
        fields = "Content-Type: text/plain\r\nETag: \"t\"\r\n".into();
    } else {
        status = "204 No Content";
    }
    seen.lock().unwrap().push(head);
    let length = match status {
        "204 No Content" => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    let head = format!("HTTP/1.1 {status}\r\n{length}Cache-Control: max-age=3000\r\n{fields}\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

/// The head of the reply, in lower case, and its body.
fn ask(program: &Program, request: &str) -> (String, Vec<u8>) {
    let (first, fields) = request.split_once('|').unwrap_or((request, ""));
    let fields: String =
        fields.split('|').filter(|it| !it.is_empty()).map(|it| format!("{it}\r\n")).collect();
    let mut stream = TcpStream::connect(program.http).unwrap();
    let request = format!("{first} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let end = reply.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&reply[..end]).to_ascii_lowercase();
    (head, reply[end + 4..].to_vec())
}

#[track_caller]
fn check(program: &Program, request: &str, is_hit: bool, body: &[u8]) {
    let (head, came) = ask(program, request);
    let expected = if is_hit { "x-cache: hit" } else { "x-cache: miss" };
    assert!(head.contains(expected), "{request}: {head}");
    assert!(came == body, "{request}: {head}");
}

fn start(state: &Path, template: &Path, flag: &str) -> Program {
    let cache = state.with_file_name("cache");
    let arguments =
        ["--origin", flag, "--profile", "rfc9111", "--access-log", "off", "--cache-dir"];
    let program =
        Program::start_in(state, template, &[&arguments[..], &[cache.to_str().unwrap()]].concat());
    let program = program.unwrap();
    await_index(&program);
    program
}

fn purge(program: &Program, item: &str) {
    let admin = program.admin.to_string();
    let status = super::harness::warmfront().args(["purge", item, "--admin", &admin]).status();
    assert!(status.unwrap().success());
}

#[test]
fn variants_parts_and_compressed_bodies_are_found_again_and_go_as_they_would_have() {
    let origin = Origin::start();
    let (directory, template) = source(TEMPLATE);
    let state = directory.path().join("state");
    let flag = format!("site=http://{}", origin.address);
    let octets = octets();

    let program = start(&state, &template, &flag);
    check(&program, "GET /vary|Accept-Language: de", false, b"in de");
    check(&program, "GET /vary|Accept-Language: en", false, b"in en");
    check(&program, "GET /vary2|Accept-Language: de", false, b"in de");
    check(&program, "GET /vary2|Accept-Language: en", false, b"in en");
    check(&program, "GET /part|Range: bytes=10-19", false, &octets[10..20]);
    ask(&program, "GET /text|Accept-Encoding: gzip");
    let (head, compressed) = ask(&program, "GET /text|Accept-Encoding: gzip");
    assert!(head.contains("content-encoding: gzip") && compressed.len() < 1_000, "{head}");
    assert_eq!(origin.asked().len(), 6);
    program.signal("TERM");
    assert!(program.wait().success());

    let program = start(&state, &template, &flag);
    check(&program, "GET /vary|Accept-Language: en", true, b"in en");
    check(&program, "GET /vary|Accept-Language: de", true, b"in de");
    check(&program, "GET /part|Range: bytes=20-29", true, &octets[20..30]);
    check(&program, "GET /text|Accept-Encoding: gzip", true, &compressed);
    check(&program, "GET /text|Accept-Encoding: gzip|Range: bytes=5-9", true, &compressed[5..10]);
    let (head, _) = ask(&program, "HEAD /text|Accept-Encoding: gzip");
    assert!(head.contains("etag: w/\"t\"") && head.contains("x-cache: hit"), "{head}");
    let (head, _) = ask(&program, "GET /text|Accept-Encoding: gzip|If-None-Match: \"t\"");
    assert!(head.starts_with("http/1.1 304"), "{head}");
    assert_eq!(origin.asked(), Vec::<String>::new());
    // What was not stored is asked for under the name of the version.
    check(&program, "GET /part|Range: bytes=300000-300009", false, &octets[300_000..300_010]);
    let asked = origin.asked();
    assert!(asked.len() == 1 && asked[0].contains("if-range: \"p\""), "{asked:?}");
    // A purge and a change reach every variant that the disk brings back, whether it was read before or not.
    purge(&program, "/vary");
    ask(&program, "DELETE /vary2");
    origin.asked();
    program.signal("KILL");
    program.wait();

    let program = start(&state, &template, &flag);
    check(&program, "GET /vary|Accept-Language: de", false, b"in de");
    check(&program, "GET /vary|Accept-Language: en", false, b"in en");
    check(&program, "GET /vary2|Accept-Language: en", false, b"in en");
    check(&program, "GET /vary2|Accept-Language: de", false, b"in de");
    check(&program, "GET /text|Accept-Encoding: gzip", true, &compressed);
    check(&program, "GET /part|Range: bytes=300010-300019", true, &octets[300_010..300_020]);
    purge(&program, "#words");
    check(&program, "GET /vary|Accept-Language: de", false, b"in de");
}
