//! Whether a request gets in at all, and every way the edge itself says no.
//!
//! What a head must look like is `http::framing`'s knowledge, which refuses with the same type.

use ::http::{Method, Version};

use crate::access::signed::Denied;
use crate::behavior::{AllowedMethods, ViewerProtocolPolicy};
use crate::http::framing::Malformed;
use crate::origin::Scheme;
use crate::request_view::RequestView;
use crate::{Behavior, Distribution};

/// What becomes of a request before any cache or function sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It goes on.
    Pass,
    /// It came over http and is sent to https with this status.
    RedirectToHttps {
        /// 301 for GET and HEAD, 307 for methods that may carry a body.
        status: u16,
    },
    /// It ends here.
    Refuse(Refusal),
}

/// Every way the edge itself refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing more precise is known.
    BadRequest,
    /// Two servers could read this head differently, or none could.
    Malformed(Malformed),
    /// An Expect other than `100-continue`.
    Expectation,
    /// Path and query are longer than [`crate::http::framing::MAX_URL`].
    UrlTooLong,
    /// The head is longer than [`crate::http::framing::MAX_HEAD`].
    HeadTooLarge,
    /// The head has more than [`crate::http::framing::MAX_FIELDS`] fields.
    TooManyFields,
    /// No distribution has this name.
    UnknownHost,
    /// The distribution is disabled.
    Disabled,
    /// `https-only`, and the viewer came over http.
    HttpsOnly,
    /// `redirect-to-https`, and an HTTP/1.0 viewer that has no 307.
    RedirectNeedsHttp11,
    /// The behavior does not allow the method.
    MethodNotAllowed,
    /// A method that is for connections or for looking at proxies, where any other may pass.
    MethodRefused,
    /// GET or HEAD with a body.
    BodyNotAllowed,
    /// `GeoRestriction` does not admit the viewer's country.
    CountryBlocked,
    /// The behavior asks for a signature, and the request has none that holds.
    Signature(Denied),
}

/// Decides in the order of CloudFront's checks.
///
/// `has_body` says whether any octet of a body has come or is announced.
pub fn admit(
    distribution: &Distribution,
    behavior: &Behavior,
    request: &RequestView<'_>,
    has_body: bool,
) -> Admission {
    if !distribution.enabled {
        return Admission::Refuse(Refusal::Disabled);
    }
    let takes_any = behavior.rules.any_method;
    if takes_any && matches!(*request.method, Method::CONNECT | Method::TRACE) {
        return Admission::Refuse(Refusal::MethodRefused);
    }
    if !takes_any && !is_known(request.method) {
        return Admission::Refuse(Refusal::MethodNotAllowed);
    }
    let is_safe = matches!(*request.method, Method::GET | Method::HEAD);
    if request.scheme == Scheme::Http {
        match behavior.viewer_protocol_policy {
            ViewerProtocolPolicy::AllowAll => {}
            ViewerProtocolPolicy::HttpsOnly => return Admission::Refuse(Refusal::HttpsOnly),
            ViewerProtocolPolicy::RedirectToHttps if is_safe => {
                return Admission::RedirectToHttps { status: 301 };
            }
            ViewerProtocolPolicy::RedirectToHttps if request.version < Version::HTTP_11 => {
                return Admission::Refuse(Refusal::RedirectNeedsHttp11);
            }
            ViewerProtocolPolicy::RedirectToHttps => {
                return Admission::RedirectToHttps { status: 307 };
            }
        }
    }
    // A behavior that allows only some methods is meant so; one that allows all that CloudFront knows is
    // open to those that it does not know.
    let is_open = takes_any && behavior.allowed_methods == AllowedMethods::All;
    if !is_open && !behavior.allowed_methods.contains(request.method) {
        return Admission::Refuse(Refusal::MethodNotAllowed);
    }
    // Where it passes, the answer is not stored, and none that is stored answers.
    if is_safe && has_body && !takes_any {
        // Also what keeps a body that no key knows away from the cache ("fat GET").
        return Admission::Refuse(Refusal::BodyNotAllowed);
    }
    Admission::Pass
}

/// CloudFront knows seven methods; CONNECT, TRACE and custom ones it refuses everywhere.
fn is_known(method: &Method) -> bool {
    crate::behavior::AllowedMethods::All.contains(method)
}

impl Refusal {
    /// The status of the reply.
    pub fn status(&self) -> u16 {
        match self {
            Refusal::BadRequest | Refusal::Malformed(_) => 400,
            Refusal::Expectation => 417,
            Refusal::UrlTooLong => 414,
            Refusal::HeadTooLarge | Refusal::TooManyFields => 494,
            Refusal::MethodRefused => 405,
            Refusal::UnknownHost
            | Refusal::Disabled
            | Refusal::HttpsOnly
            | Refusal::RedirectNeedsHttp11
            | Refusal::MethodNotAllowed
            | Refusal::BodyNotAllowed
            | Refusal::CountryBlocked
            | Refusal::Signature(_) => 403,
        }
    }

    /// The sentence of the error page: what is wrong, and what the viewer or the owner can do.
    pub fn reason(&self) -> &str {
        match self {
            Refusal::BadRequest => "Bad request.",
            Refusal::Malformed(malformed) => malformed.reason(),
            Refusal::Expectation => "Bad request. Expect can only be 100-continue.",
            Refusal::UrlTooLong => "The URL is longer than 8192 bytes.",
            Refusal::HeadTooLarge => {
                "The URL and the headers together are longer than 32768 bytes."
            }
            Refusal::TooManyFields => "The request has more than 128 header fields.",
            Refusal::UnknownHost => {
                "No distribution serves this host name. \
                 Its owner can add the name to the distribution's Aliases."
            }
            Refusal::Disabled => "Request blocked. The distribution is disabled.",
            Refusal::HttpsOnly => "This distribution answers here over HTTPS only.",
            Refusal::RedirectNeedsHttp11 => {
                "This distribution answers here over HTTPS only, \
                 and HTTP/1.0 has no redirect that keeps the method."
            }
            Refusal::MethodNotAllowed => {
                "This distribution is not configured to allow the HTTP method of this request. \
                 Its owner can change AllowedMethods of the cache behavior."
            }
            Refusal::MethodRefused => "TRACE and CONNECT are for nobody behind this address.",
            Refusal::BodyNotAllowed => "Bad request. GET and HEAD requests cannot have a body.",
            Refusal::CountryBlocked => {
                "This distribution is configured to block access from your country."
            }
            Refusal::Signature(denied) => denied.reason(),
        }
    }

    /// `x-edge-detailed-result-type` of the access log (CloudFront guide: standard logs).
    pub fn detailed_result(&self) -> &'static str {
        match self {
            Refusal::BadRequest | Refusal::UrlTooLong | Refusal::BodyNotAllowed => "InvalidRequest",
            Refusal::Malformed(malformed) => malformed.detailed_result(),
            Refusal::Expectation | Refusal::HeadTooLarge | Refusal::TooManyFields => {
                "InvalidRequestHeader"
            }
            Refusal::MethodNotAllowed | Refusal::MethodRefused => "InvalidRequestMethod",
            Refusal::UnknownHost
            | Refusal::Disabled
            | Refusal::HttpsOnly
            | Refusal::RedirectNeedsHttp11 => "InvalidRequestBlocked",
            Refusal::CountryBlocked => "ClientGeoBlocked",
            // The vocabulary has no word for signatures.
            Refusal::Signature(_) => "Error",
        }
    }

    /// Whether a custom error response for its status replaces it. CloudFront guide: countries and
    /// signatures; a request that the distribution does not take at all (for its form, host, scheme or
    /// method) gets the edge's own words.
    pub fn may_have_page(&self) -> bool {
        matches!(self, Refusal::CountryBlocked | Refusal::Signature(_))
    }

    /// Whether what follows on the connection is not to be trusted or not worth reading.
    ///
    /// CloudFront guide: 414 and 494 close; our framing rules close after every malformed head,
    /// and a body that nobody wants is not read.
    pub fn closes_connection(&self) -> bool {
        !matches!(
            self,
            Refusal::UnknownHost
                | Refusal::Disabled
                | Refusal::HttpsOnly
                | Refusal::RedirectNeedsHttp11
                | Refusal::MethodNotAllowed
                | Refusal::MethodRefused
                | Refusal::CountryBlocked
                | Refusal::Signature(_)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::behavior::AllowedMethods;
    use crate::fixture;

    struct Rules(ViewerProtocolPolicy, AllowedMethods);

    #[track_caller]
    fn check(rules: &Rules, method: &str, scheme: Scheme, version: Version, expected: Admission) {
        let behavior = Behavior {
            viewer_protocol_policy: rules.0,
            allowed_methods: rules.1,
            ..fixture::behavior("*")
        };
        assert_eq!(admitted(&behavior, method, scheme, version, false), expected, "{method}");
        let body = admitted(&behavior, method, scheme, version, true);
        if expected == Admission::Pass && (method == "GET" || method == "HEAD") {
            assert_eq!(body, Admission::Refuse(Refusal::BodyNotAllowed));
        } else {
            assert_eq!(body, expected);
        }
    }

    fn admitted(
        behavior: &Behavior,
        method: &str,
        scheme: Scheme,
        version: Version,
        has_body: bool,
    ) -> Admission {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let headers = ::http::HeaderMap::new();
        let view = RequestView {
            method: &method,
            scheme,
            version,
            host: "localhost",
            path: "/",
            query: None,
            headers: &headers,
            place: None,
        };
        let disabled = Distribution { enabled: false, ..fixture::distribution() };
        assert_eq!(admit(&disabled, behavior, &view, false), Admission::Refuse(Refusal::Disabled));
        admit(&fixture::distribution(), behavior, &view, has_body)
    }

    use AllowedMethods::{All, GetHead, GetHeadOptions};
    use Scheme::{Http, Https};
    use ViewerProtocolPolicy::{AllowAll, HttpsOnly, RedirectToHttps};

    const BLOCKED: Admission = Admission::Refuse(Refusal::MethodNotAllowed);

    #[test]
    fn a_behavior_allows_one_of_three_sets_of_methods() {
        for (set, methods) in [
            (GetHead, &["GET", "HEAD"][..]),
            (GetHeadOptions, &["GET", "HEAD", "OPTIONS"]),
            (All, &["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]),
        ] {
            for method in ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"] {
                let expected = if methods.contains(&method) { Admission::Pass } else { BLOCKED };
                check(&Rules(AllowAll, set), method, Https, Version::HTTP_2, expected);
            }
        }
    }

    #[test]
    fn other_methods_never_pass_and_are_never_redirected() {
        for method in ["TRACE", "CONNECT", "PURGE", "get"] {
            check(&Rules(AllowAll, All), method, Https, Version::HTTP_11, BLOCKED);
            check(&Rules(RedirectToHttps, All), method, Http, Version::HTTP_11, BLOCKED);
        }
    }

    #[test]
    fn rules_that_take_any_method_open_what_allows_all_and_refuse_two() {
        let pass = Admission::Pass;
        let refused = Admission::Refuse(Refusal::MethodRefused);
        for (set, method, expected) in [
            (All, "M-SEARCH", pass),
            (All, "POST", pass),
            (GetHeadOptions, "M-SEARCH", BLOCKED),
            (GetHead, "POST", BLOCKED),
            (All, "TRACE", refused),
            (GetHead, "CONNECT", refused),
        ] {
            let mut behavior = fixture::behavior("*");
            behavior.allowed_methods = set;
            behavior.rules = crate::caching::CacheRules::RFC9111;
            assert_eq!(admitted(&behavior, method, Https, Version::HTTP_11, false), expected);
            assert_eq!(admitted(&behavior, method, Https, Version::HTTP_11, true), expected);
            assert_eq!(admitted(&behavior, "GET", Https, Version::HTTP_11, true), pass);
        }
    }

    #[test]
    fn http_is_redirected_in_the_way_that_keeps_the_method() {
        let rules = Rules(RedirectToHttps, GetHead);
        let to = |status| Admission::RedirectToHttps { status };
        for method in ["GET", "HEAD"] {
            check(&rules, method, Http, Version::HTTP_11, to(301));
            check(&rules, method, Http, Version::HTTP_10, to(301));
        }
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            check(&rules, method, Http, Version::HTTP_11, to(307));
            check(&rules, method, Http, Version::HTTP_2, to(307));
            let refused = Admission::Refuse(Refusal::RedirectNeedsHttp11);
            check(&rules, method, Http, Version::HTTP_10, refused);
        }
        check(&rules, "GET", Https, Version::HTTP_11, Admission::Pass);
    }

    #[test]
    fn https_only_refuses_http() {
        let rules = Rules(HttpsOnly, All);
        check(&rules, "GET", Http, Version::HTTP_11, Admission::Refuse(Refusal::HttpsOnly));
        check(&rules, "POST", Http, Version::HTTP_11, Admission::Refuse(Refusal::HttpsOnly));
        check(&rules, "POST", Https, Version::HTTP_11, Admission::Pass);
    }

    #[test]
    fn every_refusal_has_cloudfronts_status_and_log_word() {
        for (refusal, status, detailed, closes) in [
            (Refusal::BadRequest, 400, "InvalidRequest", true),
            (Refusal::Malformed(Malformed::Host), 400, "InvalidRequestHeader", true),
            (Refusal::Malformed(Malformed::Target), 400, "InvalidRequest", true),
            (Refusal::Expectation, 417, "InvalidRequestHeader", true),
            (Refusal::UrlTooLong, 414, "InvalidRequest", true),
            (Refusal::HeadTooLarge, 494, "InvalidRequestHeader", true),
            (Refusal::TooManyFields, 494, "InvalidRequestHeader", true),
            (Refusal::UnknownHost, 403, "InvalidRequestBlocked", false),
            (Refusal::Disabled, 403, "InvalidRequestBlocked", false),
            (Refusal::HttpsOnly, 403, "InvalidRequestBlocked", false),
            (Refusal::RedirectNeedsHttp11, 403, "InvalidRequestBlocked", false),
            (Refusal::MethodNotAllowed, 403, "InvalidRequestMethod", false),
            (Refusal::MethodRefused, 405, "InvalidRequestMethod", false),
            (Refusal::BodyNotAllowed, 403, "InvalidRequest", true),
            (Refusal::CountryBlocked, 403, "ClientGeoBlocked", false),
            (Refusal::Signature(Denied::Expired), 403, "Error", false),
        ] {
            assert_eq!(refusal.status(), status, "{refusal:?}");
            assert_eq!(refusal.detailed_result(), detailed, "{refusal:?}");
            assert_eq!(refusal.closes_connection(), closes, "{refusal:?}");
            assert!(refusal.reason().ends_with('.'), "{refusal:?}");
        }
    }
}
