//! From the command line to a compiled source, for all commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use warmfront::origin::sigv4::Keys as _;
use warmfront_config::{LoadError, Loaded, Options};
use warmfront_core::caching::CacheRules;

use crate::cli::SourceArgs;
use crate::credentials::Credentials;

/// A file cannot be read.
pub(crate) const UNREADABLE: u8 = 2;

/// The source that was named, or the one that lies here; a directory stands for the one in it.
pub(crate) fn find(named: Option<&Path>) -> Result<PathBuf, LoadError> {
    let nothing = || LoadError::NothingThere { path: PathBuf::from("this directory") };
    match named {
        None => warmfront_config::find_source(Path::new("")).ok_or_else(nothing),
        Some(directory) if directory.is_dir() => {
            Ok(warmfront_config::find_source(directory).unwrap_or_else(|| directory.to_owned()))
        }
        Some(source) => Ok(source.to_owned()),
    }
}

/// What the command line says about reading a source.
pub(crate) fn options(args: &SourceArgs) -> Options {
    let env = environment();
    Options {
        origins: args.origins.clone(),
        parameters: args.parameters.clone(),
        attributes: args.attributes.clone(),
        opts: args.opts.clone(),
        function_env: args.function_env.clone(),
        stage: args.stage.clone(),
        function_concurrency: args.function_concurrency.clone(),
        allow_unprotected: args.allow_unprotected.clone(),
        also: args.also.clone(),
        with: args.with.clone(),
        strict: args.strict,
        standard_log: args.standard_log,
        real_time_log: args.real_time_log,
        rules: CacheRules {
            honors_viewer: args.honor_viewer_cache_control,
            ..args.profile.unwrap_or_default().rules()
        },
        knows_countries: crate::geography::knows_countries(args),
        can_sign: Credentials::of(&env).current().is_some(),
        env,
    }
}

/// The variables of this process. One that is not UTF-8 cannot be named by a source.
pub(crate) fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Reads and compiles.
pub(crate) fn load(source: &Path, args: &SourceArgs) -> Result<Loaded, LoadError> {
    warmfront_config::load(source, &options(args))
}

/// Says why a source cannot be read.
pub(crate) fn unreadable(error: &LoadError) -> ExitCode {
    crate::say(&format!("error: {error}"));
    ExitCode::from(UNREADABLE)
}
