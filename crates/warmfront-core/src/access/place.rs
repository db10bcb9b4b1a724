//! Where a viewer is, as far as a database of addresses knows (CloudFront guide: headers for determining
//! the viewer's location).
//!
//! Who looks it up is the engine's `Geography`; how it reads as a header is `policy::generated`.

use super::geo::Country;

/// Where an address is. Whatever is not known is left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// The country.
    pub country: Option<Country>,
    /// Its English name.
    pub country_name: Option<String>,
    /// The most general subdivision: the part of its ISO 3166-2 code behind the hyphen.
    pub region: Option<String>,
    /// Its English name.
    pub region_name: Option<String>,
    /// The city's English name.
    pub city: Option<String>,
    /// Degrees north of the equator.
    pub latitude: Option<f64>,
    /// Degrees east of Greenwich.
    pub longitude: Option<f64>,
    /// The metro code of a place in the United States.
    pub metro_code: Option<u32>,
    /// The postal code.
    pub postal_code: Option<String>,
    /// An IANA name such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// The number of the autonomous system that announces the address.
    pub asn: Option<u32>,
}

impl Place {
    /// A place of which nothing but the country is known.
    pub fn in_country(country: Country) -> Self {
        Self { country: Some(country), ..Self::default() }
    }
}
