use std::time::Instant;

use proptest::prelude::*;
use warmfront_core::policy::cache_key::KeyAddress;

use super::*;

fn record(epoch: u64, distribution: &str, text: &str, soft: bool) -> Record {
    let item = Invalidation::parse(text).unwrap();
    Record { epoch, distribution: distribution.to_owned(), item, soft }
}

fn at(path: &str) -> Option<KeyAddress<'_>> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Some(KeyAddress { distribution: "E1", path, query })
}

/// A registry that knows these purges, the first one with epoch 11.
fn registry(purges: &[(&str, bool)]) -> Registry {
    let mut registry = Registry::starting_at(10);
    for (index, (text, soft)) in purges.iter().enumerate() {
        registry.add(&record(11 + index as u64, "E1", text, *soft));
    }
    registry
}

#[track_caller]
fn check(registry: &Registry, path: &str, tags: &str, epoch: u64, expected: Standing) {
    let tags = CacheTags::of_values([tags.as_bytes()]);
    let object = Object { at: at(path), tags: Some(&tags), epoch };
    assert_eq!(registry.standing(object), expected, "{path} {tags:?} of {epoch}");
}

#[test]
fn a_purge_is_meant_for_what_is_older() {
    let known = registry(&[("/a", false)]);
    check(&known, "/a", "", 10, Standing::Gone(PurgedBy::Path));
    check(&known, "/a", "", 11, Standing::Untouched);
    check(&known, "/b", "", 10, Standing::Untouched);
    let elsewhere = KeyAddress { distribution: "E2", path: "/a", query: "" };
    let tags = CacheTags::default();
    let object = Object { at: Some(elsewhere), tags: Some(&tags), epoch: 10 };
    assert_eq!(known.standing(object), Standing::Untouched);
}

#[test]
fn a_soft_purge_is_stale_and_a_hard_one_beats_it_whatever_their_order() {
    let known = registry(&[("/a/*", true), ("/a/b", false), ("#t", true)]);
    check(&known, "/a/x", "", 10, Standing::Stale(PurgedBy::Prefix));
    check(&known, "/a/b", "", 10, Standing::Gone(PurgedBy::Path));
    check(&known, "/a/b", "", 11, Standing::Gone(PurgedBy::Path));
    check(&known, "/a/b", "", 12, Standing::Untouched);
    check(&known, "/a/b", "t", 12, Standing::Stale(PurgedBy::Tag));
    check(&known, "/a/b", "t", 10, Standing::Gone(PurgedBy::Path));
    check(&known, "/c", "x,t", 12, Standing::Stale(PurgedBy::Tag));
}

#[test]
fn what_is_older_than_all_that_is_known_is_gone_and_what_claims_to_be_newer_too() {
    let known = registry(&[("/a", false)]);
    check(&known, "/b", "", 9, Standing::Gone(PurgedBy::Everything));
    check(&known, "/b", "", 12, Standing::Gone(PurgedBy::Everything));
    check(&known, "/b", "", 10, Standing::Untouched);
    let object = Object { at: None, tags: None, epoch: 10 };
    assert_eq!(known.standing(object), Standing::Gone(PurgedBy::Everything), "no key of ours");
}

#[test]
fn tags_that_are_not_known_yet_may_be_any() {
    let known = registry(&[("#t", true), ("/a", false)]);
    let object = |path, epoch| Object { at: at(path), tags: None, epoch };
    assert_eq!(known.standing(object("/b", 10)), Standing::Gone(PurgedBy::Tag));
    assert_eq!(known.standing(object("/b", 11)), Standing::Untouched);
    assert_eq!(known.standing(object("/a", 11)), Standing::Gone(PurgedBy::Path));
}

#[test]
fn purging_everything_leaves_one_record() {
    let mut known = registry(&[("/a", false), ("/b*", true), ("#t", false)]);
    assert_eq!(known.records().count(), 3);
    known.add(&record(14, "E1", "/*", false));
    assert_eq!((known.items, known.octets), (0, 0));
    assert_eq!(known.records().collect::<Vec<_>>(), [record(14, "E1", "/*", false)]);
    check(&known, "/", "", 13, Standing::Gone(PurgedBy::Everything));
    check(&known, "/", "", 14, Standing::Untouched);
    known.add(&record(15, "E1", "/*", true));
    check(&known, "/x", "", 14, Standing::Stale(PurgedBy::Everything));
}

#[test]
fn at_the_limit_the_oldest_become_everything_of_their_distribution() {
    let mut known = Registry::starting_at(10);
    known.most_items = 100;
    known.add(&record(11, "E2", "/other", true));
    for number in 0..100 {
        known.add(&record(12 + number, "E1", &format!("/{number}"), false));
    }
    assert!(known.items <= 100, "{} items", known.items);
    // 26 of 101: that of E2, and /0 to /24 of E1, the last with epoch 36.
    check(&known, "/never-purged", "", 35, Standing::Gone(PurgedBy::Everything));
    check(&known, "/never-purged", "", 36, Standing::Untouched);
    check(&known, "/25", "", 36, Standing::Gone(PurgedBy::Path));
    let elsewhere = KeyAddress { distribution: "E2", path: "/never-purged", query: "" };
    let tags = CacheTags::default();
    let object = Object { at: Some(elsewhere), tags: Some(&tags), epoch: 10 };
    assert_eq!(known.standing(object), Standing::Stale(PurgedBy::Everything), "softly, as it was");
}

#[test]
fn what_is_written_down_says_the_same() {
    let known =
        registry(&[("/a", true), ("/a", false), ("/b*", true), ("/*", true), ("#t", false)]);
    let mut again = Registry::starting_at(10);
    for record in known.records() {
        again.add(&record);
    }
    for path in ["/a", "/b/c", "/c"] {
        for (epoch, tags) in (10..=15).flat_map(|epoch| [(epoch, ""), (epoch, "t")]) {
            let tags = CacheTags::of_values([tags.as_bytes()]);
            let object = Object { at: at(path), tags: Some(&tags), epoch };
            assert_eq!(known.standing(object), again.standing(object), "{path} {epoch}");
        }
    }
}

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Purge { distribution: bool, item: String, soft: bool },
    Store { distribution: bool, path: String, query: String, tags: String },
}

fn step() -> impl Strategy<Value = Step> {
    let item = prop_oneof!["/[ab/]{0,3}", "/[ab/]{0,2}[*]", "/[ab]{0,2}[?]x=1", "#[tuv]", "#[TU]"];
    let tags = prop_oneof![Just(String::new()), "[tuvTUV](,[tuv])?"];
    let query = prop_oneof![Just(String::new()), Just("x=1".to_owned())];
    prop_oneof![
        2 => (any::<bool>(), item, any::<bool>())
            .prop_map(|(distribution, item, soft)| Step::Purge { distribution, item, soft }),
        3 => (any::<bool>(), "/[ab/]{0,3}", query, tags)
            .prop_map(|(distribution, path, query, tags)| Step::Store { distribution, path, query, tags }),
    ]
}

fn name(distribution: bool) -> &'static str {
    if distribution { "E1" } else { "E2" }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Beside a list of all purges, of which each is looked at.
    #[test]
    fn never_a_purged_response_and_never_another(
        steps in proptest::collection::vec(step(), 1..60), most_items in prop_oneof![Just(MOST_ITEMS), 2..12usize],
    ) {
        let mut known = Registry::starting_at(0);
        known.most_items = most_items;
        let mut purges: Vec<Record> = Vec::new();
        let mut stored = Vec::new();
        for step in steps {
            match step {
                Step::Purge { distribution, item, soft } => {
                    let record = record(known.newest() + 1, name(distribution), &item, soft);
                    known.add(&record);
                    purges.push(record);
                }
                Step::Store { distribution, path, query, tags } => {
                    let tags = CacheTags::of_values([tags.as_bytes()]);
                    stored.push((known.newest(), distribution, path, query, tags));
                }
            }
            for (epoch, distribution, path, query, tags) in &stored {
                let distribution = name(*distribution);
                let address = invalidation::address(path, query);
                let meant = |soft| purges.iter().any(|purge| {
                    purge.soft == soft && purge.epoch > *epoch && purge.distribution == distribution
                        && purge.item.covers(&address, tags)
                });
                let at = Some(KeyAddress { distribution, path, query });
                let standing = known.standing(Object { at, tags: Some(tags), epoch: *epoch });
                match (meant(false), meant(true)) {
                    (true, _) => prop_assert!(matches!(standing, Standing::Gone(_)), "{standing:?}"),
                    (false, true) if most_items == MOST_ITEMS => {
                        prop_assert!(matches!(standing, Standing::Stale(_)), "{standing:?}");
                    }
                    (false, true) => prop_assert!(standing != Standing::Untouched),
                    (false, false) if most_items == MOST_ITEMS => {
                        prop_assert_eq!(standing, Standing::Untouched);
                    }
                    // Folding may forget more.
                    (false, false) => {}
                }
            }
        }
    }
}

/// Prints what a lookup costs that must ask, and one that must not. `cargo test --release -- --ignored`
#[test]
#[ignore = "a measurement"]
fn what_a_lookup_costs() {
    for count in [0, 1_000, 60_000] {
        let mut known = Registry::starting_at(0);
        for number in 0..count {
            let text = match number % 3 {
                0 => format!("/blog/2026/{number}/index.html"),
                1 => format!("/blog/2026/{number}/*"),
                _ => format!("#product:{number}"),
            };
            known.add(&record(known.newest() + 1, "E1", &text, false));
        }
        let tags = CacheTags::of_values([&b"blog,product:x,author:me"[..]]);
        let path = "/blog/2026/1234567/picture.jpg?width=100";
        let object = Object { at: at(path), tags: Some(&tags), epoch: 0 };
        let rounds = 200_000_u32;
        let began = Instant::now();
        for _ in 0..rounds {
            assert_eq!(std::hint::black_box(&known).standing(object), Standing::Untouched);
        }
        println!("{count} records: {} ns", began.elapsed().as_nanos() / u128::from(rounds));
    }
}
