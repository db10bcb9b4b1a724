//! `Ref` and `Fn::GetAtt`: the names that a deployed resource would have.

use super::dangling::made_elsewhere;
use super::{Evaluator, Offer};
use crate::diagnostic::Diagnostic;
use crate::document::{Node, Value, quote};
use crate::format::cdk::{NESTED, nested_name};
use crate::format::sam;
use crate::suggest::did_you_mean;
use crate::template::Resource;

impl Evaluator<'_> {
    pub(super) fn reference(&self, argument: &Node, node: &Node, path: &str) -> Node {
        match &argument.value {
            Value::Text { text, .. } => self.named(text, node, path),
            Value::Unknown => self.unknown(&node.place),
            _ => self.fail(
                argument,
                path,
                format!("Ref takes a name, found {}", argument.describe()),
            ),
        }
    }

    /// What `Ref` gives for a name.
    pub(super) fn named(&self, name: &str, at: &Node, path: &str) -> Node {
        if let Some(value) = self.pseudo_parameter(name, at) {
            return value;
        }
        if let Some(parameter) = self.template.parameter(name) {
            return self.parameter(parameter, at);
        }
        if let Some(value) = self.given_attribute(name, "Ref") {
            return Node::text(value, at.place.clone());
        }
        match self.existing(name, at, path) {
            Some(resource) => self.text_or_unknown(self.physical_id(resource), at),
            None => self.unknown(&at.place),
        }
    }

    pub(super) fn get_att(&self, argument: &Node, node: &Node, path: &str) -> Node {
        let dotted = match &argument.value {
            Value::Text { text, .. } => text.clone(),
            Value::List(parts) => {
                let parts: Option<Vec<String>> = parts
                    .iter()
                    .map(|part| self.text_of(part, path, "a part of Fn::GetAtt"))
                    .collect();
                match parts {
                    Some(parts) => parts.join("."),
                    None => return self.unknown(&node.place),
                }
            }
            Value::Unknown => return self.unknown(&node.place),
            _ => String::new(),
        };
        match dotted.split_once('.') {
            Some((logical_id, attribute)) => self.attribute(logical_id, attribute, node, path),
            None => self.fail(
                argument,
                path,
                "Fn::GetAtt takes LogicalId.Attribute, or a list of the two",
            ),
        }
    }

    /// What `Fn::GetAtt` gives.
    pub(super) fn attribute(
        &self,
        logical_id: &str,
        attribute: &str,
        at: &Node,
        path: &str,
    ) -> Node {
        if let Some(value) = self.given_attribute(logical_id, attribute) {
            return Node::text(value, at.place.clone());
        }
        let Some(resource) = self.existing(logical_id, at, path) else {
            return self.unknown(&at.place);
        };
        match self.known_attribute(resource, attribute) {
            Attribute::Is(value) => self.text_or_unknown(value, at),
            Attribute::OnlyAws => {
                let message =
                    format!("only AWS knows {logical_id}.{attribute} ({})", resource.kind);
                let is_carried = resource.kind.starts_with("Custom::CrossRegion");
                let help = format!(
                    "{}pass --attribute {logical_id}.{attribute}=VALUE{}",
                    if is_carried {
                        "a stack of another region has it: give the whole cdk.out with that stack, or "
                    } else {
                        ""
                    },
                    if path.contains("Origins[") && path.contains(".DomainName") {
                        format!(", or where it is: --origin {logical_id}=http://localhost:PORT")
                    } else {
                        String::new()
                    }
                );
                self.only_aws(at, path, message, &help)
            }
            Attribute::Wrong(known) => {
                let message = format!(
                    "{} has no attribute {}.{}",
                    resource.kind,
                    quote(attribute),
                    did_you_mean(attribute, known.iter().copied())
                );
                self.fail(at, path, message)
            }
        }
    }

    /// Everything that `Ref` knows.
    pub(super) fn known_names(&self) -> impl Iterator<Item = &str> {
        let parameters = self.template.parameters.iter().map(|entry| entry.key.as_str());
        let resources = self.template.resources.iter().map(|resource| resource.id.as_str());
        parameters.chain(resources).chain(PSEUDO_PARAMETERS)
    }

    /// Whether `Ref` knows this name.
    pub(super) fn is_name(&self, name: &str) -> bool {
        self.template.parameter(name).is_some()
            || self.template.resource(name).is_some()
            || PSEUDO_PARAMETERS.contains(&name)
            || self.given_attribute(name, "Ref").is_some()
    }

    /// The name a resource is deployed under: what `Ref` gives for it. `None` when it was reported.
    pub(crate) fn physical_id(&self, resource: &Resource) -> Option<String> {
        let names = self.names;
        let id = resource.id.as_str();
        if let Some(real) = &resource.known.id {
            return Some(names.owned(real.clone(), id));
        }
        let name = match resource.kind.as_str() {
            "AWS::CloudFront::Distribution" => names.distribution_id(id),
            "AWS::CloudFront::Function" => {
                let name = self.own_name(resource, "Name")?;
                names.arn("cloudfront", "", &format!("function/{name}"))
            }
            "AWS::CloudFront::KeyValueStore" => self.own_name(resource, "Name")?,
            "AWS::CloudFront::OriginAccessControl"
            | "AWS::CloudFront::CloudFrontOriginAccessIdentity" => names.lettered('E', id),
            "AWS::CloudFront::PublicKey" => names.lettered('K', id),
            "AWS::CloudFront::RealtimeLogConfig" => {
                let name = self.own_name(resource, "Name")?;
                names.arn("cloudfront", "", &format!("realtime-log-config/{name}"))
            }
            "AWS::CloudFront::DistributionTenant" => names.tenant_id(id),
            kind if kind.starts_with("AWS::CloudFront::") => names.uuid(id),
            "AWS::S3::Bucket" => self.own_name(resource, "BucketName")?.to_ascii_lowercase(),
            "AWS::Lambda::Function" => self.own_name(resource, "FunctionName")?,
            sam::VERSION => {
                let function = id.split('.').next().unwrap_or_default();
                let name = self.physical_id(self.template.resource(function)?)?;
                let arn = names.arn("lambda", &names.region, &format!("function:{name}:1"));
                return Some(names.owned(arn, function));
            }
            "AWS::Lambda::Version" => {
                let arn = self.versioned_arn(resource)?;
                // A version is a function, frozen: who refers to it means the function.
                let owner = names.owner(arn.rsplit_once(':').map_or(&*arn, |(plain, _)| plain));
                return Some(names.owned(arn, owner.as_deref().unwrap_or(id)));
            }
            "AWS::Lambda::Alias" => {
                let name = self.own_name(resource, "Name")?;
                let function = self.own_name(resource, "FunctionName")?;
                let function = function.rsplit(':').next().unwrap_or_default();
                names.arn("lambda", &names.region, &format!("function:{function}:{name}"))
            }
            "AWS::Lambda::Url" => self.function_arn(resource)?,
            "AWS::ApiGatewayV2::Api" | "AWS::ApiGateway::RestApi" => names.api_id(id),
            "AWS::ApiGatewayV2::Integration" | "AWS::ApiGatewayV2::Route" => {
                id.to_ascii_lowercase()
            }
            sam::STAGE => self.own_name(resource, "StageName")?,
            "AWS::ApiGatewayV2::Stage" | "AWS::ApiGateway::Stage" => {
                self.own_name(resource, "StageName")?
            }
            "AWS::CertificateManager::Certificate" => {
                names.arn("acm", &names.region, &format!("certificate/{}", names.uuid(id)))
            }
            _ => names.generated(id),
        };
        Some(names.owned(name, id))
    }

    /// The host name of a distribution: `d….cloudfront.net`.
    pub(crate) fn distribution_domain(&self, resource: &Resource) -> String {
        let real = resource.known.domain_name.clone();
        real.unwrap_or_else(|| self.names.distribution_domain(&resource.id))
    }

    /// What the CDK's readers bring from a stack in another region, when that stack is here.
    fn carried_from_another_region(&self, resource: &Resource, attribute: &str) -> Option<String> {
        match resource.kind.as_str() {
            "Custom::CrossRegionExportReader" => self.exports.get(Offer::CrossRegion, attribute),
            "Custom::CrossRegionStringParameterReader" => {
                let path = resource.property_path("ParameterName");
                let name = self.evaluate_leniently(resource.property("ParameterName")?, &path);
                self.exports.get(Offer::SsmParameter, name.as_text()?)
            }
            _ => None,
        }
    }

    fn known_attribute(&self, resource: &Resource, attribute: &str) -> Attribute {
        use Attribute::{Is, OnlyAws, Wrong};
        let names = self.names;
        let id = resource.id.as_str();
        let owned = |name: String| Is(Some(names.owned(name, id)));
        match (resource.kind.as_str(), attribute) {
            ("AWS::CloudFront::Distribution", "Id") => Is(self.physical_id(resource)),
            ("AWS::CloudFront::Distribution", "DomainName") => {
                owned(self.distribution_domain(resource))
            }
            ("AWS::CloudFront::Distribution", _) => Wrong(&["Id", "DomainName"]),
            ("AWS::CloudFront::Function", "FunctionARN" | "FunctionMetadata.FunctionARN") => {
                Is(self.physical_id(resource))
            }
            ("AWS::CloudFront::Function", "Stage") => Is(Some("LIVE".to_owned())),
            ("AWS::CloudFront::Function", _) => {
                Wrong(&["FunctionARN", "FunctionMetadata.FunctionARN", "Stage"])
            }
            ("AWS::CloudFront::KeyValueStore", "Arn") => {
                owned(names.arn("cloudfront", "", &format!("key-value-store/{}", names.uuid(id))))
            }
            ("AWS::CloudFront::KeyValueStore", "Id") => owned(names.uuid(id)),
            ("AWS::CloudFront::KeyValueStore", "Status") => Is(Some("READY".to_owned())),
            ("AWS::CloudFront::KeyValueStore", _) => Wrong(&["Arn", "Id", "Status"]),
            ("AWS::CloudFront::RealtimeLogConfig", "Arn") => Is(self.physical_id(resource)),
            ("AWS::CloudFront::RealtimeLogConfig", _) => Wrong(&["Arn"]),
            ("AWS::CloudFront::CloudFrontOriginAccessIdentity", "S3CanonicalUserId") => {
                Is(Some(format!("{0}{0}", names.uuid(id).replace('-', ""))))
            }
            ("AWS::CloudFront::ConnectionGroup", "RoutingEndpoint") => {
                Is(Some(names.distribution_domain(id)))
            }
            (kind, "Id") if kind.starts_with("AWS::CloudFront::") => Is(self.physical_id(resource)),
            (
                "AWS::CloudFront::CachePolicy"
                | "AWS::CloudFront::OriginRequestPolicy"
                | "AWS::CloudFront::ResponseHeadersPolicy",
                attribute,
            ) if attribute != "LastModifiedTime" => Wrong(&["Id", "LastModifiedTime"]),
            ("AWS::S3::Bucket", _) => {
                let Some(bucket) = self.physical_id(resource) else { return Is(None) };
                let region = &names.region;
                match attribute {
                    "Arn" => owned(format!("arn:aws:s3:::{bucket}")),
                    "DomainName" => owned(format!("{bucket}.s3.amazonaws.com")),
                    "RegionalDomainName" => owned(format!("{bucket}.s3.{region}.amazonaws.com")),
                    "DualStackDomainName" => {
                        owned(format!("{bucket}.s3.dualstack.{region}.amazonaws.com"))
                    }
                    "WebsiteURL" => {
                        let host = format!("{bucket}.s3-website-{region}.amazonaws.com");
                        Is(Some(format!("http://{}", names.owned(host, id))))
                    }
                    _ => Wrong(&[
                        "Arn",
                        "DomainName",
                        "RegionalDomainName",
                        "DualStackDomainName",
                        "WebsiteURL",
                    ]),
                }
            }
            ("AWS::Lambda::Function", "Version.FunctionArn" | "Alias.FunctionArn")
                if self.template.is_sam =>
            {
                let version = self.template.resource(&format!("{id}.Version"));
                Is(version.and_then(|version| self.physical_id(version)))
            }
            ("AWS::Lambda::Function", "Arn") => {
                let Some(name) = self.physical_id(resource) else { return Is(None) };
                owned(names.arn("lambda", &names.region, &format!("function:{name}")))
            }
            ("AWS::Lambda::Version", "FunctionArn") => Is(self.physical_id(resource)),
            ("AWS::Lambda::Version", "Version") => Is(Some("1".to_owned())),
            ("AWS::Lambda::Url", "FunctionUrl") => {
                let host = names.owned(names.function_url_domain(id), id);
                Is(Some(format!("https://{host}/")))
            }
            ("AWS::Lambda::Url", "FunctionArn") => Is(self.function_arn(resource)),
            ("AWS::ApiGatewayV2::Api", "ApiEndpoint") => {
                let host = names.owned(names.api_domain(id), id);
                Is(Some(format!("https://{host}")))
            }
            ("AWS::ApiGatewayV2::Api", "ApiId") => Is(self.physical_id(resource)),
            ("AWS::ApiGatewayV2::Api", _) => Wrong(&["ApiEndpoint", "ApiId"]),
            ("AWS::ApiGateway::RestApi", "RestApiId") => Is(self.physical_id(resource)),
            ("AWS::ApiGateway::RestApi", "RootResourceId") => {
                owned(format!("{}-root", names.api_id(id)))
            }
            ("AWS::ApiGateway::Resource", "ResourceId")
            | ("AWS::ApiGateway::Deployment", "DeploymentId") => Is(self.physical_id(resource)),
            (kind, "Arn") => {
                let service = kind.split("::").nth(1).unwrap_or("custom").to_ascii_lowercase();
                owned(names.arn(&service, &names.region, &names.generated(id)))
            }
            (NESTED, _) => {
                let output = attribute.strip_prefix("Outputs.").unwrap_or(attribute);
                let name = format!("{}.{output}", nested_name(&names.stack, id));
                match self.exports.get(Offer::Output, &name) {
                    Some(value) => Is(Some(value)),
                    None => OnlyAws,
                }
            }
            (kind, _) if kind.starts_with("Custom::CrossRegion") => {
                match self.carried_from_another_region(resource, attribute) {
                    Some(value) => Is(Some(value)),
                    None => OnlyAws,
                }
            }
            // Where it is was said, so any name serves.
            _ if self.has_target(id) => {
                owned(format!("{}.{}.amazonaws.com", id.to_ascii_lowercase(), names.region))
            }
            _ => OnlyAws,
        }
    }

    /// A resource that exists: known, in no circle, and its condition holds.
    fn existing(&self, name: &str, at: &Node, path: &str) -> Option<&Resource> {
        let Some(resource) = self.template.resource(name) else {
            if !self.is_unreadable(name) {
                let meant = did_you_mean(name, self.known_names());
                let message = format!("nothing here is called {}.{meant}", quote(name));
                let problem = Diagnostic::error(at.place.clone(), path, message);
                self.problems.add(problem.maybe_help(made_elsewhere(name).map(str::to_owned)));
            }
            return None;
        };
        if self.circular.borrow().contains(name) {
            return None;
        }
        if self.is_created(resource) {
            return Some(resource);
        }
        let condition = resource.condition.as_ref().and_then(Node::as_text).unwrap_or_default();
        self.fail(at, path, format!("{name} is not created: its condition {condition} is false"));
        None
    }

    /// A property that holds the name of the resource, or the name CloudFormation would make.
    fn own_name(&self, resource: &Resource, property: &str) -> Option<String> {
        match resource.property(property) {
            Some(node) => self.text_of(node, &resource.property_path(property), property),
            None if resource.kind == "AWS::S3::Bucket" => {
                Some(self.names.generated_label(&resource.id))
            }
            None => Some(self.names.generated(&resource.id)),
        }
    }

    fn versioned_arn(&self, resource: &Resource) -> Option<String> {
        let arn = self.function_arn(resource)?;
        Some(format!("{arn}:1"))
    }

    /// The ARN of the function that a version or URL belongs to, named by name or ARN.
    fn function_arn(&self, resource: &Resource) -> Option<String> {
        let property =
            if resource.kind == "AWS::Lambda::Url" { "TargetFunctionArn" } else { "FunctionName" };
        let function = self.own_name(resource, property)?;
        if function.starts_with("arn:") {
            return Some(function);
        }
        let owner = self.names.owner(&function);
        let arn = self.names.arn("lambda", &self.names.region, &format!("function:{function}"));
        Some(match owner {
            Some(owner) => self.names.owned(arn, &owner),
            None => arn,
        })
    }

    fn has_target(&self, logical_id: &str) -> bool {
        self.options.origins.iter().any(|(key, _)| key == logical_id)
    }

    fn text_or_unknown(&self, text: Option<String>, at: &Node) -> Node {
        match text {
            Some(text) => Node::text(text, at.place.clone()),
            None => self.unknown(&at.place),
        }
    }
}

enum Attribute {
    /// Its value; `None` when that could not be told, which was reported.
    Is(Option<String>),
    OnlyAws,
    /// The type has no such attribute, but these.
    Wrong(&'static [&'static str]),
}

const PSEUDO_PARAMETERS: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];
