use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use super::*;
use crate::cache::budget::Budget;
use crate::cache::{Generation, tests_support::meta};

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn piece(bytes: usize) -> Bytes {
    Bytes::from(vec![b'x'; bytes])
}

fn noop<T>(poll: impl FnOnce(&mut Context<'_>) -> T) -> T {
    poll(&mut Context::from_waker(Waker::noop()))
}

fn head(length: Option<u64>) -> Outcome {
    let generation = Generation::random();
    let head = FillHead {
        meta: meta(),
        length,
        part: None,
        generation,
        for_leader: None,
        selected: None,
        judged: false,
    };
    Outcome::Streaming(Arc::new(head))
}

/// The length of what a viewer finds at `position`.
fn read(ticket: &Ticket, position: u64) -> Option<usize> {
    match noop(|cx| ticket.poll_at(cx, position)) {
        Poll::Ready(Read::Piece(piece)) => Some(piece.len()),
        _ => None,
    }
}

fn look(ticket: &Ticket, position: u64) -> Poll<Read> {
    noop(|cx| ticket.poll_at(cx, position))
}

#[test]
fn a_viewer_who_joins_late_reads_from_the_start() {
    let fill = Arc::new(Fill::default());
    let first = fill.attach().unwrap();
    fill.push(piece(3));
    let late = fill.attach().unwrap();
    fill.push(piece(4));
    fill.end(Ok(()));
    for ticket in [first, late] {
        assert_eq!((read(&ticket, 0), read(&ticket, 3)), (Some(3), Some(4)));
        assert!(matches!(look(&ticket, 7), Poll::Ready(Read::End)));
    }
}

#[test]
fn a_broken_fill_breaks_every_viewer_after_the_bytes_it_had() {
    let fill = Arc::new(Fill::default());
    let ticket = fill.attach().unwrap();
    fill.push(piece(3));
    fill.end(Err("cut".into()));
    assert_eq!(read(&ticket, 0), Some(3));
    assert!(matches!(look(&ticket, 3), Poll::Ready(Read::Broken(_))));
}

#[test]
fn what_the_storage_has_is_let_go_and_whoever_is_behind_is_told() {
    let fill = Arc::new(Fill::default());
    let (fast, slow) = (fill.attach().unwrap(), fill.attach().unwrap());
    for _ in 0..4 {
        fill.push(piece(10));
    }
    assert_eq!(read(&slow, 0), Some(10));
    fill.sealed(0, piece(20), Kept::Safely);
    fill.sealed(20, piece(10), Kept::Safely);
    assert!(matches!(look(&slow, 10), Poll::Ready(Read::Behind)));
    assert_eq!(read(&fast, 20), Some(10), "what is recent is still here");
    assert!(fill.attach().is_some(), "whoever joins now reads what the storage has");
}

#[test]
fn a_window_holds_only_what_the_slowest_viewer_lacks_and_takes_nobody_in_once_its_start_is_gone() {
    let fill = Arc::new(Fill::default());
    let (fast, slow) = (fill.attach().unwrap(), fill.attach().unwrap());
    fill.stop_keeping();
    fill.push(piece(1 << 19));
    drop(fill.attach().expect("the start is still here"));
    fill.push(piece(1 << 19));
    assert!(read(&fast, 0).is_some() && read(&fast, 1 << 19).is_some());
    assert_eq!(fill.lock().pieces.held(), 1 << 20, "the slow viewer still needs it");
    assert!(read(&slow, 1 << 19).is_some());
    assert_eq!(fill.lock().pieces.held(), 1 << 19);
    assert!(fill.attach().is_none());
}

#[test]
fn a_full_window_makes_the_filler_wait_until_the_slowest_viewer_reads_or_leaves() {
    let fill = Arc::new(Fill::default());
    let ticket = fill.attach().unwrap();
    fill.stop_keeping();
    fill.push(piece(WINDOW as usize));
    let flag = Arc::new(Flag(Default::default()));
    let waker = Waker::from(flag.clone());
    let mut room = std::pin::pin!(fill.room());
    assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(ticket);
    assert!(flag.0.load(Ordering::SeqCst));
    assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
}

#[test]
fn a_viewer_who_stalls_is_cut_and_the_others_go_on() {
    let fill = Arc::new(Fill::default());
    let (fast, stalled) = (fill.attach().unwrap(), fill.attach().unwrap());
    fill.stop_keeping();
    fill.push(piece(WINDOW as usize));
    fast.go_to(WINDOW);
    assert!(!fill.has_room());
    fill.leave_slowest();
    assert!(fill.has_room());
    fill.push(piece(1));
    assert_eq!(read(&fast, WINDOW), Some(1));
    assert!(matches!(look(&stalled, 0), Poll::Ready(Read::Broken(_))));
}

#[test]
fn a_filler_that_keeps_pace_stays_close_to_the_fastest_viewer_whoever_is_slow() {
    let fill = Arc::new(Fill::default());
    let (fast, _slow) = (fill.attach().unwrap(), fill.attach().unwrap());
    fill.keep_pace(10);
    fill.push(piece(10));
    assert!(!fill.has_room());
    fast.go_to(10);
    assert!(fill.has_room());
}

#[test]
fn a_viewer_who_waits_for_the_end_alone_holds_nobody_up() {
    let fill = Arc::new(Fill::default());
    let ticket = fill.attach().unwrap();
    fill.publish(head(None));
    fill.stop_keeping();
    let mut ended = std::pin::pin!(ticket.ended());
    assert!(noop(|cx| ended.as_mut().poll(cx)).is_pending());
    fill.push(piece(WINDOW as usize));
    assert!(fill.has_room());
    fill.end(Ok(()));
    assert!(noop(|cx| ended.as_mut().poll(cx)).is_ready());
}

#[test]
fn a_fill_nobody_waits_for_goes_on_only_if_it_is_small_or_half_here() {
    for (length, received, deserted) in [
        (Some(WORTH_FINISHING), 0, false),
        (Some(WORTH_FINISHING + 1), 0, true),
        (Some(WORTH_FINISHING * 4), WORTH_FINISHING * 2, false),
        (None, WORTH_FINISHING, false),
        (None, WORTH_FINISHING + 1, true),
    ] {
        let fill = Arc::new(Fill::default());
        fill.publish(head(length));
        fill.push(piece(received as usize));
        let gone = noop(|cx| fill.poll_deserted(cx)).is_ready();
        assert_eq!(gone, deserted, "length {length:?}, {received} received");
    }
    let unanswered = Arc::new(Fill::default());
    assert!(noop(|cx| unanswered.poll_deserted(cx)).is_ready(), "no head yet");
    assert!(unanswered.attach().is_none(), "the filler stops, so nobody may rely on it");
}

#[test]
fn what_a_viewer_has_not_read_is_held_unless_it_is_kept_safely() {
    for (kept, is_held) in [(Kept::ForNow, true), (Kept::Safely, false)] {
        let fill = Arc::new(Fill::default());
        let budget = Budget::new(1000);
        fill.count_in(Share::of(&budget));
        let (fast, slow) = (fill.attach().unwrap(), fill.attach().unwrap());
        for number in 0..4 {
            fill.push(piece(10));
            fill.sealed(number * 10, piece(10), kept);
        }
        fast.go_to(40);
        assert_eq!(budget.used(), if is_held { 30 } else { 0 });
        assert_eq!(read(&slow, 5).is_some(), is_held, "{kept:?}");
        assert_eq!(read(&slow, 25), is_held.then_some(5), "{kept:?}");
        assert_eq!(budget.used(), if is_held { 10 } else { 0 }, "what was read is let go");
        drop(slow);
        assert_eq!(budget.used(), 0);
        assert!(matches!(look(&fast, 5), Poll::Ready(Read::Behind)));
    }
}

#[test]
fn a_filler_waits_for_a_slow_viewer_once_half_of_the_budget_is_used_and_goes_on_without_one_who_stalls()
 {
    let fill = Arc::new(Fill::default());
    let budget = Budget::new(40);
    fill.count_in(Share::of(&budget));
    let (fast, slow) = (fill.attach().unwrap(), fill.attach().unwrap());
    for number in 0..3 {
        fill.push(piece(10));
        fill.sealed(number * 10, piece(10), Kept::ForNow);
    }
    fast.go_to(30);
    assert!(fill.has_room());
    fill.push(piece(10));
    fill.sealed(30, piece(10), Kept::ForNow);
    fast.go_to(40);
    assert!(!fill.has_room());
    let flag = Arc::new(Flag(Default::default()));
    let waker = Waker::from(flag.clone());
    let mut room = std::pin::pin!(fill.room());
    assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(read(&slow, 10), Some(10));
    assert!(flag.0.load(Ordering::SeqCst));
    assert!(room.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    fill.push(piece(10));
    fill.sealed(40, piece(10), Kept::ForNow);
    fast.go_to(50);
    assert!(!fill.has_room());
    fill.leave_slowest();
    assert!(fill.has_room());
    assert!(matches!(look(&slow, 20), Poll::Ready(Read::Behind)), "the storage may have it");
}

#[test]
fn what_lies_before_the_first_fragment_is_held_for_whoever_has_not_read_it() {
    let fill = Arc::new(Fill::default());
    let (fast, slow) = (fill.attach().unwrap(), fill.attach().unwrap());
    for _ in 0..3 {
        fill.push(piece(10));
    }
    fill.sealed(5, piece(10), Kept::Safely);
    fill.sealed(15, piece(10), Kept::Safely);
    fast.go_to(30);
    assert_eq!(read(&slow, 2), Some(3));
    assert!(matches!(look(&slow, 5), Poll::Ready(Read::Behind)), "the storage has it");
}
