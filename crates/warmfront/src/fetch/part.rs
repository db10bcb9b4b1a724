//! What an origin answers to a viewer's range of an object that nobody has (CloudFront guide: range GETs).
//!
//! It was asked for the fragments in which the range lies. A part whose place is clear is stored: the head of
//! the object, and the fragments that came. The whole object is stored as after any fetch, and goes to the viewer
//! as it is. Anything else is the viewer's alone.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};
use warmfront_core::caching::{NotStored, Storable};
use warmfront_core::http::part::{Part, strong_etag};

use super::Fetch;
use crate::body::{Body, BodyError};
use crate::cache::{
    Content, FillHead, Generation, Source, StoredMeta, StoredResponse, Stores, fragments_in,
};
use crate::origin::OriginResponse;
use crate::origination::unconditional;
use crate::parts::{Wanted, fitting};

impl Fetch {
    /// The answer to a request for a part.
    pub(super) async fn keep_part(
        mut self,
        wanted: Wanted,
        source: Source,
        request: &HeaderMap,
        delay: Duration,
        response: OriginResponse,
    ) {
        if response.head.status == StatusCode::OK {
            // Another fetch of the whole may be under way; one of the two is enough to be stored.
            let fills = self.origination.shared.cache.fills.clone();
            return match self.permit.becomes_whole(&fills) {
                true => self.keep(source, request, delay, response).await,
                false => self.hand_to_leader(response),
            };
        }
        if response.head.status != StatusCode::PARTIAL_CONTENT {
            return self.keep(source, request, delay, response).await;
        }
        match fitting(&response).filter(|part| has(part, wanted)) {
            Some(part) => self.store_part(wanted, part, source, request, delay, response).await,
            None if wanted.own == wanted.aligned => self.hand_to_leader(response),
            None => {
                // The viewer gets the answer to its own question.
                drop(response);
                let Some(heard) = self.ask(|_, asking| asking.headers.clone()).await else {
                    return;
                };
                match heard.result {
                    Err(error) => self.failed(heard.source, error).await,
                    Ok(response) => self.hand_to_leader(response),
                }
            }
        }
    }

    async fn store_part(
        mut self,
        wanted: Wanted,
        part: Part,
        source: Source,
        request: &HeaderMap,
        delay: Duration,
        mut response: OriginResponse,
    ) {
        let content_range = response.head.headers.remove(CONTENT_RANGE);
        let asking = self.origination.asking(source);
        let (request, headers) = (unconditional(request), &response.head.headers);
        let storable = self.origination.storable(asking, &request, StatusCode::OK, headers, delay);
        let size = self.origination.shared.cache.storage.fragment_size();
        let settled = match storable {
            Storable::For(_) if fragments_in(part.length, size).is_none() => {
                Err(NotStored::PartialContent)
            }
            Storable::For(lifetime) => {
                let settled = self.settle(&response.head.headers).await;
                settled.map(|selected| (lifetime, selected))
            }
            Storable::No(reason) => Err(reason),
        };
        let (lifetime, selected) = match settled {
            Ok(settled) => settled,
            Err(reason) => {
                response.head.extensions.insert(reason);
                if let Some(content_range) = content_range {
                    response.head.headers.insert(CONTENT_RANGE, content_range);
                }
                return self.hand_to_leader(cut(response, wanted, &part));
            }
        };
        response.head.status = StatusCode::OK;
        let (meta, for_leader) = self.stored_head(&mut response, lifetime, source);
        let (generation, stores) = self.place_of_part(&meta, &part).await;
        let head = FillHead {
            meta,
            length: Some(part.length),
            part: Some(part.range),
            generation,
            for_leader,
            selected,
            judged: self.judged,
        };
        self.stream(head, response.body, stores).await;
    }

    /// Under which name the fragments of a part are stored, and what else of it. Where the very version is
    /// stored already, its fragments and these belong together.
    async fn place_of_part(&self, meta: &StoredMeta, part: &Part) -> (Generation, Stores) {
        let cache = &self.origination.shared.cache;
        let size = cache.storage.fragment_size();
        let key = &self.permit.key;
        let stored = cache.storage.lookup(key.as_bytes()).read().await;
        let known = cache.unpurged(key.as_bytes(), stored);
        let headers = meta.head.headers();
        let etag = strong_etag(&headers);
        let of_known = known.as_ref().and_then(|known| match known.content {
            Content::Fragments { generation, length }
                if length == part.length
                    && etag.is_some()
                    && strong_etag(&known.meta.head.headers()) == etag =>
            {
                Some(generation)
            }
            _ => None,
        });
        let generation = of_known.unwrap_or_else(Generation::random);
        if part.length <= size {
            let is_all = part.range == (0..part.length);
            return (generation, if is_all { Stores::PartOf(known) } else { Stores::Nothing });
        }
        // Whatever else is needed of this version can be asked for by name, so its head is stored at once,
        // and the next range belongs to it. Without a name the fragments of this one answer stand alone.
        if etag.is_none() || meta.lifetime.fresh_for.is_zero() {
            return (generation, Stores::PartOf(known));
        }
        let content = Content::Fragments { generation, length: part.length };
        let response = StoredResponse { meta: meta.clone(), content };
        if self.permit.may_store(meta) {
            cache.storage.replace(key, known.as_ref(), Arc::new(response));
        }
        (generation, Stores::Fragments)
    }
}

/// Whether `part` has what the viewer wants of the object.
fn has(part: &Part, wanted: Wanted) -> bool {
    let own = wanted.own.within(part.length);
    own.is_none_or(|own| part.range.start <= own.start && own.end <= part.range.end)
}

/// The response with no more than the viewer wants of it.
fn cut(response: OriginResponse, wanted: Wanted, part: &Part) -> OriginResponse {
    let OriginResponse { mut head, body } = response;
    let value = |text: String| HeaderValue::try_from(text).expect("digits are visible ASCII");
    let Some(own) = wanted.own.within(part.length) else {
        head.status = StatusCode::RANGE_NOT_SATISFIABLE;
        head.headers.insert(CONTENT_RANGE, value(format!("bytes */{}", part.length)));
        head.headers.remove(CONTENT_LENGTH);
        return OriginResponse { head, body: Body::empty() };
    };
    if own == part.range {
        return OriginResponse { head, body };
    }
    let left = own.end - own.start;
    let place = format!("bytes {}-{}/{}", own.start, own.end - 1, part.length);
    head.headers.insert(CONTENT_RANGE, value(place));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(left));
    let body = Cut { body, skip: own.start - part.range.start, left };
    OriginResponse { head, body: Body::stream(body) }
}

/// Some octets of a body. The rest goes nowhere, and its connection is given up.
#[derive(Debug)]
struct Cut {
    body: Body,
    skip: u64,
    left: u64,
}

impl http_body::Body for Cut {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        while self.left > 0 {
            let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) else {
                let short = "the origin's part is shorter than it said";
                self.left = 0;
                return Poll::Ready(Some(Err(BodyError::Cut(short.into()))));
            };
            let Ok(mut data) = frame.into_data() else { continue };
            let skipped = data.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            let _ = data.split_to(skipped);
            self.skip -= skipped as u64;
            data.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
            if !data.is_empty() {
                self.left -= data.len() as u64;
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
