//! Common Media Client Data (CTA-5004): what a player says of itself, in four headers or in the query.

use std::borrow::Cow;

use http::HeaderMap;

const HEADERS: [&str; 4] = ["cmcd-object", "cmcd-request", "cmcd-session", "cmcd-status"];

/// The value of `key`, without quotes; `true` for a key that stands alone. Headers come before the query.
pub(super) fn value(headers: &HeaderMap, query: Option<&str>, key: &str) -> Option<String> {
    let in_headers = HEADERS
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .find_map(|line| find(line.to_str().ok()?, key));
    in_headers.or_else(|| {
        let parameters = query?.split('&');
        let data = parameters.filter_map(|parameter| parameter.strip_prefix("CMCD=")).next()?;
        find(&decoded(data), key)
    })
}

/// A list of `key=value`, of which texts stand in quotes and may hold commas.
fn find(list: &str, key: &str) -> Option<String> {
    let mut rest = list;
    while !rest.is_empty() {
        let (pair, after) = split_item(rest);
        rest = after;
        let (name, value) = match pair.split_once('=') {
            Some((name, value)) => (name, value.trim()),
            None => (pair, "true"),
        };
        if name.trim() == key {
            let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
            return Some(match quoted {
                Some(text) => text.replace("\\\"", "\"").replace("\\\\", "\\"),
                None => value.to_owned(),
            });
        }
    }
    None
}

/// Up to the next comma outside quotes, and what follows it.
fn split_item(list: &str) -> (&str, &str) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return (&list[..at], &list[at + 1..]),
            _ => {}
        }
    }
    (list, "")
}

/// Percent-decoded; what is not encoded stays.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_player_says_it_in_headers_or_in_the_query() {
        let rows = [
            (
                &[("cmcd-request", "bl=21300,dl=18500"), ("cmcd-object", "br=3200, d=4004")][..],
                None,
                "d",
                Some("4004"),
            ),
            (&[("cmcd-session", "sid=\"a,b=\\\"c\",v=1")], None, "sid", Some("a,b=\"c")),
            (&[("cmcd-session", "sid=\"a,v=9\",v=1")], None, "v", Some("1")),
            (&[("cmcd-status", "bs,rtp=15000")], None, "bs", Some("true")),
            (&[], Some("a=b&CMCD=br%3D1000%2Csid%3D%22x%22&c"), "sid", Some("x")),
            (&[("cmcd-object", "br=1")], Some("CMCD=br%3D2%2Ctb%3D3"), "br", Some("1")),
            (&[("cmcd-object", "br=1")], Some("CMCD=br%3D2%2Ctb%3D3"), "tb", Some("3")),
            (&[("cmcd-object", "br=")], None, "br", Some("")),
            (&[("cmcd-object", "\"br=1,,=")], None, "br", None),
            (&[], Some("CMCD=%"), "br", None),
            (&[], None, "br", None),
        ];
        for (sent, query, key, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, text) in sent {
                headers.append(*name, HeaderValue::from_static(text));
            }
            assert_eq!(
                value(&headers, query, key).as_deref(),
                expected,
                "{sent:?} {query:?} {key}"
            );
        }
    }
}
