//! The objects of a storm: how long each version is, and its bytes, which tell where they belong.

use std::collections::HashMap;

use bytes::Bytes;

use crate::simulation::origin::Dice;

pub(super) const PATHS: [&str; 6] = ["/dir/a", "/dir/b", "/c", "/private", "/large", "/fragments"];
/// Objects that only take room; the size follows, and then a number.
pub(super) const FILLER: &str = "/filler/";

/// An object whose answers are always for everybody, and under one key: it has one fill at a time.
pub(super) fn is_always_shared(path: &str) -> bool {
    path != "/private"
}

/// Validators: strong ones, weak ones, none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Validator {
    Strong,
    Weak,
    None,
}

pub(super) fn validator_of(path: &str) -> Validator {
    match path {
        "/c" => Validator::None,
        "/dir/b" => Validator::Weak,
        _ => Validator::Strong,
    }
}

/// `made_for` a language, if there are variants.
pub(super) fn etag_of(path: &str, version: u64, made_for: &str) -> Option<String> {
    match validator_of(path) {
        Validator::Strong => Some(format!("\"{path}-{version}{made_for}\"")),
        Validator::Weak => Some(format!("W/\"{path}-{version}{made_for}\"")),
        Validator::None => None,
    }
}

/// Lengths differ between the versions of a path, so that a cut never looks like another version.
pub(super) fn length_of(path: &str, version: u64) -> usize {
    let seed = path.bytes().fold(version, |sum, byte| sum.wrapping_mul(131) + u64::from(byte));
    let mut dice = Dice::new(seed);
    dice.roll(9);
    if let Some(size) = path.strip_prefix(FILLER) {
        return size.split('/').next().map_or(0, |size| size.parse().unwrap());
    }
    let base = match path {
        "/large" => [4095, 16_383, 32_767, 65_535, 70_000][dice.roll(5) as usize],
        "/fragments" => 40_000 + dice.roll(160_000) as usize,
        _ => match dice.roll(4) {
            0 => return 0,
            1 => 1 + dice.roll(100) as usize,
            _ => 1000 + dice.roll(5_000) as usize,
        },
    };
    base + version as usize
}

/// What makes the bytes of a response: path, version, and whom or what it was made for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Label {
    pub(super) path: String,
    pub(super) version: u64,
    /// The viewer of a private answer, or the language of a variant.
    pub(super) made_for: String,
}

/// Bodies that were made once.
#[derive(Debug, Default)]
pub(super) struct Library {
    made: HashMap<Label, Bytes>,
}

impl Library {
    /// The body under `label`: lines that name it, and every kibibyte its own number.
    pub(super) fn body(&mut self, label: &Label) -> Bytes {
        if let Some(body) = self.made.get(label) {
            return body.clone();
        }
        let length = length_of(&label.path, label.version);
        let Label { path, version, made_for } = label;
        let line = format!("{path} v{version} {made_for};").into_bytes();
        let mut block = line.repeat(1024 / line.len() + 1);
        block.truncate(1024);
        let mut body = Vec::with_capacity(length + 1024);
        for number in 0..length.div_ceil(1024) as u64 {
            body.extend_from_slice(&number.to_be_bytes());
            body.extend_from_slice(&block[8..]);
        }
        body.truncate(length);
        let body = Bytes::from(body);
        self.made.insert(label.clone(), body.clone());
        body
    }
}
