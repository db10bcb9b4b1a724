//! What CloudFront compresses (CloudFront guide: file types that CloudFront compresses).
//!
//! Media types without parameters, in any letter case (RFC 9110 §8.3.1). Images but SVG, WOFF and archives
//! are compressed already, which is why they are not among them.

use ::http::{HeaderMap, header};

/// Whether the one Content-Type of `headers` is on the list.
pub fn is_compressible(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else { return false };
    let media_type = field.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    let media_type = media_type.trim_ascii();
    CONTENT_TYPES.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(media_type))
}

/// In the order of the guide.
pub const CONTENT_TYPES: [&str; 48] = [
    "application/dash+xml",
    "application/eot",
    "application/font",
    "application/font-sfnt",
    "application/javascript",
    "application/json",
    "application/opentype",
    "application/otf",
    "application/pdf",
    "application/pkcs7-mime",
    "application/protobuf",
    "application/rss+xml",
    "application/truetype",
    "application/ttf",
    "application/vnd.apple.mpegurl",
    "application/vnd.mapbox-vector-tile",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "application/x-font-opentype",
    "application/x-font-truetype",
    "application/x-font-ttf",
    "application/x-httpd-cgi",
    "application/x-javascript",
    "application/x-mpegurl",
    "application/x-opentype",
    "application/x-otf",
    "application/x-perl",
    "application/x-ttf",
    "font/eot",
    "font/opentype",
    "font/otf",
    "font/ttf",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/js",
    "text/plain",
    "text/richtext",
    "text/tab-separated-values",
    "text/xml",
    "text/x-component",
    "text/x-java-source",
    "text/x-script",
    // As the guide writes it, without a type before it.
    "vnd.apple.mpegurl",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[track_caller]
    fn check(lines: &[&str], expected: bool) {
        assert_eq!(is_compressible(&fixture::headers(lines)), expected, "{lines:?}");
    }

    #[test]
    fn every_type_of_the_list_counts_with_parameters_and_in_any_case() {
        for listed in CONTENT_TYPES {
            check(&[&format!("content-type: {listed}")], true);
            check(&[&format!("content-type: {} ; charset=utf-8", listed.to_uppercase())], true);
        }
    }

    #[test]
    fn nothing_else_counts() {
        for other in
            ["image/png", "font/woff2", "application/ld+json", "text/event-stream", "text", ""]
        {
            check(&[&format!("content-type: {other}")], false);
        }
        check(&["content-type: text/html-sandboxed"], false);
        check(&["content-type: text/html, text/css"], false);
        check(&[], false);
        check(&["content-type: text/html", "content-type: text/html"], false);
    }
}
