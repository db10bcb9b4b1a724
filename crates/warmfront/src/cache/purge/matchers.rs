//! Items of invalidations, each with something that is known about it, found by what they cover.
//!
//! Looking an object up costs as much as its path and its tags are long, however many items there are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use warmfront_core::caching::{CacheTags, Invalidation};

use super::PurgedBy;

/// What is known about each item.
#[derive(Debug)]
pub(super) struct Matchers<T> {
    paths: HashMap<Box<str>, T>,
    prefixes: BTreeMap<Box<str>, T>,
    tags: HashMap<Box<str>, T>,
}

impl<T> Default for Matchers<T> {
    fn default() -> Self {
        Self { paths: HashMap::new(), prefixes: BTreeMap::new(), tags: HashMap::new() }
    }
}

impl<T> Matchers<T> {
    /// What is known about `item`, if it is there.
    pub(super) fn get_mut(&mut self, item: &Invalidation) -> Option<&mut T> {
        match item {
            Invalidation::Path(path) => self.paths.get_mut(path.as_str()),
            Invalidation::Prefix(prefix) => self.prefixes.get_mut(prefix.as_str()),
            Invalidation::Tag(tag) => self.tags.get_mut(tag.as_str()),
        }
    }

    /// Adds `item`, or replaces what was known about it.
    pub(super) fn insert(&mut self, item: &Invalidation, known: T) {
        match item {
            Invalidation::Path(path) => self.paths.insert(path.as_str().into(), known),
            Invalidation::Prefix(prefix) => self.prefixes.insert(prefix.as_str().into(), known),
            Invalidation::Tag(tag) => self.tags.insert(tag.as_str().into(), known),
        };
    }

    /// Shows what is known about each item that covers an object at `address`.
    pub(super) fn each_at(&self, address: &str, mut see: impl FnMut(PurgedBy, &T)) {
        if let Some(known) = self.paths.get(address) {
            see(PurgedBy::Path, known);
        }
        each_prefix(&self.prefixes, address, |known| see(PurgedBy::Prefix, known));
    }

    /// Shows what is known about each item that covers an object with one of `tags`.
    pub(super) fn each_of(&self, tags: &CacheTags, mut see: impl FnMut(PurgedBy, &T)) {
        if self.tags.is_empty() {
            return;
        }
        for known in tags.iter().filter_map(|tag| self.tags.get(tag)) {
            see(PurgedBy::Tag, known);
        }
    }

    /// Every item.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Invalidation, &T)> {
        let own = |text: &str| text.to_owned();
        let paths = self.paths.iter().map(move |(it, known)| (Invalidation::Path(own(it)), known));
        let prefixes = self.prefixes.iter();
        let prefixes = prefixes.map(move |(it, known)| (Invalidation::Prefix(own(it)), known));
        let tags = self.tags.iter().map(move |(it, known)| (Invalidation::Tag(own(it)), known));
        paths.chain(prefixes).chain(tags)
    }

    /// What is known about each item.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.paths.values().chain(self.prefixes.values()).chain(self.tags.values())
    }

    /// Keeps the items about which `keep` says so.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&str, &T) -> bool) {
        self.paths.retain(|text, known| keep(text, known));
        self.prefixes.retain(|text, known| keep(text, known));
        self.tags.retain(|text, known| keep(text, known));
    }
}

/// Shows the value of each key that `text` begins with, the longest first.
///
/// Keys that `text` begins with are sorted before it, and what is sorted between two of them begins with the
/// shorter one. So the way leads from `text` back to the next key, from there to what the two have in common,
/// and so on: at most two steps for each octet of `text`.
fn each_prefix<T>(keys: &BTreeMap<Box<str>, T>, text: &str, mut see: impl FnMut(&T)) {
    let mut bound = Bound::Included(text);
    while let Some((key, value)) = keys.range::<str, _>((Bound::Unbounded, bound)).next_back() {
        let common = common(key, text);
        if common == key.len() {
            see(value);
            bound = Bound::Excluded(&text[..common]);
        } else {
            bound = Bound::Included(&text[..common]);
        }
    }
}

/// How far both are the same; both are ASCII.
fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_prefixes_of_a_text_are_all_found(
            keys in proptest::collection::btree_set("[ab/]{0,6}", 0..20), text in "[ab/]{0,8}",
        ) {
            let expected: Vec<&str> =
                keys.iter().rev().map(String::as_str).filter(|key| text.starts_with(key)).collect();
            let map = keys.iter().map(|key| (Box::from(key.as_str()), key.as_str())).collect();
            let mut found = Vec::new();
            each_prefix(&map, &text, |key| found.push(*key));
            prop_assert_eq!(found, expected);
        }
    }
}
