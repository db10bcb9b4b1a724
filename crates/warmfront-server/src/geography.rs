//! Where viewers are: databases in MaxMind's format, and what `--geo` says where none of them answers.
//!
//! A database is read into memory when the program starts and stays as it was; a newer file takes a restart.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maxminddb::{MaxMindDbError, Reader};
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use warmfront::Geography;
use warmfront::access::{Access, Signatures};
use warmfront_core::access::geo::Country;
use warmfront_core::access::place::Place;

use crate::cli::SourceArgs;

/// What an edge of this program knows about access.
pub(crate) fn access(args: &SourceArgs) -> Result<Access, Unreadable> {
    let known = Known::open(&args.geo_databases, args.geo)?;
    let geography = known.is_any().then(|| Arc::new(known) as Arc<dyn Geography>);
    Ok(Access {
        signatures: Some(Arc::new(Signatures)),
        geography,
        believes_country_header: args.geo_header,
    })
}

/// Whether these arguments tell where viewers are. What only a viewer says of itself restricts nobody.
pub(crate) fn knows_countries(args: &SourceArgs) -> bool {
    args.geo.is_some() || !args.geo_databases.is_empty()
}

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--geo-database {}: {reason}", path.display())]
pub(crate) struct Unreadable {
    path: PathBuf,
    reason: String,
}

/// Databases in the order given, and a country for whom none of them has one.
#[derive(Debug, Default)]
struct Known {
    databases: Vec<Database>,
    otherwise: Option<Arc<Place>>,
}

struct Database {
    path: PathBuf,
    reader: Reader<Vec<u8>>,
}

impl Known {
    fn open(paths: &[PathBuf], country: Option<Country>) -> Result<Self, Unreadable> {
        let databases = paths.iter().map(|path| Database::open(path)).collect::<Result<_, _>>()?;
        let otherwise = country.map(|country| Arc::new(Place::in_country(country)));
        Ok(Self { databases, otherwise })
    }

    fn is_any(&self) -> bool {
        !self.databases.is_empty() || self.otherwise.is_some()
    }
}

impl Geography for Known {
    /// What the first database that has an answer says; of what it leaves out, the next one.
    fn place_of(&self, address: IpAddr) -> Option<Arc<Place>> {
        let mut place: Option<Place> = None;
        for found in self.databases.iter().filter_map(|database| database.place_of(address)) {
            place = Some(match place {
                None => found,
                Some(known) => completed(known, found),
            });
        }
        match (place, &self.otherwise) {
            (None, otherwise) => otherwise.clone(),
            (Some(place), Some(otherwise)) if place.country.is_none() => {
                Some(Arc::new(Place { country: otherwise.country, ..place }))
            }
            (Some(place), _) => Some(Arc::new(place)),
        }
    }
}

impl Database {
    fn open(path: &Path) -> Result<Self, Unreadable> {
        let unusable = |reason| Unreadable { path: path.to_owned(), reason };
        let reader = Reader::open_readfile(path).map_err(|error| {
            unusable(match error {
                MaxMindDbError::Io(error) => format!("it cannot be read: {error}"),
                error => format!("this is no database in MaxMind's format (.mmdb): {error}"),
            })
        })?;
        Ok(Self { path: path.to_owned(), reader })
    }

    /// Of a record that has another shape the country may still be told: a restriction must not open because
    /// a postal code is no text.
    fn place_of(&self, address: IpAddr) -> Option<Place> {
        let found = self.reader.lookup(address).ok()?;
        match found.decode::<Record<'_>>() {
            Ok(record) => Some(record?.place()),
            Err(_) => {
                let country: Option<&str> =
                    found.decode_path(&maxminddb::path!["country", "iso_code"]).ok()?;
                Some(Place::in_country(Country::parse(country?)?))
            }
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Database({})", self.path.display())
    }
}

/// `known`, and from `more` what it leaves out.
fn completed(known: Place, more: Place) -> Place {
    // What belongs to another country would contradict the rest.
    let same = known.country.is_none() || more.country.is_none() || known.country == more.country;
    let asn = known.asn.or(more.asn);
    let more = if same { more } else { Place::default() };
    Place {
        country: known.country.or(more.country),
        country_name: known.country_name.or(more.country_name),
        region: known.region.or(more.region),
        region_name: known.region_name.or(more.region_name),
        city: known.city.or(more.city),
        latitude: known.latitude.or(more.latitude),
        longitude: known.longitude.or(more.longitude),
        metro_code: known.metro_code.or(more.metro_code),
        postal_code: known.postal_code.or(more.postal_code),
        time_zone: known.time_zone.or(more.time_zone),
        asn,
    }
}

/// What the databases Country, City and ASN (and those that follow their shape) have of an address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    country: Named<'a>,
    #[serde(borrow)]
    subdivisions: Vec<Named<'a>>,
    #[serde(borrow)]
    city: Named<'a>,
    #[serde(borrow)]
    postal: Postal<'a>,
    #[serde(borrow)]
    location: Location<'a>,
    autonomous_system_number: Option<Number>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    iso_code: Option<&'a str>,
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    en: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Postal<'a> {
    code: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location<'a> {
    latitude: Option<Number>,
    longitude: Option<Number>,
    metro_code: Option<Number>,
    time_zone: Option<&'a str>,
}

/// A number of any of the format's types: makers of databases choose differently.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl Number {
    fn whole(self) -> Option<u32> {
        let whole = self.0 as u32;
        (f64::from(whole) == self.0).then_some(whole)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNumber;
        impl Visitor<'_> for AnyNumber {
            type Value = Number;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number")
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
        }
        deserializer.deserialize_any(AnyNumber)
    }
}

impl Record<'_> {
    fn place(self) -> Place {
        let text = |text: Option<&str>| text.map(str::to_owned);
        // CloudFront guide: of several subdivisions the most general, which stands first.
        let region = self.subdivisions.into_iter().next().unwrap_or_default();
        Place {
            country: self.country.iso_code.and_then(Country::parse),
            country_name: text(self.country.names.en),
            region: text(region.iso_code),
            region_name: text(region.names.en),
            city: text(self.city.names.en),
            latitude: self.location.latitude.map(|number| number.0),
            longitude: self.location.longitude.map(|number| number.0),
            metro_code: self.location.metro_code.and_then(Number::whole),
            postal_code: text(self.postal.code),
            time_zone: text(self.location.time_zone),
            asn: self.autonomous_system_number.and_then(Number::whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(databases: &[&str], country: Option<&str>) -> Known {
        let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/geo");
        let paths: Vec<PathBuf> = databases.iter().map(|name| home.join(name)).collect();
        Known::open(&paths, country.and_then(Country::parse)).unwrap()
    }

    fn country(known: &Known, address: &str) -> Option<String> {
        let place = known.place_of(address.parse().unwrap())?;
        Some(place.country?.as_str().to_owned())
    }

    #[test]
    fn a_city_database_tells_all_there_is() {
        let known = known(&["city.mmdb"], None);
        let place = known.place_of("203.0.113.7".parse().unwrap()).unwrap();
        let text = |text: &str| Some(text.to_owned());
        let expected = Place {
            country: Country::parse("DE"),
            country_name: text("Germany"),
            region: text("BY"),
            region_name: text("Bavaria"),
            city: text("München"),
            latitude: Some(48.1374),
            longitude: Some(11.5755),
            metro_code: None,
            postal_code: text("80331"),
            time_zone: text("Europe/Berlin"),
            asn: None,
        };
        assert_eq!(*place, expected);
        let seattle = known.place_of("198.51.100.7".parse().unwrap()).unwrap();
        assert_eq!((seattle.metro_code, seattle.longitude), (Some(819), Some(-122.3305)));
        assert_eq!(known.place_of("8.8.8.8".parse().unwrap()), None);
        assert_eq!(country(&known, "2001:db8::1").as_deref(), Some("JP"));
    }

    #[test]
    fn several_databases_complete_each_other() {
        let known = known(&["city.mmdb", "asn.mmdb"], Some("US"));
        let place = known.place_of("203.0.113.7".parse().unwrap()).unwrap();
        assert_eq!((place.city.as_deref(), place.asn), (Some("München"), Some(64496)));
        // Only the second knows this one, and no country: --geo says it.
        let place = known.place_of("192.0.2.7".parse().unwrap()).unwrap();
        assert_eq!((place.country, place.asn), (Country::parse("US"), Some(64497)));
        assert_eq!(country(&known, "8.8.8.8").as_deref(), Some("US"));
        assert_eq!(country(&known, "203.0.113.7").as_deref(), Some("DE"));
    }

    #[test]
    fn of_a_record_in_another_shape_the_country_is_told() {
        let known = known(&["city.mmdb"], None);
        // Its city is text where others have names.
        assert_eq!(
            *known.place_of("127.0.3.1".parse().unwrap()).unwrap(),
            Place::in_country(Country::parse("FR").unwrap())
        );
    }

    #[test]
    fn a_file_that_is_no_database_is_refused_by_name() {
        for (path, reason) in [
            (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "no database in MaxMind's format"),
            ("/nowhere/geo.mmdb", "cannot be read"),
        ] {
            let error = Known::open(&[PathBuf::from(path)], None).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(path), "{error}");
        }
    }
}
