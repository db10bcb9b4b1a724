//! The lines: one per request as text or JSON, and notes.
//!
//! ```text
//! 2026-11-25T10:00:00.123Z 127.0.0.1 GET https://localhost/a?b=c 200 Miss 1024B 12.3ms <request id>
//! ```
//! A detailed result that adds something follows the result after a slash; a body that broke off adds
//! `broken: reason` at the end. Everything a viewer sent is escaped, secrets in queries are redacted,
//! and no header but Host, Referer and User-Agent (these two in JSON only) is written. Of each of these, and
//! of path and query, at most 8 KiB are shown; an ellipsis stands for the rest.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use warmfront::AccessRecord;

use super::escape::{cut, escaped, target};

/// How much of a value that a viewer chose is shown, in bytes.
const SHOWN: usize = 8 << 10;

/// Appends a line for people.
pub(super) fn write_text(out: &mut Vec<u8>, record: &AccessRecord) {
    let _ = write!(
        out,
        "{} {} {} {}://{}{} {} {}",
        timestamp(record.received),
        record.viewer.ip(),
        escaped(record.method.as_str().as_bytes()),
        record.scheme.as_str(),
        cut(escaped(host(record)), SHOWN),
        cut(target(path_and_query(record)), SHOWN),
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
pub(super) fn write_json(out: &mut Vec<u8>, record: &AccessRecord) {
    let shown = |value: &Option<http::HeaderValue>| {
        value.as_ref().map(|value| cut(escaped(value.as_bytes()), SHOWN))
    };
    let json = Json {
        time: timestamp(record.received),
        request_id: record.request_id.as_str(),
        distribution: record.distribution.as_ref().map(|distribution| distribution.id.as_str()),
        viewer: record.viewer.to_string(),
        method: record.method.as_str(),
        scheme: record.scheme.as_str(),
        host: cut(escaped(host(record)), SHOWN),
        target: cut(target(path_and_query(record)), SHOWN),
        protocol: format!("{:?}", record.version),
        tls: record.tls.as_ref().map(|tls| tls.protocol.as_str()),
        cipher: record.tls.as_ref().map(|tls| tls.cipher.as_str()),
        status: record.status,
        result: record.result,
        detailed_result: record.detailed_result,
        body_bytes: record.body_bytes,
        first_byte_ms: milliseconds(record.time_to_first_byte),
        taken_ms: milliseconds(record.time_taken),
        complete: record.complete,
        failure: record.failure.as_deref(),
        referer: shown(&record.referer),
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

/// RFC 3339 in UTC, with milliseconds.
fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        since.subsec_millis()
    )
}

/// The Gregorian date of a day since 1970-01-01. Years are counted from March, so that the leap day is
/// their last; 146,097 days make a cycle of 400 years.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (cycle * 400 + year + u64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_dates() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_800, "2000-03-01T00:00:00.000Z"),
            (1_767_225_599, "2025-12-31T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ];
        for (seconds, text) in rows {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(timestamp(time), text);
            // The same date as the one that goes into headers.
            let header = httpdate::fmt_http_date(time);
            assert_eq!(header[17..25], text[11..19]);
            assert_eq!(header[5..7], text[8..10]);
        }
    }

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
