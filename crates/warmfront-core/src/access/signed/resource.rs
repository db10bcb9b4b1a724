//! Which URLs a policy's `Resource` covers (CloudFront guide: values for a custom policy; use wildcard
//! characters in the policy).
//!
//! A wildcard stays inside its section: protocol, domain, path or query. Only at the end of the domain or
//! the path a `*` reaches over what follows.

use crate::wildcard;

/// Whether `resource` covers the URL. `query` is the viewer's own, without a signature.
pub(super) fn covers(
    resource: &str,
    scheme: &str,
    host: &str,
    path: &str,
    query: Option<&str>,
) -> bool {
    if resource == "*" {
        return true;
    }
    let (protocol, rest) = match resource.split_once("://") {
        Some((protocol, rest)) if !protocol.contains('/') => (protocol, rest),
        // `*domain` means `*://domain`; without a star nothing says what the text is.
        _ if resource.starts_with('*') => ("*", resource),
        _ => return false,
    };
    if !matches(protocol, scheme) {
        return false;
    }
    let end = rest.find('/').unwrap_or(rest.len());
    let (domain, rest) = rest.split_at(end);
    if !matches(&domain.to_ascii_lowercase(), &host.to_ascii_lowercase()) {
        return false;
    }
    match rest {
        "" if domain.ends_with('*') => true,
        "" => path == "/" && query.is_none(),
        rest => covers_path(rest, path, query),
    }
}

/// `rest` begins with the path. A `?` in it is any character of the path or the beginning of the query,
/// whichever fits; `\?` is the beginning of the query for sure.
fn covers_path(rest: &str, path: &str, query: Option<&str>) -> bool {
    if let Some((pattern, of_query)) = rest.split_once("\\?") {
        return matches(pattern, path) && query.is_some_and(|query| matches(of_query, query));
    }
    if matches(rest, path) && (query.is_none() || rest.ends_with('*')) {
        return true;
    }
    let Some(query) = query else { return false };
    let marks = rest.match_indices('?').map(|(at, _)| (&rest[..at], &rest[at + 1..]));
    marks.into_iter().any(|(pattern, of_query)| matches(pattern, path) && matches(of_query, query))
}

fn matches(pattern: &str, text: &str) -> bool {
    wildcard::matches(pattern.as_bytes(), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(resource: &str, url: &str, expected: bool) {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (host, rest) = rest.split_at(rest.find('/').unwrap());
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        assert_eq!(covers(resource, scheme, host, path, query), expected, "{resource} {url}");
    }

    #[test]
    fn without_wildcards_it_is_this_url() {
        check("https://h/a", "https://h/a", true);
        check("https://H/a", "https://h/a", true);
        for other in ["http://h/a", "https://i/a", "https://h/A", "https://h/a?x=1", "https://h/a/"]
        {
            check("https://h/a", other, false);
        }
        check("https://h/a?x=1", "https://h/a?x=1", true);
        check("https://h/a?x=1", "https://h/a?x=1&y=2", false);
        check("https://h/a?x=1", "https://h/a", false);
        check("https://h", "https://h/", true);
        check("https://h", "https://h/a", false);
    }

    #[test]
    fn wildcards_stay_inside_their_section() {
        check("http*://h/a", "http://h/a", true);
        check("http*://h/a", "https://h/a", true);
        check("http?://h/a", "http://h/a", false);
        check("https://*.example.com/a", "https://www.example.com/a", true);
        check("https://*.example.com/a", "https://evil/x.example.com/a", false);
        check("https://h/*.jpg", "https://h/a/b.jpg", true);
        check("https://h/*.jpg", "https://h/a/b.png?x=.jpg", false);
        check("https://h/a*z", "https://h/a?z", false);
        check("https://h/img?.jpg", "https://h/img7.jpg", true);
        check("https://h/img?.jpg", "https://h/img77.jpg", false);
        check("https://h/a?x=*", "https://h/a?x=1&y=2", true);
        check("https://h/a?x=?", "https://h/a?x=1", true);
        check("https://h/*?x=1", "https://h/b/c?x=1", true);
        check("https://h/*?x=1", "https://h/b/c?x=2", false);
    }

    #[test]
    fn a_star_at_the_end_of_domain_or_path_reaches_over_the_rest() {
        check("https://h/a*", "https://h/a/b?x=1", true);
        check("https://h/*", "https://h/?x=1", true);
        check("https://h*", "https://h.example/a?x=1", true);
        check("https://*", "https://any/a?x", true);
        check("*", "http://any:8080/a?x", true);
    }

    #[test]
    fn the_protocol_may_be_left_out_before_a_star_only() {
        check("*.example.com/a", "http://www.example.com/a", true);
        check("*/a", "https://any/a", true);
        check("*h/a", "https://h/a", true);
        check("h/a", "https://h/a", false);
        check("/a", "https://h/a", false);
        check("", "https://h/a", false);
    }

    #[test]
    fn an_escaped_question_mark_begins_the_query() {
        check("https://h/a\\?x=1", "https://h/a?x=1", true);
        check("https://h/a\\?x=*", "https://h/a?x=1&y", true);
        check("https://h/a\\?x=1", "https://h/abx=1", false);
        check("https://h/a\\?x=1", "https://h/a", false);
    }
}
