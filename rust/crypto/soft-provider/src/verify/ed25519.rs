//! Ed25519 (RFC 8032), as certificates (RFC 8410) and TLS (RFC 8446, section 4.2.3) use it.

use ed25519_dalek::{PUBLIC_KEY_LENGTH, Signature, VerifyingKey};
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use super::SUPPORTED;

/// Ed25519, without a prehash.
pub static ED25519: &dyn SignatureVerificationAlgorithm = &Ed25519;

#[derive(Debug)]
struct Ed25519;

impl SignatureVerificationAlgorithm for Ed25519 {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        verify(public_key, message, signature).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}

/// Strict: refuses keys of small order, for which anyone can sign anything.
fn verify(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
    let key = <&[u8; PUBLIC_KEY_LENGTH]>::try_from(public_key).ok()?;
    let key = VerifyingKey::from_bytes(key).ok()?;
    let signature = Signature::from_slice(signature).ok()?;
    key.verify_strict(message, &signature).ok()
}

/// [`SUPPORTED`] and [`ED25519`], for a broker whose certificates have Ed25519 keys:
///
/// ```
/// # use thread_mqtt_soft_provider::{Random, provider, verify};
/// # fn with_ed25519<R: Random>() -> rustls::crypto::CryptoProvider {
/// rustls::crypto::CryptoProvider {
///     signature_verification_algorithms: verify::SUPPORTED_WITH_ED25519,
///     ..provider::<R>()
/// }
/// # }
/// ```
///
/// The table is separate because an additional scheme makes every ClientHello longer, and no public
/// CA issues such certificates.
pub static SUPPORTED_WITH_ED25519: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &ALL,
    mapping: &MAPPING,
};

type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

static ALL: [&dyn SignatureVerificationAlgorithm; SUPPORTED.all.len() + 1] =
    and(SUPPORTED.all, ED25519);
static MAPPING: [(SignatureScheme, Algorithms); SUPPORTED.mapping.len() + 1] =
    and(SUPPORTED.mapping, (SignatureScheme::ED25519, &[ED25519]));

/// Returns `some`, with `one` appended.
const fn and<T: Copy, const N: usize>(some: &[T], one: T) -> [T; N] {
    let mut all = [one; N];
    let (copies, _) = all.split_at_mut(some.len());
    copies.copy_from_slice(some);
    all
}
