//! Files that a deployment would have uploaded to S3 and that lie here: the code of functions, and
//! what the CDK copies into buckets.
//!
//! The CDK says where they are in the metadata of a resource or in the manifest of its assets.

use std::path::PathBuf;

use super::Compiler;
use crate::document::Node;
use crate::format::cdk::{NESTED, nested_name};
use crate::report::Status;
use crate::template::Resource;

/// The CDK's copying of an asset into a bucket.
const BUCKET_DEPLOYMENT: &str = "Custom::CDKBucketDeployment";

impl Compiler<'_> {
    /// The directory behind a `Code` with `S3Bucket` and `S3Key`. An archive counts when it lies
    /// unpacked beside itself; `serverless package` packs what its service directory has.
    pub(super) fn uploaded_code(&self, resource: &Resource, code: &Node) -> Option<PathBuf> {
        code.get("S3Key")?;
        let Some(found) = self.upload(resource, code) else {
            return self.service_directory(resource);
        };
        if found.is_dir() {
            return Some(found);
        }
        let unpacked = Some(found.with_extension("")).filter(|path| path.is_dir());
        unpacked.or_else(|| self.service_directory(resource))
    }

    /// What to do where only the archive is here.
    pub(super) fn unpack_help(&self, resource: &Resource, code: &Node) -> Option<String> {
        let archive = self.upload(resource, code).filter(|path| path.is_file())?;
        let to = archive.with_extension("");
        Some(format!(
            "archives are not run; unpack it: unzip -d {} {}",
            to.display(),
            archive.display()
        ))
    }

    fn upload(&self, resource: &Resource, code: &Node) -> Option<PathBuf> {
        let named = resource.known.asset.as_ref().map(|path| self.directory.join(path));
        let key = code.text_at("S3Key");
        let by_key = key.and_then(|key| self.uploaded(key));
        // `serverless/shop/dev/1767225600-…/hello.zip`
        let beside = key.and_then(|key| key.rsplit('/').next()).filter(|name| !name.is_empty());
        let beside = beside.map(|name| self.directory.join(name)).filter(|path| path.is_file());
        named.filter(|path| path.exists()).or(by_key).or(beside)
    }

    /// The directory of the service that a template in `.serverless` was packaged from, if the handler
    /// lies there; a bundler's output does not.
    fn service_directory(&self, resource: &Resource) -> Option<PathBuf> {
        if self.directory.file_name()? != ".serverless" {
            return None;
        }
        let service = match self.directory.parent()? {
            here if here == std::path::Path::new("") => PathBuf::from("."),
            parent => parent.to_owned(),
        };
        let (stem, _) = resource.property("Handler")?.as_text()?.rsplit_once('.')?;
        let is_handler = |ending: &&str| service.join(format!("{stem}{ending}")).is_file();
        [".js", ".mjs", ".cjs", ".py"].iter().any(is_handler).then_some(service)
    }

    /// The directory that a deployment copies into this bucket, when it is all that the bucket gets.
    pub(super) fn deployed_into(&self, bucket: &Resource, all: &[Compiler<'_>]) -> Option<PathBuf> {
        let bucket = self.evaluator.physical_id(bucket)?;
        let mut directories = all.iter().flat_map(|compiler| {
            let deployments = compiler.created(BUCKET_DEPLOYMENT).into_iter();
            deployments.filter_map(|resource| compiler.deployment(resource, &bucket))
        });
        let only = directories.next()?;
        // Two of them are laid over each other in S3; one directory cannot stand for both.
        directories.next().is_none().then_some(only).flatten()
    }

    /// What a deployment copies into `bucket`: `Some(None)` for more than one directory at its root.
    fn deployment(&self, resource: &Resource, bucket: &str) -> Option<Option<PathBuf>> {
        let value = |name: &str| {
            let node = resource.property(name)?;
            Some(self.evaluator.evaluate_leniently(node, &resource.property_path(name)))
        };
        if value("DestinationBucketName")?.as_text() != Some(bucket) {
            return None;
        }
        if value("DestinationBucketKeyPrefix").is_some_and(|it| it.as_text() != Some("")) {
            return Some(None);
        }
        let keys = value("SourceObjectKeys")?;
        let [only] = keys.as_list()? else { return Some(None) };
        let directory = only.as_text().and_then(|key| self.uploaded(key));
        Some(directory.filter(|path| path.is_dir()))
    }

    /// Custom resources run code of their own when a stack is deployed: each is listed.
    pub(super) fn note_custom_resources(&self) {
        for resource in &self.evaluator.template.resources {
            let kind = resource.kind.as_str();
            let is_custom =
                kind.starts_with("Custom::") || kind == "AWS::CloudFormation::CustomResource";
            let reason = match kind {
                BUCKET_DEPLOYMENT => {
                    "nothing is copied; the origin of a bucket that gets one whole directory reads that directory"
                }
                _ if kind.starts_with("Custom::CrossRegion") => {
                    "does not run; its values are taken from the stacks that are here"
                }
                NESTED if self.nests(resource) => continue,
                NESTED => {
                    "it is not read: only those of a CDK assembly are; give its template as a source of its own"
                }
                _ => "custom resources do not run here",
            };
            if (is_custom || kind == NESTED) && self.evaluator.is_created(resource) {
                let status = Status::Inert(reason.to_owned());
                self.ledger.note(&resource.place, &resource.path, status);
            }
        }
    }

    /// Whether the stack that this resource nests is here.
    fn nests(&self, resource: &Resource) -> bool {
        let name = nested_name(&self.evaluator.names.stack, &resource.id);
        self.stacks.iter().any(|(stack, _)| stack.names.stack == name)
    }

    /// The file or directory that would be uploaded under this key.
    fn uploaded(&self, key: &str) -> Option<PathBuf> {
        self.assets.get(key).filter(|path| path.exists()).cloned()
    }
}
