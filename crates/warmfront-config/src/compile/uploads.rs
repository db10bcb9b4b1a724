//! Files that a deployment would have uploaded to S3 and that lie here: the code of functions, and
//! what the CDK copies into buckets.
//!
//! The CDK says where they are in the metadata of a resource or in the manifest of its assets.

use std::path::PathBuf;

use super::Compiler;
use crate::document::Node;
use crate::report::Status;
use crate::template::Resource;

/// The CDK's copying of an asset into a bucket.
const BUCKET_DEPLOYMENT: &str = "Custom::CDKBucketDeployment";

impl Compiler<'_> {
    /// The directory or archive behind a `Code` with `S3Bucket` and `S3Key`.
    pub(super) fn uploaded_code(&self, resource: &Resource, code: &Node) -> Option<PathBuf> {
        let named = resource.known.asset.as_ref().map(|path| self.directory.join(path));
        let by_key = code.text_at("S3Key").and_then(|key| self.uploaded(key));
        named.filter(|path| path.exists()).or(by_key)
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
                    "nothing is copied; a bucket's origin reads the directory it would be copied from"
                }
                _ if kind.starts_with("Custom::CrossRegion") => {
                    "does not run; its values are taken from the stacks that are here"
                }
                "AWS::CloudFormation::Stack" => {
                    "nested stacks are not read; give the nested template as a source of its own"
                }
                _ => "custom resources do not run here",
            };
            if (is_custom || kind == "AWS::CloudFormation::Stack")
                && self.evaluator.is_created(resource)
            {
                let status = Status::Inert(reason.to_owned());
                self.ledger.note(&resource.place, &resource.path, status);
            }
        }
    }

    /// The file or directory that would be uploaded under this key.
    fn uploaded(&self, key: &str) -> Option<PathBuf> {
        self.assets.get(key).filter(|path| path.exists()).cloned()
    }
}
