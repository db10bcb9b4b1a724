//! What the memory tier keeps when there is not room for all. `examples/zipf` measures the same at full size.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use warmfront::Body;

use crate::world::{ScriptedOrigin, answer, edge, get, read};

/// A crawler asks for everything once, ten times what the cache holds; people go on asking for the same few.
#[test]
fn a_scan_of_ten_times_the_cache_leaves_the_hot_set_where_it_is() {
    const MEMORY: u64 = 2 << 20;
    const OBJECT: u64 = 4 << 10;
    const HOT: u64 = MEMORY * 6 / 10 / OBJECT;
    let fetched = Arc::new(AtomicU64::new(0));
    let script = {
        let fetched = fetched.clone();
        ScriptedOrigin(Box::new(move |_| {
            fetched.fetch_add(1, Ordering::Relaxed);
            Box::pin(async {
                let headers = [("cache-control", "max-age=3600".to_owned())];
                answer(200, &headers, Body::full(vec![b'x'; OBJECT as usize]))
            })
        }))
    };
    let (edge, _clock) = edge((0, 0, 3600), MEMORY, script);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let is_hit = |path: String| {
        let before = fetched.load(Ordering::Relaxed);
        runtime.block_on(async { assert!(read(edge.call(get(&path)).await).await.whole) });
        fetched.load(Ordering::Relaxed) == before
    };
    for _ in 0..3 {
        for hot in 0..HOT {
            is_hit(format!("/hot/{hot}"));
        }
    }
    let scanned = MEMORY * 10 / OBJECT;
    let hits = (0..scanned)
        .filter(|number| {
            is_hit(format!("/scan/{number}"));
            is_hit(format!("/hot/{}", number * 7 % HOT))
        })
        .count() as u64;
    assert!(hits * 100 >= scanned * 97, "{hits} of {scanned} requests for the hot set were hits");
}
