//! `X-Warmfront-Explain: 1`: what was decided about this very request, as headers of its reply.
//!
//! Only for edges that were told to ([`EdgeOptions::explain`](crate::edge::EdgeOptions::explain)): the
//! headers name origins, policies and what reaches them. Elsewhere the field is one like any other.

use std::sync::OnceLock;
use std::time::SystemTime;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use warmfront_core::Distribution;
use warmfront_core::access::place::Place;
use warmfront_core::access::signed::SignatureCheck;
use warmfront_core::caching::{Lifetime, NotStored};
use warmfront_core::explain::{Asked, Topic, explain_in};
use warmfront_core::http::framing::check_request;

use crate::reasons::CacheRecord;
use crate::request::Viewer;

/// Asks on a request, answers on a reply.
const X_WARMFRONT_EXPLAIN: HeaderName = HeaderName::from_static("x-warmfront-explain");
/// Lines that a reply gets at most, so that it stays within what viewers take.
const MAX_LINES: usize = 64;
/// Octets of one line; the rest is left out.
const MAX_LINE: usize = 400;

/// A request whose viewer wants to know.
pub(crate) struct Explaining {
    asked: Asked,
    kept: OnceLock<Kept>,
}

/// What became of the response in the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept {
    /// It is stored, for so long.
    For(Lifetime),
    /// It is not.
    No(NotStored),
}

impl Explaining {
    /// Takes the question off `head`; `None` where there is none.
    pub(crate) fn asked(
        head: &mut Parts,
        viewer: &Viewer,
        has_body: bool,
        places_can_be_known: bool,
    ) -> Option<Box<Self>> {
        let asks = head.headers.get(X_WARMFRONT_EXPLAIN).is_some_and(|value| value == "1");
        head.headers.remove(X_WARMFRONT_EXPLAIN);
        if !asks {
            return None;
        }
        let target = check_request(head).ok()?;
        let asked = Asked {
            method: head.method.clone(),
            scheme: viewer.scheme,
            version: head.version,
            host: target.host.to_owned(),
            path: target.path.to_owned(),
            query: target.query.map(str::to_owned),
            headers: head.headers.clone(),
            has_body,
            viewer: viewer.address,
            place: None,
            places_can_be_known,
            answer: None,
        };
        Some(Box::new(Self { asked, kept: OnceLock::new() }))
    }

    /// Remembers where the viewer is.
    pub(crate) fn is_at(&mut self, place: &Place) {
        self.asked.place = Some(place.clone());
    }

    /// Remembers what became of the response.
    pub(crate) fn kept(&self, kept: Kept) {
        let _ = self.kept.set(kept);
    }

    /// Adds a line for each decision.
    pub(crate) fn tell(
        &self,
        distribution: &Distribution,
        check: Option<&dyn SignatureCheck>,
        now: SystemTime,
        cache: &CacheRecord,
        reply: &mut HeaderMap,
    ) {
        let told = explain_in(distribution, &self.asked, check, now);
        // What became of this request says more than what becomes of others.
        let is_told = |topic| match topic {
            Topic::Ttl => true,
            Topic::Cache => !cache.is_empty(),
            Topic::Compression => cache.compression.is_some(),
            _ => false,
        };
        let decided = told.steps.iter().filter(|step| !is_told(step.topic));
        let lines = decided.map(|step| (step.topic.as_str(), step.text.clone()));
        let kept = self.kept.get().map(|kept| match kept {
            Kept::For(lifetime) => (Topic::Ttl.as_str(), lifetime.to_string()),
            Kept::No(reason) => (Topic::Ttl.as_str(), format!("not stored: {reason}")),
        });
        let found = (!cache.is_empty()).then(|| (Topic::Cache.as_str(), cache.to_string()));
        for (topic, text) in found.into_iter().chain(kept).chain(lines).take(MAX_LINES) {
            if let Some(value) = line(topic, &text) {
                reply.append(X_WARMFRONT_EXPLAIN, value);
            }
        }
    }
}

/// `topic: text`, with whatever no header may hold replaced.
fn line(topic: &str, text: &str) -> Option<HeaderValue> {
    let shown = |byte: u8| if byte == b'\t' || !byte.is_ascii_control() { byte } else { b'?' };
    let bytes: Vec<u8> = format!("{topic}: {text}").bytes().take(MAX_LINE).map(shown).collect();
    HeaderValue::from_bytes(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_always_a_header_value() {
        let told = |text: &str| line("key", text).unwrap().as_bytes().to_vec();
        assert_eq!(told("path /a"), b"key: path /a");
        assert_eq!(told("a\r\nb\x7f"), b"key: a??b?");
        assert_eq!(told(&"x".repeat(1000)).len(), MAX_LINE);
    }
}
