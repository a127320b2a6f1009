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
//! Private keys, of clients and of key exchanges, stay inside of PSA; so do traffic
//! keys once they are derived. Secrets on their way through rustls (its key
//! schedule derives outside of PSA) are in memory, as with every provider of rustls
//! 0.23. What this crate copies it wipes.
//!
//! It is a provider for clients. Servers may work; that is untested.
//!
//! # Use
//!
//! [`provider`] initialises PSA and offers what the backend has; the [`Report`] says what
//! was left out and why. Whatever an image configures (`PSA_WANT_*`), TLS follows. Software in the
//! image states what it was built with. A driver or a secure side is asked (feature `probe`): hashes,
//! HMAC and ciphers with a known answer, key exchange and signatures by their first use.
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
//! With the feature `rsa-in-rust`, which is on by default, PSA hashes and Rust does the rest of the
//! verification of an RSA signature: with a public key there is nothing to protect, an image needs no
//! RSA of PSA (a configuration of Mbed TLS made for OpenThread has no numbers of that length, some
//! accelerators do not take every length), and Mbed TLS takes 6 kB more flash and 1 to 3 kB more heap for
//! it. With `rsa` alone PSA does it. Private RSA keys are PSA's with either.
//!
//! # Client certificates
//!
//! A client certificate whose key is in PSA is used through `signing_key` with the
//! key's identifier; a key in a file is imported by [`KEYS`].
//!
//! # When PSA fails
//!
//! - At the start: the algorithm is not offered. Where it failed for want of memory, entropy or an
//!   answer of the secure side, which may pass, it is tried again by the next [`provider`].
//! - When a group or a curve is first used, and PSA says that it does not have it: the connection ends, and
//!   later ones do not offer it ([`scheme_is_withdrawn`] for signatures, `usable_for_version` for groups).
//! - Later, in an operation that can fail: the connection ends with an error that
//!   carries the PSA function and status.
//! - In a hash or HMAC, where rustls has no room for an error, and in sealing a
//!   record, where it would panic: the digest is random, the record is zeros, and
//!   the failure is latched. As long as an object of any connection of that time is
//!   alive, every operation fails with that status: no connection goes on with a
//!   digest that is not one, no peer can know the secrets derived from it, and
//!   nothing more is sent that a peer would accept. With the last of these objects
//!   the latch lets go; a new connection finds nothing left of it, at worst a
//!   session ticket that the server turns down once. All open connections end, not
//!   just one: rustls does not tell a hash whose it is.
//! - [`latched_failure`] tells a connection that only sends of its end at once.
//! - [`take_last_failure`] gives the cause, that of the calling thread, where rustls's error has no place for
//!   it (a signature not verified, no randomness). thread-mqtt-tls asks for it
//!   (`ConfigBuilder::provider_failures`), and forgets such session tickets.
//!
//! A software hash to fall back on was the alternative. It would hide a broken
//! backend and cost flash for code that never runs.
//!
//! # Resources
//!
//! A connection holds two key slots, and at most three (TLS 1.2) or five (TLS 1.3)
//! for moments of its handshake, besides that of the client's own key; OpenThread's
//! come on top (`MBEDTLS_PSA_KEY_SLOT_COUNT`). An imported RSA key takes two, for
//! its two paddings. The C shim is 520 bytes on a Cortex-M4.
//!
//! # Threads
//!
//! As the crate thread-mqtt-psa says: PSA must be safe to call from every thread
//! that calls it (Mbed TLS: `MBEDTLS_THREADING_C`), or all calls, OpenThread's
//! included, come from one thread or under one lock.
//!
//! # What has been proven
//!
//! On the PSA of Mbed TLS 3.6.5 and, where a checkout is named, on TF-PSA-Crypto
//! 1.0.0 with its default configuration, on a laptop: the vectors of Project Wycheproof that
//! apply, by number; handshakes with rustls on aws-lc-rs in every version, suite,
//! group and kind of certificate, mutual with opaque and imported keys, resumed,
//! with HelloRetryRequest and key updates; a failure of every single PSA call of
//! such connections. The C shim compiles without a warning for Cortex-M4 against
//! the headers of Mbed TLS 3.5.1, 3.6.0 and 3.6.5 and TF-PSA-Crypto 1.0.0, and
//! this crate for thumbv7em-none-eabihf.
//!
//! Not proven: anything on CryptoCell, Oberon or TF-M, which exist only as binaries
//! for their chips. The tests of [`provider`] are there to find out on the spot.
//! Ed25519, which Mbed TLS does not have, has only ever been left out. Against
//! OpenSSL and Mosquitto: `docs/interop.md`.
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
