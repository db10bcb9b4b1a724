use ::http::HeaderValue;
use proptest::prelude::*;

use super::*;
use crate::fixture;

fn selecting(name: &str, value: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
    write_selecting(&mut out, &[name], |_, buffer| {
        buffer.extend_from_slice(value.unwrap_or_default().as_bytes());
        value.is_some()
    });
    out
}

#[track_caller]
fn same(name: &str, spellings: &[&str]) {
    for pair in spellings.windows(2) {
        let [one, other] = [pair[0], pair[1]].map(|value| selecting(name, Some(value)));
        assert_eq!(one, other, "{name}: {pair:?}");
    }
}

#[track_caller]
fn different(name: &str, one: &str, other: &str) {
    assert_ne!(selecting(name, Some(one)), selecting(name, Some(other)), "{name}: {one} {other}");
}

#[test]
fn languages_meet_in_any_case_spacing_and_order_of_equals() {
    same(
        "accept-language",
        &["en, de", "de,en", "eN, De", " en ,   de", "en;q=1.0,de", "en, de, EN"],
    );
    same("accept-language", &["de, en;q=0.5", "en ; q=0.500 , de;q=1", ",de,,en;Q=0.5"]);
    different("accept-language", "en, de", "en");
    different("accept-language", "en, de;q=0.5", "de, en;q=0.5");
    different("accept-language", "en;q=0.5", "en;q=0.6");
    different("accept-language", "en", "en;q=2");
    different("accept-language", "", "*");
}

#[test]
fn encodings_meet_by_their_names_and_weights() {
    same("accept-encoding", &["gzip, br", "br,gzip", "BR, x-gzip", "br;q=1, gzip;q=1.000"]);
    different("accept-encoding", "gzip", "gzip;q=0");
    different("accept-encoding", "gzip", "deflate");
    different("accept-encoding", "identity", "");
}

#[test]
fn media_ranges_keep_the_case_of_their_parameters() {
    same("accept", &["text/html, */*;q=0.1", "*/*;q=0.1,TEXT/HTML"]);
    same("accept", &["text/plain;Charset=utf-8;q=0.5", "text/plain; charset=utf-8 ;q=0.5"]);
    same("accept", &[r#"a/b;x="1,2""#, r#" a/b ; x="1,2""#]);
    different("accept", r#"a/b;x="1,2""#, r#"a/b;x="1, 2""#);
    different("accept", "a/b;x=Y", "a/b;x=y");
    different("accept", "a/b;x=1;y=2", "a/b;y=2;x=1");
}

#[test]
fn other_fields_meet_when_only_space_around_commas_differs() {
    same("foo", &["1,2", "1, 2", " 1 ,2 "]);
    different("foo", "1,2", "2,1");
    different("foo", "a", "A");
    different("foo", "a b", "a  b");
    different("foo", r#""a,b""#, r#""a, b""#);
    different("foo", "1,2", "1,,2");
    same("foo", &[r#"a", b"#, r#"a",b"#]);
    different("user-agent", "a,b", "a, b");
    different("cookie", "a=1; b=2", "b=2; a=1");
}

#[test]
fn absence_matches_absence_only() {
    assert_eq!(selecting("foo", None), selecting("foo", None));
    assert_ne!(selecting("foo", None), selecting("foo", Some("")));
    assert_ne!(selecting("accept-language", None), selecting("accept-language", Some("*")));
}

#[test]
fn fields_are_a_set_and_what_cannot_be_compared_matches_nothing() {
    let named = |lines: &[&str]| {
        let fields = selecting_fields(&fixture::headers(lines))?;
        Some(fields.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(" "))
    };
    let check = |lines: &[&str], expected: Option<&str>| {
        assert_eq!(named(lines).as_deref(), expected, "{lines:?}");
    };
    check(&[], Some(""));
    check(&["vary:"], Some(""));
    check(&["vary: B, a ,b", "vary: C"], Some("a b c"));
    check(&["vary: a, *"], None);
    check(&["vary: a b"], None);
    let many: Vec<String> = (0..=MAX_FIELDS).map(|number| format!("f{number}")).collect();
    check(&[&format!("vary: {}", many[1..].join(","))], Some(&sorted(&many[1..])));
    check(&[&format!("vary: {}", many.join(","))], None);
}

fn sorted(names: &[String]) -> String {
    let mut names = names.to_vec();
    names.sort();
    names.join(" ")
}

#[test]
fn the_first_language_is_one_that_stands_alone() {
    let first =
        |value: &str| first_language(value.as_bytes()).map(|tag| String::from_utf8(tag).unwrap());
    let check = |value, expected: Option<&str>| {
        assert_eq!(first(value).as_deref(), expected, "{value}");
    };
    check("fr;q=0.5, DE;q=1.0", Some("de"));
    check("de-AT, de;q=0.9", Some("de-at"));
    check("en, de", None);
    check("*", None);
    check("de;q=0", None);
    check("", None);
    check("d e", None);
    let of = |value: &str| language_of(&fixture::headers(&[&format!("content-language: {value}")]));
    assert_eq!(of("De-at"), Some(b"de-at".to_vec()));
    assert_eq!(of("de, en"), None);
    assert_eq!(language_of(&HeaderMap::new()), None);
}

/// One way among many to write the same preferences.
fn spelled(preferences: &[(String, u16)], dice: &[u8]) -> String {
    let mut dice = dice.iter().copied().cycle();
    let mut roll = move |sides: u8| dice.next().unwrap_or(0) % sides;
    let mut members: Vec<_> = preferences.to_vec();
    for at in (1..members.len()).rev() {
        members.swap(at, usize::from(roll(at as u8 + 1)));
    }
    let members = members.into_iter().map(|(name, weight)| {
        let name = if roll(2) == 0 { name.to_ascii_uppercase() } else { name };
        let weight = match (weight, roll(3)) {
            (1000, 0) => String::new(),
            (1000, 1) => ";q=1".to_owned(),
            (1000, _) => " ; Q=1.000".to_owned(),
            (weight, 0) => format!(";q=0.{weight:03}"),
            (weight, _) => format!("; q=0.{}", format!("{weight:03}").trim_end_matches('0')),
        };
        let space = ["", " ", "\t"][usize::from(roll(3))];
        format!("{space}{name}{weight}{space}")
    });
    members.collect::<Vec<_>>().join(",")
}

fn preferred() -> impl Strategy<Value = Vec<(String, u16)>> {
    let name = prop::sample::select(vec!["en", "de", "de-at", "fr", "*"]);
    let weight = prop::sample::select(vec![1000u16, 800, 500, 1, 0]);
    prop::collection::btree_map(name.prop_map(str::to_owned), weight, 0..5)
        .prop_map(|all| all.into_iter().collect())
}

proptest! {
    /// Two requests meet if, and only if, they prefer the same, however they write it.
    #[test]
    fn equal_meaning_is_equal_selection(
        one in preferred(),
        other in preferred(),
        spellings in prop::array::uniform2(prop::collection::vec(any::<u8>(), 8..24)),
    ) {
        for name in ["accept-language", "accept-encoding", "accept-charset"] {
            let a = selecting(name, Some(&spelled(&one, &spellings[0])));
            let b = selecting(name, Some(&spelled(&other, &spellings[1])));
            prop_assert_eq!(a == b, one == other, "{} {:?} {:?}", name, one, other);
        }
    }

    /// However two requests are written, values of one field never run into those of the next.
    #[test]
    fn fields_do_not_run_into_each_other(
        one in prop::array::uniform3(prop::option::of("[ab01\\x00\\x01]{0,9}")),
        other in prop::array::uniform3(prop::option::of("[ab01\\x00\\x01]{0,9}")),
    ) {
        let names = ["x-a", "x-b", "x-c"].map(HeaderName::from_static);
        let [a, b] = [&one, &other].map(|values| {
            let mut out = Vec::new();
            write_selecting(&mut out, &names, |name, buffer| {
                let at = names.iter().position(|it| it == name).unwrap();
                buffer.extend_from_slice(values[at].as_deref().unwrap_or_default().as_bytes());
                values[at].is_some()
            });
            out
        });
        prop_assert_eq!(a == b, one == other);
    }

    #[test]
    fn whatever_the_bytes_reading_ends(value in prop::collection::vec(any::<u8>(), 0..300)) {
        for name in ["accept", "accept-language", "cookie", "x-other"] {
            let name = HeaderName::from_static(name);
            write_selecting(&mut Vec::new(), &[name], |_, buffer| {
                buffer.extend_from_slice(&value);
                true
            });
        }
        first_language(&value);
        if let Ok(line) = HeaderValue::from_bytes(&value) {
            let mut headers = HeaderMap::new();
            headers.insert(header::VARY, line.clone());
            headers.insert(header::CONTENT_LANGUAGE, line);
            selecting_fields(&headers);
            language_of(&headers);
        }
    }
}
