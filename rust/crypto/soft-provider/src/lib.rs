//! A small rustls [`CryptoProvider`] on the RustCrypto crates, for targets without PSA Crypto.
//!
//! [`provider`] contains everything that the cargo features enable, and rustls negotiates from it.
//! All parts are also public individually, for an application that needs fewer, or just one more:
//!
//! ```text
//!                     CryptoProvider
//!      ┌───────────┬────────┴───┬───────────────┬─────────┐
//!   suites         kx         verify      secure_random  KEYS
//!   by their      ECDHE     the peer's       yours:      client
//!  IANA names    groups     signatures      `Random`     keys
//! ```
//!
//! ```
//! use rustls::crypto::CryptoProvider;
//! use thread_mqtt_soft_provider::{Random, RandomError, kx, provider, suites};
//!
//! #[derive(Debug)]
//! struct Platform;
//!
//! impl Random for Platform {
//!     fn fill(buf: &mut [u8]) -> Result<(), RandomError> {
//!         // On a device, use its hardware generator.
//!         getrandom::fill(buf).map_err(|_| RandomError)
//!     }
//! }
//!
//! // Everything.
//! let all = provider::<Platform>();
//! # assert!(all.cipher_suites.len() > 2);
//!
//! // Only what one old broker supports.
//! let one = CryptoProvider {
//!     cipher_suites: vec![suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256],
//!     kx_groups: vec![kx::secp256r1::<Platform>()],
//!     ..provider::<Platform>()
//! };
//! # assert_eq!(one.cipher_suites.len(), 1);
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | (always) | TLS 1.3 with AES-128-GCM, P-256 key exchange, ECDSA P-256 verification |
//! | `tls12` | the ECDHE suites of TLS 1.2 |
//! | `aes256` | AES-256-GCM with SHA-384 |
//! | `chacha20` | ChaCha20-Poly1305 |
//! | `x25519` | X25519 key exchange |
//! | `p384` | P-384 key exchange, ECDSA with P-384, SHA-384 or SHA-512 |
//! | `p521` | ECDSA verification with P-521 |
//! | `rsa` | RSA verification (PKCS #1 v1.5 and PSS, 2048 to 4096 bits), ECDHE_RSA suites |
//! | `client-auth` | client certificates with ECDSA keys |
//! | `ed25519` | Ed25519 verification, in a separate table: [`verify`] |
//!
//! All but `p521` and `ed25519` are on by default. For the smallest flash, at the cost of speed,
//! build with `--cfg aes_backend_soft="compact" --cfg sha2_backend_soft="compact"` in `RUSTFLAGS`.
//!
//! Requires Rust 1.87, for the constant-time building blocks of `ctutils`; the other device crates
//! only need 1.85.
//!
//! # What is not supported
//!
//! RSA private keys (see [`KEYS`]), post-quantum groups, DHE or CBC suites, RSA key exchange, FIPS
//! validation, and hardware acceleration. A chip with hardware acceleration has PSA Crypto, which
//! has its own provider.
//!
//! # Failure
//!
//! Nothing that a peer sends makes this crate panic; it becomes an error that fails the connection.
//! The same applies to a random source that fails.
//!
//! # Timing and secrets
//!
//! The code that handles secrets is designed to be constant-time, according to the documentation of
//! its crates: `p256` and `p384` (scalar arithmetic and multiplication), `x25519-dalek`, the
//! portable bit-sliced AES of `aes`, `ghash`, `chacha20` and `poly1305`, and the comparison of
//! tags. This applies to the source. The machine code for a particular chip was not measured, and
//! on cores whose multiplication takes longer for some operands (Cortex-M3) it does not hold. There
//! is no protection against power analysis or induced faults.
//!
//! Signature verification takes variable time; all its inputs are public.
//!
//! Private scalars, shared secrets, client keys and the key schedules of ciphers and MACs are
//! cleared when dropped. Copies that the compiler spills to the stack are not cleared, nor are
//! intermediate points of a scalar multiplication and record IVs.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod aead;
mod hash;
pub mod kx;
mod random;
mod sec1;
mod sign;
pub mod suites;
pub mod verify;

#[cfg(all(test, feature = "tls12", feature = "aes256", feature = "chacha20"))]
mod record_tests;
#[cfg(all(
    test,
    feature = "aes256",
    feature = "chacha20",
    feature = "x25519",
    feature = "p384",
    feature = "rsa"
))]
mod wycheproof;

use rustls::crypto::CryptoProvider;

pub use random::{Random, RandomError, secure_random};
pub use sign::KEYS;
pub use thread_mqtt_crypto_record::identify_callers_by;

/// Returns the provider with everything its cargo features enable, in order of preference.
pub fn provider<R: Random>() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: suites::ALL.to_vec(),
        kx_groups: kx::all::<R>().to_vec(),
        signature_verification_algorithms: verify::SUPPORTED,
        secure_random: secure_random::<R>(),
        key_provider: KEYS,
    }
}
