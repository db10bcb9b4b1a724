//! The key where the rules want the whole URL in it (reliability.md §2, class 11).

use proptest::sample::select;

use super::*;
use crate::caching::CacheRules;

fn behavior(keyed: Selection, forwarded: Selection) -> Behavior {
    let mut behavior = fixture::behavior("*");
    behavior.rules = CacheRules::RFC9111;
    behavior.cache_policy.query_strings = keyed;
    behavior.origin_request_policy.query_strings = forwarded;
    behavior
}

fn written(behavior: &Behavior, asked: &Asked) -> (Vec<u8>, Vec<KeyPart>) {
    let (distribution, view) = (fixture::distribution(), asked.view());
    let mut key = Vec::new();
    write_cache_key(&mut key, &distribution, behavior, &view);
    let mut address = Vec::new();
    write_address(&mut address, &distribution, behavior, &view);
    assert_eq!(address_of(&key), Some(&*address));
    (key, key_parts(&distribution, behavior, &view))
}

#[track_caller]
fn check(behavior: &Behavior, one: &Asked, other: &Asked, are_one: bool) {
    let (one_written, other_written) = (written(behavior, one), written(behavior, other));
    assert_eq!(one_written.0 == other_written.0, are_one, "{one:?} and {other:?}");
    assert_eq!(one_written.1 == other_written.1, are_one, "{one:?} and {other:?}");
}

#[test]
fn scheme_and_host_tell_objects_apart() {
    let behavior = behavior(Selection::None, Selection::None);
    let a = get("/p", &[]);
    let with = |scheme, host: &str| Asked { scheme, host: host.to_owned(), ..a.clone() };
    check(&behavior, &a, &with(Scheme::Http, "a.example"), false);
    check(&behavior, &a, &with(Scheme::Https, "b.example"), false);
    check(&behavior, &a, &with(Scheme::Https, "a.example:8443"), false);
    check(&behavior, &a, &with(Scheme::Https, "A.Example"), true);
    check(&behavior, &a, &with(Scheme::Https, "a.example:443"), true);
    check(&behavior, &a, &with(Scheme::Https, "a.example:80"), false);
    check(&behavior, &with(Scheme::Http, "a.example:80"), &with(Scheme::Http, "a.example"), true);
}

#[test]
fn every_part_of_the_query_that_the_origin_gets_tells_objects_apart() {
    use Selection::{All, AllExcept, None, Only};
    let (plain, a1, ab) = (get("/p", &[]), get("/p?a=1", &[]), get("/p?a=1&b=2", &[]));
    check(&behavior(None, None), &plain, &ab, true);
    check(&behavior(None, All), &plain, &a1, false);
    check(&behavior(None, All), &a1, &ab, false);
    check(&behavior(None, Only(names(&["b"]))), &a1, &plain, true);
    check(&behavior(None, Only(names(&["b"]))), &a1, &ab, false);
    check(&behavior(Only(names(&["a"])), Only(names(&["b"]))), &a1, &ab, false);
    check(&behavior(Only(names(&["a"])), None), &a1, &ab, true);
    check(&behavior(None, AllExcept(names(&["b"]))), &a1, &ab, true);
    check(&behavior(All, None), &a1, &ab, false);
    check(&behavior(None, All), &plain, &get("/p?", &[]), true);
}

#[test]
fn a_key_of_one_kind_is_none_of_the_other() {
    let asked = get("/p?a=1", &[]);
    let whole = behavior(Selection::All, Selection::None);
    let short = Behavior { rules: CacheRules::CLOUDFRONT, ..whole.clone() };
    let (whole, short) = (written(&whole, &asked).0, written(&short, &asked).0);
    assert!(whole != short && !whole.starts_with(&short) && !short.starts_with(&whole));
}

#[test]
fn an_invalidation_finds_the_path_and_query_of_either_kind() {
    for rules in [CacheRules::CLOUDFRONT, CacheRules::RFC9111] {
        let behavior = Behavior { rules, ..behavior(Selection::All, Selection::None) };
        let (key, _) = written(&behavior, &get("/p?a=1", &[]));
        let address = KeyAddress::read(&key).unwrap();
        assert_eq!((address.path, address.query), ("/p", "a=1"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn keys_are_equal_exactly_when_all_that_counts_is(
        policy in a_policy(),
        forwarded in a_selection(),
        one in a_request(),
        other in a_request(),
        schemes in select(vec![(Scheme::Http, Scheme::Https), (Scheme::Http, Scheme::Http)]),
        hosts in select(vec![("a.b", "a.bc"), ("a.b", "A.b"), ("", "a.b")]),
    ) {
        let behavior = Behavior { cache_policy: policy, ..behavior(Selection::None, forwarded) };
        let one = Asked { scheme: schemes.0, host: hosts.0.to_owned(), ..one };
        let other = Asked { scheme: schemes.1, host: hosts.1.to_owned(), ..other };
        let counts = |asked: &Asked| {
            let query = asked.query.clone().unwrap_or_default();
            let (cache, policy) =
                (&behavior.cache_policy.query_strings, &behavior.origin_request_policy.query_strings);
            let kept = query.split('&').filter(|parameter| !parameter.is_empty()).filter(|parameter| {
                cache.forwards_with(policy, parameter.split('=').next().unwrap())
            });
            let whole = [cache, policy].contains(&&Selection::All);
            let query = if whole { query.clone() } else { kept.collect::<Vec<_>>().join("&") };
            // Everything but the query is told by the other test; here it is the query.
            let rest = inputs(&CachePolicy { query_strings: Selection::None, ..behavior.cache_policy.clone() }, asked);
            (asked.scheme, asked.host.to_lowercase(), query, rest)
        };
        let expected = counts(&one) == counts(&other);
        let (one, other) = (written(&behavior, &one), written(&behavior, &other));
        prop_assert_eq!(one.0 == other.0, expected);
        prop_assert_eq!(one.1 == other.1, expected);
    }
}
