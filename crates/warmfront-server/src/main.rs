//! The warmfront program: reads a source, opens the doors, runs the engine.
//!
//! `cli` is what users type; `run`, `check`, `explain` and `cases` are the commands. `listener` takes requests and
//! hands them to the engine, `engine` puts that together, `observe` writes down what happened, `admin`
//! answers about it.

mod admin;
mod banner;
mod cases;
mod check;
mod cli;
mod credentials;
mod engine;
mod explain;
mod functions;
mod geography;
mod honesty;
mod limits;
mod listener;
mod observe;
mod purge;
mod reload;
mod run;
mod source;
mod state;
mod watch;

use std::io::Write as _;
use std::process::ExitCode;

/// Beside glibc's: less memory for many small allocations, and no contention between workers.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::parse().command {
        cli::Command::Run(args) => run::run(&args),
        cli::Command::Check(args) => check::check(&args),
        cli::Command::Explain(args) => explain::run(&args),
        cli::Command::Test(args) => cases::test(&args),
        cli::Command::Purge(args) => purge::client::purge(&args),
        // `parse` has refused them.
        cli::Command::Unbuilt(_) => ExitCode::from(2),
    }
}

/// Writes for people, on standard error. A reader that went away is no reason to fail.
fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = stderr.write_all(b"\n");
    }
}

/// Writes a result on standard output, whole or until its reader has seen enough (`| head`): Rust
/// programs ignore SIGPIPE, so a closed pipe is only an error that we take as the end.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
