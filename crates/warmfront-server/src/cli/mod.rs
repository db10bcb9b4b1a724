//! The command line: exactly the commands and flags of the contract that are built.
//!
//! Every flag is also an environment variable, `WARMFRONT_` and its name in capitals; a flag that may
//! be repeated takes one value a line there. What belongs to the contract but is not built yet is
//! parsed, hidden from `--help`, and refused by name in [`unbuilt`]: never accepted and ignored.

mod address;
mod logs;
mod pairs;
mod purge;
mod size;
mod unbuilt;

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use warmfront_core::access::geo::Country;
use warmfront_core::caching::CacheRules;

pub(crate) use address::Bind;
pub(crate) use logs::{LogStyle, LogTarget, LogTargets, StandardFormat, StandardLogTo};
pub(crate) use purge::PurgeArgs;
pub(crate) use size::{Size, in_units};

/// Serves an Amazon CloudFront distribution as it is written.
#[derive(Debug, Parser)]
#[command(
    name = "warmfront",
    version,
    propagate_version = true,
    after_help = "Every flag is also an environment variable: WARMFRONT_ and its name in capitals, \
                  as in WARMFRONT_CACHE_MEMORY. A flag that may be repeated takes one value a line there."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve a source: template, serverless.yml, CDK assembly, what the AWS CLI prints
    Run(Box<RunArgs>),
    /// Report every problem of a source at once, with file:line:column
    Check(Box<CheckArgs>),
    /// Tell what becomes of one request, without sending it
    Explain(Box<ExplainArgs>),
    /// Run .case files through the whole pipeline with a virtual clock
    Test(Box<TestArgs>),
    /// Make a running program forget what it has stored
    Purge(Box<PurgeArgs>),
    #[command(flatten)]
    Unbuilt(unbuilt::UnbuiltCommand),
}

/// What changes how a source is read: the same for every command.
#[derive(Debug, Default, Args)]
pub(crate) struct SourceArgs {
    /// Connect to TARGET (a URL or a directory) for the origin KEY; repeat a KEY for a list of nodes
    #[arg(long = "origin", value_name = "KEY=TARGET", value_parser = pairs::parse)]
    pub(crate) origins: Vec<(String, String)>,
    /// A CloudFormation parameter, or a pseudo parameter (AWS::Region=…)
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pairs::parse)]
    pub(crate) parameters: Vec<(String, String)>,
    /// The answer for a GetAtt that only AWS could resolve
    #[arg(long = "attribute", value_name = "LOGICALID.ATTR=VALUE", value_parser = pairs::parse_dotted)]
    pub(crate) attributes: Vec<(String, String)>,
    /// The stage of a serverless.yml
    #[arg(long, value_name = "S", env = "WARMFRONT_STAGE")]
    pub(crate) stage: Option<String>,
    /// The value of a variable of a serverless.yml: ${opt:NAME}, or one that only AWS knows (ssm:/path)
    #[arg(long = "opt", value_name = "NAME=VALUE", value_parser = pairs::parse)]
    pub(crate) opts: Vec<(String, String)>,
    /// An environment variable of a function (NAME: logical id, or the key under functions)
    #[arg(long = "function-env", value_name = "NAME.KEY=VALUE", value_parser = pairs::parse_dotted)]
    pub(crate) function_env: Vec<(String, String)>,
    /// How many invocations of a function may run at once
    #[arg(long = "function-concurrency", value_name = "NAME=N", value_parser = pairs::parse_count)]
    pub(crate) function_concurrency: Vec<(String, usize)>,
    /// The country of viewers that no --geo-database knows, such as DE
    #[arg(long, value_name = "CC", env = "WARMFRONT_GEO", value_parser = pairs::parse_country)]
    pub(crate) geo: Option<Country>,
    /// A database in MaxMind's format (.mmdb) that tells where viewers are; repeat it for a second one,
    /// such as ASN
    #[arg(long = "geo-database", value_name = "FILE")]
    pub(crate) geo_databases: Vec<PathBuf>,
    /// For development: a viewer on a loopback address may say where it is with
    /// X-Warmfront-Viewer-Country: CC. Not behind a proxy on this machine
    #[arg(long, env = "WARMFRONT_GEO_HEADER", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) geo_header: bool,
    /// Which rules the cache follows; default: cloudfront
    #[arg(long, value_name = "PROFILE", env = "WARMFRONT_PROFILE")]
    pub(crate) profile: Option<Profile>,
    /// A viewer's Cache-Control and Pragma count: no-cache, no-store, max-age, min-fresh, max-stale and
    /// only-if-cached. Whoever reloads then reaches the origin
    #[arg(long, env = "WARMFRONT_HONOR_VIEWER_CACHE_CONTROL", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) honor_viewer_cache_control: bool,
    /// Serve although NAME, which protects, is not effective yet
    #[arg(long = "allow-unprotected", value_name = "NAME")]
    pub(crate) allow_unprotected: Vec<String>,
    /// A file with what the source refers to: policies, functions, keys, another stack's exports
    #[arg(long = "with", value_name = "FILE")]
    pub(crate) with: Vec<PathBuf>,
    /// Filled from the command's own arguments: more sources, served beside the first
    #[arg(skip)]
    pub(crate) also: Vec<PathBuf>,
    /// Inert properties and lint are errors
    #[arg(long, env = "WARMFRONT_STRICT", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) strict: bool,
    /// What the flags of logs mean for the source.
    #[arg(skip)]
    pub(crate) standard_log: warmfront_config::StandardLog,
    /// Whether real-time logs are written.
    #[arg(skip)]
    pub(crate) real_time_log: bool,
    #[command(flatten)]
    pub(crate) unbuilt: unbuilt::UnbuiltSourceFlags,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What to serve; without it: warmfront.yml, serverless.yml, template.y*ml or cdk.out, here
    #[arg(env = "WARMFRONT_SOURCE")]
    pub(crate) source: Option<PathBuf>,
    /// More files that are served beside it
    #[arg(value_name = "SOURCE")]
    pub(crate) more: Vec<PathBuf>,
    /// Where to listen for http: an address, a port of 127.0.0.1, or off
    #[arg(long, value_name = "ADDR|off", env = "WARMFRONT_HTTP", default_value = "127.0.0.1:8080")]
    pub(crate) http: Bind,
    /// Where to listen for https, with a certificate of the development CA
    #[arg(
        long,
        value_name = "ADDR|off",
        env = "WARMFRONT_HTTPS",
        default_value = "127.0.0.1:8443"
    )]
    pub(crate) https: Bind,
    /// Where /healthz, /readyz, /metrics and /purge are, which `warmfront purge` talks to
    #[arg(
        long,
        value_name = "ADDR|off",
        env = "WARMFRONT_ADMIN",
        default_value = "127.0.0.1:9900"
    )]
    pub(crate) admin: Bind,
    #[command(flatten)]
    pub(crate) from: SourceArgs,
    /// Memory for stored responses: bytes, or with a unit as in 256MiB or 1GiB
    #[arg(long, value_name = "SIZE", env = "WARMFRONT_CACHE_MEMORY", default_value = "256MiB")]
    pub(crate) cache_memory: Size,
    /// Where stored responses are kept on disk, too, so that they survive a restart; without it: memory only
    #[arg(long, value_name = "DIR", env = "WARMFRONT_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Disk for stored responses, 16MiB or more; default: 10GiB
    #[arg(long, value_name = "SIZE", env = "WARMFRONT_CACHE_DISK", requires = "cache_dir", value_parser = size::of_disk)]
    pub(crate) cache_disk: Option<Size>,
    /// Where the development CA and other state is kept; default: .warmfront beside SOURCE
    #[arg(long, value_name = "DIR", env = "WARMFRONT_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// How many threads serve; default: one per core
    #[arg(long, value_name = "N", env = "WARMFRONT_WORKERS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) workers: Option<u16>,
    /// One line per request on standard output
    #[arg(long, value_name = "FORMAT", env = "WARMFRONT_ACCESS_LOG", default_value = "text")]
    pub(crate) access_log: AccessLog,
    /// Apply changes to the source, its functions and directories as they are saved
    #[arg(long, env = "WARMFRONT_WATCH", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) logs: LogTargets,
    #[command(flatten)]
    pub(crate) log_style: LogStyle,
    /// Answer X-Warmfront-Explain: 1 on a request with what was decided about it
    #[arg(long, env = "WARMFRONT_EXPLAIN", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) explain: bool,
    /// For tests only: the engine's clock stands still until POST /clock/advance?ms=N on the admin port
    #[arg(long, hide = true, env = "WARMFRONT_VIRTUAL_CLOCK", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) virtual_clock: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// What to check
    #[arg(env = "WARMFRONT_SOURCE")]
    pub(crate) source: Option<PathBuf>,
    /// More files that are checked with it
    #[arg(value_name = "SOURCE")]
    pub(crate) more: Vec<PathBuf>,
    /// How problems are written
    #[arg(long, value_name = "FORMAT", env = "WARMFRONT_FORMAT", default_value = "human")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) from: SourceArgs,
    #[command(flatten)]
    pub(crate) logs: LogTargets,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// What would be served
    pub(crate) source: PathBuf,
    /// The viewer's URL, with its scheme and host
    pub(crate) url: String,
    /// The viewer's method
    #[arg(short = 'X', long = "method", value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// A header of the viewer; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = pairs::parse_header)]
    pub(crate) headers: Vec<(String, String)>,
    /// The status that the origin would answer with; default: the usual ones are told
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<u16>,
    /// A header that the origin would answer with; may be repeated
    #[arg(long = "answer-header", value_name = "NAME: VALUE", value_parser = pairs::parse_header)]
    pub(crate) answer_headers: Vec<(String, String)>,
    /// How it is told
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: ExplainFormat,
    #[command(flatten)]
    pub(crate) from: SourceArgs,
}

/// How `explain` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    /// For people
    Human,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// [SOURCE] CASE…: .case files, or directories of them; a SOURCE before them replaces their own
    #[arg(required = true, value_name = "CASE")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) from: SourceArgs,
}

/// Which rules the cache follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Profile {
    /// As CloudFront does, where it differs from the standard, too
    #[default]
    #[value(name = "cloudfront")]
    CloudFront,
    /// As RFC 9111 and its companions want a shared cache to be
    Rfc9111,
}

impl Profile {
    pub(crate) fn rules(self) -> CacheRules {
        match self {
            Profile::CloudFront => CacheRules::CLOUDFRONT,
            Profile::Rfc9111 => CacheRules::RFC9111,
        }
    }
}

/// How access log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AccessLog {
    /// None are written
    Off,
    /// Compact, for people
    Text,
    /// One JSON object a line
    Json,
}

/// How `check` writes problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For programs
    Json,
    /// For code scanning services
    Sarif,
}

/// Parses the command line and the environment; a mistake ends the program with status 2.
pub(crate) fn parse() -> Cli {
    let cli = Cli::parse();
    match complete(cli, |name| std::env::var(name).ok()) {
        Ok(cli) => cli,
        Err(message) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "error: {message}");
            std::process::exit(2);
        }
    }
}

/// Adds the repeatable values from the environment, and refuses what is not built.
fn complete(mut cli: Cli, env: impl Fn(&str) -> Option<String>) -> Result<Cli, String> {
    let from = match &mut cli.command {
        Command::Unbuilt(command) => return Err(command.refusal()),
        Command::Purge(_) => return Ok(cli),
        Command::Run(args) => {
            args.log_style.check(&args.logs)?;
            let redact = &mut args.log_style.redact_query;
            pairs::fill(redact, "WARMFRONT_REDACT_QUERY", &env, |name| Ok(name.to_owned()))?;
            args.from.told_of(&args.logs);
            args.from.also = std::mem::take(&mut args.more);
            &mut args.from
        }
        Command::Check(args) => {
            args.from.told_of(&args.logs);
            args.from.also = std::mem::take(&mut args.more);
            &mut args.from
        }
        Command::Explain(args) => &mut args.from,
        Command::Test(args) => &mut args.from,
    };
    from.unbuilt.refuse()?;
    from.fill_from(&env)?;
    Ok(cli)
}

impl SourceArgs {
    fn told_of(&mut self, logs: &LogTargets) {
        self.standard_log = logs.standard();
        self.real_time_log = logs.real_time_log.is_some();
    }

    /// A flag on the command line wins over its variable as a whole.
    fn fill_from(&mut self, env: &impl Fn(&str) -> Option<String>) -> Result<(), String> {
        use pairs::{fill, parse, parse_count, parse_dotted};
        fill(&mut self.origins, "WARMFRONT_ORIGIN", env, parse)?;
        fill(&mut self.parameters, "WARMFRONT_PARAMETER", env, parse)?;
        fill(&mut self.attributes, "WARMFRONT_ATTRIBUTE", env, parse_dotted)?;
        fill(&mut self.opts, "WARMFRONT_OPT", env, parse)?;
        fill(&mut self.function_env, "WARMFRONT_FUNCTION_ENV", env, parse_dotted)?;
        fill(&mut self.function_concurrency, "WARMFRONT_FUNCTION_CONCURRENCY", env, parse_count)?;
        fill(&mut self.geo_databases, "WARMFRONT_GEO_DATABASE", env, |path| {
            Ok::<_, String>(PathBuf::from(path))
        })?;
        fill(&mut self.with, "WARMFRONT_WITH", env, |file| Ok::<_, String>(PathBuf::from(file)))?;
        fill(&mut self.allow_unprotected, "WARMFRONT_ALLOW_UNPROTECTED", env, |name| {
            Ok::<_, String>(name.to_owned())
        })
    }
}

#[cfg(test)]
mod tests;
