//! The index file of a sealed segment: what a restart reads in place of the records.
//!
//! ```text
//!  0  "WFI" and the version   4
//!  4  number of the segment   4
//!  8  bytes of the segment    4
//! 12  number of entries       4
//! 16  for each record, in the order they were written: name 16, offset 4, length 4
//!     XXH3-64 over all before, seeded with the segment's number   8
//! ```
//! Records that were removed or replaced within the segment are among the entries: they hide older ones
//! of their name in older segments.

use twox_hash::XxHash3_64;

use super::index::Place;
use super::record::{HEADER, MAX_RECORD, Name};

const MAGIC: [u8; 4] = *b"WFI\x01";
const HEAD: usize = 16;
const ENTRY: usize = 24;
const TAIL: usize = 8;

/// One record of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    pub(crate) offset: u32,
    pub(crate) length: u32,
}

impl Entry {
    pub(crate) fn place(&self, segment: u32) -> Place {
        Place { segment, offset: self.offset, length: self.length }
    }
}

/// The longest index file that a segment of `bytes` can have: its records have a header at least.
pub(crate) fn longest(bytes: u64) -> u64 {
    (HEAD + TAIL) as u64 + bytes / HEADER as u64 * ENTRY as u64
}

pub(crate) fn encode(segment: u32, bytes: u32, entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEAD + entries.len() * ENTRY + TAIL);
    file.extend_from_slice(&MAGIC);
    file.extend_from_slice(&segment.to_le_bytes());
    file.extend_from_slice(&bytes.to_le_bytes());
    file.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    for Entry { name, offset, length } in entries {
        file.extend_from_slice(&name.to_bytes());
        file.extend_from_slice(&offset.to_le_bytes());
        file.extend_from_slice(&length.to_le_bytes());
    }
    let checksum = checksum(segment, &file);
    file.extend_from_slice(&checksum.to_le_bytes());
    file
}

/// The entries, in the order they were written; `None` when `file` is not the whole index of this
/// segment with so many `bytes`.
pub(crate) fn decode(file: &[u8], segment: u32, bytes: u64) -> Option<Vec<Entry>> {
    let (covered, sum) = file.split_last_chunk::<TAIL>()?;
    let (head, entries) = covered.split_first_chunk::<HEAD>()?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let is_ours = head.starts_with(&MAGIC)
        && word(4) == segment
        && u64::from(word(8)) == bytes
        && word(12) as usize * ENTRY == entries.len()
        && checksum(segment, covered) == u64::from_le_bytes(*sum);
    if !is_ours {
        return None;
    }
    entries.chunks_exact(ENTRY).map(|entry| decode_entry(entry, bytes)).collect()
}

fn decode_entry(entry: &[u8], bytes: u64) -> Option<Entry> {
    let (name, rest) = entry.split_first_chunk::<16>()?;
    let (offset, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*rest.first_chunk()?);
    let offset = u32::from_le_bytes(*offset);
    let fits = (HEADER..=MAX_RECORD).contains(&(length as usize))
        && u64::from(offset) + u64::from(length) <= bytes;
    fits.then_some(Entry { name: Name::from_bytes(*name), offset, length })
}

fn checksum(segment: u32, covered: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(u64::from(segment), covered)
}
