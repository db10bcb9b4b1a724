//! Tests of the engine as an embedding application sees it.
#![allow(clippy::unwrap_used, reason = "a test that finds nothing may stop there")]

mod access;
mod bodies;
#[cfg(feature = "compression")]
mod compressing;
mod deployment;
mod keeping;
mod meanwhile;
mod observing;
mod passing;
mod purging;
mod simulation;
mod varying;
mod world;
