//! The warmfront program.
fn main() {}
