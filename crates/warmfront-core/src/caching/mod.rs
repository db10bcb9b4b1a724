//! What a cache may do (RFC 9111 and CloudFront's TTL rules), as pure functions.
//!
//! A reply of the origin goes through [`storable()`]: may it be kept, and for how long. A request
//! that meets a stored response asks [`freshness()`], and for a response past its time
//! [`conditional_headers`] and [`update_stored`]. What the cache key is lives in `policy`.

pub mod cache_control;
pub mod freshness;
pub mod storable;
pub mod ttl;
pub mod validation;
pub mod vary;

pub use cache_control::CacheControl;
pub use freshness::{Freshness, age, freshness, may_answer_for_failing_origin};
pub use storable::{Forbids, NotStored, ResponseFacts, Storable, storable};
pub use ttl::{Lifetime, TtlLimit, TtlRule, TtlSource};
pub use validation::{Precondition, conditional_headers, confirms, evaluate, update_stored};
pub use vary::{has_star, viewer_vary};

/// Which rules a cache follows. The switches of the two profiles live here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CacheRules {
    /// As CloudFront does, deviations from RFC 9111 included.
    #[default]
    CloudFront,
}

impl CacheRules {
    /// Whether MinTTL > 0 stores what the origin marked no-store, no-cache or private.
    pub fn min_ttl_overrides_origin(self) -> bool {
        match self {
            CacheRules::CloudFront => true,
        }
    }

    /// Whether DefaultTTL is the lifetime of a response that names none.
    pub fn has_default_ttl(self) -> bool {
        match self {
            CacheRules::CloudFront => true,
        }
    }

    /// Whether s-maxage forbids stale answers, as proxy-revalidate does (RFC 9111 §5.2.2.10).
    /// CloudFront's guide promises the stale copy whenever no directive speaks against it, and
    /// shows s-maxage beside the stale directives.
    pub fn s_maxage_forbids_stale(self) -> bool {
        match self {
            CacheRules::CloudFront => false,
        }
    }
}
