//! What a cache may do (RFC 9111 and CloudFront's TTL rules), as pure functions.

/// Which rules a cache follows. The switches of the two profiles live here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheRules {
    /// As CloudFront does, deviations from RFC 9111 included.
    #[default]
    CloudFront,
}
