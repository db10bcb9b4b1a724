//! Numbers and texts as bytes, and back without trusting them.

use std::time::Duration;

/// Takes values off bytes that may be anything. Each answers `None` when they are none.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn duration(&mut self) -> Option<Duration> {
        let (seconds, nanos) = (self.u64()?, self.u32()?);
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }

    /// Bytes after their length.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        self.bytes(length)
    }
}

/// Appends values. `None` from [`text`](Writing::text) says that one has no place in the layout.
pub(super) trait Writing {
    fn number(&mut self, bytes: impl AsRef<[u8]>);

    fn duration(&mut self, duration: Duration) {
        self.number(duration.as_secs().to_le_bytes());
        self.number(duration.subsec_nanos().to_le_bytes());
    }

    fn text(&mut self, text: &[u8]) -> Option<()> {
        self.number(u32::try_from(text.len()).ok()?.to_le_bytes());
        self.number(text);
        Some(())
    }
}

impl Writing for Vec<u8> {
    fn number(&mut self, bytes: impl AsRef<[u8]>) {
        self.extend_from_slice(bytes.as_ref());
    }
}
