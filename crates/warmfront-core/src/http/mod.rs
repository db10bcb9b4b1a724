//! Facts of HTTP that need no I/O.

pub mod cookie;
pub mod date;
pub mod encoding;
pub mod fields;
pub mod framing;
pub mod grpc;
pub mod hop_by_hop;
pub mod host;
pub mod part;
pub mod query;
pub mod range;
pub mod reference;
pub mod storable_head;
pub mod trailers;
pub mod upgrade;
