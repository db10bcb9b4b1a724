//! `kill -9` under load, again and again, over one disk cache: what is served afterwards has the bytes that the
//! origin sent, what was complete a second before the end is found again, and what was purged is not.
//!
//! Five crashes; `WARMFRONT_CRASHES=100` for a night.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::harness::{PATIENCE, Program, source};

/// How long each run is under load.
const LOAD: Duration = Duration::from_millis(1200);
/// What was complete so long before the end must be found again.
const SETTLED: Duration = Duration::from_secs(1);
const VIEWERS: u64 = 3;
/// How many objects are asked for after each crash, of those that must be found and of the others.
const MOST_CHECKED: usize = 150;
/// Bodies inline, near the size of a fragment, and in fragments.
const SIZES: [usize; 6] = [0, 900, 5_000, 60_000, 262_145, 700_000];

const TEMPLATE: &str = r#"
Resources:
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: site
            DomainName: site.example.com
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        DefaultCacheBehavior:
          TargetOriginId: site
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
"#;

/// The body of a path's version: bytes that no other path, version or place has.
fn body(path: &str, version: u64) -> Vec<u8> {
    let seed = path
        .bytes()
        .fold(version + 1, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let size = SIZES[seed as usize % SIZES.len()];
    let mut state = seed | 1;
    let mut body = Vec::with_capacity(size + 8);
    while body.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body.extend_from_slice(&state.to_le_bytes());
    }
    body.truncate(size);
    body
}

/// Answers every path, with another version each time that it is asked.
fn start_origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let versions: Arc<Mutex<HashMap<String, u64>>> = Arc::default();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let versions = versions.clone();
            std::thread::spawn(move || while answer(&stream, &versions).is_some() {});
        }
    });
    address
}

fn answer(mut stream: &TcpStream, versions: &Mutex<HashMap<String, u64>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut line) = (String::new(), String::new());
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    }
    let path = first.split(' ').nth(1)?.to_owned();
    let version = {
        let mut versions = versions.lock().unwrap();
        let version = versions.entry(path.clone()).or_default();
        *version += 1;
        *version
    };
    let body = body(&path, version);
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Version: {version}\r\nETag: \"{version}\"\r\n\
         Cache-Control: max-age=36000\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

/// A viewer with one connection.
struct Viewer(BufReader<TcpStream>);

struct Answer {
    version: u64,
    is_hit: bool,
    body: Vec<u8>,
}

impl Viewer {
    fn new(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// `None` when the program has gone.
    fn get(&mut self, path: &str) -> Option<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let (mut version, mut length, mut is_hit) = (0, 0, false);
        let mut line = String::new();
        self.0.read_line(&mut line).ok().filter(|read| *read > 0)?;
        assert!(line.starts_with("HTTP/1.1 200 "), "{path}: {line}");
        loop {
            line.clear();
            self.0.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let text = line.trim_end().to_ascii_lowercase();
            match text.split_once(": ") {
                Some(("x-version", value)) => version = value.parse().unwrap(),
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("x-cache", value)) => is_hit = value.starts_with("hit"),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        Some(Answer { version, is_hit, body })
    }

    /// The same, for a program that runs.
    fn check(&mut self, path: &str) -> Answer {
        let answer = self.get(path).unwrap_or_else(|| panic!("no answer for {path}"));
        let expected = body(path, answer.version);
        assert!(answer.body == expected, "{path}: wrong bytes of version {}", answer.version);
        answer
    }
}

/// What the viewers and the purger have seen.
#[derive(Default)]
struct Seen {
    /// When each path was complete, and in which version.
    complete: Mutex<HashMap<String, (Instant, u64)>>,
    /// The newest version of each path that was complete when its purge began, once that was acknowledged.
    purged: Mutex<HashMap<String, u64>>,
    /// What is being purged: whether that was heard before the end nobody knows.
    asked: Mutex<Option<String>>,
}

impl Seen {
    /// The newest version of `path` that must never be served again; versions begin with 1.
    fn purged(&self, path: &str) -> u64 {
        self.purged.lock().unwrap().get(path).copied().unwrap_or(0)
    }
}

fn start(state: &Path, template: &Path, flag: &str) -> Program {
    let cache = state.with_file_name("cache");
    let arguments = [
        "--origin",
        flag,
        "--access-log",
        "off",
        "--cache-disk",
        "1GiB",
        "--cache-memory",
        "16MiB",
    ];
    let directory = ["--cache-dir", cache.to_str().unwrap()];
    Program::start_in(state, template, &[&arguments[..], &directory].concat()).unwrap()
}

/// Waits until what an earlier run left has been read.
pub(super) fn await_index(program: &Program) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metrics = program.admin("GET", "/metrics");
        let value = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        };
        if value("warmfront_cache_disk_read_segments ")
            == value("warmfront_cache_disk_found_segments ")
        {
            return;
        }
        assert!(Instant::now() < deadline, "{metrics}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn after_each_kill_under_load_what_is_served_is_right_and_what_was_complete_is_a_hit() {
    let crashes =
        std::env::var("WARMFRONT_CRASHES").map_or(5, |crashes| crashes.parse::<u64>().unwrap());
    let origin = start_origin();
    let (directory, template) = source(TEMPLATE);
    let state = directory.path().join("state");
    let flag = format!("site=http://{origin}");
    let seen = Arc::new(Seen::default());
    let next = Arc::new(AtomicU64::new(0));
    let mut killed = None;
    for crash in 0..=crashes {
        let program = start(&state, &template, &flag);
        if let Some(killed) = killed {
            await_index(&program);
            check_all(&program, &seen, killed, crash);
        }
        let is_over = Arc::new(AtomicBool::new(false));
        let viewers: Vec<_> = (0..VIEWERS)
            .map(|viewer| {
                let (address, seen) = (program.http, seen.clone());
                let (next, is_over) = (next.clone(), is_over.clone());
                std::thread::spawn(move || load(address, viewer, &seen, &next, &is_over))
            })
            .collect();
        let purger = {
            let (admin, seen, is_over) = (program.admin, seen.clone(), is_over.clone());
            std::thread::spawn(move || purge(admin, &seen, &is_over))
        };
        if crash < crashes {
            std::thread::sleep(LOAD);
        }
        killed = Some(Instant::now());
        program.signal("KILL");
        program.wait();
        is_over.store(true, Relaxed);
        for viewer in viewers {
            viewer.join().unwrap();
        }
        purger.join().unwrap();
    }
    assert!(!seen.purged.lock().unwrap().is_empty(), "nothing was purged");
}

#[test]
fn what_a_drained_program_had_is_found_by_the_next_whole_and_in_parts() {
    let origin = start_origin();
    let (directory, template) = source(TEMPLATE);
    let state = directory.path().join("state");
    let flag = format!("site=http://{origin}");
    let program = start(&state, &template, &flag);
    assert!(program.stderr.text().contains("1 GiB of disk in "), "{}", program.stderr.text());
    let paths: Vec<_> = (0..40).map(|number| format!("/{number}")).collect();
    let mut viewer = Viewer::new(program.http).unwrap();
    for path in &paths {
        assert_eq!(viewer.check(path).version, 1);
    }
    drop(viewer);
    program.signal("TERM");
    assert!(program.wait().success());

    let program = start(&state, &template, &flag);
    await_index(&program);
    let mut viewer = Viewer::new(program.http).unwrap();
    for path in &paths {
        let expected = body(path, 1);
        if let Some(middle) = expected.len().checked_sub(1).map(|last| last / 2) {
            let range = format!(
                "GET {path} HTTP/1.1\r\nHost: a\r\nRange: bytes={middle}-\r\nConnection: close\r\n\r\n"
            );
            let mut stream = TcpStream::connect(program.http).unwrap();
            stream.write_all(range.as_bytes()).unwrap();
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).unwrap();
            assert!(reply.starts_with(b"HTTP/1.1 206 "), "{path}");
            assert!(reply.ends_with(&expected[middle..]), "{path} from {middle}");
        }
        let answer = viewer.check(path);
        assert!(answer.is_hit && answer.version == 1, "{path} is not a hit");
    }
    let metrics = program.admin("GET", "/metrics");
    assert!(metrics.contains("# TYPE warmfront_cache_disk_hits_total counter"), "{metrics}");
}

#[test]
fn a_cache_directory_that_cannot_be_used_is_refused() {
    let (directory, template) = source(TEMPLATE);
    let cache = directory.path().join("cache");
    let flags = ["--origin", "site=http://127.0.0.1:9", "--cache-dir", cache.to_str().unwrap()];
    let first = Program::start(&template, &flags).unwrap();
    let pid = std::fs::read_to_string(cache.join("cache.pid")).unwrap();
    let Err(said) = Program::start(&template, &flags) else { panic!("two programs in one cache") };
    let expected = format!("in use by process {}", pid.trim());
    assert!(said.contains("exit status: 3") && said.contains(&expected), "{said}");
    drop(first);
    let small = [&flags[..], &["--cache-disk", "1MiB"]].concat();
    let Err(said) = Program::start(&template, &small) else { panic!("1 MiB is too small") };
    assert!(said.contains("exit status: 2") && said.contains("needs 16 MiB at least"), "{said}");
}

/// Asks for what was complete when the program was killed.
fn check_all(program: &Program, seen: &Seen, killed: Instant, crash: u64) {
    let mut viewer = Viewer::new(program.http).unwrap();
    let mut all: Vec<_> = seen.complete.lock().unwrap().clone().into_iter().collect();
    // The oldest were seen after earlier crashes.
    all.sort_by_key(|(_, (when, _))| std::cmp::Reverse(*when));
    let asked = seen.asked.lock().unwrap().take();
    let (mut settled, mut others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(path, (when, version))| {
            killed.duration_since(*when) >= SETTLED
                && *version > seen.purged(path)
                && asked.as_ref() != Some(path)
        });
    settled.truncate(MOST_CHECKED);
    others.truncate(MOST_CHECKED);
    assert!(!settled.is_empty(), "nothing was complete a second before crash {crash}");
    let mut get = |path: &str, version: u64| {
        let answer = viewer.check(path);
        assert!(answer.version >= version, "{path}: an older version came back");
        assert!(answer.version > seen.purged(path), "{path}: a purged version came back");
        let mut complete = seen.complete.lock().unwrap();
        complete.insert(path.to_owned(), (Instant::now(), answer.version));
        answer.is_hit && answer.version == version
    };
    let found = settled.iter().filter(|(path, (_, version))| get(path, *version)).count();
    for (path, (_, version)) in others {
        get(&path, version);
    }
    let metrics = program.admin("GET", "/metrics");
    assert!(
        found * 100 >= settled.len() * 99,
        "after crash {crash} only {found} of {} were found\n{metrics}",
        settled.len()
    );
    assert!(metrics.contains("\nwarmfront_cache_disk_damaged_total 0\n"), "{metrics}");
}

/// Asks for new paths, and every third time for one that is known.
fn load(address: SocketAddr, viewer: u64, seen: &Seen, next: &AtomicU64, is_over: &AtomicBool) {
    let Some(mut connection) = Viewer::new(address) else { return };
    while !is_over.load(Relaxed) {
        let number = next.fetch_add(1, Relaxed);
        let number = if number % 3 == 2 { number / 2 } else { number };
        let path = format!("/{viewer}/{number}");
        let purged = seen.purged(&path);
        let Some(answer) = connection.get(&path) else { return };
        assert!(answer.body == body(&path, answer.version), "{path}: wrong bytes");
        assert!(answer.version > purged, "{path}: a purged version came back");
        let mut complete = seen.complete.lock().unwrap();
        let known = complete.entry(path).or_insert((Instant::now(), 0));
        if known.1 <= answer.version {
            *known = (Instant::now(), answer.version);
        }
        drop(complete);
        // Not faster than a disk may be: what is dropped for want of room would not be found again.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Purges what is complete, path by path.
fn purge(admin: SocketAddr, seen: &Seen, is_over: &AtomicBool) {
    while !is_over.load(Relaxed) {
        std::thread::sleep(Duration::from_millis(40));
        let known = {
            let complete = seen.complete.lock().unwrap();
            let any = fastrand::usize(..complete.len().max(1));
            complete.iter().nth(any).map(|(path, (_, version))| (path.clone(), *version))
        };
        let Some((path, version)) = known else { continue };
        *seen.asked.lock().unwrap() = Some(path.clone());
        let order = format!("{{\"items\": [\"{path}\"]}}");
        let request = format!(
            "POST /purge HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{order}",
            order.len()
        );
        let Ok(mut stream) = TcpStream::connect(admin) else { return };
        let mut reply = String::new();
        let asked = stream.write_all(request.as_bytes());
        if asked.and_then(|()| stream.read_to_string(&mut reply)).is_err() || reply.is_empty() {
            return;
        }
        assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
        seen.purged.lock().unwrap().insert(path, version);
        *seen.asked.lock().unwrap() = None;
    }
}
