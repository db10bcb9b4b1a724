//! The nearest name that would have worked.

/// CloudFormation allows 500 resources; a file made to be slow may have more.
const MAX_CANDIDATES: usize = 500;

/// The candidate that `name` was most probably meant to be, or `None` when nothing is near.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip in three characters is still recognizable; more is a different word.
    let limit = (name.chars().count() / 3).clamp(1, 5);
    candidates
        .into_iter()
        .take(MAX_CANDIDATES)
        .map(|candidate| (distance(name, candidate, limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// ` Did you mean "…"?`, or nothing.
pub(crate) fn did_you_mean<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> String {
    nearest(name, candidates).map_or(String::new(), |near| format!(" Did you mean \"{near}\"?"))
}

/// `a, b, c`, at most twenty of them.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 20;
    let names: Vec<&str> = names.into_iter().collect();
    let mut list = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        list.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    if list.is_empty() { "none".to_owned() } else { list }
}

/// Insertions, deletions, replacements and swaps of neighbors between two names (optimal string
/// alignment); a difference in case alone counts half as a slip. Anything above `limit` is `limit + 1`.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    if a.eq_ignore_ascii_case(b) {
        return usize::from(a != b);
    }
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if swapped {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_what_was_probably_meant() {
        for (written, candidates, meant) in [
            ("api-orgin", &["site", "api-origin"][..], Some("api-origin")),
            ("https-olny", &["allow-all", "https-only"], Some("https-only")),
            ("HTTPS-only", &["allow-all", "https-only"], Some("https-only")),
            ("IsIPV6Enabled", &["IPV6Enabled", "Enabled"], Some("IPV6Enabled")),
            ("zebra", &["site", "api-origin"], None),
            ("a", &["b"], Some("b")),
            ("", &["b"], Some("b")),
        ] {
            assert_eq!(nearest(written, candidates.iter().copied()), meant, "{written}");
        }
    }
}
