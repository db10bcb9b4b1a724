//! What is being served: a stack of distributions, compiled, with nothing left to look up.

use std::sync::Arc;

use crate::behavior::Behavior;
use crate::caching::CacheRules;
use crate::function::{Function, HttpApi};
use crate::origin::Origin;

/// Everything one source deploys. Immutable; a reload builds a new one.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// The CloudFormation stack name, the serverless service, or the file's stem.
    pub name: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account: String,
    /// The distributions, in the order of the source.
    pub distributions: Vec<Arc<Distribution>>,
    /// The Lambda functions of the source, which local APIs run.
    pub functions: Vec<Arc<Function>>,
    /// The HTTP APIs of the source; [`crate::origin::Target::HttpApi`] points here.
    pub http_apis: Vec<Arc<HttpApi>>,
}

/// One CloudFront distribution, ready to answer.
#[derive(Debug, Clone)]
pub struct Distribution {
    /// `E` and 13 characters.
    pub id: String,
    /// The name of the resource in the source.
    pub logical_id: String,
    /// `d` and 13 characters and `.cloudfront.net`.
    pub domain_name: String,
    /// Alternate domain names, lower-case, each exact or with a leading `*.`.
    pub aliases: Vec<String>,
    /// A disabled distribution keeps its names and refuses every request (403).
    pub enabled: bool,
    /// What `/` means, without a leading slash.
    pub default_root_object: Option<String>,
    /// Where objects come from. A behavior names one by its index.
    pub origins: Vec<Arc<Origin>>,
    /// In the order of precedence; the last is the default behavior and matches every path.
    pub behaviors: Vec<Arc<Behavior>>,
    /// At most one for each status.
    pub error_responses: Vec<ErrorResponse>,
    /// The highest protocol offered to viewers.
    pub http_version: HttpVersion,
    /// Which cache rules hold: CloudFront's or RFC 9111's.
    pub rules: CacheRules,
}

/// One entry of `CustomErrorResponses`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// The status it is about (`ErrorCode`).
    pub status: u16,
    /// How long such an error stays in the cache at least (`ErrorCachingMinTTL`, seconds; CloudFront guide: default 10).
    pub caching_min_ttl: std::time::Duration,
}

/// `HttpVersion`: the highest protocol that viewers are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpVersion {
    /// HTTP/1.1 only.
    Http11,
    /// HTTP/2 and below.
    #[default]
    Http2,
    /// HTTP/3 and HTTP/1.1.
    Http3,
    /// HTTP/3 and below.
    Http2And3,
}
