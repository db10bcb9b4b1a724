//! Copies data out of read buffers into fragments, one after the other.

use bytes::{Bytes, BytesMut};

use crate::cache::budget::Share;
use crate::cache::{Cache, FillHead, FragmentId, Generation, Storage, TooLarge};

/// The first buffer of a body whose length nobody knows.
const FIRST: usize = 4 << 10;

/// The fragment that grows.
pub(super) struct Gather {
    generation: Generation,
    fragment_size: u64,
    buffer: BytesMut,
    /// Where in the body the next octet belongs.
    position: u64,
    /// Where in the body the buffer begins.
    begins: u64,
    /// Where the body, or the part of it, will end.
    end: Option<u64>,
    /// Octets to leave out until a fragment begins.
    skip: u64,
    share: Share,
}

impl Gather {
    pub(super) fn new(cache: &Cache, head: &FillHead) -> Self {
        let fragment_size = cache.storage.fragment_size();
        let starts = head.begins_at();
        let begins = starts.next_multiple_of(fragment_size);
        Self {
            generation: head.generation,
            fragment_size,
            buffer: BytesMut::new(),
            position: starts,
            begins,
            end: head.promised().map(|promised| starts + promised),
            skip: begins - starts,
            share: Share::of(&cache.budget),
        }
    }

    /// Up to where the body has come.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Takes the beginning of `data`, at most as far as this fragment reaches, and gives the rest back.
    pub(super) fn take<'a>(
        &mut self,
        data: &'a [u8],
        storage: &dyn Storage,
    ) -> Result<&'a [u8], TooLarge> {
        if self.skip > 0 {
            let skipped = data.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            self.skip -= skipped as u64;
            self.position += skipped as u64;
            return Ok(&data[skipped..]);
        }
        let room = self.fragment_size as usize - self.buffer.len();
        let (part, rest) = data.split_at(data.len().min(room));
        self.make_room_for(part.len(), storage)?;
        self.buffer.extend_from_slice(part);
        self.position += part.len() as u64;
        Ok(rest)
    }

    /// Whether no fragment has been full yet.
    pub(super) fn is_first(&self) -> bool {
        self.begins == 0
    }

    /// Whether the fragment is full.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() as u64 >= self.fragment_size
    }

    /// The fragment, once it is full; the next one begins. Asked for only when more has come, since a body
    /// that ends with its first fragment lies with its head.
    pub(super) fn full_fragment(&mut self) -> Option<(FragmentId, Bytes)> {
        if !self.is_full() {
            return None;
        }
        let id = self.generation.fragment_at(self.begins, self.fragment_size);
        self.begins = self.position;
        let fragment = std::mem::take(&mut self.buffer).freeze();
        // Given back: the storage's own limit counts it from now on.
        let _ = self.share.set(0);
        Some((id, fragment))
    }

    /// What the last fragment has, in a block of its size; `None` when that is nothing.
    pub(super) fn rest(self) -> Option<(FragmentId, Bytes)> {
        if self.buffer.is_empty() {
            return None;
        }
        let id = self.generation.fragment_at(self.begins, self.fragment_size);
        let is_tight = self.buffer.capacity() - self.buffer.len() <= self.buffer.len() / 16;
        let bytes = match is_tight {
            true => self.buffer.freeze(),
            false => Bytes::copy_from_slice(&self.buffer),
        };
        Some((id, bytes))
    }

    /// Room for `more` octets: all that this fragment will need where the length is known, otherwise
    /// twice as much each time, so that a short body does not take a long buffer.
    fn make_room_for(&mut self, more: usize, storage: &dyn Storage) -> Result<(), TooLarge> {
        let needed = self.buffer.len() + more;
        if needed <= self.buffer.capacity() {
            return Ok(());
        }
        if self.end.is_none() {
            storage.admits(self.position + more as u64)?;
        }
        let most = self.fragment_size as usize;
        let capacity = match self.end {
            Some(end) => usize::try_from(end - self.begins).unwrap_or(usize::MAX).min(most),
            None => (self.buffer.capacity() * 2).clamp(FIRST, most.max(FIRST)),
        };
        let capacity = capacity.max(needed);
        self.share.set(capacity as u64)?;
        let mut buffer = BytesMut::with_capacity(capacity);
        buffer.extend_from_slice(&self.buffer);
        self.buffer = buffer;
        Ok(())
    }
}
