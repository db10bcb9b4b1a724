//! The schema as a list of paths: what the compatibility table must have a line for.

use super::schema;
use super::shape::{Kind, Property, Role};
use super::{access_control, deployment, tenant};

/// One property that is known, of one resource type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProperty {
    /// `AWS::CloudFront::Distribution`
    pub resource: &'static str,
    /// `DistributionConfig.Origins[].DomainName`: `[]` stands for any item of a list.
    pub path: String,
    /// Whether the honesty report says what becomes of it. Comments, tags, counts and spellings that AWS
    /// has given up are not told.
    pub is_told: bool,
}

/// Every property that the schema knows, in its order, but for maps that are told part by part.
pub fn known_properties() -> Vec<KnownProperty> {
    let tables: [(&'static str, &[Property]); 12] = [
        ("AWS::CloudFront::Distribution", schema::DISTRIBUTION),
        ("AWS::CloudFront::CachePolicy", schema::CACHE_POLICY),
        ("AWS::CloudFront::OriginRequestPolicy", schema::ORIGIN_REQUEST_POLICY),
        ("AWS::CloudFront::ResponseHeadersPolicy", schema::RESPONSE_HEADERS_POLICY),
        ("AWS::CloudFront::OriginAccessControl", access_control::ORIGIN_ACCESS_CONTROL),
        ("AWS::CloudFront::KeyGroup", schema::KEY_GROUP),
        ("AWS::CloudFront::PublicKey", schema::PUBLIC_KEY),
        ("AWS::CloudFront::ContinuousDeploymentPolicy", deployment::CONTINUOUS_DEPLOYMENT_POLICY),
        ("AWS::CloudFront::DistributionTenant", tenant::DISTRIBUTION_TENANT),
        ("AWS::CloudFront::ConnectionGroup", tenant::CONNECTION_GROUP),
        ("AWS::CloudFront::RealtimeLogConfig", schema::REAL_TIME_LOG),
        ("AWS::Lambda::Function", schema::FUNCTION),
    ];
    let mut known = Vec::new();
    for (resource, table) in tables {
        list(resource, "", table, &mut known);
    }
    known
}

fn list(
    resource: &'static str,
    path: &str,
    table: &'static [Property],
    known: &mut Vec<KnownProperty>,
) {
    for property in table {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{}", property.name);
        let is_told = matches!(
            property.role,
            Role::Effective | Role::Inert(_) | Role::Decided | Role::Harmless
        );
        if !matches!(property.role, Role::Parts) {
            known.push(KnownProperty { resource, path: path.clone(), is_told });
        }
        let (items, kind) = match &property.kind {
            Kind::List(item) => ("[]", *item),
            kind => ("", kind),
        };
        if let Kind::Object(parts) = kind {
            list(resource, &format!("{path}{items}"), parts, known);
        }
    }
}
