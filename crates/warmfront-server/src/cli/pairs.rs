//! `NAME=VALUE` arguments, on the command line and one a line in the environment.

use warmfront_core::access::geo::Country;

/// Splits at the first `=`; the value may be empty and may hold more of them.
pub(super) fn parse(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} has no NAME=VALUE (for --origin: KEY=TARGET)")),
    }
}

/// A header as curl takes it: `Name: value`.
pub(super) fn parse_header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(format!("{text:?} has no 'Name: value'")),
    }
}

/// As [`parse`], for a name of two parts joined by a dot.
pub(super) fn parse_dotted(text: &str) -> Result<(String, String), String> {
    let (name, value) = parse(text)?;
    match name.split_once('.') {
        Some((owner, key)) if !owner.is_empty() && !key.is_empty() => Ok((name, value)),
        _ => Err(format!("{text:?}: the name needs two parts, as in NAME.KEY=VALUE")),
    }
}

/// As [`parse`], for a value that counts from one.
pub(super) fn parse_count(text: &str) -> Result<(String, usize), String> {
    let (name, value) = parse(text)?;
    match value.parse() {
        Ok(count) if (1..=10_000).contains(&count) => Ok((name, count)),
        _ => Err(format!("{text:?}: the value is a number from 1 to 10000")),
    }
}

/// A country, for `--geo`.
pub(super) fn parse_country(text: &str) -> Result<Country, String> {
    Country::parse(text).ok_or_else(|| "a country is two letters, such as DE".to_owned())
}

/// Takes the values of a repeatable flag from its variable when the command line gave none.
pub(super) fn fill<T>(
    values: &mut Vec<T>,
    variable: &str,
    env: &impl Fn(&str) -> Option<String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<(), String> {
    if !values.is_empty() {
        return Ok(());
    }
    let Some(text) = env(variable) else { return Ok(()) };
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() {
            let value =
                parse(line).map_err(|why| format!("{variable}, line {}: {why}", index + 1))?;
            values.push(value);
        }
    }
    Ok(())
}
