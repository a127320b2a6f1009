//! Signature verification, for certificates and handshakes.

use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};
use thread_mqtt_psa::{
    self as psa, Algorithm, Attributes, Call, Hash, Key, KeyType, Status, Usage,
};

use crate::der::{self, Reader};
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
/// [`RSA_PKCS1_SHA256`] in a certificate whose algorithm identifier leaves out
/// the NULL parameters, which verifiers must accept (RFC 4055, section 5).
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA256_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha256, SHA256_WITH_RSA);
/// [`RSA_PKCS1_SHA384`] with the parameters left out.
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA384_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha384, SHA384_WITH_RSA);
/// [`RSA_PKCS1_SHA512`] with the parameters left out.
#[cfg(feature = "rsa")]
pub static RSA_PKCS1_SHA512_ABSENT_PARAMS: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pkcs1(Hash::Sha512, SHA512_WITH_RSA);

/// RSASSA-PSS with SHA-256, MGF1 with the same hash, and a salt as long as it:
/// what TLS (RFC 8446, section 4.2.3) and certificates use. The key is of type
/// `rsaEncryption`.
#[cfg(feature = "rsa")]
pub static RSA_PSS_SHA256: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pss(Hash::Sha256, alg_id::RSA_PSS_SHA256);
/// RSASSA-PSS with SHA-384, as [`RSA_PSS_SHA256`].
#[cfg(feature = "rsa")]
pub static RSA_PSS_SHA384: &dyn SignatureVerificationAlgorithm =
    &Verifier::rsa_pss(Hash::Sha384, alg_id::RSA_PSS_SHA384);
/// RSASSA-PSS with SHA-512, as [`RSA_PSS_SHA256`].
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

/// Shorter moduli are too weak; longer ones cost too much memory and time.
#[cfg(feature = "rsa")]
const MODULUS_BITS: core::ops::RangeInclusive<usize> = 2048..=4096;

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

/// A NIST curve: its coordinates' length.
#[derive(Debug, Clone, Copy)]
struct Curve(usize);

const P256: Curve = Curve(32);
#[cfg(feature = "p384")]
const P384: Curve = Curve(48);
const MAX_COORDINATE_LEN: usize = 48;

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
    RsaPkcs1(Hash),
    #[cfg(feature = "rsa")]
    RsaPss(Hash),
    #[cfg(feature = "ed25519")]
    Ed25519,
}

impl Verifier {
    const fn ecdsa(curve: Curve, hash: Hash) -> Self {
        Self {
            key_id: match curve.0 {
                32 => alg_id::ECDSA_P256,
                _ => alg_id::ECDSA_P384,
            },
            signature_id: match hash {
                Hash::Sha384 => alg_id::ECDSA_SHA384,
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
            scheme: Scheme::RsaPkcs1(hash),
        }
    }

    #[cfg(feature = "rsa")]
    const fn rsa_pss(hash: Hash, signature_id: AlgorithmIdentifier) -> Self {
        Self {
            key_id: alg_id::RSA_ENCRYPTION,
            signature_id,
            scheme: Scheme::RsaPss(hash),
        }
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), psa::Error> {
        fault::check()?;
        match self.scheme {
            Scheme::Ecdsa(curve, hash) => {
                let mut raw = [0; 2 * MAX_COORDINATE_LEN];
                let raw = raw_signature(signature, curve, &mut raw).ok_or(INVALID)?;
                // Compressed points are not for TLS (RFC 8422, section 5.1.2).
                if key.len() != 1 + 2 * curve.0 || key.first() != Some(&0x04) {
                    return Err(INVALID);
                }
                let algorithm = Algorithm::ecdsa(hash);
                verify_hash(
                    KeyType::SECP_R1_PUBLIC_KEY,
                    algorithm,
                    key,
                    hash,
                    message,
                    raw,
                )
            }
            #[cfg(feature = "rsa")]
            Scheme::RsaPkcs1(hash) => {
                check_modulus(key).ok_or(INVALID)?;
                let algorithm = Algorithm::rsa_pkcs1(hash);
                verify_hash(
                    KeyType::RSA_PUBLIC_KEY,
                    algorithm,
                    key,
                    hash,
                    message,
                    signature,
                )
            }
            #[cfg(feature = "rsa")]
            Scheme::RsaPss(hash) => {
                check_modulus(key).ok_or(INVALID)?;
                let algorithm = Algorithm::rsa_pss(hash);
                verify_hash(
                    KeyType::RSA_PUBLIC_KEY,
                    algorithm,
                    key,
                    hash,
                    message,
                    signature,
                )
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
        self.verify(public_key, message, signature)
            .map_err(|error| {
                // What the peer can cause is not a failure of PSA.
                if ![Status::INVALID_SIGNATURE, Status::INVALID_ARGUMENT].contains(&error.status) {
                    fault::remember(error);
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

/// A key or signature that is not worth asking PSA about.
const INVALID: psa::Error = Call::VerifyHash.failed(Status::INVALID_SIGNATURE);

fn verify_hash(
    key_type: KeyType,
    algorithm: Algorithm,
    key: &[u8],
    hash: Hash,
    message: &[u8],
    signature: &[u8],
) -> Result<(), psa::Error> {
    let mut digest = [0; Hash::MAX_LEN];
    let digest = hash::digest(hash, message, &mut digest)?;
    import(key_type, algorithm, key)?.verify_hash(algorithm, digest, signature)
}

/// A public key, for one algorithm.
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

/// PSA's form of an ECDSA signature, r and s at their full length, from the strict
/// DER of a `SEQUENCE` of two positive numbers (RFC 3279, section 2.2.3).
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

/// An `RSAPublicKey` (RFC 8017, appendix A.1.1) with a modulus of a length that
/// is neither weak nor a burden.
#[cfg(feature = "rsa")]
fn check_modulus(key: &[u8]) -> Option<()> {
    let mut reader = Reader::new(key);
    let mut numbers = reader.inside(der::SEQUENCE)?;
    reader.finish()?;
    let modulus = numbers.unsigned()?;
    numbers.unsigned()?;
    numbers.finish()?;
    MODULUS_BITS.contains(&der::bit_len(modulus)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulus(bits: usize) -> std::vec::Vec<u8> {
        let mut modulus = std::vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        if modulus[0] >= 0x80 {
            modulus.insert(0, 0);
        }
        let value = |tag, content: &[u8]| {
            let len = (content.len() as u16).to_be_bytes();
            let mut der = std::vec![tag];
            match content.len() {
                ..0x80 => der.push(len[1]),
                0x80..0x100 => der.extend([0x81, len[1]]),
                _ => der.extend([0x82, len[0], len[1]]),
            }
            der.extend(content);
            der
        };
        let numbers = [value(der::INTEGER, &modulus), value(der::INTEGER, &[3])].concat();
        value(der::SEQUENCE, &numbers)
    }

    #[test]
    fn rsa_keys_have_2048_to_4096_bits() {
        for bits in [2048, 2049, 3000, 4095, 4096] {
            assert_eq!(check_modulus(&modulus(bits)), Some(()), "{bits}");
        }
        for bits in [8, 1024, 2047, 4097, 8192] {
            assert_eq!(check_modulus(&modulus(bits)), None, "{bits}");
        }
        let mut trailing = modulus(2048);
        trailing.push(0);
        assert_eq!(check_modulus(&trailing), None);
    }

    /// Mbed TLS itself would take it.
    #[test]
    fn a_good_signature_by_a_weak_key_is_refused() {
        let _alone = crate::tests::alone();
        thread_mqtt_psa::init().unwrap();
        let algorithm = Algorithm::rsa_pkcs1(Hash::Sha256);
        let key = import(KeyType::RSA_PUBLIC_KEY, algorithm, &KEY_1024).unwrap();
        let mut digest = [0; Hash::MAX_LEN];
        let digest = hash::digest(Hash::Sha256, b"abc", &mut digest).unwrap();
        assert_eq!(key.verify_hash(algorithm, digest, &SIGNATURE_1024), Ok(()));

        let result = RSA_PKCS1_SHA256.verify_signature(&KEY_1024, b"abc", &SIGNATURE_1024);
        assert!(result.is_err());
    }

    const KEY_1024: [u8; 140] = [
        0x30, 0x81, 0x89, 0x02, 0x81, 0x81, 0x00, 0xc1, 0x2a, 0xaf, 0xa5, 0x23, 0x61, 0x80, 0x22,
        0xa8, 0xfb, 0xc2, 0x2f, 0x0e, 0xd1, 0x88, 0x6b, 0x62, 0x98, 0x97, 0x9c, 0x32, 0x12, 0xf6,
        0x73, 0x56, 0xf2, 0x21, 0x41, 0x23, 0x75, 0x17, 0xc6, 0x40, 0xa3, 0x46, 0xd5, 0xd6, 0x30,
        0xd7, 0x50, 0x85, 0x44, 0x4f, 0xd9, 0x35, 0xf9, 0x22, 0x86, 0x0b, 0x26, 0x87, 0xfb, 0x80,
        0x88, 0x31, 0x16, 0x45, 0x7b, 0x9f, 0x4b, 0x7d, 0x91, 0x40, 0xb0, 0xc9, 0xd1, 0x2a, 0x94,
        0x2a, 0xe9, 0xa1, 0x9d, 0x3c, 0xdf, 0x19, 0xfb, 0x3c, 0xb7, 0x39, 0xe5, 0xf1, 0x39, 0xc9,
        0x5c, 0x7c, 0x48, 0xf3, 0x37, 0xa1, 0x98, 0xf9, 0xd0, 0x38, 0xb7, 0xc7, 0x30, 0x66, 0xdc,
        0xbb, 0xa4, 0x80, 0xc9, 0xbc, 0x8b, 0x36, 0x7a, 0x67, 0xad, 0x26, 0x6f, 0x91, 0x77, 0xbe,
        0xdd, 0x23, 0xd5, 0x92, 0xe7, 0x89, 0x42, 0xe5, 0x61, 0xae, 0x61, 0x08, 0x7d, 0x6d, 0xdb,
        0x02, 0x03, 0x01, 0x00, 0x01,
    ];
    const SIGNATURE_1024: [u8; 128] = [
        0x08, 0x95, 0x98, 0xd5, 0x20, 0x8a, 0xb6, 0xc4, 0xef, 0xf9, 0xd4, 0x75, 0xe7, 0x7a, 0x57,
        0xee, 0xa6, 0x51, 0x89, 0xdb, 0x41, 0x9e, 0x64, 0x47, 0xa9, 0xec, 0x44, 0x54, 0x83, 0x8d,
        0x70, 0x18, 0xf1, 0xe0, 0x65, 0x2b, 0x04, 0x77, 0x96, 0xc5, 0xea, 0xa4, 0x06, 0x74, 0x81,
        0xfb, 0x90, 0x12, 0xa7, 0x88, 0xf1, 0xe1, 0x87, 0x7f, 0xc2, 0xcf, 0xce, 0xcc, 0xbb, 0x8b,
        0x38, 0xaa, 0x1c, 0x00, 0xe7, 0x05, 0x75, 0xe2, 0x9e, 0xc4, 0x22, 0x2f, 0x80, 0x86, 0xcb,
        0x4a, 0xdf, 0x1b, 0x35, 0xd6, 0x60, 0xb8, 0x5e, 0x5b, 0xf2, 0x93, 0x7d, 0x4e, 0xad, 0x71,
        0xad, 0x89, 0x50, 0x79, 0xe0, 0x2b, 0x96, 0x72, 0x4d, 0x6a, 0x16, 0x4d, 0x01, 0x9e, 0x8a,
        0x73, 0xfd, 0xd4, 0x39, 0x4c, 0x42, 0x01, 0x74, 0xea, 0x4f, 0x09, 0x01, 0x7c, 0x97, 0x32,
        0x24, 0xf9, 0x06, 0x15, 0xbb, 0x5a, 0x51, 0x9d,
    ];
}
