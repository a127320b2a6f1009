//! TLS record protection for rustls providers, over any AEAD, and [`Causes`] of their failures.
//!
//! How TLS applies an AEAD to a record is the same for every implementation: the nonce, the
//! additional data, and what precedes and follows the ciphertext. This crate implements it once; a
//! provider supplies the ciphers.
//!
//! ```text
//! rustls         Tls12AeadAlgorithm, Tls13AeadAlgorithm
//!    |
//! this crate     Protection: nonces, additional data, the layout of records
//!    |
//! a provider     Aead: an algorithm      Keyed: one of its keys
//! ```
//!
//! A provider implements [`Aead`] and [`Keyed`] and lists its suites with [`tls13_suites!`] and,
//! with the feature `tls12`, `tls12_suites!`. Both macros define each suite twice: for any user of
//! rustls, and for one that reads application data [where it was decrypted](in_place).
//!
//! This crate contains no ciphers and no hashes, and does not decide which suites to offer.
//!
//! Nothing that a peer sends makes this crate panic. A record that is too short for its tag or
//! cannot be opened is [`Error::DecryptError`]. A record with more than 2^14 bytes of plaintext is
//! [`Error::PeerSentOversizedRecord`].
//!
//! ```
//! use rustls::Error;
//! use rustls::crypto::cipher::{Iv, NONCE_LEN, Nonce, Tls13AeadAlgorithm};
//! use thread_mqtt_crypto_record::{Aead, Keyed, Kind, Protection};
//!
//! /// A cipher that always fails.
//! struct Broken;
//! struct BrokenKey(Iv);
//!
//! impl Aead for Broken {
//!     type Keyed = BrokenKey;
//!
//!     fn key_len(&self) -> usize {
//!         16
//!     }
//!     fn encrypter(&self, _key: &[u8], iv: Iv) -> BrokenKey {
//!         BrokenKey(iv)
//!     }
//!     fn decrypter(&self, _key: &[u8], iv: Iv) -> BrokenKey {
//!         BrokenKey(iv)
//!     }
//! }
//!
//! impl Keyed for BrokenKey {
//!     fn nonce(&self, seq: u64) -> [u8; NONCE_LEN] {
//!         Nonce::new(&self.0, seq).0
//!     }
//!     fn seal(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> Result<(), Error> {
//!         Err(Error::EncryptError)
//!     }
//!     fn open(&self, _: &[u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> Result<usize, Error> {
//!         Err(Error::DecryptError)
//!     }
//! }
//!
//! static BROKEN: Protection<Broken> = Protection::new(&Broken, Kind::Gcm);
//! assert_eq!(Tls13AeadAlgorithm::key_len(&BROKEN), 16);
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod cause;
pub mod in_place;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls12")]
mod tls12;
mod tls13;

use alloc::vec::Vec;

use rustls::crypto::cipher::{AeadKey, Iv, NONCE_LEN, UnsupportedOperationError};
use rustls::{ConnectionTrafficSecrets, Error};

pub use cause::{Causes, identify_callers_by};
#[cfg(feature = "tls12")]
pub use tls12::RSA_SCHEMES;

#[doc(hidden)]
pub use rustls;

/// The tag length of every AEAD algorithm that this crate supports.
pub const TAG_LEN: usize = 16;

/// Returns whether the heap has this many contiguous bytes.
pub fn has_room(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let reserved = room.try_reserve_exact(bytes).is_ok();
    // A compiler may remove an allocation that is never read.
    core::hint::black_box(&room);
    reserved
}

/// An AEAD algorithm with 12-byte nonces and 16-byte tags.
pub trait Aead: Send + Sync + 'static {
    /// A key of this algorithm, ready for use, wiped when dropped.
    type Keyed: Keyed;

    /// Returns the length of a key in bytes.
    fn key_len(&self) -> usize;

    /// Returns a key for the records that one connection sends. If it cannot be created, every use
    /// of it must fail, because rustls has no other way to report this.
    fn encrypter(&self, key: &[u8], iv: Iv) -> Self::Keyed;

    /// Returns a key for the records that one connection receives, under the same condition.
    fn decrypter(&self, key: &[u8], iv: Iv) -> Self::Keyed;

    /// Returns the secrets, which an application may request through rustls. By default, keys are
    /// not disclosed.
    fn secrets(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        let _ = (key, iv);
        Err(UnsupportedOperationError)
    }
}

/// A key, and the IV that is combined with the sequence numbers of its records.
pub trait Keyed: Send + Sync + 'static {
    /// Returns the IV combined with `seq` (RFC 8446, section 5.3; RFC 7905, section 2).
    fn nonce(&self, seq: u64) -> [u8; NONCE_LEN];

    /// Encrypts the text in `buf` in place. The last [`TAG_LEN`] bytes of `buf` are room for the
    /// tag.
    ///
    /// An error makes rustls 0.23 panic. If encryption can fail with a valid key, it should write a
    /// record that no peer accepts, make sure that the connection ends, and return `Ok`.
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<(), Error>;

    /// Decrypts `buf`, a ciphertext followed by its tag, in place. Returns the length of the
    /// plaintext at its start.
    fn open(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], buf: &mut [u8]) -> Result<usize, Error>;
}

/// The kinds of AEAD algorithms that TLS uses.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// AES-GCM with keys of any length (RFC 5288).
    Gcm,
    /// ChaCha20-Poly1305 (RFC 7905).
    ChaCha20Poly1305,
}

/// Record protection of TLS 1.3 and, with the feature `tls12`, of TLS 1.2.
#[derive(Debug)]
pub struct Protection<A: 'static> {
    aead: &'static A,
    kind: Kind,
    in_place: bool,
}

impl<A: Aead> Protection<A> {
    /// Creates the protection by `aead`, which is of the given kind.
    pub const fn new(aead: &'static A, kind: Kind) -> Self {
        Self {
            aead,
            kind,
            in_place: false,
        }
    }

    /// Returns the variant for a connection that reads application data [where it was
    /// decrypted](in_place). Any other connection loses all but the first byte of each record.
    pub const fn in_place(self) -> Self {
        Self {
            in_place: true,
            ..self
        }
    }

    /// Returns how many records one key may protect before rustls changes the key (TLS 1.3) or ends
    /// the connection (TLS 1.2).
    pub const fn confidentiality_limit(&self) -> u64 {
        match self.kind {
            // RFC 8446, section 5.5 allows 2^24.5.
            Kind::Gcm => 1 << 24,
            // Sequence numbers run out first.
            Kind::ChaCha20Poly1305 => u64::MAX,
        }
    }
}
