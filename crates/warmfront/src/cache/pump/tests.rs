use std::collections::VecDeque;

use bytes::Bytes;

use super::*;
use crate::body::BodyError;
use crate::cache::{
    CacheOptions, Fills, Found, FragmentId, Generation, Join, MemoryStorage, Ticket, tests_support,
};
use crate::clock::VirtualClock;

const FRAGMENT: u64 = 1 << 10;

/// A body in these pieces, without a word about its length.
struct Pieces(VecDeque<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, BodyError>>> {
        std::task::Poll::Ready(self.0.pop_front().map(|piece| Ok(http_body::Frame::data(piece))))
    }
}

fn octets(length: u64) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

fn body(length: u64, piece: usize) -> Body {
    let octets = octets(length);
    Body::stream(Pieces(octets.chunks(piece).map(Bytes::copy_from_slice).collect()))
}

struct World {
    cache: Cache,
    ticket: Ticket,
    generation: Generation,
}

/// Pumps `sent` octets of an object that promises `length`, of which `part` is asked for.
async fn pumped(
    (sent, piece): (u64, usize),
    length: Option<u64>,
    part: Option<std::ops::Range<u64>>,
    stores: Stores,
) -> World {
    let options = CacheOptions { memory: 1 << 20, fragment: FRAGMENT };
    let cache = Cache::new(
        Arc::new(MemoryStorage::new(options)),
        Arc::new(crate::cache::Purges::in_memory(std::time::SystemTime::UNIX_EPOCH)),
        1 << 18,
    );
    let Join::Lead(permit, ticket) = cache.fills.join(b"k") else { panic!("nobody leads yet") };
    let generation = Generation::random();
    let meta = tests_support::meta();
    let head = Arc::new(FillHead {
        meta,
        length,
        part,
        generation,
        for_leader: None,
        selected: None,
        judged: false,
    });
    permit.fill.publish(crate::cache::Outcome::Streaming(head.clone()));
    let clock = Arc::new(VirtualClock::starting_at(std::time::SystemTime::UNIX_EPOCH));
    pump(permit, body(sent, piece), head, stores, &cache, clock).await;
    ticket.go_to(u64::MAX);
    assert_eq!(cache.budget.used(), 0, "everything is given back");
    World { cache, ticket, generation }
}

impl World {
    fn stored(&self) -> Option<Arc<StoredResponse>> {
        match self.cache.storage.lookup(b"k") {
            Found::Here(stored) => Some(stored),
            _ => None,
        }
    }

    fn fragment(&self, number: u32) -> Option<Bytes> {
        let id = FragmentId { generation: self.generation, number };
        match self.cache.storage.fragment(id) {
            Found::Here(fragment) => Some(fragment),
            _ => None,
        }
    }

    /// The whole stored body.
    fn content(&self) -> Option<Vec<u8>> {
        let stored = self.stored()?;
        let content = match &stored.content {
            Content::Whole(bytes) => {
                assert!(stored.length() <= FRAGMENT);
                bytes.to_vec()
            }
            Content::Fragments { .. } => {
                let count = stored.length().div_ceil(FRAGMENT) as u32;
                (0..count).flat_map(|number| self.fragment(number).unwrap()).collect()
            }
        };
        assert_eq!(stored.length(), content.len() as u64);
        Some(content)
    }
}

#[tokio::test]
async fn a_body_is_stored_as_it_came_whatever_its_length_and_pieces() {
    for sent in [0, 1, FRAGMENT - 1, FRAGMENT, FRAGMENT + 1, 2 * FRAGMENT, 5 * FRAGMENT + 7] {
        for piece in [1, 100, FRAGMENT as usize, 10_000] {
            for length in [None, Some(sent)] {
                let world = pumped((sent, piece), length, None, Stores::Object).await;
                let content = world.content().unwrap();
                assert_eq!(content, octets(sent), "{sent} in {piece}, {length:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_short_body_is_never_stored_and_of_a_long_one_what_was_promised() {
    let short = pumped((99, 10), Some(100), None, Stores::Object).await;
    assert!(short.stored().is_none());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let end = short.ticket.poll_at(&mut cx, 99);
    assert!(matches!(end, std::task::Poll::Ready(crate::cache::Read::Broken(_))), "{end:?}");

    for promised in [100, 2 * FRAGMENT + 5] {
        let long = pumped((promised + 30, 40), Some(promised), None, Stores::Object).await;
        assert_eq!(long.content().unwrap(), octets(promised));
        assert_eq!(long.ticket.received(), promised);
    }
}

#[tokio::test]
async fn of_a_part_only_whole_fragments_are_stored_and_the_last_one_of_the_object() {
    let length = 4 * FRAGMENT + 10;
    for (part, expected) in [
        (FRAGMENT..3 * FRAGMENT, vec![1, 2]),
        (FRAGMENT - 5..3 * FRAGMENT + 5, vec![1, 2]),
        (3 * FRAGMENT..length, vec![3, 4]),
        (3 * FRAGMENT..length - 1, vec![3]),
        (4 * FRAGMENT + 5..length, vec![]),
        (FRAGMENT + 1..2 * FRAGMENT - 1, vec![]),
    ] {
        let sent = part.end - part.start;
        let stores = Stores::PartOf(None);
        let world = pumped((sent, 100), Some(length), Some(part.clone()), stores).await;
        let there: Vec<u32> = (0..5).filter(|n| world.fragment(*n).is_some()).collect();
        assert_eq!(there, expected, "{part:?}");
        for number in there {
            let from = u64::from(number) * FRAGMENT;
            let octets = octets(sent);
            let expected = &octets[(from - part.start) as usize..];
            let fragment = world.fragment(number).unwrap();
            assert_eq!(fragment, expected[..fragment.len()], "{part:?}");
        }
        assert_eq!(world.stored().unwrap().length(), length);
    }
}

#[tokio::test]
async fn what_outgrows_the_storage_goes_on_as_a_window_and_is_not_stored() {
    // Of a memory of 1 MiB an object takes at most 64 KiB. Nobody reads: the filler waits for 30 s twice,
    // and then the viewer is cut.
    let options = CacheOptions { memory: 1 << 20, fragment: FRAGMENT };
    let cache = Cache::new(
        Arc::new(MemoryStorage::new(options)),
        Arc::new(crate::cache::Purges::in_memory(std::time::SystemTime::UNIX_EPOCH)),
        1 << 18,
    );
    let fills: &Arc<Fills> = &cache.fills;
    let Join::Lead(permit, ticket) = fills.join(b"k") else { panic!("nobody leads yet") };
    let meta = tests_support::meta();
    let generation = Generation::random();
    let head = Arc::new(FillHead {
        meta,
        length: None,
        part: None,
        generation,
        for_leader: None,
        selected: None,
        judged: false,
    });
    permit.fill.publish(crate::cache::Outcome::Streaming(head.clone()));
    ticket.go_to(u64::MAX);
    let clock = Arc::new(VirtualClock::starting_at(std::time::SystemTime::UNIX_EPOCH));
    pump(permit, body(200 << 10, 1000), head, Stores::Object, &cache, clock).await;
    assert!(matches!(cache.storage.lookup(b"k"), Found::Nowhere));
    assert_eq!((ticket.received(), cache.budget.used()), (200 << 10, 0));
}

#[test]
fn a_short_body_of_unknown_length_keeps_no_large_buffer() {
    let options = CacheOptions { memory: 64 << 20, ..CacheOptions::default() };
    let cache = Cache::new(
        Arc::new(MemoryStorage::new(options)),
        Arc::new(crate::cache::Purges::in_memory(std::time::SystemTime::UNIX_EPOCH)),
        16 << 20,
    );
    for (length, sent) in [(None, 100), (Some(100), 100), (None, 70_000), (Some(70_000), 70_000)] {
        let head = FillHead {
            meta: tests_support::meta(),
            length,
            part: None,
            generation: Generation::random(),
            for_leader: None,
            selected: None,
            judged: false,
        };
        let mut gather = Gather::new(&cache, &head);
        assert!(gather.take(&vec![b'x'; sent], &*cache.storage).unwrap().is_empty());
        let (_, bytes) = gather.rest().unwrap();
        let buffer = bytes.try_into_mut().expect("nobody else has it");
        assert!(buffer.capacity() <= sent + sent / 16, "{} for {sent}", buffer.capacity());
    }
}
