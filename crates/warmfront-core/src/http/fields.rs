//! Work on header fields that one pass does faster than many look-ups.

use ::http::{HeaderMap, HeaderName};

/// Takes the fields off whose names are `unwanted`.
///
/// Most heads have none of them. Then this is one look at each name, where a removal of every unwanted
/// name in turn would hash each of them.
pub fn remove_where(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    let found: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use ::http::header;

    use super::*;
    use crate::fixture;

    #[test]
    fn every_line_of_an_unwanted_name_goes_and_the_rest_keeps_its_order() {
        let mut headers = fixture::headers(&["via: 1", "x-a: 1", "via: 2", "x-b: 1", "te: x"]);
        remove_where(&mut headers, |name| matches!(*name, header::VIA | header::TE));
        assert_eq!(headers, fixture::headers(&["x-a: 1", "x-b: 1"]));
        remove_where(&mut headers, |_| false);
        assert_eq!(headers.len(), 2);
    }
}
