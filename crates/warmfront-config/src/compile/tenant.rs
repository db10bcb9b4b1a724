//! Distribution tenants (CloudFront guide: multi-tenant distributions): one configuration, filled in for
//! each tenant.

/// `text` with every `{{name}}` replaced by what `value` says for the name; the name without a value, or
/// the rest of the text behind braces that are never closed, is the error.
pub(super) fn filled_in<'v>(
    text: &str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once("{{") {
        filled.push_str(before);
        let (name, after) = inside.split_once("}}").ok_or_else(|| inside.to_owned())?;
        filled.push_str(value(name.trim()).ok_or_else(|| name.trim().to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
