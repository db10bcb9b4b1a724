//! Bodies of any size whose every byte tells where it belongs: `bytes 1MiB` in a case.
//!
//! The pattern is lines of sixteen octets, each the decimal offset it starts at and a line feed, so a
//! wrong byte in a diff says by itself from which place it came.

use std::ops::Range;

use bytes::Bytes;

/// Larger bodies are refused when the case is read: a viewer keeps what it gets in memory.
pub const LARGEST: u64 = 64 << 20;

const LINE: u64 = 16;

/// The octets of `range` of the endless pattern.
pub fn slice(range: Range<u64>) -> Bytes {
    let mut bytes = Vec::with_capacity((range.end - range.start) as usize + LINE as usize);
    let first = range.start - range.start % LINE;
    let mut offset = first;
    while offset < range.end {
        bytes.extend_from_slice(format!("{offset:015}\n").as_bytes());
        offset += LINE;
    }
    Bytes::from(bytes).slice((range.start - first) as usize..(range.end - first) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_the_part_of_the_whole() {
        let whole = slice(0..1000);
        assert_eq!(&whole[..32], b"000000000000000\n000000000000016\n");
        for range in [0..0, 0..1, 15..17, 16..32, 990..1000, 0..1000] {
            let part = slice(range.clone());
            assert_eq!(part, whole[range.start as usize..range.end as usize], "{range:?}");
        }
    }
}
