//! The response headers policies that AWS brings along (CloudFront guide: managed response headers
//! policies): two ways of CORS, one set of security headers, and both together.

use ::http::{HeaderName, HeaderValue, header};

use super::is_meant;
use crate::policy::ResponseHeadersPolicy;
use crate::policy::response_headers::cors::AllowOrigin;
use crate::policy::response_headers::{Cors, SetHeader};

/// The managed response headers policy with this id or name.
pub fn response_headers_policy(id_or_name: &str) -> Option<ResponseHeadersPolicy> {
    let row = ROWS.iter().find(|row| is_meant(row.id, row.name, id_or_name))?;
    let any_origin = Cors {
        allow_origins: vec![AllowOrigin::Any],
        allow_headers: Vec::new(),
        allow_methods: None,
        allow_credentials: false,
        expose_headers: None,
        exposes_to_preflight_only: true,
        max_age: None,
        origin_override: false,
    };
    let set = |(name, value, overrides): &(HeaderName, &'static str, bool)| SetHeader {
        name: name.clone(),
        value: HeaderValue::from_static(value),
        overrides: *overrides,
    };
    Some(ResponseHeadersPolicy {
        name: row.name.to_owned(),
        remove: Vec::new(),
        cors: match row.cors {
            Allows::Nothing => None,
            Allows::Reading => Some(any_origin),
            Allows::Everything => Some(Cors {
                allow_methods: Some(HeaderValue::from_static(
                    "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
                )),
                expose_headers: Some(HeaderValue::from_static("*")),
                ..any_origin
            }),
        },
        set: if row.is_secure { SECURITY.iter().map(set).collect() } else { Vec::new() },
        server_timing: None,
    })
}

/// Id and name of each managed response headers policy.
pub fn response_headers_policy_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().map(|row| (row.id, row.name))
}

struct Row {
    id: &'static str,
    name: &'static str,
    cors: Allows,
    is_secure: bool,
}

#[derive(Clone, Copy)]
enum Allows {
    Nothing,
    Reading,
    Everything,
}

const ROWS: [Row; 5] = [
    Row {
        id: "60669652-455b-4ae9-85a4-c4c02393f86c",
        name: "Managed-SimpleCORS",
        cors: Allows::Reading,
        is_secure: false,
    },
    Row {
        id: "5cc3b908-e619-4b99-88e5-2cf7f45965bd",
        name: "Managed-CORS-With-Preflight",
        cors: Allows::Everything,
        is_secure: false,
    },
    Row {
        id: "e61eb60c-9c35-4d20-a928-2b84e02af89c",
        name: "Managed-CORS-and-SecurityHeadersPolicy",
        cors: Allows::Reading,
        is_secure: true,
    },
    Row {
        id: "eaab4381-ed33-4a86-88ca-d9558dc6cd63",
        name: "Managed-CORS-with-preflight-and-SecurityHeadersPolicy",
        cors: Allows::Everything,
        is_secure: true,
    },
    Row {
        id: "67f7725c-6f97-4210-82d7-5512b31e9d03",
        name: "Managed-SecurityHeadersPolicy",
        cors: Allows::Nothing,
        is_secure: true,
    },
];

const SECURITY: [(HeaderName, &str, bool); 5] = [
    (header::REFERRER_POLICY, "strict-origin-when-cross-origin", false),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000", false),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff", true),
    (header::X_FRAME_OPTIONS, "SAMEORIGIN", false),
    (header::X_XSS_PROTECTION, "1; mode=block", false),
];

#[cfg(test)]
mod tests {
    use ::http::Method;

    use super::*;
    use crate::fixture;
    use crate::policy::response_headers::apply;

    #[track_caller]
    fn check(policy: &str, method: Method, expected: &[&str]) {
        let policy = response_headers_policy(policy).unwrap();
        let mut request = fixture::headers(&["origin: https://a.example"]);
        if method == Method::OPTIONS {
            let asked = HeaderValue::from_static("PUT");
            request.insert(header::ACCESS_CONTROL_REQUEST_METHOD, asked);
        }
        let mut response = fixture::headers(&["server: s", "x-content-type-options: sniff"]);
        apply(&policy, &method, &request, &mut response);
        let lines: Vec<_> = ["server: s"].iter().chain(expected).copied().collect();
        assert_eq!(response, fixture::headers(&lines), "{}", policy.name);
    }

    #[test]
    fn each_does_what_the_guide_says() {
        let sniff = "x-content-type-options: sniff";
        let any = "access-control-allow-origin: *";
        let methods = "access-control-allow-methods: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
        let expose = "access-control-expose-headers: *";
        let security = [
            "referrer-policy: strict-origin-when-cross-origin",
            "strict-transport-security: max-age=31536000",
            "x-content-type-options: nosniff",
            "x-frame-options: SAMEORIGIN",
            "x-xss-protection: 1; mode=block",
        ];
        let with = |cors: &[&'static str]| [cors, &security[..]].concat();
        check("SimpleCORS", Method::GET, &[sniff, any]);
        check("SimpleCORS", Method::OPTIONS, &[sniff, any]);
        check("CORS-With-Preflight", Method::GET, &[sniff, any]);
        check("CORS-With-Preflight", Method::OPTIONS, &[sniff, any, methods, expose]);
        check("CORS-and-SecurityHeadersPolicy", Method::GET, &with(&[any]));
        let both = "CORS-with-preflight-and-SecurityHeadersPolicy";
        check(both, Method::GET, &with(&[any]));
        check(both, Method::OPTIONS, &with(&[any, methods, expose]));
        check("SecurityHeadersPolicy", Method::GET, &with(&[]));
    }
}
