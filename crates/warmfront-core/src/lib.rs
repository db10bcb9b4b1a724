//! The distribution and every decision about it.
//!
//! This crate is pure: no async, no sockets, no files, no clock, no randomness, no logging.
//! Time and chance are arguments, answers are named enums, and every "no" carries its reason.
//!
//! Start at [`distribution`] for what is being served and at [`caching`] for what may be stored.

pub mod access;
pub mod admission;
pub mod api;
pub mod behavior;
pub mod caching;
pub mod compression;
pub mod continuous_deployment;
pub mod distribution;
pub mod error_page;
pub mod explain;
#[cfg(test)]
mod fixture;
pub mod function;
pub mod http;
pub mod log_field;
pub mod origin;
pub mod path_pattern;
pub mod policy;
pub mod request_view;
mod wildcard;

pub use behavior::Behavior;
pub use distribution::{Distribution, Stack};
pub use origin::Origin;
pub use path_pattern::PathPattern;
pub use request_view::RequestView;
