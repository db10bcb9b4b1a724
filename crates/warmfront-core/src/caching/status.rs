//! What a cache makes of each status: CloudFront's table (cloudfront.md §3.11), and RFC 9110's.

use ::http::StatusCode;

/// How CloudFront's table of status codes treats a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// By the TTL rules.
    Answer,
    /// By the TTL rules, if there is Cache-Control.
    RedirectWithCacheControl,
    /// Always, for ErrorCachingMinTTL at least.
    Error,
    /// The same, but only when the origin says max-age or s-maxage.
    ErrorWithMaxAge,
}

impl Listed {
    /// `None`: never stored. 416 and the errors that the table leaves out (401, 406, 429 …), interim replies
    /// and 304, and whatever is no HTTP status. 410 stands only among those that obey no-store, which would
    /// say nothing of an error that is never stored.
    pub(super) fn of(status: StatusCode) -> Option<Listed> {
        match status.as_u16() {
            206 | 304 => None,
            307 | 308 => Some(Listed::RedirectWithCacheControl),
            200..=399 => Some(Listed::Answer),
            404 | 414 | 500..=504 => Some(Listed::Error),
            400 | 403 | 405 | 410 | 412 | 415 => Some(Listed::ErrorWithMaxAge),
            _ => None,
        }
    }

    /// Which errors no-store, no-cache and private are honored for, MinTTL or not.
    pub(super) fn is_error_that_may_be_forbidden(status: StatusCode) -> bool {
        matches!(status.as_u16(), 404 | 410 | 414 | 501)
    }
}

/// RFC 9110 §15.1: statuses that are heuristically cacheable. 206 is among them; parts are told apart earlier.
pub(super) fn is_heuristically_cacheable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// RFC 9111 §3: final statuses that may be stored at all. 304 is no response of its own, and parts are told
/// apart earlier.
pub(super) fn is_final(status: StatusCode) -> bool {
    status.as_u16() >= 200 && status != StatusCode::NOT_MODIFIED
}

/// Statuses whose requirements on caches this one knows and keeps, as must-understand asks (RFC 9111
/// §5.2.2.3): those of RFC 9110, but for 206, 304 and 416, whose responses are not stored, and those of
/// later RFCs that ask nothing of caches. 226 (RFC 3229) asks, and is not here.
pub(super) fn is_understood(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200..=205
            | 207
            | 208
            | 300..=303
            | 305
            | 307
            | 308
            | 400..=415
            | 417
            | 421..=426
            | 428
            | 429
            | 431
            | 451
            | 500..=508
            | 511
    )
}
