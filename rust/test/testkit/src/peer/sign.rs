//! Repeatable signatures: the same key and message produce the same bytes.
//!
//! RSA PKCS#1 v1.5 and ECDSA with RFC 6979 are deterministic. RSA-PSS, which TLS 1.3 requires for
//! RSA keys, has a random salt, which comes from the given `Random`. Libraries draw the salt
//! themselves, so this module implements the encoding (RFC 8017 section 9.1.1) and the private-key
//! operation. It does no blinding and is not constant-time in all respects: for test keys only.
use crate::tls::TlsSetupError;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::{DecodePrivateKey, PrivateKeyInfoRef};
use pkcs1::RsaPrivateKeyRef;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::PrivateKeyDer;
use sha2::{Digest, Sha256};
use std::marker::PhantomData;
use std::sync::Arc;
use thread_mqtt_soft_provider::Random;

/// Returns the key of a P-256 or RSA certificate, PKCS#8.
pub(crate) fn signing_key<R: Random>(
    key: &PrivateKeyDer<'_>,
) -> Result<Arc<dyn SigningKey>, TlsSetupError> {
    let der = key.secret_der();
    if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(der) {
        return Ok(Arc::new(Ecdsa(Arc::new(key))));
    }
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| TlsSetupError::Key)?;
    let key =
        RsaPrivateKeyRef::try_from(info.private_key.as_bytes()).map_err(|_| TlsSetupError::Key)?;
    Ok(Arc::new(Rsa::<R>(
        Arc::new(RsaKey::new(&key)?),
        PhantomData,
    )))
}

#[derive(Debug)]
struct Ecdsa(Arc<p256::ecdsa::SigningKey>);

impl SigningKey for Ecdsa {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            .then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for Ecdsa {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature: p256::ecdsa::DerSignature = self
            .0
            .try_sign(message)
            .map_err(|_| Error::General("ECDSA signing failed".into()))?;
        Ok(signature.as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

#[derive(Debug)]
struct RsaKey {
    modulus: BoxedMontyParams,
    exponent: BoxedUint,
    /// Length of the modulus in bytes.
    length: usize,
}

impl RsaKey {
    fn new(key: &RsaPrivateKeyRef<'_>) -> Result<Self, TlsSetupError> {
        let number = |bytes: &[u8]| {
            let bits = u32::try_from(bytes.len() * 8).map_err(|_| TlsSetupError::Key)?;
            BoxedUint::from_be_slice(bytes, bits).map_err(|_| TlsSetupError::Key)
        };
        let modulus = key.modulus.as_bytes();
        let odd: Odd<BoxedUint> =
            Option::from(Odd::new(number(modulus)?)).ok_or(TlsSetupError::Key)?;
        Ok(Self {
            modulus: BoxedMontyParams::new(odd),
            exponent: number(key.private_exponent.as_bytes())?,
            length: modulus.len(),
        })
    }

    /// RSASP1 (RFC 8017 section 5.2.1).
    fn apply(&self, encoded: &[u8]) -> Result<Vec<u8>, Error> {
        let bits = self.modulus.bits_precision();
        let message = BoxedUint::from_be_slice(encoded, bits)
            .map_err(|_| Error::General("the RSA key is too small".into()))?;
        let signature = BoxedMontyForm::new(message, &self.modulus)
            .pow(&self.exponent)
            .retrieve();
        let bytes = signature.to_be_bytes();
        Ok(bytes[bytes.len() - self.length..].to_vec())
    }
}

#[derive(Debug)]
struct Rsa<R>(Arc<RsaKey>, PhantomData<fn() -> R>);

impl<R: Random> SigningKey for Rsa<R> {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        // TLS 1.2 clients offer both and get PKCS#1; TLS 1.3 only allows PSS (RFC 8446 4.2.3).
        [
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
        ]
        .into_iter()
        .find(|scheme| offered.contains(scheme))
        .map(|scheme| {
            Box::new(RsaSigner::<R> {
                key: self.0.clone(),
                scheme,
                random: PhantomData,
            }) as Box<dyn Signer>
        })
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

#[derive(Debug)]
struct RsaSigner<R> {
    key: Arc<RsaKey>,
    scheme: SignatureScheme,
    random: PhantomData<fn() -> R>,
}

impl<R: Random> Signer for RsaSigner<R> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let hash = Sha256::digest(message);
        let encoded = if self.scheme == SignatureScheme::RSA_PSS_SHA256 {
            let mut salt = [0; 32];
            R::fill(&mut salt).map_err(|_| Error::FailedToGetRandomBytes)?;
            emsa_pss(&hash, &salt, self.key.length)
        } else {
            emsa_pkcs1(&hash, self.key.length)
        };
        self.key
            .apply(&encoded.ok_or_else(|| Error::General("the RSA key is too small".into()))?)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) of a SHA-256 hash.
fn emsa_pkcs1(hash: &[u8], length: usize) -> Option<Vec<u8>> {
    /// DigestInfo up to the hash (section 9.2, note 1).
    const SHA256: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
        0x05, 0x00, 0x04, 0x20,
    ];
    let padding = length.checked_sub(3 + SHA256.len() + hash.len())?;
    let mut encoded = vec![0, 1];
    encoded.resize(2 + padding, 0xff);
    encoded.push(0);
    encoded.extend_from_slice(&SHA256);
    encoded.extend_from_slice(hash);
    Some(encoded)
}

/// EMSA-PSS (RFC 8017 section 9.1.1) with SHA-256 for a modulus of `length` whole bytes.
fn emsa_pss(hash: &[u8], salt: &[u8], length: usize) -> Option<Vec<u8>> {
    let digest = Sha256::new()
        .chain_update([0; 8])
        .chain_update(hash)
        .chain_update(salt)
        .finalize();
    let padding = length.checked_sub(salt.len() + digest.len() + 2)?;
    let mut encoded = vec![0; padding];
    encoded.push(1);
    encoded.extend_from_slice(salt);
    mgf1(&digest, &mut encoded);
    // The leftmost bit is cleared, so that the number is below the modulus.
    if let Some(first) = encoded.first_mut() {
        *first &= 0x7f;
    }
    encoded.extend_from_slice(&digest);
    encoded.push(0xbc);
    Some(encoded)
}

/// Applies MGF1 with SHA-256 (RFC 8017 appendix B.2.1) to `data`.
fn mgf1(seed: &[u8], data: &mut [u8]) {
    for (counter, block) in (0u32..).zip(data.chunks_mut(32)) {
        let mask = Sha256::new()
            .chain_update(seed)
            .chain_update(counter.to_be_bytes())
            .finalize();
        for (byte, mask) in block.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

#[cfg(all(test, feature = "generate"))]
mod tests {
    use super::*;
    use crate::fixed::Fixed;
    use crate::random::{Seeded, SeededRandom};
    use rustls::crypto::aws_lc_rs;
    use rustls_pki_types::SubjectPublicKeyInfoDer;

    /// An independent check: aws-lc verifies what was signed here.
    fn check(fixed: Fixed, scheme: SignatureScheme, seed: u64) -> Vec<u8> {
        let identity = fixed.server();
        let key = signing_key::<SeededRandom>(identity.key()).unwrap();
        let signer = key.choose_scheme(&[scheme]).unwrap();
        let signature = Seeded::new(seed, 0)
            .scope(|| signer.sign(b"message"))
            .unwrap();

        let public = aws_lc_rs::sign::any_supported_type(identity.key()).unwrap();
        let public: SubjectPublicKeyInfoDer<'_> = public.public_key().unwrap();
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let raw = subject_public_key(&public);
        let verified = algorithms
            .mapping
            .iter()
            .filter(|(known, _)| *known == scheme)
            .flat_map(|(_, algorithms)| algorithms.iter())
            .any(|algorithm| {
                algorithm
                    .verify_signature(raw, b"message", &signature)
                    .is_ok()
            });
        assert!(verified, "{fixed:?} {scheme:?}");
        signature
    }

    /// Returns the BIT STRING of a SubjectPublicKeyInfo.
    fn subject_public_key<'a>(spki: &'a SubjectPublicKeyInfoDer<'_>) -> &'a [u8] {
        use p256::pkcs8::spki::SubjectPublicKeyInfoRef;
        SubjectPublicKeyInfoRef::try_from(spki.as_ref())
            .unwrap()
            .subject_public_key
            .raw_bytes()
    }

    #[test]
    fn signatures_are_good_and_repeat() {
        for (fixed, scheme) in [
            (Fixed::Rsa2048, SignatureScheme::RSA_PKCS1_SHA256),
            (Fixed::Rsa2048, SignatureScheme::RSA_PSS_SHA256),
            (Fixed::P256, SignatureScheme::ECDSA_NISTP256_SHA256),
        ] {
            assert_eq!(check(fixed, scheme, 1), check(fixed, scheme, 1));
        }
    }

    #[test]
    fn only_pss_depends_on_the_seed() {
        let pss = SignatureScheme::RSA_PSS_SHA256;
        assert_ne!(check(Fixed::Rsa2048, pss, 1), check(Fixed::Rsa2048, pss, 2));
        let pkcs1 = SignatureScheme::RSA_PKCS1_SHA256;
        assert_eq!(
            check(Fixed::Rsa2048, pkcs1, 1),
            check(Fixed::Rsa2048, pkcs1, 2)
        );
    }
}
