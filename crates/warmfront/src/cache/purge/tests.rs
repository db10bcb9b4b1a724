use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::cache::tests_support::meta;

/// A key of E1 that nobody but a test makes: distribution, epoch, path, not OPTIONS, no query.
fn key(path: &str) -> Vec<u8> {
    let mut key = vec![2, b'E', b'1', 0, path.len() as u8];
    key.extend_from_slice(path.as_bytes());
    key.extend_from_slice(&[0, 0, 0, 0, 0]);
    key
}

fn items(texts: &[&str]) -> Vec<Invalidation> {
    texts.iter().map(|text| Invalidation::parse(text).unwrap()).collect()
}

fn second(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn fetched(epoch: u64) -> StoredMeta {
    StoredMeta { epoch, ..meta() }
}

#[test]
fn a_response_is_asked_about_once_for_each_purge() {
    let purges = Purges::in_memory(second(1));
    let stored = fetched(purges.epoch());
    assert_eq!(purges.standing(&key("/a"), &stored), Standing::Untouched);
    purges.purge("E1", &items(&["/b"]), false).1.unwrap();
    assert_eq!(purges.standing(&key("/a"), &stored), Standing::Untouched);
    let count = purges.count.load(Ordering::Relaxed);
    assert_eq!((stored.checked.0.load(Ordering::Relaxed), count), (2, 2), "and remembers it");
    purges.purge("E1", &items(&["/a"]), false).1.unwrap();
    assert_eq!(purges.standing(&key("/a"), &stored), Standing::Gone(PurgedBy::Path));
    let newer = fetched(purges.epoch());
    assert_eq!(purges.standing(&key("/a"), &newer), Standing::Untouched);
}

#[test]
fn what_another_process_stored_is_gone_where_nothing_remembers_its_purges() {
    let purges = Purges::in_memory(second(100));
    let before = fetched(Purges::in_memory(second(99)).epoch());
    assert_eq!(purges.standing(&key("/a"), &before), Standing::Gone(PurgedBy::Everything));
}

#[test]
fn what_claims_to_come_from_later_is_gone() {
    // Its file was lost, and the clock has gone back.
    let after = fetched(Purges::in_memory(second(101)).epoch());
    let purges = Purges::in_memory(second(100));
    assert_eq!(purges.standing(&key("/a"), &after), Standing::Gone(PurgedBy::Everything));
    // Changes count on where purges do not.
    purges.changed([b"x".as_slice()].into_iter());
    assert_eq!(purges.standing(&key("/a"), &fetched(purges.epoch())), Standing::Untouched);
}

#[test]
fn a_restart_remembers_and_epochs_go_on() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("purges");
    let (purges, trouble) = Purges::in_file(&path, second(100)).unwrap();
    assert_eq!(trouble, Some(Trouble::Missing));
    let old = fetched(purges.epoch());
    let (epoch, kept) = purges.purge("E1", &items(&["/a", "/t/*", "#x"]), false);
    kept.unwrap();
    let young = fetched(purges.epoch());
    drop(purges);
    // Also where the clock has gone back meanwhile.
    for now in [second(50), second(200)] {
        let (again, trouble) = Purges::in_file(&path, now).unwrap();
        assert_eq!(trouble, None);
        assert!(again.epoch() > epoch);
        assert_eq!(again.standing(&key("/a"), &old.clone()), Standing::Gone(PurgedBy::Path));
        assert_eq!(again.standing(&key("/t/1"), &old.clone()), Standing::Gone(PurgedBy::Prefix));
        assert_eq!(again.standing(&key("/b"), &old.clone()), Standing::Untouched);
        assert_eq!(again.standing(&key("/a"), &young.clone()), Standing::Untouched);
    }
}

#[test]
fn a_damaged_file_makes_everything_before_it_gone_for_good() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("purges");
    let (purges, _) = Purges::in_file(&path, second(100)).unwrap();
    purges.purge("E1", &items(&["/a"]), false).1.unwrap();
    let stored = fetched(purges.epoch());
    drop(purges);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("/a", "/b")).unwrap();
    let (again, trouble) = Purges::in_file(&path, second(101)).unwrap();
    assert!(trouble.unwrap().to_string().contains("line 4"), "it is told where");
    let gone = Standing::Gone(PurgedBy::Everything);
    assert_eq!(again.standing(&key("/c"), &stored.clone()), gone);
    assert_eq!(again.standing(&key("/c"), &fetched(again.epoch())), Standing::Untouched);
    drop(again);
    let (later, trouble) = Purges::in_file(&path, second(102)).unwrap();
    assert_eq!((later.standing(&key("/c"), &stored), trouble), (gone, None));
}

/// A log whose writing can be made to fail.
#[derive(Debug, Default, Clone)]
struct Shelf(Arc<Mutex<(Vec<Entry>, bool)>>);

impl PurgeLog for Shelf {
    fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let mut shelf = self.0.lock().unwrap();
        if shelf.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        shelf.0.extend_from_slice(entries);
        Ok(())
    }

    fn rewrite(&mut self, entries: &mut dyn Iterator<Item = Entry>) -> io::Result<()> {
        let mut shelf = self.0.lock().unwrap();
        if shelf.1 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        shelf.0 = entries.collect();
        Ok(())
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().0.len()
    }
}

#[test]
fn a_purge_that_cannot_be_written_is_in_effect_told_and_written_with_the_next() {
    let shelf = Shelf::default();
    let open = |shelf: &Shelf| {
        let entries = shelf.0.lock().unwrap().0.clone();
        Purges::kept_in(Box::new(shelf.clone()), entries, false, second(100)).unwrap()
    };
    let purges = open(&shelf);
    let stored = fetched(purges.epoch());
    shelf.0.lock().unwrap().1 = true;
    let (_, kept) = purges.purge("E1", &items(&["/a"]), false);
    assert!(kept.unwrap_err().to_string().contains("in effect now"));
    assert_eq!(purges.standing(&key("/a"), &stored), Standing::Gone(PurgedBy::Path));
    shelf.0.lock().unwrap().1 = false;
    purges.purge("E1", &items(&["/b"]), false).1.unwrap();
    drop(purges);
    assert_eq!(open(&shelf).standing(&key("/a"), &stored), Standing::Gone(PurgedBy::Path));
}

#[test]
fn a_change_leaves_it_to_the_next_purge_to_write_what_could_not_be_written() {
    let shelf = Shelf::default();
    let open = |shelf: &Shelf| {
        let entries = shelf.0.lock().unwrap().0.clone();
        Purges::kept_in(Box::new(shelf.clone()), entries, true, second(100)).unwrap()
    };
    let purges = open(&shelf);
    let stored = fetched(purges.epoch());
    shelf.0.lock().unwrap().1 = true;
    purges.purge("E1", &items(&["/a"]), false).1.unwrap_err();
    shelf.0.lock().unwrap().1 = false;
    // So many that epochs have to be set aside anew.
    purges.kept().reserved = purges.epoch();
    purges.changed([b"x".as_slice()].into_iter());
    purges.purge("E1", &items(&["/b"]), false).1.unwrap();
    let entries = shelf.0.lock().unwrap().0.clone();
    let again = Purges::kept_in(Box::new(shelf), entries, false, second(100)).unwrap();
    assert_eq!(again.standing(&key("/a"), &stored), Standing::Gone(PurgedBy::Path));
}

#[test]
fn a_start_that_fails_leaves_no_log_that_knows_of_no_purge() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("purges");
    let (purges, _) = Purges::in_file(&path, second(100)).unwrap();
    let old = fetched(purges.epoch());
    purges.purge("E1", &items(&["/a"]), false).1.unwrap();
    drop(purges);
    std::fs::write(&path, "damaged").unwrap();
    // The file is begun anew, and then the system refuses the other one.
    let (changes, aside) = (path.with_extension("changes"), root.path().join("aside"));
    std::fs::rename(&changes, &aside).unwrap();
    std::fs::create_dir(&changes).unwrap();
    Purges::in_file(&path, second(101)).unwrap_err();
    std::fs::remove_dir(&changes).unwrap();
    std::fs::rename(&aside, &changes).unwrap();
    let (again, _) = Purges::in_file(&path, second(102)).unwrap();
    assert_eq!(again.standing(&key("/a"), &old), Standing::Gone(PurgedBy::Everything));
}

#[test]
fn a_log_that_nothing_was_written_to_knows_of_no_purge() {
    let shelf = Shelf::default();
    let old = fetched(Purges::in_memory(second(99)).epoch());
    let purges = Purges::kept_in(Box::new(shelf), Vec::new(), false, second(100)).unwrap();
    assert_eq!(purges.standing(&key("/a"), &old), Standing::Gone(PurgedBy::Everything));
}

#[test]
fn a_log_does_not_grow_without_end() {
    let shelf = Shelf::default();
    let purges = Purges::kept_in(Box::new(shelf.clone()), Vec::new(), true, second(100)).unwrap();
    let stored = fetched(purges.epoch());
    for number in 0..5000 {
        purges.purge("E1", &items(&[&format!("/{}", number % 10)]), false).1.unwrap();
    }
    let entries = shelf.0.lock().unwrap().0.clone();
    assert!(entries.len() < 2 * SLACK, "{} entries for 10 paths", entries.len());
    let again = Purges::kept_in(Box::new(shelf), entries, false, second(100)).unwrap();
    assert!(again.epoch() >= purges.epoch());
    assert_eq!(again.standing(&key("/7"), &stored), Standing::Gone(PurgedBy::Path));
    assert_eq!(again.standing(&key("/x"), &stored), Standing::Untouched);
}

#[test]
fn a_change_makes_every_variant_of_its_address_gone_and_nothing_else() {
    let purges = Purges::in_memory(second(1));
    let before = fetched(purges.epoch());
    let variant = [key("/a"), b"\x01variant".to_vec()].concat();
    let address = address_of(&variant).unwrap();
    purges.changed([address].into_iter());
    let gone = Standing::Gone(PurgedBy::Change);
    assert_eq!(purges.standing(&key("/a"), &before), gone);
    assert_eq!(purges.standing(&variant, &before), gone);
    assert!(purges.outdates(&key("/a"), before.epoch, || None), "also while it is being fetched");
    assert_eq!(purges.standing(&key("/b"), &before), Standing::Untouched);
    assert!(!purges.outdates(&key("/b"), before.epoch, || None));
    let after = fetched(purges.epoch());
    assert_eq!(purges.standing(&key("/a"), &after), Standing::Untouched);
    // Purges and changes count on together.
    purges.purge("E1", &items(&["/a"]), false).1.unwrap();
    assert_eq!(purges.standing(&key("/a"), &after), Standing::Gone(PurgedBy::Path));
    assert_eq!(purges.standing(&key("/a"), &fetched(purges.epoch())), Standing::Untouched);
}

#[test]
fn a_restart_remembers_changes_and_a_lost_file_of_them_is_everything() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("purges");
    let (purges, _) = Purges::in_file(&path, second(100)).unwrap();
    let old = fetched(purges.epoch());
    purges.changed([&*key("/a")].map(|key| address_of(key).unwrap()).into_iter());
    let young = fetched(purges.epoch());
    drop(purges);
    let (again, trouble) = Purges::in_file(&path, second(101)).unwrap();
    assert_eq!(trouble, None);
    assert_eq!(again.standing(&key("/a"), &old.clone()), Standing::Gone(PurgedBy::Change));
    assert_eq!(again.standing(&key("/a"), &young.clone()), Standing::Untouched);
    assert_eq!(again.standing(&key("/b"), &old.clone()), Standing::Untouched);
    drop(again);
    std::fs::remove_file(path.with_extension("changes")).unwrap();
    let (again, _) = Purges::in_file(&path, second(102)).unwrap();
    assert_eq!(again.standing(&key("/b"), &old.clone()), Standing::Gone(PurgedBy::Everything));
}
