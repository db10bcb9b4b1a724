//! What core must not call, and where `unsafe` may stand.

use super::Finding;
use super::source::Source;

/// Rooms that need `unsafe`, each with the reason. The lint forbids it everywhere else.
pub(crate) const UNSAFE_ROOMS: &[(&str, &str)] = &[];

/// What reaches outside: files, network, processes, clocks, chance. Core takes their answers as arguments.
const OUTSIDE: &[&str] = &[
    "std::fs",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "ToSocketAddrs",
    "std::process",
    "std::thread",
    "std::env",
    "std::io",
    "SystemTime::now",
    "Instant::now",
    "std::time::Instant",
    "rand::",
    "RandomState",
    "println!",
    "eprintln!",
    "dbg!",
    "async fn",
    "async move",
    ".await",
];

/// Core calls nothing that reaches outside.
pub(crate) fn pure_core(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in
        sources.iter().filter(|s| s.is_rust() && s.path.starts_with("crates/warmfront-core/src/"))
    {
        for (index, line) in source.code_without_tests().lines().enumerate() {
            // `use std::{fs, …}` would hide a name; grouped imports straight from std are not written here.
            let hidden = line.trim_start().starts_with("use std::{").then_some("use std::{");
            for word in OUTSIDE.iter().copied().filter(|word| line.contains(word)).chain(hidden) {
                let what = format!("core is pure, this reaches outside or could hide it: {word}");
                findings.push(Finding::at(source, index + 1, what));
            }
        }
    }
    findings
}

/// `unsafe` stands only in the rooms listed, and every room listed still needs it.
pub(crate) fn unsafe_rooms(sources: &[Source], rooms: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.is_rust()) {
        let is_room = rooms.iter().any(|(path, _)| *path == source.path);
        let code = source.code();
        let uses: Vec<usize> = code
            .lines()
            .enumerate()
            .filter(|(_, line)| has_word(line, "unsafe"))
            .map(|(n, _)| n + 1)
            .collect();
        match uses.first() {
            Some(&line) if !is_room => findings.push(Finding::at(
                source,
                line,
                "unsafe outside the rooms that justify it (purity.rs lists them with reasons)",
            )),
            None if is_room => {
                findings.push(Finding::new(
                    &source.path,
                    "needs no unsafe any more: take it off the list",
                ));
            }
            _ => {}
        }
    }
    for (path, _) in rooms.iter().filter(|(path, _)| !sources.iter().any(|s| s.path == *path)) {
        findings.push(Finding::new(*path, "is on the list of unsafe rooms and does not exist"));
    }
    findings
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn core_reaches_nothing_outside() {
        for (text, problems) in [
            ("use std::time::{Duration, SystemTime};\nfn f(now: SystemTime) {}", 0),
            ("// SystemTime::now() is the caller's\nfn f() -> &str { \"std::fs\" }", 0),
            ("fn f() { g(SystemTime::now()) }", 1),
            ("use std::fs;", 1),
            ("use std::{fs, net};", 1),
            ("let t = std::time::Instant::now();", 2),
            ("async fn f() {}", 1),
            ("fn f() {}\n#[cfg(test)]\nmod tests { fn t() { std::fs::read(x); } }", 0),
        ] {
            let found = pure_core(&[source("crates/warmfront-core/src/a.rs", text)]);
            assert_eq!(found.len(), problems, "{text}: {found:?}");
            assert_eq!(pure_core(&[source("crates/warmfront/src/a.rs", text)]), [], "{text}");
        }
    }

    #[test]
    fn unsafe_stands_only_in_its_rooms() {
        let rooms: &[(&str, &str)] = &[("crates/a/src/room.rs", "a system call")];
        let room = source("crates/a/src/room.rs", "fn f() { unsafe { g() } }");
        let clean = source("crates/a/src/b.rs", "#![forbid(unsafe_code)]\n// unsafe\nfn f() {}");
        for (sources, problems) in [
            (vec![room.clone(), clean.clone()], 0),
            (vec![room.clone(), source("crates/a/src/b.rs", "unsafe fn f() {}")], 1),
            (vec![source("crates/a/src/room.rs", "fn f() {}")], 1),
            (vec![clean], 1),
        ] {
            assert_eq!(unsafe_rooms(&sources, rooms).len(), problems, "{sources:?}");
        }
    }
}
