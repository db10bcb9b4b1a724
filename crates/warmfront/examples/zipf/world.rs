//! The engine between one viewer and an origin that has every object.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use warmfront::cache::Usage;
use warmfront::{Body, Edge, OriginError, OriginRequest, OriginResponse};

use crate::small_world::{ScriptedOrigin, answer, edge, get};
use crate::trace;

pub(crate) struct World {
    runtime: tokio::runtime::Runtime,
    edge: Edge,
    fetched: Arc<AtomicU64>,
}

impl World {
    pub(crate) fn new(cache: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let fetched = Arc::new(AtomicU64::new(0));
        let (count, bytes) = (fetched.clone(), Bytes::from(vec![b'x'; 1 << 20]));
        let script = ScriptedOrigin(Box::new(move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = everything(&request, &bytes);
            Box::pin(async move { answer })
        }));
        let (edge, _clock) = edge((0, 0, 3600), cache, script);
        Self { runtime, edge, fetched }
    }

    /// Whether the cache alone answered a request for `object`.
    pub(crate) fn ask(&mut self, object: u32) -> bool {
        let before = self.fetched.load(Ordering::Relaxed);
        self.runtime.block_on(async {
            let reply = self.edge.call(get(&format!("/{object}"))).await;
            let (mut body, mut length) = (reply.into_body(), 0);
            while let Some(Ok(frame)) = body.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            assert_eq!(length, trace::size_of(object), "a body is whole");
        });
        self.fetched.load(Ordering::Relaxed) == before
    }

    pub(crate) fn usage(&self) -> Usage {
        self.edge.cache_usage()
    }
}

/// Any object, or a part of it for whoever has only the rest.
fn everything(request: &OriginRequest, bytes: &Bytes) -> Result<OriginResponse, OriginError> {
    let object = request.head.uri.path()[1..].parse().unwrap();
    let size = trace::size_of(object) as usize;
    let mut headers = vec![
        ("cache-control", "max-age=3600".to_owned()),
        ("content-type", "application/octet-stream".to_owned()),
        ("etag", format!("\"{object}\"")),
    ];
    let range = request.head.headers.get("range").and_then(|range| range.to_str().ok());
    let part = range.and_then(|range| {
        let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
        let last = last.parse().unwrap_or(size - 1).min(size - 1);
        Some((first.parse::<usize>().ok()?, last))
    });
    match part {
        Some((first, last)) => {
            headers.push(("content-range", format!("bytes {first}-{last}/{size}")));
            answer(206, &headers, Body::full(bytes.slice(first..=last)))
        }
        None => answer(200, &headers, Body::full(bytes.slice(..size))),
    }
}

/// Bytes of this process that lie in memory, as Linux says; 0 elsewhere.
pub(crate) fn resident() -> u64 {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = told.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
