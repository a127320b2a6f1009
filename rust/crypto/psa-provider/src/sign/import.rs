//! Private keys in files, imported into PSA.

use alloc::sync::Arc;

use rustls::Error;
use rustls::crypto::KeyProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::SigningKey;
use thread_mqtt_psa::{Algorithm, Attributes, Hash, Key, KeyType, Usage};
use zeroize::Zeroize;

use super::Keys;
use super::key::{Client, KeyError, Pair};
use crate::der::{INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};

impl KeyProvider for Keys {
    fn load_private_key(
        &self,
        mut key: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, Error> {
        let pair = match &key {
            PrivateKeyDer::Pkcs8(der) => from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Sec1(der) => from_sec1(der.secret_sec1_der()),
            PrivateKeyDer::Pkcs1(der) => from_pkcs1(der.secret_pkcs1_der()),
            _ => Err(KeyError::Unsupported),
        };
        key.zeroize();
        Ok(Arc::new(Client(Arc::new(pair?))))
    }
}

const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";
const SECP256R1: &[u8] = b"\x2a\x86\x48\xce\x3d\x03\x01\x07";
const SECP384R1: &[u8] = b"\x2b\x81\x04\x00\x22";

/// PKCS#8 (RFC 5958), which names the algorithm and, for EC, the curve.
fn from_pkcs8(der: &[u8]) -> Result<Pair, KeyError> {
    let info = PrivateKeyInfo::new(der).ok_or(KeyError::Malformed)?;
    match (info.algorithm, info.parameter) {
        (RSA_ENCRYPTION, _) => from_pkcs1(info.key),
        (EC_PUBLIC_KEY, Some(SECP256R1 | SECP384R1)) => from_sec1(info.key),
        _ => Err(KeyError::Unsupported),
    }
}

struct PrivateKeyInfo<'a> {
    algorithm: &'a [u8],
    /// If it is an object identifier.
    parameter: Option<&'a [u8]>,
    key: &'a [u8],
}

impl<'a> PrivateKeyInfo<'a> {
    fn new(der: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(der);
        let mut info = reader.inside(SEQUENCE)?;
        reader.finish()?;
        info.value(INTEGER)?;
        let mut algorithm = info.inside(SEQUENCE)?;
        Some(Self {
            algorithm: algorithm.value(OID)?,
            parameter: algorithm.value(OID),
            // Attributes and a public key may follow.
            key: info.value(OCTET_STRING)?,
        })
    }
}

/// SEC 1 (RFC 5915): the scalar has the length of the curve, whose name is optional.
fn from_sec1(der: &[u8]) -> Result<Pair, KeyError> {
    let scalar = sec1_scalar(der).ok_or(KeyError::Malformed)?;
    if ![32, 48].contains(&scalar.len()) {
        return Err(KeyError::Unsupported);
    }
    Pair::owning(import(
        KeyType::SECP_R1_KEY_PAIR,
        Algorithm::ecdsa(Hash::Any),
        scalar,
    )?)
}

fn sec1_scalar(der: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(der);
    let mut key = reader.inside(SEQUENCE)?;
    reader.finish()?;
    key.value(INTEGER)?;
    key.value(OCTET_STRING)
}

/// PKCS#1 (RFC 8017, appendix A.1.2), which is PSA's own format. A PSA key has one
/// algorithm, so it takes two for the two paddings of TLS.
fn from_pkcs1(der: &[u8]) -> Result<Pair, KeyError> {
    let import = |algorithm| import(KeyType::RSA_KEY_PAIR, algorithm, der);
    let pss = Pair::owning(import(Algorithm::rsa_pss(Hash::Any))?)?;
    let pkcs1 = Pair::owning(import(Algorithm::rsa_pkcs1(Hash::Any))?)?;
    Ok(pss.or(pkcs1))
}

fn import(key_type: KeyType, algorithm: Algorithm, data: &[u8]) -> Result<Key, KeyError> {
    let attributes = Attributes {
        key_type,
        bits: 0,
        usage: Usage::SIGN_HASH,
        algorithm,
    };
    Ok(Key::import(&attributes, data)?)
}
