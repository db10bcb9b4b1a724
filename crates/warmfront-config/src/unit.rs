//! One stack of a source: its template, the names it gets, and where it was read.
//!
//! A source is one unit (a template, a `serverless.yml`) or several (templates given together, the
//! stacks of a CDK assembly). Everything that AWS's own outputs describe is one unit, too.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::diagnostic::Problems;
use crate::names::Names;
use crate::place::Place;
use crate::template::Template;

/// One stack.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) template: Template,
    pub(crate) names: Names,
    /// What was wrong with its text, and what turns out to be.
    pub(crate) problems: Problems,
    /// The first character of its file.
    pub(crate) start: Place,
    /// Where relative paths of the source begin.
    pub(crate) directory: PathBuf,
    /// Whether its distributions are served; else it only answers what the others refer to.
    pub(crate) is_served: bool,
    /// Files that a deployment would upload, by the key of the object in S3: directories and zip archives.
    pub(crate) assets: HashMap<String, PathBuf>,
}
