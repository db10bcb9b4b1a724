//! Accept-Encoding as a behavior sees it (CloudFront guide: compressed objects and cache policies).

use ::http::{HeaderMap, HeaderValue, Version, header};

use super::hop_by_hop;
use crate::policy::CachePolicy;

/// What a policy that normalizes Accept-Encoding makes of the viewer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// No field, or an HTTP/1.0 viewer: nothing in the key, nothing to the origin.
    Unsaid,
    /// A field without an enabled coding: nothing in the key, `identity` to the origin.
    Identity,
    /// gzip.
    Gzip,
    /// Brotli.
    Brotli,
    /// Both.
    BrotliAndGzip,
}

/// The viewer's Accept-Encoding, normalized; `None` when the policy treats it as any other header.
pub fn normalized(policy: &CachePolicy, version: Version, headers: &HeaderMap) -> Option<Accepted> {
    let (gzip, brotli) = enabled(policy)?;
    let name = header::ACCEPT_ENCODING;
    if version < Version::HTTP_11
        || !headers.contains_key(&name)
        || hop_by_hop::is_listed(headers, &name)
    {
        return Some(Accepted::Unsaid);
    }
    Some(match (gzip && accepts(headers, b"gzip"), brotli && accepts(headers, b"br")) {
        (true, true) => Accepted::BrotliAndGzip,
        (true, false) => Accepted::Gzip,
        (false, true) => Accepted::Brotli,
        (false, false) => Accepted::Identity,
    })
}

/// Whether a policy normalizes Accept-Encoding at all.
pub fn is_normalized(policy: &CachePolicy) -> bool {
    enabled(policy).is_some()
}

impl Accepted {
    /// What goes to the origin.
    pub fn for_origin(self) -> Option<HeaderValue> {
        match self {
            Accepted::Unsaid => None,
            Accepted::Identity => Some(HeaderValue::from_static("identity")),
            _ => Some(HeaderValue::from_static(self.in_key())),
        }
    }

    /// What goes into the cache key: empty for nothing.
    pub fn in_key(self) -> &'static str {
        match self {
            Accepted::Unsaid | Accepted::Identity => "",
            Accepted::Gzip => "gzip",
            Accepted::Brotli => "br",
            Accepted::BrotliAndGzip => "br,gzip",
        }
    }
}

/// Which codings count: gzip, Brotli.
fn enabled(policy: &CachePolicy) -> Option<(bool, bool)> {
    match policy {
        // CloudFront guide: with legacy settings gzip is normalized, unless the header is listed.
        CachePolicy { legacy: true, headers, .. } => {
            (!headers.contains(&header::ACCEPT_ENCODING)).then_some((true, false))
        }
        CachePolicy { gzip: false, brotli: false, .. } => None,
        CachePolicy { gzip, brotli, .. } => Some((*gzip, *brotli)),
    }
}

/// Whether the field names `coding` with a weight above zero (RFC 9110 §12.5.3). `*` names nothing.
pub fn accepts(headers: &HeaderMap, coding: &[u8]) -> bool {
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

    #[track_caller]
    fn check(flags: (bool, bool), field: Option<&str>, expected: Option<Accepted>) {
        let policy =
            CachePolicy { gzip: flags.0, brotli: flags.1, ..fixture::behavior("*").cache_policy };
        let lines = field.map(|field| format!("accept-encoding: {field}"));
        let headers = fixture::headers(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(normalized(&policy, Version::HTTP_2, &headers), expected, "{field:?}");
    }

    const BOTH: (bool, bool) = (true, true);
    const GZIP: (bool, bool) = (true, false);
    const BROTLI: (bool, bool) = (false, true);
    const OFF: (bool, bool) = (false, false);

    #[test]
    fn the_table_of_the_guide() {
        check(BOTH, Some("gzip, deflate, br"), Some(Accepted::BrotliAndGzip));
        check(BOTH, Some("br,gzip"), Some(Accepted::BrotliAndGzip));
        check(BOTH, Some("gzip"), Some(Accepted::Gzip));
        check(BOTH, Some("br"), Some(Accepted::Brotli));
        check(BOTH, Some("deflate"), Some(Accepted::Identity));
        check(BOTH, None, Some(Accepted::Unsaid));
        check(GZIP, Some("br, gzip"), Some(Accepted::Gzip));
        check(GZIP, Some("br"), Some(Accepted::Identity));
        check(BROTLI, Some("gzip, br"), Some(Accepted::Brotli));
        check(BROTLI, Some("gzip"), Some(Accepted::Identity));
        check(OFF, Some("gzip, br"), None);
        check(OFF, None, None);
    }

    #[test]
    fn names_have_any_case_and_a_weight_of_zero_is_a_no() {
        check(BOTH, Some("GZIP;q=0.5 , Br ; q=1"), Some(Accepted::BrotliAndGzip));
        check(BOTH, Some("gzip;q=0, br;q=0.000"), Some(Accepted::Identity));
        check(BOTH, Some("gzip;q=0.001"), Some(Accepted::Gzip));
        check(BOTH, Some("x-gzip, brotli, *"), Some(Accepted::Identity));
        check(BOTH, Some(""), Some(Accepted::Identity));
    }

    #[test]
    fn http_1_0_viewers_say_nothing() {
        let policy = CachePolicy { gzip: true, ..fixture::behavior("*").cache_policy };
        let headers = fixture::headers(&["accept-encoding: gzip"]);
        assert_eq!(normalized(&policy, Version::HTTP_10, &headers), Some(Accepted::Unsaid));
    }

    #[test]
    fn legacy_settings_normalize_gzip_unless_the_header_is_listed() {
        let legacy = CachePolicy { legacy: true, ..fixture::behavior("*").cache_policy };
        let headers = fixture::headers(&["accept-encoding: gzip, br"]);
        assert_eq!(normalized(&legacy, Version::HTTP_11, &headers), Some(Accepted::Gzip));
        let listed = CachePolicy { headers: vec![header::ACCEPT_ENCODING], ..legacy };
        assert_eq!(normalized(&listed, Version::HTTP_11, &headers), None);
    }
}
