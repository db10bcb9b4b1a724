//! Which paths a behavior answers (CloudFront guide: path pattern).

use std::fmt;

/// A compiled path pattern: `*` is any run of characters, `?` is one, nothing else is special.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
