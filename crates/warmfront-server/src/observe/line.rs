//! The lines: one per request as text or JSON, and notes.
//!
//! ```text
//! 2026-11-25T10:00:00.123Z 127.0.0.1 GET https://localhost/a?b=c 200 Miss 1024B 12.3ms <request id>
//! ```
//! A detailed result that adds something follows the result after a slash. Behind the id stands what the cache
//! had to do with the request, as `cache: expired; confirmed by the origin`; a body that broke off adds
//! `broken: reason` at the end. Everything a viewer sent is escaped, secrets in queries are redacted,
//! and no header but Host, Referer and User-Agent (these two in JSON only) is written. Of each of these, and
//! of path and query, at most 8 KiB are shown; an ellipsis stands for the rest.

use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;
use warmfront::{AccessRecord, Verdict};

use super::date::Moment;
use super::escape::{Redaction, cut, escaped};

/// How much of a value that a viewer chose is shown, in bytes.
const SHOWN: usize = 8 << 10;

/// Appends a line for people.
pub(super) fn write_text(out: &mut Vec<u8>, record: &AccessRecord, redaction: &Redaction) {
    let _ = write!(
        out,
        "{} {} {} {}://{}{} {} {}",
        Moment::of(record.received),
        record.viewer.ip(),
        escaped(record.method.as_str().as_bytes()),
        record.scheme.as_str(),
        cut(escaped(host(record)), SHOWN),
        cut(redaction.target(path_and_query(record)), SHOWN),
        record.status,
        record.result,
    );
    if record.detailed_result != record.result {
        let _ = write!(out, "/{}", record.detailed_result);
    }
    let _ = write!(
        out,
        " {}B {:.1}ms {}",
        record.body_bytes,
        milliseconds(record.time_taken),
        record.request_id
    );
    if !record.cache.is_empty() {
        let _ = write!(out, " cache: {}", record.cache);
    }
    if let Some(failure) = &record.failure {
        let _ = write!(out, " broken: {}", one_line(failure));
    } else if !record.complete {
        out.extend_from_slice(b" broken: the viewer went away");
    }
    out.push(b'\n');
}

#[derive(Serialize)]
struct Json<'a> {
    time: String,
    request_id: &'a str,
    distribution: Option<&'a str>,
    viewer: String,
    method: &'a str,
    scheme: &'a str,
    host: String,
    target: String,
    protocol: String,
    tls: Option<&'a str>,
    cipher: Option<&'a str>,
    status: u16,
    result: &'a str,
    detailed_result: &'a str,
    /// What the first look into the cache found, by its name and in words with all that followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_reason: Option<String>,
    body_bytes: u64,
    first_byte_ms: f64,
    taken_ms: f64,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

/// Appends a JSON object and a line feed.
pub(super) fn write_json(out: &mut Vec<u8>, record: &AccessRecord, redaction: &Redaction) {
    let shown = |value: &Option<http::HeaderValue>| {
        value.as_ref().map(|value| cut(escaped(value.as_bytes()), SHOWN))
    };
    let json = Json {
        time: Moment::of(record.received).to_string(),
        request_id: record.request_id.as_str(),
        distribution: record.distribution.as_ref().map(|distribution| distribution.id.as_str()),
        viewer: record.viewer.to_string(),
        method: record.method.as_str(),
        scheme: record.scheme.as_str(),
        host: cut(escaped(host(record)), SHOWN),
        target: cut(redaction.target(path_and_query(record)), SHOWN),
        protocol: format!("{:?}", record.version),
        tls: record.tls.as_ref().map(|tls| tls.protocol.as_str()),
        cipher: record.tls.as_ref().map(|tls| tls.cipher.as_str()),
        status: record.status,
        result: record.result,
        detailed_result: record.detailed_result,
        cache: record.cache.found.map(Verdict::name),
        cache_reason: (!record.cache.is_empty()).then(|| record.cache.to_string()),
        body_bytes: record.body_bytes,
        first_byte_ms: milliseconds(record.time_to_first_byte),
        taken_ms: milliseconds(record.time_taken),
        complete: record.complete,
        failure: record.failure.as_deref(),
        referer: match record.referer.as_ref().map(|value| value.to_str()) {
            Some(Ok(url)) => Some(cut(redaction.target(url), SHOWN)),
            _ => shown(&record.referer),
        },
        user_agent: shown(&record.user_agent),
    };
    if serde_json::to_writer(&mut *out, &json).is_ok() {
        out.push(b'\n');
    }
}

/// Appends a note: the request it belongs to, and what it says.
pub(super) fn write_note(out: &mut Vec<u8>, request_id: &str, message: &str) {
    let id = if request_id.is_empty() { "-" } else { request_id };
    for line in message.lines() {
        let _ = writeln!(out, "[{id}] {}", one_line(line));
    }
}

fn host(record: &AccessRecord) -> &[u8] {
    match (record.uri.authority(), &record.host) {
        (Some(authority), _) => authority.as_str().as_bytes(),
        (None, Some(host)) => host.as_bytes(),
        (None, None) => b"",
    }
}

fn path_and_query(record: &AccessRecord) -> &str {
    record.uri.path_and_query().map_or("/", |target| target.as_str())
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Text for people, whatever it came from: control characters are shown, not obeyed.
fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let shown = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            shown.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_names_its_request_and_cannot_forge_another_line() {
        let mut out = Vec::new();
        write_note(&mut out, "abc==", "origin a: no\x1b[31m connection\nsecond line");
        write_note(&mut out, "", "start");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "[abc==] origin a: no\\u{1b}[31m connection\n[abc==] second line\n[-] start\n"
        );
    }
}
