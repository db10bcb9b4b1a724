//! The policies that AWS brings along, by id and by name (CloudFront guide: managed policies).
//!
//! Names are taken with and without their prefix `Managed-`. The TTLs and codings of the last three
//! Amplify cache policies follow the pattern of the others; the guide does not print them.

mod response_headers;

use ::http::HeaderName;

pub use response_headers::{response_headers_policy, response_headers_policy_names};

use super::{CachePolicy, HeaderSelection, OriginRequestPolicy, Selection, TtlBounds};

/// The managed cache policy with this id or name.
pub fn cache_policy(id_or_name: &str) -> Option<CachePolicy> {
    CACHE_POLICIES.iter().find(|row| is_meant(row.id, row.name, id_or_name)).map(CacheRow::compile)
}

/// The managed origin request policy with this id or name.
pub fn origin_request_policy(id_or_name: &str) -> Option<OriginRequestPolicy> {
    let row = ORIGIN_REQUEST_POLICIES.iter().find(|row| is_meant(row.id, row.name, id_or_name))?;
    Some(row.compile())
}

/// Id and name of each managed cache policy.
pub fn cache_policy_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    CACHE_POLICIES.iter().map(|row| (row.id, row.name))
}

/// Id and name of each managed origin request policy.
pub fn origin_request_policy_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    ORIGIN_REQUEST_POLICIES.iter().map(|row| (row.id, row.name))
}

/// Whether this policy keeps `response-content-type`, `-disposition` and `-encoding` from S3.
/// Policies of one's own, whatever they allow, do not.
pub(crate) fn withholds_response_parameters(policy_name: &str) -> bool {
    WITHHOLDING.contains(&policy_name)
}

/// The query parameters by which a request chooses headers of S3's response.
pub(crate) const RESPONSE_PARAMETERS: [&str; 3] =
    ["response-content-type", "response-content-disposition", "response-content-encoding"];

const PREFIX: &str = "Managed-";

fn is_meant(id: &str, name: &str, wanted: &str) -> bool {
    id.eq_ignore_ascii_case(wanted)
        || name == wanted
        || name.strip_prefix(PREFIX).is_some_and(|short| short == wanted)
        || wanted.strip_prefix(PREFIX).is_some_and(|short| short == name)
}

struct CacheRow {
    id: &'static str,
    name: &'static str,
    ttl: (u64, u64, u64),
    headers: &'static [&'static str],
    cookies: Choice,
    query_strings: Choice,
    gzip: bool,
    brotli: bool,
}

struct OriginRequestRow {
    id: &'static str,
    name: &'static str,
    headers: Headers,
    cookies: Choice,
    query_strings: Choice,
}

#[derive(Clone, Copy)]
enum Choice {
    None,
    Only(&'static [&'static str]),
    All,
}

#[derive(Clone, Copy)]
enum Headers {
    Only(&'static [&'static str]),
    AllViewer,
    AllViewerAnd(&'static [&'static str]),
    AllExcept(&'static [&'static str]),
}

impl CacheRow {
    fn compile(&self) -> CachePolicy {
        let (min, default, max) = self.ttl;
        CachePolicy {
            name: self.name.to_owned(),
            ttl: TtlBounds::new(min, default, max).expect("the table's TTLs are in order"),
            headers: names(self.headers),
            cookies: self.cookies.compile(),
            query_strings: self.query_strings.compile(),
            gzip: self.gzip,
            brotli: self.brotli,
            legacy: false,
        }
    }
}

impl OriginRequestRow {
    fn compile(&self) -> OriginRequestPolicy {
        OriginRequestPolicy {
            name: self.name.to_owned(),
            headers: match self.headers {
                Headers::Only(list) => HeaderSelection::Only(names(list)),
                Headers::AllViewer => HeaderSelection::AllViewer,
                Headers::AllViewerAnd(list) => HeaderSelection::AllViewerAnd(names(list)),
                Headers::AllExcept(list) => HeaderSelection::AllExcept(names(list)),
            },
            cookies: self.cookies.compile(),
            query_strings: self.query_strings.compile(),
        }
    }
}

impl Choice {
    fn compile(self) -> Selection {
        match self {
            Choice::None => Selection::None,
            Choice::Only(list) => Selection::Only(list.iter().map(|&name| name.into()).collect()),
            Choice::All => Selection::All,
        }
    }
}

fn names(list: &[&'static str]) -> Vec<HeaderName> {
    list.iter().map(|name| HeaderName::from_static(name)).collect()
}

const DAY: u64 = 86_400;
const YEAR: u64 = 31_536_000;

const METHOD_OVERRIDES: &[&str] =
    &["host", "origin", "x-http-method", "x-http-method-override", "x-method-override"];

const CACHE_POLICIES: [CacheRow; 11] = [
    CacheRow {
        id: "658327ea-f89d-4fab-a63d-7e88639e58f6",
        name: "Managed-CachingOptimized",
        ttl: (1, DAY, YEAR),
        headers: &[],
        cookies: Choice::None,
        query_strings: Choice::None,
        gzip: true,
        brotli: true,
    },
    CacheRow {
        id: "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
        name: "Managed-CachingOptimizedForUncompressedObjects",
        ttl: (1, DAY, YEAR),
        headers: &[],
        cookies: Choice::None,
        query_strings: Choice::None,
        gzip: false,
        brotli: false,
    },
    CacheRow {
        id: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
        name: "Managed-CachingDisabled",
        ttl: (0, 0, 0),
        headers: &[],
        cookies: Choice::None,
        query_strings: Choice::None,
        gzip: false,
        brotli: false,
    },
    CacheRow {
        id: "08627262-05a9-4f76-9ded-b50ca2e3a84f",
        name: "Managed-Elemental-MediaPackage",
        ttl: (0, DAY, YEAR),
        headers: &["origin"],
        cookies: Choice::None,
        query_strings: Choice::Only(&["aws.manifestfilter", "start", "end", "m"]),
        gzip: true,
        brotli: false,
    },
    CacheRow {
        id: "2e54312d-136d-493c-8eb9-b001f22f67d2",
        name: "Managed-Amplify",
        ttl: (2, 2, 600),
        headers: &["authorization", "cloudfront-viewer-country", "host"],
        cookies: Choice::All,
        query_strings: Choice::All,
        gzip: true,
        brotli: true,
    },
    CacheRow {
        id: "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
        name: "UseOriginCacheControlHeaders",
        ttl: (0, 0, YEAR),
        headers: METHOD_OVERRIDES,
        cookies: Choice::All,
        query_strings: Choice::None,
        gzip: true,
        brotli: true,
    },
    CacheRow {
        id: "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
        name: "UseOriginCacheControlHeaders-QueryStrings",
        ttl: (0, 0, YEAR),
        headers: METHOD_OVERRIDES,
        cookies: Choice::All,
        query_strings: Choice::All,
        gzip: true,
        brotli: true,
    },
    CacheRow {
        id: "4d1d2f1d-3a71-49ad-9e08-7ea5d843a556",
        name: "Managed-Amplify-Default",
        ttl: (0, 0, YEAR),
        headers: &["accept", "authorization", "cloudfront-viewer-country", "host"],
        cookies: Choice::All,
        query_strings: Choice::All,
        gzip: true,
        brotli: true,
    },
    CacheRow {
        id: "a6bad946-36c3-4c33-aa98-362c74a7fb13",
        name: "Managed-Amplify-DefaultNoCookies",
        ttl: (0, 0, YEAR),
        headers: &["accept", "authorization", "cloudfront-viewer-country", "host"],
        cookies: Choice::None,
        query_strings: Choice::All,
        gzip: true,
        brotli: true,
    },
    CacheRow {
        id: "1c6db51a-a33f-469a-8245-dae26771f530",
        name: "Managed-Amplify-ImageOptimization",
        ttl: (0, 0, YEAR),
        headers: &["accept", "authorization", "host"],
        cookies: Choice::None,
        query_strings: Choice::All,
        gzip: true,
        brotli: true,
    },
    CacheRow {
        id: "7e5fad67-ee98-4ad0-b05a-394999eefc1a",
        name: "Managed-Amplify-StaticContent",
        ttl: (0, 0, YEAR),
        headers: &["authorization", "host"],
        cookies: Choice::None,
        query_strings: Choice::None,
        gzip: true,
        brotli: true,
    },
];

const CLOUDFRONT_HEADERS_2022_06: &[&str] = &[
    "cloudfront-forwarded-proto",
    "cloudfront-is-android-viewer",
    "cloudfront-is-desktop-viewer",
    "cloudfront-is-ios-viewer",
    "cloudfront-is-mobile-viewer",
    "cloudfront-is-smarttv-viewer",
    "cloudfront-is-tablet-viewer",
    "cloudfront-viewer-address",
    "cloudfront-viewer-asn",
    "cloudfront-viewer-city",
    "cloudfront-viewer-country",
    "cloudfront-viewer-country-name",
    "cloudfront-viewer-country-region",
    "cloudfront-viewer-country-region-name",
    "cloudfront-viewer-http-version",
    "cloudfront-viewer-latitude",
    "cloudfront-viewer-longitude",
    "cloudfront-viewer-metro-code",
    "cloudfront-viewer-postal-code",
    "cloudfront-viewer-time-zone",
    "cloudfront-viewer-tls",
];

const CORS: &[&str] =
    &["origin", "access-control-request-headers", "access-control-request-method"];

const ORIGIN_REQUEST_POLICIES: [OriginRequestRow; 8] = [
    OriginRequestRow {
        id: "216adef6-5c7f-47e4-b989-5492eafa07d3",
        name: "Managed-AllViewer",
        headers: Headers::AllViewer,
        cookies: Choice::All,
        query_strings: Choice::All,
    },
    OriginRequestRow {
        id: "33f36d7e-f396-46d9-90e0-52428a34d9dc",
        name: "Managed-AllViewerAndCloudFrontHeaders-2022-06",
        headers: Headers::AllViewerAnd(CLOUDFRONT_HEADERS_2022_06),
        cookies: Choice::All,
        query_strings: Choice::All,
    },
    OriginRequestRow {
        id: "b689b0a8-53d0-40ab-baf2-68738e2966ac",
        name: "Managed-AllViewerExceptHostHeader",
        headers: Headers::AllExcept(&["host"]),
        cookies: Choice::All,
        query_strings: Choice::All,
    },
    OriginRequestRow {
        id: "59781a5b-3903-41f3-afcb-af62929ccde1",
        name: "Managed-CORS-CustomOrigin",
        headers: Headers::Only(&["origin"]),
        cookies: Choice::None,
        query_strings: Choice::None,
    },
    OriginRequestRow {
        id: "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf",
        name: "Managed-CORS-S3Origin",
        headers: Headers::Only(CORS),
        cookies: Choice::None,
        query_strings: Choice::None,
    },
    OriginRequestRow {
        id: "775133bc-15f2-49f9-abea-afb2e0bf67d2",
        name: "Managed-Elemental-MediaTailor-PersonalizedManifests",
        headers: Headers::Only(&[
            "origin",
            "access-control-request-headers",
            "access-control-request-method",
            "user-agent",
            "x-forwarded-for",
        ]),
        cookies: Choice::None,
        query_strings: Choice::All,
    },
    OriginRequestRow {
        id: "bf0718e1-ba1e-49d1-88b1-f726733018ae",
        name: "Managed-HostHeaderOnly",
        headers: Headers::Only(&["host"]),
        cookies: Choice::None,
        query_strings: Choice::None,
    },
    OriginRequestRow {
        id: "acba4595-bd28-49b8-b9fe-13317c0390fa",
        name: "Managed-UserAgentRefererHeaders",
        headers: Headers::Only(&["user-agent", "referer"]),
        cookies: Choice::None,
        query_strings: Choice::None,
    },
];

const WITHHOLDING: [&str; 4] = [
    "Managed-AllViewer",
    "Managed-AllViewerAndCloudFrontHeaders-2022-06",
    "Managed-AllViewerExceptHostHeader",
    "Managed-Elemental-MediaTailor-PersonalizedManifests",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_policy_is_found_by_id_and_by_name_with_and_without_prefix() {
        for (id, name) in cache_policy_names() {
            let short = name.strip_prefix(PREFIX).unwrap_or(name);
            for wanted in [id, &id.to_uppercase(), name, short, &format!("{PREFIX}{short}")] {
                assert_eq!(cache_policy(wanted).unwrap().name, name, "{wanted}");
            }
        }
        for (id, name) in origin_request_policy_names() {
            let short = name.strip_prefix(PREFIX).unwrap();
            for wanted in [id, name, short] {
                assert_eq!(origin_request_policy(wanted).unwrap().name, name, "{wanted}");
            }
        }
        for (id, name) in response_headers_policy_names() {
            let short = name.strip_prefix(PREFIX).unwrap();
            for wanted in [id, name, short] {
                assert_eq!(response_headers_policy(wanted).unwrap().name, name, "{wanted}");
            }
        }
        for unknown in ["", "Managed-", "cachingoptimized", "658327ea", "AllViewer "] {
            assert!(cache_policy(unknown).is_none(), "{unknown}");
            assert!(origin_request_policy(unknown).is_none(), "{unknown}");
            assert!(response_headers_policy(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn ids_and_names_are_distinct_and_ids_are_uuids() {
        let both = cache_policy_names().chain(origin_request_policy_names());
        let rows: Vec<_> = both.chain(response_headers_policy_names()).collect();
        for (id, _) in &rows {
            let groups: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
        }
        let distinct: HashSet<_> = rows.iter().flat_map(|(id, name)| [id, name]).collect();
        assert_eq!(distinct.len(), 2 * (11 + 8 + 5));
    }

    #[test]
    fn the_well_known_ones_say_what_the_guide_says() {
        let optimized = cache_policy("CachingOptimized").unwrap();
        assert_eq!(optimized.ttl, TtlBounds::new(1, 86_400, 31_536_000).unwrap());
        assert!(optimized.gzip && optimized.brotli && optimized.headers.is_empty());
        assert!(cache_policy("CachingDisabled").unwrap().ttl.disable_caching());
        let all_but_host = origin_request_policy("AllViewerExceptHostHeader").unwrap();
        assert!(!all_but_host.headers.contains(&::http::header::HOST));
        assert!(all_but_host.headers.contains(&::http::header::ACCEPT));
        assert!(withholds_response_parameters(&all_but_host.name));
        assert!(
            !withholds_response_parameters("AllViewer"),
            "a policy of one's own may have that name"
        );
        for name in WITHHOLDING {
            assert_eq!(origin_request_policy(name).unwrap().query_strings, Selection::All);
        }
    }
}
