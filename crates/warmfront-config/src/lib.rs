//! What users write, read with its source positions and compiled to a [`Stack`].
//!
//! [`load`] reads a CloudFormation template or a `serverless.yml`, evaluates its functions and
//! variables, holds it against AWS's schema and compiles it. It reports every problem at once, each
//! with its place and the nearest thing that works, and tells of every property whether it is
//! effective (the honesty report). Nothing in a source is executed, nothing is fetched.
//!
//! The way of a source: bytes ([`source`]) → [`document`] with places → [`mod@format`] → template as
//! written → `intrinsics` → `compile`. [`render`] says it to people and to tools.
//!
//! ```no_run
//! let options = warmfront_config::Options::default();
//! match warmfront_config::load("serverless.yml".as_ref(), &options) {
//!     Ok(loaded) => println!("{}", warmfront_config::render_human(&loaded)),
//!     Err(unreadable) => println!("{unreadable}"),
//! }
//! ```

mod compile;
pub mod diagnostic;
pub mod document;
pub mod format;
mod gather;
mod intrinsics;
mod names;
pub mod place;
pub mod render;
pub mod report;
pub mod source;
mod suggest;
mod template;
mod unit;
pub mod written;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use warmfront_core::Stack;
use warmfront_core::caching::CacheRules;

pub use compile::listing::{KnownProperty, known_properties};
pub use diagnostic::{Diagnostic, Severity};
pub use render::{render_human, render_json, render_problems, render_sarif};
pub use report::{Report, ReportEntry, Status};
pub use source::LoadError;
pub use suggest::nearest as nearest_name;
pub use template::CLOUDFRONT_KINDS as RESOURCE_TYPES;
pub use written::Written;

use diagnostic::Problems;
use gather::{Gathered, Gatherer};
use report::Ledger;
use source::Sources;

/// What the command line adds to a source.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--origin KEY=TARGET`; several targets of one key are the nodes of one origin.
    pub origins: Vec<(String, String)>,
    /// `--parameter NAME=VALUE`: CloudFormation parameters and pseudo parameters.
    pub parameters: Vec<(String, String)>,
    /// `--attribute LOGICALID.ATTR=VALUE`: what only AWS could say. `ImportValue.NAME` answers
    /// `Fn::ImportValue`, `resolve.ssm:…` a dynamic reference, `LOGICALID.Ref` a Ref.
    pub attributes: Vec<(String, String)>,
    /// `--stage S`.
    pub stage: Option<String>,
    /// `--opt NAME=VALUE`: `${opt:NAME}`. A whole variable such as `ssm:/a/b` or `file(x.js):key` may
    /// stand for NAME and answers that variable.
    pub opts: Vec<(String, String)>,
    /// `--function-env NAME.KEY=VALUE`, as (`NAME.KEY`, `VALUE`).
    pub function_env: Vec<(String, String)>,
    /// `--function-concurrency NAME=N`.
    pub function_concurrency: Vec<(String, usize)>,
    /// `--allow-unprotected NAME`.
    pub allow_unprotected: Vec<String>,
    /// Whether `--geo` or `--geo-database` tells where viewers are.
    pub knows_countries: bool,
    /// More sources, served beside the first (`warmfront run a.json b.json`).
    pub also: Vec<PathBuf>,
    /// `--with FILE`: what the sources refer to. Distributions of templates among them are not served.
    pub with: Vec<PathBuf>,
    /// `--strict`: inert properties and warnings are errors.
    pub strict: bool,
    /// Whether there is an access key to sign requests to origins with. Without one, an access control is
    /// listed as inert.
    pub can_sign: bool,
    /// What `--standard-log` names.
    pub standard_log: StandardLog,
    /// Whether `--real-time-log` is given.
    pub real_time_log: bool,
    /// `--profile`: the cache rules of every behavior.
    pub rules: CacheRules,
    /// The process environment, for `${env:NAME}`.
    pub env: BTreeMap<String, String>,
}

/// Where standard logs are written, as far as a source must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StandardLog {
    /// Nowhere.
    #[default]
    None,
    /// Into one stream or file.
    Stream,
    /// Into a directory, by bucket and prefix.
    Directory,
}

/// A source that could be read, and what came of it.
#[derive(Debug)]
pub struct Loaded {
    /// What to serve; `None` when there are errors.
    pub stack: Option<Stack>,
    /// Every problem, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// What becomes of every property.
    pub report: Report,
    /// Where the parts of the distributions were written.
    pub written: Written,
    /// Every file that was read, or was looked for and not found: what `--watch` watches.
    pub files: Vec<PathBuf>,
}

impl Loaded {
    /// Whether the source cannot be served.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// What `check` exits with: 0, or 1 when there are errors.
    pub fn exit_code(&self) -> u8 {
        u8::from(self.has_errors())
    }
}

/// The source in a directory: `warmfront.yml`, `serverless.yml`, `template.y*ml`, `cdk.out`.
pub fn find_source(dir: &Path) -> Option<PathBuf> {
    const NAMES: [&str; 7] = [
        "warmfront.yml",
        "warmfront.yaml",
        "serverless.yml",
        "serverless.yaml",
        "template.yml",
        "template.yaml",
        "cdk.out",
    ];
    // An assembly is a source itself, and has a file called cdk.out in it.
    if format::is_cdk_assembly(dir) {
        return None;
    }
    NAMES.iter().map(|name| dir.join(name)).find(|path| path.exists())
}

/// Reads and compiles a source: a file, or a directory with one of the names of [`find_source`].
///
/// An error means that a file cannot be read; what is wrong *in* one is in [`Loaded::diagnostics`].
pub fn load(source: &Path, options: &Options) -> Result<Loaded, LoadError> {
    let sources = Sources::default();
    let ledger = Ledger::default();
    let mut gatherer = Gatherer::new(options, &sources, &ledger);
    gatherer.read(source, true)?;
    for path in &options.also {
        gatherer.read(path, true)?;
    }
    for path in &options.with {
        gatherer.read(path, false)?;
    }
    let Gathered { units, refused, spellings } = gatherer.into_units();
    let stack = (!units.is_empty()).then(|| compile::compile(&units, options, &ledger));

    let problems = units.into_iter().map(|unit| unit.problems);
    let problems = Problems::merged(problems.collect(), refused);
    if options.strict {
        problems.make_strict();
    }
    let (mut report, written) = ledger.into_parts();
    if options.strict {
        for (entry, reason) in report.inert() {
            let message = format!("has no effect: {reason}");
            problems.add(
                Diagnostic::error(entry.place.clone(), &*entry.path, message)
                    .help("an error because of --strict"),
            );
        }
    }
    let stack = stack.filter(|_| !problems.has_errors());
    let (mut diagnostics, files) = (problems.into_sorted(), sources.into_files());
    spellings.respell(&mut diagnostics, &mut report.entries);
    Ok(Loaded { stack, diagnostics, report, written, files })
}
