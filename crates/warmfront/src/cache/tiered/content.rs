//! A stored response as the content of a record: its head, and its body if that is short.
//!
//! The first byte is the version of the layout: what another version wrote is a miss. The record's checksum
//! has held before a content is read, but a decoder that is older or newer than the writer must not fail
//! either, so nothing here trusts a length.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use warmfront_core::caching::CacheTags;

use super::bytes::{Cursor, Writing as _};
use super::lifetime;
use crate::cache::{
    Content, Generation, Rare, Source, StoredHead, StoredMeta, StoredResponse, Varies,
};

const VERSION: u8 = 1;
const WHOLE: u8 = 0;
const FRAGMENTS: u8 = 1;
/// No response, but what lies under the primary key of a URI whose responses vary.
const VARIES: u8 = 2;
/// Bodies below this size are copied out of what was read, so that in memory they take their size alone.
const COPIED: usize = 128 << 10;

/// `response` as bytes; `None` for what is not kept on disk: the memory of a failure, which is short-lived and
/// names things of this process.
pub(super) fn encode(response: &StoredResponse) -> Option<Bytes> {
    let StoredResponse { meta, content } = response;
    let varies = response.varies();
    if response.failure().is_some() {
        return None;
    }
    let mut out = Vec::with_capacity(512);
    out.push(VERSION);
    out.number(response.length().to_le_bytes());
    match content {
        Content::Whole(_) => out.push(if varies.is_some() { VARIES } else { WHOLE }),
        Content::Fragments { generation, .. } => {
            let Generation(generation) = *generation;
            out.push(FRAGMENTS);
            out.number(generation.to_le_bytes());
        }
    }
    write_meta(&mut out, meta)?;
    match (varies, content) {
        (Some(varies), _) => varies.encode(&mut out),
        (None, Content::Whole(body)) => out.extend_from_slice(body),
        (None, Content::Fragments { .. }) => {}
    }
    Some(out.into())
}

/// The response whose content `bytes` are, read at `now` on the monotonic clock.
pub(super) fn decode(bytes: &Bytes, now: Duration) -> Option<StoredResponse> {
    let (head, body) = decode_head(bytes, now)?;
    let body = bytes.slice(bytes.len() - body..);
    let Head { meta, length, kind } = head;
    let content = match kind {
        Kind::Fragments(generation) => Content::Fragments { generation, length },
        Kind::Varies => {
            let varies = Arc::new(Varies::decode(&body)?);
            return Some(StoredResponse::of_varies(varies, meta.epoch, meta.stored_at.into()));
        }
        Kind::Whole if body.len() as u64 != length => return None,
        Kind::Whole if body.len() < COPIED => Content::Whole(Bytes::copy_from_slice(&body)),
        Kind::Whole => Content::Whole(body),
    };
    Some(StoredResponse { meta, content })
}

/// What comes before the body.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) meta: StoredMeta,
    /// Octets of the whole body.
    pub(super) length: u64,
    pub(super) kind: Kind,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The body.
    Whole,
    /// Nothing: the body is in fragments of this name.
    Fragments(Generation),
    /// A [`Varies`].
    Varies,
}

/// The head of the response whose content begins with `bytes`, and how many of them are left.
pub(super) fn decode_head(bytes: &[u8], now: Duration) -> Option<(Head, usize)> {
    let mut cursor = Cursor(bytes);
    if cursor.u8()? != VERSION {
        return None;
    }
    let length = cursor.u64()?;
    let kind = match cursor.u8()? {
        WHOLE => Kind::Whole,
        FRAGMENTS => Kind::Fragments(Generation(cursor.u128()?)),
        VARIES => Kind::Varies,
        _ => return None,
    };
    let meta = read_meta(&mut cursor, now)?;
    Some((Head { meta, length, kind }, cursor.0.len()))
}

fn write_meta(out: &mut Vec<u8>, meta: &StoredMeta) -> Option<()> {
    let StoredMeta { status, head, lifetime, stored_at, epoch, .. } = meta;
    out.number(status.as_u16().to_le_bytes());
    lifetime::write(out, lifetime);
    out.duration((*stored_at).into());
    out.number(source_to_number(meta.source()).to_le_bytes());
    out.number(epoch.to_le_bytes());
    out.text(meta.tags().as_str().as_bytes())?;
    let count = head.fields().count();
    out.number(u16::try_from(count).ok()?.to_le_bytes());
    for (name, value) in head.fields() {
        out.text(name.as_str().as_bytes())?;
        out.text(&value)?;
    }
    Some(())
}

fn read_meta(cursor: &mut Cursor<'_>, now: Duration) -> Option<StoredMeta> {
    let status = StatusCode::from_u16(cursor.u16()?).ok()?;
    let lifetime = lifetime::read(cursor)?;
    let stored_at = cursor.duration()?;
    // The clock went back: how old it is nobody knows, so it is as old as can be.
    let stored_at = if stored_at > now { Duration::ZERO } else { stored_at };
    let source = number_to_source(cursor.u16()?)?;
    let epoch = cursor.u64()?;
    let tags = CacheTags::of_values([cursor.text()?]);
    let count = cursor.u16()?;
    let mut headers = HeaderMap::new();
    for _ in 0..count {
        let name = HeaderName::from_bytes(cursor.text()?).ok()?;
        let value = HeaderValue::from_bytes(cursor.text()?).ok()?;
        // A map has an upper limit, which what we wrote is far from.
        headers.try_append(name, value).ok()?;
    }
    let head = StoredHead::new(&headers);
    let (checked, rare) = (Default::default(), Rare::new(source, tags));
    Some(StoredMeta {
        status,
        head,
        lifetime: lifetime.into(),
        stored_at: stored_at.into(),
        epoch,
        checked,
        rare,
    })
}

/// A status for a page in an error's place; below them the others.
fn source_to_number(source: Source) -> u16 {
    match source {
        Source::Primary => 0,
        Source::Secondary => 1,
        Source::ErrorPage(status) => status.as_u16(),
    }
}

fn number_to_source(number: u16) -> Option<Source> {
    match number {
        0 => Some(Source::Primary),
        1 => Some(Source::Secondary),
        status => StatusCode::from_u16(status).ok().map(Source::ErrorPage),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::tests_support::meta;

    const NOW: Duration = Duration::from_secs(1_000_000);

    fn response(content: Content) -> StoredResponse {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.append("x-empty", HeaderValue::from_static(""));
        let meta = StoredMeta {
            status: StatusCode::NOT_FOUND,
            head: StoredHead::new(&headers),
            stored_at: (NOW - Duration::from_millis(1_234)).into(),
            epoch: 77,
            rare: Rare::new(
                Source::ErrorPage(StatusCode::BAD_GATEWAY),
                CacheTags::of_values([&b"shoes, hats"[..]]),
            ),
            ..meta()
        };
        StoredResponse { meta, content }
    }

    fn same(found: &StoredResponse, expected: &StoredResponse) {
        let (f, e) = (&found.meta, &expected.meta);
        assert_eq!((f.status, *f.lifetime, f.stored_at), (e.status, *e.lifetime, e.stored_at));
        assert_eq!((f.source(), f.epoch, f.tags()), (e.source(), e.epoch, e.tags()));
        assert_eq!(f.head.headers(), e.head.headers());
        assert_eq!(found.length(), expected.length());
        match (&found.content, &expected.content) {
            (Content::Whole(found), Content::Whole(expected)) => assert_eq!(found, expected),
            (
                Content::Fragments { generation: found, .. },
                Content::Fragments { generation: expected, .. },
            ) => {
                assert_eq!(found, expected)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_response_comes_back_as_it_was() {
        for content in [
            Content::Whole(Bytes::new()),
            Content::Whole(Bytes::from_static(b"hello")),
            Content::Whole(Bytes::from(vec![b'x'; COPIED])),
            Content::Fragments { generation: Generation(u128::MAX - 5), length: 5 << 30 },
        ] {
            let written = response(content);
            same(&decode(&encode(&written).unwrap(), NOW).unwrap(), &written);
        }
    }

    #[test]
    fn the_entry_of_a_uri_that_varies_comes_back() {
        let varies = Arc::new(Varies::new());
        let entry = StoredResponse::of_varies(varies.clone(), 3, NOW);
        let found = decode(&encode(&entry).unwrap(), NOW).unwrap();
        assert_eq!(found.varies(), Some(&varies));
        assert_eq!(found.meta.epoch, 3);
    }

    #[test]
    fn another_version_and_every_cut_are_a_miss() {
        let written = encode(&response(Content::Whole(Bytes::from_static(b"hello")))).unwrap();
        for length in 0..written.len() {
            assert!(decode(&written.slice(..length), NOW).is_none(), "cut at {length}");
        }
        let mut other = written.to_vec();
        other[0] = VERSION + 1;
        assert!(decode(&other.into(), NOW).is_none());
    }

    #[test]
    fn a_response_from_the_future_is_as_old_as_can_be() {
        let written = encode(&response(Content::Whole(Bytes::new()))).unwrap();
        let before = NOW - Duration::from_secs(3600);
        let found = decode(&written, before).unwrap();
        assert_eq!(found.resident(before), before);
    }

    #[test]
    fn the_memory_of_a_failure_is_not_kept() {
        let failure = crate::cache::Failure { status: 502, detailed_result: "OriginConnectError" };
        let memory = StoredResponse::failed(Source::Primary, failure, *meta().lifetime, NOW);
        assert!(encode(&memory).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_confuse_the_decoder(
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            random in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = decode(&random.into(), NOW);
            let mut bytes = encode(&response(Content::Whole(Bytes::from_static(b"hello")))).unwrap().to_vec();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = decode(&bytes.into(), NOW);
        }
    }
}
