//! The parts in which a long body is kept.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets of a fragment; the last one of a body may be shorter. A body that fits into one lies with its head.
pub const FRAGMENT: u64 = 256 << 10;

/// A body has at most so many fragments: with [`FRAGMENT`], 64 GiB. CloudFront's largest object has 50 GB.
pub(crate) const MOST_FRAGMENTS: u32 = 1 << 18;

/// How many fragments of `fragment_size` a body of `length` octets has; `None` where these are too many.
pub(crate) fn fragments_in(length: u64, fragment_size: u64) -> Option<u32> {
    u32::try_from(length.div_ceil(fragment_size)).ok().filter(|count| *count <= MOST_FRAGMENTS)
}

/// One version of a body. Each fill names its own, so that fragments of two versions never meet, whichever
/// of them a storage still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
// What holds one is aligned to 16 octets otherwise, and would be a quarter larger.
#[repr(Rust, packed(8))]
pub struct Generation(pub u128);

impl Generation {
    /// A name that no other version has: counted within the process, by chance across those that share a
    /// disk.
    pub fn random() -> Self {
        static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("generation"));
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(u128::from(*PROCESS) << 64 | u128::from(number))
    }

    /// The fragment in which the octet at `position` lies.
    pub fn fragment_at(self, position: u64, fragment_size: u64) -> FragmentId {
        let number = u32::try_from(position / fragment_size).unwrap_or(u32::MAX);
        FragmentId { generation: self, number }
    }
}

/// One fragment of one version of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FragmentId {
    /// Whose.
    pub generation: Generation,
    /// The octets from `number` times [`FRAGMENT`] on.
    pub number: u32,
}
