//! The nearest thing that would work.

/// ` Did you mean "origin"?` when a known word is near, else the list of them.
pub(super) fn did_you_mean(written: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|word| (distance(written, word), word)).min();
    match nearest {
        Some((distance, word)) if distance <= 1 + written.len() / 3 && distance < word.len() => {
            format!(" Did you mean {word:?}?")
        }
        _ => format!(" There are: {}", known.join(", ")),
    }
}

/// How many letters must be changed, added, left out or swapped with their neighbor.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(40).collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, &y) in b.iter().enumerate() {
            row[j + 1] = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_word_and_nonsense_finds_the_list() {
        let known = ["origin", "viewer", "advance"];
        for (written, expected) in [
            ("orgin", " Did you mean \"origin\"?"),
            ("veiwer", " Did you mean \"viewer\"?"),
            ("advnce", " Did you mean \"advance\"?"),
            ("sleep", " There are: origin, viewer, advance"),
        ] {
            assert_eq!(did_you_mean(written, &known), expected);
        }
    }
}
