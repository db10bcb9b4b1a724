//! `AWS::CloudFront::ResponseHeadersPolicy`: headers to remove and to add, as the core takes them.

use http::{HeaderName, HeaderValue, header};
use warmfront_core::policy::ResponseHeadersPolicy;
use warmfront_core::policy::response_headers::cors::{AllowHeader, AllowOrigin};
use warmfront_core::policy::response_headers::{Cors, ServerTiming, SetHeader, is_editable};

use super::{Compiler, schema};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, quote};
use crate::template::Resource;

/// CloudFront quota: custom headers of one policy.
const MAX_CUSTOM: usize = 10;
/// CloudFront quota: characters of all origins of one policy together.
const MAX_ORIGINS: usize = 1783;

/// What `ALL` stands for.
const ALL_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

impl Compiler<'_> {
    pub(super) fn response_headers_policy(
        &self,
        resource: &Resource,
    ) -> Option<ResponseHeadersPolicy> {
        let path = format!("{}.Properties", resource.path);
        let properties = self.object(
            &resource.properties,
            &resource.place,
            schema::RESPONSE_HEADERS_POLICY,
            &path,
        );
        let config = properties.get("ResponseHeadersPolicyConfig")?;
        config.as_map()?;
        let path = format!("{path}.ResponseHeadersPolicyConfig");
        self.policy_name(config, &path);
        let mut set = Vec::new();
        if let Some(security) = config.get("SecurityHeadersConfig") {
            self.security(security, &mut set, &format!("{path}.SecurityHeadersConfig"));
        }
        self.custom(config, &mut set, &format!("{path}.CustomHeadersConfig"));
        let cors = config.get("CorsConfig").filter(|cors| cors.as_map().is_some());
        Some(ResponseHeadersPolicy {
            name: config.text_at("Name").unwrap_or_default().to_owned(),
            remove: self.removed(config, &format!("{path}.RemoveHeadersConfig")),
            cors: cors.map(|cors| self.cors(cors, &format!("{path}.CorsConfig"))),
            set,
            server_timing: self.server_timing(config, &format!("{path}.ServerTimingHeadersConfig")),
        })
    }

    fn cors(&self, node: &Node, path: &str) -> Cors {
        let allow_credentials = node.bool_at("AccessControlAllowCredentials") == Some(true);
        let max_age = node.number_at::<u64>("AccessControlMaxAgeSec");
        Cors {
            allow_origins: self.allowed_origins(node, allow_credentials, path),
            allow_headers: self.allowed_headers(node, allow_credentials, path),
            allow_methods: self.methods(node, path),
            allow_credentials,
            expose_headers: self.exposed_headers(node, path),
            exposes_to_preflight_only: false,
            max_age: max_age.map(HeaderValue::from),
            origin_override: node.bool_at("OriginOverride") == Some(true),
        }
    }

    fn allowed_origins(&self, node: &Node, credentials: bool, path: &str) -> Vec<AllowOrigin> {
        let path = format!("{path}.AccessControlAllowOrigins");
        let items = self.some_items(node, "AccessControlAllowOrigins", &path);
        let texts = || items.iter().filter_map(Node::as_text);
        let length: usize = texts().map(|text| text.chars().count()).sum();
        if length > MAX_ORIGINS {
            let message =
                format!("the origins may have {MAX_ORIGINS} characters together, found {length}");
            self.error(&items[0].place, &path, message);
        }
        let mut origins = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(text) = item.as_text() else { continue };
            match AllowOrigin::parse(text) {
                Ok(origin) => {
                    if credentials && origin == AllowOrigin::Any {
                        let path = format!("{path}.Items[{index}]");
                        let message = "with AccessControlAllowCredentials: true every website may read \
                             what its visitors may, with their cookies";
                        let problem = Diagnostic::warning(item.place.clone(), path, message)
                            .help("list the origins that are meant");
                        self.problems.add(problem);
                    }
                    origins.push(origin);
                }
                Err(error) => {
                    let problem = Diagnostic::error(
                        item.place.clone(),
                        format!("{path}.Items[{index}]"),
                        format!("{} is not an origin: {error}", quote(text)),
                    )
                    .help("as https://www.example.org, *.example.org, http://example.org:* or *");
                    self.problems.add(problem);
                }
            }
        }
        origins
    }

    fn allowed_headers(&self, node: &Node, credentials: bool, path: &str) -> Vec<AllowHeader> {
        let path = format!("{path}.AccessControlAllowHeaders");
        let items = self.some_items(node, "AccessControlAllowHeaders", &path);
        let mut headers = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let Some(text) = item.as_text() else { continue };
            let path = format!("{path}.Items[{index}]");
            match AllowHeader::parse(text) {
                // What CloudFront's API answers, word for word in its meaning.
                Ok(_) if credentials && text.contains('*') => {
                    let message = "with AccessControlAllowCredentials: true no * is allowed here; list the names";
                    self.error(&item.place, path, message);
                }
                Ok(header) => headers.push(header),
                Err(error) => {
                    let message = format!("{} cannot be allowed: {error}", quote(text));
                    self.error(&item.place, path, message);
                }
            }
        }
        headers
    }

    fn methods(&self, node: &Node, path: &str) -> Option<HeaderValue> {
        let path = format!("{path}.AccessControlAllowMethods");
        let items = self.some_items(node, "AccessControlAllowMethods", &path);
        let mut methods: Vec<&str> = items.iter().filter_map(Node::as_text).collect();
        if methods.contains(&"ALL") {
            if methods.len() > 1 {
                self.error(
                    &items[0].place,
                    path,
                    "ALL stands for every method; nothing goes beside it",
                );
            }
            methods = ALL_METHODS.to_vec();
        }
        joined(&methods)
    }

    fn exposed_headers(&self, node: &Node, path: &str) -> Option<HeaderValue> {
        let path = format!("{path}.AccessControlExposeHeaders.Items");
        let exposed = node.get("AccessControlExposeHeaders")?;
        let mut names = Vec::new();
        for (index, item) in exposed.items_at("Items").iter().enumerate() {
            let Some(text) = item.as_text() else { continue };
            if text == "*" || HeaderName::from_bytes(text.as_bytes()).is_ok() {
                names.push(text);
            } else {
                let message = format!("{} is not a header name", quote(text));
                self.error(&item.place, format!("{path}[{index}]"), message);
            }
        }
        joined(&names)
    }

    /// `Items` of a list that must have some.
    fn some_items<'n>(&self, node: &'n Node, name: &str, path: &str) -> &'n [Node] {
        let Some(list) = node.get(name) else { return &[] };
        let items = list.items_at("Items");
        if items.is_empty() && list.get("Items").is_some_and(|items| !items.is_unknown()) {
            self.error(&list.place, format!("{path}.Items"), "at least one item is needed");
        }
        items
    }

    fn security(&self, node: &Node, set: &mut Vec<SetHeader>, path: &str) {
        let mut add = |part: &str, name: HeaderName, value: String| {
            let Some(entry) = node.entry(part) else { return };
            let overrides = entry.value.bool_at("Override") == Some(true);
            match HeaderValue::try_from(value) {
                Ok(value) => set.push(SetHeader { name, value, overrides }),
                Err(_) => {
                    let message =
                        format!("this cannot be sent as {name}: it has control characters");
                    self.error(&entry.value.place, format!("{path}.{part}"), message);
                }
            }
        };
        let text = |part: &str, name: &str| {
            node.get(part).and_then(|part| part.text_at(name)).unwrap_or_default().to_owned()
        };
        let same = "ContentSecurityPolicy";
        add(same, header::CONTENT_SECURITY_POLICY, text(same, same));
        add("ContentTypeOptions", header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned());
        add("FrameOptions", header::X_FRAME_OPTIONS, text("FrameOptions", "FrameOption"));
        let same = "ReferrerPolicy";
        add(same, header::REFERRER_POLICY, text(same, same));
        if let Some(transport) = node.get("StrictTransportSecurity") {
            let value = strict_transport_security(transport);
            add("StrictTransportSecurity", header::STRICT_TRANSPORT_SECURITY, value);
        }
        if let Some(protection) = node.get("XSSProtection") {
            let report = protection.set("ReportUri");
            if let (Some(entry), Some(true)) = (report, protection.bool_at("ModeBlock")) {
                let path = format!("{path}.XSSProtection.ReportUri");
                self.error(
                    &entry.place,
                    path,
                    "ModeBlock: true and a ReportUri exclude each other",
                );
            }
            add("XSSProtection", header::X_XSS_PROTECTION, xss_protection(protection));
        }
    }

    fn custom(&self, config: &Node, set: &mut Vec<SetHeader>, path: &str) {
        let Some(custom) = config.get("CustomHeadersConfig") else { return };
        let items = custom.items_at("Items");
        if let Some(eleventh) = items.get(MAX_CUSTOM) {
            let message =
                format!("at most {MAX_CUSTOM} custom headers are allowed, found {}", items.len());
            self.error(&eleventh.place, format!("{path}.Items[{MAX_CUSTOM}]"), message);
        }
        let first = set.len();
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}.Items[{index}]");
            let Some(name) = self.editable(item, "added", &path) else { continue };
            let place = &item.place;
            if SECURITY_HEADERS.contains(&name) {
                let message =
                    format!("{name} is set in SecurityHeadersConfig, not as a custom header");
                self.error(place, format!("{path}.Header"), message);
                continue;
            }
            if set[first..].iter().any(|earlier| earlier.name == name) {
                self.error(
                    place,
                    format!("{path}.Header"),
                    format!("{name} is here for the second time"),
                );
                continue;
            }
            let Some(value) = item.text_at("Value") else { continue };
            let Ok(value) = HeaderValue::from_str(value) else {
                let message = format!("{} cannot be a header's value", quote(value));
                self.error(place, format!("{path}.Value"), message);
                continue;
            };
            let overrides = item.bool_at("Override") == Some(true);
            set.push(SetHeader { name, value, overrides });
        }
    }

    fn removed(&self, config: &Node, path: &str) -> Vec<HeaderName> {
        let Some(removed) = config.get("RemoveHeadersConfig") else { return Vec::new() };
        let items = removed.items_at("Items").iter().enumerate();
        items
            .filter_map(|(at, item)| self.editable(item, "removed", &format!("{path}.Items[{at}]")))
            .collect()
    }

    /// The `Header` of an item, if CloudFront lets a policy touch it.
    fn editable(&self, item: &Node, what: &str, path: &str) -> Option<HeaderName> {
        let node = item.get("Header")?;
        let text = node.as_text()?;
        let path = format!("{path}.Header");
        let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
            self.error(&node.place, path, format!("{} is not a header name", quote(text)));
            return None;
        };
        if text.contains('*') {
            let message = format!(
                "{} is taken as it is, and no header is called so; list the names",
                quote(text)
            );
            self.error(&node.place, path, message);
            return None;
        }
        if !is_editable(text) {
            let message = format!(
                "{text} cannot be {what} by a policy: it frames the message or is CloudFront's own"
            );
            self.error(&node.place, path, message);
            return None;
        }
        Some(name)
    }

    fn server_timing(&self, config: &Node, path: &str) -> Option<ServerTiming> {
        let timing = config.get("ServerTimingHeadersConfig")?;
        let rate = match timing.get("SamplingRate") {
            None => 0,
            Some(node) => match parts_of_a_million(node.as_text()?) {
                Some(rate) => rate,
                None => {
                    let message = format!(
                        "SamplingRate is a percentage from 0 to 100 with at most four decimals, found {}",
                        node.describe()
                    );
                    self.error(&node.place, format!("{path}.SamplingRate"), message);
                    return None;
                }
            },
        };
        (timing.bool_at("Enabled") == Some(true)).then_some(ServerTiming { rate })
    }
}

/// CloudFront's API refuses these as custom headers, since they have settings of their own.
const SECURITY_HEADERS: [HeaderName; 6] = [
    header::CONTENT_SECURITY_POLICY,
    header::X_CONTENT_TYPE_OPTIONS,
    header::X_FRAME_OPTIONS,
    header::REFERRER_POLICY,
    header::STRICT_TRANSPORT_SECURITY,
    header::X_XSS_PROTECTION,
];

/// Texts that were checked, as a list in a header; `None` for none.
fn joined(texts: &[&str]) -> Option<HeaderValue> {
    if texts.is_empty() { None } else { HeaderValue::try_from(texts.join(", ")).ok() }
}

fn strict_transport_security(node: &Node) -> String {
    let seconds: u64 = node.number_at("AccessControlMaxAgeSec").unwrap_or_default();
    let mut value = format!("max-age={seconds}");
    if node.bool_at("IncludeSubdomains") == Some(true) {
        value.push_str("; includeSubDomains");
    }
    if node.bool_at("Preload") == Some(true) {
        value.push_str("; preload");
    }
    value
}

fn xss_protection(node: &Node) -> String {
    if node.bool_at("Protection") != Some(true) {
        return "0".to_owned();
    }
    if node.bool_at("ModeBlock") == Some(true) {
        return "1; mode=block".to_owned();
    }
    match node.text_at("ReportUri").filter(|uri| !uri.is_empty()) {
        Some(uri) => format!("1; report={uri}"),
        None => "1".to_owned(),
    }
}

/// A percentage with up to four decimals in ten-thousandths of a percent; further zeros are no harm.
fn parts_of_a_million(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 4 {
        return None;
    }
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 100)?;
    let parts: u32 = format!("{fraction:0<4}").parse().ok()?;
    Some(whole * 10_000 + parts).filter(|rate| *rate <= ServerTiming::OUTCOMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_four_decimals() {
        for (text, parts) in [
            ("0", Some(0)),
            ("100", Some(1_000_000)),
            ("100.0", Some(1_000_000)),
            ("50", Some(500_000)),
            ("0.0001", Some(1)),
            ("12.5", Some(125_000)),
            ("99.999900", Some(999_999)),
            ("100.0001", None),
            ("101", None),
            ("0.00001", None),
            ("-1", None),
            ("1e2", None),
            ("", None),
            (".5", None),
            ("99999999999", None),
        ] {
            assert_eq!(parts_of_a_million(text), parts, "{text}");
        }
    }
}
