//! One entry of `Origins`.
//!
//! Where its connections go is decided in `target`; `OriginGroups` have a room of their own.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use warmfront_core::Origin;
use warmfront_core::origin::{OriginKind, OriginProtocolPolicy, Target};

use super::Compiler;
use super::access_control::Written;
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::report::Status;

const MAX_CUSTOM_HEADERS: usize = 30;
const MAX_CUSTOM_HEADER_CHARS: usize = 10_240;

/// CloudFront guide: the time-outs of an origin that says nothing about them.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_ATTEMPTS: u8 = 3;

impl Compiler<'_> {
    /// With the place of its access control.
    pub(super) fn origin(&self, node: &Node, path: &str) -> (Origin, Option<Written>) {
        self.domain_name(node, path);
        let (access_control, written) = self.access_control(node, path);
        self.origin_shield(node, path);
        let kind = self.origin_kind(node, path);
        let config = ["CustomOriginConfig", "VpcOriginConfig", "S3OriginConfig"]
            .iter()
            .find_map(|name| node.get(name));
        let seconds = |name| config.and_then(|config| config.seconds_at(name));
        let read_timeout = seconds("OriginReadTimeout").unwrap_or(READ_TIMEOUT);
        let response_completion_timeout = node.seconds_at("ResponseCompletionTimeout");
        if let Some(limit) = response_completion_timeout.filter(|limit| *limit < read_timeout)
            && let Some(value) = node.get("ResponseCompletionTimeout")
        {
            let message = format!(
                "must be at least OriginReadTimeout ({} s), found {} s",
                read_timeout.as_secs(),
                limit.as_secs()
            );
            self.error(&value.place, format!("{path}.ResponseCompletionTimeout"), message);
        }
        let origin = Origin {
            id: node.text_at("Id").unwrap_or_default().to_owned(),
            domain_name: node.text_at("DomainName").unwrap_or_default().to_ascii_lowercase(),
            path: self.origin_path(node, path),
            custom_headers: self.custom_headers(node, path),
            kind,
            connection_attempts: node
                .number_at("ConnectionAttempts")
                .unwrap_or(CONNECTION_ATTEMPTS),
            connection_timeout: node.seconds_at("ConnectionTimeout").unwrap_or(CONNECTION_TIMEOUT),
            read_timeout,
            keepalive_timeout: seconds("OriginKeepaliveTimeout").unwrap_or(KEEPALIVE_TIMEOUT),
            response_completion_timeout,
            target: Target::Dns,
            access_control,
            hides_missing: false,
        };
        (origin, written)
    }

    fn domain_name(&self, node: &Node, path: &str) {
        let Some(domain) = node.get("DomainName") else { return };
        let Some(written) = domain.as_text() else { return };
        let text = &*sample(written);
        // CloudFront takes a wildcard: CDK deploys one in an integration test. DNS knows it as a name.
        let text = text.strip_prefix("*.").unwrap_or(text);
        let advice = if text.contains("://") {
            "write the name alone, without http://; OriginProtocolPolicy says the scheme"
        } else if text.contains("#{") {
            "#{NAME} is the language of the plugin serverless-pseudo-parameters, which does not run; write !Sub with ${NAME}"
        } else if text.contains("${") {
            NOT_SUBSTITUTED
        } else if text.contains('/') {
            "write the name alone; a path belongs into OriginPath"
        } else if text.parse::<IpAddr>().is_ok() {
            "CloudFront takes no IP addresses; give a name, and --origin ID=URL for where to connect"
        } else if text.contains(':') {
            "write the name alone; a port belongs into HTTPPort or HTTPSPort"
        } else if text.is_empty()
            || text.starts_with(['.', '-'])
            || !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        {
            "give a DNS name such as www.example.com"
        } else {
            return;
        };
        let message = format!("{} is not a domain name", quote(written));
        let problem =
            Diagnostic::error(domain.place.clone(), format!("{path}.DomainName"), message)
                .help(advice);
        self.problems.add(problem);
    }

    fn origin_kind(&self, node: &Node, path: &str) -> OriginKind {
        let configs: Vec<_> = ["CustomOriginConfig", "S3OriginConfig", "VpcOriginConfig"]
            .iter()
            .filter_map(|name| node.entry(name))
            .collect();
        let domain = &*sample(node.text_at("DomainName").unwrap_or_default());
        match configs.as_slice() {
            [only] if only.key == "S3OriginConfig" => {
                // What is no name at all was reported as that.
                if is_name(domain) && !is_s3_name(domain) {
                    let problem = Diagnostic::error(
                        node.get("DomainName").map_or(&node.place, |domain| &domain.place).clone(),
                        format!("{path}.DomainName"),
                        format!("{} is not the name of an S3 bucket, but the origin has an S3OriginConfig", quote(domain)),
                    )
                    .help("a bucket is called name.s3.region.amazonaws.com; any other server takes CustomOriginConfig");
                    self.problems.add(problem);
                }
                OriginKind::S3
            }
            [only] if only.key == "VpcOriginConfig" => OriginKind::Custom {
                http_port: 80,
                https_port: 443,
                protocol_policy: OriginProtocolPolicy::MatchViewer,
            },
            [only] => self.custom_origin(&only.value, &format!("{path}.CustomOriginConfig")),
            found => {
                // A missing config beside a misspelt one or an unknown origin says nothing new.
                if node.as_map().is_some() {
                    let names: Vec<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
                    let message = if names.is_empty() {
                        "an origin needs S3OriginConfig (a bucket) or CustomOriginConfig (any other server)".to_owned()
                    } else {
                        format!("an origin takes one of these, found {}", names.join(" and "))
                    };
                    self.error(&node.place, path, message);
                }
                OriginKind::S3
            }
        }
    }

    fn custom_origin(&self, config: &Node, path: &str) -> OriginKind {
        let port = |name: &str, default: u16| {
            let Some(port) = config.number_at::<u16>(name) else { return default };
            if !matches!(port, 80 | 443 | 1024..)
                && let Some(value) = config.get(name)
            {
                let message =
                    format!("CloudFront connects to 80, 443 and 1024-65535, found {port}");
                self.error(&value.place, format!("{path}.{name}"), message);
            }
            port
        };
        OriginKind::Custom {
            http_port: port("HTTPPort", 80),
            https_port: port("HTTPSPort", 443),
            protocol_policy: match config.text_at("OriginProtocolPolicy") {
                Some("http-only") => OriginProtocolPolicy::HttpOnly,
                Some("https-only") => OriginProtocolPolicy::HttpsOnly,
                _ => OriginProtocolPolicy::MatchViewer,
            },
        }
    }

    fn origin_shield(&self, node: &Node, path: &str) {
        if let Some(entry) = node.entry("OriginShield") {
            let status = match entry.value.bool_at("Enabled") {
                Some(false) => Status::Effective,
                _ => Status::Inert("there is no second cache layer here".to_owned()),
            };
            self.ledger.note(&entry.place, &format!("{path}.OriginShield"), status);
        }
    }

    fn origin_path(&self, node: &Node, path: &str) -> String {
        let Some(value) = node.get("OriginPath") else { return String::new() };
        let text = value.as_text().unwrap_or_default();
        let sample = &*sample(text);
        let is_path = text.is_empty() || (text.starts_with('/') && !text.ends_with('/'));
        let is_clean = sample.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'));
        if !is_path || !is_clean {
            let message = format!(
                "{} must begin with a slash and not end with one, as /api does",
                quote(text)
            );
            self.error(&value.place, format!("{path}.OriginPath"), message);
        }
        text.to_owned()
    }

    fn custom_headers(&self, node: &Node, path: &str) -> Vec<(HeaderName, HeaderValue)> {
        let items = node.items_at("OriginCustomHeaders");
        let path = format!("{path}.OriginCustomHeaders");
        if items.len() > MAX_CUSTOM_HEADERS {
            let message = format!(
                "at most {MAX_CUSTOM_HEADERS} custom headers are allowed, found {}",
                items.len()
            );
            self.error(&items[MAX_CUSTOM_HEADERS].place, &path, message);
        }
        let mut headers = Vec::with_capacity(items.len());
        let mut chars = 0;
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let (Some(name), Some(value)) = (item.get("HeaderName"), item.get("HeaderValue"))
            else {
                continue;
            };
            let (Some(name_text), Some(value_text)) = (name.as_text(), value.as_text()) else {
                continue;
            };
            chars += name_text.len() + value_text.len();
            let parsed = match HeaderName::from_bytes(name_text.as_bytes()) {
                Ok(parsed) if is_forbidden(parsed.as_str()) => {
                    let message =
                        format!("CloudFront does not let an origin header be called {name_text}");
                    self.error(&name.place, format!("{path}.HeaderName"), message);
                    continue;
                }
                Ok(parsed) => parsed,
                Err(_) => {
                    let message = format!("{} is not a header name", quote(name_text));
                    self.error(&name.place, format!("{path}.HeaderName"), message);
                    continue;
                }
            };
            match HeaderValue::from_str(value_text) {
                Ok(value) => headers.push((parsed, value)),
                Err(_) => {
                    let message = "a header value is printable ASCII on one line";
                    self.error(&value.place, format!("{path}.HeaderValue"), message);
                }
            }
        }
        if chars > MAX_CUSTOM_HEADER_CHARS {
            let message = format!(
                "all custom headers together have {chars} characters; {MAX_CUSTOM_HEADER_CHARS} are allowed"
            );
            self.error(&node.place, &path, message);
        }
        headers
    }
}

fn is_name(domain: &str) -> bool {
    !domain.is_empty() && !domain.contains(['/', ':', '$', '{'])
}

/// `text` with every `{{parameter}}` of a tenant filled in by something that fits.
pub(super) fn sample(text: &str) -> Cow<'_, str> {
    if !text.contains("{{") {
        return Cow::Borrowed(text);
    }
    let filled = super::tenant::filled_in(text, |_| Some("parameter"));
    Cow::Owned(filled.unwrap_or_else(|_| text.to_owned()))
}

/// Whether a host name belongs to an S3 bucket's REST endpoint.
pub(super) fn is_s3_name(domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    if !is_name(&domain) {
        return false;
    }
    let Some(rest) =
        domain.strip_suffix(".amazonaws.com").or_else(|| domain.strip_suffix(".amazonaws.com.cn"))
    else {
        return false;
    };
    rest.ends_with(".s3")
        || rest.contains(".s3.")
        || (rest.contains(".s3-") && !rest.contains(".s3-website"))
}

/// Names that an origin custom header may not have (cloudfront.md §4.2).
fn is_forbidden(name: &str) -> bool {
    name.starts_with("x-amz-") || name.starts_with("x-edge-") || FORBIDDEN.contains(&name)
}

pub(super) const NOT_SUBSTITUTED: &str = "${NAME} is replaced inside !Sub, and ${self:…} in a serverless.yml; here it stays as it stands";

const FORBIDDEN: [&str; 23] = [
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "request-range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_bucket_is_told_from_other_names() {
        for (name, is_bucket) in [
            ("site.s3.amazonaws.com", true),
            ("site.s3.eu-central-1.amazonaws.com", true),
            ("site.s3-eu-west-1.amazonaws.com", true),
            ("my.dotted.site.S3.us-east-1.amazonaws.com", true),
            ("site.s3.dualstack.us-east-1.amazonaws.com", true),
            ("site.s3.cn-north-1.amazonaws.com.cn", true),
            ("site.s3-website-us-east-1.amazonaws.com", false),
            ("api.execute-api.us-east-1.amazonaws.com", false),
            ("www.example.com", false),
            ("${bucket}.s3.amazonaws.com", false),
        ] {
            assert_eq!(is_s3_name(name), is_bucket, "{name}");
        }
    }
}
