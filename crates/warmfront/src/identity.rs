//! How this edge names itself in Via and X-Amz-Cf-Pop.

use http::{HeaderValue, Version};

/// The point of presence that CloudFront's headers name. There is one edge here and it is nobody's
/// airport; the shape (three letters, a number, `-`, a letter and a number) is what scripts look for.
pub const POP: &str = "WFT50-P1";

#[derive(Debug)]
pub(crate) struct Identity {
    /// For replies.
    pub(crate) via: HeaderValue,
    pub(crate) pop: HeaderValue,
    via_10: HeaderValue,
    via_20: HeaderValue,
    via_30: HeaderValue,
}

impl Identity {
    /// A name that no other running edge has.
    pub(crate) fn random() -> Self {
        let host = format!("{:032x}.cloudfront.net (CloudFront)", fastrand::u128(..));
        let via = |version: &str| {
            HeaderValue::try_from(format!("{version} {host}"))
                .expect("hexadecimal digits are ASCII")
        };
        Self {
            via: via("1.1"),
            pop: HeaderValue::from_static(POP),
            via_10: via("1.0"),
            via_20: via("2.0"),
            via_30: via("3.0"),
        }
    }

    /// For requests to origins: the version is the one the viewer spoke (CloudFront guide: Via).
    pub(crate) fn via_for(&self, version: Version) -> &HeaderValue {
        match version {
            Version::HTTP_09 | Version::HTTP_10 => &self.via_10,
            Version::HTTP_2 => &self.via_20,
            Version::HTTP_3 => &self.via_30,
            _ => &self.via,
        }
    }
}
