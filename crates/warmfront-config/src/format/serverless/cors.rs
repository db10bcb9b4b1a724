//! `cors` of HTTP APIs and function URLs, in AWS's words.

use crate::document::{Entry, Node, Value};

/// `true`, or a map in the framework's words; what it leaves out gets the framework's defaults.
pub(super) fn settings(cors: &Node, methods: &[&str]) -> Node {
    let place = &cors.place;
    let texts = |items: &[&str]| {
        Node::list(items.iter().map(|it| Node::text(*it, place.clone())).collect(), place.clone())
    };
    // One text stands for a list of one.
    let listed = |node: &Node| match node.as_text() {
        Some(_) => Node::list(vec![node.clone()], node.place.clone()),
        None => node.clone(),
    };
    let defaults = [
        ("allowedOrigins", "AllowOrigins", Some(texts(&["*"]))),
        ("allowedHeaders", "AllowHeaders", Some(texts(&DEFAULT_HEADERS))),
        ("allowedMethods", "AllowMethods", Some(texts(methods))),
        ("exposedResponseHeaders", "ExposeHeaders", None),
    ];
    let mut entries = Vec::new();
    for (own, name, default) in defaults {
        let written = cors.get(own).filter(|it| !it.is_null()).map(listed);
        entries.extend(written.or(default).map(|value| (name, value)));
    }
    for (own, name) in [("allowCredentials", "AllowCredentials"), ("maxAge", "MaxAge")] {
        entries.extend(cors.get(own).map(|value| (name, value.clone())));
    }
    let entries = entries.into_iter().map(|(name, value)| Entry {
        key: name.to_owned(),
        place: value.place.clone(),
        value,
    });
    Node { place: place.clone(), tag: None, value: Value::Map(entries.collect()) }
}

const DEFAULT_HEADERS: [&str; 7] = [
    "Content-Type",
    "X-Amz-Date",
    "Authorization",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
];
