//! PSA Crypto in safe Rust: keys, AEAD, hashes, HMAC, ECDH and signatures, as far
//! as TLS needs them.
//!
//! ```text
//! thread-mqtt-psa-provider     rustls CryptoProvider, no unsafe
//!         |
//! thread-mqtt-psa            this crate: ownership, lengths, errors
//!         |  extern "C", fixed-width integers
//! c/thread_mqtt_psa.c        compiled against the psa/crypto.h of the image
//!         |
//! PSA Crypto                 CryptoCell, Oberon, Mbed TLS, TF-M's client
//! ```
//!
//! The shim exists because PSA is one API but many ABIs: structures differ in
//! layout by version and configuration. It uses only what Zephyr 3.5 to 4.4 and
//! nRF Connect SDK 2.6 to 3.4 have in common, so a firmware image compiles
//! `c/thread_mqtt_psa.c` with its own headers and links it; this crate compiles no
//! C unless the feature `host-mbedtls` asks for it.
//!
//! It is no binding of all of PSA: no ciphers without authentication, no key
//! derivation, no persistent key storage. Persistent keys are *used* by [`KeyId`].
//!
//! # Threads
//!
//! The types are `Send` and `Sync`, because the TLS library above wants that, and
//! so rely on what the PSA specification asks of a backend whose callers have
//! threads: calls from several threads at once are safe. Mbed TLS keeps that
//! promise only with `MBEDTLS_THREADING_C`. An image that leaves it out must make
//! all PSA calls, OpenThread's included, from one thread or under one lock.
//!
//! # On a laptop
//!
//! With the feature `host-mbedtls` the PSA of Mbed TLS 3.6.5 is compiled (from the
//! crate mbedtls-rs-sys; needs cmake, a C compiler and libclang) behind a lock,
//! and `host` counts key slots and makes calls fail for tests. The environment's
//! `THREAD_MQTT_TF_PSA_CRYPTO` names a checkout of TF-PSA-Crypto 1.x to compile in
//! its place.
//!
//! ```
//! # #[cfg(feature = "host-mbedtls")]
//! # fn main() -> Result<(), thread_mqtt_psa::Error> {
//! use thread_mqtt_psa::{Hash, HashOperation};
//!
//! thread_mqtt_psa::init()?;
//! let mut operation = HashOperation::start(Hash::Sha256)?;
//! operation.update(b"a")?;
//! let mut longer = operation.fork()?;
//! longer.update(b"bc")?;
//! let mut out = [0; Hash::MAX_LEN];
//! assert_eq!(longer.finish(&mut out)?[..4], [0xba, 0x78, 0x16, 0xbf]);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "host-mbedtls"))]
//! # fn main() {}
//! ```
#![no_std]
extern crate alloc;

mod algorithm;
mod built_in;
mod error;
mod ffi;
#[cfg(feature = "host-mbedtls")]
pub mod host;
mod key;
mod operation;

pub use algorithm::{Algorithm, Hash, KeyType, Usage};
pub use built_in::BuiltIn;
pub use error::{Call, Error, Status};
pub use key::{Attributes, Key, KeyId, keys_not_destroyed};
pub use operation::{HashOperation, HmacOperation};

/// Initialises the library; must come before everything else, and may come again.
pub fn init() -> Result<(), Error> {
    // SAFETY: no arguments; idempotent by the specification.
    Call::Init.check(unsafe { ffi::thread_mqtt_psa_init() })
}

/// Fills `out` with random bytes.
pub fn random(out: &mut [u8]) -> Result<(), Error> {
    // SAFETY: `out` is writable for the length passed.
    Call::GenerateRandom.check(unsafe { ffi::thread_mqtt_psa_random(out.as_mut_ptr(), out.len()) })
}
