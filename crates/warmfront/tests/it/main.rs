//! Tests of the engine as an embedding application sees it.

mod simulation;
mod world;
