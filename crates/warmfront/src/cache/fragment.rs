//! The parts in which a long body is kept.

/// Octets of a fragment; the last one of a body may be shorter. A body that fits into one lies with its head.
pub const FRAGMENT: u64 = 256 << 10;

/// One version of a body. Each fill names its own, by chance, so that fragments of two versions never meet,
/// whichever of them a storage still has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Generation(pub u128);

impl Generation {
    /// A name that no other version has.
    pub fn random() -> Self {
        Self(fastrand::u128(..))
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
