//! Interim responses on their way from an origin to a viewer, which HTTP/1.1 only shows on the wire.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;

use super::harness::{PATIENCE, Program};

const HINT: &str = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-My-Header: hint\r\n\
                    Connection: X-Hop\r\nX-Hop: 1\r\n\r\n";
const PROCESSING: &str = "HTTP/1.1 102 Processing\r\n\r\n";

/// An origin that hints, and gives the final response only once told to.
struct Hinting {
    flag: String,
    go_on: mpsc::Sender<()>,
}

impl Hinting {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let flag = format!("suite=http://{}", listener.local_addr().unwrap());
        let (go_on, told) = mpsc::channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                while !head(&mut lines).is_empty() {
                    stream.write_all(format!("{PROCESSING}{HINT}").as_bytes()).unwrap();
                    if told.recv_timeout(PATIENCE).is_err() {
                        return;
                    }
                    let last = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n\
                                Content-Length: 4\r\n\r\nbody";
                    stream.write_all(last.as_bytes()).unwrap();
                }
            }
        });
        Self { flag, go_on }
    }
}

/// A connection of a viewer that reads head by head.
struct Viewer(BufReader<TcpStream>);

impl Viewer {
    fn of(program: &Program) -> Self {
        let stream = TcpStream::connect(program.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, path: &str, version: &str) {
        let request = format!("GET {path} {version}\r\nHost: a.example\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    fn head(&mut self) -> String {
        head(&mut self.0)
    }

    /// The final response: it has a body of four octets.
    #[track_caller]
    fn final_response(&mut self) {
        let head = self.head();
        assert!(head["HTTP/1.x ".len()..].starts_with("200 OK\r\n"), "{head}");
        assert!(!head.to_ascii_lowercase().contains("x-my-header"), "{head}");
        let mut body = [0; 4];
        self.0.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"body");
    }
}

fn head(lines: &mut impl std::io::BufRead) -> String {
    let mut head = String::new();
    while lines.read_line(&mut head).is_ok_and(|read| read > 2) {}
    head
}

fn program(profile: &str, origin: &Hinting) -> Program {
    let edge = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/edge.yml");
    Program::start(&edge, &["--profile", profile, "--origin", &origin.flag]).unwrap()
}

#[test]
fn hints_reach_the_viewer_before_the_origin_has_finished_and_are_not_stored() {
    let origin = Hinting::start();
    let program = program("rfc9111", &origin);
    let mut viewer = Viewer::of(&program);
    for path in ["/a", "/b"] {
        viewer.ask(path, "HTTP/1.1");
        assert_eq!(viewer.head(), PROCESSING);
        assert_eq!(
            viewer.head(),
            "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\nX-My-Header: hint\r\n\r\n"
        );
        origin.go_on.send(()).unwrap();
        viewer.final_response();
    }
    for path in ["/a", "/b"] {
        viewer.ask(path, "HTTP/1.1");
        viewer.final_response();
    }
}

#[test]
fn whoever_does_not_know_them_gets_none() {
    for (profile, version) in [("rfc9111", "HTTP/1.0"), ("cloudfront", "HTTP/1.1")] {
        let origin = Hinting::start();
        let program = program(profile, &origin);
        let mut viewer = Viewer::of(&program);
        viewer.ask("/a", version);
        origin.go_on.send(()).unwrap();
        viewer.final_response();
    }
}

#[test]
fn requests_in_one_packet_get_their_own() {
    let origin = Hinting::start();
    let program = program("rfc9111", &origin);
    let mut viewer = Viewer::of(&program);
    for _ in 0..2 {
        origin.go_on.send(()).unwrap();
    }
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let both = format!("{}{}", request("/a"), request("/b"));
    viewer.0.get_mut().write_all(both.as_bytes()).unwrap();
    for _ in 0..2 {
        assert_eq!(viewer.head(), PROCESSING);
        assert!(viewer.head().starts_with("HTTP/1.1 103 "));
        viewer.final_response();
    }
}
