//! Tests of the engine as an embedding application sees it.

mod passing;
mod simulation;
mod world;
