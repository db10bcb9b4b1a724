//! Where in which file a value was written.

use std::fmt;
use std::sync::Arc;

/// A position in a source file. Ordered as a reader meets them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file as the user named it; `command line` for options.
    pub file: Arc<str>,
    /// Counted from 1; 0 for what was not written in a file.
    pub line: u32,
    /// Counted from 1, in characters; 0 for what was not written in a file.
    pub column: u32,
}

impl Place {
    /// The first character of a file.
    pub fn start_of(file: &Arc<str>) -> Self {
        Self { file: file.clone(), line: 1, column: 1 }
    }

    /// An option of the program.
    pub fn command_line() -> Self {
        Self { file: "command line".into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}
