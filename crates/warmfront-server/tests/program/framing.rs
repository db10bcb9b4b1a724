//! Requests as bytes, and what may come of them: refused once and closed, or understood in one way.
//!
//! After each row a second request follows on the same connection. If the edge and the origin could
//! disagree about where the first ends, it shows: an answer too many, or a request at the origin that is
//! neither. The rows are in [`framing_rows`](super::framing_rows).

use std::io::{Read as _, Write as _};

use super::framing_rows::{End, ROWS, Row};
use super::harness::{PASS_THROUGH, Program, source, talk};
use super::origin::Origin;

#[test]
fn every_request_is_refused_or_understood_in_one_way() {
    let origin = Origin::start();
    let (_directory, template) = source(PASS_THROUGH);
    let program =
        Program::start(&template, &["--origin", &origin.flag(), "--workers", "1"]).unwrap();
    let mut wrong = Vec::new();
    for (index, row) in ROWS.iter().enumerate() {
        let begun = std::time::Instant::now();
        let came = play(&program, &origin, &format!("/r{index}"), row);
        if !row.allowed.iter().any(|end| came.is(end)) {
            wrong.push(format!("{}: {came:?}\n    allowed: {:?}", row.name, row.allowed));
        }
        if begun.elapsed() > super::harness::PATIENCE / 3 {
            wrong.push(format!("{}: took {:?}", row.name, begun.elapsed()));
        }
        for header in row.kept_here {
            let leaked =
                origin.seen(&came.prefix).into_iter().find(|seen| seen.head.contains(header));
            if let Some(seen) = leaked {
                wrong.push(format!("{}: the origin saw {header:?}\n{}", row.name, seen.head));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
    // The program is well, and no row made it panic.
    assert!(program.admin("GET", "/metrics").contains("\nwarmfront_panics_total 0\n"));
}

#[test]
fn a_body_that_breaks_off_never_reaches_the_origin_as_a_whole() {
    let origin = Origin::start();
    let (_directory, template) = source(PASS_THROUGH);
    let program = Program::start(&template, &["--origin", &origin.flag()]).unwrap();
    let bodies = [
        "Content-Length: 10\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        // hyper takes it as a length, and waits for more than anybody can send.
        "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
    ];
    for (index, body) in bodies.iter().enumerate() {
        let request = format!("POST /cut{index} HTTP/1.1\r\nHost: localhost\r\n{body}");
        let mut stream = std::net::TcpStream::connect(program.http).unwrap();
        stream.set_read_timeout(Some(super::harness::PATIENCE)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        assert!(!reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
    }
    // A later request has come all the way, so the cut ones had their time.
    program.talk("GET /after HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    origin.await_request("/after");
    assert!(origin.seen("/cut").is_empty());
}

/// What came of a row.
#[derive(Debug)]
struct Came {
    prefix: String,
    statuses: Vec<u16>,
    /// Target and body of each request that the origin saw.
    seen: Vec<(String, String)>,
    /// The connection did not end, or what came is no HTTP.
    trouble: Option<String>,
}

impl Came {
    fn is(&self, end: &End) -> bool {
        let last = (format!("{}/last", self.prefix), String::new());
        if self.trouble.is_some() {
            return false;
        }
        let saw = |bodies: &[&str], then_last: bool| {
            let own = bodies.iter().map(|body| (self.prefix.clone(), (*body).to_owned()));
            let expected: Vec<_> = own.chain(then_last.then(|| last.clone())).collect();
            self.seen == expected
        };
        match end {
            End::Refused(allowed) => {
                matches!(self.statuses[..], [status] if allowed.contains(&status))
                    && saw(&[], false)
            }
            End::Closed => self.statuses.is_empty() && saw(&[], false),
            End::Answered(status) => self.statuses == [*status, 200] && saw(&[], true),
            End::Once(body) => self.statuses == [200] && saw(&[body], false),
            End::Kept(body) => self.statuses == [200, 200] && saw(&[body], true),
        }
    }
}

fn play(program: &Program, origin: &Origin, prefix: &str, row: &Row) -> Came {
    let mut bytes = Vec::new();
    let mut rest = row.bytes;
    while let Some(at) = rest.windows(3).position(|part| part == b"{p}") {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(prefix.as_bytes());
        rest = &rest[at + 3..];
    }
    bytes.extend_from_slice(rest);
    if let Some((marker, filling)) = row.filled {
        let at = bytes.windows(marker.len()).position(|part| part == marker.as_bytes()).unwrap();
        bytes.splice(at..at + marker.len(), filling());
    }
    bytes.extend_from_slice(
        format!("GET {prefix}/last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    );
    let reply = talk(program.http, &bytes);
    let (statuses, trouble) = match statuses(&reply) {
        Ok(statuses) => (statuses, None),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let seen = origin.seen("").into_iter().filter(|seen| is_of(&seen.target, prefix));
    // Long targets and queries are the row's own: what counts is that they are one request.
    let seen = seen.map(|seen| (short(&seen.target, prefix), seen.body)).collect();
    Came { prefix: prefix.to_owned(), statuses, seen, trouble }
}

fn is_of(target: &str, prefix: &str) -> bool {
    target.strip_prefix(prefix).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn short(target: &str, prefix: &str) -> String {
    match &target[prefix.len()..] {
        "/last" => target.to_owned(),
        rest if rest.starts_with("/smuggled") => target.to_owned(),
        _ => prefix.to_owned(),
    }
}

/// The final statuses of the replies on a connection, read by their own framing.
fn statuses(mut text: &str) -> Result<Vec<u16>, String> {
    let mut statuses = Vec::new();
    while !text.is_empty() {
        let (head, rest) =
            text.split_once("\r\n\r\n").ok_or_else(|| format!("no reply head: {text:.200?}"))?;
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let status: u16 =
            status.filter(|_| head.starts_with("HTTP/1.")).ok_or(format!("{head:.200?}"))?;
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = match length {
            Some(length) => length.parse().map_err(|_| format!("{head:?}"))?,
            None if lower.contains("transfer-encoding: chunked") => {
                let end = rest.find("0\r\n\r\n").ok_or("a chunked reply has no end")?;
                end + 5
            }
            None => 0,
        };
        text = rest.get(length..).ok_or_else(|| format!("a reply is cut: {rest:.200?}"))?;
        if status >= 200 {
            statuses.push(status);
        }
        // What is announced as the last must be it, and the last must be announced.
        let closes = lower.contains("connection: close") || lower.starts_with("http/1.0");
        if closes != text.is_empty() && status >= 200 {
            return Err(format!("connection: close is {closes} and {} bytes follow", text.len()));
        }
    }
    Ok(statuses)
}
