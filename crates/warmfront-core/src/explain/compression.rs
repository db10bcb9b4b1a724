//! Whether the answer is compressed, and with what: the answer that was given, or any.

use ::http::{HeaderMap, StatusCode, header};

use super::{Explanation, Topic, at};
use crate::Behavior;
use crate::compression::{Compression, LARGEST, NotCompressed, SMALLEST, compression, wanted};
use crate::request_view::RequestView;

/// Says nothing where `Compress` is false.
pub(super) fn say(
    told: &mut Explanation,
    index: usize,
    behavior: &Behavior,
    view: &RequestView<'_>,
    answer: Option<&(StatusCode, HeaderMap)>,
) {
    let wanted = wanted(behavior, view.method, view.version, view.headers);
    let text = match (wanted, answer) {
        (Err(NotCompressed::Off), _) => return,
        (Ok(coding), None) => format!(
            "with {}, where the origin does not encode it, has a type of CloudFront's list, and {SMALLEST} to \
             {LARGEST} bytes by its Content-Length",
            coding.name()
        ),
        (_, None) => Compression::from(wanted).to_string(),
        (_, Some((status, headers))) => {
            let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
            let length = length.and_then(|length| length.parse().ok());
            compression(wanted, *status, headers, length).to_string()
        }
    };
    told.say_at(Topic::Compression, text, at(index, "Compress"));
}
