//! The engine: a CloudFront-shaped edge with a real cache, as a service that any application can embed.
//!
//! [`Edge::call`] takes a [`ViewerRequest`] and gives a [`Reply`]; `flow.rs` tells what happens between.
//! The engine opens no listener, reads no configuration file and writes no log: a program does that
//! around it, through a handful of narrow seams ([`Connector`], [`Clock`], [`Observer`], [`cache::Storage`]).

pub mod access;
mod asked;
pub mod body;
pub mod cache;
pub mod clock;
mod compressing;
mod deployment;
pub mod edge;
mod error_pages;
mod exchange;
mod explaining;
mod fetch;
mod flow;
#[cfg(feature = "lambda")]
pub mod function;
mod identity;
pub mod interim;
mod lookup;
pub mod observe;
pub mod origin;
mod origination;
mod parts;
pub mod purging;
pub mod reasons;
pub mod request;
mod request_id;
mod respond;
pub mod tunnel;

pub use access::{Access, Geography};
pub use body::{Body, BodyError};
pub use clock::{Clock, SystemClock, VirtualClock};
pub use edge::Edge;
pub use identity::POP;
pub use interim::{Interim, InterimWriter};
pub use lookup::Verdict;
pub use observe::{AccessRecord, Observer};
pub use origin::{Connector, OriginError, OriginRequest, OriginResponse};
pub use purging::{Purge, PurgeError};
pub use request::{Handshake, IdleLimit, Reply, TlsInfo, Viewer, ViewerRequest};
pub use request_id::RequestId;
pub use tunnel::Handover;
