//! Whether the edge compresses a response, and with what (cloudfront.md §3.7).
//!
//! Two questions: what would the viewer and the behavior have ([`wanted`]), asked before the origin is, and
//! whether this response is one to compress ([`compression`]). What becomes of the head is `head`'s; the
//! engine encodes.
//!
//! Where the guide is silent: a response that is not stored is compressed like any other as long as the
//! behavior's TTLs allow caching at all, and `no-transform` is obeyed (RFC 9110 §7.7).

pub mod content_types;
pub mod head;

use std::fmt;

use ::http::{HeaderMap, Method, StatusCode, Version, header};

use crate::Behavior;
use crate::caching::cache_control;
use crate::http::encoding::Codings;
use crate::http::hop_by_hop;
use content_types::is_compressible;

pub use head::{compressed_head, vary_by_encoding, weaken_etag};

/// A content coding that the edge can produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878), where the rules know it.
    Zstd,
}

impl Coding {
    /// As Content-Encoding and Accept-Encoding name it.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
        }
    }
}

/// Compress it?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Yes, so.
    With(Coding),
    /// No.
    Not(NotCompressed),
}

/// Why the origin's bytes are passed on as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCompressed {
    /// `Compress` is false.
    Off,
    /// The cache policy enables neither gzip nor Brotli.
    NoCodingEnabled,
    /// All TTLs are zero, and CloudFront compresses only what may be cached.
    CachingDisabled,
    /// Only GET, and HEAD like it.
    Method,
    /// HTTP/1.0 viewers get what the origin sent.
    Http10,
    /// The viewer accepts no coding that is enabled.
    NotAccepted,
    /// Only 200, 403 and 404.
    Status(StatusCode),
    /// The origin has encoded it already, or says that it has not (`identity`).
    Encoded,
    /// `Cache-Control: no-transform`.
    NoTransform,
    /// Not on the list of content types.
    ContentType,
    /// The origin told no length.
    NoLength,
    /// The length is below [`SMALLEST`] or above [`LARGEST`].
    Size(u64),
    /// The edge has as many encodings under way as it allows itself; CloudFront, too, gives no promise.
    Busy,
}

/// The least Content-Length that is compressed, in bytes.
pub const SMALLEST: u64 = 1_000;
/// The greatest.
pub const LARGEST: u64 = 10_000_000;

/// The coding that a request would get from this behavior. CloudFront prefers Brotli to gzip; zstd, where it
/// was asked for, costs a third of Brotli's time for nearly its size.
pub fn wanted(
    behavior: &Behavior,
    method: &Method,
    version: Version,
    headers: &HeaderMap,
) -> Result<Coding, NotCompressed> {
    if !behavior.compress {
        return Err(NotCompressed::Off);
    }
    let policy = &behavior.cache_policy;
    let enabled = Codings::enabled(behavior);
    if enabled.is_empty() {
        return Err(NotCompressed::NoCodingEnabled);
    }
    if policy.ttl.disable_caching() {
        return Err(NotCompressed::CachingDisabled);
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(NotCompressed::Method);
    }
    if version < Version::HTTP_11 {
        return Err(NotCompressed::Http10);
    }
    if hop_by_hop::is_listed(headers, &header::ACCEPT_ENCODING) {
        return Err(NotCompressed::NotAccepted);
    }
    match enabled.accepted_by(headers) {
        Codings { zstd: true, .. } => Ok(Coding::Zstd),
        Codings { brotli: true, .. } => Ok(Coding::Brotli),
        Codings { gzip: true, .. } => Ok(Coding::Gzip),
        _ => Err(NotCompressed::NotAccepted),
    }
}

/// Whether a response of the origin is compressed for a request that [`wanted`] it so.
///
/// `length` is its Content-Length, or what is known without one. A HEAD gets the head of the GET that it
/// stands for (RFC 9110 §9.3.2).
pub fn compression(
    wanted: Result<Coding, NotCompressed>,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
) -> Compression {
    wanted.and_then(|coding| fits(status, headers, length).map(|()| coding)).into()
}

/// Whether the response is sent in more than one coding, so that caches behind us must know: it is
/// compressed, or only the viewer's Accept-Encoding kept it from being so.
pub fn is_negotiated(
    wanted: Result<Coding, NotCompressed>,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
) -> bool {
    matches!(wanted, Ok(_) | Err(NotCompressed::NotAccepted | NotCompressed::Http10))
        && fits(status, headers, length).is_ok()
}

fn fits(status: StatusCode, headers: &HeaderMap, length: Option<u64>) -> Result<(), NotCompressed> {
    // A part (206) is not among them: it stays a part of the origin's bytes.
    if !matches!(status, StatusCode::OK | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return Err(NotCompressed::Status(status));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(NotCompressed::Encoded);
    }
    if !is_compressible(headers) {
        return Err(NotCompressed::ContentType);
    }
    match length {
        None => return Err(NotCompressed::NoLength),
        Some(length) if !(SMALLEST..=LARGEST).contains(&length) => {
            return Err(NotCompressed::Size(length));
        }
        Some(_) => {}
    }
    if cache_control::parse(headers).no_transform {
        return Err(NotCompressed::NoTransform);
    }
    Ok(())
}

impl From<Result<Coding, NotCompressed>> for Compression {
    fn from(decided: Result<Coding, NotCompressed>) -> Self {
        decided.map_or_else(Compression::Not, Compression::With)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Compression::With(coding) => write!(f, "with {}", coding.name()),
            Compression::Not(reason) => write!(f, "none: {reason}"),
        }
    }
}

impl fmt::Display for NotCompressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotCompressed::Off => f.write_str("the behavior's Compress is false"),
            NotCompressed::NoCodingEnabled => f.write_str(
                "the cache policy has neither EnableAcceptEncodingGzip nor EnableAcceptEncodingBrotli",
            ),
            NotCompressed::CachingDisabled => f.write_str("caching is disabled: all TTLs are 0"),
            NotCompressed::Method => f.write_str("only GET and HEAD are compressed"),
            NotCompressed::Http10 => f.write_str("the viewer speaks HTTP/1.0"),
            NotCompressed::NotAccepted => {
                f.write_str("the viewer's Accept-Encoding names no coding that is enabled")
            }
            NotCompressed::Status(status) => {
                write!(f, "status {} is not compressed, only 200, 403 and 404", status.as_u16())
            }
            NotCompressed::Encoded => f.write_str("the origin sent Content-Encoding"),
            NotCompressed::NoTransform => f.write_str("the origin says no-transform"),
            NotCompressed::ContentType => {
                f.write_str("its Content-Type is not on CloudFront's list of compressed types")
            }
            NotCompressed::NoLength => f.write_str("the origin sent no Content-Length"),
            NotCompressed::Size(length) => {
                write!(f, "its {length} bytes are not within {SMALLEST} to {LARGEST}")
            }
            NotCompressed::Busy => {
                f.write_str("as many responses as allowed are being compressed now")
            }
        }
    }
}

#[cfg(test)]
mod tests;
