//! Signature verification, for certificates and handshakes.

#[cfg(feature = "rsa")]
pub(crate) mod rsa;

use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use thread_mqtt_psa::{
    self as psa, Algorithm, Attributes, Call, Hash, Key, KeyType, Status, Usage,
};

use crate::der::{self, Reader};
use crate::detect::{self, Capability};
use crate::{fault, hash};

/// ECDSA with P-256 and SHA-256.
pub static ECDSA_P256_SHA256: &dyn SignatureVerificationAlgorithm =
    &Verifier::ecdsa(P256, Hash::Sha256);
/// ECDSA with P-256 and SHA-384.
#[cfg(feature = "p384")]
pub static ECDSA_P256_SHA384: &dyn SignatureVerificationAlgorithm =
    &Verifier::ecdsa(P256, Hash::Sha384);
/// ECDSA with P-384 and SHA-256.
#[cfg(feature = "p384")]
pub static ECDSA_P384_SHA256: &dyn SignatureVerificationAlgorithm =
    &Verifier::ecdsa(P384, Hash::Sha256);
/// ECDSA with P-384 and SHA-384.
#[cfg(feature = "p384")]
pub static ECDSA_P384_SHA384: &dyn SignatureVerificationAlgorithm =
    &Verifier::ecdsa(P384, Hash::Sha384);

/// ECDSA with P-256 and SHA-512.
#[cfg(feature = "p384")]
pub static ECDSA_P256_SHA512: &dyn SignatureVerificationAlgorithm =
    &Verifier::ecdsa(P256, Hash::Sha512);
/// ECDSA with P-384 and SHA-512.
#[cfg(feature = "p384")]
pub static ECDSA_P384_SHA512: &dyn SignatureVerificationAlgorithm =
    &Verifier::ecdsa(P384, Hash::Sha512);
/// ECDSA with P-521 and SHA-512.
#[cfg(feature = "p521")]
pub static ECDSA_P521_SHA512: &dyn SignatureVerificationAlgorithm =
    &Verifier::ecdsa(P521, Hash::Sha512);

/// RSASSA-PKCS1-v1_5 with SHA-256.
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA256: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha256, alg_id::RSA_PKCS1_SHA256);
/// RSASSA-PKCS1-v1_5 with SHA-384.
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA384: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha384, alg_id::RSA_PKCS1_SHA384);
/// RSASSA-PKCS1-v1_5 with SHA-512.
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA512: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha512, alg_id::RSA_PKCS1_SHA512);
/// [`RSA_PKCS1_SHA256`] in a certificate whose algorithm identifier omits the NULL parameters,
/// which verifiers must accept (RFC 4055, section 5).
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA256_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha256, SHA256_WITH_RSA);
/// [`RSA_PKCS1_SHA384`] with the parameters omitted.
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA384_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha384, SHA384_WITH_RSA);
/// [`RSA_PKCS1_SHA512`] with the parameters omitted.
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA512_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha512, SHA512_WITH_RSA);

/// RSASSA-PSS with SHA-256, MGF1 with the same hash, and a salt of the hash's length: what TLS (RFC
/// 8446, section 4.2.3) and certificates use. The key is of type `rsaEncryption`.
#[cfg(feature = "rsa")]
pub static RSA_PSS_SHA256: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pss(Hash::Sha256, alg_id::RSA_PSS_SHA256);
/// RSASSA-PSS with SHA-384; see [`RSA_PSS_SHA256`].
#[cfg(feature = "rsa")]
pub static RSA_PSS_SHA384: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pss(Hash::Sha384, alg_id::RSA_PSS_SHA384);
/// RSASSA-PSS with SHA-512; see [`RSA_PSS_SHA256`].
#[cfg(feature = "rsa")]
pub static RSA_PSS_SHA512: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pss(Hash::Sha512, alg_id::RSA_PSS_SHA512);

/// Ed25519 (RFC 8032), without a prehash.
#[cfg(feature = "ed25519")]
pub static ED25519: &dyn SignatureVerificationAlgorithm = &Verifier {
    key_id: alg_id::ED25519,
    signature_id: alg_id::ED25519,
    scheme: Scheme::Ed25519,
};

/// `sha256WithRSAEncryption` and so on, without parameters.
#[cfg(feature = "rsa")]
const SHA256_WITH_RSA: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b");
#[cfg(feature = "rsa")]
const SHA384_WITH_RSA: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c");
#[cfg(feature = "rsa")]
const SHA512_WITH_RSA: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d");

/// A NIST curve, by the length of its coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Curve(usize);

const P256: Curve = Curve(32);
#[cfg(feature = "p384")]
const P384: Curve = Curve(48);
#[cfg(feature = "p521")]
const P521: Curve = Curve(66);
const MAX_COORDINATE_LEN: usize = if cfg!(feature = "p521") { 66 } else { 48 };

#[derive(Debug)]
struct Verifier {
    key_id: AlgorithmIdentifier,
    signature_id: AlgorithmIdentifier,
    scheme: Scheme,
}

#[derive(Debug)]
enum Scheme {
    Ecdsa(Curve, Hash),
    #[cfg(feature = "rsa")]
    Rsa(rsa::Encoding, Hash),
    #[cfg(feature = "ed25519")]
    Ed25519,
}

impl Scheme {
    /// Returns the capability to withdraw if PSA lacks it: the curve and hash pairs of TLS 1.3.
    /// Another hash with the same curve remains available. RSA is never withdrawn, because PSA may
    /// lack only one length.
    fn offered(&self) -> Option<Capability> {
        match self {
            Self::Ecdsa(P256, Hash::Sha256) => Some(Capability::EcdsaP256),
            #[cfg(feature = "p384")]
            Self::Ecdsa(P384, Hash::Sha384) => Some(Capability::EcdsaP384),
            #[cfg(feature = "p521")]
            Self::Ecdsa(P521, Hash::Sha512) => Some(Capability::EcdsaP521),
            #[cfg(feature = "ed25519")]
            Self::Ed25519 => Some(Capability::Ed25519),
            _ => None,
        }
    }
}

impl Verifier {
    const fn ecdsa(curve: Curve, hash: Hash) -> Self {
        Self {
            key_id: match curve.0 {
                32 => alg_id::ECDSA_P256,
                48 => alg_id::ECDSA_P384,
                _ => alg_id::ECDSA_P521,
            },
            signature_id: match hash {
                Hash::Sha384 => alg_id::ECDSA_SHA384,
                Hash::Sha512 => alg_id::ECDSA_SHA512,
                _ => alg_id::ECDSA_SHA256,
            },
            scheme: Scheme::Ecdsa(curve, hash),
        }
    }

    #[cfg(feature = "rsa")]
    const fn rsa_pkcs1(hash: Hash, signature_id: AlgorithmIdentifier) -> Self {
        Self {
            key_id: alg_id::RSA_ENCRYPTION,
            signature_id,
            scheme: Scheme::Rsa(rsa::Encoding::Pkcs1, hash),
        }
    }

    #[cfg(feature = "rsa")]
    const fn rsa_pss(hash: Hash, signature_id: AlgorithmIdentifier) -> Self {
        Self {
            key_id: alg_id::RSA_ENCRYPTION,
            signature_id,
            scheme: Scheme::Rsa(rsa::Encoding::Pss, hash),
        }
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), psa::Error> {
        match self.scheme {
            Scheme::Ecdsa(curve, hash) => {
                let mut raw = [0; 2 * MAX_COORDINATE_LEN];
                let raw = raw_signature(signature, curve, &mut raw).ok_or(INVALID)?;
                // TLS does not allow compressed points (RFC 8422, section 5.1.2).
                if key.len() != 1 + 2 * curve.0 || key.first() != Some(&0x04) {
                    return Err(INVALID);
                }
                let mut digest = [0; Hash::MAX_LEN];
                let digest = hash::digest(hash, message, &mut digest)?;
                verify_hash(
                    KeyType::SECP_R1_PUBLIC_KEY,
                    Algorithm::ecdsa(hash),
                    key,
                    digest,
                    raw,
                )
            }
            #[cfg(feature = "rsa")]
            Scheme::Rsa(encoding, hash) => {
                let mut digest = [0; Hash::MAX_LEN];
                let digest = hash::digest(hash, message, &mut digest)?;
                rsa::verify(encoding, hash, key, digest, signature)
            }
            #[cfg(feature = "ed25519")]
            Scheme::Ed25519 => verify_ed25519(key, message, signature),
        }
    }
}

impl SignatureVerificationAlgorithm for Verifier {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        // A failure elsewhere says nothing about this scheme.
        if let Err(error) = fault::check() {
            fault::remember(error);
            return Err(InvalidSignature);
        }
        self.verify(public_key, message, signature)
            .map_err(|error| {
                // An error that the peer can cause is not a failure of PSA.
                if ![Status::INVALID_SIGNATURE, Status::INVALID_ARGUMENT].contains(&error.status) {
                    fault::remember(error);
                    if let Some(capability) = self.scheme.offered() {
                        detect::note_failure(capability, error);
                    }
                }
                InvalidSignature
            })
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key_id
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature_id
    }
}

/// A key or signature that is not worth passing to PSA.
const INVALID: psa::Error = Call::VerifyHash.failed(Status::INVALID_SIGNATURE);

pub(crate) fn verify_hash(
    key_type: KeyType,
    algorithm: Algorithm,
    key: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<(), psa::Error> {
    import(key_type, algorithm, key)?.verify_hash(algorithm, digest, signature)
}

/// Imports a public key for one algorithm.
pub(crate) fn import(
    key_type: KeyType,
    algorithm: Algorithm,
    key: &[u8],
) -> Result<Key, psa::Error> {
    let attributes = Attributes {
        key_type,
        bits: 0,
        // PSA 1.0 has both flags, and VERIFY_HASH implies VERIFY_MESSAGE.
        usage: match algorithm {
            Algorithm::PURE_EDDSA => Usage::VERIFY_MESSAGE,
            _ => Usage::VERIFY_HASH,
        },
        algorithm,
    };
    Key::import(&attributes, key)
}

#[cfg(feature = "ed25519")]
pub(crate) fn verify_ed25519(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), psa::Error> {
    import(
        KeyType::TWISTED_EDWARDS_PUBLIC_KEY,
        Algorithm::PURE_EDDSA,
        key,
    )?
    .verify_message(Algorithm::PURE_EDDSA, message, signature)
}

/// Converts an ECDSA signature, in strict DER a `SEQUENCE` of two positive numbers (RFC 3279,
/// section 2.2.3), to PSA's form: r and s at full length.
fn raw_signature<'o>(
    der: &[u8],
    curve: Curve,
    out: &'o mut [u8; 2 * MAX_COORDINATE_LEN],
) -> Option<&'o [u8]> {
    let mut reader = Reader::new(der);
    let mut numbers = reader.inside(der::SEQUENCE)?;
    reader.finish()?;

    let (out, _) = out.split_at_mut_checked(2 * curve.0)?;
    for half in out.chunks_exact_mut(curve.0) {
        let number = numbers.unsigned()?;
        let zeros = half.len().checked_sub(number.len())?;
        half.get_mut(zeros..)?.copy_from_slice(number);
    }
    numbers.finish()?;
    Some(out)
}
