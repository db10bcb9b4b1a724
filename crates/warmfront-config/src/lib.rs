//! warmfront-config
