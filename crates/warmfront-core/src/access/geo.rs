//! `GeoRestriction`: which countries a distribution answers (CloudFront guide: restrict the geographic
//! distribution of your content).

/// An ISO 3166-1 alpha-2 code in capitals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// `None` unless `code` is two ASCII letters.
    pub fn parse(code: &str) -> Option<Self> {
        match code.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Self([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }

    /// The two capitals.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// `Restrictions.GeoRestriction` of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum GeoRestriction {
    /// Every country.
    #[default]
    None,
    /// `whitelist`: these only.
    Only(Vec<Country>),
    /// `blacklist`: all but these.
    AllBut(Vec<Country>),
}

impl GeoRestriction {
    /// Whether there is any country that it keeps out.
    pub fn is_restricted(&self) -> bool {
        *self != GeoRestriction::None
    }

    /// Whether a viewer from `country` is served. One whose country nobody knows is
    /// (CloudFront guide: geographic restrictions).
    pub fn admits(&self, country: Option<Country>) -> bool {
        let Some(country) = country else { return true };
        match self {
            GeoRestriction::None => true,
            GeoRestriction::Only(countries) => countries.contains(&country),
            GeoRestriction::AllBut(countries) => !countries.contains(&country),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_admits_or_excludes_and_unknown_viewers_pass() {
        let country = |code| Country::parse(code).unwrap();
        let list = vec![country("de"), country("FR")];
        for (restriction, germany, japan) in [
            (GeoRestriction::None, true, true),
            (GeoRestriction::Only(list.clone()), true, false),
            (GeoRestriction::AllBut(list), false, true),
        ] {
            assert_eq!(restriction.admits(Some(country("DE"))), germany, "{restriction:?}");
            assert_eq!(restriction.admits(Some(country("JP"))), japan, "{restriction:?}");
            assert!(restriction.admits(None), "{restriction:?}");
        }
    }

    #[test]
    fn a_country_is_two_letters() {
        assert_eq!(Country::parse("de").unwrap().as_str(), "DE");
        for wrong in ["", "D", "DEU", "1A", "ä"] {
            assert_eq!(Country::parse(wrong), None, "{wrong}");
        }
    }
}
