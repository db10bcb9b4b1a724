//! What the origin is asked: target and header fields of the origin request (CloudFront guide:
//! request and response behavior; control origin requests with a policy).
//!
//! Framing is the client's work: no Content-Length and no Transfer-Encoding come from here. Upgrade
//! never travels either: `http::upgrade` announces it anew where a tunnel may begin.

use std::net::{IpAddr, SocketAddr};

use ::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::generated::{Connection, Generated};
use super::{HeaderSelection, Selection, is_cacheable_method, managed};
use crate::http::{cookie, encoding, hop_by_hop, query};
use crate::origin::OriginKind;
use crate::request_view::RequestView;
use crate::{Behavior, Distribution, Origin};

/// What the edge itself knows about a request.
#[derive(Debug, Clone, Copy)]
pub struct EdgeFacts<'a> {
    /// The viewer's address and port.
    pub viewer: SocketAddr,
    /// The value of X-Amz-Cf-Id.
    pub request_id: &'a str,
    /// `1.1 <32 hex>.cloudfront.net (CloudFront)`, with the version that the viewer spoke.
    pub via: &'a HeaderValue,
    /// The value of `CloudFront-Viewer-TLS`, for a viewer that came over https.
    pub tls: Option<&'a str>,
    /// Set when the request fetches an error page: what failed.
    pub failing: Option<Failing<'a>>,
}

/// The request whose error a page is fetched for, as the viewer sent it.
#[derive(Debug, Clone, Copy)]
pub struct Failing<'a> {
    /// The raw path: `CloudFront-Error-Uri`.
    pub path: &'a str,
    /// The query string without `?`: `CloudFront-Error-Args`.
    pub query: Option<&'a str>,
}

/// An origin request without its method and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarded {
    /// Path and query as the origin gets them, `OriginPath` included.
    pub target: String,
    /// All header fields, Host included; no Content-Length and no Transfer-Encoding.
    pub headers: HeaderMap,
}

/// The request for `origin` that `behavior` makes of the viewer's.
pub fn origin_request(
    _distribution: &Distribution,
    behavior: &Behavior,
    origin: &Origin,
    request: &RequestView<'_>,
    edge: &EdgeFacts<'_>,
) -> Forwarded {
    let rules = Rules { behavior, origin, request };
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 8);
    headers.insert(header::HOST, rules.host());
    for (name, value) in request.headers {
        if rules.forwards(name) {
            headers.append(name, value.clone());
        }
    }
    // Before any field of ours, so that no viewer can take one away.
    hop_by_hop::remove_listed(request.headers, &mut headers);
    if rules.normalizes_accept_encoding() {
        let accepted = encoding::normalized(behavior, request.version, request.headers);
        if let Some(value) = accepted.and_then(encoding::Accepted::for_origin) {
            headers.insert(header::ACCEPT_ENCODING, value);
        }
    }
    if let Some(cookies) = cookie::field(&rules.cookies()) {
        headers.insert(header::COOKIE, cookies);
    }
    if !rules.names(&header::USER_AGENT) {
        headers.insert(header::USER_AGENT, AMAZON_CLOUDFRONT);
    }
    rules.generate(&mut headers, edge);
    let address = address(edge.viewer.ip().to_canonical());
    headers.insert(X_FORWARDED_FOR, appended(request.headers, &X_FORWARDED_FOR, &address));
    headers.insert(header::VIA, appended(request.headers, &header::VIA, edge.via));
    if let Ok(id) = HeaderValue::from_str(edge.request_id) {
        headers.insert(X_AMZ_CF_ID, id);
    }
    for (name, _) in &origin.custom_headers {
        headers.remove(name);
    }
    for (name, value) in &origin.custom_headers {
        headers.append(name, value.clone());
    }
    Forwarded { target: rules.target(), headers }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_AMZ_CF_ID: HeaderName = HeaderName::from_static("x-amz-cf-id");
const X_AMZ_CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");
const AMAZON_CLOUDFRONT: HeaderValue = HeaderValue::from_static("Amazon CloudFront");

pub(super) struct Rules<'a> {
    pub(super) behavior: &'a Behavior,
    pub(super) origin: &'a Origin,
    pub(super) request: &'a RequestView<'a>,
}

impl<'a> Rules<'a> {
    /// Whether one of the two policies names this viewer header.
    fn names(&self, name: &HeaderName) -> bool {
        self.behavior.cache_policy.headers.contains(name)
            || self.behavior.origin_request_policy.headers.contains(name)
    }

    /// Whether one of the two policies asks for this header by its name.
    fn lists(&self, name: &HeaderName) -> bool {
        self.behavior.cache_policy.headers.contains(name)
            || self.behavior.origin_request_policy.headers.listed().contains(name)
    }

    /// Whether a viewer's field travels on as it is, unless Connection names it.
    pub(super) fn forwards(&self, name: &HeaderName) -> bool {
        if is_never_forwarded(name) || is_made_anew(name) || hop_by_hop::is_fixed(name) {
            return false;
        }
        match *name {
            header::ACCEPT_ENCODING if self.normalizes_accept_encoding() => false,
            // Without a policy it travels only where the answer is never stored.
            header::AUTHORIZATION => self.names(name) || !self.is_cacheable(),
            _ if Generated::named(name).is_some() && self.lists(name) => false,
            // CloudFront guide: restrict access to a Lambda function URL. Only the viewer knows the hash
            // of a body that streams; the signature needs it.
            _ if *name == X_AMZ_CONTENT_SHA256 && self.origin.access_control.is_some() => {
                !self.is_cacheable()
            }
            _ if self.names(name) => true,
            // CloudFront guide: only legacy settings forward what they do not know.
            _ if self.behavior.cache_policy.legacy => !LEGACY_NEEDS_LISTING.contains(name),
            // Fields about a body travel with one, but not where they could reach the cache unkeyed.
            header::CONTENT_TYPE | header::CONTENT_ENCODING => !self.is_cacheable(),
            _ => ALWAYS_FORWARDED.contains(name),
        }
    }

    /// Legacy settings that forward all headers (`*`) forward this one too, and cache nothing.
    pub(super) fn normalizes_accept_encoding(&self) -> bool {
        let policy = &self.behavior.cache_policy;
        let takes_all = self.behavior.origin_request_policy.headers == HeaderSelection::AllViewer;
        encoding::is_normalized(policy) && !(policy.legacy && takes_all)
    }

    fn is_cacheable(&self) -> bool {
        is_cacheable_method(self.behavior, self.request.method)
    }

    pub(super) fn host(&self) -> HeaderValue {
        let is_s3 = self.origin.kind == OriginKind::S3;
        if !is_s3
            && self.names(&header::HOST)
            && !self.request.host.is_empty()
            && let Ok(host) = HeaderValue::from_str(self.request.host)
        {
            return host;
        }
        // What is no DNS name cannot be compiled; if it could, an empty Host names nobody.
        HeaderValue::from_str(&self.origin.domain_name).unwrap_or(HeaderValue::from_static(""))
    }

    pub(super) fn cookies(&self) -> Vec<cookie::Cookie<'a>> {
        let cache = &self.behavior.cache_policy.cookies;
        let other = &self.behavior.origin_request_policy.cookies;
        if (cache.is_empty() && other.is_empty())
            || hop_by_hop::is_listed(self.request.headers, &header::COOKIE)
        {
            return Vec::new();
        }
        cookie::sorted(self.request.headers, |name| cache.forwards_with(other, name))
    }

    fn generate(&self, headers: &mut HeaderMap, edge: &EdgeFacts<'_>) {
        let connection = Connection { viewer: edge.viewer, tls: edge.tls };
        let policies = [
            self.behavior.cache_policy.headers.as_slice(),
            self.behavior.origin_request_policy.headers.listed(),
        ];
        for name in policies.into_iter().flatten() {
            let Some(generated) = Generated::named(name) else { continue };
            let made = match (generated, edge.failing) {
                (Generated::ErrorUri, Some(failing)) => HeaderValue::from_str(failing.path).ok(),
                (Generated::ErrorArgs, Some(Failing { query: Some(query), .. })) => {
                    HeaderValue::from_str(query).ok()
                }
                _ => generated.value(self.request, Some(&connection)),
            };
            if let Some(value) = made {
                headers.insert(name, value);
            }
        }
    }

    fn target(&self) -> String {
        let RequestView { path, query, .. } = *self.request;
        let text = query.unwrap_or_default();
        let mut target =
            String::with_capacity(self.origin.path.len() + path.len() + text.len() + 1);
        target.push_str(&self.origin.path);
        target.push_str(path);
        self.push_query(&mut target, text);
        target
    }

    fn push_query(&self, target: &mut String, text: &str) {
        let cache = &self.behavior.cache_policy.query_strings;
        let other = &self.behavior.origin_request_policy.query_strings;
        let without_response = self.withholds_response_parameters();
        if text.is_empty() {
            return;
        }
        if *cache == Selection::All || (*other == Selection::All && !without_response) {
            target.push('?');
            target.push_str(text);
            return;
        }
        let mut separator = '?';
        for parameter in query::parameters(text) {
            let name = query::name(parameter);
            let is_withheld = without_response && managed::RESPONSE_PARAMETERS.contains(&name);
            let is_forwarded =
                if is_withheld { cache.contains(name) } else { cache.forwards_with(other, name) };
            if is_forwarded {
                target.push(separator);
                target.push_str(parameter);
                separator = '&';
            }
        }
    }

    /// CloudFront guide: four managed policies do not let viewers choose what S3 says of an object.
    fn withholds_response_parameters(&self) -> bool {
        self.origin.kind == OriginKind::S3
            && managed::withholds_response_parameters(&self.behavior.origin_request_policy.name)
    }
}

/// An address as text. An IPv4 address costs most requests less when it is written by hand.
fn address(ip: IpAddr) -> HeaderValue {
    let text = match ip {
        IpAddr::V4(ip) => {
            let mut text = Vec::with_capacity("255.255.255.255".len());
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index > 0 {
                    text.push(b'.');
                }
                if octet >= 100 {
                    text.push(b'0' + octet / 100);
                }
                if octet >= 10 {
                    text.push(b'0' + octet / 10 % 10);
                }
                text.push(b'0' + octet % 10);
            }
            text
        }
        IpAddr::V6(ip) => ip.to_string().into_bytes(),
    };
    HeaderValue::try_from(text).expect("an IP address is ASCII")
}

/// What a viewer sent under this name, and `own` behind it (observed separator: `, `).
fn appended(viewer: &HeaderMap, name: &HeaderName, own: &HeaderValue) -> HeaderValue {
    if !viewer.contains_key(name) || hop_by_hop::is_listed(viewer, name) {
        return own.clone();
    }
    let mut list = Vec::new();
    for value in viewer.get_all(name).iter().filter(|value| !value.is_empty()) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(own.as_bytes());
    HeaderValue::from_bytes(&list).expect("header values and commas form a header value")
}

/// Fields that no policy can let through.
fn is_never_forwarded(name: &HeaderName) -> bool {
    match *name {
        header::CONTENT_LENGTH | header::EXPECT | header::TRAILER => true,
        _ => {
            let name = name.as_str();
            matches!(name, "x-real-ip" | "x-forwarded-proto")
                || name.starts_with("x-edge-")
                || name.starts_with("x-amz-cf-")
        }
    }
}

/// Fields that are built from what the viewer sent.
fn is_made_anew(name: &HeaderName) -> bool {
    matches!(*name, header::HOST | header::COOKIE | header::VIA) || *name == X_FORWARDED_FOR
}

/// Policy mode, without any policy naming them: what asks for a part of the object, or for it under
/// a condition. (The guide's table is written for legacy settings; with policies it promises path,
/// body and the automatic headers only.)
const ALWAYS_FORWARDED: [HeaderName; 6] = [
    header::RANGE,
    header::IF_RANGE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
];

/// Legacy settings: removed unless listed (CloudFront guide: request headers table).
const LEGACY_NEEDS_LISTING: [HeaderName; 7] = [
    header::ACCEPT,
    header::ACCEPT_CHARSET,
    header::ACCEPT_LANGUAGE,
    header::REFERER,
    header::USER_AGENT,
    header::ACCEPT_ENCODING,
    HeaderName::from_static("x-http-method-override"),
];

#[cfg(test)]
mod tests;
