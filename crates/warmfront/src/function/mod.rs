//! Functions that run beside the edge.
