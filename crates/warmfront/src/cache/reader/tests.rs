use http_body_util::BodyExt as _;

use super::*;
use crate::cache::tests_support::{in_fragments, stored};
use crate::cache::{CacheOptions, Fill, FragmentId, Kept, MemoryStorage};

const FRAGMENT: u64 = 1 << 10;

fn octets(range: Range<u64>) -> Vec<u8> {
    range.map(|n| (n % 251) as u8).collect()
}

/// An object of ten fragments without those in `holes`.
fn object(holes: &[u32]) -> (StoredResponse, Reading) {
    let options = CacheOptions { memory: 1 << 20, fragment: FRAGMENT };
    let storage = MemoryStorage::new(options);
    let generation = Generation::random();
    for number in (0..10).filter(|number| !holes.contains(number)) {
        let from = u64::from(number) * FRAGMENT;
        let fragment = octets(from..from + FRAGMENT);
        storage.keep(FragmentId { generation, number }, fragment.into());
    }
    let reading =
        Reading { storage: Arc::new(storage), generation, mend: None, patch: None, held: None };
    (in_fragments(generation, 10 * FRAGMENT), reading)
}

/// Everything up to the end or the break, and whether it was the end.
async fn read(mut body: Body) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => all.extend_from_slice(&frame.into_data().unwrap()),
            Err(_) => return (all, false),
        }
    }
    (all, true)
}

/// Brings `brings` octets of what is asked for, in fills of its own.
struct Mender {
    brings: u64,
    asked: std::sync::Mutex<Vec<Range<u64>>>,
}

impl Mend for Mender {
    fn mend(self: Arc<Self>, range: Range<u64>) -> BoxFuture<'static, Result<Patch, Unmended>> {
        self.asked.lock().unwrap().push(range.clone());
        let fill = Arc::new(Fill::default());
        let ticket = fill.attach().unwrap();
        let from = range.start / FRAGMENT * FRAGMENT;
        let head = crate::cache::FillHead {
            meta: crate::cache::tests_support::meta(),
            length: Some(10 * FRAGMENT),
            part: Some(from..from + self.brings),
            generation: Generation::random(),
            for_leader: None,
            selected: None,
            judged: false,
        };
        fill.publish(crate::cache::Outcome::Streaming(Arc::new(head)));
        fill.push(octets(from..from + self.brings).into());
        fill.end(Ok(()));
        Box::pin(std::future::ready(Ok(Patch { ticket, is_new: true })))
    }
}

#[tokio::test]
async fn a_part_of_a_short_body_is_cut_out_of_it() {
    let response = stored("hello wide world");
    for (range, expected) in [(0..16, "hello wide world"), (0..0, ""), (5..7, " w"), (15..16, "d")]
    {
        let (bytes, whole) = read(body_of(&response, range.clone(), None)).await;
        assert_eq!((&bytes[..], whole), (expected.as_bytes(), true), "{range:?}");
    }
}

#[tokio::test]
async fn a_range_crosses_fragments_and_stops_where_it_should() {
    let (stored, reading) = object(&[]);
    for range in [0..10 * FRAGMENT, 0..1, 1000..1030, 1024..2048, 1023..3073, 10_239..10_240, 5..5]
    {
        let body = body_of(&stored, range.clone(), Some(&reading));
        assert_eq!(read(body).await, (octets(range.clone()), true), "{range:?}");
    }
}

#[tokio::test]
async fn a_hole_that_cannot_be_mended_is_seen_as_a_break() {
    let (stored, reading) = object(&[3]);
    assert_eq!(reading.first_hole(&(0..10 * FRAGMENT)), Some(3 * FRAGMENT));
    assert_eq!(reading.first_hole(&(3 * FRAGMENT + 7..10 * FRAGMENT)), Some(3 * FRAGMENT + 7));
    assert_eq!(reading.first_hole(&(4 * FRAGMENT..10 * FRAGMENT)), None);
    let body = body_of(&stored, 5..10 * FRAGMENT, Some(&reading));
    assert_eq!(read(body).await, (octets(5..3 * FRAGMENT), false));
}

#[tokio::test]
async fn a_hole_is_mended_with_what_is_missing_and_reading_goes_on_from_the_storage() {
    for (brings, holes, requests) in [
        (FRAGMENT, &[3][..], 1),
        (2 * FRAGMENT, &[3, 4, 8], 2),
        (FRAGMENT, &[3, 4], 2),
        // Less than was asked for is not the end of it.
        (FRAGMENT / 2, &[3], 4),
    ] {
        let (stored, mut reading) = object(holes);
        let mender = Arc::new(Mender { brings, asked: Default::default() });
        reading.mend = Some(mender.clone());
        let range = 5..10 * FRAGMENT - 5;
        let (bytes, whole) = read(body_of(&stored, range.clone(), Some(&reading))).await;
        let asked = mender.asked.lock().unwrap();
        assert_eq!(asked.len(), requests, "{asked:?}");
        if brings < FRAGMENT {
            // What is brought each time ends before the place that is read: that ends, too.
            assert_eq!((bytes, whole), (octets(5..3 * FRAGMENT + brings), false));
        } else {
            assert_eq!((bytes, whole), (octets(range), true), "{holes:?}");
        }
    }
}

#[tokio::test]
async fn whoever_is_behind_the_fill_reads_fragments_until_it_has_caught_up() {
    let (_, reading) = object(&[4, 5, 6, 7, 8, 9]);
    let fill = Arc::new(Fill::default());
    let ticket = Arc::new(fill.attach().unwrap());
    fill.push(octets(0..3 * FRAGMENT).into());
    fill.push(octets(3 * FRAGMENT..4 * FRAGMENT + 100).into());
    fill.sealed(3 * FRAGMENT, octets(3 * FRAGMENT..4 * FRAGMENT).into(), Kept::Safely);
    fill.end(Ok(()));
    let body = Body::stream(ObjectBody::new(reading, 7..4 * FRAGMENT + 100).along(ticket));
    assert_eq!(read(body).await, (octets(7..4 * FRAGMENT + 100), true));
}
