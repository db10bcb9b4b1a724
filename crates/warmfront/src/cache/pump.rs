//! The filler at work: a body moves from the origin to the viewers and into the storage.
//!
//! Viewers get the pieces as they come; the storage gets copies of its own, gathered into fragments, since a
//! piece is a slice of its connection's read buffer and would keep all of that. So a fill that is kept holds
//! one fragment that grows, what viewers have not read of it and of the one before, and what else they have
//! not read and only memory stores. What the filler waits for is `pace`'s.

mod gather;
mod pace;
#[cfg(test)]
mod tests;

use std::future::poll_fn;
use std::sync::Arc;

use http_body_util::BodyExt as _;

use super::budget::Share;
use super::{Cache, CacheKey, Content, FillHead, Permit, Storage, StoredResponse};
use crate::body::Body;
use crate::clock::Clock;
use gather::Gather;
use pace::Pace;

/// What of a body is stored.
#[derive(Debug)]
pub(crate) enum Stores {
    /// Nothing: viewers share a window.
    Nothing,
    /// The object, once it is complete.
    Object,
    /// Its fragments; its head is stored already.
    Fragments,
    /// Fragments, and then the head of the object they are a part of, unless something else than this has
    /// been stored meanwhile.
    PartOf(Option<Arc<StoredResponse>>),
}

/// Moves the body from the origin to the viewers and into the storage, until it ends or nobody wants it.
///
/// Of a body that goes on after the length that its head promised, only that length is passed on and stored,
/// and its connection is given up.
pub(crate) async fn pump(
    mut permit: Permit,
    mut body: Body,
    head: Arc<FillHead>,
    stores: Stores,
    cache: &Cache,
    clock: Arc<dyn Clock>,
) {
    let fill = permit.fill.clone();
    let mut left = head.promised();
    let mut gather = match stores {
        Stores::Nothing => None,
        _ => Some(Gather::new(cache, &head)),
    };
    if gather.is_none() {
        fill.stop_keeping();
    }
    fill.count_in(Share::of(&cache.budget));
    let mut pace = Pace::new(&fill, &*cache.storage, &*clock);
    let end = loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            () = poll_fn(|cx| fill.poll_deserted(cx)) => {
                break Err(Arc::from("every viewer has gone"));
            }
        };
        match frame {
            None if left.is_some_and(|left| left > 0) => {
                break Err(Arc::from("the body is shorter than promised"));
            }
            None => break Ok(()),
            Some(Err(error)) => break Err(Arc::from(error.to_string())),
            Some(Ok(frame)) => {
                // Trailers are not stored: nothing in a cached answer may depend on them.
                let Ok(mut data) = frame.into_data() else { continue };
                let is_too_long = left.is_some_and(|left| data.len() as u64 > left);
                if let Some(left) = &mut left {
                    data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= data.len() as u64;
                }
                fill.push(data.clone());
                if let Some(gathering) = &mut gather
                    && pace.take(gathering, &data).await.is_err()
                {
                    gather = None;
                    fill.stop_keeping();
                }
                if is_too_long {
                    break Ok(());
                }
                pace.wait_for_viewers().await;
            }
        }
    };
    if end.is_ok()
        && let Some(gather) = gather
        && pace.may_end(&gather).await
        && permit.may_store(&head.meta)
    {
        // First stored, then closed: whoever comes in between finds one or the other.
        commit(gather, &head, stores, &permit.key, &*cache.storage);
    }
    permit.close();
    fill.end(end);
}

/// The body has come to its end: what is left of it is stored, and then its head.
fn commit(gather: Gather, head: &FillHead, stores: Stores, key: &CacheKey, storage: &dyn Storage) {
    let reached = gather.position();
    let is_first = gather.is_first();
    let rest = gather.rest();
    let brought_all = head.begins_at() == 0 && head.length.is_none_or(|length| length == reached);
    let content = if brought_all && is_first {
        Content::Whole(rest.map(|(_, bytes)| bytes).unwrap_or_default())
    } else {
        if let Some((id, fragment)) = rest
            && (fragment.len() as u64 == storage.fragment_size()
                || brought_all
                || head.length == Some(reached))
        {
            storage.keep(id, fragment);
        }
        let length = head.length.unwrap_or(reached);
        Content::Fragments { generation: head.generation, length }
    };
    let response = StoredResponse { meta: head.meta.clone(), content };
    match stores {
        Stores::Nothing | Stores::Fragments => {}
        Stores::Object => storage.insert(key, Arc::new(response)),
        Stores::PartOf(known) => storage.replace(key, known.as_ref(), Arc::new(response)),
    }
}
