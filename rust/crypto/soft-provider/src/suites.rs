//! Cipher suites by their IANA names.
//!
//! An application that wants exactly one suite, or just one more, can use the statics of this
//! module individually.

use rustls::SupportedCipherSuite;
#[cfg(all(feature = "tls12", feature = "rsa"))]
use thread_mqtt_crypto_record::RSA_SCHEMES;
#[cfg(feature = "tls12")]
use thread_mqtt_crypto_record::tls12_suites;
use thread_mqtt_crypto_record::tls13_suites;

use crate::aead::*;
use crate::hash::*;

tls13_suites! { TLS13_IN_PLACE;
    /// TLS 1.3 with AES-128-GCM and SHA-256 (0x1301), which every TLS 1.3 peer must support.
    TLS_AES_128_GCM_SHA256:
        TLS13_AES_128_GCM_SHA256, Gcm(AES_128_GCM), SHA256, HMAC_SHA256;
    /// TLS 1.3 with AES-256-GCM and SHA-384 (0x1302).
    #[cfg(feature = "aes256")]
    TLS_AES_256_GCM_SHA384:
        TLS13_AES_256_GCM_SHA384, Gcm(AES_256_GCM), SHA384, HMAC_SHA384;
    /// TLS 1.3 with ChaCha20-Poly1305 and SHA-256 (0x1303).
    #[cfg(feature = "chacha20")]
    TLS_CHACHA20_POLY1305_SHA256:
        TLS13_CHACHA20_POLY1305_SHA256, ChaCha20Poly1305(CHACHA20_POLY1305), SHA256, HMAC_SHA256;
}

#[cfg(feature = "tls12")]
tls12_suites! { TLS12_IN_PLACE;
    /// ECDHE, RSA certificate, AES-128-GCM, SHA-256 (0xc02f).
    #[cfg(feature = "rsa")]
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:
        RSA_SCHEMES, Gcm(AES_128_GCM), SHA256, HMAC_SHA256;
    /// ECDHE, RSA certificate, AES-256-GCM, SHA-384 (0xc030).
    #[cfg(all(feature = "rsa", feature = "aes256"))]
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:
        RSA_SCHEMES, Gcm(AES_256_GCM), SHA384, HMAC_SHA384;
    /// ECDHE, RSA certificate, ChaCha20-Poly1305, SHA-256 (0xcca8).
    #[cfg(all(feature = "rsa", feature = "chacha20"))]
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:
        RSA_SCHEMES, ChaCha20Poly1305(CHACHA20_POLY1305), SHA256, HMAC_SHA256;
    /// ECDHE, ECDSA certificate, AES-128-GCM, SHA-256 (0xc02b).
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:
        ECDSA_SCHEMES, Gcm(AES_128_GCM), SHA256, HMAC_SHA256;
    /// ECDHE, ECDSA certificate, AES-256-GCM, SHA-384 (0xc02c).
    #[cfg(feature = "aes256")]
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:
        ECDSA_SCHEMES, Gcm(AES_256_GCM), SHA384, HMAC_SHA384;
    /// ECDHE, ECDSA certificate, ChaCha20-Poly1305, SHA-256 (0xcca9).
    #[cfg(feature = "chacha20")]
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256:
        ECDSA_SCHEMES, ChaCha20Poly1305(CHACHA20_POLY1305), SHA256, HMAC_SHA256;
}

/// Certificates with Edwards keys use these suites as well (RFC 8422, section 2.2).
#[cfg(feature = "tls12")]
static ECDSA_SCHEMES: &[rustls::SignatureScheme] = &[
    rustls::SignatureScheme::ECDSA_NISTP256_SHA256,
    #[cfg(feature = "p384")]
    rustls::SignatureScheme::ECDSA_NISTP384_SHA384,
    #[cfg(feature = "ed25519")]
    rustls::SignatureScheme::ED25519,
];

/// All suites that the cargo features enable, in order of preference: TLS 1.3 first, then the
/// cheapest in software first, ECDSA before RSA.
pub static ALL: &[SupportedCipherSuite] = &[
    #[cfg(feature = "chacha20")]
    TLS_CHACHA20_POLY1305_SHA256,
    TLS_AES_128_GCM_SHA256,
    #[cfg(feature = "aes256")]
    TLS_AES_256_GCM_SHA384,
    #[cfg(all(feature = "tls12", feature = "chacha20"))]
    TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    #[cfg(all(feature = "tls12", feature = "rsa", feature = "chacha20"))]
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    #[cfg(feature = "tls12")]
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    #[cfg(all(feature = "tls12", feature = "rsa"))]
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    #[cfg(all(feature = "tls12", feature = "aes256"))]
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    #[cfg(all(feature = "tls12", feature = "rsa", feature = "aes256"))]
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];

/// Returns the variant of `suite` for a connection that reads application data where it was
/// decrypted, which halves the memory for a record: for `thread_mqtt_tls::ConfigBuilder::in_place`.
/// Any other user of rustls would get only the first byte of each record. Returns `None` if the
/// suite is not one of these.
pub fn in_place(suite: SupportedCipherSuite) -> Option<SupportedCipherSuite> {
    let all = TLS13_IN_PLACE.iter();
    #[cfg(feature = "tls12")]
    let all = all.chain(TLS12_IN_PLACE);
    all.copied().find(|each| each.suite() == suite.suite())
}
