//! Commands and flags of the contract that later versions bring.
//!
//! They are parsed so that using one is an error that names it, not a surprise: accepting a flag and
//! ignoring it would break the honesty rule. `--help` does not list them.

use std::ffi::OsString;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum UnbuiltCommand {
    #[command(hide = true, disable_help_flag = true)]
    Function(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Kvs(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Top(Rest),
    #[command(hide = true, disable_help_flag = true)]
    Log(Rest),
}

/// Whatever follows the command.
#[derive(Debug, Args)]
pub(crate) struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _rest: Vec<OsString>,
}

/// Flags that every command with a source will take.
#[derive(Debug, Default, Args)]
pub(crate) struct UnbuiltSourceFlags {
    #[arg(long, hide = true, env = "WARMFRONT_KVS")]
    kvs: Vec<String>,
}

impl UnbuiltCommand {
    pub(super) fn refusal(&self) -> String {
        let name = match self {
            UnbuiltCommand::Function(_) => "function",
            UnbuiltCommand::Kvs(_) => "kvs",
            UnbuiltCommand::Top(_) => "top",
            UnbuiltCommand::Log(_) => "log",
        };
        format!(
            "warmfront {name} is not built yet; this version has run, check, explain, test and purge"
        )
    }
}

impl UnbuiltSourceFlags {
    pub(super) fn refuse(&self) -> Result<(), String> {
        if !self.kvs.is_empty() {
            return Err("--kvs is not built yet: this version has no KeyValueStore".to_owned());
        }
        Ok(())
    }
}
