//! Cipher suites by their IANA names.
//!
//! An application that wants exactly one suite, or exactly one more, takes the
//! statics of this module one by one.

use rustls::SupportedCipherSuite;

#[cfg(feature = "tls12")]
pub use crate::tls12::*;
pub use crate::tls13::*;

/// All suites that the cargo features enable, in order of preference: TLS 1.3
/// first, then the cheapest in software first, ECDSA before RSA.
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
