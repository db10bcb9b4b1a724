//! What a cache may do (RFC 9111 and CloudFront's TTL rules), as pure functions.
//!
//! A reply of the origin goes through [`storable()`]: may it be kept, and for how long. A request
//! that meets a stored response asks [`freshness()`], and for a response past its time
//! [`conditional_headers`] and [`update_stored`]. What the cache key is lives in `policy`.

mod age;
pub mod cache_control;
pub mod cache_tags;
pub mod freshness;
pub mod head_update;
pub mod invalidation;
pub mod rules;
mod status;
pub mod storable;
pub mod targeted;
pub mod ttl;
pub mod unsafe_methods;
pub mod validation;
pub mod variants;
pub mod vary;
pub mod viewer_control;

pub use cache_control::CacheControl;
pub use cache_tags::CacheTags;
pub use freshness::{Freshness, age, freshness, may_answer_for_failing_origin};
pub use invalidation::{Invalidation, InvalidationError};
pub use rules::{CacheRules, StorableStatuses, UnnamedLifetime};
pub use storable::{Forbids, NotStored, ResponseFacts, Storable, storable};
pub use ttl::{Lifetime, TtlLimit, TtlRule, TtlSource};
pub use validation::{Precondition, conditional_headers, confirms, evaluate, update_stored};
pub use vary::{has_star, viewer_vary};
pub use viewer_control::{Demand, ViewerControl, Wish, viewer_control};
