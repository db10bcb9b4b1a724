//! The viewer's cookies as CloudFront takes them: pairs of name and value, in the order of names.

use ::http::{HeaderMap, HeaderValue, header};

use crate::policy::Selection;

/// One cookie, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie<'a> {
    /// What stands before the first `=`; octets, since a Cookie field may carry any.
    pub name: &'a [u8],
    /// What stands behind it, possibly nothing.
    pub value: &'a [u8],
}

/// All cookies of all Cookie fields (HTTP/2 may send one field for each), in the order of arrival.
///
/// What begins with `$` and what has no `=` is dropped (CloudFront guide: caching based on cookies).
pub fn cookies(headers: &HeaderMap) -> impl Iterator<Item = Cookie<'_>> {
    headers
        .get_all(header::COOKIE)
        .into_iter()
        .flat_map(|field| field.as_bytes().split(|&byte| byte == b';'))
        .filter_map(|pair| {
            let pair = pair.trim_ascii();
            let equals = pair.iter().position(|&byte| byte == b'=')?;
            let name = pair[..equals].trim_ascii_end();
            let is_cookie = !name.is_empty() && !name.starts_with(b"$");
            is_cookie.then(|| Cookie { name, value: pair[equals + 1..].trim_ascii_start() })
        })
}

/// The cookies that `is_meant`, sorted by name; those of one name keep their order.
pub fn sorted(headers: &HeaderMap, is_meant: impl Fn(&str) -> bool) -> Vec<Cookie<'_>> {
    // A name that is no text is on no list; only `All` and `AllExcept` mean it.
    let mut kept: Vec<_> = cookies(headers)
        .filter(|cookie| is_meant(std::str::from_utf8(cookie.name).unwrap_or(NO_TEXT)))
        .collect();
    kept.sort_by_key(|cookie| cookie.name);
    kept
}

/// The cookies that `selection` means, sorted by name.
pub fn selected<'a>(headers: &'a HeaderMap, selection: &Selection) -> Vec<Cookie<'a>> {
    match selection {
        Selection::None => Vec::new(),
        _ => sorted(headers, |name| selection.contains(name)),
    }
}

/// One Cookie field for all of them; `None` when there are none.
pub fn field(cookies: &[Cookie<'_>]) -> Option<HeaderValue> {
    if cookies.is_empty() {
        return None;
    }
    let mut text = Vec::new();
    for cookie in cookies {
        if !text.is_empty() {
            text.extend_from_slice(b"; ");
        }
        text.extend_from_slice(cookie.name);
        text.push(b'=');
        text.extend_from_slice(cookie.value);
    }
    Some(HeaderValue::from_bytes(&text).expect("parts of header values form a header value"))
}

/// Stands for names that are not UTF-8. No cookie has it as its name, since `=` ends a name.
const NO_TEXT: &str = "=";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;

    #[track_caller]
    fn check(fields: &[&str], selection: &Selection, expected: Option<&str>) {
        let headers = fixture::headers(fields);
        let made = field(&selected(&headers, selection));
        assert_eq!(made.as_ref().map(|value| value.to_str().unwrap()), expected, "{fields:?}");
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn cookies_are_sorted_by_name() {
        check(&["cookie: b=2; a=1;c=3"], &Selection::All, Some("a=1; b=2; c=3"));
        check(&["cookie: b=2", "cookie: a=1"], &Selection::All, Some("a=1; b=2"));
        check(&["cookie: a=2; a=1; A=0"], &Selection::All, Some("A=0; a=2; a=1"));
    }

    #[test]
    fn what_is_no_pair_is_dropped() {
        check(&["cookie: $Version=1; a=1; $Path=/; lonely; =x; ;"], &Selection::All, Some("a=1"));
        check(&["cookie: lonely"], &Selection::All, None);
        check(&["cookie: a=; b=x=y"], &Selection::All, Some("a=; b=x=y"));
        check(&["x: a=1"], &Selection::All, None);
    }

    #[test]
    fn only_the_selected_ones_are_left() {
        let fields = &["cookie: id=1; ID=2; sess-a=3; sess-b=4; other=5"];
        check(fields, &Selection::Only(names(&["id", "sess-*"])), Some("id=1"));
        check(
            fields,
            &Selection::AllExcept(names(&["id", "other"])),
            Some("ID=2; sess-a=3; sess-b=4"),
        );
        check(
            fields,
            &Selection::Matching(names(&["sess-?", "o*r"])),
            Some("other=5; sess-a=3; sess-b=4"),
        );
        check(fields, &Selection::None, None);
    }

    proptest! {
        #[test]
        fn any_octets_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert(header::COOKIE, value);
                field(&selected(&headers, &Selection::All));
                field(&selected(&headers, &Selection::Matching(names(&["a*"]))));
            }
        }

        #[test]
        fn reading_what_was_written_gives_the_same(text in "[ab$=; ]{0,30}") {
            let Some(once) = field(&selected(&fixture::headers(&[&format!("cookie: {text}")]), &Selection::All))
            else { return Ok(()) };
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, once.clone());
            prop_assert_eq!(field(&selected(&headers, &Selection::All)), Some(once));
        }
    }
}
