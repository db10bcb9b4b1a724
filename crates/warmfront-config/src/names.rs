//! The names that AWS would give, made from the source alone: the same source, the same names.
//!
//! APIs, function URLs and buckets get AWS-shaped host names, so Split, Join and Sub just work. Every
//! name remembers which resource it belongs to; that is how an origin's host name leads back to the
//! local API or the bucket behind it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

/// `AWS::Region` when nobody says otherwise. CloudFront's own resources live there too.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";
/// `AWS::AccountId` when nobody says otherwise.
pub(crate) const DEFAULT_ACCOUNT: &str = "000000000000";

/// The longest label of a host name (RFC 1035 §2.3.4), and so the longest name of a bucket.
const MAX_LABEL: usize = 63;
/// What is left of each part of a name that is cut: with the hash and two hyphens that makes 62.
const LONGEST_PART: usize = 24;

/// The name of a stack whose file is called `stem`: what CloudFormation does not allow in a stack's name
/// (letters, digits and hyphens, a letter first) becomes a hyphen or is left out.
pub(crate) fn stack_name(stem: &str) -> String {
    let hyphened = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = stem.chars().map(hyphened).collect();
    match name.trim_start_matches(|c: char| !c.is_ascii_alphabetic()) {
        "" => "stack".to_owned(),
        name => name.trim_end_matches('-').to_owned(),
    }
}

/// Makes names and remembers whose they are.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) stack: String,
    pub(crate) region: String,
    pub(crate) account: String,
    owners: RefCell<HashMap<String, String>>,
    /// Logical ids that another stack of the source has, too.
    repeated: HashSet<String>,
}

impl Names {
    pub(crate) fn new(stack: String, region: String, account: String) -> Self {
        Self { stack, region, account, owners: RefCell::default(), repeated: HashSet::new() }
    }

    /// Says which logical ids another stack of the source has, too. Before any name is made.
    pub(crate) fn set_repeated(&mut self, logical_ids: HashSet<String>) {
        self.repeated = logical_ids;
    }

    /// The logical id, with the stack before it where another stack has the same.
    pub(crate) fn unique(&self, logical_id: &str) -> String {
        match self.repeated.contains(logical_id) {
            true => format!("{}-{logical_id}", self.stack),
            false => logical_id.to_owned(),
        }
    }

    /// The id of an API: the first label of its host name.
    pub(crate) fn api_id(&self, logical_id: &str) -> String {
        let id = self.unique(logical_id);
        match id.len() > MAX_LABEL {
            true => self.generated_label(logical_id),
            false => id.to_ascii_lowercase(),
        }
    }

    /// Remembers that `name` is a name of the resource `logical_id`.
    pub(crate) fn owned(&self, name: String, logical_id: &str) -> String {
        self.owners.borrow_mut().insert(name.to_ascii_lowercase(), logical_id.to_owned());
        name
    }

    /// Whose name this is, if the source's.
    pub(crate) fn owner(&self, name: &str) -> Option<String> {
        self.owners.borrow().get(&name.to_ascii_lowercase()).cloned()
    }

    /// A distribution's Id: `E` and 13 characters.
    pub(crate) fn distribution_id(&self, logical_id: &str) -> String {
        format!("E{}", self.hashed("distribution", logical_id, 13).to_ascii_uppercase())
    }

    /// A distribution's own host name: `d`, 13 characters, `.cloudfront.net`.
    pub(crate) fn distribution_domain(&self, logical_id: &str) -> String {
        format!("d{}.cloudfront.net", self.hashed("domain", logical_id, 13))
    }

    /// The host name of an API.
    pub(crate) fn api_domain(&self, logical_id: &str) -> String {
        format!("{}.execute-api.{}.amazonaws.com", self.api_id(logical_id), self.region)
    }

    /// The host name of a function URL.
    pub(crate) fn function_url_domain(&self, logical_id: &str) -> String {
        format!("{}.lambda-url.{}.on.aws", self.api_id(logical_id), self.region)
    }

    /// A name such as CloudFormation makes for a resource without one.
    pub(crate) fn generated(&self, logical_id: &str) -> String {
        let hash = self.hashed("name", logical_id, 12).to_ascii_uppercase();
        format!("{}-{logical_id}-{hash}", self.stack)
    }

    /// A generated name that is one label of a host name, as those of buckets are: in lower case, and
    /// where it would be too long the stack's name and the logical id are cut, as CloudFormation does.
    pub(crate) fn generated_label(&self, logical_id: &str) -> String {
        let whole = self.generated(logical_id);
        if whole.len() <= MAX_LABEL {
            return whole.to_ascii_lowercase();
        }
        let hash = self.hashed("name", logical_id, 12);
        let cut = |text: &str| text.chars().take(LONGEST_PART).collect::<String>();
        let label = format!("{}-{}-{hash}", cut(&self.stack), cut(logical_id));
        label.to_ascii_lowercase()
    }

    /// The ARN of a resource; `region` may be empty, as for CloudFront's own.
    pub(crate) fn arn(&self, service: &str, region: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{region}:{}:{resource}", self.account)
    }

    /// An id such as policies have.
    pub(crate) fn uuid(&self, logical_id: &str) -> String {
        let digest = self.digest("uuid", logical_id);
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// The id of a distribution tenant: `dt_` and 27 characters.
    pub(crate) fn tenant_id(&self, logical_id: &str) -> String {
        format!("dt_{}", self.hashed("tenant", logical_id, 27))
    }

    /// An id of one letter and 13 characters, such as keys and access controls have.
    pub(crate) fn lettered(&self, letter: char, logical_id: &str) -> String {
        format!("{letter}{}", self.hashed("lettered", logical_id, 13).to_ascii_uppercase())
    }

    fn hashed(&self, what: &str, logical_id: &str, length: usize) -> String {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let digest = self.digest(what, logical_id);
        digest.iter().take(length).map(|b| char::from(ALPHABET[usize::from(*b) % 36])).collect()
    }

    fn digest(&self, what: &str, logical_id: &str) -> [u8; 32] {
        Sha256::digest(format!("{what}\n{}\n{logical_id}", self.stack)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_shape_of_aws_and_stay_the_same() {
        let names = Names::new("shop".into(), DEFAULT_REGION.into(), DEFAULT_ACCOUNT.into());
        let id = names.distribution_id("Edge");
        assert_eq!((id.len(), &id[..1]), (14, "E"));
        assert_eq!(id, names.distribution_id("Edge"));
        assert_ne!(id, names.distribution_id("Edge2"));
        let domain = names.distribution_domain("Edge");
        assert!(domain.starts_with('d') && domain.ends_with(".cloudfront.net"), "{domain}");
        assert_eq!(domain.len(), 14 + ".cloudfront.net".len());
        assert_eq!(names.uuid("Policy").len(), 36);
        assert_eq!(names.api_domain("HttpApi"), "httpapi.execute-api.us-east-1.amazonaws.com");
    }

    #[test]
    fn a_label_is_never_too_long_and_never_the_same_for_two() {
        let stack = "a-stack-with-the-long-name-that-projects-in-companies-have";
        let names = Names::new(stack.into(), DEFAULT_REGION.into(), DEFAULT_ACCOUNT.into());
        let [one, other] = ["OriginBucketOfTheWebsite1", "OriginBucketOfTheWebsite2"]
            .map(|id| names.generated_label(id));
        assert!(one.len() <= MAX_LABEL && one.starts_with("a-stack-with-the-long-na-"), "{one}");
        assert_eq!(one[..50], other[..50]);
        assert_ne!(one, other);
    }

    #[test]
    fn a_stack_of_a_file_has_a_name_that_a_stack_may_have() {
        for (stem, name) in [
            ("shop", "shop"),
            ("shop_front.v2", "shop-front-v2"),
            ("2024 shop (copy)", "shop--copy"),
            ("größe", "gr--e"),
            ("--", "stack"),
        ] {
            assert_eq!(stack_name(stem), name, "{stem}");
        }
    }
}
