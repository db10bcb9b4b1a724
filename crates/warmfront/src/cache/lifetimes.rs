//! The lifetime of a stored response, which is the same for many.

use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use warmfront_core::caching::Lifetime;

use super::common::Common;
use super::weight::counted;

/// A [`Lifetime`], kept once for all stored responses that have the same.
#[derive(Debug, Clone)]
pub struct StoredLifetime {
    lifetime: Arc<Lifetime>,
    /// No other response shares it.
    is_own: bool,
}

static LIFETIMES: LazyLock<Mutex<Common<Lifetime>>> = LazyLock::new(Mutex::default);

/// Takes a lock for a moment; hits never need to.
impl From<Lifetime> for StoredLifetime {
    fn from(lifetime: Lifetime) -> Self {
        let mut common = LIFETIMES.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lifetime) = common.find(&lifetime) {
            return Self { lifetime, is_own: false };
        }
        let lifetime = Arc::new(lifetime);
        let is_own = !common.keep(&lifetime);
        Self { lifetime, is_own }
    }
}

impl Deref for StoredLifetime {
    type Target = Lifetime;

    fn deref(&self) -> &Lifetime {
        &self.lifetime
    }
}

impl StoredLifetime {
    /// Bytes of memory that it takes beside itself.
    pub(super) fn weight(&self) -> usize {
        if self.is_own { counted(size_of::<Lifetime>()) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests_support::meta;
    use std::time::Duration;

    #[test]
    fn equal_lifetimes_are_kept_once() {
        let one = meta().lifetime;
        let other = StoredLifetime::from(*one);
        assert!(Arc::ptr_eq(&one.lifetime, &other.lifetime));
        assert_eq!(other.weight(), 0);
        let longer = Lifetime { stale_if_error: Duration::from_secs(987_654), ..*one };
        assert_eq!(*StoredLifetime::from(longer), longer);
    }
}
