//! Files that a deployment would have uploaded to S3 and that lie here: the code of functions, and
//! what the CDK copies into buckets.
//!
//! The CDK says where they are in the metadata of a resource or in the manifest of its assets.

use std::path::PathBuf;

use super::Compiler;
use crate::document::Node;
use crate::template::Resource;

impl Compiler<'_> {
    /// The directory or archive behind a `Code` with `S3Bucket` and `S3Key`.
    pub(super) fn uploaded_code(&self, resource: &Resource, code: &Node) -> Option<PathBuf> {
        let named = resource.known.asset.as_ref().map(|path| self.directory.join(path));
        let by_key = code.text_at("S3Key").and_then(|key| self.uploaded(key));
        named.filter(|path| path.exists()).or(by_key)
    }

    /// The file or directory that would be uploaded under this key.
    fn uploaded(&self, key: &str) -> Option<PathBuf> {
        self.assets.get(key).filter(|path| path.exists()).cloned()
    }
}
