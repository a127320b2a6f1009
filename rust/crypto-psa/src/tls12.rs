//! TLS 1.2: record protection (RFC 5288 for AES-GCM, RFC 7905 for ChaCha20-Poly1305)
//! and the ECDHE cipher suites (RFC 5289, RFC 7905).

use alloc::boxed::Box;

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter,
    MessageEncrypter, NONCE_LEN, OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload,
    Tls12AeadAlgorithm, UnsupportedOperationError, make_tls12_aad,
};
use rustls::crypto::tls12::PrfUsingHmac;
use rustls::crypto::{CipherSuiteCommon, KeyExchangeAlgorithm};
use rustls::{
    CipherSuite, ConnectionTrafficSecrets, Error, SignatureScheme, SupportedCipherSuite,
    Tls12CipherSuite,
};
use thread_mqtt_psa::Usage;

use crate::aead::{self, Aead, Keyed, TAG_LEN};
use crate::{GCM_CONFIDENTIALITY_LIMIT, hash, hmac};

/// ECDHE, RSA certificate, AES-128-GCM, SHA-256 (0xc02f).
#[cfg(feature = "rsa")]
pub static TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            hash_provider: &hash::SHA256,
            confidentiality_limit: GCM_CONFIDENTIALITY_LIMIT,
        },
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: RSA_SCHEMES,
        aead_alg: &Gcm(&aead::AES_128_GCM),
        prf_provider: &PrfUsingHmac(&hmac::HMAC_SHA256),
    });

/// ECDHE, RSA certificate, AES-256-GCM, SHA-384 (0xc030).
#[cfg(all(feature = "rsa", feature = "aes256"))]
pub static TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            hash_provider: &hash::SHA384,
            confidentiality_limit: GCM_CONFIDENTIALITY_LIMIT,
        },
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: RSA_SCHEMES,
        aead_alg: &Gcm(&aead::AES_256_GCM),
        prf_provider: &PrfUsingHmac(&hmac::HMAC_SHA384),
    });

/// ECDHE, RSA certificate, ChaCha20-Poly1305, SHA-256 (0xcca8).
#[cfg(all(feature = "rsa", feature = "chacha20"))]
pub static TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
            hash_provider: &hash::SHA256,
            confidentiality_limit: u64::MAX,
        },
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: RSA_SCHEMES,
        aead_alg: &ChaCha(&aead::CHACHA20_POLY1305),
        prf_provider: &PrfUsingHmac(&hmac::HMAC_SHA256),
    });

/// ECDHE, ECDSA certificate, AES-128-GCM, SHA-256 (0xc02b).
pub static TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            hash_provider: &hash::SHA256,
            confidentiality_limit: GCM_CONFIDENTIALITY_LIMIT,
        },
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: ECDSA_SCHEMES,
        aead_alg: &Gcm(&aead::AES_128_GCM),
        prf_provider: &PrfUsingHmac(&hmac::HMAC_SHA256),
    });

/// ECDHE, ECDSA certificate, AES-256-GCM, SHA-384 (0xc02c).
#[cfg(feature = "aes256")]
pub static TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            hash_provider: &hash::SHA384,
            confidentiality_limit: GCM_CONFIDENTIALITY_LIMIT,
        },
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: ECDSA_SCHEMES,
        aead_alg: &Gcm(&aead::AES_256_GCM),
        prf_provider: &PrfUsingHmac(&hmac::HMAC_SHA384),
    });

/// ECDHE, ECDSA certificate, ChaCha20-Poly1305, SHA-256 (0xcca9).
#[cfg(feature = "chacha20")]
pub static TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: SupportedCipherSuite =
    SupportedCipherSuite::Tls12(&Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            hash_provider: &hash::SHA256,
            confidentiality_limit: u64::MAX,
        },
        kx: KeyExchangeAlgorithm::ECDHE,
        sign: ECDSA_SCHEMES,
        aead_alg: &ChaCha(&aead::CHACHA20_POLY1305),
        prf_provider: &PrfUsingHmac(&hmac::HMAC_SHA256),
    });

#[cfg(feature = "rsa")]
static RSA_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Certificates with Edwards keys go with these suites, too (RFC 8422, section 2.2).
static ECDSA_SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP256_SHA256,
    #[cfg(feature = "p384")]
    SignatureScheme::ECDSA_NISTP384_SHA384,
    #[cfg(feature = "ed25519")]
    SignatureScheme::ED25519,
];

/// The largest plaintext of a record (RFC 5246, section 6.2.1).
const MAX_FRAGMENT_LEN: usize = 1 << 14;

/// AES-GCM: of the 12-byte nonce, 4 bytes come from the key block and 8 travel in
/// front of each record.
struct Gcm(&'static Aead);

const GCM_SALT_LEN: usize = 4;
const GCM_EXPLICIT_LEN: usize = NONCE_LEN - GCM_SALT_LEN;

impl Tls12AeadAlgorithm for Gcm {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        let iv = join_iv(iv, extra);
        Box::new(GcmRecords(self.0.keyed(key.as_ref(), iv, Usage::ENCRYPT)))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        let iv = join_iv(iv, &[]);
        Box::new(GcmRecords(self.0.keyed(key.as_ref(), iv, Usage::DECRYPT)))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.0.key_len,
            fixed_iv_len: GCM_SALT_LEN,
            // The key block is stretched by a starting point for the explicit part,
            // which is then combined with the sequence number: never the same twice.
            explicit_nonce_len: GCM_EXPLICIT_LEN,
        }
    }

    fn extract_keys(
        &self,
        _key: AeadKey,
        _iv: &[u8],
        _explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

struct GcmRecords(Keyed);

impl MessageEncrypter for GcmRecords {
    fn encrypt(
        &mut self,
        msg: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let nonce = self.0.nonce(seq);
        let (_, explicit) = nonce.split_at(GCM_SALT_LEN);
        let mut payload =
            PrefixedPayload::with_capacity(self.encrypted_payload_len(msg.payload.len()));
        payload.extend_from_slice(explicit);
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&[0; TAG_LEN]);

        let aad = make_tls12_aad(seq, msg.typ, msg.version, msg.payload.len());
        let (_, sealed) = payload.as_mut().split_at_mut(GCM_EXPLICIT_LEN);
        self.0.seal(&nonce, &aad, sealed);
        Ok(OutboundOpaqueMessage::new(msg.typ, msg.version, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        GCM_EXPLICIT_LEN + payload_len + TAG_LEN
    }
}

impl MessageDecrypter for GcmRecords {
    fn decrypt<'a>(
        &mut self,
        mut msg: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let plain_len = msg
            .payload
            .len()
            .checked_sub(GCM_EXPLICIT_LEN + TAG_LEN)
            .ok_or(Error::DecryptError)?;
        let aad = make_tls12_aad(seq, msg.typ, msg.version, plain_len);

        let (explicit, sealed) = msg.payload.split_at_mut(GCM_EXPLICIT_LEN);
        // The peer chooses the explicit part as it likes, so `seq` is not combined.
        let mut nonce = self.0.nonce(0);
        let (_, tail) = nonce.split_at_mut(GCM_SALT_LEN);
        tail.copy_from_slice(explicit);
        let len = self.0.open(&nonce, &aad, sealed)?;

        check_fragment_len(len)?;
        Ok(msg.into_plain_message_range(GCM_EXPLICIT_LEN..GCM_EXPLICIT_LEN + len))
    }
}

/// ChaCha20-Poly1305: the nonce is made as in TLS 1.3 and not sent.
#[cfg(feature = "chacha20")]
struct ChaCha(&'static Aead);

#[cfg(feature = "chacha20")]
impl Tls12AeadAlgorithm for ChaCha {
    fn encrypter(&self, key: AeadKey, iv: &[u8], _extra: &[u8]) -> Box<dyn MessageEncrypter> {
        let iv = join_iv(iv, &[]);
        Box::new(ChaChaRecords(self.0.keyed(
            key.as_ref(),
            iv,
            Usage::ENCRYPT,
        )))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        let iv = join_iv(iv, &[]);
        Box::new(ChaChaRecords(self.0.keyed(
            key.as_ref(),
            iv,
            Usage::DECRYPT,
        )))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.0.key_len,
            fixed_iv_len: NONCE_LEN,
            explicit_nonce_len: 0,
        }
    }

    fn extract_keys(
        &self,
        _key: AeadKey,
        _iv: &[u8],
        _explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

#[cfg(feature = "chacha20")]
struct ChaChaRecords(Keyed);

#[cfg(feature = "chacha20")]
impl MessageEncrypter for ChaChaRecords {
    fn encrypt(
        &mut self,
        msg: OutboundPlainMessage<'_>,
        seq: u64,
    ) -> Result<OutboundOpaqueMessage, Error> {
        let mut payload =
            PrefixedPayload::with_capacity(self.encrypted_payload_len(msg.payload.len()));
        payload.extend_from_chunks(&msg.payload);
        payload.extend_from_slice(&[0; TAG_LEN]);

        let aad = make_tls12_aad(seq, msg.typ, msg.version, msg.payload.len());
        self.0.seal(&self.0.nonce(seq), &aad, payload.as_mut());
        Ok(OutboundOpaqueMessage::new(msg.typ, msg.version, payload))
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + TAG_LEN
    }
}

#[cfg(feature = "chacha20")]
impl MessageDecrypter for ChaChaRecords {
    fn decrypt<'a>(
        &mut self,
        mut msg: InboundOpaqueMessage<'a>,
        seq: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let plain_len = msg
            .payload
            .len()
            .checked_sub(TAG_LEN)
            .ok_or(Error::DecryptError)?;
        let aad = make_tls12_aad(seq, msg.typ, msg.version, plain_len);
        let len = self.0.open(&self.0.nonce(seq), &aad, &mut msg.payload)?;

        check_fragment_len(len)?;
        msg.payload.truncate(len);
        Ok(msg.into_plain_message())
    }
}

fn check_fragment_len(len: usize) -> Result<(), Error> {
    match len {
        0..=MAX_FRAGMENT_LEN => Ok(()),
        _ => Err(Error::PeerSentOversizedRecord),
    }
}

/// An IV from the parts of the key block; rustls cuts them as `key_block_shape` says.
fn join_iv(fixed: &[u8], explicit: &[u8]) -> Iv {
    let mut iv = [0; NONCE_LEN];
    for (to, from) in iv.iter_mut().zip(fixed.iter().chain(explicit)) {
        *to = *from;
    }
    Iv::from(iv)
}
