//! warmfront-case
