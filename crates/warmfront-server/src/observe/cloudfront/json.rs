//! Standard logs v2 as JSON: one object a line, every value a string that is written as in the other
//! formats, `-` for none.

use warmfront_core::log_field::LogField;

use super::value::Entry;

/// Appends an object with the chosen fields.
pub(super) fn write(out: &mut Vec<u8>, entry: &Entry<'_>, fields: &[LogField]) {
    for (index, field) in fields.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"" } else { b",\"" });
        // Names and encoded values have neither quotes nor backslashes nor control characters.
        out.extend_from_slice(field.standard_name().as_bytes());
        out.extend_from_slice(b"\":\"");
        entry.write(out, *field);
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
}
