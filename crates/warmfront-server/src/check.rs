//! `warmfront check`: every problem of a source, without running anything of it.

use std::process::ExitCode;

use crate::cli::{CheckArgs, Format};
use crate::source;

/// 0: clean, or warnings only; 1: an error in the content; 2: a file cannot be read.
pub(crate) fn check(args: &CheckArgs) -> ExitCode {
    // What `run` could not open is told here, too.
    if let Err(error) = crate::geography::access(&args.from) {
        crate::say(&format!("error: {error}"));
        return ExitCode::from(source::UNREADABLE);
    }
    let loaded =
        source::find(args.source.as_deref()).and_then(|source| source::load(&source, &args.from));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return source::unreadable(&error),
    };
    let text = match args.format {
        Format::Human => warmfront_config::render_human(&loaded),
        Format::Json => warmfront_config::render_json(&loaded),
        Format::Sarif => warmfront_config::render_sarif(&loaded),
    };
    crate::print(&text);
    ExitCode::from(loaded.exit_code())
}
