//! Cache policies and origin request policies, compiled: what makes the key and what is forwarded.

use std::time::Duration;

use ::http::HeaderName;

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
