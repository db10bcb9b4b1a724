//! Where a URI reference in a header leads, as seen from a request (RFC 3986 §5.2): within the origin of the
//! request, or somewhere else.

use std::borrow::Cow;

use crate::origin::Scheme;
use crate::path_pattern::without_dot_segments;
use crate::request_view::RequestView;

/// Path and query of a place with the scheme and host of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameOrigin<'a> {
    /// Begins with a slash; dot segments are resolved where the reference was relative.
    pub path: Cow<'a, str>,
    /// Without `?`.
    pub query: Option<&'a str>,
}

/// Where `reference` leads from the target of `request`. `None`: to another scheme, host or port, or nowhere.
pub fn resolve<'a>(request: &RequestView<'a>, reference: &'a str) -> Option<SameOrigin<'a>> {
    let reference = reference.trim_matches([' ', '\t']);
    let reference = reference.split_once('#').map_or(reference, |(before, _)| before);
    let within = match scheme(reference) {
        Some((scheme, rest)) => {
            if !scheme.eq_ignore_ascii_case(request.scheme.as_str()) {
                return None;
            }
            rest.strip_prefix("//").map(Some)?
        }
        None => reference.strip_prefix("//"),
    };
    let local = match within {
        None => reference,
        Some(rest) => {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (authority, local) = rest.split_at(end);
            if !is_same_host(request.scheme, authority, request.host) {
                return None;
            }
            if local.is_empty() { "/" } else { local }
        }
    };
    let (path, query) = match local.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (local, None),
    };
    if path.starts_with('/') {
        return Some(SameOrigin { path: without_dot_segments(path), query });
    }
    if path.is_empty() {
        let path = if within.is_some() { "/" } else { request.path };
        // A reference that is empty but for its fragment means the same document.
        return Some(SameOrigin { path: path.into(), query: query.or(request.query) });
    }
    let directory = request.path.rfind('/').map_or("/", |last| &request.path[..=last]);
    let merged = format!("{directory}{path}");
    Some(SameOrigin { path: without_dot_segments(&merged).into_owned().into(), query })
}

/// A scheme and what follows its colon. `a/b:c` has none.
fn scheme(reference: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = reference.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    is_scheme.then_some((scheme, rest))
}

fn is_same_host(scheme: Scheme, one: &str, other: &str) -> bool {
    without_default_port(scheme, one).eq_ignore_ascii_case(without_default_port(scheme, other))
}

/// An authority without the port that its scheme means anyway.
pub(crate) fn without_default_port(scheme: Scheme, authority: &str) -> &str {
    let default = match scheme {
        Scheme::Http => ":80",
        Scheme::Https => ":443",
    };
    authority.strip_suffix(default).unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, Method, Version};
    use proptest::prelude::*;

    use super::*;

    fn seen_from(target: &str, reference: &str) -> Option<String> {
        let headers = HeaderMap::new();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let request = RequestView {
            method: &Method::POST,
            scheme: Scheme::Https,
            version: Version::HTTP_11,
            host: "a.example",
            path,
            query,
            headers: &headers,
            place: None,
        };
        let SameOrigin { path, query } = resolve(&request, reference)?;
        Some(query.map_or(path.to_string(), |query| format!("{path}?{query}")))
    }

    #[track_caller]
    fn check(reference: &str, expected: Option<&str>) {
        assert_eq!(seen_from("/b/c/d;p?q", reference).as_deref(), expected, "{reference}");
    }

    #[test]
    fn references_resolve_as_in_the_examples_of_rfc_3986() {
        for (reference, expected) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("..", "/b/"),
            ("../g", "/b/g"),
            ("../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g/../h", "/b/c/h"),
            (" g ", "/b/c/g"),
            ("a/b:c", "/b/c/a/b:c"),
        ] {
            check(reference, Some(expected));
        }
    }

    #[test]
    fn only_the_origin_of_the_request_counts() {
        check("https://a.example/x?y", Some("/x?y"));
        check("HTTPS://A.Example:443", Some("/"));
        check("https://a.example?y", Some("/?y"));
        check("//a.example/x", Some("/x"));
        for other in [
            "http://a.example/x",
            "https://b.example/x",
            "https://a.example:8443/x",
            "https://user@a.example/x",
            "//b.example/x",
            "https:/x",
            "mailto:a",
            "x:y",
        ] {
            check(other, None);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_reference_its_path_begins_with_a_slash(reference in "[a./?#:%-]{0,12}") {
            if let Some(path) = seen_from("/a/b", &reference) {
                prop_assert!(path.starts_with('/'), "{path}");
            }
        }
    }
}
