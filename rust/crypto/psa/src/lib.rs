//! PSA Crypto in safe Rust: keys, AEAD, hashes, HMAC, ECDH and signatures, to the extent that TLS
//! needs them.
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
//! The shim exists because PSA is one API but many ABIs: structure layouts differ by version and
//! configuration. The shim uses only what Zephyr 3.5 to 4.4 and nRF Connect SDK 2.6 to 3.4 have in
//! common. A firmware image compiles `c/thread_mqtt_psa.c` with its own headers and links it. This
//! crate compiles no C unless the feature `host-mbedtls` is enabled.
//!
//! It does not cover all of PSA: no ciphers without authentication, no key derivation, no
//! persistent key storage. [`KeyId`] can *use* persistent keys.
//!
//! # Threads
//!
//! The types are `Send` and `Sync`, because the TLS library above requires it. They rely on the PSA
//! specification, which requires that a backend can be called from several threads at once if its
//! callers have threads. Mbed TLS guarantees this only with `MBEDTLS_THREADING_C`. An image without
//! it must make all PSA calls, including OpenThread's, from one thread or under one lock.
//!
//! # On a laptop
//!
//! The feature `host-mbedtls` compiles the PSA of Mbed TLS 3.6.5 (from the crate mbedtls-rs-sys;
//! needs cmake, a C compiler and libclang) behind a lock. The module `host` counts key slots and
//! makes calls fail for tests. To compile TF-PSA-Crypto 1.x instead, set the environment variable
//! `THREAD_MQTT_TF_PSA_CRYPTO` to a checkout.
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

/// Initialises the library. Must be called first, and may be called again.
pub fn init() -> Result<(), Error> {
    // SAFETY: no arguments; idempotent by the specification.
    Call::Init.check(unsafe { ffi::thread_mqtt_psa_init() })
}

/// Fills `out` with random bytes.
pub fn random(out: &mut [u8]) -> Result<(), Error> {
    // SAFETY: `out` is writable for the length passed.
    Call::GenerateRandom.check(unsafe { ffi::thread_mqtt_psa_random(out.as_mut_ptr(), out.len()) })
}
