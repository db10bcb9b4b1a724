//! The lifetime of a stored response, which is the same for many.

use std::ops::Deref;
use std::sync::{LazyLock, Mutex, PoisonError};

use warmfront_core::caching::Lifetime;

use super::common::{Common, InCommon};
use super::weight::counted;

/// A [`Lifetime`], kept once for all stored responses that have the same.
#[derive(Debug, Clone)]
pub struct StoredLifetime(InCommon<Lifetime>);

static LIFETIMES: LazyLock<Mutex<Common<Lifetime>>> = LazyLock::new(Mutex::default);

/// Takes a lock for a moment; hits never need to.
impl From<Lifetime> for StoredLifetime {
    fn from(lifetime: Lifetime) -> Self {
        Self(LIFETIMES.lock().unwrap_or_else(PoisonError::into_inner).one(lifetime))
    }
}

impl Deref for StoredLifetime {
    type Target = Lifetime;

    fn deref(&self) -> &Lifetime {
        &self.0
    }
}

impl StoredLifetime {
    /// Bytes of memory that it takes beside itself.
    pub(super) fn weight(&self) -> usize {
        if self.0.is_own() { counted(size_of::<Lifetime>()) } else { 0 }
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
        assert!(one.0.is(&other.0));
        assert_eq!(other.weight(), 0);
        let longer = Lifetime { stale_if_error: Duration::from_secs(987_654), ..*one };
        assert_eq!(*StoredLifetime::from(longer), longer);
    }
}
