use proptest::prelude::*;

use super::*;
use crate::cache::Place;

fn name(name: &str) -> HeaderName {
    HeaderName::from_bytes(name.as_bytes()).unwrap()
}

fn names(names: &str) -> Vec<HeaderName> {
    names.split_whitespace().map(name).collect()
}

/// A request with these fields.
fn request(
    fields: &'static [(&str, &str)],
) -> impl Fn(&HeaderName, &mut Vec<u8>) -> bool + Send + Sync {
    move |name, value| {
        let found = fields.iter().find(|(field, _)| name == field);
        value.extend_from_slice(found.map_or("", |(_, value)| value).as_bytes());
        found.is_some()
    }
}

fn key(varies: &Varies, set: usize, present: Present<'_>) -> Vec<u8> {
    let mut place = Place::primary(|key| key.extend_from_slice(b"/a"));
    place.select(varies, set, present);
    place.key().to_vec()
}

#[test]
fn a_variant_lies_behind_its_primary_key_under_its_values() {
    let (de, de_too, fr) = (
        request(&[("accept-language", "de")]),
        request(&[("accept-language", " DE "), ("foo", "1")]),
        request(&[("accept-language", "fr")]),
    );
    let varies = Varies::new().with(&names("accept-language"), None, &de).unwrap();
    assert_eq!(key(&varies, 0, &de), key(&varies, 0, &de_too));
    assert_ne!(key(&varies, 0, &de), key(&varies, 0, &fr));
    assert!(key(&varies, 0, &de).starts_with(b"/a"));
    let mut place = Place::primary(|key| key.extend_from_slice(b"/a"));
    place.select(&varies, 0, &de);
    assert_eq!(place.primary_key(), b"/a");
    place.reset();
    assert_eq!(place.key(), b"/a");
}

#[test]
fn once_its_entry_is_gone_a_variant_is_out_of_reach() {
    let nobody = request(&[]);
    let [before, after] = [0; 2].map(|_| Varies::new().with(&names("foo"), None, &nobody).unwrap());
    assert_ne!(key(&before, 0, &nobody), key(&after, 0, &nobody));
}

#[test]
fn the_newest_set_is_first_and_the_oldest_of_too_many_is_forgotten() {
    let nobody = request(&[]);
    let mut varies = Varies::new();
    for fields in ["a", "a b", "", "c", "d"] {
        varies = varies.with(&names(fields), None, &nobody).unwrap();
    }
    let told: Vec<_> = varies.sets.iter().map(|set| &*set.fields).collect();
    assert_eq!(told, [names("d"), names("c"), names(""), names("a b")]);
    assert!(varies.is_without_vary(2) && !varies.is_without_vary(3) && !varies.is_without_vary(4));
    assert_eq!(varies.with(&names("c"), None, &nobody), None, "it is known");
}

#[test]
fn a_language_that_is_wanted_alone_finds_its_variant() {
    let stored = request(&[("accept-language", "en, de"), ("foo", "1")]);
    let fields = names("accept-language foo");
    let varies = Varies::new().with(&fields, Some(b"de"), &stored).unwrap();
    assert_eq!(varies.with(&fields, Some(b"de"), &stored), None, "it is known");
    let check = |present: Present<'_>, expected: bool| {
        let mut place = Place::primary(|key| key.extend_from_slice(b"/a"));
        let found = place.select_language(&varies, 0, present);
        assert_eq!(found, expected);
        assert!(!found || place.key() == key(&varies, 0, &stored));
    };
    check(&request(&[("accept-language", "fr;q=0.5, de;q=1.0"), ("foo", "1")]), true);
    check(&request(&[("accept-language", "de"), ("foo", "1")]), true);
    check(&request(&[("accept-language", "de"), ("foo", "2")]), false);
    check(&request(&[("accept-language", "en, de"), ("foo", "1")]), false);
    check(&request(&[("accept-language", "en"), ("foo", "1")]), false);
    check(&request(&[("foo", "1")]), false);
}

#[test]
fn languages_that_are_remembered_are_few() {
    let mut varies = Varies::new();
    for number in 0..MAX_LANGUAGES + 5 {
        let tag = format!("l{number}");
        varies =
            varies.with(&names("accept-language"), Some(tag.as_bytes()), &request(&[])).unwrap();
    }
    assert_eq!(varies.sets[0].languages.len(), MAX_LANGUAGES);
}

#[test]
fn what_was_written_is_read_back() {
    let stored = request(&[("accept-language", "en, de")]);
    let varies = Varies::new().with(&names("accept-language foo"), Some(b"de"), &stored).unwrap();
    let varies = varies.with(&names(""), None, &stored).unwrap();
    let mut octets = Vec::new();
    varies.encode(&mut octets);
    assert_eq!(Varies::decode(&octets), Some(varies));
    for length in 0..octets.len() {
        assert_eq!(Varies::decode(&octets[..length]), None, "the first {length} octets");
    }
    octets.push(0);
    assert_eq!(Varies::decode(&octets), None);
}

proptest! {
    #[test]
    fn whatever_the_octets_decoding_ends(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Varies::decode(&octets);
    }
}
