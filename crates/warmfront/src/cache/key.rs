//! The key of a stored response, as an owned value.

use std::borrow::Borrow;
use std::sync::Arc;

/// Length-prefixed parts, as `warmfront_core::policy::cache_key` writes them. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey(Arc<[u8]>);

impl CacheKey {
    /// A key of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for a lookup.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// So that a map of keys can be asked with bytes alone; `Arc<[u8]>` hashes and compares as `[u8]` does.
impl Borrow<[u8]> for CacheKey {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}
