//! Several responses of one URI: whatever requests say, and in whatever order and company they come, each gets
//! what was selected by fields like its own, and the origin is asked once for each variant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderName};
use warmfront::{Body, Edge, ViewerRequest};
use warmfront_core::Stack;
use warmfront_core::caching::CacheRules;
use warmfront_core::caching::variants::normalized;
use warmfront_core::policy::HeaderSelection;

use crate::world::{ScriptedOrigin, answer, edge_of, get, read, stack};

/// What Vary names, by path: the second path names other fields in every other answer.
const PATHS: [(&str, [&[&str]; 2]); 4] = [
    ("/language", [&["accept-language"], &["accept-language"]]),
    ("/changes", [&["foo"], &["foo", "accept-language"]]),
    ("/both", [&["accept-encoding", "foo"], &["accept-encoding", "foo"]]),
    ("/none", [&[], &[]]),
];

/// What a request may say in each field; some mean the same.
const FIELDS: [(&str, &[&str]); 3] = [
    ("accept-language", &["de, en", "EN,de", "de;q=0.5, en", "en, de;q=0.50", "fr"]),
    ("accept-encoding", &["gzip, br", "br,x-gzip", "gzip;q=0, br", "identity"]),
    ("foo", &["1, 2", "1,2", "2,1", ""]),
];

fn standard() -> Arc<Stack> {
    let mut stack = Arc::unwrap_or_clone(stack((0, 0, 3600)));
    let mut distribution = Arc::unwrap_or_clone(stack.distributions[0].clone());
    let behavior = Arc::make_mut(&mut distribution.behaviors[0]);
    behavior.rules = CacheRules::RFC9111;
    behavior.origin_request_policy.headers = HeaderSelection::AllViewer;
    stack.distributions = vec![Arc::new(distribution)];
    Arc::new(stack)
}

/// The fields of a request as the origin judges them: by what they mean.
fn meaning(headers: &HeaderMap, fields: &[&'static str]) -> String {
    let one = |field: &&'static str| {
        let name = HeaderName::from_static(field);
        let value = headers.get(&name).map(|value| normalized(&name, value.as_bytes()));
        let value = value.map(|value| String::from_utf8(value).unwrap());
        format!("{field}={value:?}")
    };
    fields.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What the origin was asked, by path and meaning.
type Seen = Arc<Mutex<HashMap<String, u64>>>;

/// Answers with the fields that its Vary names, and what they mean in the request.
fn world() -> (Edge, Seen) {
    let seen = Seen::default();
    let script = {
        let seen = seen.clone();
        ScriptedOrigin(Box::new(move |request| {
            let path = request.head.uri.path().to_owned();
            let [even, odd] = PATHS.iter().find(|(known, _)| *known == path).unwrap().1;
            let headers = &request.head.headers;
            // Which fields are named depends on the request, not on when it comes.
            let is_odd = headers.get("foo").is_some_and(|value| value.as_bytes().ends_with(b"1"));
            let fields = if is_odd { odd } else { even };
            let told = meaning(headers, fields);
            *seen.lock().unwrap().entry(format!("{path} {told}")).or_default() += 1;
            let headers = [
                ("cache-control", "max-age=3600".to_owned()),
                ("vary", fields.join(", ")),
                ("x-fields", fields.join(" ")),
            ];
            Box::pin(async move {
                tokio::task::yield_now().await;
                answer(200, &headers, Body::full(told.into_bytes()))
            })
        }))
    };
    let (edge, _clock) = edge_of(standard(), 8 << 20, script);
    (edge, seen)
}

fn roll(dice: &mut fastrand::Rng) -> (&'static str, ViewerRequest) {
    let (path, _) = PATHS[dice.usize(..PATHS.len())];
    let mut request = get(path);
    for (name, values) in FIELDS {
        if let Some(value) = values.get(dice.usize(..=values.len())) {
            request.head.headers.insert(name, value.parse().unwrap());
        }
    }
    (path, request)
}

#[track_caller]
fn judge(seed: u64, path: &str, asked: &HeaderMap, reply: &crate::world::Read) {
    let known = FIELDS.map(|(name, _)| name);
    let named = reply.headers["x-fields"].to_str().unwrap().split_whitespace();
    let fields: Vec<_> =
        named.map(|name| *known.iter().find(|known| **known == name).unwrap()).collect();
    let told = String::from_utf8(reply.body.clone()).unwrap();
    assert_eq!(told, meaning(asked, &fields), "seed {seed}: {path} for {asked:?}");
}

#[test]
fn nobody_gets_what_was_selected_by_other_fields_and_equal_meaning_is_fetched_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..30 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let (edge, seen) = world();
        runtime.block_on(async {
            for _ in 0..60 {
                let (path, request) = roll(&mut dice);
                let asked = request.head.headers.clone();
                let reply = read(edge.call(request).await).await;
                judge(seed, path, &asked, &reply);
            }
        });
        for (variant, count) in seen.lock().unwrap().iter() {
            // Which fields "/changes" names is known only once it has answered.
            assert_eq!(*count, 1, "seed {seed}: {variant}");
        }
    }
}

#[test]
fn a_crowd_of_variants_is_told_apart_too_and_fetched_once_each() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for seed in 0..30 {
        let mut dice = fastrand::Rng::with_seed(seed);
        let (edge, seen) = world();
        runtime.block_on(async {
            for _ in 0..10 {
                let crowd: Vec<_> = (0..dice.usize(1..30))
                    .map(|_| {
                        let (path, request) = roll(&mut dice);
                        let asked = request.head.headers.clone();
                        let edge = edge.clone();
                        let reply =
                            tokio::spawn(async move { read(edge.call(request).await).await });
                        (path, asked, reply)
                    })
                    .collect();
                for (path, asked, reply) in crowd {
                    judge(seed, path, &asked, &reply.await.unwrap());
                }
            }
        });
        for (variant, count) in seen.lock().unwrap().iter() {
            // Until "/changes" has told of all its fields, requests that differ in one of them may ask each.
            let most = if variant.starts_with("/changes") { 5 } else { 1 };
            assert!(*count <= most, "seed {seed}: {variant} was fetched {count} times");
        }
    }
}
