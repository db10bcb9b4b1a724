//! The case language against a small edge that exists only here: what can pass must also be able to fail.

// Helpers of tests may unwrap as the tests do: a panic is how a test says no.
#![allow(clippy::unwrap_used)]

mod documentation;
mod fake;
mod language;
mod served;
