//! ECDSA signatures with nonces by RFC 6979: they need no randomness, so bad randomness cannot
//! harm.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{self, ObjectIdentifier, PrivateKeyInfoRef};
use rustls::crypto::KeyProvider;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use zeroize::Zeroize;

use super::Keys;

impl KeyProvider for Keys {
    fn load_private_key(
        &self,
        mut der: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, Error> {
        let key = match &der {
            PrivateKeyDer::Pkcs8(der) => EcdsaKey::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(der) => EcdsaKey::from_sec1(der.secret_sec1_der()),
            PrivateKeyDer::Pkcs1(_) => Err(KeyError::Rsa),
            _ => Err(KeyError::Unsupported),
        };
        der.zeroize();
        match key {
            Ok(key) => Ok(Arc::new(Loaded(Arc::new(key)))),
            Err(error) => Err(Error::General(error.sentence().into())),
        }
    }
}

/// Why a private key was refused.
enum KeyError {
    Rsa,
    Unsupported,
    Malformed,
}

impl KeyError {
    fn sentence(&self) -> &'static str {
        match self {
            Self::Rsa => {
                "the client's private key is an RSA key, which the software crypto provider \
                 cannot sign with: use an ECDSA P-256 key"
            }
            #[cfg(feature = "p384")]
            Self::Unsupported => {
                "the client's private key is of an unsupported type: use an ECDSA P-256 or P-384 \
                 key"
            }
            #[cfg(not(feature = "p384"))]
            Self::Unsupported => {
                "the client's private key is of an unsupported type: use an ECDSA P-256 key"
            }
            Self::Malformed => {
                "the client's private key is damaged: it is neither PKCS#8 nor SEC 1 of a valid \
                 key"
            }
        }
    }
}

/// Wiped when dropped.
#[derive(Debug)]
enum EcdsaKey {
    P256(p256::ecdsa::SigningKey),
    #[cfg(feature = "p384")]
    P384(p384::ecdsa::SigningKey),
}

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
#[cfg(feature = "p384")]
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

impl EcdsaKey {
    /// Parses PKCS#8 (RFC 5958), which names the algorithm and, for EC, the curve.
    fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyError::Malformed)?;
        match info.algorithm.oid {
            EC_PUBLIC_KEY => {}
            RSA_ENCRYPTION => return Err(KeyError::Rsa),
            _ => return Err(KeyError::Unsupported),
        }
        let curve = info
            .algorithm
            .parameters_oid()
            .map_err(|_| KeyError::Malformed)?;
        match curve {
            SECP256R1 => p256::SecretKey::try_from(info).map(Self::from),
            #[cfg(feature = "p384")]
            SECP384R1 => p384::SecretKey::try_from(info).map(Self::from),
            _ => return Err(KeyError::Unsupported),
        }
        .map_err(|_: pkcs8::Error| KeyError::Malformed)
    }

    /// Parses SEC 1 (RFC 5915), where naming the curve is usual but optional. If it is not named,
    /// the key length identifies the curve.
    fn from_sec1(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = p256::SecretKey::from_sec1_der(der) {
            return Ok(key.into());
        }
        #[cfg(feature = "p384")]
        if let Ok(key) = p384::SecretKey::from_sec1_der(der) {
            return Ok(key.into());
        }
        Err(KeyError::Malformed)
    }

    fn scheme(&self) -> SignatureScheme {
        match self {
            Self::P256(_) => SignatureScheme::ECDSA_NISTP256_SHA256,
            #[cfg(feature = "p384")]
            Self::P384(_) => SignatureScheme::ECDSA_NISTP384_SHA384,
        }
    }

    /// Hashes and signs. Each curve uses the hash of its own strength.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        Some(match self {
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(message).ok()?;
                signature.to_der().as_bytes().to_vec()
            }
            #[cfg(feature = "p384")]
            Self::P384(key) => {
                let signature: p384::ecdsa::Signature = key.try_sign(message).ok()?;
                signature.to_der().as_bytes().to_vec()
            }
        })
    }

    fn public_key(&self) -> SubjectPublicKeyInfoDer<'static> {
        match self {
            Self::P256(key) => public_key_to_spki(
                &alg_id::ECDSA_P256,
                key.verifying_key().to_sec1_point(false).as_bytes(),
            ),
            #[cfg(feature = "p384")]
            Self::P384(key) => public_key_to_spki(
                &alg_id::ECDSA_P384,
                key.verifying_key().to_sec1_point(false).as_bytes(),
            ),
        }
    }
}

impl From<p256::SecretKey> for EcdsaKey {
    fn from(key: p256::SecretKey) -> Self {
        Self::P256(key.into())
    }
}

#[cfg(feature = "p384")]
impl From<p384::SecretKey> for EcdsaKey {
    fn from(key: p384::SecretKey) -> Self {
        Self::P384(key.into())
    }
}

#[derive(Debug)]
struct Loaded(Arc<EcdsaKey>);

impl SigningKey for Loaded {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&self.0.scheme())
            .then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(self.0.public_key())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Loaded {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let failed = || Error::General("signing with the client's private key failed".into());
        self.0.sign(message).ok_or_else(failed)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}
