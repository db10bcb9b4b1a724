//! How old a response is when it arrives (RFC 9111 §4.2.3).

use std::time::{Duration, SystemTime};

use ::http::{HeaderMap, header};

use super::CacheRules;
use super::cache_control::{MAX_SECONDS, delta_seconds};
use crate::http::date;

/// The age of a response whose head came at `now`, `delay` after it was asked for.
///
/// Where the rules correct it, what Age says counts on from the moment of asking, and what is older by its
/// Date is older. Dates are whole seconds, so a difference below one is none.
pub(super) fn initial_age(
    headers: &HeaderMap,
    rules: CacheRules,
    delay: Duration,
    now: SystemTime,
) -> Duration {
    let said = said_age(headers);
    if !rules.corrects_age {
        return said;
    }
    let sent = headers.get(header::DATE).and_then(date::parse);
    let apparent = sent.and_then(|sent| now.duration_since(sent).ok()).unwrap_or_default();
    let apparent = Duration::from_secs(apparent.as_secs());
    apparent.max(said.saturating_add(delay)).min(Duration::from_secs(MAX_SECONDS))
}

/// What Age says: its first list member, if that is a number; huge values saturate.
fn said_age(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(header::AGE)
        .and_then(|value| value.as_bytes().split(|&byte| byte == b',').next())
        .and_then(|first| delta_seconds(first.trim_ascii()))
        .unwrap_or(0);
    Duration::from_secs(seconds.min(MAX_SECONDS))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::fixture;

    /// Sun, 06 Nov 1994 08:49:37.600 GMT
    const NOW: Duration = Duration::from_millis(784_111_777_600);

    #[track_caller]
    fn check(lines: &[&str], delay_ms: u64, cloudfront_ms: u64, corrected_ms: u64) {
        let headers = fixture::headers(lines);
        for (rules, expected) in
            [(CacheRules::CLOUDFRONT, cloudfront_ms), (CacheRules::RFC9111, corrected_ms)]
        {
            let delay = Duration::from_millis(delay_ms);
            let age = initial_age(&headers, rules, delay, UNIX_EPOCH + NOW);
            assert_eq!(age, Duration::from_millis(expected), "{rules} {lines:?}");
        }
    }

    #[test]
    fn the_first_number_of_age_counts_and_nothing_else_of_it() {
        check(&[], 0, 0, 0);
        check(&["Age: 12"], 0, 12_000, 12_000);
        check(&["Age: 12, 3"], 0, 12_000, 12_000);
        check(&["Age: 12", "Age: 3"], 0, 12_000, 12_000);
        for nonsense in ["-5", "soon", "12.0", "12;a=b", "\"12\"", ""] {
            check(&[&format!("Age: {nonsense}")], 0, 0, 0);
        }
        let century = MAX_SECONDS * 1000;
        check(&["Age: 99999999999999999999999"], 0, century, century);
    }

    #[test]
    fn time_on_the_way_counts_where_ages_are_corrected() {
        check(&["Age: 12"], 1_500, 12_000, 13_500);
        check(&[], 1_500, 0, 1_500);
    }

    #[test]
    fn a_response_is_as_old_as_its_date_where_ages_are_corrected() {
        let ago_12 = "Date: Sun, 06 Nov 1994 08:49:25 GMT";
        check(&[ago_12], 0, 0, 12_000);
        check(&[ago_12, "Age: 20"], 0, 20_000, 20_000);
        check(&[ago_12, "Age: 2"], 500, 2_000, 12_000);
        // Dates have no fractions: within a second nothing is known.
        check(&["Date: Sun, 06 Nov 1994 08:49:37 GMT"], 0, 0, 0);
        check(&["Date: Sun, 06 Nov 1994 09:00:00 GMT"], 0, 0, 0);
        check(&["Date: yesterday"], 0, 0, 0);
    }
}
