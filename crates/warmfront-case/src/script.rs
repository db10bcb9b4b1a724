//! What a case says, once it is read: the configuration and the steps in order.
//!
//! Everything here is checked; the runner has nothing left to doubt.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use regex_lite::Regex;

use crate::target::{Purge, Scheme};
use crate::text::Text;

/// One case, ready to run.
#[derive(Debug, Clone)]
pub struct Case {
    /// The file, as it is shown to people.
    pub name: String,
    /// The configuration under test; `None` runs only where one is given from outside.
    pub source: Option<Source>,
    /// Words after `option`, in order: `--parameter`, `Min=1`.
    pub options: Vec<String>,
    /// Every origin the case names, in order of appearance.
    pub origins: Vec<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) lines: Vec<String>,
}

/// Where the configuration is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file, already resolved against the case's own directory.
    File(PathBuf),
    /// The text under `distribution:` in the case.
    Inline {
        /// The text without its indentation.
        text: String,
        /// The line of the case at which it starts.
        line: usize,
    },
}

impl Case {
    /// The same case with another configuration (`warmfront test SOURCE CASE`).
    pub fn with_source(mut self, source: &Path) -> Self {
        self.source = Some(Source::File(source.to_owned()));
        self
    }

    /// Line `line`, from 1; nothing for other numbers.
    pub(crate) fn excerpt(&self, line: usize) -> String {
        line.checked_sub(1).and_then(|index| self.lines.get(index)).cloned().unwrap_or_default()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// `origin NAME: GET /a -> …`
    Script { origin: String, answer: Arc<Answer> },
    /// `origin NAME: refuses` and `accepts`
    Listen { origin: String, accepts: bool },
    /// `viewer 1: GET /a`
    Start { viewers: Vec<u32>, request: Arc<Request> },
    /// `viewer 1: <- 200`
    Look { viewers: Vec<u32>, expected: Expected },
    /// `viewer 1: leaves`
    Leave { viewers: Vec<u32> },
    /// `viewer 1: has 100 bytes`
    Has { viewers: Vec<u32>, bytes: u64 },
    /// `advance 60s`
    Advance(Duration),
    /// `release g1`
    Release(String),
    /// `purge /a #tag`; how many objects it must mean, if that is said.
    Purge { purge: Purge, objects: Option<u64> },
    /// `await origin NAME holds g1`
    AwaitHold { origin: String, gate: String },
    /// `await origin NAME count 2`
    AwaitCount { origin: String, count: u64 },
    /// `expect origin NAME count 2`
    ExpectCount { origin: String, count: u64 },
}

/// What a viewer sends.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) scheme: Scheme,
    pub(crate) host: String,
    pub(crate) version: http::Version,
    pub(crate) method: http::Method,
    pub(crate) target: String,
    pub(crate) headers: Vec<(http::HeaderName, Text)>,
    pub(crate) body: Option<Content>,
    /// Sent without its length.
    pub(crate) chunked: bool,
}

/// What must come back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) status: Option<StatusMatch>,
    pub(crate) headers: Vec<HeaderMatch>,
    pub(crate) body: Option<BodyMatch>,
    /// `body` is of what Content-Encoding hides.
    pub(crate) decoded: bool,
    /// The stream must end with an error.
    pub(crate) broken: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusMatch {
    Exactly(u16),
    /// `4xx`
    Class(u16),
}

#[derive(Debug, Clone)]
pub(crate) struct HeaderMatch {
    pub(crate) name: http::HeaderName,
    pub(crate) value: ValueMatch,
}

#[derive(Debug, Clone)]
pub(crate) enum ValueMatch {
    Exactly(Text),
    Matches(Regex),
    Absent,
    Present,
}

#[derive(Debug, Clone)]
pub(crate) enum BodyMatch {
    Exactly(Content),
    Matches(Regex),
    Size(u64),
}

/// A body: written out, or a piece of the pattern.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Text(Text),
    Pattern(Range<u64>),
}

impl Content {
    pub(crate) fn at(&self, now: SystemTime) -> Bytes {
        match self {
            Self::Text(text) => text.at(now).into(),
            Self::Pattern(range) => crate::pattern::slice(range.clone()),
        }
    }
}

/// One scripted answer of an origin: the request it is for, what that request must carry, the reply.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) line: usize,
    /// `None` is `ANY`.
    pub(crate) method: Option<String>,
    pub(crate) target: TargetMatch,
    pub(crate) headers: Vec<HeaderMatch>,
    pub(crate) body: Option<BodyMatch>,
    pub(crate) uses: Uses,
    pub(crate) plan: Plan,
}

#[derive(Debug, Clone)]
pub(crate) enum TargetMatch {
    Any,
    Exactly(String),
    Matches(Regex),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uses {
    /// Exactly so often.
    Times(u64),
    /// Exactly once, by a request that carries what it must; one that does not is left to another line.
    Fitting,
    /// As often as it is asked for, also never; scripted answers go first.
    Always,
}

/// How the reply goes out.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Before the first octet.
    pub(crate) first: Vec<Pause>,
    pub(crate) reply: Reply,
    /// After so many octets of the body, in ascending order.
    pub(crate) within: Vec<(u64, Pause)>,
    pub(crate) ending: Ending,
}

#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Nothing at all.
    Nothing,
    Composed {
        status: u16,
        headers: Vec<(String, Text)>,
        /// Headers the origin would add by itself and must not: `date: absent`.
        without: Vec<String>,
        body: Option<Content>,
        framing: Framing,
    },
    /// These octets.
    Raw(Text),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    Length,
    Chunked,
    /// Ended by closing the connection.
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pause {
    Hold(String),
    Delay(Duration),
}

/// What happens to the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It stays open for the next request.
    KeepOpen,
    /// It is closed once the whole reply is out.
    Close,
    /// It is closed after so many octets of the body, whatever was promised.
    Abort { after: u64 },
    /// The same with a TCP reset.
    Reset { after: u64 },
    /// The whole body goes out, but one octet more (or a last chunk) was promised.
    Truncate,
}
