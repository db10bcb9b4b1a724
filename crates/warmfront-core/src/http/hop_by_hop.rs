//! Header fields that belong to one connection and never travel on (RFC 9110 §7.6.1).
//!
//! Own fields are set after this, so that a peer can never take one of ours away.

use ::http::{HeaderMap, HeaderName, header};

use super::fields;

/// Takes off the fixed hop-by-hop fields, `Proxy` (httpoxy), and what Connection names.
///
/// Host and Content-Length stay whatever Connection says (CVE-2026-26365 is what happens otherwise),
/// and so does Trailer: it only announces names, and trailers do travel on.
pub fn strip(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        // `keep-alive` goes anyway, and is what nearly every Connection says.
        let listed: Vec<HeaderName> = listed(headers)
            .filter(|name| !name.eq_ignore_ascii_case(KEEP_ALIVE.as_bytes()))
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| !is_kept(name))
            .collect();
        for name in listed {
            headers.remove(name);
        }
    }
    fields::remove_where(headers, is_fixed);
}

/// Whether `name` would be stripped from `headers`. Allocates nothing.
pub fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    is_fixed(name) || is_listed(headers, name)
}

/// Whether this field belongs to a connection whatever Connection says.
pub(crate) fn is_fixed(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::PROXY_AUTHENTICATE
            | header::PROXY_AUTHORIZATION
            | header::TE
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    ) || matches!(
        name.as_str(),
        KEEP_ALIVE | "proxy-connection" | "proxy" | "proxy-authentication-info"
    )
}

/// Takes off `target` what the Connection of `source` names; work linear in both.
pub(crate) fn remove_listed(source: &HeaderMap, target: &mut HeaderMap) {
    for name in listed(source).filter_map(|name| std::str::from_utf8(name).ok()) {
        if !KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name)) {
            target.remove(name);
        }
    }
}

/// Whether Connection names this field, and is heard.
pub fn is_listed(headers: &HeaderMap, name: &HeaderName) -> bool {
    let name_octets = name.as_str().as_bytes();
    !is_kept(name) && listed(headers).any(|listed| listed.eq_ignore_ascii_case(name_octets))
}

/// The members of all Connection fields.
fn listed(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers
        .get_all(header::CONNECTION)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
}

fn is_kept(name: &HeaderName) -> bool {
    KEPT.contains(&name.as_str())
}

const KEPT: [&str; 2] = ["host", "content-length"];

const KEEP_ALIVE: &str = "keep-alive";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[track_caller]
    fn check(before: &[&str], after: &[&str]) {
        let mut headers = fixture::headers(before);
        for (name, _) in &fixture::headers(before) {
            let survives = fixture::headers(after).contains_key(name);
            assert_eq!(is_hop_by_hop(&headers, name), !survives, "{name}");
        }
        let mut copy = headers.clone();
        headers.keys().filter(|name| is_fixed(name)).for_each(|name| drop(copy.remove(name)));
        remove_listed(&headers, &mut copy);
        strip(&mut headers);
        assert_eq!(headers, fixture::headers(after));
        assert_eq!(copy, headers);
    }

    #[test]
    fn the_fixed_list_goes() {
        check(
            &[
                "connection: close",
                "keep-alive: 5",
                "proxy-authenticate: x",
                "proxy-authentication-info: x",
                "proxy-authorization: x",
                "a: 1",
            ],
            &["a: 1"],
        );
        check(&["te: trailers", "transfer-encoding: chunked", "upgrade: h2c", "proxy: x"], &[]);
        check(&["proxy-connection: keep-alive", "trailer: x"], &["trailer: x"]);
        check(&["proxy-authentication-info: x"], &[]);
    }

    #[test]
    fn what_connection_names_goes_in_any_case_and_from_every_line() {
        check(
            &[
                "connection: X-One , x-two,,",
                "connection: X-THREE",
                "x-one: 1",
                "x-two: 2",
                "x-two: 2",
                "x-three: 3",
                "x-four: 4",
            ],
            &["x-four: 4"],
        );
    }

    #[test]
    fn nobody_can_take_host_or_content_length_away() {
        check(
            &["connection: host, content-length, close", "host: a", "content-length: 3"],
            &["host: a", "content-length: 3"],
        );
    }

    #[test]
    fn members_that_are_no_names_are_ignored() {
        check(&["connection: , \"a\", (x), é", "a: 1"], &["a: 1"]);
    }
}
