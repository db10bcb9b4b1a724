//! The head of a stored response, compact: what it shares with others (`shapes`) and one block with the rest.

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::shapes::{Shape, shape_of};
use super::weight::shared_bytes;

/// Header fields; the values that are no other object's lie in one block of exactly their size.
///
/// Values that come from a connection are slices of its read buffer; keeping them would keep the
/// whole buffer, so the bytes are copied once.
#[derive(Debug, Clone)]
pub struct StoredHead {
    shape: Shape,
    /// Each value that `shape` does not have, after its length in groups of seven bits.
    block: Bytes,
}

impl StoredHead {
    /// A compact copy of `headers`.
    pub fn new(headers: &HeaderMap) -> Self {
        let shape = shape_of(headers);
        let own = || {
            let values = headers.values().zip(&*shape.apart);
            values.filter(|(_, apart)| **apart).map(|(value, _)| value.as_bytes())
        };
        let size = own().map(|value| length_of_length(value.len()) + value.len()).sum();
        let mut block = BytesMut::with_capacity(size);
        for value in own() {
            put_length(&mut block, value.len());
            block.extend_from_slice(value);
        }
        Self { shape, block: block.freeze() }
    }

    /// The fields as a map with room for what a reply adds. Values share the block.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = self.shape.template.clone();
        let mut rest = self.block.clone();
        let values = headers.values_mut().zip(&*self.shape.apart);
        for (value, _) in values.filter(|(_, apart)| **apart) {
            let length = take_length(&mut rest);
            *value = HeaderValue::from_maybe_shared(rest.split_to(length))
                .expect("the bytes were copied from a header value");
        }
        headers
    }

    /// Name and value of each field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&HeaderName, Bytes)> {
        let mut rest = self.block.clone();
        let fields = self.shape.template.iter().zip(&*self.shape.apart);
        fields.map(move |((name, value), apart)| {
            if *apart {
                let length = take_length(&mut rest);
                (name, rest.split_to(length))
            } else {
                (name, Bytes::copy_from_slice(value.as_bytes()))
            }
        })
    }

    /// Bytes of memory that it takes beside itself.
    pub(super) fn weight(&self) -> usize {
        let shape = if self.shape.is_own() { self.shape.weight() } else { 0 };
        shape + shared_bytes(self.block.len())
    }
}

fn length_of_length(length: usize) -> usize {
    (usize::BITS - (length | 1).leading_zeros()).div_ceil(7) as usize
}

fn put_length(block: &mut BytesMut, mut length: usize) {
    while length >= 0x80 {
        block.extend_from_slice(&[(length & 0x7f) as u8 | 0x80]);
        length >>= 7;
    }
    block.extend_from_slice(&[length as u8]);
}

fn take_length(rest: &mut Bytes) -> usize {
    let mut length = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = rest.get_u8();
        length |= usize::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stored_head_gives_back_every_field_in_order() {
        let mut headers = HeaderMap::new();
        headers.append("set-cookie", HeaderValue::from_static("a=1"));
        headers.append("set-cookie", HeaderValue::from_static("b=2"));
        headers.append("x-empty", HeaderValue::from_static(""));
        headers.append("content-type", HeaderValue::from_static("text/plain"));
        headers.append("content-type", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.append("x-latin", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        headers.append("x-long", HeaderValue::try_from("y".repeat(20_000)).unwrap());
        let head = StoredHead::new(&headers);
        assert_eq!(head.headers(), headers);
        let names: Vec<&str> = head.fields().map(|(name, _)| name.as_str()).collect();
        let expected: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_stored_head_does_not_keep_the_buffer_its_fields_came_from() {
        let buffer = Bytes::from(vec![b'x'; 64 << 10]);
        let mut headers = HeaderMap::new();
        headers.insert("x-slice", HeaderValue::from_maybe_shared(buffer.slice(..10)).unwrap());
        headers.insert("vary", HeaderValue::from_maybe_shared(buffer.slice(..10)).unwrap());
        let head = StoredHead::new(&headers);
        drop(headers);
        assert!(buffer.try_into_mut().is_ok(), "nobody else holds the buffer");
        assert_eq!(head.headers()["x-slice"].len(), 10);
    }

    #[test]
    fn a_head_costs_its_own_values_and_little_more() {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert("etag", HeaderValue::from_static("\"0123456789abcdef\""));
        headers.insert("last-modified", HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        assert_eq!(StoredHead::new(&headers).weight(), shared_bytes(1 + 18 + 1 + 29));
        assert_eq!(StoredHead::new(&HeaderMap::new()).weight(), 0);
    }

    proptest! {
        #[test]
        fn any_head_comes_back_as_it_was(
            fields in prop::collection::vec(("[a-z][a-z0-9-]{0,12}|vary|etag", "[ -~]{0,300}"), 0..20),
        ) {
            let mut headers = HeaderMap::new();
            for (name, value) in &fields {
                headers.append(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                );
            }
            prop_assert_eq!(StoredHead::new(&headers).headers(), headers);
        }
    }
}
