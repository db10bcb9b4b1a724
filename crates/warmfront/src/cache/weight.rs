//! What things in memory cost: the limit of the cache is of what the process takes, not of payload.

/// Bytes that an allocator takes for a block of `bytes`: size classes of 16 bytes up to 64, above that four
/// to each doubling. So mimalloc does, which the program uses; others round less.
pub(super) fn allocated(bytes: usize) -> usize {
    match bytes {
        0 => 0,
        1..=8 => 8,
        9..=64 => bytes.next_multiple_of(16),
        _ => {
            let words = bytes.div_ceil(8) - 1;
            let step = 1 << (words.ilog2() - 2);
            (words / step + 1) * step * 8
        }
    }
}

/// What a `Bytes` of this many bytes takes beside itself: the block, and the count that its first clone makes.
pub(super) fn shared_bytes(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { allocated(bytes) + allocated(SHARED) }
}

/// What an `Arc` takes for its contents of this many bytes.
pub(super) fn counted(bytes: usize) -> usize {
    allocated(bytes + 2 * size_of::<usize>())
}

/// The `Shared` of `bytes`: pointer, capacity, count.
const SHARED: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_rounded_up_to_a_size_class() {
        for (bytes, taken) in [
            (0, 0),
            (1, 8),
            (8, 8),
            (9, 16),
            (24, 32),
            (64, 64),
            (65, 80),
            (80, 80),
            (81, 96),
            (128, 128),
            (129, 160),
            (1024, 1024),
            (1025, 1280),
            (1280, 1280),
            (1281, 1536),
            (65_537, 81_920),
        ] {
            assert_eq!(allocated(bytes), taken, "{bytes}");
        }
    }

    #[test]
    fn a_block_is_never_smaller_than_asked_and_at_most_a_quarter_larger() {
        for bytes in 64..200_000 {
            let taken = allocated(bytes);
            assert!(taken >= bytes && taken <= bytes + bytes / 4 + 16, "{bytes} {taken}");
        }
    }
}
