//! Response headers policies, compiled.

/// One response headers policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResponseHeadersPolicy {
    /// Its name.
    pub name: String,
}
