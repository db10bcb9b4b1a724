//! Who may ask: the seams to what core only decides about, and the two checks as the walk of a request
//! calls them.

mod geography;
#[cfg(feature = "signed")]
mod signatures;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use warmfront_core::access::place::Place;
use warmfront_core::access::signed::{SignatureCheck, TrustedKeys, permit, without_signature};
use warmfront_core::admission::Refusal;
use warmfront_core::policy::generated::needs_place;
use warmfront_core::{Behavior, Distribution, RequestView};

pub use geography::{Fixed, Geography, VIEWER_COUNTRY};
#[cfg(feature = "signed")]
pub use signatures::Signatures;

use crate::exchange::Exchange;
use crate::request::Viewer;

/// What an edge knows about access, beside the configuration.
#[derive(Debug, Default)]
pub struct Access {
    /// Checks signatures. Without it, behaviors with trusted keys refuse every request.
    pub signatures: Option<Arc<dyn SignatureCheck>>,
    /// Tells where viewers are. Without it, distributions that restrict countries refuse every request.
    pub geography: Option<Arc<dyn Geography>>,
    /// Whether a viewer on a loopback address may say in which country it is, with a header
    /// [`VIEWER_COUNTRY`]. For development only: behind a proxy on the same machine every viewer is on a
    /// loopback address, and could walk around a restriction.
    pub believes_country_header: bool,
}

impl Access {
    /// Where the viewer is; only called when something asks.
    fn place_of(&self, viewer: IpAddr, headers: &http::HeaderMap) -> Option<Arc<Place>> {
        let viewer = viewer.to_canonical();
        if self.believes_country_header
            && viewer.is_loopback()
            && let Some(value) = headers.get(VIEWER_COUNTRY)
        {
            return geography::country_in(value).map(Place::in_country).map(Arc::new);
        }
        self.geography.as_ref()?.place_of(viewer)
    }

    /// Where the viewer is, when this distribution or behavior asks, or the log does.
    pub(crate) fn place(
        &self,
        distribution: &Distribution,
        behavior: &Behavior,
        viewer: &Viewer,
        headers: &http::HeaderMap,
        is_logged: bool,
    ) -> Option<Arc<Place>> {
        let somebody_knows = self.geography.is_some() || self.believes_country_header;
        let somebody_asks =
            || is_logged || distribution.geo_restriction.is_restricted() || needs_place(behavior);
        (somebody_knows && somebody_asks())
            .then(|| self.place_of(viewer.address.ip(), headers))
            .flatten()
    }

    /// `GeoRestriction`: a viewer whose place nobody knows is served (CloudFront guide), but an edge that
    /// could never know restricts nobody, so it serves nobody.
    pub(crate) fn admits(&self, distribution: &Distribution, place: Option<&Place>) -> bool {
        let restriction = &distribution.geo_restriction;
        restriction.admits(place.and_then(|place| place.country))
            && (self.geography.is_some() || !restriction.is_restricted())
    }

    /// The query that key and origin see, when the request carries a signature that `keys` trust.
    pub(crate) fn without_signature<'q>(
        &self,
        keys: &TrustedKeys,
        view: &RequestView<'q>,
        url_path: &str,
        exchange: &Exchange,
        viewer: &Viewer,
    ) -> Result<Option<Cow<'q, str>>, Refusal> {
        let check = self.signatures.as_deref();
        permit(keys, view, url_path, viewer.address.ip(), exchange.received(), check)
            .map(|_| view.query.and_then(without_signature))
            .map_err(Refusal::Signature)
    }
}
