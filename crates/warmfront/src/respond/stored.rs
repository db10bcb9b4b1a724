//! A stored response, whole or in part, as the viewer asked for it; also one that is still being filled.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_MATCH,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use warmfront_core::caching::freshness;
use warmfront_core::caching::validation::{Precondition, evaluate};
use warmfront_core::http::range::{RangeAnswer, resolve};

use super::{Answer, Made, failed, multipart, number, result, result_for};
use crate::body::Body;
use crate::cache::{FillHead, ObjectBody, Reading, StoredResponse, Ticket, body_of};
use crate::request::Reply;
use crate::request_id::RequestId;

/// Answers from `stored`: conditions first, then ranges (RFC 9110 §13.2.2), then the whole.
///
/// An error page is not what the conditions and ranges were about: it is always sent whole. `reading` is
/// needed for an object in fragments only.
pub(crate) fn from_stored(
    id: &RequestId,
    request: &http::request::Parts,
    stored: &StoredResponse,
    reading: Option<Reading>,
    result: &'static str,
    now: Duration,
) -> Answer {
    let is_page = stored.meta.source().is_error_page();
    if let Some(failure) = stored.failure() {
        let answer = failed(failure.status, failure.detailed_result, &request.method, id);
        return if is_page { Answer { made: Made::Finally, ..answer } } else { answer };
    }
    let meta = &stored.meta;
    let reading = reading.as_ref();
    let mut headers = meta.head.headers();
    let age = freshness::age(&meta.lifetime, stored.resident(now));
    headers.insert(AGE, number(age));
    if is_page {
        let reply = whole(request, stored, reading, headers);
        return error_page(reply);
    }
    let reply = if is_conditional(&request.headers) {
        match evaluate(&request.headers, &request.method, meta.status, &headers) {
            Precondition::NotModified => not_modified(headers),
            Precondition::Failed => precondition_failed(headers),
            Precondition::Proceed => content(request, stored, reading, headers),
        }
    } else {
        content(request, stored, reading, headers)
    };
    judged(reply, result)
}

/// Holds the viewer's conditions against a response that the origin sent without knowing them.
pub(crate) fn under_conditions(request: &http::request::Parts, answer: Answer) -> Answer {
    let reply = &answer.reply;
    if answer.made != Made::Replaceable || !is_conditional(&request.headers) {
        return answer;
    }
    let condition = evaluate(&request.headers, &request.method, reply.status(), reply.headers());
    let replaced: fn(HeaderMap) -> Reply = match condition {
        Precondition::Proceed => return answer,
        Precondition::NotModified => not_modified,
        Precondition::Failed => precondition_failed,
    };
    // The body goes nowhere, and the origin's connection is given up.
    judged(replaced(answer.reply.into_parts().0.headers), answer.result)
}

/// A reply that stands in for an error, whatever its status now is.
fn error_page(reply: Reply) -> Answer {
    let result = result::ERROR;
    Answer { reply, result, detailed_result: result, made: Made::Finally }
}

/// How a response that is being filled goes to one viewer.
pub(crate) struct FromFill<'a> {
    pub(crate) head: &'a FillHead,
    /// What of it.
    pub(crate) range: RangeAnswer,
    pub(crate) reading: Reading,
    /// A place in the fill; `None` when it is not waited for.
    pub(crate) ticket: Option<Ticket>,
    /// This viewer led to it. To all others it is a hit, with its age.
    pub(crate) led: bool,
    /// Octets come from the origin for this viewer.
    pub(crate) is_miss: bool,
}

/// Streams a response while it is being filled.
pub(crate) fn from_fill(
    request: &http::request::Parts,
    from: FromFill<'_>,
    now: Duration,
) -> Answer {
    let FromFill { head, range, reading, ticket, led, is_miss } = from;
    let ticket = ticket.map(Arc::new);
    let stored_head = if led { head.for_leader.as_ref() } else { None };
    let mut headers = stored_head.unwrap_or(&head.meta.head).headers();
    let age = freshness::age(&head.meta.lifetime, head.meta.resident(now));
    // RFC 9111 §5.1: to the viewer who led, Age says that the origin did not make the response for it. Only
    // the origin can say so, and a head of its own has what it said.
    let is_told = stored_head.is_none_or(|_| headers.contains_key(AGE));
    if !led || (age > 0 && is_told) {
        headers.insert(AGE, number(age));
    }
    let body = |range: Range<u64>| {
        let body = ObjectBody::new(reading.clone(), range);
        Body::stream(match &ticket {
            Some(ticket) => body.along(ticket.clone()),
            None => body,
        })
    };
    let streamed = |mut headers: HeaderMap| match (range, head.length) {
        (RangeAnswer::Part(range), Some(length)) => {
            part_of(length, headers, range.clone(), body(range))
        }
        (RangeAnswer::Parts(ranges), Some(length)) => {
            multipart::written(headers, length, ranges, body)
        }
        (RangeAnswer::Unsatisfiable, Some(length)) => unsatisfiable(length, headers),
        (_, length) => {
            // RFC 9110 §8.6: a 204 has neither body nor length.
            let has_body = head.meta.status != StatusCode::NO_CONTENT;
            if let Some(length) = length.filter(|_| has_body) {
                headers.insert(CONTENT_LENGTH, number(length));
            }
            let body = match (length, &ticket) {
                _ if request.method == Method::HEAD || !has_body => Body::empty(),
                (Some(length), _) => body(0..length),
                (None, Some(ticket)) => {
                    Body::stream(ObjectBody::until_the_end(reading.clone(), ticket.clone()))
                }
                (None, None) => Body::empty(),
            };
            reply(head.meta.status, headers, body)
        }
    };
    if head.meta.source().is_error_page() {
        return error_page(streamed(headers));
    }
    let reply = match evaluate(&request.headers, &request.method, head.meta.status, &headers) {
        _ if led && head.judged => streamed(headers),
        Precondition::NotModified => not_modified(headers),
        Precondition::Failed => precondition_failed(headers),
        Precondition::Proceed => streamed(headers),
    };
    judged(reply, if is_miss { result::MISS } else { result::HIT })
}

/// What has become of a response under the viewer's conditions and range: a 412 or 416 is an error, though its
/// object was found.
fn judged(reply: Reply, result: &'static str) -> Answer {
    let (result, detailed_result) = result_for(reply.status(), result);
    Answer { reply, result, detailed_result, made: Made::Replaceable }
}

/// Which octets of `stored` the answer to a request has; none where it has no body.
pub(crate) fn octets_wanted(
    request: &http::request::Parts,
    stored: &StoredResponse,
) -> Vec<Range<u64>> {
    let headers = stored.meta.head.headers();
    let proceeds = !is_conditional(&request.headers)
        || evaluate(&request.headers, &request.method, stored.meta.status, &headers)
            == Precondition::Proceed;
    if request.method == Method::HEAD || !proceeds {
        return Vec::new();
    }
    match range_of(request, stored, &headers) {
        RangeAnswer::Whole => std::iter::once(0..stored.length()).collect(),
        RangeAnswer::Part(range) => vec![range],
        RangeAnswer::Parts(ranges) => ranges,
        RangeAnswer::Unsatisfiable => Vec::new(),
    }
}

fn range_of(
    request: &http::request::Parts,
    stored: &StoredResponse,
    headers: &HeaderMap,
) -> RangeAnswer {
    let asks_for_range = stored.meta.status == StatusCode::OK
        && request.method == Method::GET
        && request.headers.contains_key(RANGE);
    match asks_for_range {
        true => resolve(&request.headers, headers, stored.length()),
        false => RangeAnswer::Whole,
    }
}

fn is_conditional(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        matches!(*name, IF_NONE_MATCH | IF_MODIFIED_SINCE | IF_MATCH | IF_UNMODIFIED_SINCE)
    })
}

/// The body as asked: all of it, one range, or several as `multipart/byteranges`.
fn content(
    request: &http::request::Parts,
    stored: &StoredResponse,
    reading: Option<&Reading>,
    headers: HeaderMap,
) -> Reply {
    match range_of(request, stored, &headers) {
        RangeAnswer::Whole => whole(request, stored, reading, headers),
        RangeAnswer::Part(range) => {
            let body = body_of(stored, range.clone(), reading);
            part_of(stored.length(), headers, range, body)
        }
        RangeAnswer::Parts(ranges) => multipart::parts(stored, reading, headers, ranges),
        RangeAnswer::Unsatisfiable => unsatisfiable(stored.length(), headers),
    }
}

fn whole(
    request: &http::request::Parts,
    stored: &StoredResponse,
    reading: Option<&Reading>,
    mut headers: HeaderMap,
) -> Reply {
    let bodyless = stored.meta.status == StatusCode::NO_CONTENT;
    if !bodyless {
        headers.insert(CONTENT_LENGTH, number(stored.length()));
    }
    let body = if request.method == Method::HEAD {
        Body::empty()
    } else {
        body_of(stored, 0..stored.length(), reading)
    };
    reply(stored.meta.status, headers, body)
}

fn part_of(length: u64, mut headers: HeaderMap, range: Range<u64>, body: Body) -> Reply {
    headers.insert(CONTENT_LENGTH, number(range.end - range.start));
    headers.insert(CONTENT_RANGE, multipart::content_range(&range, length));
    reply(StatusCode::PARTIAL_CONTENT, headers, body)
}

/// RFC 9110 §15.5.17: the length tells the viewer what would have been possible.
fn unsatisfiable(length: u64, mut headers: HeaderMap) -> Reply {
    headers.remove(CONTENT_TYPE);
    headers.remove(CONTENT_ENCODING);
    let unsatisfied = format!("bytes */{length}");
    headers.insert(
        CONTENT_RANGE,
        HeaderValue::try_from(unsatisfied).expect("digits are visible ASCII"),
    );
    reply(StatusCode::RANGE_NOT_SATISFIABLE, headers, Body::empty())
}

/// RFC 9110 §15.4.5: validators and caching headers stay, those that describe content go.
fn not_modified(mut headers: HeaderMap) -> Reply {
    for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE] {
        headers.remove(name);
    }
    reply(StatusCode::NOT_MODIFIED, headers, Body::empty())
}

fn precondition_failed(mut headers: HeaderMap) -> Reply {
    for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
        headers.remove(name);
    }
    reply(StatusCode::PRECONDITION_FAILED, headers, Body::empty())
}

fn reply(status: StatusCode, headers: HeaderMap, body: Body) -> Reply {
    let mut reply = Reply::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}
