//! What the response headers policy does to the answer, line by line.

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{Explanation, Topic, at};
use crate::Behavior;
use crate::policy::response_headers::{ServerTiming, apply};
use crate::request_view::RequestView;

/// Without an answer, as if the origin sent none of the headers that the policy knows.
pub(super) fn say(
    told: &mut Explanation,
    index: usize,
    behavior: &Behavior,
    view: &RequestView<'_>,
    answer: Option<&(StatusCode, HeaderMap)>,
) {
    let Some(policy) = &behavior.response_headers_policy else { return };
    let mut say = |text: String| {
        told.say_at(Topic::ResponseHeaders, text, at(index, "ResponseHeadersPolicyId"));
    };
    let before = answer.map(|(_, headers)| headers.clone()).unwrap_or_default();
    let mut after = before.clone();
    let cors = apply(policy, view.method, view.headers, &mut after);
    if policy.cors.is_some() {
        say(cors.to_string());
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        say(format!("{name} is removed"));
    }
    for name in after.keys() {
        let value = values(&after, name);
        match before.contains_key(name) {
            false => say(format!("{name}: {value} is added")),
            true if value != values(&before, name) => {
                say(format!("{name}: {value} takes the place of the origin's"));
            }
            true if policy.set.iter().any(|set| set.name == *name && !set.overrides) => {
                say(format!("{name} stays the origin's, because Override is false"));
            }
            true => {}
        }
    }
    if let Some(ServerTiming { rate }) = policy.server_timing {
        let percent = f64::from(rate) * 100.0 / f64::from(ServerTiming::OUTCOMES);
        say(format!(
            "server-timing is added to {percent} % of responses, and to each that is asked for with Pragma: server-timing"
        ));
    }
}

fn values(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    lines.map(String::from_utf8_lossy).collect::<Vec<_>>().join(", ")
}
