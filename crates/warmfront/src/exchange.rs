//! One request under way.
