//! One line of values with tabs between them: standard logs v1, W3C and plain, and real-time records.

use warmfront_core::log_field::{LogField, STANDARD};

use super::value::Entry;

/// CloudFront guide: real-time logs cut lists of cookies and headers.
const REAL_TIME_LIST_BYTES: usize = 800;

/// The first lines of a v1 or W3C file.
pub(super) fn header(fields: &[LogField]) -> Vec<u8> {
    let names: Vec<&str> = fields.iter().map(|field| field.standard_name()).collect();
    format!("#Version: 1.0\n#Fields: {}\n", names.join(" ")).into_bytes()
}

/// Appends the 33 fields of version 1.
pub(super) fn write_v1(out: &mut Vec<u8>, entry: &Entry<'_>) {
    write(out, entry, &STANDARD);
}

/// Appends the chosen fields, in the order given.
pub(super) fn write(out: &mut Vec<u8>, entry: &Entry<'_>, fields: &[LogField]) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b'\t');
        }
        entry.write(out, *field);
    }
    out.push(b'\n');
}

/// Appends a real-time record.
pub(super) fn write_real_time(out: &mut Vec<u8>, entry: Entry<'_>, fields: &[LogField]) {
    write(out, &entry.in_real_time(REAL_TIME_LIST_BYTES), fields);
}
