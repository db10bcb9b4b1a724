//! `CorsConfig`: which origins may read a response, and what a preflight request is told.

use std::fmt;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::wildcard;

/// One `CorsConfig`, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cors {
    /// `AccessControlAllowOrigins`; at least one.
    pub allow_origins: Vec<AllowOrigin>,
    /// `AccessControlAllowHeaders`; none for a policy that says nothing of them.
    pub allow_headers: Vec<AllowHeader>,
    /// `AccessControlAllowMethods` as the value that is sent.
    pub allow_methods: Option<HeaderValue>,
    /// `AccessControlAllowCredentials`.
    pub allow_credentials: bool,
    /// `AccessControlExposeHeaders` as the value that is sent.
    pub expose_headers: Option<HeaderValue>,
    /// Whether `expose_headers` goes to preflight requests only, as AWS's own policies have it
    /// (CloudFront guide: managed response headers policies).
    pub exposes_to_preflight_only: bool,
    /// `AccessControlMaxAgeSec` as the value that is sent.
    pub max_age: Option<HeaderValue>,
    /// `OriginOverride`: the policy's headers take the place of the origin's. Without, one CORS header
    /// of the origin is enough to keep all of the policy's away.
    pub origin_override: bool,
}

/// What became of CORS, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorsAnswer {
    /// The policy has no CORS part.
    NoPolicy,
    /// The request names no origin, so it is no CORS request.
    NoOrigin,
    /// `AccessControlAllowOrigins` has no match for the request's origin.
    NotAllowed,
    /// The response has CORS headers, and `OriginOverride` is false.
    LeftToOrigin,
    /// The headers for a response were added.
    Added,
    /// The headers for a preflight request were added.
    AddedForPreflight,
}

/// The reason in words.
impl fmt::Display for CorsAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CorsAnswer::NoPolicy => "the policy has no CORS headers",
            CorsAnswer::NoOrigin => "no CORS headers, because the request has no Origin",
            CorsAnswer::NotAllowed => {
                "no CORS headers, because AccessControlAllowOrigins has no match for the Origin"
            }
            CorsAnswer::LeftToOrigin => {
                "the origin's CORS headers stay, and none is added, because OriginOverride is false"
            }
            CorsAnswer::Added => "CORS headers of a response are added",
            CorsAnswer::AddedForPreflight => "CORS headers of a preflight response are added",
        })
    }
}

/// One entry of `AccessControlAllowOrigins`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowOrigin {
    /// `*`.
    Any,
    /// An origin, whose parts may be left out or have a wildcard.
    Like {
        /// `None`: http and https, or any scheme where the host has a wildcard.
        scheme: Option<String>,
        /// Lower-case, without its leading `*.`.
        host: String,
        /// `*.` stood before the host: sub-domains of any depth, and not the host itself.
        subdomains: bool,
        /// `*` in it stands for any run of digits.
        port: Option<String>,
    },
}

/// One entry of `AccessControlAllowHeaders`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowHeader {
    /// `*` by itself: every header but Authorization, which is what `*` means to a browser too.
    Any,
    /// A name.
    Name(HeaderName),
    /// A name with one `*` in it, lower-case.
    Like {
        /// What stands before the `*`.
        start: String,
        /// What stands behind it.
        end: String,
    },
}

/// Why an entry of `AccessControlAllowOrigins` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum BadOrigin {
    #[error("it is empty")]
    Empty,
    #[error(
        "a * may stand for everything, for the left-most sub-domain (*.example.org), or in the port"
    )]
    Wildcard,
    #[error("an origin is a scheme, a host and a port, without a path")]
    Path,
    #[error("the scheme is not one: letters, digits, +, - and . before ://")]
    Scheme,
    #[error("the host is not a host name")]
    Host,
    #[error("the port is digits, with or without *")]
    Port,
}

/// Why an entry of `AccessControlAllowHeaders` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum BadHeader {
    #[error("it is not a header name")]
    Name,
    #[error("one * is allowed in a name")]
    Wildcards,
}

impl Cors {
    /// Whether two requests that differ in Origin alone may get different headers.
    pub(super) fn depends_on_origin(&self) -> bool {
        self.allow_credentials || !self.allow_origins.contains(&AllowOrigin::Any)
    }

    /// Adds what the request is to be told.
    pub(super) fn answer(
        &self,
        method: &Method,
        request: &HeaderMap,
        response: &mut HeaderMap,
    ) -> CorsAnswer {
        let Some(origin) = request.get(header::ORIGIN) else { return CorsAnswer::NoOrigin };
        // CloudFront guide: with any CORS header from the origin, none of the policy's is added.
        if !self.origin_override && response.keys().any(is_cors) {
            return CorsAnswer::LeftToOrigin;
        }
        let is_any = self.allow_origins.contains(&AllowOrigin::Any);
        if !is_any && !self.allow_origins.iter().any(|allowed| allowed.matches(origin.as_bytes())) {
            return CorsAnswer::NotAllowed;
        }
        // A browser refuses `*` for a request with credentials.
        let allowed = match is_any && !self.allow_credentials {
            true => const { HeaderValue::from_static("*") },
            false => origin.clone(),
        };
        response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.allow_credentials {
            let value = const { HeaderValue::from_static("true") };
            response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, value);
        }
        let is_preflight = is_preflight(method, request);
        let mut add = |name, value: &Option<HeaderValue>| {
            if let Some(value) = value {
                response.insert(name, value.clone());
            }
        };
        if is_preflight || !self.exposes_to_preflight_only {
            add(header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose_headers);
        }
        if !is_preflight {
            return CorsAnswer::Added;
        }
        add(header::ACCESS_CONTROL_ALLOW_METHODS, &self.allow_methods);
        add(header::ACCESS_CONTROL_ALLOW_HEADERS, &self.allowed_headers(request));
        add(header::ACCESS_CONTROL_MAX_AGE, &self.max_age);
        CorsAnswer::AddedForPreflight
    }

    /// The names of the policy, and in place of a name with a wildcard what the request asks for and it
    /// matches: a browser knows no `x-*`.
    fn allowed_headers(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let asked = request.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS);
        let asked =
            || asked.iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        let mut names: Vec<&str> = Vec::new();
        let mut add = |name| {
            if !names.contains(&name) {
                names.push(name);
            }
        };
        for allowed in &self.allow_headers {
            match allowed {
                AllowHeader::Any => add("*"),
                AllowHeader::Name(name) => add(name.as_str()),
                AllowHeader::Like { .. } => asked()
                    .map(str::trim)
                    .filter(|name| {
                        HeaderName::from_bytes(name.as_bytes())
                            .is_ok_and(|name| allowed.matches(&name))
                    })
                    .for_each(&mut add),
            }
        }
        let names = names.join(", ");
        if names.is_empty() { None } else { HeaderValue::try_from(names).ok() }
    }
}

/// Whether a browser asks if it may ask (Fetch standard: CORS-preflight request).
pub fn is_preflight(method: &Method, request: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && request.contains_key(header::ORIGIN)
        && request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn is_cors(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}

impl AllowOrigin {
    /// Reads an entry as CloudFront takes it.
    pub fn parse(text: &str) -> Result<AllowOrigin, BadOrigin> {
        if text == "*" {
            return Ok(AllowOrigin::Any);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        if text.is_empty() {
            return Err(BadOrigin::Empty);
        }
        let is_scheme_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if scheme.is_some_and(|it| it.is_empty() || !it.bytes().all(is_scheme_byte)) {
            return Err(BadOrigin::Scheme);
        }
        if rest.contains(['/', '?', '#', '@']) {
            return Err(BadOrigin::Path);
        }
        let (host, port) = host_and_port(rest);
        let (subdomains, host) = match host.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, host),
        };
        if host.contains('*') {
            return Err(BadOrigin::Wildcard);
        }
        if !is_host(host) {
            return Err(BadOrigin::Host);
        }
        let is_port_byte = |b: u8| b.is_ascii_digit() || b == b'*';
        if port.is_some_and(|it| it.is_empty() || !it.bytes().all(is_port_byte)) {
            return Err(BadOrigin::Port);
        }
        Ok(AllowOrigin::Like {
            scheme: scheme.map(str::to_ascii_lowercase),
            host: host.to_ascii_lowercase(),
            subdomains,
            port: port.map(str::to_owned),
        })
    }

    /// Whether an `Origin` header's value is meant (CloudFront guide: Access-Control-Allow-Origin).
    pub fn matches(&self, origin: &[u8]) -> bool {
        let AllowOrigin::Like { scheme, host, subdomains, port } = self else { return true };
        let Ok(origin) = std::str::from_utf8(origin) else { return false };
        let Some((asking_scheme, rest)) = origin.split_once("://") else { return false };
        let (asking_host, asking_port) = host_and_port(rest);
        let scheme_fits = match scheme {
            Some(scheme) => scheme.eq_ignore_ascii_case(asking_scheme),
            None if *subdomains => true,
            None => ["http", "https"].iter().any(|it| it.eq_ignore_ascii_case(asking_scheme)),
        };
        let host_fits = if *subdomains {
            // All of the asking host must read as one, or a path could hide before the domain.
            let at = asking_host.len().checked_sub(host.len());
            at.and_then(|at| asking_host.split_at_checked(at)).is_some_and(|(labels, parent)| {
                parent.eq_ignore_ascii_case(host) && labels.strip_suffix('.').is_some_and(is_host)
            })
        } else {
            asking_host.eq_ignore_ascii_case(host)
        };
        let port_fits = match (port, asking_port) {
            // `*.example.org` by itself stands for every port, any other entry for none.
            (None, None) => true,
            (None, Some(_)) => *subdomains && scheme.is_none(),
            (Some(_), None) => false,
            (Some(wanted), Some(asking)) => {
                let is_port = !asking.is_empty() && asking.bytes().all(|b| b.is_ascii_digit());
                is_port && wildcard::matches(wanted.as_bytes(), asking.as_bytes())
            }
        };
        scheme_fits && host_fits && port_fits
    }
}

/// `host:port`, where an IPv6 address has brackets and keeps them.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    let bracket = text.rfind(']').map_or(0, |at| at + 1);
    match text[bracket..].find(':') {
        Some(at) => (&text[..bracket + at], Some(&text[bracket + at + 1..])),
        None => (text, None),
    }
}

fn is_host(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if let Some(address) = address {
        return address.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let is_label_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    host.split('.').all(|label| !label.is_empty() && label.bytes().all(is_label_byte))
}

impl AllowHeader {
    /// Reads an entry as CloudFront takes it.
    pub fn parse(text: &str) -> Result<AllowHeader, BadHeader> {
        let Some((start, end)) = text.split_once('*') else {
            let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| BadHeader::Name)?;
            return Ok(AllowHeader::Name(name));
        };
        if start.is_empty() && end.is_empty() {
            return Ok(AllowHeader::Any);
        }
        if end.contains('*') {
            return Err(BadHeader::Wildcards);
        }
        HeaderName::from_bytes(text.replace('*', "x").as_bytes()).map_err(|_| BadHeader::Name)?;
        let (start, end) = (start.to_ascii_lowercase(), end.to_ascii_lowercase());
        Ok(AllowHeader::Like { start, end })
    }

    /// Whether a request may carry `name`.
    pub fn matches(&self, name: &HeaderName) -> bool {
        match self {
            AllowHeader::Name(allowed) => allowed == name,
            // CloudFront guide: Authorization must be listed, no wildcard stands for it.
            _ if *name == header::AUTHORIZATION => false,
            AllowHeader::Any => true,
            AllowHeader::Like { start, end } => {
                let name = name.as_str();
                // CloudFront guide: `x-amz-*` does not match `x-amz-`, but `x-*-amz` matches `x--amz`.
                let at_an_end = start.is_empty() || end.is_empty();
                name.len() >= start.len() + end.len() + usize::from(at_an_end)
                    && name.starts_with(start)
                    && name.ends_with(end)
            }
        }
    }
}

#[cfg(test)]
mod tests;
