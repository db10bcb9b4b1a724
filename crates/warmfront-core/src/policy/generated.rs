//! The request headers that CloudFront itself makes from what it knows of the viewer
//! (CloudFront guide: CloudFront request headers).
//!
//! Here are those that need no more than the request and its connection. Absent until there is a
//! database or a seam for them: everything about place and network (`CloudFront-Viewer-Country` …
//! `-ASN`), the TLS session (`-TLS`, `-JA3-…`, `-JA4-…`, `-Cert-…`), custom error pages
//! (`CloudFront-Error-…`), and `-Header-Order`, since the parser forgets the order and spelling of
//! names. [`Generated::is_absent`] tells, so that `check` can list them.

use std::net::SocketAddr;

use ::http::{HeaderName, HeaderValue, Version, header};

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
    /// One that we cannot make yet; a viewer's header of its name is still not believed.
    Absent,
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
            _ if rest.starts_with("viewer-") || rest.starts_with("error-") => Generated::Absent,
            _ => return None,
        })
    }

    /// Whether a policy that asks for it gets nothing.
    pub fn is_absent(self) -> bool {
        self == Generated::Absent
    }

    /// The value for this request. The address is known where the origin request is made, but not
    /// where the key is: CloudFront takes it in origin request policies only.
    pub fn value(
        self,
        request: &RequestView<'_>,
        viewer: Option<SocketAddr>,
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
            // CloudFront guide: address and port with a colon between, IPv6 without brackets.
            Generated::Address => {
                let viewer = viewer?;
                let text = format!("{}:{}", viewer.ip().to_canonical(), viewer.port());
                HeaderValue::try_from(text).ok()?
            }
            Generated::HeaderCount => HeaderValue::from(request.headers.len()),
            Generated::Absent => return None,
        })
    }
}

impl Device {
    /// Whether a User-Agent is such a device's. CloudFront's own rules are not published; these go
    /// by the words that the devices themselves use.
    fn is(self, agent: &[u8]) -> bool {
        // A longer one says nothing more, and looking at all of it would be a viewer's to decide.
        let agent = &agent[..agent.len().min(1024)];
        let says = |word: &&str| {
            let word = word.as_bytes();
            agent.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
        };
        let says_any = |words: &[&str]| words.iter().any(|word| says(word));
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
