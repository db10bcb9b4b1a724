//! Where a viewer goes who came over http to a behavior that redirects.

use std::borrow::Cow;

use http::HeaderValue;
use warmfront_core::request_view::RequestView;

/// The viewer's URL with https: the raw path and query, the Host without its port, and our port
/// unless it is 443. None for an HTTP/1.0 viewer that names no host.
pub(super) fn https_location(
    view: &RequestView<'_>,
    raw_path: &str,
    https_port: u16,
) -> Option<HeaderValue> {
    if view.host.is_empty() {
        return None;
    }
    let name = match view.host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => view.host,
    };
    let port =
        if https_port == 443 { Cow::Borrowed("") } else { Cow::Owned(format!(":{https_port}")) };
    let query = view.query.map_or(Cow::Borrowed(""), |query| Cow::Owned(format!("?{query}")));
    HeaderValue::try_from(format!("https://{name}{port}{raw_path}{query}")).ok()
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use warmfront_core::origin::Scheme;

    #[track_caller]
    fn check(host: &str, query: Option<&str>, https_port: u16, expected: Option<&str>) {
        let view = RequestView {
            method: &Method::GET,
            scheme: Scheme::Http,
            version: http::Version::HTTP_10,
            host,
            path: "/index.html",
            query,
            headers: &http::HeaderMap::new(),
            place: None,
        };
        let location = https_location(&view, "/", https_port);
        assert_eq!(location.as_ref().map(|location| location.to_str().unwrap()), expected);
    }

    #[test]
    fn the_redirect_leads_to_the_same_url_on_our_https_port() {
        check("a.example", None, 443, Some("https://a.example/"));
        check("a.example:8080", Some("b=%2f"), 443, Some("https://a.example/?b=%2f"));
        check("a.example:8080", Some(""), 8443, Some("https://a.example:8443/?"));
        check("[::1]", None, 443, Some("https://[::1]/"));
        check("[::1]:8080", None, 8443, Some("https://[::1]:8443/"));
    }

    #[test]
    fn without_a_host_there_is_nowhere_to_lead_to() {
        check("", None, 443, None);
    }
}
