//! Where viewers are: the seam to whoever knows addresses.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use warmfront_core::access::geo::Country;
use warmfront_core::access::place::Place;

/// With it a loopback viewer says in which country it is, where
/// [`Access::believes_country_header`](super::Access::believes_country_header) allows that. A value that is
/// no country stands for a place that nobody knows.
pub const VIEWER_COUNTRY: HeaderName = HeaderName::from_static("x-warmfront-viewer-country");

/// Tells where addresses are.
///
/// Asked on the request's own task, before the cache, for each request of a distribution or behavior that
/// needs it: answer from memory, never block.
pub trait Geography: fmt::Debug + Send + Sync + 'static {
    /// Where `address` is, as far as it is known. An IPv4 address always comes as one.
    fn place_of(&self, address: IpAddr) -> Option<Arc<Place>>;
}

/// Says the same of every address.
#[derive(Debug, Clone)]
pub struct Fixed(Arc<Place>);

impl Fixed {
    /// Every viewer is in `country`.
    pub fn country(country: Country) -> Self {
        Self(Arc::new(Place::in_country(country)))
    }
}

impl Geography for Fixed {
    fn place_of(&self, _: IpAddr) -> Option<Arc<Place>> {
        Some(self.0.clone())
    }
}

pub(super) fn country_in(value: &HeaderValue) -> Option<Country> {
    Country::parse(value.to_str().ok()?.trim())
}
