//! `AWS::CloudFront::OriginRequestPolicy`.

use warmfront_core::policy::{HeaderSelection, OriginRequestPolicy, PolicyKind};

use super::{Compiler, schema};
use crate::template::Resource;
use crate::written;

impl Compiler<'_> {
    pub(super) fn origin_request_policy(&self, resource: &Resource) -> Option<OriginRequestPolicy> {
        let path = format!("{}.Properties", resource.path);
        let properties = self.object(
            &resource.properties,
            &resource.place,
            schema::ORIGIN_REQUEST_POLICY,
            &path,
        );
        let config = properties.get("OriginRequestPolicyConfig")?;
        config.as_map()?;
        let path = format!("{path}.OriginRequestPolicyConfig");
        self.policy_name(config, &path);
        let name = config.text_at("Name").unwrap_or_default().to_owned();
        self.ledger.written(&written::policy(PolicyKind::OriginRequest, &name), config);
        let names = self.listed_names(config, "HeadersConfig", "HeaderBehavior", "Headers", &path);
        let headers_path = format!("{path}.HeadersConfig.Headers");
        let headers = self.header_names(&names, &headers_path);
        let headers = match config.get("HeadersConfig").and_then(|it| it.text_at("HeaderBehavior"))
        {
            Some("whitelist") => HeaderSelection::Only(headers),
            Some("allViewer") => HeaderSelection::AllViewer,
            Some("allExcept") => HeaderSelection::AllExcept(headers),
            Some("allViewerAndWhitelistCloudFront") => {
                for (index, name) in names.iter().enumerate() {
                    let text = name.as_text().unwrap_or_default().to_ascii_lowercase();
                    if !text.is_empty() && !text.starts_with("cloudfront-") {
                        let message = "only headers that CloudFront makes (CloudFront-…) are listed here; the viewer's are all in";
                        self.error(&name.place, format!("{headers_path}[{index}]"), message);
                    }
                }
                HeaderSelection::AllViewerAnd(headers)
            }
            _ => HeaderSelection::None,
        };
        Some(OriginRequestPolicy {
            name,
            headers,
            cookies: self.selection(config, "CookiesConfig", "CookieBehavior", "Cookies", &path),
            query_strings: self.selection(
                config,
                "QueryStringsConfig",
                "QueryStringBehavior",
                "QueryStrings",
                &path,
            ),
        })
    }
}
