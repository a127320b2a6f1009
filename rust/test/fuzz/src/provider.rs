//! Cryptography that hides nothing, so that data altered by a fuzzer is still processed.
//!
//! Hashes, MACs and shared secrets are zeros, records have a tag that is not checked, and random
//! numbers are constant. A recorded server flight is therefore valid for every client, and the
//! upper layers see each altered byte. A signature is valid unless it begins with 0xFF.

use std::sync::Arc;

use rustls::crypto::cipher::{Iv, NONCE_LEN};
use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use rustls::crypto::hmac::{Hmac, Key, Tag};
use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, SharedSecret,
    SupportedKxGroup, WebPkiSupportedAlgorithms,
};
use rustls::pki_types::{
    AlgorithmIdentifier, InvalidSignature, PrivateKeyDer, SignatureVerificationAlgorithm, alg_id,
};
use rustls::sign::{Signer, SigningKey};
use rustls::{
    Error, NamedGroup, PeerMisbehaved, SignatureAlgorithm, SignatureScheme, SupportedCipherSuite,
};
use thread_mqtt_crypto_record::{Aead, Keyed, RSA_SCHEMES, TAG_LEN, tls12_suites, tls13_suites};

/// Returns the provider, which is the same each time.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            suites::TLS_AES_128_GCM_SHA256,
            suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        ],
        kx_groups: vec![&X25519, &P256],
        signature_verification_algorithms: SIGNATURES,
        secure_random: &Fixed(0x5A),
        key_provider: &Fixed(0),
    }
}

mod suites {
    use super::*;

    tls13_suites! { TLS13_IN_PLACE;
        TLS_AES_128_GCM_SHA256: TLS13_AES_128_GCM_SHA256, Gcm(OPEN), ZEROS, ZEROS;
    }

    tls12_suites! { TLS12_IN_PLACE;
        TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: RSA_SCHEMES, Gcm(OPEN), ZEROS, ZEROS;
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: ECDSA_SCHEMES, Gcm(OPEN), ZEROS, ZEROS;
    }

    static ECDSA_SCHEMES: &[SignatureScheme] = &[SignatureScheme::ECDSA_NISTP256_SHA256];

    /// Returns the variant of a suite that leaves application data where it was decrypted.
    pub fn in_place(suite: SupportedCipherSuite) -> Option<SupportedCipherSuite> {
        let mut all = TLS13_IN_PLACE.iter().chain(TLS12_IN_PLACE).copied();
        all.find(|each| each.suite() == suite.suite())
    }
}

pub use suites::in_place;

static ZEROS: Zeros = Zeros;
static OPEN: Open = Open;

const HASH_LEN: usize = 32;

struct Zeros;

impl Hash for Zeros {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Self)
    }

    fn hash(&self, _: &[u8]) -> Output {
        Output::new(&[0; HASH_LEN])
    }

    fn output_len(&self) -> usize {
        HASH_LEN
    }

    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }
}

impl Context for Zeros {
    fn fork_finish(&self) -> Output {
        self.hash(&[])
    }

    fn fork(&self) -> Box<dyn Context> {
        self.start()
    }

    fn finish(self: Box<Self>) -> Output {
        self.hash(&[])
    }

    fn update(&mut self, _: &[u8]) {}
}

impl Hmac for Zeros {
    fn with_key(&self, _: &[u8]) -> Box<dyn Key> {
        Box::new(Self)
    }

    fn hash_output_len(&self) -> usize {
        HASH_LEN
    }
}

impl Key for Zeros {
    fn sign_concat(&self, _: &[u8], _: &[&[u8]], _: &[u8]) -> Tag {
        Tag::new(&[0; HASH_LEN])
    }

    fn tag_len(&self) -> usize {
        HASH_LEN
    }
}

/// Records that anyone can read and write.
struct Open;

impl Aead for Open {
    type Keyed = Self;

    fn key_len(&self) -> usize {
        16
    }

    fn encrypter(&self, _: &[u8], _: Iv) -> Self {
        Self
    }

    fn decrypter(&self, _: &[u8], _: Iv) -> Self {
        Self
    }
}

impl Keyed for Open {
    fn nonce(&self, _: u64) -> [u8; NONCE_LEN] {
        [0; NONCE_LEN]
    }

    fn seal(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> Result<(), Error> {
        Ok(())
    }

    fn open(&self, _: &[u8; NONCE_LEN], _: &[u8], buf: &mut [u8]) -> Result<usize, Error> {
        buf.len().checked_sub(TAG_LEN).ok_or(Error::DecryptError)
    }
}

#[derive(Debug)]
struct Group {
    name: NamedGroup,
    share: &'static [u8],
}

static X25519: Group = Group {
    name: NamedGroup::X25519,
    share: &[9; 32],
};
static P256: Group = Group {
    name: NamedGroup::secp256r1,
    share: &[4; 65],
};

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let Self { name, share } = *self;
        Ok(Box::new(Self { name, share }))
    }

    fn name(&self) -> NamedGroup {
        self.name
    }
}

impl ActiveKeyExchange for Group {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        match peer.len() == self.share.len() {
            true => Ok(SharedSecret::from(&[0; 32][..])),
            false => Err(PeerMisbehaved::InvalidKeyShare.into()),
        }
    }

    fn pub_key(&self) -> &[u8] {
        self.share
    }

    fn group(&self) -> NamedGroup {
        self.name
    }
}

/// Random numbers that always consist of this byte.
#[derive(Debug)]
pub struct Fixed(pub u8);

impl SecureRandom for Fixed {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        buf.fill(self.0);
        Ok(())
    }
}

impl KeyProvider for Fixed {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Ok(Arc::new(Scheme(SignatureScheme::ECDSA_NISTP256_SHA256)))
    }
}

/// A key that signs only with this scheme.
#[derive(Debug, Clone, Copy)]
pub struct Scheme(pub SignatureScheme);

impl SigningKey for Scheme {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        offered
            .contains(&self.0)
            .then(|| Box::new(*self) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match self.0 {
            SignatureScheme::ECDSA_NISTP256_SHA256 => SignatureAlgorithm::ECDSA,
            _ => SignatureAlgorithm::RSA,
        }
    }
}

impl Signer for Scheme {
    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(vec![1; 64])
    }

    fn scheme(&self) -> SignatureScheme {
        self.0
    }
}

#[derive(Debug)]
struct Signature {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
}

impl SignatureVerificationAlgorithm for Signature {
    fn verify_signature(
        &self,
        _key: &[u8],
        _message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        match signature.first() {
            Some(0xFF) | None => Err(InvalidSignature),
            Some(_) => Ok(()),
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

static ECDSA: &dyn SignatureVerificationAlgorithm = &Signature {
    key: alg_id::ECDSA_P256,
    signature: alg_id::ECDSA_SHA256,
};
static RSA_PKCS1: &dyn SignatureVerificationAlgorithm = &Signature {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PKCS1_SHA256,
};
static RSA_PSS: &dyn SignatureVerificationAlgorithm = &Signature {
    key: alg_id::RSA_ENCRYPTION,
    signature: alg_id::RSA_PSS_SHA256,
};

static SIGNATURES: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[ECDSA, RSA_PKCS1, RSA_PSS],
    mapping: &[
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[ECDSA]),
        (SignatureScheme::RSA_PSS_SHA256, &[RSA_PSS]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[RSA_PKCS1]),
    ],
};
