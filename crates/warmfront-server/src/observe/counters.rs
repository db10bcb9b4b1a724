//! What is counted, and how Prometheus reads it.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use warmfront::reasons::Came;
use warmfront::{AccessRecord, Verdict};

/// The values of `X-Cache` that CloudFront knows, and a place for any other.
const RESULTS: [&str; 16] = [
    "Hit",
    "RefreshHit",
    "Miss",
    "Error",
    "Redirect",
    "FunctionGeneratedResponse",
    "LambdaGeneratedResponse",
    "FunctionExecutionError",
    "FunctionValidationError",
    "FunctionThrottledError",
    "LambdaExecutionError",
    "LambdaValidationError",
    "LambdaLimitExceeded",
    "LimitExceeded",
    "CapacityExceeded",
    "other",
];

/// Names of `x-edge-detailed-result-type` that tell of the origin.
const ORIGIN_ERRORS: [&str; 10] = [
    "AbortedOrigin",
    "OriginCommError",
    "OriginConnectError",
    "OriginContentRangeLengthError",
    "OriginDnsError",
    "OriginError",
    "OriginHeaderTooBigError",
    "OriginInvalidResponseError",
    "OriginReadError",
    "OriginWriteError",
];

/// Everything the program counts. Reading and adding never wait.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    begun: AtomicU64,
    requests: [AtomicU64; RESULTS.len()],
    lookups: [AtomicU64; Verdict::NAMES.len()],
    fetches: [AtomicU64; Came::NAMES.len()],
    not_stored: AtomicU64,
    origin_errors: [AtomicU64; ORIGIN_ERRORS.len()],
    statuses: [AtomicU64; 6],
    body_bytes: AtomicU64,
    broken: AtomicU64,
    connections: AtomicU64,
    open: AtomicI64,
    refused: AtomicU64,
    handshakes_failed: AtomicU64,
    accept_errors: AtomicU64,
    panics: AtomicU64,
    notes: AtomicU64,
    log_lines_lost: AtomicU64,
    reloads: AtomicU64,
    reloads_failed: AtomicU64,
}

/// One open connection; dropping it counts it off.
#[derive(Debug)]
pub(crate) struct OpenConnection(Arc<Counters>);

/// A number that somebody else holds, such as the cache's memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gauge {
    /// `warmfront_…`
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) help: &'static str,
    /// Its value now.
    pub(crate) value: u64,
}

impl Counters {
    /// A request is there.
    pub(crate) fn request_begins(&self) {
        self.begun.fetch_add(1, Relaxed);
    }

    /// How many requests have come, those that nobody could read among them.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed) + self.refused.load(Relaxed)
    }

    /// A request is over.
    pub(crate) fn request(&self, record: &AccessRecord) {
        let last = RESULTS.len() - 1;
        let index = RESULTS.iter().position(|result| *result == record.result).unwrap_or(last);
        self.requests[index].fetch_add(1, Relaxed);
        self.statuses[usize::from(record.status / 100).min(5)].fetch_add(1, Relaxed);
        self.body_bytes.fetch_add(record.body_bytes, Relaxed);
        if record.failure.is_some() {
            self.broken.fetch_add(1, Relaxed);
        }
        let count = |counters: &[AtomicU64], names: &[&str], name: &str| {
            if let Some(index) = names.iter().position(|known| *known == name) {
                counters[index].fetch_add(1, Relaxed);
            }
        };
        if let Some(found) = record.cache.found {
            count(&self.lookups, &Verdict::NAMES, found.name());
        }
        if let Some(came) = record.cache.came {
            count(&self.fetches, &Came::NAMES, came.name());
        }
        if record.cache.not_stored.is_some() {
            self.not_stored.fetch_add(1, Relaxed);
        }
        // Nearly every request ends as its result says: one comparison, then no search.
        if record.detailed_result != record.result
            && let Some(index) =
                ORIGIN_ERRORS.iter().position(|name| *name == record.detailed_result)
        {
            self.origin_errors[index].fetch_add(1, Relaxed);
        }
    }

    /// A connection is taken.
    pub(crate) fn connection(self: &Arc<Self>) -> OpenConnection {
        self.connections.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        OpenConnection(self.clone())
    }

    /// hyper refused a request before the engine saw it.
    pub(crate) fn refused_by_framing(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// A TLS handshake failed or took too long.
    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Relaxed);
    }

    /// The system gave no connection. The first is told at once, then every thousandth: they come in
    /// crowds.
    pub(crate) fn accept_failed(&self, error: &io::Error) {
        let earlier = self.accept_errors.fetch_add(1, Relaxed);
        if earlier.is_multiple_of(1000) {
            crate::say(&format!(
                "accepting connections pauses: {error} ({} times so far). \
                 When it is about open files, raise the limit (ulimit -n)",
                earlier + 1
            ));
        }
    }

    /// A request met a bug.
    pub(crate) fn panicked(&self) {
        self.panics.fetch_add(1, Relaxed);
    }

    /// A note was written.
    pub(crate) fn noted(&self) {
        self.notes.fetch_add(1, Relaxed);
    }

    /// So many lines of a standard or real-time log could not be written.
    pub(crate) fn log_lines_lost(&self, lines: u64) {
        self.log_lines_lost.fetch_add(lines, Relaxed);
    }

    /// The source was read again.
    pub(crate) fn reloaded(&self, successfully: bool) {
        let counter = if successfully { &self.reloads } else { &self.reloads_failed };
        counter.fetch_add(1, Relaxed);
    }

    /// The text that Prometheus reads (exposition format 0.0.4).
    pub(crate) fn prometheus(&self, gauges: &[Gauge]) -> String {
        let mut out = String::with_capacity(4096);
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        let begun = "warmfront_requests_begun_total";
        family(
            &mut out,
            begun,
            "counter",
            "Requests that have begun; less those that are over, it is those under way.",
        );
        let _ = writeln!(out, "{begun} {}", read(&self.begun));
        family(
            &mut out,
            "warmfront_requests_total",
            "counter",
            "Requests by result, as in X-Cache.",
        );
        for (result, count) in RESULTS.iter().zip(&self.requests) {
            let _ =
                writeln!(out, "warmfront_requests_total{{result=\"{result}\"}} {}", read(count));
        }
        family(&mut out, "warmfront_responses_total", "counter", "Responses by class of status.");
        for (class, count) in self.statuses.iter().enumerate().skip(1) {
            let _ =
                writeln!(out, "warmfront_responses_total{{class=\"{class}xx\"}} {}", read(count));
        }
        family(
            &mut out,
            "warmfront_origin_errors_total",
            "counter",
            "Origin failures by detailed result.",
        );
        for (error, count) in ORIGIN_ERRORS.iter().zip(&self.origin_errors) {
            let _ =
                writeln!(out, "warmfront_origin_errors_total{{error=\"{error}\"}} {}", read(count));
        }
        let lookups = "warmfront_cache_lookups_total";
        family(&mut out, lookups, "counter", "Looks into the cache by what they found.");
        for (found, count) in Verdict::NAMES.iter().zip(&self.lookups) {
            let _ = writeln!(out, "{lookups}{{found=\"{found}\"}} {}", read(count));
        }
        let fetches = "warmfront_cache_fetches_total";
        family(
            &mut out,
            fetches,
            "counter",
            "Requests that the cache alone did not answer, by how the response came.",
        );
        for (came, count) in Came::NAMES.iter().zip(&self.fetches) {
            let _ = writeln!(out, "{fetches}{{came=\"{came}\"}} {}", read(count));
        }
        let counters = [
            ("warmfront_not_stored_total", "Responses that may not be stored.", &self.not_stored),
            ("warmfront_body_bytes_total", "Bytes of response bodies.", &self.body_bytes),
            ("warmfront_broken_bodies_total", "Response bodies that broke off.", &self.broken),
            ("warmfront_connections_total", "Connections taken.", &self.connections),
            ("warmfront_refused_total", "Requests refused before they were parsed.", &self.refused),
            (
                "warmfront_tls_failures_total",
                "TLS handshakes that failed.",
                &self.handshakes_failed,
            ),
            ("warmfront_accept_errors_total", "Errors of accept(2).", &self.accept_errors),
            ("warmfront_panics_total", "Bugs met; each is told on stderr.", &self.panics),
            ("warmfront_notes_total", "Notes written to stderr.", &self.notes),
            (
                "warmfront_log_lines_lost_total",
                "Lines of standard and real-time logs that could not be written.",
                &self.log_lines_lost,
            ),
            ("warmfront_reloads_total", "Sources read again.", &self.reloads),
            (
                "warmfront_reload_failures_total",
                "Reloads that kept the old source.",
                &self.reloads_failed,
            ),
        ];
        for (name, help, counter) in counters {
            family(&mut out, name, "counter", help);
            let _ = writeln!(out, "{name} {}", read(counter));
        }
        family(&mut out, "warmfront_connections", "gauge", "Connections open now.");
        let _ = writeln!(out, "warmfront_connections {}", self.open.load(Relaxed));
        for Gauge { name, help, value } in gauges {
            // What only grows is named so, as Prometheus has it.
            let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
            family(&mut out, name, kind, help);
            let _ = writeln!(out, "{name} {value}");
        }
        out
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let counters = Arc::new(Counters::default());
        let open = counters.connection();
        counters.reloaded(false);
        let gauge = Gauge { name: "warmfront_cache_bytes", help: "Memory.", value: 42 };
        let text = counters.prometheus(&[gauge]);
        for line in [
            "warmfront_connections 1",
            "warmfront_connections_total 1",
            "warmfront_reload_failures_total 1",
            "warmfront_requests_total{result=\"Hit\"} 0",
            "warmfront_cache_lookups_total{found=\"fresh\"} 0",
            "warmfront_cache_fetches_total{came=\"alone-not-shared\"} 0",
            "# TYPE warmfront_cache_bytes gauge",
            "warmfront_cache_bytes 42",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        drop(open);
        assert!(counters.prometheus(&[]).contains("\nwarmfront_connections 0\n"));
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            value.parse::<i64>().unwrap();
        }
    }
}
