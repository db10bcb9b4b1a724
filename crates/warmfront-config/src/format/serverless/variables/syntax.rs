//! The grammar of `${type(argument):address, fallback}`.

/// The index of the `}` that closes a `${` just opened.
pub(super) fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    let bytes = text.as_bytes();
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            b'$' if bytes.get(index + 1) == Some(&b'{') => {
                open += 1;
                index += 1;
            }
            b'}' if open == 0 => return Some(index),
            b'}' => open -= 1,
            _ => {}
        }
        index += 1;
    }
    None
}

/// Splits at the commas that stand outside of quotes, parentheses and nested variables.
pub(super) fn split_fallbacks(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut depth = 0usize;
    let mut quote: Option<char> = None;
    for (index, c) in text.char_indices() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(mark)) if c == mark => quote = None,
            ('{' | '(', None) => depth += 1,
            ('}' | ')', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// `${AWS::Region}`, `${Bucket}` and `${!Literal}` are CloudFormation's; `${type:…}` is ours.
pub(super) fn is_variable(inner: &str) -> bool {
    parts(inner.trim_start()).is_some() || inner.trim_start().starts_with("${")
}

/// `type(argument):address` taken apart.
pub(super) fn parts(source: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = source.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')?;
    let (kind, rest) = source.split_at(end);
    if kind.is_empty() || rest.starts_with("::") {
        return None;
    }
    if let Some(address) = rest.strip_prefix(':') {
        return Some((kind, None, address));
    }
    let inside = rest.strip_prefix('(')?;
    let close = inside.find(')')?;
    let after = &inside[close + 1..];
    let address = after.strip_prefix(':').unwrap_or("");
    (after.is_empty() || after.starts_with(':') || after.starts_with(',')).then_some((
        kind,
        Some(inside[..close].trim()),
        address,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fallbacks_are_split_outside_of_quotes_and_variables() {
        for (text, expected) in [
            ("opt:a", &["opt:a"][..]),
            ("opt:a, 'x, y'", &["opt:a", " 'x, y'"]),
            ("opt:a, ${opt:b, 'c'}, 1", &["opt:a", " ${opt:b, 'c'}", " 1"]),
            ("file(a,b.yml):c, d", &["file(a,b.yml):c", " d"]),
        ] {
            assert_eq!(split_fallbacks(text), expected, "{text}");
        }
    }

    #[test]
    fn variables_of_cloudformation_are_left_alone() {
        for (inner, ours) in [
            ("self:custom.a", true),
            ("opt:stage, 'dev'", true),
            ("file(./x.yml):a", true),
            ("file(x.yml)", true),
            ("strToBool(true)", true),
            ("AWS::Region", false),
            ("HttpApi", false),
            ("Bucket.Arn", false),
            ("!Literal", false),
        ] {
            assert_eq!(is_variable(inner), ours, "{inner}");
        }
    }
}
