//! A server that reads strictly, writes down what it saw, and answers 200.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::harness::PATIENCE;

/// A complete request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) target: String,
    /// Lower-case lines, without the request line.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// The server. Its threads end with their connections.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    arrived: Condvar,
    /// Requests for a target that contains `/held` wait until it is true.
    released: Mutex<bool>,
    release: Condvar,
}

impl Origin {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let for_threads = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = for_threads.clone();
                std::thread::spawn(move || while serve(&stream, &shared).is_some() {});
            }
        });
        Self { address, shared }
    }

    /// `site=http://…`, for `--origin`.
    pub(crate) fn flag(&self) -> String {
        format!("site=http://{}", self.address)
    }

    /// What arrived for targets that begin with `prefix`, in order.
    pub(crate) fn seen(&self, prefix: &str) -> Vec<Seen> {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter().filter(|seen| seen.target.starts_with(prefix)).cloned().collect()
    }

    /// Waits until something arrived for `target`.
    pub(crate) fn await_request(&self, target: &str) {
        let seen = self.shared.seen.lock().unwrap();
        let (_seen, timed_out) = self
            .shared
            .arrived
            .wait_timeout_while(seen, PATIENCE, |seen| {
                seen.iter().all(|seen| seen.target != target)
            })
            .unwrap();
        assert!(!timed_out.timed_out(), "{target} never came");
    }

    /// Answers what is held.
    pub(crate) fn release(&self) {
        *self.shared.released.lock().unwrap() = true;
        self.shared.release.notify_all();
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let first = line(&mut reader)?;
    let (_method, rest) = first.split_once(' ')?;
    let (target, _) = rest.rsplit_once(' ')?;
    let mut head = String::new();
    let (mut length, mut chunked) = (0, false);
    loop {
        let line = line(&mut reader)?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(("transfer-encoding", value)) => chunked = value == "chunked",
            _ => {}
        }
        head.push_str(&line);
        head.push('\n');
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    while chunked {
        let size = usize::from_str_radix(&line(&mut reader)?, 16).ok()?;
        let mut chunk = vec![0; size];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk);
        // After data comes an empty line; after the last chunk, trailers and one.
        while !line(&mut reader)?.is_empty() {}
        chunked = size > 0;
    }
    // Nobody pipelines to an origin: what is buffered now would be a second request in one.
    let smuggled = !reader.buffer().is_empty();
    let seen =
        Seen { target: target.to_owned(), head, body: String::from_utf8_lossy(&body).into_owned() };
    let is_held = seen.target.contains("/held");
    shared.seen.lock().unwrap().push(seen);
    shared.arrived.notify_all();
    if is_held {
        let released = shared.released.lock().unwrap();
        let _released = shared.release.wait_while(released, |released| !*released).unwrap();
    }
    assert!(!smuggled, "bytes after a complete request");
    let mut stream = stream;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen").ok()
}

fn line(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    reader.by_ref().take(100_000).read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\r\n")?;
    Some(String::from_utf8_lossy(line).into_owned())
}
