//! What functions print, as whole lines of bounded length with the invocation they belong to.

use std::fmt;
use std::sync::Arc;

/// Longest line that is passed on in one piece; a longer one comes as several.
pub const LINE_LIMIT: usize = 16 * 1024;

/// What one invocation (or one start) may print; the rest is dropped, and a last line says how much.
pub const OUTPUT_LIMIT: usize = 1024 * 1024;

/// One line about a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionLog {
    /// The function's name.
    pub function: Arc<str>,
    /// The invocation it belongs to; `None` while the worker starts or waits.
    pub request_id: Option<Arc<str>>,
    /// Who says it.
    pub source: LogSource,
    /// The line, without its end. What is not UTF-8 was replaced.
    pub line: String,
}

/// Who says a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogSource {
    /// The function's stdout.
    Stdout,
    /// The function's stderr.
    Stderr,
    /// The edge, about the function: errors with their trace, time-outs, workers that ended.
    Edge,
}

impl LogSource {
    /// `stdout`, `stderr` or `edge`.
    pub fn as_str(self) -> &'static str {
        match self {
            LogSource::Stdout => "stdout",
            LogSource::Stderr => "stderr",
            LogSource::Edge => "edge",
        }
    }
}

/// Takes the lines: must be quick and must not block, since all functions share its thread.
pub type LogSink = Arc<dyn Fn(FunctionLog) + Send + Sync>;

/// The lines of one worker, on their way to the sink.
pub(crate) struct Journal {
    sink: LogSink,
    function: Arc<str>,
    request_id: Option<Arc<str>>,
    printed: usize,
    dropped: usize,
    /// V8 says on stderr why it gave up; the exit status alone does not.
    last_words: Option<String>,
}

impl Journal {
    pub(crate) fn new(sink: LogSink, function: Arc<str>) -> Self {
        Self { sink, function, request_id: None, printed: 0, dropped: 0, last_words: None }
    }

    /// What follows belongs to `request_id`.
    pub(crate) fn begin(&mut self, request_id: Option<Arc<str>>) {
        if self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            self.edge(format!(
                "printed more than {OUTPUT_LIMIT} bytes: the last {dropped} bytes were dropped"
            ));
        }
        self.request_id = request_id;
        self.printed = 0;
    }

    /// A line of the edge's own.
    pub(crate) fn edge(&self, line: String) {
        self.pass(LogSource::Edge, line);
    }

    /// The reason that V8 printed before it ended the process.
    pub(crate) fn last_words(&self) -> Option<&str> {
        self.last_words.as_deref()
    }

    fn print(&mut self, source: LogSource, line: &[u8]) {
        if line.starts_with(b"FATAL ERROR:") {
            self.last_words = Some(String::from_utf8_lossy(line).into_owned());
        }
        self.printed = self.printed.saturating_add(line.len() + 1);
        if self.printed > OUTPUT_LIMIT {
            self.dropped = self.dropped.saturating_add(line.len() + 1);
            return;
        }
        self.pass(source, String::from_utf8_lossy(line).into_owned());
    }

    fn pass(&self, source: LogSource, line: String) {
        let (function, request_id) = (self.function.clone(), self.request_id.clone());
        (self.sink)(FunctionLog { function, request_id, source, line });
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("function", &self.function).finish_non_exhaustive()
    }
}

/// Cuts a stream into lines. Holds at most [`LINE_LIMIT`] bytes.
#[derive(Debug)]
pub(crate) struct LineCutter {
    source: LogSource,
    rest: Vec<u8>,
}

impl LineCutter {
    pub(crate) fn new(source: LogSource) -> Self {
        Self { source, rest: Vec::new() }
    }

    pub(crate) fn push(&mut self, mut bytes: &[u8], journal: &mut Journal) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.add(&bytes[..end], journal);
            let line = std::mem::take(&mut self.rest);
            journal.print(self.source, line.strip_suffix(b"\r").unwrap_or(&line));
            bytes = &bytes[end + 1..];
        }
        self.add(bytes, journal);
    }

    /// Passes on what has no line end yet.
    pub(crate) fn flush(&mut self, journal: &mut Journal) {
        if !self.rest.is_empty() {
            journal.print(self.source, &std::mem::take(&mut self.rest));
        }
    }

    fn add(&mut self, mut bytes: &[u8], journal: &mut Journal) {
        while self.rest.len() + bytes.len() > LINE_LIMIT {
            let (now, later) = bytes.split_at(LINE_LIMIT - self.rest.len());
            self.rest.extend_from_slice(now);
            journal.print(self.source, &std::mem::take(&mut self.rest));
            bytes = later;
        }
        self.rest.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn lines(portions: &[&[u8]]) -> Vec<String> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = {
            let seen = seen.clone();
            move |log: FunctionLog| seen.lock().unwrap().push(log.line)
        };
        let mut journal = Journal::new(Arc::new(sink), "f".into());
        let mut cutter = LineCutter::new(LogSource::Stdout);
        for portion in portions {
            cutter.push(portion, &mut journal);
        }
        cutter.flush(&mut journal);
        journal.begin(None);
        std::mem::take(&mut *seen.lock().unwrap())
    }

    #[test]
    fn lines_come_whole_whatever_the_portions() {
        for portions in
            [&[&b"one\ntwo\r\n\nthree"[..]][..], &[b"o", b"ne\nt", b"wo\r", b"\n", b"\nthr", b"ee"]]
        {
            assert_eq!(lines(portions), ["one", "two", "", "three"], "{portions:?}");
        }
    }

    #[test]
    fn an_endless_line_comes_in_pieces_and_a_flood_is_cut_with_a_note() {
        let long = vec![b'x'; LINE_LIMIT + 10];
        let got: Vec<_> = lines(&[&long]).iter().map(String::len).collect();
        assert_eq!(got, [LINE_LIMIT, 10]);

        let flood = b"0123456\n".repeat(OUTPUT_LIMIT / 8 + 3);
        let got = lines(&[&flood]);
        assert_eq!(got.len(), OUTPUT_LIMIT / 8 + 1);
        assert!(got.last().unwrap().contains("the last 24 bytes were dropped"), "{:?}", got.last());
    }
}
