use std::collections::VecDeque;
use std::task::Waker;

use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use proptest::prelude::*;
use warmfront_core::compression::Coding;

use super::*;
use crate::clock::VirtualClock;
use crate::compressing::Compressors;

/// What an origin does next.
#[derive(Debug, Clone)]
enum Next {
    Says(Bytes),
    Pauses,
    Fails,
}

struct Scripted(VecDeque<Next>);

impl http_body::Body for Scripted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.0.pop_front() {
            None => Poll::Ready(None),
            Some(Next::Says(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Next::Pauses) => Poll::Pending,
            Some(Next::Fails) => Poll::Ready(Some(Err(cut("reset")))),
        }
    }
}

fn body(coding: Coding, length: u64, script: Vec<Next>, clock: &VirtualClock) -> CompressedBody {
    let place = Compressors::default().place().unwrap();
    let origins = Body::stream(Scripted(script.into()));
    let encoder = Encoder::new(coding, length);
    CompressedBody::new(origins, encoder, length, Arc::new(clock.clone()), place)
}

fn clock() -> VirtualClock {
    VirtualClock::starting_at(std::time::UNIX_EPOCH)
}

type Polled = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

fn poll(body: &mut CompressedBody) -> Polled {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

/// Polls until the end, however often the body gives its turn to others.
fn collect(body: &mut CompressedBody) -> Result<Vec<u8>, BodyError> {
    let mut all = Vec::new();
    for _ in 0..1_000_000 {
        match poll(body) {
            Poll::Pending => {}
            Poll::Ready(None) => return Ok(all),
            Poll::Ready(Some(frame)) => all.extend(frame?.into_data().unwrap()),
        }
    }
    panic!("it does not end")
}

/// What can be decoded of `encoded`, and whether that is a whole body.
fn decoded(coding: Coding, encoded: &[u8]) -> (Vec<u8>, bool) {
    fn run(mut decoder: impl DecodeV2, encoded: &[u8]) -> (Vec<u8>, bool) {
        let mut input = PartialBuffer::new(encoded);
        let mut decoded = Vec::new();
        let mut room = vec![0; 1 << 16];
        loop {
            let mut output = WriteBuffer::new_initialized(&mut room);
            let ended = match decoder.decode(&mut input, &mut output) {
                Ok(ended) => ended,
                Err(_) => return (decoded, false),
            };
            let written = output.written_len();
            decoded.extend_from_slice(&room[..written]);
            if ended || (written == 0 && input.unwritten().is_empty()) {
                return (decoded, ended && input.unwritten().is_empty());
            }
        }
    }
    match coding {
        Coding::Gzip => run(GzipDecoder::new(), encoded),
        Coding::Brotli => run(BrotliDecoder::new(), encoded),
        Coding::Zstd => run(ZstdDecoder::new(), encoded),
    }
}

const CODINGS: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

fn text(length: usize) -> Bytes {
    (0..length).map(|n| b"all work and no play "[n * n / 7 % 21]).collect()
}

#[test]
fn a_body_that_is_cut_too_short_or_too_long_never_ends_well() {
    let long = text(100_000);
    for coding in CODINGS {
        for script in [
            vec![Next::Says(long.slice(..99_999))],
            vec![Next::Says(long.clone()), Next::Says(Bytes::from_static(b"x"))],
            vec![Next::Says(long.slice(..50_000)), Next::Fails],
            vec![Next::Fails],
            vec![],
        ] {
            let mut body = body(coding, 100_000, script.clone(), &clock());
            let mut came = Vec::new();
            let error = loop {
                match poll(&mut body) {
                    Poll::Pending => {}
                    Poll::Ready(Some(Ok(frame))) => came.extend(frame.into_data().unwrap()),
                    Poll::Ready(end) => break end,
                }
            };
            assert!(matches!(error, Some(Err(_))), "{coding:?} {script:?}");
            assert!(!decoded(coding, &came).1, "{coding:?}: what came looks whole");
        }
    }
}

#[test]
fn when_the_origin_pauses_what_it_said_goes_out() {
    for coding in CODINGS {
        let said = text(3_000);
        let script = vec![
            Next::Says(said.slice(..1_000)),
            Next::Pauses,
            Next::Pauses,
            Next::Pauses,
            Next::Says(said.slice(1_000..)),
        ];
        let clock = clock();
        let mut body = body(coding, 3_000, script, &clock);
        assert!(poll(&mut body).is_pending(), "a short silence costs nothing");
        clock.advance(PAUSE);
        let Poll::Ready(Some(Ok(frame))) = poll(&mut body) else { panic!("{coding:?}") };
        let mut came = frame.into_data().unwrap().to_vec();
        assert_eq!(decoded(coding, &came), (said.slice(..1_000).to_vec(), false), "{coding:?}");
        assert!(poll(&mut body).is_pending());
        clock.advance(PAUSE);
        came.extend(collect(&mut body).unwrap());
        assert_eq!(decoded(coding, &came), (said.to_vec(), true), "{coding:?}");
    }
}

#[test]
fn a_long_body_that_is_all_there_gives_others_their_turn() {
    for coding in CODINGS {
        let mut body = body(coding, 1 << 20, vec![Next::Says(text(1 << 20))], &clock());
        let turns = std::iter::from_fn(|| match poll(&mut body) {
            Poll::Ready(None) => None,
            polled => Some(polled.is_pending()),
        });
        assert_eq!(turns.filter(|&pending| pending).count(), 16, "{coding:?}");
    }
}

#[test]
fn text_becomes_much_smaller() {
    for coding in CODINGS {
        let mut body = body(coding, 200_000, vec![Next::Says(text(200_000))], &clock());
        let encoded = collect(&mut body).unwrap();
        assert!(encoded.len() < 20_000, "{coding:?}: {}", encoded.len());
    }
}

fn chunks() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let random = prop::collection::vec(any::<u8>(), 0..3_000);
    let repeated = (any::<u8>(), 0..40_000usize).prop_map(|(byte, times)| vec![byte; times]);
    prop::collection::vec(prop_oneof![random, repeated], 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn decoding_gives_back_what_was_encoded(chunks in chunks(), pauses in any::<u16>()) {
        let whole = chunks.concat();
        for coding in CODINGS {
            let mut script = Vec::new();
            for (index, chunk) in chunks.iter().enumerate() {
                script.push(Next::Says(chunk.clone().into()));
                if pauses >> index & 1 == 1 {
                    script.extend([Next::Pauses, Next::Pauses]);
                }
            }
            let clock = clock();
            let mut body = body(coding, whole.len() as u64, script, &clock);
            let mut encoded = Vec::new();
            loop {
                match poll(&mut body) {
                    Poll::Pending => clock.advance(PAUSE),
                    Poll::Ready(None) => break,
                    Poll::Ready(Some(frame)) => encoded.extend(frame.unwrap().into_data().unwrap()),
                }
            }
            prop_assert_eq!(decoded(coding, &encoded), (whole.clone(), true), "{:?}", coding);
        }
    }
}
