//! A small rustls CryptoProvider on the RustCrypto crates, for targets without PSA Crypto.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;

mod aead;
mod hash;
pub mod kx;
mod random;
mod sec1;
mod sign;
pub mod suites;
#[cfg(feature = "tls12")]
mod tls12;
mod tls13;
pub mod verify;

use rustls::crypto::CryptoProvider;

pub use random::{Random, RandomError, secure_random};
pub use sign::KEYS;

/// The provider with everything its cargo features enable, in order of preference.
pub fn provider<R: Random>() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: suites::ALL.to_vec(),
        kx_groups: kx::all::<R>().to_vec(),
        signature_verification_algorithms: verify::SUPPORTED,
        secure_random: secure_random::<R>(),
        key_provider: KEYS,
    }
}

const GCM_CONFIDENTIALITY_LIMIT: u64 = 1 << 24;
