//! The cache: what is stored, who fills it, who waits.

/// Limits of the cache.
#[derive(Debug, Clone, Copy)]
pub struct CacheOptions {
    /// Bytes of memory for stored responses, heads and index included.
    pub memory: u64,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { memory: 256 << 20 }
    }
}
