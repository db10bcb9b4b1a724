//! Content types by file extension.
//!
//! An upload to S3 stores the type beside the object; a directory has only names, so this table says
//! what the usual upload tools would have stored. A crate with a thousand types is not worth its weight.

/// The type of `key`, as `aws s3 sync` would guess it; `binary/octet-stream` is S3's own default.
pub(super) fn content_type(key: &str) -> &'static str {
    let name = key.rsplit('/').next().unwrap_or(key);
    let Some((_, extension)) = name.rsplit_once('.') else { return DEFAULT };
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..extension.len()) else { return DEFAULT };
    lower.copy_from_slice(extension.as_bytes());
    lower.make_ascii_lowercase();
    TYPES.iter().find(|(known, _)| known.as_bytes() == lower).map_or(DEFAULT, |(_, mime)| mime)
}

const DEFAULT: &str = "binary/octet-stream";
const LONGEST: usize = 12;

const TYPES: &[(&str, &str)] = &[
    ("html", "text/html"),
    ("htm", "text/html"),
    ("css", "text/css"),
    ("js", "text/javascript"),
    ("mjs", "text/javascript"),
    ("json", "application/json"),
    ("map", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("xml", "application/xml"),
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("csv", "text/csv"),
    ("ics", "text/calendar"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("ico", "image/x-icon"),
    ("bmp", "image/bmp"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("woff", "font/woff"),
    ("woff2", "font/woff2"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
    ("mp4", "video/mp4"),
    ("webm", "video/webm"),
    ("mov", "video/quicktime"),
    ("ts", "video/mp2t"),
    ("m3u8", "application/vnd.apple.mpegurl"),
    ("mpd", "application/dash+xml"),
    ("mp3", "audio/mpeg"),
    ("ogg", "audio/ogg"),
    ("wav", "audio/wav"),
    ("m4a", "audio/mp4"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("gz", "application/gzip"),
    ("tar", "application/x-tar"),
    ("wasm", "application/wasm"),
    ("rss", "application/rss+xml"),
    ("atom", "application/atom+xml"),
    ("epub", "application/epub+zip"),
    ("doc", "application/msword"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_extension_decides_whatever_its_case() {
        let check = |key, expected| assert_eq!(content_type(key), expected, "{key}");
        check("index.html", "text/html");
        check("a.b/PHOTO.JPG", "image/jpeg");
        check("archive.tar.gz", "application/gzip");
        check("a.html/none", DEFAULT);
        check("no-extension", DEFAULT);
        check("dot.", DEFAULT);
        check("x.averyverylongextension", DEFAULT);
        check("x.ünïcode", DEFAULT);
    }

    #[test]
    fn the_table_needs_no_longer_buffer() {
        assert!(TYPES.iter().all(|(extension, _)| extension.len() <= LONGEST));
    }
}
