//! How one record lies in a segment file, and how to read it back without trusting a byte of it.
//!
//! ```text
//!  0  state      1   0xC5 kept, 0x00 removed; the only byte that is ever written again
//!  1  magic      3   "WF" and the version of this layout
//!  4  checksum   8   XXH3-64 over everything from offset 12 to the end of the content
//! 12  key        4   length, at most MAX_KEY
//! 16  content    4   length, at most MAX_CONTENT
//! 20  the key, then the content
//! ```
//! Numbers are little-endian. The checksum is seeded with the record's place, so bytes that a fault
//! wrote or left elsewhere are no record there. The state is outside the checksum: a removal changes one
//! byte in place, which needs no room on a full disk, and a fault in that byte can only lose the record.

use std::hash::Hasher as _;

use bytes::Bytes;
use twox_hash::{XxHash3_64, XxHash3_128};

/// Longest key in bytes: a cache key with all its headers, or a fragment's name.
pub(crate) const MAX_KEY: usize = 128 << 10;
/// Longest content in bytes: a body that is kept inline with its head, with room for the head.
pub(crate) const MAX_CONTENT: usize = 1 << 20;
/// Bytes before the key.
pub(crate) const HEADER: usize = 20;
/// Longest record.
pub(crate) const MAX_RECORD: usize = HEADER + MAX_KEY + MAX_CONTENT;

/// The state byte of a record that was removed.
pub(crate) const REMOVED: u8 = 0;
const KEPT: u8 = 0xC5;
/// The last byte is the version: another layout, another byte, and its records are no records here.
const MAGIC: [u8; 3] = *b"WF\x01";
/// Where what the checksum covers begins.
const COVERED: usize = 12;

/// A key in 128 bits. Two keys of one name cost each other their place, never their bytes: every record
/// has its whole key, and a reader compares it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Name([u32; 4]);

impl Name {
    pub(crate) fn of(key: &[u8]) -> Self {
        Self::from_bytes(XxHash3_128::oneshot(key).to_le_bytes())
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Self([word(0), word(4), word(8), word(12)])
    }

    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        for (part, word) in bytes.chunks_exact_mut(4).zip(self.0) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Bits that are as good as random.
    pub(crate) fn bits(self) -> usize {
        self.0[2] as usize
    }
}

impl std::fmt::Debug for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_le_bytes(self.to_bytes()))
    }
}

/// Bytes of the record of a key and a content of these lengths.
pub(crate) fn length(key: usize, content: usize) -> usize {
    HEADER + key + content
}

/// Appends a record to `buffer`, which will be written so that the record begins at `offset` of
/// `segment`. The caller has checked the lengths against [`MAX_KEY`] and [`MAX_CONTENT`].
pub(crate) fn encode(buffer: &mut Vec<u8>, segment: u32, offset: u32, key: &[u8], content: &[u8]) {
    let start = buffer.len();
    buffer.reserve(length(key.len(), content.len()));
    buffer.push(KEPT);
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&[0; 8]);
    buffer.extend_from_slice(&(key.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&(content.len() as u32).to_le_bytes());
    buffer.extend_from_slice(key);
    buffer.extend_from_slice(content);
    let sum = checksum(segment, offset, &buffer[start + COVERED..]);
    buffer[start + 4..start + COVERED].copy_from_slice(&sum.to_le_bytes());
}

/// What the first [`HEADER`] bytes of a record promise. Nothing of it is known to be true yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Promise {
    /// It was not removed.
    pub(crate) is_kept: bool,
    checksum: u64,
    key: usize,
    content: usize,
}

impl Promise {
    /// `None` when no record of this version begins so.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER] = bytes.first_chunk()?;
        let (state, rest) = header.split_first()?;
        let rest = rest.strip_prefix(&MAGIC)?;
        let (checksum, rest) = rest.split_first_chunk::<8>()?;
        let (key, rest) = rest.split_first_chunk::<4>()?;
        let (content, _) = rest.split_first_chunk::<4>()?;
        let (key, content) =
            (u32::from_le_bytes(*key) as usize, u32::from_le_bytes(*content) as usize);
        let is_possible =
            matches!(*state, KEPT | REMOVED) && key <= MAX_KEY && content <= MAX_CONTENT;
        is_possible.then_some(Self {
            is_kept: *state == KEPT,
            checksum: u64::from_le_bytes(*checksum),
            key,
            content,
        })
    }

    /// Bytes of the whole record: at most [`MAX_RECORD`].
    pub(crate) fn length(&self) -> usize {
        length(self.key, self.content)
    }

    /// Bytes before the content.
    pub(crate) fn front(&self) -> usize {
        HEADER + self.key
    }

    /// The name under which `record`, whose beginning this is, was written at this place; `None` when it
    /// was not.
    pub(crate) fn name(&self, segment: u32, offset: u32, record: &[u8]) -> Option<Name> {
        let record = record.get(..self.length())?;
        let is_whole = checksum(segment, offset, &record[COVERED..]) == self.checksum;
        is_whole.then(|| Name::of(&record[HEADER..HEADER + self.key]))
    }
}

/// Why bytes at a place are not the record that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRecord {
    /// They were it, and it was removed.
    Removed,
    /// They are another key's, which has the same name.
    OtherKey,
    /// They are no record: cut, changed, or of another version.
    Damaged,
}

/// Whether `front` and `content`, read at `offset` of `segment`, are the record of `key`: everything before
/// the content, and the content.
///
/// They are apart so that a reader who knows the key has the content in memory of exactly its size.
pub(crate) fn check(
    front: &[u8],
    content: &[u8],
    segment: u32,
    offset: u32,
    key: &[u8],
) -> Result<(), NoRecord> {
    let promise = Promise::read(front).ok_or(NoRecord::Damaged)?;
    if front.len() < COVERED || promise.length() != front.len() + content.len() {
        return Err(NoRecord::Damaged);
    }
    if !promise.is_kept {
        return Err(NoRecord::Removed);
    }
    let mut sum = XxHash3_64::with_seed(seed(segment, offset));
    sum.write(&front[COVERED..]);
    sum.write(content);
    if sum.finish() != promise.checksum {
        return Err(NoRecord::Damaged);
    }
    if promise.key + HEADER != front.len() || &front[HEADER..] != key {
        return Err(NoRecord::OtherKey);
    }
    Ok(())
}

/// The key and the content of a record that was found without knowing its key. Both share `bytes`.
pub(crate) fn decode_any(
    bytes: &Bytes,
    segment: u32,
    offset: u32,
) -> Result<(Bytes, Bytes), NoRecord> {
    let promise = Promise::read(bytes).ok_or(NoRecord::Damaged)?;
    let front = HEADER + promise.key;
    if bytes.len() < front {
        return Err(NoRecord::Damaged);
    }
    let (key, content) = (bytes.slice(HEADER..front), bytes.slice(front..));
    check(&bytes[..front], &content, segment, offset, &key)?;
    Ok((key, content))
}

fn seed(segment: u32, offset: u32) -> u64 {
    u64::from(segment) << 32 | u64::from(offset)
}

fn checksum(segment: u32, offset: u32, covered: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(seed(segment, offset), covered)
}
