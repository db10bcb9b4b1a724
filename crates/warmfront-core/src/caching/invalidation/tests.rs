use proptest::prelude::*;

use super::*;
use crate::fixture;

fn item(text: &str) -> Invalidation {
    Invalidation::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// `text` covers an object with this path and keyed query, or does not.
#[track_caller]
fn check(text: &str, path: &str, query: &str, expected: bool) {
    let covers = item(text).covers(&address(path, query), &CacheTags::default());
    assert_eq!(covers, expected, "{text} and {path}?{query}");
}

#[test]
fn a_path_is_that_object_alone() {
    check("/images", "/images", "", true);
    for path in ["/images/", "/Images", "/images.jpg", "/", "/images/a"] {
        check("/images", path, "", false);
    }
}

#[test]
fn only_a_star_at_the_end_is_a_wildcard() {
    for (text, path, expected) in [
        ("/a/*", "/a/", true),
        ("/a/*", "/a/b/c.jpg", true),
        ("/a/*", "/a", false),
        ("/a*", "/a", true),
        ("/a*", "/a/b", true),
        ("/a*", "/ab.html", true),
        ("/a*", "/b/a", false),
        ("/a/logo.*", "/a/logo.png", true),
        ("/*", "/", true),
        ("/*", "/anything/at/all", true),
        ("/a/*/c", "/a/b/c", false),
        ("/a/*/c", "/a/*/c", true),
        ("/a**", "/a*b", true),
        ("/a**", "/ab", false),
        ("/a%2A", "/a%2a", true),
        ("/a%2A", "/a*", false),
    ] {
        check(text, path, "", expected);
    }
}

#[test]
fn a_query_is_part_of_the_path_where_the_key_has_one() {
    for (text, query, expected) in [
        ("/a", "", true),
        ("/a", "x=1", false),
        ("/a?", "", true),
        ("/a?x=1", "x=1", true),
        ("/a?x=1", "", false),
        ("/a?x=1", "x=1&y=2", false),
        ("/a?x=1*", "x=1&y=2", true),
        ("/a?*", "x=1", true),
        ("/a?*", "", false),
        ("/a*", "x=1", true),
        ("/*", "x=1", true),
    ] {
        check(text, "/a", query, expected);
    }
}

#[test]
fn what_a_url_must_encode_is_one_however_it_is_written() {
    for (text, path, expected) in [
        ("/caf\u{e9}", "/caf%C3%A9", true),
        ("/caf\u{e9}", "/caf%c3%a9", true),
        ("/caf%c3%a9", "/caf\u{e9}", true),
        ("/a b", "/a%20b", true),
        ("/a|b", "/a%7Cb", true),
        ("/a%7Cb", "/a|b", true),
        ("/a[1]", "/a%5B1%5D", true),
        ("/a#b", "/a%23b", true),
        ("/caf%c*", "/caf%C3%A9", true),
        // Anything else is another object.
        ("/%61", "/a", false),
        ("/a%2Fb", "/a/b", false),
        ("/a%2fb", "/a%2Fb", true),
        ("/100%", "/100%", true),
        ("/100%zz", "/100%ZZ", false),
    ] {
        check(text, path, "", expected);
    }
}

#[test]
fn the_root_is_the_default_root_object() {
    let mut distribution = fixture::distribution();
    let within =
        |text: &str, distribution: &Distribution| item(text).within(distribution).to_string();
    assert_eq!(within("/", &distribution), "/");
    distribution.default_root_object = Some("dir/index.html".to_owned());
    for (text, expected) in [
        ("/", "/dir/index.html"),
        ("/?a=b", "/dir/index.html?a=b"),
        ("/*", "/*"),
        ("/dir/", "/dir/"),
        ("#Tag", "#tag"),
    ] {
        assert_eq!(within(text, &distribution), expected);
    }
}

#[test]
fn a_tag_is_matched_whole_in_any_letter_case() {
    let tags = CacheTags::of_values([&b"Product:TV, home"[..]]);
    for (text, expected) in [
        ("#product:tv", true),
        ("#PRODUCT:tv", true),
        ("#home", true),
        ("#product", false),
        ("#hom", false),
        ("/product:tv", false),
    ] {
        assert_eq!(item(text).covers("/a", &tags), expected, "{text}");
    }
}

#[test]
fn what_cannot_work_is_refused_with_what_would() {
    let long = format!("/{}", "a".repeat(LONGEST_ITEM));
    let long_tag = format!("#{}", "a".repeat(LONGEST_TAG + 1));
    for (text, part) in [
        ("", "cannot be empty"),
        ("a/b", "write \"/a/b\""),
        ("*", "write \"/*\""),
        ("https://shop.example/a?b", "write \"/a?b\""),
        ("https://shop.example", "write \"/\""),
        (" a", "write \"/a\""),
        (long.as_str(), "has 4001"),
        ("/a\n/b", "'\\n'"),
        ("/home/~me/a", "\"/home/*\""),
        ("/home/%7Eme", "\"/home/*\""),
        ("/home/%7eme", "\"/home/*\""),
        ("#", "#product:42"),
        ("#a*", "no *"),
        ("#a,b", "','"),
        ("#a b", "' '"),
        ("#caf\u{e9}", "'\u{e9}'"),
        (long_tag.as_str(), "has 257"),
    ] {
        let error = Invalidation::parse(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text:.40}: {error}");
    }
    item(&long[..LONGEST_ITEM]);
    item(&long_tag[..=LONGEST_TAG]);
}

proptest! {
    #[test]
    fn a_spelling_is_ascii_and_spelled_once(text in "\\PC{0,40}") {
        let once = spelled(&text).into_owned();
        prop_assert!(once.is_ascii());
        prop_assert_eq!(spelled(&once), once.as_str());
    }

    #[test]
    fn an_item_reads_back_what_it_shows(text in "[/#][ -}\u{e9}]{0,40}") {
        if let Ok(item) = Invalidation::parse(&text) {
            prop_assert_eq!(Invalidation::parse(&item.to_string()), Ok(item));
        }
    }
}
