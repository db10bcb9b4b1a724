//! Where objects come from, and how we connect there.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Method};

use crate::api::Api;

/// One origin of a distribution.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The name that behaviors use.
    pub id: String,
    /// The DNS name: Host and SNI, unless a policy forwards the viewer's Host.
    pub domain_name: String,
    /// `OriginPath`: put before the path; starts with `/`, never ends with it, or is empty.
    pub path: String,
    /// `OriginCustomHeaders`: they replace what the viewer sent.
    pub custom_headers: Vec<(HeaderName, HeaderValue)>,
    /// An S3 bucket or any HTTP server.
    pub kind: OriginKind,
    /// How often a connection is tried (1-3), and a GET or HEAD after a read time-out.
    pub connection_attempts: u8,
    /// Limit of one connection attempt (1-10 s).
    pub connection_timeout: Duration,
    /// Until the first byte and between two reads (1-120 s).
    pub read_timeout: Duration,
    /// How long an idle connection is kept for the next request (1-120 s).
    pub keepalive_timeout: Duration,
    /// Limit of one origin request with all attempts and the whole body.
    pub response_completion_timeout: Option<Duration>,
    /// Where we connect instead of asking DNS for `domain_name`.
    pub target: Target,
    /// How requests to it are signed, if they are.
    pub access_control: Option<OriginAccessControl>,
    /// Whether a directory in its place answers 403 for a key that it has not, as a bucket that nobody may
    /// list does, and not 404.
    pub hides_missing: bool,
}

/// `OriginAccessControl`, or the older origin access identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginAccessControl {
    /// When requests are signed.
    pub signing: SigningBehavior,
    /// The service in the signature's scope: `s3`, `lambda`, `mediastore`, `mediapackagev2`.
    pub service: String,
    /// The region in the signature's scope.
    pub region: String,
}

/// `SigningBehavior` (CloudFront guide: restrict access with an origin access control).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningBehavior {
    /// Sign, and replace the viewer's Authorization.
    Always,
    /// Sign unless an Authorization of the viewer is forwarded.
    NoOverride,
    /// Do not sign.
    Never,
}

/// Whether one request to an origin is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// It is; an Authorization of the viewer is replaced.
    Sign,
    /// It goes as it is, because …
    LeaveAlone(Unsigned),
}

/// Why a request is not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsigned {
    /// The origin has no access control.
    NoAccessControl,
    /// `SigningBehavior` is `never`.
    Never,
    /// `SigningBehavior` is `no-override`, and the viewer's Authorization is forwarded.
    ViewerAuthorization,
    /// A directory or a local function asks for no signature.
    Local,
}

impl std::fmt::Display for Unsigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Unsigned::NoAccessControl => "the origin has no access control",
            Unsigned::Never => "SigningBehavior is never",
            Unsigned::ViewerAuthorization => {
                "SigningBehavior is no-override, and the viewer's Authorization is forwarded"
            }
            Unsigned::Local => "a directory or a local function asks for no signature",
        })
    }
}

/// What an origin group adds to its primary origin (CloudFront guide: origin failover).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// The group's id, for logs and explanations.
    pub group: String,
    /// Index of the secondary origin in [`crate::Distribution::origins`].
    pub origin: usize,
    /// The statuses of the primary that lead to the secondary.
    pub statuses: Vec<u16>,
}

/// What became of a request to a primary origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempted {
    /// It answered with this status.
    Answered(u16),
    /// Its name does not resolve, or nobody accepts a connection.
    NotConnected,
    /// No connection was accepted in time.
    ConnectTimedOut,
    /// A connection was accepted, but the answer did not come in time.
    TimedOut,
    /// Its certificate was refused, or what it sent was no response.
    Broken,
    /// The edge itself had no room, or the viewer gave up: no other origin would change that.
    NotItsFault,
}

impl Failover {
    /// Whether a request may go on to the secondary origin. CloudFront guide: GET and HEAD, and OPTIONS
    /// where it is cached; everything else is for the primary origin alone.
    pub fn covers(method: &Method, caches_options: bool) -> bool {
        matches!(*method, Method::GET | Method::HEAD)
            || (*method == Method::OPTIONS && caches_options)
    }

    /// The listed status for which the request goes on to the secondary origin, if it does.
    ///
    /// CloudFront guide (§5.2): no connection counts where 503 is listed, no answer in time where 504 is.
    /// A failed connection reaches viewers as 502, and an attempt that timed out as 504, so a group that
    /// lists those fails over too: who lists a status means the error that viewers would see.
    pub fn after(&self, attempted: Attempted) -> Option<u16> {
        let answered;
        let led_by: &[u16] = match attempted {
            Attempted::Answered(status) => {
                answered = [status];
                &answered
            }
            Attempted::NotConnected => &[502, 503],
            Attempted::ConnectTimedOut => &[504, 503],
            Attempted::TimedOut => &[504],
            Attempted::Broken => &[502],
            Attempted::NotItsFault => &[],
        };
        led_by.iter().copied().find(|status| self.statuses.contains(status))
    }
}

/// What kind of server an origin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginKind {
    /// An S3 REST bucket: protocol follows the viewer, Host is always the bucket's name.
    S3,
    /// Any other HTTP server.
    Custom {
        /// `HTTPPort`.
        http_port: u16,
        /// `HTTPSPort`.
        https_port: u16,
        /// Which scheme is used toward the origin.
        protocol_policy: OriginProtocolPolicy,
    },
}

/// `OriginProtocolPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OriginProtocolPolicy {
    /// Always http.
    HttpOnly,
    /// Always https.
    HttpsOnly,
    /// As the viewer came.
    MatchViewer,
}

/// Where an origin's connections go. Host, `OriginPath` and custom headers stay as configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// The address that DNS gives for `domain_name`.
    #[default]
    Dns,
    /// Nodes given with `--origin`; each request takes the next.
    Nodes(Vec<Node>),
    /// A directory that plays an S3 bucket.
    Directory(PathBuf),
    /// An API in front of local functions.
    Api(Arc<Api>),
}

/// One server of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// http or https.
    pub scheme: Scheme,
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port, always explicit.
    pub port: u16,
}

/// The two schemes we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Clear text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

impl Origin {
    /// The scheme toward this origin for a viewer that came with `viewer`.
    ///
    /// CloudFront guide: `match-viewer` takes the viewer's scheme; S3 origins do the same, unless every
    /// request to them is signed (restrict access to an S3 origin: `always` uses HTTPS).
    pub fn scheme_for(&self, viewer: Scheme) -> Scheme {
        match &self.kind {
            OriginKind::S3 if self.always_signs() => Scheme::Https,
            OriginKind::S3 => viewer,
            OriginKind::Custom { protocol_policy, .. } => match protocol_policy {
                OriginProtocolPolicy::HttpOnly => Scheme::Http,
                OriginProtocolPolicy::HttpsOnly => Scheme::Https,
                OriginProtocolPolicy::MatchViewer => viewer,
            },
        }
    }

    /// Whether it may take a connection out of HTTP (CloudFront guide: WebSockets with custom origins). A
    /// bucket, a directory or a local function never does, so what asks for that is an ordinary request,
    /// and nobody goes around the cache by asking.
    pub fn may_leave_http(&self) -> bool {
        self.kind != OriginKind::S3 && matches!(self.target, Target::Dns | Target::Nodes(_))
    }

    /// The port that belongs to `scheme`.
    pub fn port_for(&self, scheme: Scheme) -> u16 {
        match (&self.kind, scheme) {
            (OriginKind::S3, Scheme::Http) => 80,
            (OriginKind::S3, Scheme::Https) => 443,
            (OriginKind::Custom { http_port, .. }, Scheme::Http) => *http_port,
            (OriginKind::Custom { https_port, .. }, Scheme::Https) => *https_port,
        }
    }

    /// Whether a request with these headers is signed; `has_authorization`: one of the viewer is forwarded
    /// (CloudFront guide: restrict access with an origin access control).
    pub fn signing(&self, has_authorization: bool) -> Signing {
        let Some(control) = &self.access_control else {
            return Signing::LeaveAlone(Unsigned::NoAccessControl);
        };
        match (&self.target, control.signing) {
            (Target::Directory(_) | Target::Api(_), _) => Signing::LeaveAlone(Unsigned::Local),
            (_, SigningBehavior::Never) => Signing::LeaveAlone(Unsigned::Never),
            (_, SigningBehavior::NoOverride) if has_authorization => {
                Signing::LeaveAlone(Unsigned::ViewerAuthorization)
            }
            (_, SigningBehavior::Always | SigningBehavior::NoOverride) => Signing::Sign,
        }
    }

    fn always_signs(&self) -> bool {
        let control = self.access_control.as_ref();
        control.is_some_and(|control| control.signing == SigningBehavior::Always)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn origin(signing: Option<SigningBehavior>, target: Target) -> Origin {
        let control = |signing| OriginAccessControl {
            signing,
            service: "s3".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let kind = OriginKind::S3;
        Origin { access_control: signing.map(control), target, kind, ..fixture::origin() }
    }

    #[test]
    fn the_signing_behavior_decides_with_the_viewers_authorization() {
        use SigningBehavior::{Always, Never, NoOverride};
        let no = Signing::LeaveAlone;
        for (behavior, without, with) in [
            (Some(Always), Signing::Sign, Signing::Sign),
            (Some(NoOverride), Signing::Sign, no(Unsigned::ViewerAuthorization)),
            (Some(Never), no(Unsigned::Never), no(Unsigned::Never)),
            (None, no(Unsigned::NoAccessControl), no(Unsigned::NoAccessControl)),
        ] {
            let origin = origin(behavior, Target::Dns);
            assert_eq!(origin.signing(false), without, "{behavior:?}");
            assert_eq!(origin.signing(true), with, "{behavior:?}");
        }
        let local = origin(Some(Always), Target::Directory("public".into()));
        assert_eq!(local.signing(false), no(Unsigned::Local));
    }

    #[test]
    fn a_bucket_that_is_always_signed_for_is_asked_over_https() {
        let scheme = |signing| origin(signing, Target::Dns).scheme_for(Scheme::Http);
        assert_eq!(scheme(Some(SigningBehavior::Always)), Scheme::Https);
        assert_eq!(scheme(Some(SigningBehavior::NoOverride)), Scheme::Http);
        assert_eq!(scheme(None), Scheme::Http);
    }

    #[test]
    fn the_protocol_policy_says_the_scheme_and_each_scheme_has_its_port() {
        use OriginProtocolPolicy::{HttpOnly, HttpsOnly, MatchViewer};
        for (protocol_policy, viewer, scheme, port) in [
            (HttpOnly, Scheme::Https, Scheme::Http, 8080),
            (HttpsOnly, Scheme::Http, Scheme::Https, 8443),
            (MatchViewer, Scheme::Http, Scheme::Http, 8080),
            (MatchViewer, Scheme::Https, Scheme::Https, 8443),
        ] {
            let kind = OriginKind::Custom { http_port: 8080, https_port: 8443, protocol_policy };
            let origin = Origin { kind, ..fixture::origin() };
            assert_eq!(origin.scheme_for(viewer), scheme, "{protocol_policy:?} {viewer:?}");
            assert_eq!(origin.port_for(scheme), port, "{protocol_policy:?} {viewer:?}");
        }
        let bucket = origin(None, Target::Dns);
        assert_eq!((bucket.port_for(Scheme::Http), bucket.port_for(Scheme::Https)), (80, 443));
    }

    #[test]
    fn each_failure_of_a_primary_origin_leads_on_where_its_status_is_listed() {
        const ALL: [u16; 6] = [404, 500, 502, 503, 504, 429];
        for (attempted, leading) in [
            (Attempted::Answered(500), &[500][..]),
            (Attempted::Answered(404), &[404]),
            (Attempted::Answered(200), &[]),
            (Attempted::NotConnected, &[502, 503]),
            (Attempted::ConnectTimedOut, &[503, 504]),
            (Attempted::TimedOut, &[504]),
            (Attempted::Broken, &[502]),
            (Attempted::NotItsFault, &[]),
        ] {
            for status in ALL {
                let group = Failover { group: "g".to_owned(), origin: 1, statuses: vec![status] };
                let expected = leading.contains(&status).then_some(status);
                assert_eq!(group.after(attempted), expected, "{attempted:?}, {status} listed");
            }
        }
    }

    #[test]
    fn only_methods_that_read_go_on_to_the_secondary_origin() {
        for (method, caches_options, covered) in [
            (Method::GET, false, true),
            (Method::HEAD, false, true),
            (Method::OPTIONS, false, false),
            (Method::OPTIONS, true, true),
            (Method::POST, true, false),
            (Method::PUT, true, false),
            (Method::PATCH, true, false),
            (Method::DELETE, true, false),
        ] {
            assert_eq!(Failover::covers(&method, caches_options), covered, "{method}");
        }
    }
}
