//! Facts of HTTP that need no I/O.

pub mod date;
pub mod range;
pub mod storable_head;
