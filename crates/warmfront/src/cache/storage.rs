//! Where complete responses are kept. The seam behind which memory, and later disk, lives.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{CacheKey, StoredMeta, StoredResponse};

/// Keeps responses under a limit of its own.
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// The response under `key`, fresh or not.
    fn lookup(&self, key: &[u8]) -> Option<Arc<StoredResponse>>;

    /// Opens a place for a response whose head has come; `length` is its Content-Length.
    /// `Err` when it can be seen now that the response will not fit.
    fn begin(&self, key: &CacheKey, length: Option<u64>) -> Result<Box<dyn Writer>, TooLarge>;

    /// Puts `response` under `key` if what is there is still `known`, or nothing: so that news about an
    /// old response never displaces a newer one that another fetch has stored meanwhile.
    fn replace(
        &self,
        key: &CacheKey,
        known: Option<&Arc<StoredResponse>>,
        response: Arc<StoredResponse>,
    );

    /// What is kept now.
    fn usage(&self) -> Usage;
}

/// Takes one response, piece by piece. Dropping it forgets the pieces.
pub trait Writer: Send {
    /// Keeps `piece`; `Err` when the response has outgrown its limit and cannot be stored.
    fn append(&mut self, piece: Bytes) -> Result<(), TooLarge>;

    /// The response is complete: from now on a lookup finds it.
    fn commit(self: Box<Self>, meta: StoredMeta);
}

/// The response does not fit into the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response is larger than the cache takes")]
pub struct TooLarge;

/// What a storage keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Stored responses.
    pub objects: u64,
    /// Their bytes, heads and index included.
    pub bytes: u64,
    /// The limit of `bytes`.
    pub limit: u64,
}
