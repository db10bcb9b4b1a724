//! What a cache behavior says: whom it admits, what it forwards, how long it keeps.

use std::borrow::Cow;
use std::sync::Arc;

use crate::access::signed::TrustedKeys;
use crate::caching::CacheRules;
use crate::log_field::LogField;
use crate::origin::Failover;
use crate::path_pattern::{PathPattern, normalize_path};
use crate::policy::{CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy};

/// One cache behavior, compiled.
#[derive(Debug, Clone)]
pub struct Behavior {
    /// Which paths it answers; `*` for the default behavior.
    pub path_pattern: PathPattern,
    /// Index into [`crate::Distribution::origins`]: the only origin, or the primary one of a group.
    pub origin: usize,
    /// The rest of the origin group, if the target is one.
    pub failover: Option<Failover>,
    /// Which schemes viewers may use.
    pub viewer_protocol_policy: ViewerProtocolPolicy,
    /// Which methods reach the origin at all.
    pub allowed_methods: AllowedMethods,
    /// Whether OPTIONS is answered from the cache (GET and HEAD always are).
    pub caches_options: bool,
    /// Cache key and TTLs, from `CachePolicyId` or from the legacy `ForwardedValues`.
    pub cache_policy: CachePolicy,
    /// What else reaches the origin.
    pub origin_request_policy: OriginRequestPolicy,
    /// Whether the edge may compress (`Compress`).
    pub compress: bool,
    /// What becomes of the response's headers on their way to the viewer.
    pub response_headers_policy: Option<Arc<ResponseHeadersPolicy>>,
    /// Whose signatures a request needs; `None`: no signature is needed.
    pub trusted_keys: Option<Arc<TrustedKeys>>,
    /// `GrpcConfig.Enabled`: gRPC passes through.
    pub grpc: bool,
    /// `RealtimeLogConfigArn`.
    pub real_time_log: Option<Arc<RealTimeLog>>,
    /// Which cache rules hold: CloudFront's or RFC 9111's.
    pub rules: CacheRules,
}

impl Behavior {
    /// The path that key and origin see of `path`, which behaviors were matched on: as it was sent, or in the
    /// one form of all three (`CacheRules::one_path_form`).
    pub fn path_seen<'a>(&self, path: Cow<'a, str>) -> Cow<'a, str> {
        match path {
            path if !self.rules.one_path_form => path,
            Cow::Borrowed(path) => normalize_path(path),
            Cow::Owned(path) => Cow::Owned(normalize_path(&path).into_owned()),
        }
    }
}

/// One `AWS::CloudFront::RealtimeLogConfig`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealTimeLog {
    /// Its name.
    pub name: String,
    /// How many of a hundred requests are logged (1-100).
    pub sampling_rate: u8,
    /// The chosen fields, in the order of a record.
    pub fields: Vec<LogField>,
}

/// `ViewerProtocolPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewerProtocolPolicy {
    /// Both schemes.
    AllowAll,
    /// http is redirected: 301 for GET and HEAD, 307 otherwise.
    RedirectToHttps,
    /// http is refused with 403.
    HttpsOnly,
}

/// `AllowedMethods`: CloudFront knows exactly three sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowedMethods {
    /// GET and HEAD.
    GetHead,
    /// GET, HEAD and OPTIONS.
    GetHeadOptions,
    /// GET, HEAD, OPTIONS, PUT, PATCH, POST and DELETE.
    All,
}

impl AllowedMethods {
    /// Whether a request with this method is let through. CONNECT, TRACE and custom methods never are.
    pub fn contains(self, method: &::http::Method) -> bool {
        use ::http::Method;
        match *method {
            Method::GET | Method::HEAD => true,
            Method::OPTIONS => self != AllowedMethods::GetHead,
            Method::PUT | Method::PATCH | Method::POST | Method::DELETE => {
                self == AllowedMethods::All
            }
            _ => false,
        }
    }
}
