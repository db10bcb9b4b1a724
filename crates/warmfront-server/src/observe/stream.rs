//! A CloudFront log on standard output: a header, then nothing but its own lines.

use std::io::Write;

use super::sink::Outlet;
use super::trouble::Trouble;

/// See the module.
pub(super) struct LogStream<W> {
    header: Vec<u8>,
    to: W,
    trouble: Trouble,
}

impl<W> LogStream<W> {
    /// The header goes before the first line.
    pub(super) fn new(to: W, header: Vec<u8>, trouble: Trouble) -> Self {
        Self { header, to, trouble }
    }
}

impl<W: Write + Send + 'static> Outlet for LogStream<W> {
    fn take(&mut self, lines: &[u8], dropped: u64) -> bool {
        if dropped > 0 {
            self.trouble.lost(dropped, "they came faster than they were read");
        }
        if lines.is_empty() {
            return true;
        }
        let header = std::mem::take(&mut self.header);
        let written = self.to.write_all(&header).and_then(|()| self.to.write_all(lines));
        // A reader that went away (`| head`) ends the log, not the program.
        written.and_then(|()| self.to.flush()).is_ok()
    }
}
