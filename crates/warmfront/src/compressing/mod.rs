//! Compressing what an origin sends, once, on its way to everybody who waits and into the storage.
//!
//! Whether and with what is decided in `warmfront_core::compression`; here the head is changed and the body
//! is encoded while it streams. Without the feature `compression` everything passes as it is.

#[cfg(feature = "compression")]
mod body;
#[cfg(feature = "compression")]
mod encoder;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method};
use http_body::Body as _;
use warmfront_core::compression::{
    Coding, Compression, NotCompressed, compressed_head, compression, is_negotiated,
    vary_by_encoding, weaken_etag,
};

use crate::body::Body;
use crate::clock::Clock;
use crate::origin::OriginResponse;

/// Encodings under way at once. Each takes up to 3 MiB (Brotli's tables); what comes beyond is passed on as
/// it is, as CloudFront does when it has much to do.
const AT_ONCE: usize = 64;

/// Counts the encodings under way.
#[derive(Debug, Default)]
pub(crate) struct Compressors {
    running: Arc<AtomicUsize>,
}

/// The place of one encoding among those under way.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Compressors {
    fn place(&self) -> Result<Place, NotCompressed> {
        let place = Place(self.running.clone());
        match self.running.fetch_add(1, Ordering::Relaxed) < AT_ONCE {
            true => Ok(place),
            false => Err(NotCompressed::Busy),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a request would have, as `warmfront_core::compression::wanted` says.
pub(crate) type Wanted = Result<Coding, NotCompressed>;

/// The response as viewers get it: encoded if it is to be, and then under a head that says so. `tell` hears
/// what was decided, where the behavior compresses at all.
pub(crate) fn compressed(
    compressors: &Compressors,
    clock: &Arc<dyn Clock>,
    wanted: Wanted,
    method: &Method,
    mut response: OriginResponse,
    tell: impl FnOnce(Compression),
) -> OriginResponse {
    if !cfg!(feature = "compression") || matches!(wanted, Err(NotCompressed::Off)) {
        return response;
    }
    let OriginResponse { head, body } = &mut response;
    if head.status == http::StatusCode::NOT_MODIFIED {
        // It speaks of the origin's bytes, and the viewer may have ours.
        if wanted.is_ok() {
            weaken_etag(&mut head.headers);
        }
        return response;
    }
    let is_head = *method == Method::HEAD;
    let length = if is_head {
        head.headers.get(CONTENT_LENGTH).and_then(number)
    } else {
        body.size_hint().exact()
    };
    if is_negotiated(wanted, head.status, &head.headers, length) {
        vary_by_encoding(&mut head.headers);
    }
    let decided = compression(wanted, head.status, &head.headers, length);
    let Compression::With(coding) = decided else {
        tell(decided);
        return response;
    };
    let place = if is_head { None } else { Some(compressors.place()) };
    match place {
        None => compressed_head(&mut head.headers, coding),
        Some(Ok(place)) => {
            compressed_head(&mut head.headers, coding);
            *body = encoded(std::mem::take(body), coding, length.unwrap_or_default(), clock, place);
        }
        Some(Err(busy)) => {
            tell(Compression::Not(busy));
            return response;
        }
    }
    tell(decided);
    response
}

fn number(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.parse().ok()
}

#[cfg(feature = "compression")]
fn encoded(body: Body, coding: Coding, length: u64, clock: &Arc<dyn Clock>, place: Place) -> Body {
    let encoder = encoder::Encoder::new(coding, length);
    Body::stream(body::CompressedBody::new(body, encoder, length, clock.clone(), place))
}

#[cfg(not(feature = "compression"))]
fn encoded(body: Body, _: Coding, _: u64, _: &Arc<dyn Clock>, _: Place) -> Body {
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let compressors = Compressors::default();
        let taken: Vec<Place> = (0..AT_ONCE).map(|_| compressors.place().unwrap()).collect();
        assert!(compressors.place().is_err());
        assert!(compressors.place().is_err(), "who found none has given none back");
        drop(taken);
        assert!(compressors.place().is_ok());
    }
}
