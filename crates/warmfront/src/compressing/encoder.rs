//! The three encoders behind one face. Levels are for bodies that are encoded once and then stored.

use std::io;

use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::zstd::params::CParameter;
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use warmfront_core::compression::Coding;

/// zlib's usual level.
const GZIP_LEVEL: i32 = 6;
/// From here on Brotli's time grows faster than its gain.
const BROTLI_QUALITY: i32 = 5;
/// About Brotli's size at this quality, in a third of its time.
const ZSTD_LEVEL: i32 = 6;
/// How far back an encoder looks, as a power of two: larger windows cost memory and find little in text.
const WIDEST_WINDOW: u32 = 20;

pub(super) enum Encoder {
    Gzip(Box<GzipEncoder>),
    Brotli(Box<BrotliEncoder>),
    Zstd(Box<ZstdEncoder>),
}

impl Encoder {
    /// An encoder for a body of `length` bytes.
    pub(super) fn new(coding: Coding, length: u64) -> Self {
        let window = length.max(1).next_power_of_two().ilog2().clamp(10, WIDEST_WINDOW);
        match coding {
            Coding::Gzip => {
                Self::Gzip(Box::new(GzipEncoder::new(Level::Precise(GZIP_LEVEL).into())))
            }
            Coding::Brotli => {
                let params = EncoderParams::default()
                    .quality(Level::Precise(BROTLI_QUALITY))
                    .window_size(window as i32)
                    .size_hint(usize::try_from(length).unwrap_or(usize::MAX));
                Self::Brotli(Box::new(BrotliEncoder::new(params)))
            }
            Coding::Zstd => {
                let params = [CParameter::window_log(window)];
                Self::Zstd(Box::new(ZstdEncoder::new_with_params(ZSTD_LEVEL, &params)))
            }
        }
    }

    /// Takes some of `input`, which is not empty, and fills `output`, which has room. Gives what it took and
    /// what it wrote.
    pub(super) fn encode(&mut self, input: &[u8], output: &mut [u8]) -> io::Result<(usize, usize)> {
        let mut input = PartialBuffer::new(input);
        let mut output = WriteBuffer::new_initialized(output);
        match self {
            Encoder::Gzip(encoder) => encoder.encode(&mut input, &mut output),
            Encoder::Brotli(encoder) => EncodeV2::encode(&mut **encoder, &mut input, &mut output),
            Encoder::Zstd(encoder) => encoder.encode(&mut input, &mut output),
        }?;
        Ok((input.written_len(), output.written_len()))
    }

    /// Writes out what was taken so far, so that it can be decoded. Gives whether that is all, and what was
    /// written.
    pub(super) fn flush(&mut self, output: &mut [u8]) -> io::Result<(bool, usize)> {
        let mut output = WriteBuffer::new_initialized(output);
        let all = match self {
            Encoder::Gzip(encoder) => encoder.flush(&mut output),
            Encoder::Brotli(encoder) => encoder.flush(&mut output),
            Encoder::Zstd(encoder) => encoder.flush(&mut output),
        }?;
        Ok((all, output.written_len()))
    }

    /// Ends the encoded body. Gives whether that is all, and what was written.
    pub(super) fn finish(&mut self, output: &mut [u8]) -> io::Result<(bool, usize)> {
        let mut output = WriteBuffer::new_initialized(output);
        let all = match self {
            Encoder::Gzip(encoder) => encoder.finish(&mut output),
            Encoder::Brotli(encoder) => encoder.finish(&mut output),
            Encoder::Zstd(encoder) => encoder.finish(&mut output),
        }?;
        Ok((all, output.written_len()))
    }
}
