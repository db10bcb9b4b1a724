//! Signed URLs and signed cookies (CloudFront guide: serve private content).

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
    /// `EncodedKey`: the key in PEM.
    pub pem: String,
}
