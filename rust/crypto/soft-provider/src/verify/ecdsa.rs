//! ECDSA over P-256, P-384 and P-521 (FIPS 186-5), signatures in DER (RFC 3279, section 2.2.3).

use core::fmt;

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rustls::crypto::hash::Hash;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use crate::hash;
use crate::sec1::uncompressed;

/// ECDSA with P-256 and SHA-256.
pub static ECDSA_P256_SHA256: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA256,
    hash: &hash::SHA256,
    verify: verify_p256,
};

/// ECDSA with P-256 and SHA-384.
#[cfg(feature = "p384")]
pub static ECDSA_P256_SHA384: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA384,
    hash: &hash::SHA384,
    verify: verify_p256,
};

/// ECDSA with P-384 and SHA-256.
#[cfg(feature = "p384")]
pub static ECDSA_P384_SHA256: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA256,
    hash: &hash::SHA256,
    verify: verify_p384,
};

/// ECDSA with P-384 and SHA-384.
#[cfg(feature = "p384")]
pub static ECDSA_P384_SHA384: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA384,
    hash: &hash::SHA384,
    verify: verify_p384,
};

/// ECDSA with P-256 and SHA-512.
#[cfg(feature = "p384")]
pub static ECDSA_P256_SHA512: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA512,
    hash: &hash::SHA512,
    verify: verify_p256,
};

/// ECDSA with P-384 and SHA-512.
#[cfg(feature = "p384")]
pub static ECDSA_P384_SHA512: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P384,
    signature: alg_id::ECDSA_SHA512,
    hash: &hash::SHA512,
    verify: verify_p384,
};

/// ECDSA with P-521 and SHA-256.
#[cfg(feature = "p521")]
pub static ECDSA_P521_SHA256: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA256,
    hash: &hash::SHA256,
    verify: verify_p521,
};

/// ECDSA with P-521 and SHA-384.
#[cfg(feature = "p521")]
pub static ECDSA_P521_SHA384: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA384,
    hash: &hash::SHA384,
    verify: verify_p521,
};

/// ECDSA with P-521 and SHA-512.
#[cfg(feature = "p521")]
pub static ECDSA_P521_SHA512: &dyn SignatureVerificationAlgorithm = &Ecdsa {
    key: alg_id::ECDSA_P521,
    signature: alg_id::ECDSA_SHA512,
    hash: &hash::SHA512,
    verify: verify_p521,
};

struct Ecdsa {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    hash: &'static dyn Hash,
    verify: Verify,
}

/// Takes key, digest and signature.
type Verify = fn(&[u8], &[u8], &[u8]) -> Option<()>;

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let digest = self.hash.hash(message);
        (self.verify)(public_key, digest.as_ref(), signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

impl fmt::Debug for Ecdsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ecdsa")
            .field("key", &self.key)
            .field("signature", &self.signature)
            .finish()
    }
}

fn verify_p256(public_key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    use p256::ecdsa::{Signature, VerifyingKey};

    let key = VerifyingKey::from_sec1_bytes(uncompressed(public_key)?).ok()?;
    let signature = Signature::from_der(signature).ok()?;
    key.verify_prehash(digest, &signature).ok()
}

#[cfg(feature = "p384")]
fn verify_p384(public_key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    use p384::ecdsa::{Signature, VerifyingKey};

    let key = VerifyingKey::from_sec1_bytes(uncompressed(public_key)?).ok()?;
    let signature = Signature::from_der(signature).ok()?;
    key.verify_prehash(digest, &signature).ok()
}

#[cfg(feature = "p521")]
fn verify_p521(public_key: &[u8], digest: &[u8], signature: &[u8]) -> Option<()> {
    use p521::ecdsa::{Signature, VerifyingKey};

    let key = VerifyingKey::from_sec1_bytes(uncompressed(public_key)?).ok()?;
    let signature = Signature::from_der(signature).ok()?;
    key.verify_prehash(digest, &signature).ok()
}
