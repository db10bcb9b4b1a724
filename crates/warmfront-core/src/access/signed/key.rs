//! A public key out of its PEM: RSA with 2048 bits or ECDSA on P-256, which is all CloudFront takes
//! (CloudFront guide: specify signers).
//!
//! Read once, when the configuration is compiled; whether the numbers in it make sense is for the
//! arithmetic to say.

use std::fmt;

use super::base64;

/// A key that CloudFront would take.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: KeyKind,
    der: Vec<u8>,
}

/// Which kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// ECDSA on the curve P-256 (prime256v1).
    EcdsaP256,
}

/// Why a text is no key for CloudFront.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// There is no PEM block of a public key.
    #[error("there is no \"-----BEGIN PUBLIC KEY-----\" block in it")]
    NotPem,
    /// A private key belongs to whoever signs.
    #[error("this is a private key; write the public one (openssl pkey -in private.pem -pubout)")]
    Private,
    /// The text between the lines is not base64.
    #[error("what stands between its BEGIN and END lines is not base64")]
    NotBase64,
    /// Another algorithm, another length, or damaged.
    #[error("CloudFront takes RSA keys of 2048 bits and ECDSA keys on P-256, and this is neither")]
    OtherKind,
}

/// A PEM of such a key is far shorter.
const MAX_PEM: usize = 8192;

/// DER of `SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING { SEQUENCE { INTEGER of 257 octets …`
/// with the lengths that a modulus of 2048 bits leads to (RFC 3279 §2.3.1). The exponent follows.
const RSA: [u8; 15] = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
/// `SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING { 4 …`: a point, uncompressed (RFC 5480 §2).
const P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 3, 1, 7, 3, 0x42, 0, 4,
];
const P256_LENGTH: usize = 91;

impl PublicKey {
    /// Reads `EncodedKey`.
    pub fn from_pem(text: &str) -> Result<Self, InvalidKey> {
        if text.len() > MAX_PEM {
            return Err(InvalidKey::OtherKind);
        }
        if text.contains("PRIVATE KEY-----") {
            return Err(InvalidKey::Private);
        }
        let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----").ok_or(InvalidKey::NotPem)?;
        let (body, _) = rest.split_once("-----END PUBLIC KEY-----").ok_or(InvalidKey::NotPem)?;
        let body: String = body.split_ascii_whitespace().collect();
        if body.contains(['-', '_', '~']) {
            return Err(InvalidKey::NotBase64);
        }
        let der = base64::decoded(&body).ok_or(InvalidKey::NotBase64)?;
        let kind = kind_of(&der).ok_or(InvalidKey::OtherKind)?;
        Ok(Self { kind, der })
    }

    /// Which kind it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its `SubjectPublicKeyInfo` (RFC 5280 §4.1), as DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({:?})", self.kind)
    }
}

fn kind_of(der: &[u8]) -> Option<KeyKind> {
    if der.len() == P256_LENGTH && der.starts_with(&P256) {
        return Some(KeyKind::EcdsaP256);
    }
    let (whole, rest) = element(der, 0x30)?;
    let bits = whole.strip_prefix(&RSA)?;
    let (bits, more) = element(bits, 3)?;
    let (numbers, end) = element(bits.strip_prefix(&[0])?, 0x30)?;
    let (modulus, exponent) = element(numbers, 2)?;
    let (_, last) = element(exponent, 2)?;
    // A leading zero keeps the number positive; 2048 bits means that the first one is set.
    let is_2048 = modulus.len() == 257 && modulus[0] == 0 && modulus[1] & 0x80 != 0;
    let ends = [rest, more, end, last].iter().all(|rest| rest.is_empty());
    (is_2048 && ends).then_some(KeyKind::Rsa2048)
}

/// The content of the DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = der.strip_prefix(&[tag])?.split_first()?;
    let (length, rest) = match length {
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?), &rest[2..]),
        short if short < 0x80 => (usize::from(short), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<KeyKind, InvalidKey>) {
        assert_eq!(PublicKey::from_pem(text).map(|key| key.kind()), expected, "{text}");
    }

    const RSA_2048: &str = include_str!("rsa.pub.pem");
    const ECDSA_P256: &str = include_str!("ecdsa.pub.pem");

    #[test]
    fn the_two_kinds_are_known_whatever_the_line_ends() {
        for (pem, kind) in [(RSA_2048, KeyKind::Rsa2048), (ECDSA_P256, KeyKind::EcdsaP256)] {
            check(pem, Ok(kind));
            check(&pem.replace('\n', "\r\n"), Ok(kind));
            check(&pem.replace('\n', " "), Ok(kind));
            check(&format!("# ours\n{pem}\n\n"), Ok(kind));
        }
    }

    #[test]
    fn everything_else_is_refused_with_what_it_is() {
        check("", Err(InvalidKey::NotPem));
        check(RSA_2048.split_once("-----END").unwrap().0, Err(InvalidKey::NotPem));
        check(&RSA_2048.replace("PUBLIC", "PRIVATE"), Err(InvalidKey::Private));
        check(&RSA_2048.replacen("MII", "MI!", 1), Err(InvalidKey::NotBase64));
        check(&RSA_2048.replacen("MII", "MIA", 1), Err(InvalidKey::OtherKind));
        // P-384.
        check(include_str!("p384.pub.pem"), Err(InvalidKey::OtherKind));
        check(include_str!("rsa3072.pub.pem"), Err(InvalidKey::OtherKind));
        check(&" ".repeat(9000), Err(InvalidKey::OtherKind));
    }

    #[test]
    fn a_key_cut_off_anywhere_is_no_key() {
        let key = PublicKey::from_pem(RSA_2048).unwrap();
        for length in 0..key.der().len() {
            assert_eq!(kind_of(&key.der()[..length]), None, "{length}");
        }
    }
}
