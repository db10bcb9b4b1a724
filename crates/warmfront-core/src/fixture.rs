//! A plain distribution that tests change where they need to.

use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::access::geo::GeoRestriction;
use crate::behavior::{AllowedMethods, ViewerProtocolPolicy};
use crate::caching::CacheRules;
use crate::distribution::{HttpVersion, Role};
use crate::origin::{OriginKind, OriginProtocolPolicy, Target};
use crate::policy::{CachePolicy, HeaderSelection, OriginRequestPolicy, Selection, TtlBounds};
use crate::{Behavior, Distribution, Origin, PathPattern};

/// One custom origin, one behavior, no aliases.
pub(crate) fn distribution() -> Distribution {
    Distribution {
        id: "E0123456789ABC".to_owned(),
        logical_id: "Edge".to_owned(),
        domain_name: "d0123456789abc.cloudfront.net".to_owned(),
        aliases: Vec::new(),
        enabled: true,
        default_root_object: None,
        origins: vec![Arc::new(origin())],
        behaviors: vec![Arc::new(behavior("*"))],
        error_responses: Vec::new(),
        http_version: HttpVersion::default(),
        geo_restriction: GeoRestriction::None,
        logging: None,
        cache_epoch: 0,
        role: Role::Standard,
        continuous_deployment: None,
        cache_tag_header: None,
    }
}

/// `origin.example.com` over http.
pub(crate) fn origin() -> Origin {
    Origin {
        id: "origin".to_owned(),
        domain_name: "origin.example.com".to_owned(),
        path: String::new(),
        custom_headers: Vec::new(),
        kind: OriginKind::Custom {
            http_port: 80,
            https_port: 443,
            protocol_policy: OriginProtocolPolicy::HttpOnly,
        },
        connection_attempts: 3,
        connection_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(30),
        keepalive_timeout: Duration::from_secs(5),
        response_completion_timeout: None,
        target: Target::Dns,
        access_control: None,
        hides_missing: false,
    }
}

/// All schemes, GET and HEAD, and a policy that keys and forwards nothing.
pub(crate) fn behavior(pattern: &str) -> Behavior {
    Behavior {
        path_pattern: PathPattern::parse(pattern).expect("tests give patterns that parse"),
        origin: 0,
        failover: None,
        viewer_protocol_policy: ViewerProtocolPolicy::AllowAll,
        allowed_methods: AllowedMethods::GetHead,
        caches_options: false,
        cache_policy: CachePolicy {
            name: "nothing".to_owned(),
            ttl: TtlBounds::new(0, 60, 3600).expect("the TTLs are in order"),
            headers: Vec::new(),
            cookies: Selection::None,
            query_strings: Selection::None,
            gzip: false,
            brotli: false,
            legacy: false,
        },
        origin_request_policy: OriginRequestPolicy {
            name: String::new(),
            headers: HeaderSelection::None,
            cookies: Selection::None,
            query_strings: Selection::None,
        },
        compress: false,
        response_headers_policy: None,
        trusted_keys: None,
        grpc: false,
        real_time_log: None,
        rules: CacheRules::default(),
    }
}

/// Fields from `name: value` lines.
pub(crate) fn headers(lines: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').expect("tests give `name: value`");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("tests give valid names");
        headers.append(name, HeaderValue::from_str(value.trim()).expect("tests give valid values"));
    }
    headers
}
