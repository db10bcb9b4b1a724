//! The arithmetic of signed URLs and cookies, with aws-lc-rs.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use warmfront_core::access::signed::{HashAlgorithm, KeyKind, PublicKey, SignatureCheck};

/// Checks RSA (PKCS #1 v1.5) and ECDSA (P-256, DER) signatures over SHA-1 and SHA-256.
///
/// SHA-1 is what CloudFront's signers use unless told otherwise. A viewer gains nothing from a collision:
/// only a text that the key's owner signed counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signatures;

impl SignatureCheck for Signatures {
    fn holds(
        &self,
        key: &PublicKey,
        hash: HashAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match (key.kind(), hash) {
            (KeyKind::Rsa2048, HashAlgorithm::Sha1) => {
                &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY
            }
            (KeyKind::Rsa2048, HashAlgorithm::Sha256) => &RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::EcdsaP256, HashAlgorithm::Sha1) => &ECDSA_P256_SHA1_ASN1,
            (KeyKind::EcdsaP256, HashAlgorithm::Sha256) => &ECDSA_P256_SHA256_ASN1,
        };
        UnparsedPublicKey::new(algorithm, key.der()).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    };

    use super::*;

    /// A key whose private half nobody has kept, as a PEM that our reader takes.
    fn key(der: &[u8]) -> PublicKey {
        let line = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----\n");
        PublicKey::from_pem(&pem).unwrap()
    }

    #[test]
    fn both_kinds_of_keys_say_yes_to_their_own_signatures_only() {
        let random = SystemRandom::new();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let mut by_rsa = vec![0; rsa.public_modulus_len()];
        rsa.sign(&RSA_PKCS1_SHA256, &random, b"text", &mut by_rsa).unwrap();
        let ecdsa = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let by_ecdsa = ecdsa.sign(&random, b"text").unwrap();
        let rsa: PublicKeyX509Der<'_> = rsa.public_key().as_der().unwrap();
        let ecdsa: PublicKeyX509Der<'_> = ecdsa.public_key().as_der().unwrap();
        let (rsa, ecdsa) = (key(rsa.as_ref()), key(ecdsa.as_ref()));
        let holds = |key: &PublicKey, hash, text: &[u8], signature: &[u8]| {
            Signatures.holds(key, hash, text, signature)
        };
        for (key, own, other) in
            [(&rsa, &by_rsa[..], by_ecdsa.as_ref()), (&ecdsa, by_ecdsa.as_ref(), &by_rsa[..])]
        {
            assert!(holds(key, HashAlgorithm::Sha256, b"text", own), "{key:?}");
            assert!(!holds(key, HashAlgorithm::Sha1, b"text", own), "{key:?}");
            assert!(!holds(key, HashAlgorithm::Sha256, b"texts", own), "{key:?}");
            assert!(!holds(key, HashAlgorithm::Sha256, b"text", other), "{key:?}");
            assert!(!holds(key, HashAlgorithm::Sha256, b"text", &own[1..]), "{key:?}");
            assert!(!holds(key, HashAlgorithm::Sha256, b"text", b""), "{key:?}");
        }
    }
}
