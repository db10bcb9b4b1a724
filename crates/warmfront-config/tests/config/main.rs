//! The reader of sources, as a user meets it: a file in, a stack or diagnostics out.

// Helpers of tests fail by panicking, as tests do.
#![allow(clippy::unwrap_used)]

mod access;
mod aws_output;
mod broken;
mod cdk;
mod compatibility;
mod compiled;
mod deployment;
mod expressions;
mod honesty;
mod logs;
mod never_panics;
mod origin_groups;
mod packaged;
mod response_headers;
mod sam;
mod samples;
mod services;
mod several;
mod signing;
mod slips;
mod targets;
mod written;

use std::fs;
use std::path::Path;

use warmfront_config::{Diagnostic, Loaded, Options, load};
use warmfront_core::Stack;

/// A distribution that compiles, with places to put things: `{origin}` and `{behavior}` are lines of
/// an origin and the default behavior, `{config}` of the distribution, `{more}` further sections.
const TEMPLATE: &str = "\
Resources:
  Edge:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
{config}
        Origins:
          - Id: app
{origin}
        DefaultCacheBehavior:
          TargetOriginId: app
          ViewerProtocolPolicy: allow-all
{behavior}
{more}
";

const ORIGIN: &str = "            DomainName: app.example.com
            CustomOriginConfig: {OriginProtocolPolicy: http-only}";
const BEHAVIOR: &str = "          CachePolicyId: CachingOptimized";

/// What a test changes in [`TEMPLATE`]; empty parts keep what compiles.
#[derive(Default, Clone, Copy)]
struct Parts<'a> {
    config: &'a str,
    origin: &'a str,
    behavior: &'a str,
    more: &'a str,
}

impl Parts<'_> {
    fn template(self) -> String {
        let or = |part: &str, default: &str| {
            if part.is_empty() { default.to_owned() } else { part.to_owned() }
        };
        TEMPLATE
            .replace(
                "{config}\n",
                &or(self.config, "").lines().map(|l| format!("        {l}\n")).collect::<String>(),
            )
            .replace("{origin}", &indented(&or(self.origin, &dedented(ORIGIN)), 12))
            .replace("{behavior}", &indented(&or(self.behavior, &dedented(BEHAVIOR)), 10))
            .replace("{more}", self.more)
    }
}

fn dedented(text: &str) -> String {
    text.lines().map(str::trim_start).collect::<Vec<_>>().join("\n")
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}", "")).collect::<Vec<_>>().join("\n")
}

/// Loads `text` as a file of this name in an empty directory.
fn loaded_as(name: &str, text: &str, options: &Options) -> Loaded {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::write(&path, text).unwrap();
    load(&path, options).unwrap()
}

fn loaded(parts: Parts<'_>, options: &Options) -> Loaded {
    loaded_as("template.yml", &parts.template(), options)
}

/// The stack of a source that must compile.
fn stack(loaded: Loaded) -> Stack {
    assert!(!loaded.has_errors(), "{}", warmfront_config::render_human(&loaded));
    loaded.stack.expect("no errors, so there is a stack")
}

/// Asserts that some problem has its message or help contain `part`, and gives it.
fn problem<'l>(loaded: &'l Loaded, part: &str) -> &'l Diagnostic {
    let found = loaded.diagnostics.iter().find(|it| {
        it.message.contains(part) || it.help.as_deref().unwrap_or_default().contains(part)
    });
    found.unwrap_or_else(|| panic!("no {part:?} in:\n{}", warmfront_config::render_human(loaded)))
}

fn pairs(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}
