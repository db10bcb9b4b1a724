//! `X-Amz-Cf-Id`: 56 characters that name one request in headers, logs and error pages.

use std::fmt;

use http::HeaderValue;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const LENGTH: usize = 56;

/// The id of one request: 54 characters of the URL-safe base64 alphabet and `==`, as CloudFront's look.
///
/// It names a request, it guards nothing, so a fast generator is enough.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; LENGTH]);

impl RequestId {
    /// A new id.
    pub fn random() -> Self {
        let mut id = [b'='; LENGTH];
        let characters = &mut id[..LENGTH - 2];
        fastrand::fill(characters);
        for character in characters {
            *character = ALPHABET[usize::from(*character & 63)];
        }
        Self(id)
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }

    pub(crate) fn header_value(&self) -> HeaderValue {
        HeaderValue::from_bytes(&self.0).expect("the alphabet is visible ASCII")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_looks_like_cloudfronts_and_never_repeats() {
        let ids: Vec<_> = (0..1000).map(|_| RequestId::random().as_str().to_owned()).collect();
        for id in &ids {
            assert_eq!(id.len(), 56);
            assert!(id.ends_with("=="));
        }
        let distinct: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }
}
