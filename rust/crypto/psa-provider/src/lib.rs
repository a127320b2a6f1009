//! A rustls `CryptoProvider` on the PSA Crypto API, for TLS on the same backend as
//! OpenThread: CryptoCell, Oberon, Mbed TLS or a secure partition.
//!
//! ```text
//! rustls          CryptoProvider: suites, groups, signatures, randomness, keys
//!    |
//! this crate      ciphers for thread-mqtt-crypto-record, DER, what to offer, what a
//!    |            failure does
//!    |
//! thread-mqtt-psa      ownership of keys and operations (the unsafe is there)
//!    |
//! psa_*           the image's backend
//! ```
//!
//! Private keys, of clients and of key exchanges, stay inside PSA. So do traffic keys once they are
//! derived. Secrets that pass through rustls (its key schedule derives outside PSA) are in memory,
//! as with every rustls 0.23 provider. This crate wipes the copies that it makes.
//!
//! It is a provider for clients. Servers may work, but are untested.
//!
//! # Usage
//!
//! [`provider`] initialises PSA and offers what the backend supports. The [`Report`] says what was
//! left out and why. TLS therefore follows the image's configuration (`PSA_WANT_*`). Software in
//! the image states what it was built with. A driver or a secure side is probed (feature `probe`):
//! hashes, HMAC and ciphers with a known answer, key exchange and signatures by their first use.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! let detected = thread_mqtt_psa_provider::provider()?;
//! println!("{}", detected.report);
//!
//! let roots = rustls::RootCertStore::empty();
//! let config = rustls::ClientConfig::builder_with_provider(detected.provider.into())
//!     .with_safe_default_protocol_versions()?
//!     .with_root_certificates(roots)
//!     .with_no_client_auth();
//! # let _ = config;
//! # Ok(())
//! # }
//! ```
//!
//! # RSA
//!
//! With the feature `rsa-in-rust`, which is on by default, PSA computes the hash, and Rust does the
//! rest of verifying an RSA signature. A public key needs no protection. The image needs no RSA in
//! PSA: an Mbed TLS configuration for OpenThread cannot handle numbers of that length, and some
//! accelerators do not support every length. Mbed TLS also needs 6 kB more flash and 1 to 3 kB more
//! heap for it. With `rsa` alone, PSA does everything. Private RSA keys are in PSA in both cases.
//!
//! # Client certificates
//!
//! Use `signing_key` with the key's identifier for a client certificate whose key is in PSA.
//! [`KEYS`] imports a key from a file.
//!
//! # When PSA fails
//!
//! - At the start: the algorithm is not offered. If the reason may be transient (lack of memory or
//!   entropy, no answer from the secure side), the next [`provider`] tries again.
//! - When a group or a curve is first used, and PSA reports that it does not support it: the
//!   connection ends, and later ones do not offer it ([`scheme_is_withdrawn`] for signatures,
//!   `usable_for_version` for groups).
//! - Later, in an operation that can fail: the connection ends with an error that carries the PSA
//!   function and status.
//! - In a hash or HMAC, where rustls cannot take an error, and in sealing a record, where it would
//!   panic: the digest is random, the record is zeros, and the failure is latched. While any object
//!   of any connection open at that time is alive, every operation fails with that status. No
//!   connection continues with a wrong digest, no peer can know the secrets derived from it, and
//!   nothing more is sent that a peer would accept. The latch is released with the last of these
//!   objects. A new connection is not affected, except that the server may reject a session ticket
//!   once. All open connections end, not just one, because rustls does not tell which connection a
//!   hash belongs to.
//! - [`latched_failure`] tells a connection that only sends about the failure immediately.
//! - [`take_last_failure`] returns the cause for the calling thread if rustls's error has no room
//!   for it (a signature not verified, no randomness). thread-mqtt-tls queries it
//!   (`ConfigBuilder::provider_failures`), and drops such session tickets.
//!
//! The alternative was a software hash as a fallback. It would hide a broken backend, and cost
//! flash for code that never runs.
//!
//! # Resources
//!
//! A connection holds two key slots, and briefly up to three (TLS 1.2) or five (TLS 1.3) during the
//! handshake, in addition to the slot of the client's own key. OpenThread needs its own slots
//! (`MBEDTLS_PSA_KEY_SLOT_COUNT`). An imported RSA key takes two, for its two paddings. The C shim
//! is 520 bytes on a Cortex-M4.
//! its two paddings. The C shim is 520 bytes on a Cortex-M4.
//!
//! # Threads
//!
//! As in thread-mqtt-psa: PSA must be safe to call from every thread that calls it (Mbed TLS:
//! `MBEDTLS_THREADING_C`), or all calls, including OpenThread's, must come from one thread or be
//! made under one lock.
//!
//! # What has been tested
//!
//! On a laptop, on the PSA of Mbed TLS 3.6.5 and, if a checkout is given, on TF-PSA-Crypto 1.0.0
//! with its default configuration:
//!
//! - the applicable vectors of Project Wycheproof, with their number asserted
//! - handshakes with rustls on aws-lc-rs in every version, suite, group and kind of certificate;
//!   mutual, with opaque and imported keys; resumed; with HelloRetryRequest and key updates
//! - a failure of every single PSA call of such connections
//!
//! The C shim compiles without a warning for Cortex-M4 against the headers of Mbed TLS 3.5.1, 3.6.0
//! and 3.6.5 and TF-PSA-Crypto 1.0.0, and this crate for thumbv7em-none-eabihf.
//!
//! Not tested: CryptoCell, Oberon and TF-M, which exist only as binaries for their chips. The tests
//! in [`provider`] detect their capabilities on the device. Ed25519, which Mbed TLS does not have,
//! has only ever been left out. For tests against OpenSSL and Mosquitto, see `docs/interop.md`.
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod aead;
mod der;
mod detect;
mod fault;
mod hash;
mod hmac;
pub mod kx;
mod random;
mod sign;
pub mod suites;
#[cfg(test)]
mod tests;
pub mod verify;
#[cfg(test)]
mod wycheproof;

pub use detect::{
    Basis, Capability, Detected, Finding, Report, Unusable, provider, scheme_is_withdrawn,
};
pub use fault::{latched_failure, take_last_failure};
pub use random::RANDOM;
pub use sign::KEYS;
#[cfg(feature = "client-auth")]
pub use sign::{KeyError, signing_key};
pub use thread_mqtt_crypto_record::identify_callers_by;
pub use thread_mqtt_psa::{Error, KeyId};
