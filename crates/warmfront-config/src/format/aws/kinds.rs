//! The kinds of outputs, and the commands that print them.

/// What CloudFormation calls a distribution.
pub(super) const DISTRIBUTION: &str = "AWS::CloudFront::Distribution";

/// One kind of resource.
#[derive(Debug)]
pub(super) struct Kind {
    /// The key that `get-…` puts it under.
    pub(super) name: &'static str,
    /// The key of its configuration, alone in `get-…-config`.
    pub(super) config: &'static str,
    /// The key of `list-…`.
    pub(super) list: &'static str,
    /// CloudFormation's type.
    pub(super) resource: &'static str,
    /// The property that names one by its id.
    pub(super) named_by: &'static str,
    /// The command that prints one, up to its id.
    command: &'static str,
    /// In a sentence.
    pub(super) words: &'static str,
}

impl Kind {
    pub(super) fn command(&self, id: &str) -> String {
        format!("aws cloudfront {} {id}", self.command)
    }
}

const fn kind(
    [name, config, list]: [&'static str; 3],
    resource: &'static str,
    named_by: &'static str,
    command: &'static str,
    words: &'static str,
) -> Kind {
    Kind { name, config, list, resource, named_by, command, words }
}

pub(super) static KINDS: [Kind; 11] = [
    kind(
        ["Distribution", "DistributionConfig", "DistributionList"],
        DISTRIBUTION,
        "",
        "get-distribution --id",
        "distribution",
    ),
    kind(
        ["CachePolicy", "CachePolicyConfig", "CachePolicyList"],
        "AWS::CloudFront::CachePolicy",
        "CachePolicyId",
        "get-cache-policy --id",
        "cache policy",
    ),
    kind(
        ["OriginRequestPolicy", "OriginRequestPolicyConfig", "OriginRequestPolicyList"],
        "AWS::CloudFront::OriginRequestPolicy",
        "OriginRequestPolicyId",
        "get-origin-request-policy --id",
        "origin request policy",
    ),
    kind(
        ["ResponseHeadersPolicy", "ResponseHeadersPolicyConfig", "ResponseHeadersPolicyList"],
        "AWS::CloudFront::ResponseHeadersPolicy",
        "ResponseHeadersPolicyId",
        "get-response-headers-policy --id",
        "response headers policy",
    ),
    kind(
        ["OriginAccessControl", "OriginAccessControlConfig", "OriginAccessControlList"],
        "AWS::CloudFront::OriginAccessControl",
        "OriginAccessControlId",
        "get-origin-access-control --id",
        "origin access control",
    ),
    kind(
        [
            "CloudFrontOriginAccessIdentity",
            "CloudFrontOriginAccessIdentityConfig",
            "CloudFrontOriginAccessIdentityList",
        ],
        "AWS::CloudFront::CloudFrontOriginAccessIdentity",
        "OriginAccessIdentity",
        "get-cloud-front-origin-access-identity --id",
        "origin access identity",
    ),
    kind(
        ["PublicKey", "PublicKeyConfig", "PublicKeyList"],
        "AWS::CloudFront::PublicKey",
        "KeyGroupConfig.Items",
        "get-public-key --id",
        "public key",
    ),
    kind(
        ["KeyGroup", "KeyGroupConfig", "KeyGroupList"],
        "AWS::CloudFront::KeyGroup",
        "TrustedKeyGroups",
        "get-key-group --id",
        "key group",
    ),
    kind(
        [
            "ContinuousDeploymentPolicy",
            "ContinuousDeploymentPolicyConfig",
            "ContinuousDeploymentPolicyList",
        ],
        "AWS::CloudFront::ContinuousDeploymentPolicy",
        "ContinuousDeploymentPolicyId",
        "get-continuous-deployment-policy --id",
        "continuous deployment policy",
    ),
    kind(
        ["FunctionSummary", "", "FunctionList"],
        "AWS::CloudFront::Function",
        "FunctionARN",
        "describe-function --name",
        "function",
    ),
    kind(
        ["RealtimeLogConfig", "", "RealtimeLogConfigs"],
        "AWS::CloudFront::RealtimeLogConfig",
        "RealtimeLogConfigArn",
        "get-realtime-log-config --arn",
        "real-time log configuration",
    ),
];

/// Configurations that stand alone, told by keys that no other has together.
pub(super) const BARE: [(&str, &[&str]); 4] = [
    ("DistributionConfig", &["Origins", "DefaultCacheBehavior"]),
    ("CachePolicyConfig", &["Name", "ParametersInCacheKeyAndForwardedToOrigin"]),
    (
        "OriginRequestPolicyConfig",
        &["Name", "HeadersConfig", "CookiesConfig", "QueryStringsConfig"],
    ),
    ("PublicKeyConfig", &["Name", "EncodedKey", "CallerReference"]),
];

/// How to get what a source only names, for a diagnostic: the command that prints the resource of this
/// CloudFormation type, and how to give its output.
pub(crate) fn printed_by(resource: &str, id: &str) -> Option<String> {
    let kind = KINDS.iter().find(|kind| kind.resource == resource)?;
    // Only what can be an id is worth a command that can be pasted.
    let is_id = !id.is_empty()
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b':' | b'/'));
    let id = if is_id { id } else { "ID" };
    let file = kind.words.replace(' ', "-");
    Some(format!("{} > {file}.json, and pass it: --with {file}.json", kind.command(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted() {
        let command = printed_by("AWS::CloudFront::CachePolicy", "1a-2b").unwrap();
        assert_eq!(
            command,
            "aws cloudfront get-cache-policy --id 1a-2b > cache-policy.json, and pass it: --with cache-policy.json"
        );
        let quoted = printed_by("AWS::CloudFront::KeyGroup", "$(rm)").unwrap();
        assert!(quoted.starts_with("aws cloudfront get-key-group --id ID >"), "{quoted}");
        assert_eq!(printed_by("AWS::S3::Bucket", "x"), None);
    }
}
