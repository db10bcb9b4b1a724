//! Accept-Encoding as a behavior sees it (CloudFront guide: compressed objects and cache policies).

use ::http::{HeaderMap, HeaderValue, Version, header};

use super::hop_by_hop;
use crate::Behavior;
use crate::compression::Coding;
use crate::policy::CachePolicy;

/// What a policy that normalizes Accept-Encoding makes of the viewer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// No field, or an HTTP/1.0 viewer: nothing in the key, nothing to the origin.
    Unsaid,
    /// A field without an enabled coding: nothing in the key, `identity` to the origin.
    Identity,
    /// These, at least one.
    These(Codings),
}

/// A set of content codings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codings {
    /// `br`
    pub brotli: bool,
    /// `gzip`
    pub gzip: bool,
    /// `zstd`, which CloudFront does not know.
    pub zstd: bool,
}

/// The viewer's Accept-Encoding, normalized; `None` when the policy treats it as any other header.
pub fn normalized(behavior: &Behavior, version: Version, headers: &HeaderMap) -> Option<Accepted> {
    let enabled = enabled(behavior)?;
    let name = header::ACCEPT_ENCODING;
    if version < Version::HTTP_11
        || !headers.contains_key(&name)
        || hop_by_hop::is_listed(headers, &name)
    {
        return Some(Accepted::Unsaid);
    }
    let accepted = enabled.accepted_by(headers);
    Some(if accepted.is_empty() { Accepted::Identity } else { Accepted::These(accepted) })
}

/// Whether a policy normalizes Accept-Encoding at all.
pub fn is_normalized(policy: &CachePolicy) -> bool {
    match policy {
        // CloudFront guide: with legacy settings gzip is normalized, unless the header is listed.
        CachePolicy { legacy: true, headers, .. } => !headers.contains(&header::ACCEPT_ENCODING),
        CachePolicy { gzip, brotli, .. } => *gzip || *brotli,
    }
}

/// Which codings count behind this behavior; `None` when Accept-Encoding is a header like any other.
fn enabled(behavior: &Behavior) -> Option<Codings> {
    is_normalized(&behavior.cache_policy).then(|| Codings::enabled(behavior))
}

impl Accepted {
    /// What goes to the origin.
    pub fn for_origin(self) -> Option<HeaderValue> {
        match self {
            Accepted::Unsaid => None,
            Accepted::Identity => Some(HeaderValue::from_static("identity")),
            Accepted::These(codings) => Some(HeaderValue::from_static(codings.names())),
        }
    }

    /// What goes into the cache key: empty for nothing.
    pub fn in_key(self) -> &'static str {
        match self {
            Accepted::Unsaid | Accepted::Identity => "",
            Accepted::These(codings) => codings.names(),
        }
    }
}

impl Codings {
    /// Those that the policy enables. With legacy settings CloudFront knows gzip only, and needs no flag.
    pub fn enabled(behavior: &Behavior) -> Self {
        let CachePolicy { legacy, gzip, brotli, .. } = behavior.cache_policy;
        if legacy {
            return Self { brotli: false, gzip: true, zstd: false };
        }
        Self { brotli, gzip, zstd: behavior.rules.knows_zstd && (gzip || brotli) }
    }

    /// Those of them that Accept-Encoding names with a weight above zero.
    pub fn accepted_by(self, headers: &HeaderMap) -> Self {
        let accepts = |coding: Coding| accepts(headers, coding.name().as_bytes());
        Self {
            brotli: self.brotli && accepts(Coding::Brotli),
            gzip: self.gzip && accepts(Coding::Gzip),
            zstd: self.zstd && accepts(Coding::Zstd),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        !self.brotli && !self.gzip && !self.zstd
    }

    /// As a list, always in the same order.
    fn names(self) -> &'static str {
        match (self.brotli, self.gzip, self.zstd) {
            (false, false, false) => "",
            (false, true, false) => "gzip",
            (true, false, false) => "br",
            (true, true, false) => "br,gzip",
            (false, false, true) => "zstd",
            (false, true, true) => "gzip,zstd",
            (true, false, true) => "br,zstd",
            (true, true, true) => "br,gzip,zstd",
        }
    }
}

/// Whether the field names `coding` with a weight above zero (RFC 9110 §12.5.3). `*` names nothing.
fn accepts(headers: &HeaderMap, coding: &[u8]) -> bool {
    let members = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    members.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).any(|member| {
        let mut parts = member.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding))
            && !parts.any(is_zero_weight)
    })
}

/// `q=0`, `q=0.`, `q=0.000`.
fn is_zero_weight(parameter: &[u8]) -> bool {
    match parameter {
        [b'q' | b'Q', b'=', b'0'] => true,
        [b'q' | b'Q', b'=', b'0', b'.', digits @ ..] => digits.iter().all(|&digit| digit == b'0'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const BR_AND_GZIP: Codings = Codings { brotli: true, gzip: true, zstd: false };
    const ONLY_GZIP: Codings = Codings { brotli: false, ..BR_AND_GZIP };
    const ONLY_BR: Codings = Codings { gzip: false, ..BR_AND_GZIP };

    fn behavior((gzip, brotli): (bool, bool)) -> Behavior {
        let mut behavior = fixture::behavior("*");
        behavior.cache_policy = CachePolicy { gzip, brotli, ..behavior.cache_policy };
        behavior
    }

    #[track_caller]
    fn check(flags: (bool, bool), field: Option<&str>, expected: Option<Accepted>) {
        let behavior = behavior(flags);
        let lines = field.map(|field| format!("accept-encoding: {field}"));
        let headers = fixture::headers(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(normalized(&behavior, Version::HTTP_2, &headers), expected, "{field:?}");
    }

    const BOTH: (bool, bool) = (true, true);
    const GZIP: (bool, bool) = (true, false);
    const BROTLI: (bool, bool) = (false, true);
    const OFF: (bool, bool) = (false, false);

    #[test]
    fn the_table_of_the_guide() {
        check(BOTH, Some("gzip, deflate, br"), Some(Accepted::These(BR_AND_GZIP)));
        check(BOTH, Some("br,gzip"), Some(Accepted::These(BR_AND_GZIP)));
        check(BOTH, Some("gzip"), Some(Accepted::These(ONLY_GZIP)));
        check(BOTH, Some("br"), Some(Accepted::These(ONLY_BR)));
        check(BOTH, Some("deflate"), Some(Accepted::Identity));
        check(BOTH, None, Some(Accepted::Unsaid));
        check(GZIP, Some("br, gzip"), Some(Accepted::These(ONLY_GZIP)));
        check(GZIP, Some("br"), Some(Accepted::Identity));
        check(BROTLI, Some("gzip, br"), Some(Accepted::These(ONLY_BR)));
        check(BROTLI, Some("gzip"), Some(Accepted::Identity));
        check(OFF, Some("gzip, br"), None);
        check(OFF, None, None);
    }

    #[test]
    fn names_have_any_case_and_a_weight_of_zero_is_a_no() {
        check(BOTH, Some("GZIP;q=0.5 , Br ; q=1"), Some(Accepted::These(BR_AND_GZIP)));
        check(BOTH, Some("gzip;q=0, br;q=0.000"), Some(Accepted::Identity));
        check(BOTH, Some("gzip;q=0.001"), Some(Accepted::These(ONLY_GZIP)));
        check(BOTH, Some("x-gzip, brotli, *"), Some(Accepted::Identity));
        check(BOTH, Some(""), Some(Accepted::Identity));
    }

    #[test]
    fn http_1_0_viewers_say_nothing() {
        let headers = fixture::headers(&["accept-encoding: gzip"]);
        assert_eq!(normalized(&behavior(GZIP), Version::HTTP_10, &headers), Some(Accepted::Unsaid));
    }

    #[test]
    fn legacy_settings_normalize_gzip_unless_the_header_is_listed() {
        let mut legacy = behavior(OFF);
        legacy.cache_policy.legacy = true;
        let headers = fixture::headers(&["accept-encoding: gzip, br"]);
        let gzip = Some(Accepted::These(ONLY_GZIP));
        assert_eq!(normalized(&legacy, Version::HTTP_11, &headers), gzip);
        legacy.cache_policy.headers = vec![header::ACCEPT_ENCODING];
        assert_eq!(normalized(&legacy, Version::HTTP_11, &headers), None);
    }

    #[test]
    fn zstd_counts_outside_the_cloudfront_profile_where_the_policy_normalizes() {
        let check = |flags, field: &str, expected: &str| {
            let mut behavior = behavior(flags);
            let headers = fixture::headers(&[&format!("accept-encoding: {field}")]);
            behavior.rules.knows_zstd = true;
            let accepted = normalized(&behavior, Version::HTTP_11, &headers);
            assert_eq!(accepted.map_or("-", Accepted::in_key), expected, "{field}");
        };
        check(BOTH, "zstd, gzip, br", "br,gzip,zstd");
        check(BOTH, "zstd;q=0, gzip", "gzip");
        check(GZIP, "zstd", "zstd");
        check(GZIP, "zstd, gzip", "gzip,zstd");
        check(BROTLI, "zstd, br", "br,zstd");
        check(OFF, "zstd", "-");
    }
}
