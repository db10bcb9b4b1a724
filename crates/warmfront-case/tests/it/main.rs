//! The case language against a small edge that exists only here: what can pass must also be able to fail.

mod documentation;
mod fake;
mod language;
mod served;
