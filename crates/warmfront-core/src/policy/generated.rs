//! The request headers that CloudFront itself makes from what it knows of the viewer
//! (CloudFront guide: CloudFront request headers).
//!
//! Those about place and network come from [`RequestView::place`], which is there when somebody can look
//! addresses up and a policy asks ([`needs_place`]). Absent until there is a seam for them: fingerprints
//! of the TLS handshake (`-JA3-…`, `-JA4-…`), client certificates (`-Cert-…`), and
//! `-Header-Order`, since the parser forgets the order and spelling of names. [`Generated::is_absent`] tells, so that `check` can list them.

use std::fmt::Write as _;
use std::net::SocketAddr;

use ::http::{HeaderName, HeaderValue, Version, header};

use crate::Behavior;
use crate::access::place::Place;
use crate::origin::Scheme;
use crate::request_view::RequestView;

/// A header that CloudFront makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// `CloudFront-Is-…-Viewer`: whether the User-Agent is such a device's.
    Is(Device),
    /// `CloudFront-Forwarded-Proto`.
    ForwardedProto,
    /// `CloudFront-Viewer-Http-Version`.
    HttpVersion,
    /// `CloudFront-Viewer-Address`.
    Address,
    /// `CloudFront-Viewer-Header-Count`.
    HeaderCount,
    /// `CloudFront-Viewer-TLS`.
    Tls,
    /// `CloudFront-Viewer-ASN`.
    Asn,
    /// `CloudFront-Viewer-Country` and the others about where the viewer is.
    At(Whereabouts),
    /// `CloudFront-Error-Uri`: the path whose error made the edge fetch an error page.
    ErrorUri,
    /// `CloudFront-Error-Args`: its query string.
    ErrorArgs,
    /// One that we cannot make yet; a viewer's header of its name is still not believed.
    Absent,
}

/// One fact about where a viewer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// ISO 3166-1 alpha-2.
    Country,
    /// The country's name.
    CountryName,
    /// ISO 3166-2 without the country.
    CountryRegion,
    /// The region's name.
    CountryRegionName,
    /// The city's name.
    City,
    /// Degrees, five decimals.
    Latitude,
    /// Degrees, five decimals.
    Longitude,
    /// In the United States.
    MetroCode,
    /// The postal code.
    PostalCode,
    /// An IANA name.
    TimeZone,
}

/// What is known where the origin request is made, but not where the key is: CloudFront takes the headers
/// that come of it in origin request policies only.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// The viewer's address and port.
    pub viewer: SocketAddr,
    /// Protocol, cipher and kind of handshake, as `CloudFront-Viewer-TLS` has them.
    pub tls: Option<&'a str>,
}

/// What a viewer is, as far as its User-Agent tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// Runs Android.
    Android,
    /// None of mobile, tablet and television.
    Desktop,
    /// Runs iOS or iPadOS.
    Ios,
    /// A phone.
    Mobile,
    /// A television or a box beside one.
    SmartTv,
    /// A tablet.
    Tablet,
}

impl Generated {
    /// Which header of CloudFront's has this name, if any.
    pub fn named(name: &HeaderName) -> Option<Generated> {
        let rest = name.as_str().strip_prefix("cloudfront-")?;
        Some(match rest {
            "is-android-viewer" => Generated::Is(Device::Android),
            "is-desktop-viewer" => Generated::Is(Device::Desktop),
            "is-ios-viewer" => Generated::Is(Device::Ios),
            "is-mobile-viewer" => Generated::Is(Device::Mobile),
            "is-smarttv-viewer" => Generated::Is(Device::SmartTv),
            "is-tablet-viewer" => Generated::Is(Device::Tablet),
            "forwarded-proto" => Generated::ForwardedProto,
            "viewer-http-version" => Generated::HttpVersion,
            "viewer-address" => Generated::Address,
            "viewer-header-count" => Generated::HeaderCount,
            "viewer-tls" => Generated::Tls,
            "viewer-asn" => Generated::Asn,
            "viewer-country" => Generated::At(Whereabouts::Country),
            "viewer-country-name" => Generated::At(Whereabouts::CountryName),
            "viewer-country-region" => Generated::At(Whereabouts::CountryRegion),
            "viewer-country-region-name" => Generated::At(Whereabouts::CountryRegionName),
            "viewer-city" => Generated::At(Whereabouts::City),
            "viewer-latitude" => Generated::At(Whereabouts::Latitude),
            "viewer-longitude" => Generated::At(Whereabouts::Longitude),
            "viewer-metro-code" => Generated::At(Whereabouts::MetroCode),
            "viewer-postal-code" => Generated::At(Whereabouts::PostalCode),
            "viewer-time-zone" => Generated::At(Whereabouts::TimeZone),
            "error-uri" => Generated::ErrorUri,
            "error-args" => Generated::ErrorArgs,
            _ if rest.starts_with("viewer-") || rest.starts_with("error-") => Generated::Absent,
            _ => return None,
        })
    }

    /// Whether a policy that asks for it gets nothing.
    pub fn is_absent(self) -> bool {
        self == Generated::Absent
    }

    /// Whether it takes a database of addresses to make it.
    pub fn needs_place(self) -> bool {
        matches!(self, Generated::At(_) | Generated::Asn)
    }

    /// The value for this request; `None` where nobody knows it, and then the header is left out.
    pub fn value(
        self,
        request: &RequestView<'_>,
        connection: Option<&Connection<'_>>,
    ) -> Option<HeaderValue> {
        Some(match self {
            Generated::Is(device) => {
                let agent = request.headers.get(header::USER_AGENT);
                let agent = agent.map(HeaderValue::as_bytes).unwrap_or_default();
                HeaderValue::from_static(if device.is(agent) { "true" } else { "false" })
            }
            Generated::ForwardedProto => HeaderValue::from_static(match request.scheme {
                Scheme::Http => "http",
                Scheme::Https => "https",
            }),
            Generated::HttpVersion => HeaderValue::from_static(match request.version {
                Version::HTTP_09 | Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2.0",
                Version::HTTP_3 => "3.0",
                _ => "1.1",
            }),
            // CloudFront guide: address, colon, port; brackets are not mentioned for IPv6.
            Generated::Address => {
                let viewer = connection?.viewer;
                let text = format!("{}:{}", viewer.ip().to_canonical(), viewer.port());
                HeaderValue::try_from(text).ok()?
            }
            Generated::HeaderCount => HeaderValue::from(request.headers.len()),
            Generated::Tls => HeaderValue::try_from(connection?.tls?).ok()?,
            Generated::Asn => {
                connection?;
                HeaderValue::from(request.place?.asn?)
            }
            Generated::At(fact) => fact.of(request.place?)?,
            // Only where an error page is fetched, which `origin_request` knows.
            Generated::ErrorUri | Generated::ErrorArgs | Generated::Absent => return None,
        })
    }
}

/// Whether a policy of this behavior asks for something about the viewer's place.
pub fn needs_place(behavior: &Behavior) -> bool {
    let keyed = behavior.cache_policy.headers.iter();
    let forwarded = behavior.origin_request_policy.headers.listed().iter();
    keyed.chain(forwarded).any(|name| Generated::named(name).is_some_and(Generated::needs_place))
}

impl Whereabouts {
    fn of(self, place: &Place) -> Option<HeaderValue> {
        let degrees = |degrees: f64| HeaderValue::try_from(format!("{degrees:.5}")).ok();
        match self {
            Whereabouts::Country => HeaderValue::from_str(place.country?.as_str()).ok(),
            Whereabouts::CountryName => encoded(place.country_name.as_deref()?),
            Whereabouts::CountryRegion => encoded(place.region.as_deref()?),
            Whereabouts::CountryRegionName => encoded(place.region_name.as_deref()?),
            Whereabouts::City => encoded(place.city.as_deref()?),
            Whereabouts::Latitude => degrees(place.latitude?),
            Whereabouts::Longitude => degrees(place.longitude?),
            Whereabouts::MetroCode => Some(HeaderValue::from(place.metro_code?)),
            Whereabouts::PostalCode => encoded(place.postal_code.as_deref()?),
            Whereabouts::TimeZone => encoded(place.time_zone.as_deref()?),
        }
    }
}

/// `text` with every octet that is not visible ASCII or a space percent-encoded (CloudFront guide: headers
/// for determining the viewer's location).
fn encoded(text: &str) -> Option<HeaderValue> {
    let mut value = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' => value.push(char::from(byte)),
            // Writing to a String cannot fail.
            _ => drop(write!(value, "%{byte:02X}")),
        }
    }
    HeaderValue::try_from(value).ok()
}

impl Device {
    /// Whether a User-Agent is such a device's. CloudFront's own rules are not published; these go
    /// by the words that the devices themselves use.
    fn is(self, agent: &[u8]) -> bool {
        // A longer one says nothing more, and looking at all of it would be a viewer's to decide.
        // In lower case on the stack, where a search by `str` takes many octets at once: this is
        // done on every hit of a behavior that keys on a device.
        let mut lower = [0; 1024];
        let length = agent.len().min(lower.len());
        lower[..length].copy_from_slice(&agent[..length]);
        lower.make_ascii_lowercase();
        let agent = match std::str::from_utf8(&lower[..length]) {
            Ok(text) => text,
            Err(error) => std::str::from_utf8(&lower[..error.valid_up_to()]).unwrap_or_default(),
        };
        let says = |word: &&str| agent.contains(*word);
        let says_any = |words: &[&str]| words.iter().any(says);
        let is_tv = || says_any(TELEVISIONS);
        let is_tablet =
            || !is_tv() && (says_any(TABLETS) || (says(&"android") && !says(&"mobile")));
        let is_mobile = || !is_tv() && !is_tablet() && says_any(PHONES);
        match self {
            Device::Android => says(&"android"),
            Device::Ios => says_any(&["iphone", "ipad", "ipod"]) && !says(&"windows phone"),
            Device::SmartTv => is_tv(),
            Device::Tablet => is_tablet(),
            Device::Mobile => is_mobile(),
            Device::Desktop => !is_tv() && !is_tablet() && !is_mobile(),
        }
    }
}

const TELEVISIONS: &[&str] = &[
    "smart-tv",
    "smarttv",
    "googletv",
    "google tv",
    "android tv",
    "appletv",
    "apple tv",
    "hbbtv",
    "netcast",
    "web0s",
    "viera",
    "bravia",
    "roku",
    "crkey",
    "; aft",
];
const TABLETS: &[&str] = &["ipad", "tablet", "kindle", "playbook", "silk/"];
const PHONES: &[&str] =
    &["mobile", "iphone", "ipod", "windows phone", "blackberry", "opera mini", "iemobile"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    /// Which of the six are true: `a`ndroid, `d`esktop, `i`OS, `m`obile, t`v`, `t`ablet.
    #[track_caller]
    fn check(agent: &str, expected: &str) {
        let devices = [
            ('a', Device::Android),
            ('d', Device::Desktop),
            ('i', Device::Ios),
            ('m', Device::Mobile),
            ('v', Device::SmartTv),
            ('t', Device::Tablet),
        ];
        let is = devices.iter().filter(|(_, device)| device.is(agent.as_bytes()));
        assert_eq!(is.map(|(letter, _)| letter).collect::<String>(), expected, "{agent}");
    }

    #[test]
    fn devices_are_told_by_their_own_words() {
        check("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "d");
        check("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Mobile/15E148", "im");
        check("Mozilla/5.0 (iPad; CPU OS 18_1 like Mac OS X) Mobile/15E148 Safari/604.1", "it");
        check("Mozilla/5.0 (Linux; Android 16; Pixel 9) Chrome/140.0 Mobile Safari/537.36", "am");
        check("Mozilla/5.0 (Linux; Android 15; SM-X710) Chrome/140.0 Safari/537.36", "at");
        check("Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36", "v");
        check("Mozilla/5.0 (Linux; Android 9; AFTMM) AppleWebKit/537.36", "av");
        check("Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1) Mobile", "am");
        check("curl/8.14.1", "d");
        check("", "d");
    }

    #[track_caller]
    fn value(name: &str, view: &RequestView<'_>) -> Option<String> {
        let generated = Generated::named(&HeaderName::try_from(name).unwrap())?;
        let viewer = "[2001:db8::1]:50000".parse().unwrap();
        let tls = Some("TLSv1.3:TLS_AES_128_GCM_SHA256:fullHandshake");
        let value = generated.value(view, Some(&Connection { viewer, tls }))?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_the_connection_tells() {
        let headers = fixture::headers(&["host: a", "accept: */*", "accept: text/html"]);
        let view = RequestView {
            method: &::http::Method::GET,
            scheme: Scheme::Https,
            version: Version::HTTP_2,
            host: "a",
            path: "/",
            query: None,
            headers: &headers,
            place: None,
        };
        for (name, expected) in [
            ("CloudFront-Forwarded-Proto", Some("https")),
            ("CloudFront-Viewer-Http-Version", Some("2.0")),
            ("CloudFront-Viewer-Address", Some("2001:db8::1:50000")),
            ("CloudFront-Viewer-Header-Count", Some("3")),
            ("CloudFront-Viewer-TLS", Some("TLSv1.3:TLS_AES_128_GCM_SHA256:fullHandshake")),
            ("CloudFront-Is-Desktop-Viewer", Some("true")),
            ("CloudFront-Viewer-Country", None),
            ("CloudFront-Viewer-Header-Order", None),
            ("X-Viewer-Address", None),
            ("CloudFront-Own", None),
        ] {
            assert_eq!(value(name, &view).as_deref(), expected, "{name}");
        }
        let is_absent =
            |name| Generated::named(&HeaderName::from_static(name)).map(Generated::is_absent);
        assert_eq!(is_absent("cloudfront-viewer-country"), Some(false));
        assert_eq!(is_absent("cloudfront-viewer-ja3-fingerprint"), Some(true));
        assert_eq!(is_absent("cloudfront-error-uri"), Some(false));
        assert_eq!(is_absent("cloudfront-viewer-address"), Some(false));
        assert_eq!(is_absent("cloudfront-own"), None);
    }

    #[test]
    fn what_is_known_of_the_place_is_told_and_the_rest_left_out() {
        let headers = fixture::headers(&["cloudfront-viewer-country: XX"]);
        let place = Place {
            country: crate::access::geo::Country::parse("de"),
            country_name: Some("Germany".to_owned()),
            region: Some("BY".to_owned()),
            city: Some("München am\n100% Ufer".to_owned()),
            latitude: Some(48.1374),
            longitude: Some(-0.5),
            metro_code: Some(807),
            time_zone: Some("Europe/Berlin".to_owned()),
            asn: Some(64496),
            ..Place::default()
        };
        let view = RequestView {
            method: &::http::Method::GET,
            scheme: Scheme::Http,
            version: Version::HTTP_11,
            host: "a",
            path: "/",
            query: None,
            headers: &headers,
            place: Some(&place),
        };
        for (name, expected) in [
            ("CloudFront-Viewer-Country", Some("DE")),
            ("CloudFront-Viewer-Country-Name", Some("Germany")),
            ("CloudFront-Viewer-Country-Region", Some("BY")),
            ("CloudFront-Viewer-Country-Region-Name", None),
            ("CloudFront-Viewer-City", Some("M%C3%BCnchen am%0A100% Ufer")),
            ("CloudFront-Viewer-Latitude", Some("48.13740")),
            ("CloudFront-Viewer-Longitude", Some("-0.50000")),
            ("CloudFront-Viewer-Metro-Code", Some("807")),
            ("CloudFront-Viewer-Postal-Code", None),
            ("CloudFront-Viewer-Time-Zone", Some("Europe/Berlin")),
            ("CloudFront-Viewer-ASN", Some("64496")),
        ] {
            assert_eq!(value(name, &view).as_deref(), expected, "{name}");
            assert_eq!(value(name, &RequestView { place: None, ..view }), None, "{name}");
        }
        let keyed = |name| {
            let generated = Generated::named(&HeaderName::from_static(name)).unwrap();
            generated.value(&view, None).is_some()
        };
        assert!(keyed("cloudfront-viewer-country"));
        assert!(!keyed("cloudfront-viewer-asn"), "CloudFront has it in no cache key");
    }

    #[test]
    fn the_place_is_looked_up_only_where_a_policy_asks() {
        let mut behavior = fixture::behavior("*");
        assert!(!needs_place(&behavior));
        behavior.cache_policy.headers = vec![HeaderName::from_static("cloudfront-viewer-address")];
        assert!(!needs_place(&behavior));
        behavior.cache_policy.headers.push(HeaderName::from_static("cloudfront-viewer-city"));
        assert!(needs_place(&behavior));
    }
}
