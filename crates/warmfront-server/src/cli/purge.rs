//! The arguments of `warmfront purge`.

use clap::Args;
use clap::builder::FalseyValueParser;

use super::{Bind, ExplainFormat};

#[derive(Debug, Args)]
#[command(
    after_help = "A * counts only at the end. A query is part of the path where the cache key has one: \
                        '/a?b=1', '/a?*'. Quote items, since shells read # and * and ? themselves.\n\
                        Exit status: 0 done, 1 refused by the program, 2 an item or argument that cannot work, \
                        3 no program answers at ADDR."
)]
pub(crate) struct PurgeArgs {
    /// What to purge: '/path', '/path*', or a cache tag as '#product:42'
    #[arg(required = true, value_name = "PATH|#TAG")]
    pub(crate) items: Vec<String>,
    /// Purge nothing, and tell what would be
    #[arg(long, env = "WARMFRONT_DRY_RUN", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) dry_run: bool,
    /// Make stale instead of gone: what is stored still answers while one request asks the origin
    #[arg(long, env = "WARMFRONT_SOFT", value_parser = FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) soft: bool,
    /// The distribution, by its Id, logical id or domain name; needed only where several are served
    #[arg(long, value_name = "ID", env = "WARMFRONT_DISTRIBUTION")]
    pub(crate) distribution: Option<String>,
    /// The admin port of the running program
    #[arg(long, value_name = "ADDR", env = "WARMFRONT_ADMIN", default_value = "127.0.0.1:9900")]
    pub(crate) admin: Bind,
    /// How the receipt is written
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub(crate) format: ExplainFormat,
}
