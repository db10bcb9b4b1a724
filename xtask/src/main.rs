//! Chores of the repository, as `cargo xtask <chore>`.
//!
//! `tidy` holds the borders between the crates. Building, testing and measuring are not its work:
//! `./test`, `bench/run` and `nightly/run` do that.

mod tidy;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask tidy    check the borders and the house rules";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => match tidy::check_repository() {
            Ok(report) => report.print(),
            Err(problem) => {
                eprintln!("tidy: {problem}");
                ExitCode::from(2)
            }
        },
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
