//! `warmfront purge`: asks a running program over its admin port.
//!
//! Exit status: 0 when it is done, 1 when the program refuses, 2 for a command line that cannot work, 3 when no
//! program answers.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use super::{Count, Order, Receipt, Refused, Served, items};
use crate::cli::{ExplainFormat, PurgeArgs, in_units};

const REFUSED: u8 = 1;
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 3;

const CONNECT: Duration = Duration::from_secs(5);
/// The program counts what it purged: with a large disk that takes its time.
const ANSWER: Duration = Duration::from_secs(120);
/// An answer with 3,000 items of 4,000 characters fits.
const LONGEST_ANSWER: u64 = 64 << 20;

pub(crate) fn purge(args: &PurgeArgs) -> ExitCode {
    match ask(args) {
        Ok(text) => {
            crate::print(&text);
            ExitCode::SUCCESS
        }
        Err((status, message)) => {
            crate::say(&format!("error: {message}"));
            ExitCode::from(status)
        }
    }
}

fn ask(args: &PurgeArgs) -> Result<String, (u8, String)> {
    // Nobody has to run a program to learn that an item cannot work.
    items(&args.items).map_err(|refused| (USAGE, refused.message))?;
    let Some(admin) = args.admin.address() else {
        let message = "--admin off: purge talks to the admin port of a running program";
        return Err((USAGE, message.to_owned()));
    };
    let order = Order {
        distribution: args.distribution.clone(),
        items: args.items.clone(),
        soft: args.soft,
        dry_run: args.dry_run,
    };
    let body = serde_json::to_vec(&order).expect("an order is only texts and switches");
    let (status, answer) = post(admin, &body).map_err(|error| {
        let message = format!(
            "no running warmfront answers at {admin}: {error}. Is it running, with this address as --admin?"
        );
        (UNREACHABLE, message)
    })?;
    if status == 200 {
        let receipt: Receipt = serde_json::from_slice(&answer).map_err(|_| stranger(admin))?;
        return Ok(match args.format {
            ExplainFormat::Human => told(&receipt),
            ExplainFormat::Json => format!("{}\n", String::from_utf8_lossy(&answer).trim_end()),
        });
    }
    let refused: Refused = serde_json::from_slice(&answer).map_err(|_| stranger(admin))?;
    Err((REFUSED, refusal(&refused)))
}

fn stranger(admin: SocketAddr) -> (u8, String) {
    let message = format!("what answers at {admin} is no warmfront that can purge");
    (UNREACHABLE, message)
}

/// One request on a connection of its own.
fn post(admin: SocketAddr, body: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    // Bound to every address, it is reached by loopback.
    let ip = match admin.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let admin = SocketAddr::new(ip, admin.port());
    let mut stream = TcpStream::connect_timeout(&admin, CONNECT)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(CONNECT))?;
    let head = format!(
        "POST /purge HTTP/1.1\r\nHost: {admin}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    // A program that has refused the head already may not read the rest.
    let sent = stream.write_all(body);
    let mut reply = Vec::new();
    let read = stream.take(LONGEST_ANSWER).read_to_end(&mut reply);
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "it speaks no HTTP");
    match parsed(&reply) {
        Some(answer) => Ok(answer),
        None => {
            sent?;
            read?;
            Err(odd())
        }
    }
}

/// Status and body of a whole reply with a length.
fn parsed(reply: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = reply.windows(4).position(|it| it == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&reply[..end]).ok()?;
    let body = &reply[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    (body.len() == length).then(|| (status, body.to_vec()))
}

/// A receipt, for people.
fn told(receipt: &Receipt) -> String {
    let Served { id, logical_id, .. } = &receipt.distribution;
    let done = match (receipt.dry_run, receipt.soft) {
        (true, false) => "Would purge",
        (true, true) => "Would make stale",
        (false, false) => "Purged",
        (false, true) => "Made stale",
    };
    let mut text = format!("{done} in {id} ({logical_id}): {}\n", counted(receipt.total));
    let width = receipt.items.iter().map(|it| it.item.chars().count()).max().unwrap_or(0).min(60);
    for it in &receipt.items {
        text.push_str(&format!("  {:width$}  {}\n", it.item, counted(it.count)));
    }
    if let Some(id) = &receipt.id {
        text.push_str(&format!("Invalidation {id}\n"));
    }
    text
}

fn counted(count: Count) -> String {
    let Count { objects, bytes, objects_on_disk, .. } = count;
    let place = match objects_on_disk {
        0 => String::new(),
        _ => format!(" ({objects_on_disk} on disk alone)"),
    };
    match objects {
        0 => "nothing stored".to_owned(),
        1 => format!("1 object, {}{place}", in_units(bytes)),
        _ => format!("{objects} objects, {}{place}", in_units(bytes)),
    }
}

/// A refusal, with what to choose from.
fn refusal(refused: &Refused) -> String {
    let mut text = refused.message.clone();
    for Served { id, logical_id, domain_name } in &refused.distributions {
        text.push_str(&format!("\n  --distribution {id}  {logical_id}, {domain_name}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_reply_counts() {
        let rows: [(&str, Option<(u16, &str)>); 6] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", Some((200, "{}"))),
            ("HTTP/1.1 404 Not Found\r\ncontent-length:2\r\nx: y\r\n\r\nno", Some((404, "no"))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", None),
            ("HTTP/1.1 200 OK\r\n\r\n{}", None),
            ("SSH-2.0-x\r\n\r\n", None),
            ("", None),
        ];
        for (reply, expected) in rows {
            let expected = expected.map(|(status, body)| (status, body.as_bytes().to_vec()));
            assert_eq!(parsed(reply.as_bytes()), expected, "{reply:?}");
        }
    }

    #[test]
    fn a_receipt_tells_what_happened() {
        let count = |objects, bytes| Count { objects, bytes, ..Count::default() };
        let item = |item: &str, count| super::super::Counted { item: item.to_owned(), count };
        let receipt = Receipt {
            id: Some("I123".to_owned()),
            epoch: Some(7),
            distribution: Served {
                id: "E1".to_owned(),
                logical_id: "Edge".to_owned(),
                domain_name: "d1.cloudfront.net".to_owned(),
            },
            soft: false,
            dry_run: false,
            items: vec![item("/a/*", count(2, 4096)), item("#tag", count(0, 0))],
            total: count(2, 4096),
        };
        let expected = "Purged in E1 (Edge): 2 objects, 4 KiB\n  /a/*  2 objects, 4 KiB\n  \
                        #tag  nothing stored\nInvalidation I123\n";
        assert_eq!(told(&receipt), expected);
        let cold = Count { objects_on_disk: 1, ..count(2, 4096) };
        assert_eq!(counted(cold), "2 objects, 4 KiB (1 on disk alone)");
        let dry = Receipt { id: None, dry_run: true, soft: true, ..receipt };
        assert!(told(&dry).starts_with("Would make stale in E1") && !told(&dry).contains("Inval"));
    }
}
