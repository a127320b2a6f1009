//! Signing with a key in PSA.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use rustls::pki_types::{SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use thread_mqtt_psa::{
    self as psa, Algorithm, Attributes, Hash, Key, KeyId, KeyType, Status, Usage,
};

use crate::{fault, hash};

/// Returns a key in PSA, by its identifier, for a client certificate: a key pair on P-256 or P-384,
/// or an RSA key pair, volatile or persistent, with permission to sign hashes. It need not be
/// exportable. The caller owns the key, and must keep it as long as configurations use it.
///
/// The key's policy determines the signatures: its algorithm is `PSA_ALG_ECDSA` (or the
/// deterministic variant), `PSA_ALG_RSA_PSS` or `PSA_ALG_RSA_PKCS1V15_SIGN`, with the hash of the
/// curve (SHA-256 for P-256, SHA-384 for P-384) or `PSA_ALG_ANY_HASH`. TLS 1.3 does not use PKCS#1
/// v1.5.
pub fn signing_key(id: KeyId) -> Result<Arc<dyn SigningKey>, KeyError> {
    let attributes = id.attributes().map_err(|error| match error.status {
        Status::INVALID_HANDLE | Status::DOES_NOT_EXIST => KeyError::Missing,
        _ => KeyError::Psa(error),
    })?;
    let pair = Pair::new(id, attributes, None)?;
    Ok(Arc::new(Client(Arc::new(pair))))
}

/// Why a private key cannot be used for client authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// PSA has no key with this identifier.
    Missing,
    /// PSA refuses it.
    Psa(psa::Error),
    /// It is neither an RSA key nor a key on P-256 or P-384.
    Unsupported,
    /// Its policy permits no signature that TLS can use.
    Policy,
    /// Its encoding is invalid.
    Malformed,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Psa(error) => write!(f, "the client's private key cannot be used: {error}"),
            Self::Missing => f.write_str(
                "PSA Crypto has no key with this identifier: generate or import the client's \
                 private key before creating the client, and keep it",
            ),
            Self::Unsupported => f.write_str(
                "the client's private key is of an unsupported type: use ECDSA with P-256 or \
                 P-384, or RSA",
            ),
            Self::Policy => f.write_str(
                "the policy of the client's private key permits no signature for TLS: it needs \
                 PSA_KEY_USAGE_SIGN_HASH and PSA_ALG_ECDSA, PSA_ALG_RSA_PSS or \
                 PSA_ALG_RSA_PKCS1V15_SIGN",
            ),
            Self::Malformed => f.write_str(
                "the client's private key is damaged: it is neither PKCS#8, SEC 1 nor PKCS#1",
            ),
        }
    }
}

impl core::error::Error for KeyError {}

impl From<psa::Error> for KeyError {
    fn from(error: psa::Error) -> Self {
        Self::Psa(error)
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        if let KeyError::Psa(error) = error {
            fault::remember(error);
        }
        fault::general(&error)
    }
}

/// A key pair, and the signatures it can make in order of preference.
#[derive(Debug)]
pub(super) struct Pair {
    ways: Vec<Way>,
    algorithm: SignatureAlgorithm,
    signature_len: usize,
    public: SubjectPublicKeyInfoDer<'static>,
    /// Imported keys, destroyed when dropped.
    owned: Vec<Key>,
}

/// One kind of signature, and the key for it.
#[derive(Debug, Clone, Copy)]
struct Way {
    kind: &'static Kind,
    key: KeyId,
}

/// PSA's algorithm for a TLS scheme.
#[derive(Debug)]
struct Kind {
    scheme: SignatureScheme,
    algorithm: Algorithm,
    hash: Hash,
}

impl Kind {
    const fn new(scheme: SignatureScheme, algorithm: Algorithm, hash: Hash) -> Self {
        Self {
            scheme,
            algorithm,
            hash,
        }
    }
}

// What each type of key can sign, in order of preference.
static P256: [Kind; 2] = {
    use Hash::Sha256;
    use SignatureScheme::ECDSA_NISTP256_SHA256 as SCHEME;
    [
        Kind::new(SCHEME, Algorithm::ecdsa(Sha256), Sha256),
        Kind::new(SCHEME, Algorithm::deterministic_ecdsa(Sha256), Sha256),
    ]
};
static P384: [Kind; 2] = {
    use Hash::Sha384;
    use SignatureScheme::ECDSA_NISTP384_SHA384 as SCHEME;
    [
        Kind::new(SCHEME, Algorithm::ecdsa(Sha384), Sha384),
        Kind::new(SCHEME, Algorithm::deterministic_ecdsa(Sha384), Sha384),
    ]
};
static RSA: [Kind; 6] = {
    use Hash::{Sha256, Sha384, Sha512};
    use SignatureScheme as S;
    [
        Kind::new(S::RSA_PSS_SHA256, Algorithm::rsa_pss(Sha256), Sha256),
        Kind::new(S::RSA_PSS_SHA384, Algorithm::rsa_pss(Sha384), Sha384),
        Kind::new(S::RSA_PSS_SHA512, Algorithm::rsa_pss(Sha512), Sha512),
        Kind::new(S::RSA_PKCS1_SHA256, Algorithm::rsa_pkcs1(Sha256), Sha256),
        Kind::new(S::RSA_PKCS1_SHA384, Algorithm::rsa_pkcs1(Sha384), Sha384),
        Kind::new(S::RSA_PKCS1_SHA512, Algorithm::rsa_pkcs1(Sha512), Sha512),
    ]
};

/// Maximum size of a public key: RSA with 4096 bits, in DER.
const MAX_PUBLIC_LEN: usize = 528;

impl Pair {
    /// Creates a pair from a key with these attributes. If the public half is known, it need not be
    /// computed.
    pub(super) fn new(
        key: KeyId,
        attributes: Attributes,
        public: Option<&[u8]>,
    ) -> Result<Self, KeyError> {
        if !attributes.usage.contains(Usage::SIGN_HASH) {
            return Err(KeyError::Policy);
        }
        let bits = attributes.bits as usize;
        let (algorithm, id, kinds): (_, _, &[Kind]) = match (attributes.key_type, bits) {
            (KeyType::SECP_R1_KEY_PAIR, 256) => {
                (SignatureAlgorithm::ECDSA, alg_id::ECDSA_P256, &P256)
            }
            (KeyType::SECP_R1_KEY_PAIR, 384) => {
                (SignatureAlgorithm::ECDSA, alg_id::ECDSA_P384, &P384)
            }
            (KeyType::RSA_KEY_PAIR, 2048..=4096) => {
                (SignatureAlgorithm::RSA, alg_id::RSA_ENCRYPTION, &RSA)
            }
            _ => return Err(KeyError::Unsupported),
        };
        // Two numbers of the curve's length, or one of the modulus's.
        let numbers = if algorithm == SignatureAlgorithm::ECDSA {
            2
        } else {
            1
        };

        let mut ways = Vec::new();
        for kind in kinds {
            if attributes.algorithm.permits(kind.algorithm) {
                ways.push(Way { kind, key });
            }
        }
        if ways.is_empty() {
            return Err(KeyError::Policy);
        }

        let mut room = Vec::new();
        let public = match public {
            Some(public) => public,
            None => {
                room.resize(MAX_PUBLIC_LEN, 0);
                key.export_public(&mut room)?
            }
        };
        Ok(Self {
            ways,
            algorithm,
            signature_len: numbers * bits.div_ceil(8),
            public: public_key_to_spki(&id, public),
            owned: Vec::new(),
        })
    }

    /// Same as [`Pair::new`], for a key that is dropped with the pair.
    pub(super) fn owning(key: Key, public: Option<&[u8]>) -> Result<Self, KeyError> {
        let mut pair = Self::new(*key, key.attributes()?, public)?;
        pair.owned.push(key);
        Ok(pair)
    }

    /// Combines what this pair can sign with what `other`, the same key under another policy, can
    /// sign.
    pub(super) fn or(mut self, other: Self) -> Self {
        self.ways.extend(other.ways);
        self.owned.extend(other.owned);
        self
    }

    fn sign(&self, way: Way, message: &[u8]) -> Result<Vec<u8>, psa::Error> {
        fault::check()?;
        let mut digest = [0; Hash::MAX_LEN];
        let digest = hash::digest(way.kind.hash, message, &mut digest)?;
        let mut signature = vec![0; self.signature_len];
        let len = way
            .key
            .sign_hash(way.kind.algorithm, digest, &mut signature)?
            .len();
        signature.truncate(len);
        Ok(match self.algorithm {
            SignatureAlgorithm::ECDSA => to_der(&signature),
            _ => signature,
        })
    }
}

/// Converts PSA's ECDSA signature, r followed by s, to a DER `SEQUENCE` of two numbers.
fn to_der(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(raw.len() / 2);
    let mut numbers = Vec::with_capacity(raw.len() + 6);
    for number in [r, s] {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let (_, magnitude) = number.split_at(zeros);
        // At least one byte, with a leading zero if it would look negative.
        let pad = magnitude.first().is_none_or(|first| *first >= 0x80);
        // A coordinate has at most 48 bytes, so lengths take one byte.
        numbers.extend([crate::der::INTEGER, magnitude.len() as u8 + u8::from(pad)]);
        numbers.extend(pad.then_some(0));
        numbers.extend_from_slice(magnitude);
    }
    let mut der = Vec::with_capacity(numbers.len() + 2);
    der.extend([crate::der::SEQUENCE, numbers.len() as u8]);
    der.append(&mut numbers);
    der
}

#[derive(Debug)]
pub(super) struct Client(pub(super) Arc<Pair>);

impl SigningKey for Client {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let way = self
            .0
            .ways
            .iter()
            .find(|way| offered.contains(&way.kind.scheme))?;
        Some(Box::new(Signing {
            pair: self.0.clone(),
            way: *way,
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.0.public.clone())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm
    }
}

#[derive(Debug)]
struct Signing {
    pair: Arc<Pair>,
    way: Way,
}

impl Signer for Signing {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.pair.sign(self.way, message).map_err(fault::report)
    }

    fn scheme(&self) -> SignatureScheme {
        self.way.kind.scheme
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ecdsa_signatures_become_minimal_der() {
        assert_eq!(to_der(&[0, 1, 0, 2]), [0x30, 6, 2, 1, 1, 2, 1, 2]);
        assert_eq!(
            to_der(&[0x80, 1, 0, 0x80]),
            [0x30, 9, 2, 3, 0, 0x80, 1, 2, 2, 0, 0x80]
        );
        assert_eq!(to_der(&[0, 0, 0, 0]), [0x30, 6, 2, 1, 0, 2, 1, 0]);
        assert_eq!(to_der(&[0xff; 96]).len(), 2 + 2 * (2 + 49));
    }
}
