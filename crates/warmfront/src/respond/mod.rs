//! Shaping the reply for the viewer.
