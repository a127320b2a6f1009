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
use crate::der::{BIT_STRING, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};

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

/// Parses PKCS#8 (RFC 5958), which names the algorithm and, for EC, the curve.
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

/// Parses SEC 1 (RFC 5915): the scalar has the curve's length, and naming the curve is optional.
fn from_sec1(der: &[u8]) -> Result<Pair, KeyError> {
    let key = EcPrivateKey::new(der).ok_or(KeyError::Malformed)?;
    if ![32, 48].contains(&key.scalar.len()) {
        return Err(KeyError::Unsupported);
    }
    let imported = import(
        KeyType::SECP_R1_KEY_PAIR,
        Algorithm::ecdsa(Hash::Any),
        key.scalar,
    )?;
    Pair::owning(imported, key.public)
}

struct EcPrivateKey<'a> {
    scalar: &'a [u8],
    /// The public point, uncompressed, if the file contains it. Computing it in PSA would take a
    /// tenth of a second on a Cortex-M4. If the halves of a file do not match, the broker detects
    /// it, as it does if both belong to another certificate.
    public: Option<&'a [u8]>,
}

impl<'a> EcPrivateKey<'a> {
    fn new(der: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(der);
        let mut key = reader.inside(SEQUENCE)?;
        reader.finish()?;
        key.value(INTEGER)?;
        let scalar = key.value(OCTET_STRING)?;
        // The curve's name.
        key.value(0xa0);
        let public = key
            .inside(0xa1)
            .and_then(|mut public| public.value(BIT_STRING));
        // No unused bits, and both coordinates (SEC 1, section 2.3.3).
        let public = public.and_then(|bits| match bits {
            [0, point @ ..] if point.len() == 1 + 2 * scalar.len() => {
                point.starts_with(&[4]).then_some(point)
            }
            _ => None,
        });
        Some(Self { scalar, public })
    }
}

/// Parses PKCS#1 (RFC 8017, appendix A.1.2), which is also PSA's format. A PSA key has one
/// algorithm, so TLS's two paddings need two keys.
fn from_pkcs1(der: &[u8]) -> Result<Pair, KeyError> {
    let import = |algorithm| import(KeyType::RSA_KEY_PAIR, algorithm, der);
    let pss = Pair::owning(import(Algorithm::rsa_pss(Hash::Any))?, None)?;
    let pkcs1 = Pair::owning(import(Algorithm::rsa_pkcs1(Hash::Any))?, None)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Returns an ECPrivateKey with `rest` after its scalar.
    fn key(rest: &[u8]) -> Vec<u8> {
        let mut der = Vec::from([
            SEQUENCE,
            37 + rest.len() as u8,
            INTEGER,
            1,
            1,
            OCTET_STRING,
            32,
        ]);
        der.extend([7; 32]);
        der.extend_from_slice(rest);
        der
    }

    fn public(rest: &[u8]) -> Option<Vec<u8>> {
        let der = key(rest);
        let read = EcPrivateKey::new(&der).unwrap();
        assert_eq!(read.scalar, [7; 32]);
        read.public.map(<[u8]>::to_vec)
    }

    #[test]
    fn the_public_point_is_read_where_it_is_whole() {
        let point = |unused: u8, form: u8, len: u8| {
            let mut field = Vec::from([0xa1, len + 4, BIT_STRING, len + 2, unused, form]);
            field.extend((0..len).map(|_| 9));
            field
        };
        let whole = point(0, 4, 64);
        assert_eq!(public(&whole).unwrap(), whole[5..]);
        let named = [&[0xa0, 10, OID, 8][..], SECP256R1, &whole].concat();
        assert_eq!(public(&named), public(&whole));
        let none = [
            Vec::new(),
            named[..12].to_vec(),
            point(1, 4, 64),
            point(0, 3, 64),
            point(0, 2, 32),
            point(0, 4, 63),
            Vec::from([0xa1, 2, BIT_STRING, 0]),
        ];
        for rest in none {
            assert_eq!(public(&rest), None, "{rest:02x?}");
        }
        assert!(EcPrivateKey::new(&key(&[])[..20]).is_none());
    }
}
