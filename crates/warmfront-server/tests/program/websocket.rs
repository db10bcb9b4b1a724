//! WebSockets through the program: raw sockets on both sides, so that every byte is the test's own.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::harness::{PASS_THROUGH, PATIENCE, Program, source};

/// A server that answers an upgrade as its target says. Its threads end with their connections.
struct Origin {
    address: SocketAddr,
    /// The heads that came, in lower case.
    heads: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, &seen));
            }
        });
        Self { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn serve(stream: TcpStream, seen: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        seen.lock().unwrap().push(head.to_ascii_lowercase());
        let target = head.split(' ').nth(1)?;
        match target {
            "/echo" | "/greet" => {
                let greeting = if target == "/greet" { "hello" } else { "" };
                write!(writer, "{SWITCH}{greeting}").ok()?;
                std::io::copy(&mut reader, &mut writer).ok()?;
                return writer.shutdown(Shutdown::Both).ok();
            }
            "/last-word" => {
                write!(writer, "{SWITCH}").ok()?;
                let mut all = Vec::new();
                reader.read_to_end(&mut all).ok()?;
                return write!(writer, "got {} bytes", all.len()).ok();
            }
            "/quit" => {
                write!(writer, "{SWITCH}bye").ok()?;
                return writer.shutdown(Shutdown::Both).ok();
            }
            "/other" => {
                let other = SWITCH.replace("Upgrade: websocket", "Upgrade: h2c");
                write!(writer, "{other}").ok()?;
            }
            "/unasked" => write!(writer, "{SWITCH}").ok()?,
            "/refuse" => write!(writer, "HTTP/1.1 400 Bad\r\nContent-Length: 2\r\n\r\nno").ok()?,
            _ => write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen").ok()?,
        }
    }
}

fn started(text: &str, arguments: &[&str]) -> (Program, Origin, tempfile::TempDir) {
    let origin = Origin::start();
    let (directory, template) = source(text);
    let flag = format!("site=http://{}", origin.address);
    let all: Vec<&str> = ["--origin", &flag].into_iter().chain(arguments.iter().copied()).collect();
    (Program::start(&template, &all).unwrap(), origin, directory)
}

fn handshake(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n\
         Upgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    )
}

fn connect(program: &Program) -> TcpStream {
    let stream = TcpStream::connect(program.http).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap_or_else(|error| {
            panic!("{error} after {}", String::from_utf8_lossy(&head));
        });
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// A tunnel to `target`, with `early` sent in the same write as the handshake.
fn open(program: &Program, target: &str, early: &str) -> TcpStream {
    let mut stream = connect(program);
    stream.write_all(format!("{}{early}", handshake(target)).as_bytes()).unwrap();
    let head = read_head(&mut stream);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    stream
}

fn expect(stream: &mut impl Read, text: &str) {
    let mut bytes = vec![0; text.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(String::from_utf8_lossy(&bytes), text);
}

#[test]
fn a_tunnel_carries_what_the_policies_let_through_and_is_logged_when_it_ends() {
    let (program, origin, _directory) = started(PASS_THROUGH, &["--access-log", "json"]);
    let mut stream = connect(&program);
    // What comes before the 101 is the tunnel's first bytes, and the origin's come behind its own.
    stream.write_all(format!("{}early", handshake("/greet")).as_bytes()).unwrap();
    let head = read_head(&mut stream);
    for line in [
        "HTTP/1.1 101 Switching Protocols\r\n",
        "Connection: Upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
        "X-Cache: Miss from cloudfront\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    assert!(!head.to_ascii_lowercase().contains("content-length"), "{head}");
    expect(&mut stream, "helloearly");
    assert_eq!(program.stdout.text(), "", "it is logged at its end");
    drop(stream);
    assert!(program.stdout.wait_for("\n"));
    let line: serde_json::Value = serde_json::from_str(program.stdout.text().trim()).unwrap();
    assert_eq!(
        (&line["status"], &line["result"], &line["body_bytes"], &line["complete"]),
        (&101.into(), &"Miss".into(), &10.into(), &true.into()),
        "{line}"
    );
    let head = &origin.heads()[0];
    for line in [
        "get /greet http/1.1\r\n",
        "\r\nconnection: upgrade\r\n",
        "\r\nupgrade: websocket\r\n",
        "\r\nsec-websocket-key: dghlihnhbxbszsbub25jzq==\r\n",
        "\r\nsec-websocket-version: 13\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
}

#[test]
fn a_mebibyte_each_way_at_once_arrives_whole_in_clear_and_under_tls() {
    let (program, _origin, _directory) = started(PASS_THROUGH, &[]);
    let clear = open(&program, "/echo", "");
    echo_a_mebibyte(clear.try_clone().unwrap(), clear, |stream| {
        stream.shutdown(Shutdown::Write).unwrap();
    });
    // One TLS session cannot be read and written by two threads; the pieces alternate instead.
    let mut secure = tls(&program);
    secure.write_all(handshake("/echo").as_bytes()).unwrap();
    assert!(read_head(&mut secure).starts_with("HTTP/1.1 101 "));
    let piece: Vec<u8> = (0..64 << 10).map(|at: u32| (at * 31 % 251) as u8).collect();
    for _ in 0..16 {
        secure.write_all(&piece).unwrap();
        secure.flush().unwrap();
        let mut back = vec![0; piece.len()];
        secure.read_exact(&mut back).unwrap();
        assert!(back == piece);
    }
    secure.conn.send_close_notify();
    secure.flush().unwrap();
    let mut rest = Vec::new();
    secure.read_to_end(&mut rest).expect("the end comes with close_notify");
    assert_eq!(rest, b"");
}

fn echo_a_mebibyte(
    mut reader: TcpStream,
    mut writer: TcpStream,
    end: impl FnOnce(&TcpStream) + Send,
) {
    let sent: Vec<u8> = (0..1 << 20).map(|at: u32| (at * 31 % 251) as u8).collect();
    let mut back = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Odd pieces, as frames are.
            for piece in sent.chunks(4_093) {
                writer.write_all(piece).unwrap();
            }
            end(&writer);
        });
        reader.read_to_end(&mut back).unwrap();
    });
    assert!(back == sent, "{} of {} bytes", back.len(), sent.len());
}

fn tls(program: &Program) -> rustls::StreamOwned<rustls::ClientConnection, TcpStream> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let pem = program.state.join("ca.pem");
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(program.https).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    rustls::StreamOwned::new(session, stream)
}

#[test]
fn one_side_may_end_while_the_other_goes_on() {
    let (program, _origin, _directory) = started(PASS_THROUGH, &["--access-log", "text"]);
    let mut stream = open(&program, "/last-word", "");
    stream.write_all(&[b'x'; 1000]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    expect(&mut stream, "got 1000 bytes");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(program.stdout.wait_for(" 101 Miss 14B "), "{}", program.stdout.text());

    let mut stream = open(&program, "/quit", "");
    expect(&mut stream, "bye");
    assert_eq!(stream.read(&mut [0]).unwrap(), 0, "the origin has gone");
    drop(stream);
    assert!(program.stdout.wait_for(" 101 Miss 3B "), "{}", program.stdout.text());
    assert!(
        program.admin("GET", "/metrics").contains("warmfront_responses_total{class=\"1xx\"} 2")
    );
}

#[test]
fn without_a_101_the_connection_goes_on_with_http() {
    let (program, origin, _directory) = started(PASS_THROUGH, &[]);
    let next = "GET /next HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for target in ["/refuse", "/plain"] {
        // The bytes behind the request are no tunnel's: they are the next request, and are read as one.
        let reply = program.talk(&format!("{}{next}", handshake(target)));
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 2, "{reply}");
        let expected = if target == "/refuse" { "HTTP/1.1 400 " } else { "HTTP/1.1 200 " };
        assert!(reply.starts_with(expected) && reply.ends_with("seen"), "{reply}");
    }
    assert_eq!(origin.heads().len(), 4);
    // The last reply on a connection reaches a viewer that had more to say.
    let closing = handshake("/refuse").replace("keep-alive", "close");
    let reply = program.talk(&format!("{closing}{next}"));
    assert!(reply.starts_with("HTTP/1.1 400 ") && reply.ends_with("no"), "{reply}");
    assert_eq!(origin.heads().len(), 5);
}

#[test]
fn a_101_that_was_not_asked_for_is_a_502() {
    let (program, origin, _directory) = started(PASS_THROUGH, &[]);
    let plain = "GET /unasked HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let h2c = handshake("/unasked").replace("WebSocket\r\nSec", "h2c\r\nSec");
    let post =
        handshake("/unasked").replace("GET ", "POST ").replace("Sec", "Content-Length: 0\r\nSec");
    let old = handshake("/unasked").replace("HTTP/1.1", "HTTP/1.0");
    let unsaid = handshake("/unasked").replace("keep-alive, Upgrade", "close");
    let other = handshake("/other");
    for (what, request) in [
        ("plain", plain),
        ("h2c", &h2c),
        ("POST", &post),
        ("HTTP/1.0", &old),
        ("no Connection: upgrade", &unsaid),
        ("another protocol", &other),
    ] {
        let mut stream = connect(&program);
        stream.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut stream);
        assert_eq!(head.split(' ').nth(1), Some("502"), "{what}: {head}");
    }
    let asked = origin.heads().iter().filter(|head| head.contains("\r\nupgrade:")).count();
    assert_eq!(asked, 1, "only the last one reached the origin as an upgrade");
}

#[test]
fn every_handshake_reaches_the_origin_whatever_the_cache_policy_says() {
    let cached = PASS_THROUGH
        .replace("4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6");
    let (program, origin, _directory) = started(&cached, &[]);
    for _ in 0..2 {
        let mut stream = open(&program, "/echo", "x");
        expect(&mut stream, "x");
    }
    assert_eq!(origin.heads().len(), 2);
}

#[test]
fn a_policy_that_drops_the_key_is_told() {
    let text =
        PASS_THROUGH.replace("OriginRequestPolicyId: 216adef6-5c7f-47e4-b989-5492eafa07d3", "");
    let (program, origin, _directory) = started(&text, &[]);
    let mut stream = connect(&program);
    stream.write_all(handshake("/refuse").as_bytes()).unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 400 "));
    let head = &origin.heads()[0];
    assert!(head.contains("upgrade: websocket") && !head.contains("sec-websocket-key"), "{head}");
    assert!(program.stderr.wait_for("keep Sec-WebSocket-Key"), "{}", program.stderr.text());
}

#[test]
fn a_tunnel_ends_when_its_origin_is_silent_for_ten_minutes() {
    let (program, _origin, _directory) =
        started(PASS_THROUGH, &["--virtual-clock", "--access-log", "text"]);
    let mut stream = open(&program, "/echo", "");
    let advance = |milliseconds: u64| {
        let target = format!("/clock/advance?ms={milliseconds}");
        assert!(program.admin("POST", &target).starts_with("HTTP/1.1 200 "));
    };
    for _ in 0..3 {
        advance(599_000);
        stream.write_all(b"x").unwrap();
        expect(&mut stream, "x");
    }
    advance(600_000);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    let said = "broken: origin site sent nothing through the tunnel for 600 s";
    assert!(program.stdout.wait_for(said), "{}", program.stdout.text());
}

#[test]
fn a_drain_leaves_tunnels_alone_and_a_second_signal_cuts_them() {
    let (program, _origin, _directory) = started(PASS_THROUGH, &["--access-log", "text"]);
    let mut stream = open(&program, "/echo", "");
    program.signal("TERM");
    assert!(program.stderr.wait_for("draining"));
    stream.write_all(b"still here").unwrap();
    expect(&mut stream, "still here");
    drop(stream);
    let log = program.stdout.clone();
    assert_eq!(program.wait().code(), Some(0), "its end is the last one's end");
    assert!(log.wait_for(" 101 Miss 10B "), "{}", log.text());

    let (program, _origin, _directory) = started(PASS_THROUGH, &["--access-log", "text"]);
    let mut stream = open(&program, "/echo", "");
    program.signal("TERM");
    assert!(program.stderr.wait_for("draining"));
    program.signal("TERM");
    let log = program.stdout.clone();
    assert_eq!(program.wait().code(), Some(0));
    assert!(!matches!(stream.read(&mut [0]), Ok(1)));
    assert!(log.wait_for("broken: the edge ended before the tunnel did"), "{}", log.text());
}
