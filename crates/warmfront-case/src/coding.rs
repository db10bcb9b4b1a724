//! What a body says beneath its Content-Encoding, for `decoded`.

use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::outcome::Mismatch;

/// So much is decoded at most.
const LONGEST: usize = 256 << 20;

/// The decoded body; of one that was cut what can be decoded.
pub(crate) fn decoded(headers: &HeaderMap, body: &[u8], cut: bool) -> Result<Vec<u8>, Mismatch> {
    let came = |came: String| Mismatch {
        what: "content-encoding".to_owned(),
        expected: "gzip, br or zstd, and a body encoded so".to_owned(),
        came,
    };
    let coding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or_default());
    let (decoded, is_whole) = match coding {
        Some("gzip") => run(GzipDecoder::new(), body),
        Some("br") => run(BrotliDecoder::new(), body),
        Some("zstd") => run(ZstdDecoder::new(), body),
        Some(other) => return Err(came(format!("{other:?}"))),
        None => return Err(came("absent".to_owned())),
    };
    match is_whole == cut {
        false => Ok(decoded),
        true if cut => Err(came("a whole encoded body, though the stream broke".to_owned())),
        true => Err(came(format!("an encoded body that breaks after {} bytes", decoded.len()))),
    }
}

fn run(mut decoder: impl DecodeV2, body: &[u8]) -> (Vec<u8>, bool) {
    let mut input = PartialBuffer::new(body);
    let mut decoded = Vec::new();
    let mut room = vec![0; 1 << 16];
    while decoded.len() < LONGEST {
        let mut output = WriteBuffer::new_initialized(&mut room);
        let Ok(ended) = decoder.decode(&mut input, &mut output) else { break };
        let written = output.written_len();
        decoded.extend_from_slice(&room[..written]);
        if ended {
            return (decoded, input.unwritten().is_empty());
        }
        if written == 0 && input.unwritten().is_empty() {
            break;
        }
    }
    (decoded, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// "warm" as `gzip -n` writes it.
    const WARM: &[u8] =
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x2b\x4f\x2c\xca\x05\0\xbf\xe0\xb3\xb0\x04\0\0\0";

    #[test]
    fn a_body_is_decoded_and_must_be_whole_unless_it_was_cut() {
        let headers: HeaderMap =
            [(CONTENT_ENCODING, "gzip".parse().unwrap())].into_iter().collect();
        assert_eq!(decoded(&headers, WARM, false).unwrap(), b"warm");
        assert!(decoded(&headers, &WARM[..WARM.len() - 1], false).is_err());
        assert!(decoded(&headers, &WARM[..WARM.len() - 1], true).is_ok());
        assert!(decoded(&headers, WARM, true).is_err(), "whoever cut it must not have ended it");
        assert!(decoded(&headers, b"warm", false).is_err());
        assert!(decoded(&HeaderMap::new(), WARM, false).is_err());
    }
}
