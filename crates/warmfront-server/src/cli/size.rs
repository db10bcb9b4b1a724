//! Sizes as people write them: `268435456`, `256MiB`, `1GiB`, `10GB`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// Units by name; a bare letter means the binary unit, as in nginx and systemd.
const UNITS: [(&str, u64); 14] = [
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a size: write bytes, or a unit as in 64KiB, 256MiB, 1GiB, 10GB"
            )
        };
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number.checked_mul(*factor).map(Size).ok_or_else(wrong)
    }
}

/// What the engine takes as the limit of a disk cache, at least.
const LEAST_DISK: Size = Size(16 << 20);

/// The size of a disk cache.
pub(super) fn of_disk(text: &str) -> Result<Size, String> {
    let size: Size = text.parse()?;
    if size.0 < LEAST_DISK.0 {
        return Err(format!("a disk cache needs {LEAST_DISK} at least"));
    }
    Ok(size)
}

impl fmt::Display for Size {
    /// The largest binary unit that leaves a number of at most four digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0;
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 || !value.is_multiple_of(1024) {
                return write!(f, "{value} {unit}");
            }
            value /= 1024;
        }
        write!(f, "{value} TiB")
    }
}

/// A measured number of bytes, to a tenth of the largest binary unit that leaves one at least.
pub(crate) fn in_units(bytes: u64) -> String {
    let unit = UNITS_OF_1024.iter().rev().find(|(_, size)| bytes >= *size);
    match unit {
        None => format!("{bytes} B"),
        Some((name, size)) => {
            let tenths = u128::from(bytes) * 10 / u128::from(*size);
            match tenths % 10 {
                0 => format!("{} {name}", tenths / 10),
                tenth => format!("{}.{tenth} {name}", tenths / 10),
            }
        }
    }
}

const UNITS_OF_1024: [(&str, u64); 4] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

#[cfg(test)]
mod tests {
    #[test]
    fn a_measure_is_told_to_a_tenth() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (4096 + 100, "4 KiB"),
            (12 << 20, "12 MiB"),
            (u64::MAX, "16777215.9 TiB"),
        ] {
            assert_eq!(super::in_units(bytes), text);
        }
    }

    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        let rows = [
            ("0", 0),
            ("1048576", 1 << 20),
            ("256MiB", 256 << 20),
            ("256 mib", 256 << 20),
            ("1GiB", 1 << 30),
            ("1g", 1 << 30),
            ("64k", 64 << 10),
            ("10GB", 10_000_000_000),
            ("2TiB", 2 << 40),
            ("7b", 7),
        ];
        for (text, bytes) in rows {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "MiB", "-1", "1.5GiB", "1XiB", "99999999999999999999", "18446744073709551615k"]
        {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (bytes, text) in
            [(0, "0 B"), (256 << 20, "256 MiB"), (1500, "1500 B"), (1 << 40, "1 TiB")]
        {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
