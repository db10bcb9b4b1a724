//! A cache key read again: which object of which distribution it is, whatever the variant. Invalidations ask.

use super::WHOLE_URL;

/// Where an object is, as its key says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyAddress<'a> {
    /// [`crate::Distribution::id`].
    pub distribution: &'a str,
    /// The raw path.
    pub path: &'a str,
    /// What the key has of the query; empty for none.
    pub query: &'a str,
}

/// The beginning of a key that all variants of its object have in common, as
/// [`write_address`](super::write_address) has written it. `None` for other bytes.
pub fn address_of(key: &[u8]) -> Option<&[u8]> {
    let mut rest = key;
    part(&mut rest)?;
    length(&mut rest)?;
    part(&mut rest)?;
    let kind = take(&mut rest, 1)?[0];
    part(&mut rest)?;
    if kind & WHOLE_URL != 0 {
        part(&mut rest)?;
        part(&mut rest)?;
    }
    key.get(..key.len() - rest.len())
}

impl<'a> KeyAddress<'a> {
    /// Reads the beginning of a key that [`super::write_cache_key`] has written. `None` for other bytes.
    pub fn read(key: &'a [u8]) -> Option<Self> {
        let mut rest = key;
        let distribution = part(&mut rest)?;
        let _epoch = length(&mut rest)?;
        let path = part(&mut rest)?;
        let _is_options = take(&mut rest, 1)?;
        let query = part(&mut rest)?;
        let text = |octets| std::str::from_utf8(octets).ok();
        Some(Self { distribution: text(distribution)?, path: text(path)?, query: text(query)? })
    }
}

fn part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = length(rest)?;
    take(rest, length)
}

fn length(rest: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for group in 0..usize::BITS.div_ceil(7) {
        let octet = take(rest, 1)?[0];
        length |= usize::from(octet & 0x7f).checked_shl(group * 7)?;
        if octet < 0x80 {
            return Some(length);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], octets: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(octets)?;
    *rest = left;
    Some(taken)
}
