//! `ServerTimingHeadersConfig`: what CloudFront tells a browser about how a response came to be.
//!
//! CloudFront guide, "Server-Timing header". Time and chance are arguments; the engine measures.

use std::fmt::Write as _;
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

/// An enabled `ServerTimingHeadersConfig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerTiming {
    /// `SamplingRate` in ten-thousandths of a percent: of [`ServerTiming::OUTCOMES`] responses, so many
    /// get the header.
    pub rate: u32,
}

/// What a response was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// The cache alone.
    Hit,
    /// The cache, once the origin had confirmed it or had failed.
    Refresh,
    /// The origin.
    Miss(Upstream),
}

/// How long the origin's part took. Zero where nothing was done: an address that was at hand, a
/// connection that was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Upstream {
    /// The look-up of its name.
    pub dns: Duration,
    /// The connection, with its TLS.
    pub connect: Duration,
    /// From the request to the first byte of the response.
    pub first_byte: Duration,
}

/// What the header tells.
#[derive(Debug, Clone, Copy)]
pub struct Metrics<'a> {
    /// What the response was made from.
    pub served: Served,
    /// `X-Amz-Cf-Pop`.
    pub pop: &'a str,
    /// `X-Amz-Cf-Id`.
    pub request_id: &'a str,
    /// From the viewer's request to now, when the response's head goes out.
    pub downstream_first_byte: Duration,
}

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

impl ServerTiming {
    /// How many outcomes chance has.
    pub const OUTCOMES: u32 = 1_000_000;

    /// Adds the header, if this response is among the sampled ones or the request asks for it.
    ///
    /// `chance` is any number below [`ServerTiming::OUTCOMES`], each as likely as the others. What the
    /// origin measured belongs to its own response: it is merged on a miss, and dropped where the cache
    /// answers.
    pub fn add(
        self,
        request: &HeaderMap,
        chance: u32,
        metrics: &Metrics<'_>,
        response: &mut HeaderMap,
    ) {
        if !matches!(metrics.served, Served::Miss(_)) {
            response.remove(SERVER_TIMING);
        }
        if chance >= self.rate && !asks_for_it(request) {
            return;
        }
        let mut value = Vec::with_capacity(256);
        for line in response.get_all(SERVER_TIMING) {
            value.extend_from_slice(line.as_bytes());
            value.push(b',');
        }
        value.extend_from_slice(metrics.text().as_bytes());
        let value = HeaderValue::from_bytes(&value)
            .expect("header values, a pop and an id are joined by commas");
        response.insert(SERVER_TIMING, value);
    }
}

/// CloudFront guide: `Pragma: server-timing` gets the header at any sampling rate.
fn asks_for_it(request: &HeaderMap) -> bool {
    request.get_all(header::PRAGMA).iter().any(|line| {
        let mut members = line.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        members.any(|member| member.eq_ignore_ascii_case(b"server-timing"))
    })
}

impl Metrics<'_> {
    /// The metrics in CloudFront's order. This edge is one layer, so both layers are `EDGE`.
    fn text(self) -> String {
        let mut text = String::with_capacity(256);
        if let Served::Miss(Upstream { dns, connect, first_byte }) = self.served {
            text.push_str("cdn-upstream-layer;desc=\"EDGE\"");
            duration(&mut text, ",cdn-upstream-dns", dns);
            duration(&mut text, ",cdn-upstream-connect", connect);
            duration(&mut text, ",cdn-upstream-fbl", first_byte);
            text.push(',');
        }
        text.push_str(match self.served {
            Served::Hit => "cdn-cache-hit",
            Served::Refresh => "cdn-cache-refresh",
            Served::Miss(_) => "cdn-cache-miss",
        });
        let _ = write!(text, ",cdn-pop;desc=\"{}\",cdn-rid;desc=\"{}\"", self.pop, self.request_id);
        if self.served == Served::Hit {
            text.push_str(",cdn-hit-layer;desc=\"EDGE\"");
        }
        duration(&mut text, ",cdn-downstream-fbl", self.downstream_first_byte);
        text
    }
}

/// A metric with its duration in whole milliseconds. Writing to a `String` cannot fail.
fn duration(text: &mut String, name: &str, took: Duration) {
    let _ = write!(text, "{name};dur={}", took.as_millis());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const MISS: Served = Served::Miss(Upstream {
        dns: Duration::from_millis(3),
        connect: Duration::from_millis(171),
        first_byte: Duration::from_micros(2_900),
    });
    const FROM_ORIGIN: &str = "cdn-upstream-layer;desc=\"EDGE\",cdn-upstream-dns;dur=3,cdn-upstream-connect;dur=171,cdn-upstream-fbl;dur=2,cdn-cache-miss,cdn-pop;desc=\"WFT50-P1\",cdn-rid;desc=\"id==\",cdn-downstream-fbl;dur=180";
    const FROM_CACHE: &str = "cdn-cache-hit,cdn-pop;desc=\"WFT50-P1\",cdn-rid;desc=\"id==\",cdn-hit-layer;desc=\"EDGE\",cdn-downstream-fbl;dur=180";

    #[track_caller]
    fn check(
        (rate, chance): (u32, u32),
        served: Served,
        request: &[&str],
        response: &[&str],
        expected: &[&str],
    ) {
        let metrics = Metrics {
            served,
            pop: "WFT50-P1",
            request_id: "id==",
            downstream_first_byte: Duration::from_millis(180),
        };
        let mut response = fixture::headers(response);
        ServerTiming { rate }.add(&fixture::headers(request), chance, &metrics, &mut response);
        let found: Vec<_> = response.get_all(SERVER_TIMING).iter().collect();
        assert_eq!(found, expected, "{rate} {chance} {request:?}");
    }

    #[test]
    fn the_metrics_stand_in_cloudfronts_order() {
        let all = (ServerTiming::OUTCOMES, 0);
        check(all, MISS, &[], &[], &[FROM_ORIGIN]);
        check(all, Served::Hit, &[], &[], &[FROM_CACHE]);
        let refreshed = "cdn-cache-refresh,cdn-pop;desc=\"WFT50-P1\",cdn-rid;desc=\"id==\",cdn-downstream-fbl;dur=180";
        check(all, Served::Refresh, &[], &[], &[refreshed]);
    }

    #[test]
    fn as_many_responses_get_it_as_the_rate_says() {
        check((1, 0), Served::Hit, &[], &[], &[FROM_CACHE]);
        check((1, 1), Served::Hit, &[], &[], &[]);
        check((0, 0), Served::Hit, &[], &[], &[]);
        let most = ServerTiming::OUTCOMES - 1;
        check((ServerTiming::OUTCOMES, most), Served::Hit, &[], &[], &[FROM_CACHE]);
        check((most, most), Served::Hit, &[], &[], &[]);
    }

    #[test]
    fn whoever_asks_for_it_gets_it() {
        for line in ["pragma: server-timing", "pragma: no-cache, Server-Timing"] {
            check((0, 0), Served::Hit, &[line], &[], &[FROM_CACHE]);
        }
        check((0, 0), Served::Hit, &["pragma: no-cache"], &[], &[]);
        check(
            (0, 0),
            Served::Hit,
            &["pragma: no-cache", "pragma: server-timing"],
            &[],
            &[FROM_CACHE],
        );
    }

    #[test]
    fn the_origins_own_is_merged_on_a_miss_and_dropped_elsewhere() {
        let own = ["server-timing: db;dur=53", "server-timing: app;dur=47.2"];
        let merged = format!("db;dur=53,app;dur=47.2,{FROM_ORIGIN}");
        check((1, 0), MISS, &[], &own, &[&merged]);
        check((0, 0), MISS, &[], &own, &["db;dur=53", "app;dur=47.2"]);
        check((1, 0), Served::Hit, &[], &own, &[FROM_CACHE]);
        check((0, 0), Served::Hit, &[], &own, &[]);
    }
}
