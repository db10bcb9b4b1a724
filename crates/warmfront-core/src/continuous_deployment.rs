//! Which requests of a primary distribution its staging distribution answers (CloudFront guide: use
//! continuous deployment to safely test CDN configuration changes).
//!
//! A header decides, or chance; with stickiness a cookie keeps a viewer where chance put it. The cookie
//! says only "primary" or "staging": whoever forges one chooses between these two and nothing else.
//! Time and chance are arguments.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

/// What a `ContinuousDeploymentPolicy` that is enabled comes down to.
#[derive(Debug, Clone, PartialEq)]
pub struct ContinuousDeployment {
    /// The policy's id, for logs and explanations.
    pub policy: String,
    /// The id of the distribution that answers in the primary's place.
    pub staging: String,
    /// For which requests.
    pub traffic: Traffic,
}

/// `TrafficConfig`.
#[derive(Debug, Clone, PartialEq)]
pub enum Traffic {
    /// `SingleHeader`: the requests that carry this field with exactly this value.
    Header {
        /// Begins with `aws-cf-cd-`.
        name: HeaderName,
        /// The whole value.
        value: HeaderValue,
    },
    /// `SingleWeight`: a share of all requests.
    Weight {
        /// From 0 to 0.15.
        share: f64,
        /// Whether a viewer stays where it came first.
        stickiness: Option<Stickiness>,
    },
}

/// `SessionStickinessConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stickiness {
    /// A session ends after so long without a request (300-3600 s).
    pub idle: Duration,
    /// A session ends so long after its first request (300-3600 s).
    pub maximum: Duration,
    /// Changes with the policy's settings: sessions of other settings are over. ASCII letters and digits.
    pub generation: String,
}

/// Who answers, why, and what the viewer is told to bring next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Who answers.
    pub side: Side,
    /// Why.
    pub reason: Reason,
    /// The value of a Set-Cookie that keeps the session.
    pub set_cookie: Option<HeaderValue>,
}

/// One of the two distributions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that viewers name.
    Primary,
    /// The one in staging.
    Staging,
}

/// Why a request goes to the side it goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It carries the policy's header and value.
    HeaderMatches,
    /// It does not.
    HeaderDiffers,
    /// Chance put it there.
    Weight,
    /// The viewer's session has been there before.
    Session,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Reason::HeaderMatches => "the request carries the policy's header with its value",
            Reason::HeaderDiffers => {
                "the request does not carry the policy's header with its value"
            }
            Reason::Weight => "the policy's weight decided",
            Reason::Session => "the viewer's session is there",
        })
    }
}

/// The session's cookie. CloudFront does not publish the name of its own.
pub const SESSION_COOKIE: &str = "warmfront-cd";

impl ContinuousDeployment {
    /// Which side answers a request with these headers; `chance` is evenly spread over 0 to 1 (1 excluded).
    pub fn route(&self, headers: &HeaderMap, now: SystemTime, chance: f64) -> Route {
        match &self.traffic {
            Traffic::Header { name, value } => {
                // More than one line is not "exactly this value".
                let mut values = headers.get_all(name).iter();
                let matches = values.next() == Some(value) && values.next().is_none();
                let (side, reason) = match matches {
                    true => (Side::Staging, Reason::HeaderMatches),
                    false => (Side::Primary, Reason::HeaderDiffers),
                };
                Route { side, reason, set_cookie: None }
            }
            Traffic::Weight { share, stickiness } => {
                let by_chance = if chance < *share { Side::Staging } else { Side::Primary };
                let Some(stickiness) = stickiness else {
                    return Route { side: by_chance, reason: Reason::Weight, set_cookie: None };
                };
                let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
                let known = session(headers).and_then(|text| stickiness.valid(text, now));
                let (session, reason) = match known {
                    Some(session) => (session, Reason::Session),
                    None => (Session { side: by_chance, began: now }, Reason::Weight),
                };
                let set_cookie = Some(stickiness.cookie(&session, now));
                Route { side: session.side, reason, set_cookie }
            }
        }
    }

    /// Whether viewers bring a session's cookie, which no cache key and no origin may see.
    pub fn has_sessions(&self) -> bool {
        matches!(self.traffic, Traffic::Weight { stickiness: Some(_), .. })
    }
}

/// A viewer's session, as its cookie tells it.
struct Session {
    side: Side,
    /// Seconds since 1970.
    began: u64,
}

impl Stickiness {
    /// The session that a cookie's value names, unless it is over, or of other settings, or made up badly.
    fn valid(&self, text: &str, now: u64) -> Option<Session> {
        let mut parts = text.split('.');
        let (generation, side) = (parts.next()?, parts.next()?);
        let (began, seen) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let side = match side {
            "p" => Side::Primary,
            "s" => Side::Staging,
            _ => return None,
        };
        let is_known = parts.next().is_none() && generation == self.generation;
        let lasts = |since: u64, limit: Duration| {
            now.checked_sub(since).is_some_and(|passed| passed < limit.as_secs())
        };
        let is_alive = began <= seen && lasts(seen, self.idle) && lasts(began, self.maximum);
        (is_known && is_alive).then_some(Session { side, began })
    }

    fn cookie(&self, session: &Session, now: u64) -> HeaderValue {
        let side = match session.side {
            Side::Primary => 'p',
            Side::Staging => 's',
        };
        let left = (session.began + self.maximum.as_secs()).saturating_sub(now);
        let age = self.idle.as_secs().min(left);
        let text = format!(
            "{SESSION_COOKIE}={}.{side}.{}.{now}; Max-Age={age}; Path=/; HttpOnly; SameSite=Lax",
            self.generation, session.began
        );
        HeaderValue::try_from(text).expect("letters, digits and punctuation form a header value")
    }
}

/// The value of the first session cookie.
fn session(headers: &HeaderMap) -> Option<&str> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let mut cookies = fields.flat_map(|field| field.split(';'));
    cookies.find_map(|cookie| cookie.trim().strip_prefix(SESSION_COOKIE)?.strip_prefix('='))
}

/// Takes the session's cookie away, so that neither the cache key nor the origin sees it.
pub fn remove_session(headers: &mut HeaderMap) {
    let is_session = |cookie: &[u8]| {
        let cookie = cookie.trim_ascii().strip_prefix(SESSION_COOKIE.as_bytes());
        cookie.is_some_and(|rest| rest.starts_with(b"="))
    };
    let fields = headers.get_all(header::COOKIE).iter();
    if !fields.into_iter().any(|field| field.as_bytes().split(|b| *b == b';').any(is_session)) {
        return;
    }
    let mut kept = Vec::new();
    for field in headers.get_all(header::COOKIE) {
        let cookies = field.as_bytes().split(|byte| *byte == b';');
        let others: Vec<&[u8]> =
            cookies.filter(|cookie| !is_session(cookie)).map(<[u8]>::trim_ascii).collect();
        let field = others.join(&b"; "[..]);
        kept.extend(HeaderValue::from_bytes(&field).ok().filter(|field| !field.is_empty()));
    }
    headers.remove(header::COOKIE);
    for field in kept {
        headers.append(header::COOKIE, field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const NOON: u64 = 1_767_268_800;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn deployment(traffic: Traffic) -> ContinuousDeployment {
        ContinuousDeployment {
            policy: "policy".to_owned(),
            staging: "ESTAGING".to_owned(),
            traffic,
        }
    }

    fn sticky() -> ContinuousDeployment {
        let stickiness = Stickiness {
            idle: Duration::from_secs(300),
            maximum: Duration::from_secs(900),
            generation: "g1".to_owned(),
        };
        deployment(Traffic::Weight { share: 0.15, stickiness: Some(stickiness) })
    }

    #[test]
    fn a_header_must_have_exactly_the_value() {
        let name = HeaderName::from_static("aws-cf-cd-next");
        let value = HeaderValue::from_static("yes");
        let deployment = deployment(Traffic::Header { name, value });
        for (lines, side) in [
            (&["aws-cf-cd-next: yes"][..], Side::Staging),
            (&["aws-cf-cd-next: Yes"], Side::Primary),
            (&["aws-cf-cd-next: yes, please"], Side::Primary),
            (&["aws-cf-cd-next: yes", "aws-cf-cd-next: yes"], Side::Primary),
            (&["aws-cf-cd-other: yes"], Side::Primary),
            (&[], Side::Primary),
        ] {
            let route = deployment.route(&fixture::headers(lines), at(NOON), 0.0);
            assert_eq!((route.side, route.set_cookie), (side, None), "{lines:?}");
        }
    }

    #[test]
    fn the_weight_is_the_share_of_staging() {
        let none = HeaderMap::new();
        for (share, chance, side) in [
            (0.15, 0.0, Side::Staging),
            (0.15, 0.149_999, Side::Staging),
            (0.15, 0.15, Side::Primary),
            (0.15, 0.999_999, Side::Primary),
            (0.0, 0.0, Side::Primary),
        ] {
            let deployment = deployment(Traffic::Weight { share, stickiness: None });
            let route = deployment.route(&none, at(NOON), chance);
            let expected = Route { side, reason: Reason::Weight, set_cookie: None };
            assert_eq!(route, expected, "{share} {chance}");
        }
    }

    /// The side and reason for a viewer with this cookie, whom chance would send to staging.
    #[track_caller]
    fn check(cookie: &str, now: u64, side: Side, reason: Reason) -> String {
        let headers = fixture::headers(&[&format!("cookie: a=1; {SESSION_COOKIE}={cookie}")]);
        let route = sticky().route(&headers, at(now), 0.0);
        assert_eq!((route.side, route.reason), (side, reason), "{cookie} at {now}");
        route.set_cookie.expect("sessions are kept").to_str().unwrap().to_owned()
    }

    #[test]
    fn a_session_stays_until_it_idles_or_is_too_old() {
        use Reason::{Session, Weight};
        use Side::{Primary, Staging};
        let of = |began: u64, seen: u64| format!("g1.p.{began}.{seen}");
        let seen = check(&of(NOON, NOON), NOON + 299, Primary, Session);
        let expected = format!("{SESSION_COOKIE}=g1.p.{NOON}.{}; Max-Age=300; ", NOON + 299);
        assert!(seen.starts_with(&expected), "{seen}");
        check(&of(NOON, NOON), NOON + 300, Staging, Weight);
        let late = check(&of(NOON, NOON + 800), NOON + 899, Primary, Session);
        assert!(late.contains("Max-Age=1;"), "{late}");
        let new = check(&of(NOON, NOON + 800), NOON + 900, Staging, Weight);
        assert!(new.contains(&format!("g1.s.{0}.{0};", NOON + 900)), "{new}");
    }

    #[test]
    fn a_cookie_that_is_made_up_begins_a_new_session() {
        use Reason::Weight;
        for text in [
            "",
            "p",
            "g2.p.1767268800.1767268800",
            "g1.x.1767268800.1767268800",
            "g1.p.1767268800.1767268801",
            "g1.p.1767268800.1767268700",
            "g1.p.1767268800.1767268800.1",
            "g1.p.-1.1767268800",
            "g1.p.99999999999999999999.1767268800",
            "E2QWRUHAPOMQZL",
        ] {
            check(text, NOON, Side::Staging, Weight);
        }
    }

    #[test]
    fn the_sessions_cookie_goes_no_further() {
        let session = format!("{SESSION_COOKIE}=g1.p.1.1");
        for (lines, expected) in [
            (vec![format!("cookie: a=1; {session}; b=2")], vec!["cookie: a=1; b=2"]),
            (vec![format!("cookie: {session}"), "cookie: c=3".to_owned()], vec!["cookie: c=3"]),
            (vec![format!("cookie: {session}")], vec![]),
            (vec!["cookie: a=1;b=2".to_owned()], vec!["cookie: a=1;b=2"]),
            (vec![format!("cookie: x{session}")], vec!["cookie: xwarmfront-cd=g1.p.1.1"]),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mut headers = fixture::headers(&lines);
            remove_session(&mut headers);
            assert_eq!(headers, fixture::headers(&expected), "{lines:?}");
        }
    }
}
