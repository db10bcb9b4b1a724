//! What unsafe requests changed (RFC 9111 §4.4): for each address, under which epoch the last one did.
//!
//! There may be as many changes as requests, so they are no purges with a record each: an address has one of a
//! fixed number of places, and what is older than the epoch in its place is gone. Addresses that share a place
//! lose more than they had to, never less. All variants of an address are meant at once, whatever is being
//! filled, and a lookup reads one number.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Two MiB of memory, once anything was changed; twice that of disk, where it is kept.
const PLACES: usize = 1 << 18;

/// The last change of each address.
#[derive(Debug, Default)]
pub(super) struct Changes {
    places: OnceLock<Box<[AtomicU64]>>,
    kept: Mutex<Option<Kept>>,
}

/// The places on disk. Each has its epoch twice, the second time inverted, so that damage is seen.
#[derive(Debug)]
struct Kept {
    file: File,
    path: PathBuf,
}

impl Changes {
    /// What the file at `path` says. `false`: it was not there or is no such file, so nobody knows what was
    /// changed before. Damaged places count as changed under `newest`.
    pub(super) fn in_file(path: &Path, newest: u64) -> io::Result<(Self, bool)> {
        let mut options = File::options();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut octets = Vec::with_capacity(PLACES * WIDTH);
        (&mut file).take((PLACES * WIDTH) as u64 + 1).read_to_end(&mut octets)?;
        let is_whole = octets.len() == PLACES * WIDTH;
        let changes = Self::default();
        for (place, octets) in octets.chunks_exact(WIDTH).enumerate().filter(|_| is_whole) {
            let half = |half: &[u8]| half.try_into().map_or(0, u64::from_le_bytes);
            let (epoch, inverted) = (half(&octets[..WIDTH / 2]), half(&octets[WIDTH / 2..]));
            if (epoch, inverted) != (0, 0) {
                let epoch = if epoch == !inverted { epoch } else { newest };
                changes.places()[place].store(epoch, Ordering::Relaxed);
            }
        }
        *changes.kept.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Kept { file, path: path.to_owned() });
        Ok((changes, is_whole))
    }

    /// From now on the file keeps changes. Until then it is none, unless it `is_known`.
    pub(super) fn begin(&self, is_known: bool) -> io::Result<()> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(disk) = kept.as_ref().filter(|_| !is_known) {
            // An end, and nothing before it: no room is taken for places that nothing was written to.
            disk.file.set_len(0)?;
            disk.file.set_len((PLACES * WIDTH) as u64)?;
        }
        Ok(())
    }

    /// What is stored for the address in `place` under an earlier epoch is gone from now on.
    pub(super) fn note(&self, place: usize, epoch: u64) {
        self.places()[place].fetch_max(epoch, Ordering::Release);
    }

    /// Writes down what was noted in these places.
    pub(super) fn keep(&self, places: &[usize]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(disk) = &mut *kept else { return };
        // The newest there is: two who note the same place may come here in either order.
        let newest = |place: usize| self.places()[place].load(Ordering::Acquire);
        if !places.iter().all(|place| disk.write(*place, newest(*place)).is_ok()) {
            // Without the file the next process knows that it knows nothing.
            let _ = fs::remove_file(&disk.path);
            *kept = None;
        }
    }

    /// Under which epoch `address` was changed last; zero for never.
    pub(super) fn last(&self, address: impl FnOnce() -> Option<usize>) -> u64 {
        let Some(places) = self.places.get() else { return 0 };
        address().map_or(0, |place| places[place].load(Ordering::Acquire))
    }

    fn places(&self) -> &[AtomicU64] {
        self.places.get_or_init(|| (0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }
}

/// Octets of a place on disk.
const WIDTH: usize = 16;

impl Kept {
    fn write(&mut self, place: usize, epoch: u64) -> io::Result<()> {
        let mut octets = [0; WIDTH];
        octets[..WIDTH / 2].copy_from_slice(&epoch.to_le_bytes());
        octets[WIDTH / 2..].copy_from_slice(&(!epoch).to_le_bytes());
        self.file.seek(SeekFrom::Start((place * WIDTH) as u64))?;
        self.file.write_all(&octets)
    }
}

/// The place of an address: FNV-1a, since every process must find the same one. Whoever makes addresses meet
/// makes changes invalidate too much, which a request to the address itself does as well.
pub(super) fn place(address: &[u8]) -> usize {
    let hash = address.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(changes: &Changes, address: &[u8]) -> u64 {
        changes.last(|| Some(place(address)))
    }

    #[test]
    fn each_address_has_its_last_change() {
        let changes = Changes::default();
        assert_eq!(last(&changes, b"a"), 0);
        changes.note(place(b"a"), 7);
        changes.note(place(b"b"), 9);
        changes.note(place(b"a"), 5);
        assert_eq!((last(&changes, b"a"), last(&changes, b"b"), last(&changes, b"c")), (7, 9, 0));
    }

    #[test]
    fn changes_outlive_the_process_and_damage_is_a_change() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("changes");
        let (changes, is_known) = Changes::in_file(&path, 1).unwrap();
        assert!(!is_known, "nothing is known at first");
        drop(changes);
        let (changes, is_known) = Changes::in_file(&path, 1).unwrap();
        assert!(!is_known, "nor as long as it has not begun");
        changes.begin(is_known).unwrap();
        changes.note(place(b"a"), 7);
        changes.keep(&[place(b"a")]);
        drop(changes);
        let mut octets = fs::read(&path).unwrap();
        octets[place(b"b") * WIDTH] ^= 1;
        fs::write(&path, octets).unwrap();
        let (changes, is_known) = Changes::in_file(&path, 8).unwrap();
        assert!(is_known);
        assert_eq!((last(&changes, b"a"), last(&changes, b"b"), last(&changes, b"c")), (7, 8, 0));
        drop(changes);
        fs::write(&path, "short").unwrap();
        let (changes, is_known) = Changes::in_file(&path, 9).unwrap();
        assert!(!is_known);
        changes.begin(is_known).unwrap();
        assert!(Changes::in_file(&path, 9).unwrap().1);
    }
}
