//! Cache policies and origin request policies, compiled: what makes the key and what is forwarded.

use std::time::Duration;

use ::http::HeaderName;

use crate::wildcard;

pub mod cache_key;
pub mod generated;
pub mod key_parts;
pub mod managed;
pub mod origin_request;
pub mod presented;
pub mod response_headers;

pub use cache_key::{
    cookies_forbid_sharing, forwards_cookies, is_cacheable_method, keeps_set_cookie,
    write_cache_key,
};
pub use origin_request::{EdgeFacts, Forwarded, origin_request};
pub use response_headers::ResponseHeadersPolicy;

/// What kind of policy a name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyKind {
    /// `AWS::CloudFront::CachePolicy`
    Cache,
    /// `AWS::CloudFront::OriginRequestPolicy`
    OriginRequest,
    /// `AWS::CloudFront::ResponseHeadersPolicy`
    ResponseHeaders,
}

/// TTLs and cache key of a behavior (`AWS::CloudFront::CachePolicy`, or legacy `ForwardedValues`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePolicy {
    /// The policy's name, for the log and `explain`; `ForwardedValues` for legacy settings.
    pub name: String,
    /// The three TTLs, in order.
    pub ttl: TtlBounds,
    /// Header names in the key, lower-case, in the order of the policy.
    pub headers: Vec<HeaderName>,
    /// Cookies in the key.
    pub cookies: Selection,
    /// Query string parameters in the key.
    pub query_strings: Selection,
    /// Normalize Accept-Encoding and let gzip into the key.
    pub gzip: bool,
    /// The same for Brotli.
    pub brotli: bool,
    /// Made from `ForwardedValues`: then unknown viewer headers are forwarded (CloudFront guide: request headers table).
    pub legacy: bool,
}

/// What reaches the origin beside the cache key (`AWS::CloudFront::OriginRequestPolicy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginRequestPolicy {
    /// The policy's name; empty when the behavior has none.
    pub name: String,
    /// Which headers.
    pub headers: HeaderSelection,
    /// Which cookies.
    pub cookies: Selection,
    /// Which query string parameters.
    pub query_strings: Selection,
}

/// Which names of a kind are meant. Names are compared case-sensitively, and `*` in them is a literal,
/// except that legacy cookie lists take `*` and `?` as wildcards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// None.
    #[default]
    None,
    /// Only these (`whitelist`).
    Only(Vec<String>),
    /// Only those that match one of these patterns of `*` and `?` (legacy `WhitelistedNames`).
    Matching(Vec<String>),
    /// All but these (`allExcept`).
    AllExcept(Vec<String>),
    /// All.
    All,
}

/// Which viewer headers an origin request policy lets through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HeaderSelection {
    /// Only what the cache policy and CloudFront's own rules send.
    #[default]
    None,
    /// These too (`whitelist`).
    Only(Vec<HeaderName>),
    /// All of the viewer's (`allViewer`).
    AllViewer,
    /// All of the viewer's and these of CloudFront's own (`allViewerAndWhitelistCloudFront`).
    AllViewerAnd(Vec<HeaderName>),
    /// All of the viewer's but these (`allExcept`).
    AllExcept(Vec<HeaderName>),
}

impl Selection {
    /// Whether `name` is meant.
    pub fn contains(&self, name: &str) -> bool {
        let is_listed = |names: &[String]| names.iter().any(|listed| listed == name);
        match self {
            Selection::None => false,
            Selection::Only(names) => is_listed(names),
            Selection::Matching(patterns) => patterns
                .iter()
                .any(|pattern| wildcard::matches(pattern.as_bytes(), name.as_bytes())),
            Selection::AllExcept(names) => !is_listed(names),
            Selection::All => true,
        }
    }

    /// Whether no name at all is meant.
    pub fn is_empty(&self) -> bool {
        match self {
            Selection::None => true,
            Selection::Only(names) | Selection::Matching(names) => names.is_empty(),
            Selection::AllExcept(_) | Selection::All => false,
        }
    }

    /// Whether `name` reaches the origin when `self` is the cache policy's selection and `other` the
    /// origin request policy's (CloudFront guide: how origin request policies and cache policies
    /// work together).
    ///
    /// Either one is enough, with one exception: of two block lists both hold.
    pub fn forwards_with(&self, other: &Selection, name: &str) -> bool {
        match (self, other) {
            (Selection::AllExcept(_), Selection::AllExcept(_)) => {
                self.contains(name) && other.contains(name)
            }
            _ => self.contains(name) || other.contains(name),
        }
    }
}

impl HeaderSelection {
    /// Whether a viewer's header of this name is let through.
    pub fn contains(&self, name: &HeaderName) -> bool {
        match self {
            HeaderSelection::None => false,
            HeaderSelection::Only(names) => names.contains(name),
            HeaderSelection::AllViewer | HeaderSelection::AllViewerAnd(_) => true,
            HeaderSelection::AllExcept(names) => !names.contains(name),
        }
    }

    /// The headers that are listed to be sent, CloudFront's own among them.
    pub fn listed(&self) -> &[HeaderName] {
        match self {
            HeaderSelection::Only(names) | HeaderSelection::AllViewerAnd(names) => names,
            HeaderSelection::None | HeaderSelection::AllViewer | HeaderSelection::AllExcept(_) => {
                &[]
            }
        }
    }
}

/// MinTTL ≤ DefaultTTL ≤ MaxTTL, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtlBounds {
    min: Duration,
    default: Duration,
    max: Duration,
}

/// The TTLs are not in order (CloudFront: `InvalidTTLOrder`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("MinTTL ≤ DefaultTTL ≤ MaxTTL does not hold: {min} ≤ {default} ≤ {max}")]
pub struct TtlOrder {
    /// MinTTL in seconds.
    pub min: u64,
    /// DefaultTTL in seconds.
    pub default: u64,
    /// MaxTTL in seconds.
    pub max: u64,
}

impl TtlBounds {
    /// All three in seconds.
    pub fn new(min: u64, default: u64, max: u64) -> Result<Self, TtlOrder> {
        if min <= default && default <= max {
            Ok(Self {
                min: Duration::from_secs(min),
                default: Duration::from_secs(default),
                max: Duration::from_secs(max),
            })
        } else {
            Err(TtlOrder { min, default, max })
        }
    }

    /// MinTTL.
    pub fn min(&self) -> Duration {
        self.min
    }

    /// DefaultTTL: for responses that say nothing.
    pub fn default(&self) -> Duration {
        self.default
    }

    /// MaxTTL: the limit for responses that say something.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// All three are zero: nothing is ever cached and requests are never collapsed.
    pub fn disable_caching(&self) -> bool {
        self.max.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &str) -> Vec<String> {
        names.chars().map(String::from).collect()
    }

    /// Which of the names a, b, c and d reach the origin.
    #[track_caller]
    fn check(cache: &Selection, other: &Selection, expected: &str) {
        let reaches = |name: &char| cache.forwards_with(other, &name.to_string());
        let reaching: String = "abcd".chars().filter(reaches).collect();
        assert_eq!(reaching, expected, "{cache:?} with {other:?}");
    }

    #[test]
    fn the_two_policies_work_together_as_in_the_guides_table() {
        use Selection::{All, AllExcept, None, Only};
        let ab = || list("ab");
        let bc = || list("bc");
        let rows = [
            (None, ["", "abcd", "bc", "ad"]),
            (All, ["abcd", "abcd", "abcd", "abcd"]),
            (Only(ab()), ["ab", "abcd", "abc", "abd"]),
            (AllExcept(ab()), ["cd", "abcd", "bcd", "d"]),
        ];
        for (cache, expected) in rows {
            let columns = [None, All, Only(bc()), AllExcept(bc())];
            for (other, expected) in columns.iter().zip(expected) {
                check(&cache, other, expected);
            }
        }
    }

    #[test]
    fn legacy_cookie_names_may_have_wildcards_and_others_not() {
        let patterns = || vec!["s*".to_owned(), "t?".to_owned()];
        for (name, matching, only) in
            [("sid", true, false), ("s*", true, true), ("t", false, false)]
        {
            assert_eq!(Selection::Matching(patterns()).contains(name), matching, "{name}");
            assert_eq!(Selection::Only(patterns()).contains(name), only, "{name}");
        }
    }
}
