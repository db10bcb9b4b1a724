//! Signed URLs and signed cookies: who may ask (CloudFront guide: serve private content with signed URLs
//! and signed cookies).
//!
//! Everything but the arithmetic of a signature is decided here; that is the caller's [`SignatureCheck`].
//! A policy is read only after its signature held, so the reader of policies meets no stranger's bytes.

mod base64;
mod key;
mod policy;
mod resource;
mod tokens;

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use crate::path_pattern;
use crate::request_view::RequestView;

pub use key::{InvalidKey, KeyKind, PublicKey};
use policy::Policy;
pub use tokens::{Carrier, is_reserved, without_signature};
use tokens::{Terms, Tokens};

/// The public keys that a behavior's `TrustedKeyGroups` come down to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedKeys {
    /// Each key once, whatever number of groups has it.
    pub keys: Vec<TrustedKey>,
}

/// One `AWS::CloudFront::PublicKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The id that `Key-Pair-Id` names (`K…`).
    pub id: String,
    /// `EncodedKey`.
    pub key: PublicKey,
}

/// What a signature is made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// Unless `Hash-Algorithm` says otherwise.
    Sha1,
    /// `Hash-Algorithm=SHA256`.
    Sha256,
}

/// Tells whether a signature was made with the private half of a key: RSA is PKCS #1 v1.5, an ECDSA
/// signature comes as DER.
pub trait SignatureCheck: fmt::Debug + Send + Sync + 'static {
    /// Whether `signature` is `key`'s over `message`. What is no signature at all is none of this key's.
    fn holds(&self, key: &PublicKey, hash: HashAlgorithm, message: &[u8], signature: &[u8])
    -> bool;
}

/// Why a request was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Where the signature was.
    pub carrier: Carrier,
    /// The key that made it.
    pub key_id: String,
    /// Until when it holds, in seconds since 1970.
    pub expires: u64,
    /// Whether it came with a policy of its own, or with CloudFront's canned one.
    pub is_custom: bool,
}

/// Why a request was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// This edge was built without a way to check signatures.
    CannotCheck,
    /// Neither URL nor cookies name a key.
    MissingKey,
    /// The behavior does not trust a key with this id.
    UnknownKey,
    /// A key is named, but there is no signature.
    MissingSignature,
    /// There is neither a policy nor an expiry date.
    MissingPolicy,
    /// The signature is not CloudFront's base64.
    MalformedSignature,
    /// The policy is not CloudFront's base64, or what it says is none of the policies CloudFront knows.
    MalformedPolicy,
    /// `Expires` is not a number of seconds.
    MalformedExpires,
    /// `Hash-Algorithm` is neither SHA1 nor SHA256.
    UnknownHash,
    /// The key did not sign this: the URL or the policy was changed, or another key signed it.
    WrongSignature,
    /// The policy is about other resources.
    OtherResource,
    /// It was good until now.
    Expired,
    /// It will be good later.
    NotYet,
    /// The policy is for other addresses.
    OtherAddress,
}

/// Decides whether `request` carries what `keys` ask for, at `now`, from `viewer`.
///
/// `url_path` is the path as the viewer sent it, without the default root object. The time of the request's
/// begin counts: a download may go on after the expiry (CloudFront guide). A signature in the URL is looked
/// at before one in cookies, and alone.
pub fn permit(
    keys: &TrustedKeys,
    request: &RequestView<'_>,
    url_path: &str,
    viewer: IpAddr,
    now: SystemTime,
    check: Option<&dyn SignatureCheck>,
) -> Result<Permit, Denied> {
    let check = check.ok_or(Denied::CannotCheck)?;
    let tokens = Tokens::of(request).ok_or(Denied::MissingKey)?;
    let key_id = tokens.key_id.as_deref().filter(|id| !id.is_empty()).ok_or(Denied::MissingKey)?;
    let key = keys.keys.iter().find(|key| key.id == key_id).ok_or(Denied::UnknownKey)?;
    let signature = tokens.signature.as_deref().ok_or(Denied::MissingSignature)?;
    let signature = base64::decoded(signature).ok_or(Denied::MalformedSignature)?;
    let hash = match tokens.hash.as_deref() {
        None | Some("SHA1") => HashAlgorithm::Sha1,
        Some("SHA256") => HashAlgorithm::Sha256,
        Some(_) => return Err(Denied::UnknownHash),
    };
    let holds = |message: &[u8]| check.holds(&key.key, hash, message, &signature);
    let url = Url::of(request, url_path);
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (expires, is_custom) = match &tokens.terms {
        Terms::None => return Err(Denied::MissingPolicy),
        Terms::Expires(text) => {
            let expires = seconds(text).ok_or(Denied::MalformedExpires)?;
            if !url.hosts().any(|host| holds(url.canned_policy(host, text).as_bytes())) {
                return Err(Denied::WrongSignature);
            }
            (expires, false)
        }
        Terms::Policy(text) => {
            let text = base64::decoded(text).ok_or(Denied::MalformedPolicy)?;
            if !holds(&text) {
                return Err(Denied::WrongSignature);
            }
            let policy = Policy::parse(&text).ok_or(Denied::MalformedPolicy)?;
            if let Some(resource) = &policy.resource
                && !url.is_covered_by(resource)
            {
                return Err(Denied::OtherResource);
            }
            if policy.begins.is_some_and(|begins| now <= Duration::from_secs(begins)) {
                return Err(Denied::NotYet);
            }
            if policy.addresses.is_some_and(|addresses| !addresses.contain(viewer)) {
                return Err(Denied::OtherAddress);
            }
            (policy.expires, true)
        }
    };
    if now >= Duration::from_secs(expires) {
        return Err(Denied::Expired);
    }
    Ok(Permit { carrier: tokens.carrier, key_id: key.id.clone(), expires, is_custom })
}

/// The URL that was signed, in the parts that are compared.
struct Url<'a> {
    scheme: &'static str,
    host: &'a str,
    path: &'a str,
    /// Without what CloudFront's signature adds.
    query: Option<Cow<'a, str>>,
}

impl<'a> Url<'a> {
    fn of(request: &RequestView<'a>, path: &'a str) -> Self {
        let query = request.query.and_then(without_signature).filter(|query| !query.is_empty());
        Self { scheme: request.scheme.as_str(), host: request.host, path, query }
    }

    /// The host as the viewer used it and, when it has a port, without: CloudFront has only the two ports
    /// that a URL leaves out, while a local edge is asked for `https://localhost:8443/` as well as, by
    /// whoever maps the name, for URLs made for the real one.
    fn hosts(&self) -> impl Iterator<Item = &'a str> {
        let bare = match self.host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(name),
            _ => None,
        };
        [Some(self.host), bare].into_iter().flatten()
    }

    /// A path that leads up again (`/mine/../yours`) must be covered where it leads to as well: the origin
    /// gets it as it is, and may walk it.
    fn is_covered_by(&self, resource: &str) -> bool {
        let covers = |path: &str| {
            self.hosts().any(|host| {
                resource::covers(resource, self.scheme, host, path, self.query.as_deref())
            })
        };
        covers(self.path)
            && path_pattern::where_it_climbs(self.path).is_none_or(|path| covers(&path))
    }

    /// What a signer signs when there is only an expiry date, octet for octet.
    fn canned_policy(&self, host: &str, expires: &str) -> String {
        let Self { scheme, path, query, .. } = self;
        let (mark, query) = match query {
            Some(query) => ("?", &**query),
            None => ("", ""),
        };
        format!(
            "{{\"Statement\":[{{\"Resource\":\"{scheme}://{host}{path}{mark}{query}\",\
             \"Condition\":{{\"DateLessThan\":{{\"AWS:EpochTime\":{expires}}}}}}}]}}"
        )
    }
}

/// A number of seconds since 1970, of at most twelve digits.
fn seconds(text: &str) -> Option<u64> {
    let is_number = (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

impl Denied {
    /// `Code` of the page (captured replies, and memory; cloudfront.md §4.6).
    pub fn code(self) -> &'static str {
        match self {
            Denied::MissingKey => "MissingKey",
            Denied::UnknownKey => "InvalidKey",
            Denied::MalformedSignature => "MalformedSignature",
            Denied::MalformedPolicy | Denied::MalformedExpires => "MalformedPolicy",
            _ => "AccessDenied",
        }
    }

    /// `Message` of the page. Like CloudFront's it does not tell a stranger which condition failed.
    pub fn message(self) -> &'static str {
        match self {
            Denied::MissingKey => "Missing Key-Pair-Id query parameter or cookie value",
            Denied::UnknownKey => "Unknown Key",
            Denied::MalformedSignature => "Could not unencode Signature",
            Denied::MalformedPolicy | Denied::MalformedExpires => "Malformed Policy",
            _ => "Access denied",
        }
    }

    /// What the owner of the distribution should know.
    pub fn reason(self) -> &'static str {
        match self {
            Denied::CannotCheck => "This edge was built without a way to check signatures.",
            Denied::MissingKey => {
                "Neither the URL has Key-Pair-Id nor is there a cookie CloudFront-Key-Pair-Id."
            }
            Denied::UnknownKey => "Key-Pair-Id names no key of the behavior's TrustedKeyGroups.",
            Denied::MissingSignature => "There is a Key-Pair-Id but no Signature.",
            Denied::MissingPolicy => "There is a Signature but neither Policy nor Expires.",
            Denied::MalformedSignature => "The Signature is not base64 with -, _ and ~.",
            Denied::MalformedPolicy => {
                "The Policy is not base64 with -, _ and ~ of a policy that CloudFront knows."
            }
            Denied::MalformedExpires => "Expires is not a number of seconds since 1970.",
            Denied::UnknownHash => "Hash-Algorithm is neither SHA1 nor SHA256.",
            Denied::WrongSignature => {
                "The key did not sign this URL or policy: one of them was changed, or another key or \
                 Hash-Algorithm was used."
            }
            Denied::OtherResource => "The policy's Resource does not cover this URL.",
            Denied::Expired => "The signature has expired.",
            Denied::NotYet => "The policy's DateGreaterThan has not come yet.",
            Denied::OtherAddress => "The policy's IpAddress does not include the viewer's.",
        }
    }
}

#[cfg(test)]
mod tests;
