//! A test of an edge as a file any user could send us: the case language, its runner, and the
//! scripted origin that may break every rule.
//!
//! [`Case::parse`] reads a file, [`run`] plays it against whatever an [`Opener`] opens: the library in
//! this process, or the started program over sockets ([`socket::SocketTarget`]). The grammar is
//! `docs/case.md`, which is itself run. This crate knows no distribution and no cache: what a
//! template means is the target's business.

mod coding;
mod compare;
pub mod corpus;
mod origin;
mod outcome;
mod parse;
pub mod pattern;
mod run;
mod script;
pub mod socket;
mod stage;
mod target;
mod text;
mod viewer;

pub use outcome::{Failure, Outcome};
pub use parse::ParseError;
pub use run::{PATIENCE, run};
pub use script::{Case, Source};
pub use target::{
    BoxError, BoxFuture, CaseBody, OpenError, Opener, Purge, Reply, ReplyBody, Scheme, SendError,
    Target, Via,
};
