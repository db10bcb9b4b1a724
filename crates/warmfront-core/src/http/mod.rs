//! Facts of HTTP that need no I/O.
