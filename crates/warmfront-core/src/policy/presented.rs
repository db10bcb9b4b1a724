//! The fields of a request as its origin sees them, for responses that Vary says were selected by them.
//!
//! What does not reach the origin cannot have made a difference there; what the edge makes for each request
//! alone cannot be compared.

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::generated::Generated;
use super::origin_request::Rules;
use crate::http::{cookie, encoding, hop_by_hop};
use crate::request_view::RequestView;
use crate::{Behavior, Origin};

/// Whether the values of this field that two requests bring to the origin can be compared here.
pub fn is_comparable(behavior: &Behavior, name: &HeaderName) -> bool {
    let is_made_for_each =
        *name == header::VIA || matches!(name.as_str(), "x-forwarded-for" | "x-amz-cf-id");
    let needs_connection = Generated::named(name)
        .is_some_and(|it| matches!(it, Generated::Address | Generated::Tls | Generated::Asn))
        && lists(behavior, name);
    !is_made_for_each && !needs_connection
}

/// Whether the primary key tells requests apart by this field already.
pub fn is_keyed(behavior: &Behavior, name: &HeaderName) -> bool {
    let policy = &behavior.cache_policy;
    policy.headers.contains(name)
        || (*name == header::ACCEPT_ENCODING && encoding::is_normalized(policy))
}

/// Appends the value of `name`, its lines combined, and says whether the origin gets the field.
pub fn present(
    behavior: &Behavior,
    origin: &Origin,
    request: &RequestView<'_>,
    name: &HeaderName,
    out: &mut Vec<u8>,
) -> bool {
    let rules = Rules { behavior, origin, request };
    let one = |value: Option<HeaderValue>, out: &mut Vec<u8>| {
        let value = value.as_ref();
        out.extend_from_slice(value.map(HeaderValue::as_bytes).unwrap_or_default());
        value.is_some()
    };
    if *name == header::ACCEPT_ENCODING && rules.normalizes_accept_encoding() {
        let accepted = encoding::normalized(behavior, request.version, request.headers);
        return one(accepted.and_then(encoding::Accepted::for_origin), out);
    }
    if *name == header::HOST {
        return one(Some(rules.host()), out);
    }
    if *name == header::COOKIE {
        return one(cookie::field(&rules.cookies()), out);
    }
    if let Some(generated) = Generated::named(name)
        && lists(behavior, name)
    {
        return one(generated.value(request, None), out);
    }
    if !rules.forwards(name) || hop_by_hop::is_listed(request.headers, name) {
        return false;
    }
    let mut is_present = false;
    for line in request.headers.get_all(name) {
        if is_present {
            out.extend_from_slice(b", ");
        }
        is_present = true;
        out.extend_from_slice(line.as_bytes());
    }
    is_present
}

/// The same for a request that is over when its response comes: what every field brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented(HeaderMap);

impl Presented {
    /// What `request` brings.
    pub fn of(behavior: &Behavior, origin: &Origin, request: &RequestView<'_>) -> Self {
        let mut headers = HeaderMap::with_capacity(request.headers.keys_len() + 1);
        let made = [header::HOST];
        let listed = behavior.cache_policy.headers.iter();
        let listed = listed.chain(behavior.origin_request_policy.headers.listed());
        let mut value = Vec::new();
        for name in request.headers.keys().chain(listed).chain(&made) {
            value.clear();
            if present(behavior, origin, request, name, &mut value) {
                let value = HeaderValue::from_bytes(&value)
                    .expect("header values and commas form a header value");
                headers.insert(name, value);
            }
        }
        Self(headers)
    }

    /// Appends the value of `name` and says whether it was there, as [`present`] does.
    pub fn present(&self, name: &HeaderName, out: &mut Vec<u8>) -> bool {
        let value = self.0.get(name);
        out.extend_from_slice(value.map(HeaderValue::as_bytes).unwrap_or_default());
        value.is_some()
    }
}

fn lists(behavior: &Behavior, name: &HeaderName) -> bool {
    behavior.cache_policy.headers.contains(name)
        || behavior.origin_request_policy.headers.listed().contains(name)
}

#[cfg(test)]
mod tests {
    use ::http::{Method, Version};

    use super::*;
    use crate::fixture;
    use crate::origin::Scheme;
    use crate::policy::{HeaderSelection, Selection};

    fn everything() -> Behavior {
        let mut behavior = fixture::behavior("*");
        behavior.origin_request_policy.headers = HeaderSelection::AllViewer;
        behavior.origin_request_policy.cookies = Selection::All;
        behavior
    }

    #[track_caller]
    fn check(behavior: &Behavior, lines: &[&str], name: &str, expected: Option<&str>) {
        let headers = fixture::headers(lines);
        let view = RequestView {
            method: &Method::GET,
            scheme: Scheme::Https,
            version: Version::HTTP_11,
            host: "a.example",
            path: "/",
            query: None,
            headers: &headers,
            place: None,
        };
        let (origin, name) = (fixture::origin(), HeaderName::try_from(name).unwrap());
        let mut value = Vec::new();
        let is_present = present(behavior, &origin, &view, &name, &mut value);
        let told = is_present.then(|| String::from_utf8(value.clone()).unwrap());
        assert_eq!(told.as_deref(), expected, "{name} of {lines:?}");
        let mut later = Vec::new();
        let was_present = Presented::of(behavior, &origin, &view).present(&name, &mut later);
        assert_eq!((was_present, later), (is_present, value), "{name} later, of {lines:?}");
    }

    #[test]
    fn what_the_origin_gets_counts() {
        let all = everything();
        check(&all, &["foo: 1", "foo: 2"], "foo", Some("1, 2"));
        check(&all, &[], "foo", None);
        check(&all, &["foo:"], "foo", Some(""));
        check(&all, &["cookie: b=2; a=1"], "cookie", Some("a=1; b=2"));
        check(&all, &["host: wrong"], "host", Some("a.example"));
        check(&all, &["connection: foo", "foo: 1"], "foo", None);
        check(&all, &["te: trailers"], "te", None);
    }

    #[test]
    fn what_does_not_travel_makes_no_difference() {
        let plain = fixture::behavior("*");
        check(&plain, &["foo: 1"], "foo", None);
        check(&plain, &["cookie: a=1"], "cookie", None);
        check(&plain, &["user-agent: x"], "user-agent", None);
        check(&plain, &["if-none-match: \"x\""], "if-none-match", Some("\"x\""));
    }

    #[test]
    fn what_the_edge_makes_of_the_viewer_counts_as_it_is_made() {
        let mut behavior = everything();
        behavior.cache_policy.gzip = true;
        check(&behavior, &["accept-encoding: br, GZIP"], "accept-encoding", Some("gzip"));
        let device = HeaderName::from_static("cloudfront-is-mobile-viewer");
        behavior.origin_request_policy.headers =
            HeaderSelection::AllViewerAnd(vec![device.clone()]);
        check(&behavior, &["user-agent: iPhone"], device.as_str(), Some("true"));
        check(&behavior, &["cloudfront-is-mobile-viewer: true"], device.as_str(), Some("false"));
    }

    #[test]
    fn what_is_in_the_key_already_selects_no_more() {
        let mut behavior = everything();
        let keyed = |behavior: &Behavior| {
            ["accept-encoding", "foo"]
                .map(|name| is_keyed(behavior, &HeaderName::from_static(name)))
        };
        assert_eq!(keyed(&behavior), [false, false]);
        behavior.cache_policy.brotli = true;
        behavior.cache_policy.headers = vec![HeaderName::from_static("foo")];
        assert_eq!(keyed(&behavior), [true, true]);
    }

    #[test]
    fn what_is_made_for_each_request_cannot_be_compared() {
        let mut behavior = everything();
        let comparable =
            |behavior: &Behavior, name| is_comparable(behavior, &HeaderName::from_static(name));
        for name in ["via", "x-forwarded-for", "x-amz-cf-id"] {
            assert!(!comparable(&behavior, name), "{name}");
        }
        let address = "cloudfront-viewer-address";
        assert!(comparable(&behavior, "foo") && comparable(&behavior, address));
        behavior.origin_request_policy.headers =
            HeaderSelection::AllViewerAnd(vec![HeaderName::from_static(address)]);
        assert!(!comparable(&behavior, address));
    }
}
